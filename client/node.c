#include "client/node.h"

#include "client/connection.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NODES_CAPACITY_MIN 8

static void destroy(struct node *node)
{
    for (size_t i = 0; i < node->connection_count; i++) {
        connection_destroy(node->connections[i]);
    }
    free(node->connections);
    free(node);
}

static struct node *create(const struct endpoint *endpoint, enum node_use use, size_t connections)
{
    struct node *node = calloc(1, sizeof(*node));
    if (node == NULL) {
        return NULL;
    }
    node->endpoint = *endpoint;
    node->use = use;
    node->connections = calloc(connections, sizeof(*node->connections));
    while (node->connections != NULL && node->connection_count < connections) {
        struct connection *connection = connection_create(node);
        if (connection == NULL) {
            break;
        }
        node->connections[node->connection_count++] = connection;
    }
    if (node->connection_count < connections) {
        destroy(node);
        return NULL;
    }
    return node;
}

static int compare(const struct node *node, const struct endpoint *endpoint, enum node_use use)
{
    const int order = endpoint_compare(&node->endpoint, endpoint);
    return order != 0 ? order : (int)node->use - (int)use;
}

/* Where the node is, or where it would go. */
static size_t lower_bound(const struct nodes *nodes, const struct endpoint *endpoint,
                          enum node_use use)
{
    size_t low = 0;
    size_t high = nodes->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(nodes->items[middle], endpoint, use) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct node *find(const struct nodes *nodes, const struct endpoint *endpoint,
                         enum node_use use)
{
    size_t at = lower_bound(nodes, endpoint, use);
    return at < nodes->count && compare(nodes->items[at], endpoint, use) == 0 ? nodes->items[at]
                                                                              : NULL;
}

struct node *nodes_find(const struct nodes *nodes, const struct endpoint *endpoint)
{
    return find(nodes, endpoint, NODE_SHARED);
}

static struct node *get(struct nodes *nodes, const struct endpoint *endpoint, enum node_use use,
                        size_t connections)
{
    struct node *node = find(nodes, endpoint, use);
    if (node != NULL) {
        return node;
    }
    if (nodes->count == nodes->capacity) {
        size_t capacity = nodes->capacity == 0 ? NODES_CAPACITY_MIN : 2 * nodes->capacity;
        struct node **items = realloc(nodes->items, capacity * sizeof(*items));
        if (items == NULL) {
            return NULL;
        }
        nodes->items = items;
        nodes->capacity = capacity;
    }
    node = create(endpoint, use, connections);
    if (node != NULL) {
        size_t at = lower_bound(nodes, endpoint, use);
        memmove(&nodes->items[at + 1], &nodes->items[at],
                (nodes->count - at) * sizeof(struct node *));
        nodes->items[at] = node;
        nodes->count++;
    }
    return node;
}

struct node *nodes_get(struct nodes *nodes, const struct endpoint *endpoint, size_t connections)
{
    return get(nodes, endpoint, NODE_SHARED, connections);
}

struct node *nodes_get_for(struct nodes *nodes, const struct endpoint *endpoint, enum node_use use,
                           size_t connections)
{
    return get(nodes, endpoint, use, connections);
}

void nodes_trim(struct nodes *nodes, nodes_keep *keep, const void *context)
{
    size_t kept = 0;
    for (size_t i = 0; i < nodes->count; i++) {
        struct node *node = nodes->items[i];
        if (keep(context, node)) {
            nodes->items[kept++] = node;
        } else {
            destroy(node);
        }
    }
    nodes->count = kept;
}

void nodes_deinit(struct nodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++) {
        destroy(nodes->items[i]);
    }
    free(nodes->items);
    *nodes = (struct nodes){0};
}
