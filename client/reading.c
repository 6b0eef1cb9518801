#include "client/reading.h"

#include "client/clock.h"
#include "client/dispatch.h"

#include <string.h>

/* Owners that come into question, as places in their set. */
struct candidates {
    uint16_t places[COPIES_MAX];
    size_t count;
};

bool reading_from_replicas(const struct torc *handle, const struct call *call)
{
    const enum torc_read_from from =
        call->read_from == TORC_READ_DEFAULT ? handle->options.read_from : call->read_from;
    return from > TORC_READ_PRIMARY && call->route.readonly &&
           call->route.slot != REQUEST_NO_SLOT && call->target == NULL;
}

/* The node of one owner; of a replica the one whose connections say READONLY. NULL without memory.
 */
static struct node *node_at(struct torc *handle, const struct topology_set *set, uint16_t place)
{
    const size_t index = set->nodes[place];
    const struct endpoint *endpoint = &handle->routing.topology->nodes[index].direct;
    struct node **cache = place == 0 ? &handle->direct[index] : &handle->replicas[index];
    if (*cache == NULL) {
        const size_t connections = handle->options.connections_per_node;
        *cache = place == 0 ? nodes_get(&handle->nodes, endpoint, connections)
                            : nodes_get_for(&handle->nodes, endpoint, NODE_REPLICA, connections);
    }
    return *cache;
}

static bool is_wanted(const struct torc *handle, enum torc_read_from from,
                      const struct topology_set *set, uint16_t place)
{
    switch (from) {
    case TORC_READ_REPLICA: return place > 0;
    case TORC_READ_NEAREST:
        return strcmp(handle->routing.topology->nodes[set->nodes[place]].zone,
                      handle->options.zone) == 0;
    default: return true;
    }
}

/* Those that are wanted, but for nodes that are left alone for a while. */
static struct candidates collect(struct torc *handle, enum torc_read_from from,
                                 const struct topology_set *set)
{
    struct candidates candidates = {.count = 0};
    const uint64_t now_ms = clock_now_ms();
    for (uint16_t place = 0; place < set->count; place++) {
        const struct node *node =
            is_wanted(handle, from, set, place) ? node_at(handle, set, place) : NULL;
        if (node != NULL && !breaker_is_open(&node->breaker, now_ms)) {
            candidates.places[candidates.count++] = place;
        }
    }
    return candidates;
}

struct node *reading_node(struct torc *handle, const struct call *call)
{
    const enum torc_read_from from =
        call->read_from == TORC_READ_DEFAULT ? handle->options.read_from : call->read_from;
    const struct topology_set *set = topology_owners(handle->routing.topology, call->route.slot);
    /* Whoever did not answer well, or sent it on, is not asked again: the primary is. And where
     * MOVED has named an owner, the replicas are not known. */
    if (set == NULL || set->count < 2 || call->retried || call->doubtful ||
        (handle->routing.exception_count > 0 &&
         routing_exception(&handle->routing, call->route.slot) != NULL)) {
        return NULL;
    }
    const struct candidates candidates = collect(handle, from, set);
    if (candidates.count == 0) {
        return NULL;
    }
    const size_t turn = handle->read_turn++;
    struct node *best = node_at(handle, set, candidates.places[turn % candidates.count]);
    for (size_t i = 1; i < candidates.count && from == TORC_READ_LEAST_OUTSTANDING; i++) {
        struct node *node = node_at(handle, set, candidates.places[(turn + i) % candidates.count]);
        best = node->outstanding < best->outstanding ? node : best;
    }
    return best;
}
