#include "node/clients.h"

#include "base/error.h"
#include "node/connection.h"

#include <assert.h>
#include <stdlib.h>

#define BUCKETS_MIN 64

static struct connection **bucket_of(const struct clients *clients, uint64_t id)
{
    return &clients->buckets[id & (clients->bucket_count - 1)];
}

int clients_init(struct clients *clients)
{
    *clients = (struct clients){.bucket_count = BUCKETS_MIN};
    clients->buckets = calloc(BUCKETS_MIN, sizeof(struct connection *));
    return clients->buckets == NULL ? TORC_ENOMEM : TORC_OK;
}

void clients_deinit(struct clients *clients)
{
    assert(clients->count == 0);
    free(clients->buckets);
    *clients = (struct clients){0};
}

/* Twice as many buckets; without memory the chains grow instead. */
static void grow(struct clients *clients)
{
    struct clients larger = {.bucket_count = 2 * clients->bucket_count, .count = clients->count};
    larger.buckets = calloc(larger.bucket_count, sizeof(struct connection *));
    if (larger.buckets == NULL) {
        return;
    }
    for (size_t i = 0; i < clients->bucket_count; i++) {
        while (clients->buckets[i] != NULL) {
            struct connection *connection = clients->buckets[i];
            clients->buckets[i] = connection->id_next;
            struct connection **bucket = bucket_of(&larger, connection->session.id);
            connection->id_next = *bucket;
            *bucket = connection;
        }
    }
    free(clients->buckets);
    *clients = larger;
}

void clients_add(struct clients *clients, struct connection *connection)
{
    if (clients->count == clients->bucket_count) {
        grow(clients);
    }
    struct connection **bucket = bucket_of(clients, connection->session.id);
    connection->id_next = *bucket;
    *bucket = connection;
    clients->count++;
}

void clients_remove(struct clients *clients, struct connection *connection)
{
    struct connection **at = bucket_of(clients, connection->session.id);
    while (*at != connection) {
        at = &(*at)->id_next;
    }
    *at = connection->id_next;
    clients->count--;
}

struct connection *clients_find(const struct clients *clients, uint64_t id)
{
    struct connection *connection = *bucket_of(clients, id);
    while (connection != NULL && connection->session.id != id) {
        connection = connection->id_next;
    }
    return connection;
}
