/*
 * A command over several slots or all nodes: split into parts, each an operation of its own (or
 * executed here at once), and put together again.
 */
#ifndef TORC_NODE_GATHER_H
#define TORC_NODE_GATHER_H

#include "node/command.h"
#include "node/execute.h"

struct connection;
struct gather;
struct operation;

/* Splits by key (ROUTE_SPLIT_...). The reply comes through an operation in the client's queue. */
void gather_keys(struct connection *connection, const struct execution *execution);
/* Asks every node that is up (ROUTE_ALL_...). */
void gather_nodes(struct connection *connection, const struct execution *execution);

/* One part is there; takes what it needs from the operation. */
void gather_part_done(struct operation *part);
/* The client that is to get the whole; NULL once it is gone. */
struct connection *gather_client(const struct operation *part);
void gather_destroy(struct gather *gather);

#endif
