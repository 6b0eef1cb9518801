#include "client/near.h"

#include "base/error.h"
#include "client/clock.h"
#include "client/command_line.h"
#include "client/engine.h"
#include "client/helper.h"
#include "client/near_node.h"
#include "client/reply.h"
#include "client/submit.h"

#include <assert.h>
#include <stdlib.h>

struct near {
    struct near_table *table;
    unsigned stale_ms;
    /* the handle's lock */
    struct near_node *nodes; /* owned; they stay, for entries refer to them */
    size_t node_count;
};

struct near *near_create(const struct client_options *options)
{
    struct near *near = calloc(1, sizeof(*near));
    if (near != NULL) {
        near->stale_ms = options->near_stale_ms;
        near->table = near_table_create(options->near_bytes);
        if (near->table == NULL) {
            free(near);
            near = NULL;
        }
    }
    return near;
}

void near_destroy(struct near *near)
{
    if (near == NULL) {
        return;
    }
    near_table_destroy(near->table);
    while (near->nodes != NULL) {
        struct near_node *node = near->nodes;
        near->nodes = node->next;
        assert(node->state == NEAR_DOWN);
        free(node);
    }
    free(near);
}

/* ------------------------------------------------------------------------------------ the engine
 */

static struct near_node *node_of(struct near *near, const struct endpoint *endpoint)
{
    struct near_node *node = near->nodes;
    while (node != NULL && endpoint_compare(&node->endpoint, endpoint) != 0) {
        node = node->next;
    }
    if (node == NULL && near->node_count < NEAR_NODES_MAX) {
        node = near_node_create(endpoint, near->table);
        if (node != NULL) {
            node->next = near->nodes;
            near->nodes = node;
            near->node_count++;
        }
    }
    return node;
}

struct node *near_route(struct torc *handle, struct call *call, struct node *owner)
{
    if (owner->near == NULL) {
        owner->near = node_of(handle->near, &owner->endpoint);
    }
    struct near_node *node = owner->near;
    const uint64_t now_ms = clock_now_ms();
    if (node == NULL) {
        return NULL;
    }
    if (node->state == NEAR_DOWN && now_ms >= node->due_ms && !handle->closing) {
        near_node_begin(handle, node);
    }
    if (node->state != NEAR_READY) {
        return NULL;
    }
    near_node_use(handle, node, now_ms);
    call->near_source = &node->source;
    call->near_generation = atomic_load_explicit(&node->source.generation, memory_order_acquire);
    return node->data;
}

/* Whose data connection is one of that node's; NULL: none. */
static struct near_node *find_data(const struct torc *handle, const struct node *data)
{
    struct near_node *node = handle->near == NULL ? NULL : handle->near->nodes;
    while (node != NULL && node->data != data) {
        node = node->next;
    }
    return node;
}

void near_lost(struct torc *handle, const struct node *data)
{
    struct near_node *node = find_data(handle, data);
    if (node != NULL) {
        near_node_end(handle, node, NEAR_AGAIN_MS);
    }
}

void near_told(struct torc *handle, const struct node *data, const redisReply *push)
{
    struct near_node *node = find_data(handle, data);
    if (node != NULL) {
        near_node_told(node, push);
    }
}

void near_run(struct torc *handle, uint64_t now_ms)
{
    struct near_node *node = handle->near == NULL ? NULL : handle->near->nodes;
    for (; node != NULL; node = node->next) {
        if (node->state == NEAR_READY) {
            near_node_run(handle, node, now_ms);
        }
    }
}

static void void_everything(struct near *near)
{
    for (struct near_node *node = near->nodes; node != NULL; node = node->next) {
        near_node_void(node);
    }
}

void near_owners_changed(struct torc *handle)
{
    if (handle->near == NULL) {
        return;
    }
    void_everything(handle->near);
    for (struct near_node *node = handle->near->nodes; node != NULL; node = node->next) {
        if (!topology_knows(handle->routing.topology, &node->endpoint)) {
            near_node_end(handle, node, 0);
        }
    }
}

void near_written(struct torc *handle, const struct call *call)
{
    struct arguments *arguments = &handle->scratch;
    if (request_split(arguments, (struct bytes){call->request, call->size}) != TORC_OK) {
        void_everything(handle->near);
        return;
    }
    if (arguments->items[0].size >= 5 && strncasecmp(arguments->items[0].data, "flush", 5) == 0) {
        void_everything(handle->near);
    }
    /* Whatever might be a key: to forget more than that does no harm. */
    for (size_t i = 1; i < arguments->count; i++) {
        if (arguments->items[i].size <= NEAR_KEY_SIZE_MAX) {
            const struct near_key key = near_key_of(arguments->items[i]);
            near_table_forget(handle->near->table, &key);
        }
    }
}

/* ------------------------------------------------------------------------------------- reading */

/* 0; what the server said is in the call. */
static int ask(struct torc *handle, struct call *call)
{
    handle_lock(handle);
    /* Somebody has to hear of changes while nobody waits for anything. */
    const int result = loop_start(handle);
    handle_unlock(handle);
    call->near_wanted = result == TORC_OK;
    call->read_from = TORC_READ_PRIMARY;
    return submit_and_wait(handle, call);
}

int near_get(struct torc *handle, struct bytes key, struct torc_value *value, redisReply **reply)
{
    struct near *near = handle->near;
    const struct bytes argv[] = {BYTES_LITERAL("GET"), key};
    if (near == NULL || key.size > NEAR_KEY_SIZE_MAX) {
        return submit_bytes(handle, argv, 2, reply);
    }
    const struct near_key near_key = near_key_of(key);
    const uint64_t now_ms = clock_now_ms();
    int result = near_table_get(near->table, &near_key, now_ms - near->stale_ms, value);
    if (result != TORC_EAGAIN) {
        return result == TORC_OK ? TORC_OK : helper_error(handle, result, "GET");
    }
    struct near_reading reading = {.read_ms = now_ms,
                                   .ticket = near_table_ticket(near->table, &near_key)};
    struct call *call;
    result = command_line_bytes(handle, &call, argv, 2);
    if (result != TORC_OK) {
        return result;
    }
    result = ask(handle, call);
    if (result == TORC_OK) {
        *reply = call->reply;
        call->reply = NULL;
        reading.source = call->near_source;
        reading.generation = call->near_generation;
        reading.value = reply_bytes(*reply);
        if (reading.source != NULL &&
            ((*reply)->type == REDIS_REPLY_STRING || (*reply)->type == REDIS_REPLY_NIL)) {
            near_table_put(near->table, &near_key, &reading);
        }
    }
    call_release(call);
    return result;
}

int torc_near_stats(struct torc *handle, struct torc_near_stats *stats)
{
    if (stats != NULL) {
        *stats = (struct torc_near_stats){0};
    }
    int result = helper_begin(handle, stats != NULL);
    if (result != TORC_OK || handle->near == NULL) {
        return result;
    }
    near_table_count(handle->near->table, stats);
    handle_lock(handle);
    for (struct near_node *node = handle->near->nodes; node != NULL; node = node->next) {
        stats->invalidations += node->invalidated;
        stats->nodes += node->state == NEAR_READY;
    }
    handle_unlock(handle);
    return TORC_OK;
}
