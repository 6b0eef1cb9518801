#include "client/dispatch.h"

#include "base/error.h"
#include "client/clock.h"
#include "client/engine.h"
#include "client/reading.h"
#include "client/settle.h"

#include <assert.h>
#include <stdlib.h>

int dispatch_adopt(struct torc *handle, struct topology *topology)
{
    struct node **direct = calloc(topology->node_count + 1, sizeof(struct node *));
    struct node **any = calloc(topology->node_count + 1, sizeof(struct node *));
    struct node **replicas = calloc(topology->node_count + 1, sizeof(struct node *));
    if (direct == NULL || any == NULL || replicas == NULL || !order_guard_all(handle, topology)) {
        free(direct);
        free(any);
        free(replicas);
        return TORC_ENOMEM;
    }
    free(handle->direct);
    free(handle->any);
    free(handle->replicas);
    handle->direct = direct;
    handle->any = any;
    handle->replicas = replicas;
    handle->trim_nodes = true;
    routing_adopt(&handle->routing, topology);
    near_owners_changed(handle);
    return TORC_OK;
}

static struct node *cached_node(struct torc *handle, struct node **cache, const struct endpoint *at,
                                int *error)
{
    if (*cache == NULL) {
        *cache = nodes_get(&handle->nodes, at, handle->options.connections_per_node);
        *error = *cache == NULL ? TORC_ENOMEM : TORC_OK;
    }
    return *cache;
}

struct node *dispatch_owner(struct torc *handle, uint16_t slot, int *error)
{
    const struct routing *routing = &handle->routing;
    if (routing->exception_count > 0) {
        const struct endpoint *exception = routing_exception(routing, slot);
        if (exception != NULL) {
            struct node *node =
                nodes_get(&handle->nodes, exception, handle->options.connections_per_node);
            *error = node == NULL ? TORC_ENOMEM : TORC_OK;
            return node;
        }
    }
    const struct topology_set *set = topology_owners(routing->topology, slot);
    if (set == NULL) {
        *error = TORC_ECONNECT;
        return NULL;
    }
    const size_t index = set->nodes[0];
    return cached_node(handle, &handle->direct[index], &routing->topology->nodes[index].direct,
                       error);
}

static struct node *any_node(struct torc *handle, int *error)
{
    const struct topology *topology = handle->routing.topology;
    const size_t index = topology_any(topology, handle->any_turn);
    if (index == topology->node_count) {
        *error = TORC_ECONNECT;
        return NULL;
    }
    return cached_node(handle, &handle->any[index], &topology->nodes[index].any, error);
}

/* The route of a call that was made before the commands were known. */
static int find_route(struct torc *handle, struct call *call)
{
    const struct command_table *table =
        atomic_load_explicit(&handle->commands, memory_order_relaxed);
    assert(table != NULL);
    int result = request_split(&handle->scratch, (struct bytes){call->request, call->size});
    if (result != TORC_OK) {
        assert(result == TORC_ENOMEM); /* it was encoded here */
        return result;
    }
    call->route = request_route(table, handle->scratch.items, handle->scratch.count);
    call->routed = true;
    return TORC_OK;
}

static struct node *shared_node(struct torc *handle, struct call *call, int *error)
{
    if (call->asked != NULL) {
        struct node *asked = call->asked;
        call->asked = NULL;
        call->asking = true;
        call->skip = true;
        return asked;
    }
    if (TORC_UNLIKELY(reading_from_replicas(handle, call))) {
        struct node *node = reading_node(handle, call);
        if (node != NULL) {
            return node;
        }
    }
    return call->route.slot == REQUEST_NO_SLOT ? any_node(handle, error)
                                               : dispatch_owner(handle, call->route.slot, error);
}

static struct node *find_node(struct torc *handle, struct call *call, int *error)
{
    *error = TORC_OK;
    if (call->target != NULL) {
        return call->target;
    }
    struct node *node = shared_node(handle, call, error);
    if (TORC_UNLIKELY(call->near_wanted) && node != NULL && !call->asking) {
        struct node *tracked = near_route(handle, call, node);
        return tracked != NULL ? tracked : node;
    }
    if (TORC_UNLIKELY(call->route.blocking || call->subscription != NULL) && node != NULL) {
        node = nodes_get_for(&handle->nodes, &node->endpoint,
                             call->subscription != NULL ? NODE_SUBSCRIBER : NODE_DEDICATED,
                             DEDICATED_CONNECTIONS_MAX);
        *error = node == NULL ? TORC_ENOMEM : TORC_OK;
    }
    return node;
}

