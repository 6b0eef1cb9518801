#include "client/near_node.h"

#include "base/error.h"
#include "client/clock.h"
#include "client/command_line.h"
#include "client/engine.h"
#include "client/hiredis_has.h"
#include "client/reply.h"
#include "client/settle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const struct bytes channel = BYTES_LITERAL("__redis__:invalidate");

static struct near_node *node_of_push(struct subscription *push)
{
    return (struct near_node *)(void *)((char *)push - offsetof(struct near_node, push));
}

void near_node_void(struct near_node *node)
{
    atomic_fetch_add_explicit(&node->source.generation, 1, memory_order_acq_rel);
}

void near_node_end(struct torc *handle, struct near_node *node, uint64_t delay_ms)
{
    if (node->state == NEAR_DOWN) {
        return;
    }
    struct node *data = node->data;
    node->state = NEAR_DOWN;
    node->due_ms = clock_now_ms() + delay_ms;
    node->data = NULL;
    node->awaiting = false;
    handle->loop.lasting--;
    near_node_void(node);
    subscription_cancel(handle, &node->push);
    /* The node would go on tracking for nobody. What is on its way there is asked again. */
    if (data != NULL && data->connections[0]->state != CONNECTION_CLOSED) {
        connection_fail(data->connections[0], TORC_OK, "changes are not told any more");
        settle_failed(handle, data->connections[0]);
    }
}

/* ------------------------------------------------------------------------------------- changes */

static void invalidate(struct near_node *node, const redisReply *keys)
{
    node->invalidated++;
    if (keys->type != REDIS_REPLY_ARRAY) {
        near_node_void(node);
        return;
    }
    for (size_t i = 0; i < keys->elements; i++) {
        const struct near_key key = near_key_of(reply_bytes(keys->element[i]));
        near_table_forget(node->table, &key);
    }
}

void near_node_told(struct near_node *node, const redisReply *push)
{
    if (push->elements >= 2 &&
        bytes_equal(reply_bytes(push->element[0]), BYTES_LITERAL("invalidate"))) {
        invalidate(node, push->element[1]);
    }
}

/* ------------------------------------------------------------------------- bringing it to tell */

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

/* Asks over the data connection. False: it could not be submitted. */
static bool ask(struct torc *handle, struct near_node *node, const struct bytes *argv, size_t argc,
                call_finish *finish)
{
    struct call *call = call_for(handle, node, argv, argc, finish);
    if (call == NULL) {
        return false;
    }
    const bool submitted = engine_submit(handle, call) == TORC_OK;
    call_release(call);
    return submitted;
}

/* Goes on in that state, with a question over the data connection. */
static void go_on(struct torc *handle, struct near_node *node, enum near_state state,
                  const struct bytes *argv, size_t argc, call_finish *finish)
{
    if (node->data == NULL) {
        node->data = nodes_get_for(&handle->nodes, &node->endpoint, NODE_TRACKED, 1);
    }
    node->state = state;
    if (node->data == NULL || !ask(handle, node, argv, argc, finish)) {
        near_node_end(handle, node, NEAR_AGAIN_MS);
    }
}

/* Whom that answers, which it has waited for in that state; NULL: nobody, or there is no answer. */
static struct near_node *answered(struct torc *handle, const struct call *call,
                                  enum near_state state)
{
    struct near_node *node = call->context;
    if (node->state != state || node->data != call->target) {
        return NULL;
    }
    if (call->error != TORC_OK) {
        near_node_end(handle, node, NEAR_AGAIN_MS);
        return NULL;
    }
    return node;
}

/* The answer to CLIENT TRACKING. */
static void tracking_answered(struct torc *handle, struct call *call)
{
    struct near_node *node = answered(handle, call, NEAR_ASKING);
    if (node == NULL) {
        return;
    }
    if (call->reply->type != REDIS_REPLY_STATUS) {
        near_node_end(handle, node, NEAR_REFUSED_MS);
    } else {
        node->state = NEAR_READY;
        node->resting = false;
        node->due_ms = clock_now_ms() + handle->options.near_stale_ms / NEAR_QUESTIONS;
        engine_due(handle, node->due_ms);
    }
}

static void ask_to_track(struct torc *handle, struct near_node *node)
{
    char id[24] = "";
    if (node->redirected) {
        const int64_t number = subscription_line(&node->push)->greeting.client_id;
        if (number == 0) {
            near_node_end(handle, node, NEAR_REFUSED_MS);
            return;
        }
        (void)snprintf(id, sizeof(id), "%" PRId64, number);
    }
    const struct bytes argv[] = {BYTES_LITERAL("CLIENT"), BYTES_LITERAL("TRACKING"),
                                 BYTES_LITERAL("ON"), BYTES_LITERAL("REDIRECT"), bytes_of(id)};
    go_on(handle, node, NEAR_ASKING, argv, node->redirected ? 5 : 3, tracking_answered);
}

