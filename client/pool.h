/*
 * The connections of a handle, one for each endpoint it has talked to. One owner.
 */
#ifndef TORC_CLIENT_POOL_H
#define TORC_CLIENT_POOL_H

#include "client/connection.h"

struct pool {
    struct connection **items; /* sorted by endpoint */
    size_t count;
    size_t capacity;
};

/* A zeroed pool is empty. Closes and frees all connections. */
void pool_deinit(struct pool *pool);
/* The connection to that endpoint, made (closed) if there is none; the pool's. NULL without memory.
 */
struct connection *pool_get(struct pool *pool, const struct endpoint *endpoint);

/* Destroys the connections for which keep() is false. None may be busy. */
typedef bool pool_keep(const void *context, const struct endpoint *endpoint);
void pool_trim(struct pool *pool, pool_keep *keep, const void *context);

#endif
