#include "client/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define POOL_CAPACITY_MIN 8

void pool_deinit(struct pool *pool)
{
    for (size_t i = 0; i < pool->count; i++) {
        connection_destroy(pool->items[i]);
    }
    free(pool->items);
    *pool = (struct pool){0};
}

/* Where the endpoint is, or where it would go. */
static size_t lower_bound(const struct pool *pool, const struct endpoint *endpoint)
{
    size_t low = 0;
    size_t high = pool->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (endpoint_compare(&pool->items[middle]->endpoint, endpoint) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct connection *pool_get(struct pool *pool, const struct endpoint *endpoint)
{
    size_t at = lower_bound(pool, endpoint);
    if (at < pool->count && endpoint_compare(&pool->items[at]->endpoint, endpoint) == 0) {
        return pool->items[at];
    }
    if (pool->count == pool->capacity) {
        size_t capacity = pool->capacity == 0 ? POOL_CAPACITY_MIN : 2 * pool->capacity;
        struct connection **items = realloc(pool->items, capacity * sizeof(*items));
        if (items == NULL) {
            return NULL;
        }
        pool->items = items;
        pool->capacity = capacity;
    }
    struct connection *connection = connection_create(endpoint);
    if (connection != NULL) {
        memmove(&pool->items[at + 1], &pool->items[at],
                (pool->count - at) * sizeof(struct connection *));
        pool->items[at] = connection;
        pool->count++;
    }
    return connection;
}

void pool_trim(struct pool *pool, pool_keep *keep, const void *context)
{
    size_t kept = 0;
    for (size_t i = 0; i < pool->count; i++) {
        struct connection *connection = pool->items[i];
        assert(!connection->busy);
        if (keep(context, &connection->endpoint)) {
            pool->items[kept++] = connection;
        } else {
            connection_destroy(connection);
        }
    }
    pool->count = kept;
}
