#include "client/routing.h"

#include <assert.h>
#include <string.h>

void routing_deinit(struct routing *routing)
{
    topology_destroy(routing->topology);
    routing->topology = NULL;
    routing->exception_count = 0;
}

void routing_adopt(struct routing *routing, struct topology *topology)
{
    topology_destroy(routing->topology);
    routing->topology = topology;
    routing->exception_count = 0;
}

enum routing_verdict routing_judge(const struct routing *routing, const struct topology *topology)
{
    const struct topology *known = routing->topology;
    if (known == NULL) {
        return ROUTING_NEWER;
    }
    if (known->kind != topology->kind) {
        return ROUTING_FOREIGN;
    }
    if (known->kind != TOPOLOGY_TORC) {
        return ROUTING_NEWER;
    }
    if (!node_id_equal(&known->view->cluster_id, &topology->view->cluster_id)) {
        return ROUTING_FOREIGN;
    }
    if (topology->view->epoch <= known->view->epoch) {
        return topology->view->epoch == known->view->epoch ? ROUTING_SAME : ROUTING_OLDER;
    }
    return ROUTING_NEWER;
}

static void remove_exception(struct routing *routing, size_t index)
{
    assert(index < routing->exception_count);
    routing->exception_count--;
    memmove(&routing->exceptions[index], &routing->exceptions[index + 1],
            (routing->exception_count - index) * sizeof(routing->exceptions[0]));
}

static size_t find_exception(const struct routing *routing, uint16_t slot)
{
    size_t i = 0;
    while (i < routing->exception_count && routing->exceptions[i].slot != slot) {
        i++;
    }
    return i;
}

const struct endpoint *routing_exception(const struct routing *routing, uint16_t slot)
{
    size_t i = find_exception(routing, slot);
    return i < routing->exception_count ? &routing->exceptions[i].owner : NULL;
}

void routing_moved(struct routing *routing, uint16_t slot, const struct endpoint *owner)
{
    size_t known = find_exception(routing, slot);
    if (known < routing->exception_count) {
        remove_exception(routing, known);
    } else if (routing->exception_count == ROUTING_EXCEPTIONS_MAX) {
        remove_exception(routing, 0);
    }
    routing->exceptions[routing->exception_count++] =
        (struct routing_exception){.slot = slot, .owner = *owner};
}

void routing_distrust(struct routing *routing, const struct endpoint *owner)
{
    for (size_t i = routing->exception_count; i-- > 0;) {
        if (endpoint_compare(&routing->exceptions[i].owner, owner) == 0) {
            remove_exception(routing, i);
        }
    }
}