void dispatch_dirty(struct torc *handle, struct connection *connection)
{
    if (!connection->dirty) {
        connection->dirty = true;
        connection->dirty_next = handle->dirty;
        handle->dirty = connection;
    }
}

static bool is_unused(const struct connection *connection)
{
    return connection->queue.count == 0 && connection->flights.count == 0;
}

/* Makes it usable, or leaves it failed. */
static void prepare(struct torc *handle, struct connection *connection, uint64_t now_ms)
{
    if (connection->state == CONNECTION_OPEN && !connection->failed && is_unused(connection) &&
        !connection->receiving && now_ms >= connection->received_ms + IDLE_CHECK_MS) {
        connection_check_idle(connection);
        settle_failed(handle, connection);
    }
    if (connection->state == CONNECTION_CLOSED) {
        connection_open(handle, connection);
        engine_due(handle, connection->connect_deadline_ms);
        engine_kick(handle);
    }
}

/* One that serves no call; better one that is open. NULL: there is none. */
static struct connection *free_connection(const struct node *node)
{
    struct connection *found = NULL;
    for (size_t i = 0; i < node->connection_count; i++) {
        struct connection *connection = node->connections[i];
        if (!is_unused(connection) || connection->failed) {
            continue;
        }
        if (connection->state == CONNECTION_OPEN) {
            return connection;
        }
        found = found == NULL ? connection : found;
    }
    return found;
}

static struct connection *choose_connection(const struct node *node, const struct call *call)
{
    if (call->line != NULL) {
        return call->line;
    }
    if (node->use == NODE_DEDICATED || node->use == NODE_SUBSCRIBER) {
        return free_connection(node);
    }
    /* Calls of one slot take the same connection, which keeps their order. */
    const size_t index = node->connection_count == 1 ? 0
                         : call->route.slot == REQUEST_NO_SLOT
                             ? (size_t)call->sequence % node->connection_count
                             : call->route.slot % node->connection_count;
    return node->connections[index];
}

static void enqueue(struct torc *handle, struct node *node, struct call *call)
{
    const uint64_t now_ms = clock_now_ms();
    struct connection *connection = choose_connection(node, call);
    if (connection == NULL) {
        engine_fail(handle, call, TORC_EOVERLOAD, &node->endpoint,
                    call->subscription != NULL ? "too many subscriptions at the node"
                                               : "too many commands that wait at the node");
        return;
    }
    prepare(handle, connection, now_ms);
    call->named = names_wanted(handle, call);
    call->head_size = 0;
    call->head_replaces = 0;
    call->connection = connection;
    call->place = CALL_QUEUED;
    call->attempt_deadline_ms = UINT64_MAX;
    const uint64_t patience_ms = call->subscription != NULL ? handle->options.timeout_ms
                                                            : handle->options.attempt_timeout_ms;
    if (patience_ms > 0 && !call->route.blocking) {
        call->attempt_deadline_ms = now_ms + patience_ms;
        engine_due(handle, call->attempt_deadline_ms);
    }
    call_list_append(&connection->queue, call);
    node->outstanding++;
    dispatch_dirty(handle, connection);
    settle_failed(handle, connection);
}

void dispatch(struct torc *handle, struct call *call)
{
    int error;
    assert(call->place == CALL_NOWHERE);
    call->asking = false;
    call->skip = false;
    call->near_source = NULL;
    if (call->target == NULL && handle->routing.topology == NULL) {
        call->place = CALL_UNROUTED;
        call_list_append(&handle->unrouted, call);
        discover_join(handle);
        return;
    }
    if (call->joins) {
        engine_complete(handle, call);
        return;
    }
    if (call->target == NULL && !call->routed && find_route(handle, call) != TORC_OK) {
        engine_fail(handle, call, TORC_ENOMEM, NULL, torc_strerror(TORC_ENOMEM));
        return;
    }
    struct node *node = find_node(handle, call, &error);
    if (node == NULL && error == TORC_ENOMEM) {
        engine_fail(handle, call, TORC_ENOMEM, NULL, torc_strerror(TORC_ENOMEM));
    } else if (node == NULL) {
        settle_unserved(handle, call);
    } else if (call->target == NULL &&
               !breaker_allows(&node->breaker, clock_now_ms(), handle->options.breaker_open_ms)) {
        settle_unavailable(handle, call, node);
    } else {
        enqueue(handle, node, call);
    }
}

void dispatch_in_order(struct torc *handle, struct call *call)
{
    if (call->origin == NULL || !order_holds(handle, call)) {
        dispatch(handle, call);
    }
}
