#include "client/topology.h"

#include "base/error.h"
#include "client/reply.h"

#include <assert.h>
#include <stdlib.h>

static struct topology *create(enum topology_kind kind, size_t nodes, size_t sets)
{
    struct topology *topology = calloc(1, sizeof(*topology));
    if (topology == NULL) {
        return NULL;
    }
    topology->kind = kind;
    topology->nodes = calloc(nodes + 1, sizeof(*topology->nodes));
    topology->sets = calloc(sets + 1, sizeof(*topology->sets));
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        topology->set_of[i] = TOPOLOGY_NO_SET;
    }
    if (topology->nodes == NULL || topology->sets == NULL) {
        topology_destroy(topology);
        return NULL;
    }
    return topology;
}

void topology_destroy(struct topology *topology)
{
    if (topology != NULL) {
        view_release(topology->view);
        free(topology->nodes);
        free(topology->sets);
        free(topology);
    }
}

/* The sets of a view, of which a ring makes a few for each pair of neighbours. */
static size_t find_set(struct topology *topology, const struct topology_set *wanted, size_t limit)
{
    /* Neighbouring slots are not alike, so all are looked at, newest first; there are few. */
    for (size_t i = topology->set_count; i-- > 0;) {
        if (memcmp(&topology->sets[i], wanted, sizeof(*wanted)) == 0) {
            return i;
        }
    }
    assert(topology->set_count < limit);
    topology->sets[topology->set_count] = *wanted;
    return topology->set_count++;
}

int topology_of_view(struct topology **out, const struct view *view)
{
    /* With many nodes there are about as many sets as slots; then each slot has its own. */
    const bool searched = view->node_count <= 8;
    struct topology *topology = create(TOPOLOGY_TORC, view->node_count, SLOT_COUNT);
    if (topology == NULL) {
        return TORC_ENOMEM;
    }
    topology->view = view_retain(view);
    topology->node_count = view->node_count;
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_node *from = &view->nodes[i];
        struct topology_node *node = &topology->nodes[i];
        endpoint_set(&node->direct, from->host, from->direct_port);
        endpoint_set(&node->any, from->host, from->client_port);
        memcpy(node->zone, from->zone, sizeof(node->zone));
        node->serves_any = from->status == NODE_UP;
    }
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        struct topology_set set = {.count = 0};
        set.count = (uint16_t)view_owners(view, slot, set.nodes);
        for (size_t i = set.count; i < COPIES_MAX; i++) {
            set.nodes[i] = 0;
        }
        if (set.count > 0 && searched) {
            topology->set_of[slot] = (uint16_t)find_set(topology, &set, SLOT_COUNT);
        } else if (set.count > 0) {
            topology->set_of[slot] = (uint16_t)topology->set_count;
            topology->sets[topology->set_count++] = set;
        }
    }
    *out = topology;
    return TORC_OK;
}

int topology_of_single(struct topology **out, const struct endpoint *server)
{
    struct topology *topology = create(TOPOLOGY_SINGLE, 1, 1);
    if (topology == NULL) {
        return TORC_ENOMEM;
    }
    topology->node_count = 1;
    topology->nodes[0].direct = *server;
    topology->nodes[0].any = *server;
    topology->nodes[0].serves_any = true;
    topology->set_count = 1;
    topology->sets[0].count = 1;
    memset(topology->set_of, 0, sizeof(topology->set_of));
    *out = topology;
    return TORC_OK;
}

/* Members of one range in the reply to CLUSTER SLOTS: first slot, last slot, primary, replicas. */
enum { RANGE_FIRST = 0, RANGE_LAST = 1, RANGE_NODES = 2 };

static bool range_is_sound(const redisReply *range)
{
    if (range->type != REDIS_REPLY_ARRAY || range->elements <= RANGE_NODES) {
        return false;
    }
    const redisReply *first = range->element[RANGE_FIRST];
    const redisReply *last = range->element[RANGE_LAST];
    return first->type == REDIS_REPLY_INTEGER && last->type == REDIS_REPLY_INTEGER &&
           first->integer >= 0 && first->integer <= last->integer && last->integer < SLOT_COUNT;
}