static void take(struct torc *handle, struct subscription *push, struct subscription_news *news)
{
    struct near_node *node = node_of_push(push);
    switch (news->event) {
    case SUBSCRIPTION_OPENED: ask_to_track(handle, node); break;
    case SUBSCRIPTION_MESSAGE:
        invalidate(node, news->reply->element[news->reply->elements - 1]);
        break;
    case SUBSCRIPTION_LOST:
        near_node_void(node);
        break; /* it has ended, too, and is told so next */
    case SUBSCRIPTION_ENDED:
        near_node_end(handle, node, news->error == TORC_EREPLY ? NEAR_REFUSED_MS : NEAR_AGAIN_MS);
        break;
    }
}

static void subscribe(struct torc *handle, struct near_node *node)
{
    const struct bytes argv[] = {BYTES_LITERAL("SUBSCRIBE"), channel};
    struct node *target =
        nodes_get_for(&handle->nodes, &node->endpoint, NODE_SUBSCRIBER, DEDICATED_CONNECTIONS_MAX);
    node->state = NEAR_SUBSCRIBING;
    node->redirected = true;
    if (target == NULL ||
        subscription_begin(handle, &node->push, argv, 2, REQUEST_NO_SLOT, target) != TORC_OK) {
        near_node_end(handle, node, NEAR_AGAIN_MS);
    }
}

/* The answer to HELLO. */
static void greeted(struct torc *handle, struct call *call)
{
    struct near_node *node = answered(handle, call, NEAR_GREETING);
    if (node == NULL) {
        return;
    }
    if (call->reply->type == REDIS_REPLY_MAP) {
        ask_to_track(handle, node);
    } else {
        subscribe(handle, node);
    }
}

void near_node_begin(struct torc *handle, struct near_node *node)
{
    const struct bytes argv[] = {BYTES_LITERAL("HELLO"), BYTES_LITERAL("3")};
    handle->loop.lasting++;
    node->redirected = false;
    if (HIREDIS_HAS_RESP3) {
        go_on(handle, node, NEAR_GREETING, argv, 2, greeted);
    } else {
        subscribe(handle, node);
    }
}

/* ------------------------------------------------------------------------------ does it live? */

static void note_life(struct near_node *node)
{
    node->awaiting = false;
    atomic_store_explicit(&node->source.verified_ms, node->asked_ms, memory_order_release);
}

static void push_lives(struct torc *handle, struct call *call)
{
    struct near_node *node = call->context;
    (void)handle;
    if (call->error != TORC_OK) {
        node->awaiting = false; /* it is asked anew, if it is there at all */
    } else if (node->awaiting) {
        note_life(node);
    }
}

static void data_lives(struct torc *handle, struct call *call)
{
    struct near_node *node = call->context;
    if (!node->awaiting || node->data != call->target) {
        return;
    }
    if (call->error == TORC_OK && !node->redirected) {
        note_life(node);
    } else if (call->error != TORC_OK ||
               !subscription_ping(handle, &node->push, push_lives, node)) {
        node->awaiting = false;
    }
}

static void ask_whether_it_lives(struct torc *handle, struct near_node *node, uint64_t now_ms)
{
    const struct bytes argv[] = {BYTES_LITERAL("PING")};
    node->due_ms = now_ms + handle->options.near_stale_ms / NEAR_QUESTIONS;
    if (node->awaiting) {
        return; /* the connection is given up at the question's deadline */
    }
    if (!atomic_exchange_explicit(&node->source.used, false, memory_order_relaxed)) {
        node->resting = true;
        return;
    }
    node->awaiting = true;
    node->asked_ms = now_ms;
    if (!ask(handle, node, argv, 1, data_lives)) {
        node->awaiting = false;
    }
}

void near_node_run(struct torc *handle, struct near_node *node, uint64_t now_ms)
{
    if (!node->resting && now_ms >= node->due_ms) {
        ask_whether_it_lives(handle, node, now_ms);
    }
    if (node->state == NEAR_READY && !node->resting) {
        engine_due(handle, node->due_ms);
    }
}

void near_node_use(struct torc *handle, struct near_node *node, uint64_t now_ms)
{
    if (node->resting) {
        node->resting = false;
        node->due_ms = now_ms + handle->options.near_stale_ms / NEAR_QUESTIONS;
        engine_due(handle, node->due_ms);
    }
}

struct near_node *near_node_create(const struct endpoint *endpoint, struct near_table *table)
{
    struct near_node *node = calloc(1, sizeof(*node));
    if (node != NULL) {
        node->endpoint = *endpoint;
        node->table = table;
        node->push.take = take;
    }
    return node;
}
