#include "client/near.h"

#include "base/error.h"
#include "client/clock.h"
#include "client/command_line.h"
#include "client/engine.h"
#include "client/helper.h"
#include "client/reply.h"
#include "client/settle.h"
#include "client/submit.h"
#include "client/subscription.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum near_state {
    NEAR_DOWN,        /* until due_ms, or nobody has asked for anything */
    NEAR_SUBSCRIBING, /* the push connection is being made */
    NEAR_ASKING,      /* the data connection is, and asked to track */
    NEAR_READY
};

/* A node, by the endpoint at which it serves its slots. */
struct near_node {
    struct near_node *next;
    struct endpoint endpoint;
    enum near_state state;
    struct near_source source;
    struct subscription push;
    struct node *data;    /* ASKING, READY */
    uint64_t due_ms;      /* DOWN: not tried before. READY: asked next whether it lives */
    uint64_t asked_ms;    /* when that was asked last */
    bool awaiting;        /* the answer */
    bool resting;         /* nothing has been read since it was asked last: it is not asked */
    uint64_t invalidated; /* messages */
};

struct near {
    struct near_table *table;
    unsigned stale_ms;
    /* the handle's lock */
    struct near_node *nodes; /* owned; they stay, for entries refer to them */
    size_t node_count;
};

static const struct bytes channel = BYTES_LITERAL("__redis__:invalidate");

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
        assert(node->push.call == NULL);
        free(node);
    }
    free(near);
}

/* ------------------------------------------------------------------------------ being told changes
 */

static void void_all(struct near_node *node)
{
    atomic_fetch_add_explicit(&node->source.generation, 1, memory_order_acq_rel);
}

/* It does not tell of changes any more. It is tried again after so long. */
static void go_down(struct torc *handle, struct near_node *node, uint64_t delay_ms)
{
    if (node->state == NEAR_DOWN) {
        return;
    }
    struct node *data = node->data;
    node->state = NEAR_DOWN;
    node->due_ms = clock_now_ms() + delay_ms;
    node->data = NULL;
    node->awaiting = false;
    void_all(node);
    subscription_cancel(handle, &node->push);
    /* The node would go on tracking for nobody. What is on its way there is asked again. */
    if (data != NULL && data->connections[0]->state != CONNECTION_CLOSED) {
        connection_fail(data->connections[0], TORC_OK, "changes are not told any more");
        settle_failed(handle, data->connections[0]);
    }
}

static void invalidate(struct near *near, struct near_node *node, const redisReply *keys)
{
    node->invalidated++;
    if (keys->type != REDIS_REPLY_ARRAY) {
        void_all(node);
        return;
    }
    for (size_t i = 0; i < keys->elements; i++) {
        const struct near_key key = near_key_of(reply_bytes(keys->element[i]));
        near_table_forget(near->table, &key);
    }
}

/* The answer to CLIENT TRACKING. */
static void tracking_answered(struct torc *handle, struct call *call)
{
    struct near_node *node = call->context;
    if (node->state != NEAR_ASKING || node->data != call->target) {
        return;
    }
    if (call->error != TORC_OK) {
        go_down(handle, node, NEAR_AGAIN_MS);
    } else if (call->reply->type != REDIS_REPLY_STATUS) {
        go_down(handle, node, NEAR_REFUSED_MS);
    } else {
        node->state = NEAR_READY;
        node->resting = false;
        node->due_ms = clock_now_ms() + handle->near->stale_ms / NEAR_QUESTIONS;
        engine_due(handle, node->due_ms);
    }
}

static struct call *call_for(struct torc *handle, struct near_node *node, const struct bytes *argv,
                             size_t argc, call_finish *finish)
{
    struct call *call = call_create(argv, argc, 0);
    if (call != NULL) {
        call->route = (struct request_route){.slot = REQUEST_NO_SLOT, .readonly = true};
        call->routed = true;
        call->target = node->data;
        call->finish = finish;
        call->context = node;
        command_line_set_deadline(handle, call, 0);
    }
    return call;
}

/* False: it could not be submitted. */
static bool submit(struct torc *handle, struct call *call)
{
    if (call == NULL) {
        return false;
    }
    const bool submitted = engine_submit(handle, call) == TORC_OK;
    call_release(call);
    return submitted;
}

static void ask_to_track(struct torc *handle, struct near_node *node)
{
    char id[24];
    const int64_t number = subscription_line(&node->push)->greeting.client_id;
    (void)snprintf(id, sizeof(id), "%" PRId64, number);
    const struct bytes argv[] = {BYTES_LITERAL("CLIENT"), BYTES_LITERAL("TRACKING"),
                                 BYTES_LITERAL("ON"), BYTES_LITERAL("REDIRECT"), bytes_of(id)};
    if (number == 0) {
        go_down(handle, node, NEAR_REFUSED_MS);
        return;
    }
    node->data = nodes_get_for(&handle->nodes, &node->endpoint, NODE_TRACKED, 1);
    node->state = NEAR_ASKING;
    if (node->data == NULL || !submit(handle, call_for(handle, node, argv, 5, tracking_answered))) {
        go_down(handle, node, NEAR_AGAIN_MS);
    }
}

