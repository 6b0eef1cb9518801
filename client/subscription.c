#include "client/subscription.h"

#include "base/error.h"
#include "client/clock.h"
#include "client/engine.h"
#include "client/reply.h"
#include "client/settle.h"

#include <assert.h>

/* What a reply on the connection of a subscription is. */
enum kind {
    KIND_CONFIRMATION,
    KIND_MESSAGE,
    KIND_WITHDRAWAL, /* the server has ended it: the slot of a sharded channel has moved */
    KIND_PONG,
    KIND_ANSWER /* to a command, as on any connection */
};

static enum kind kind_of(const redisReply *reply)
{
    static const struct {
        const char *name;
        enum kind kind;
    } kinds[] = {
        {"message", KIND_MESSAGE},         {"pmessage", KIND_MESSAGE},
        {"smessage", KIND_MESSAGE},        {"subscribe", KIND_CONFIRMATION},
        {"psubscribe", KIND_CONFIRMATION}, {"ssubscribe", KIND_CONFIRMATION},
        {"unsubscribe", KIND_WITHDRAWAL},  {"punsubscribe", KIND_WITHDRAWAL},
        {"sunsubscribe", KIND_WITHDRAWAL}, {"pong", KIND_PONG},
    };
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2) {
        return KIND_ANSWER;
    }
    const struct bytes name = reply_bytes(reply->element[0]);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (bytes_equal(name, bytes_of(kinds[i].name))) {
            /* Messages are read without a further look. */
            const bool whole = kinds[i].kind != KIND_MESSAGE || reply->elements >= 3;
            return whole ? kinds[i].kind : KIND_ANSWER;
        }
    }
    return KIND_ANSWER;
}

static void leave(struct torc *handle, struct subscription *subscription)
{
    if (subscription->previous != NULL) {
        subscription->previous->next = subscription->next;
    } else {
        handle->subscriptions = subscription->next;
    }
    if (subscription->next != NULL) {
        subscription->next->previous = subscription->previous;
    }
    subscription->call->subscription = NULL;
    call_release(subscription->call);
    subscription->call = NULL;
    subscription->confirmed = 0;
}

/* The call is over: refused, or lost where it was asked, or the handle is being closed. */
static void finished(struct torc *handle, struct call *call)
{
    struct subscription *subscription = call->subscription;
    if (subscription == NULL) {
        return;
    }
    struct subscription_news news = {.event = SUBSCRIPTION_ENDED, .error = call->error};
    if (call->error != TORC_OK) {
        news.text = call->text != NULL ? call->text : torc_strerror(call->error);
    } else {
        news.error = call->reply->type == REDIS_REPLY_ERROR ? TORC_EREPLY : TORC_EPROTOCOL;
        news.text = call->reply->type == REDIS_REPLY_ERROR ? call->reply->str
                                                           : "a reply of unexpected type";
    }
    call_retain(call);
    leave(handle, subscription);
    subscription->take(handle, subscription, &news);
    call_release(call);
}

int subscription_begin(struct torc *handle, struct subscription *subscription,
                       const struct bytes *argv, size_t argc, uint16_t slot, struct node *target)
{
    struct call *call = call_create(argv, argc, 0);
    if (call == NULL) {
        return TORC_ENOMEM;
    }
    call->route = (struct request_route){.slot = slot, .readonly = true};
    call->routed = true;
    call->repeatable = true;
    call->deadline_ms = UINT64_MAX;
    call->target = target;
    call->finish = finished;
    call->subscription = subscription;
    call->lasts = true;
    subscription->call = call;
    subscription->names = argc - 1;
    subscription->confirmed = 0;
    subscription->was_open = false;
    subscription->previous = NULL;
    subscription->next = handle->subscriptions;
    if (subscription->next != NULL) {
        subscription->next->previous = subscription;
    }
    handle->subscriptions = subscription;
    const int result = engine_submit(handle, call);
    if (result != TORC_OK) {
        leave(handle, subscription);
    }
    return result;
}

