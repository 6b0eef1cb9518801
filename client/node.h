/*
 * A node that the handle talks to: one endpoint, its connections, and how well it does. Under the
 * handle's lock; freed by whoever has the engine's role.
 */
#ifndef TORC_CLIENT_NODE_H
#define TORC_CLIENT_NODE_H

#include "client/breaker.h"
#include "client/endpoint.h"

#include <stddef.h>

struct connection;
struct near_node;

/* What the connections of a node are for; one endpoint may have a node for each use. */
enum node_use {
    NODE_SHARED,     /* calls of all threads, one behind the other */
    NODE_REPLICA,    /* the same, for reading from it as a replica: they are READONLY */
    NODE_DEDICATED,  /* each for one call at a time that may wait at the server */
    NODE_SUBSCRIBER, /* each for one subscription */
    NODE_TRACKED     /* as shared, for what is kept near: the node tells of its changes */
};

struct node {
    struct endpoint endpoint;
    enum node_use use;
    struct breaker breaker;
    struct connection **connections; /* owned; of options.connections_per_node */
    size_t connection_count;
    size_t outstanding;     /* calls that are on its connections */
    struct near_node *near; /* of its endpoint, once that was looked for; borrowed */
};

struct nodes {
    struct node **items; /* sorted by endpoint and use; owned */
    size_t count;
    size_t capacity;
};

/* The node of that endpoint, made if there is none, with so many connections, closed. NULL without
 * memory. */
struct node *nodes_get(struct nodes *nodes, const struct endpoint *endpoint, size_t connections);
/* The same for another use. */
struct node *nodes_get_for(struct nodes *nodes, const struct endpoint *endpoint, enum node_use use,
                           size_t connections);
/* NULL: there is none that is shared. */
struct node *nodes_find(const struct nodes *nodes, const struct endpoint *endpoint);
/* Destroys those for which keep() is false; nothing of theirs may be in use. */
typedef bool nodes_keep(const void *context, const struct node *node);
void nodes_trim(struct nodes *nodes, nodes_keep *keep, const void *context);
/* Closes and frees all. */
void nodes_deinit(struct nodes *nodes);

#endif
