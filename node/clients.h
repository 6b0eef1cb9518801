/*
 * A worker's connections by the id of the client, for what other threads want told to a client. One
 * thread: the worker.
 */
#ifndef TORC_NODE_CLIENTS_H
#define TORC_NODE_CLIENTS_H

#include "base/attributes.h"

#include <stddef.h>
#include <stdint.h>

struct connection;

struct clients {
    struct connection **buckets; /* linked by connection->id_next */
    size_t bucket_count;         /* a power of two */
    size_t count;
};

int clients_init(struct clients *clients) TORC_MUST_USE; /* 0 or TORC_ENOMEM */
void clients_deinit(struct clients *clients);            /* empty by now */
void clients_add(struct clients *clients, struct connection *connection);
void clients_remove(struct clients *clients, struct connection *connection);
/* NULL when it is gone. */
struct connection *clients_find(const struct clients *clients, uint64_t id);

#endif