static void take(struct torc *handle, struct subscription *push, struct subscription_news *news)
{
    struct near_node *node =
        (struct near_node *)(void *)((char *)push - offsetof(struct near_node, push));
    switch (news->event) {
    case SUBSCRIPTION_OPENED: ask_to_track(handle, node); break;
    case SUBSCRIPTION_MESSAGE:
        invalidate(handle->near, node, news->reply->element[news->reply->elements - 1]);
        break;
    case SUBSCRIPTION_LOST: void_all(node); break; /* it has ended, too, and is told so next */
    case SUBSCRIPTION_ENDED:
        go_down(handle, node, news->error == TORC_EREPLY ? NEAR_REFUSED_MS : NEAR_AGAIN_MS);
        break;
    }
}

static void begin(struct torc *handle, struct near_node *node)
{
    const struct bytes argv[] = {BYTES_LITERAL("SUBSCRIBE"), channel};
    struct node *target =
        nodes_get_for(&handle->nodes, &node->endpoint, NODE_SUBSCRIBER, DEDICATED_CONNECTIONS_MAX);
    node->state = NEAR_SUBSCRIBING;
    if (target == NULL ||
        subscription_begin(handle, &node->push, argv, 2, REQUEST_NO_SLOT, target) != TORC_OK) {
        go_down(handle, node, NEAR_AGAIN_MS);
    }
}

/* --------------------------------------------------------------------------------- does it live?
 */

static void push_lives(struct torc *handle, struct call *call)
{
    struct near_node *node = call->context;
    (void)handle;
    if (call->error == TORC_OK && node->awaiting) {
        node->awaiting = false;
        atomic_store_explicit(&node->source.verified_ms, node->asked_ms, memory_order_release);
    }
}

static void data_lives(struct torc *handle, struct call *call)
{
    struct near_node *node = call->context;
    if (call->error == TORC_OK && node->awaiting && node->data == call->target &&
        !subscription_ping(handle, &node->push, push_lives, node)) {
        node->awaiting = false;
    }
}

static void ask_whether_it_lives(struct torc *handle, struct near_node *node, uint64_t now_ms)
{
    const struct bytes argv[] = {BYTES_LITERAL("PING")};
    node->due_ms = now_ms + handle->near->stale_ms / NEAR_QUESTIONS;
    if (node->awaiting) {
        return; /* the connection is given up at the question's deadline */
    }
    if (!atomic_exchange_explicit(&node->source.used, false, memory_order_relaxed)) {
        node->resting = true;
        return;
    }
    node->awaiting = true;
    node->asked_ms = now_ms;
    if (!submit(handle, call_for(handle, node, argv, 1, data_lives))) {
        node->awaiting = false;
    }
}

void near_run(struct torc *handle, uint64_t now_ms)
{
    struct near_node *node = handle->near == NULL ? NULL : handle->near->nodes;
    for (; node != NULL; node = node->next) {
        if (node->state != NEAR_READY || node->resting) {
            continue;
        }
        if (now_ms >= node->due_ms) {
            ask_whether_it_lives(handle, node, now_ms);
        }
        if (node->state == NEAR_READY && !node->resting) {
            engine_due(handle, node->due_ms);
        }
    }
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
        node = calloc(1, sizeof(*node));
        if (node != NULL) {
            node->endpoint = *endpoint;
            node->push.take = take;
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
        begin(handle, node);
    }
    if (node->state != NEAR_READY) {
        return NULL;
    }
    if (node->resting) {
        node->resting = false;
        node->due_ms = now_ms + handle->near->stale_ms / NEAR_QUESTIONS;
        engine_due(handle, node->due_ms);
    }
    call->near_source = &node->source;
    call->near_generation = atomic_load_explicit(&node->source.generation, memory_order_acquire);
    return node->data;
}

void near_lost(struct torc *handle, const struct node *lost)
{
    struct near_node *node = handle->near->nodes;
    while (node != NULL && node->data != lost) {
        node = node->next;
    }
    if (node != NULL) {
        go_down(handle, node, NEAR_AGAIN_MS);
    }
}

void near_owners_changed(struct torc *handle)
{
    struct near_node *node = handle->near == NULL ? NULL : handle->near->nodes;
    for (; node != NULL; node = node->next) {
        void_all(node);
        if (!topology_knows(handle->routing.topology, &node->endpoint)) {
            go_down(handle, node, 0);
        }
    }
}

static void void_everything(struct near *near)
{
    for (struct near_node *node = near->nodes; node != NULL; node = node->next) {
        void_all(node);
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
