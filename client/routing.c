#include "client/routing.h"

#include <assert.h>
#include <string.h>

void routing_init(struct routing *routing)
{
    routing->view = NULL;
    routing->exception_count = 0;
}

void routing_deinit(struct routing *routing)
{
    view_release(routing->view);
    routing_init(routing);
}

void routing_adopt(struct routing *routing, const struct view *view)
{
    const struct view *before = routing->view;
    routing->view = view_retain(view);
    routing->exception_count = 0;
    view_release(before);
}

enum routing_verdict routing_offer(struct routing *routing, const struct view *view)
{
    if (routing->view != NULL) {
        if (!node_id_equal(&routing->view->cluster_id, &view->cluster_id)) {
            return ROUTING_FOREIGN;
        }
        if (view->epoch <= routing->view->epoch) {
            return view->epoch == routing->view->epoch ? ROUTING_SAME : ROUTING_OLDER;
        }
    }
    routing_adopt(routing, view);
    return ROUTING_ADOPTED;
}

static void remove_exception(struct routing *routing, size_t index)
{
    assert(index < routing->exception_count);
    routing->exception_count--;
    memmove(&routing->exceptions[index], &routing->exceptions[index + 1],
            (routing->exception_count - index) * sizeof(routing->exceptions[0]));
}

static const struct routing_exception *find_exception(const struct routing *routing, uint16_t slot)
{
    for (size_t i = 0; i < routing->exception_count; i++) {
        if (routing->exceptions[i].slot == slot) {
            return &routing->exceptions[i];
        }
    }
    return NULL;
}

void routing_moved(struct routing *routing, uint16_t slot, const struct endpoint *owner)
{
    const struct routing_exception *known = find_exception(routing, slot);
    if (known != NULL) {
        remove_exception(routing, (size_t)(known - routing->exceptions));
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

bool routing_owner(const struct routing *routing, uint16_t slot, struct endpoint *out)
{
    const struct routing_exception *exception = find_exception(routing, slot);
    if (exception != NULL) {
        *out = exception->owner;
        return true;
    }
    uint16_t owners[COPIES_MAX];
    if (routing->view == NULL || view_owners(routing->view, slot, owners) == 0) {
        return false;
    }
    const struct view_node *node = &routing->view->nodes[owners[0]];
    endpoint_set(out, node->host, node->direct_port);
    return true;
}

bool routing_any(const struct routing *routing, size_t turn, struct endpoint *out)
{
    size_t count = routing->view == NULL ? 0 : routing->view->node_count;
    for (size_t i = 0; i < count; i++) {
        const struct view_node *node = &routing->view->nodes[(turn % count + i) % count];
        if (node->status == NODE_UP) {
            endpoint_set(out, node->host, node->client_port);
            return true;
        }
    }
    return false;
}

bool routing_knows(const struct routing *routing, const struct endpoint *endpoint)
{
    size_t count = routing->view == NULL ? 0 : routing->view->node_count;
    for (size_t i = 0; i < count; i++) {
        const struct view_node *node = &routing->view->nodes[i];
        if ((endpoint->port == node->direct_port || endpoint->port == node->client_port) &&
            strcmp(endpoint->host, node->host) == 0) {
            return true;
        }
    }
    return false;
}