/* "host, port, ...": an empty or nil host is that of the node that answers. */
static bool read_node(struct endpoint *out, const redisReply *reply, const char *host)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 ||
        reply->element[1]->type != REDIS_REPLY_INTEGER || reply->element[1]->integer < 1 ||
        reply->element[1]->integer > UINT16_MAX) {
        return false;
    }
    struct bytes name = reply_bytes(reply->element[0]);
    if (name.size == 0 || bytes_equal(name, BYTES_LITERAL("?"))) {
        name = bytes_of(host);
    }
    if (name.size > HOST_SIZE_MAX) {
        return false;
    }
    memcpy(out->host, name.data, name.size);
    out->host[name.size] = '\0';
    out->port = (uint16_t)reply->element[1]->integer;
    return true;
}

static uint16_t put_node(struct topology *topology, const struct endpoint *endpoint, bool primary)
{
    size_t i = 0;
    while (i < topology->node_count &&
           endpoint_compare(&topology->nodes[i].direct, endpoint) != 0) {
        i++;
    }
    struct topology_node *node = &topology->nodes[i];
    if (i == topology->node_count) {
        topology->node_count++;
        node->direct = *endpoint;
        node->any = *endpoint;
    }
    node->serves_any = node->serves_any || primary;
    return (uint16_t)i;
}

static int read_range(struct topology *topology, const redisReply *range, const char *host)
{
    struct topology_set set = {.count = 0};
    if (!range_is_sound(range)) {
        return TORC_EPROTOCOL;
    }
    for (size_t i = RANGE_NODES; i < range->elements && set.count < COPIES_MAX; i++) {
        struct endpoint endpoint;
        if (!read_node(&endpoint, range->element[i], host)) {
            return TORC_EPROTOCOL;
        }
        set.nodes[set.count++] = put_node(topology, &endpoint, i == RANGE_NODES);
    }
    for (long long slot = range->element[RANGE_FIRST]->integer;
         slot <= range->element[RANGE_LAST]->integer; slot++) {
        topology->set_of[slot] = (uint16_t)topology->set_count;
    }
    topology->sets[topology->set_count++] = set;
    return TORC_OK;
}

int topology_of_slots(struct topology **out, const redisReply *reply, const char *host)
{
    if (reply->type != REDIS_REPLY_ARRAY) {
        return TORC_EPROTOCOL;
    }
    if (reply->elements == 0) {
        return TORC_EAGAIN;
    }
    if (reply->elements > SLOT_COUNT) {
        return TORC_EPROTOCOL;
    }
    struct topology *topology =
        create(TOPOLOGY_CLUSTER, COPIES_MAX * reply->elements, reply->elements);
    if (topology == NULL) {
        return TORC_ENOMEM;
    }
    for (size_t i = 0; i < reply->elements; i++) {
        int result = read_range(topology, reply->element[i], host);
        if (result != TORC_OK) {
            topology_destroy(topology);
            return result;
        }
    }
    *out = topology;
    return TORC_OK;
}

const struct topology_set *topology_owners(const struct topology *topology, uint16_t slot)
{
    assert(slot < SLOT_COUNT);
    const uint16_t set = topology->set_of[slot];
    return set == TOPOLOGY_NO_SET ? NULL : &topology->sets[set];
}

size_t topology_any(const struct topology *topology, size_t turn)
{
    const size_t count = topology->node_count;
    for (size_t i = 0; i < count; i++) {
        const size_t node = (turn % count + i) % count;
        if (topology->nodes[node].serves_any) {
            return node;
        }
    }
    return count;
}

bool topology_knows(const struct topology *topology, const struct endpoint *endpoint)
{
    for (size_t i = 0; i < topology->node_count; i++) {
        if (endpoint_compare(&topology->nodes[i].direct, endpoint) == 0 ||
            endpoint_compare(&topology->nodes[i].any, endpoint) == 0) {
            return true;
        }
    }
    return false;
}