bool subscription_is_open(const struct subscription *subscription)
{
    return subscription->call != NULL && subscription->confirmed == subscription->names &&
           !subscription->call->connection->failed;
}

struct connection *subscription_line(const struct subscription *subscription)
{
    assert(subscription_is_open(subscription));
    return subscription->call->connection;
}

void subscription_cancel(struct torc *handle, struct subscription *subscription)
{
    struct call *call = subscription->call;
    if (call == NULL) {
        return;
    }
    call_retain(call);
    leave(handle, subscription);
    if (call->place == CALL_IN_FLIGHT) {
        connection_fail(call->connection, TORC_OK, "it was subscribed, and is not any more");
    }
    settle_expired(handle, call, UINT64_MAX);
    call_release(call);
}

bool subscription_ping(struct torc *handle, struct subscription *subscription, call_finish *finish,
                       void *context)
{
    const struct bytes argv[] = {BYTES_LITERAL("PING")};
    if (!subscription_is_open(subscription)) {
        return false;
    }
    struct call *call = call_create(argv, 1, 0);
    if (call == NULL) {
        return false;
    }
    call->route = (struct request_route){.slot = REQUEST_NO_SLOT, .readonly = true};
    call->routed = true;
    call->line = subscription_line(subscription);
    call->target = call->line->node;
    call->finish = finish;
    call->context = context;
    call->deadline_ms = clock_now_ms() + handle->options.timeout_ms;
    const bool submitted = engine_submit(handle, call) == TORC_OK;
    call_release(call);
    return submitted;
}

static void confirmed(struct torc *handle, struct subscription *subscription)
{
    struct subscription_news news = {.event = SUBSCRIPTION_OPENED};
    subscription->confirmed++;
    if (subscription->confirmed == subscription->names) {
        subscription->was_open = true;
        subscription->call->attempt_deadline_ms = UINT64_MAX;
        subscription->call->retry = (struct retry){0};
        subscription->ping_due_ms = clock_now_ms() + SUBSCRIPTION_PING_MS;
        engine_due(handle, subscription->ping_due_ms);
        subscription->take(handle, subscription, &news);
    }
}

struct call *subscription_reply(struct torc *handle, struct subscription *subscription,
                                redisReply *reply)
{
    struct call *call = subscription->call;
    struct subscription_news news = {.event = SUBSCRIPTION_MESSAGE, .reply = reply};
    switch (kind_of(reply)) {
    case KIND_CONFIRMATION:
        if (subscription->confirmed < subscription->names) {
            confirmed(handle, subscription);
        }
        break;
    case KIND_MESSAGE:
        subscription->take(handle, subscription, &news);
        reply = news.reply;
        break;
    case KIND_WITHDRAWAL:
        connection_fail(call->connection, TORC_ECLOSED, "the node has ended the subscription");
        break;
    case KIND_PONG:
    case KIND_ANSWER:
        if (subscription->confirmed < subscription->names) {
            return call;
        }
        if (call->next != NULL) {
            return call->next;
        }
        connection_fail(call->connection, TORC_EPROTOCOL, "a reply to nothing that was asked");
        break;
    }
    torc_reply_free(reply);
    return NULL;
}

void subscription_lost(struct torc *handle, struct subscription *subscription, int error,
                       const char *text)
{
    struct subscription_news news = {.event = SUBSCRIPTION_LOST, .error = error, .text = text};
    const bool was_open = subscription->confirmed == subscription->names;
    subscription->confirmed = 0;
    if (was_open) {
        subscription->take(handle, subscription, &news);
    }
}

void subscriptions_run(struct torc *handle, uint64_t now_ms)
{
    for (struct subscription *subscription = handle->subscriptions; subscription != NULL;
         subscription = subscription->next) {
        if (!subscription_is_open(subscription)) {
            continue;
        }
        if (now_ms >= subscription->ping_due_ms) {
            subscription->ping_due_ms = now_ms + SUBSCRIPTION_PING_MS;
            (void)subscription_ping(handle, subscription, NULL, NULL);
        }
        engine_due(handle, subscription->ping_due_ms);
    }
}
