/* torc_subscribe: subscriptions as a program has them. */
#include "torc/torc.h"

#include "base/error.h"
#include "client/clock.h"
#include "client/engine.h"
#include "client/helper.h"
#include "client/last_error.h"
#include "client/reply.h"
#include "client/subscription.h"
#include "ring/slot.h"

#include <assert.h>
#include <stdlib.h>

/* What a message costs besides its bytes, about. */
#define MESSAGE_OVERHEAD 400

struct torc_subscription {
    struct torc *handle; /* borrowed */
    torc_on_message *on_message;
    void *context;
    /* the handle's lock */
    struct subscription subscription;
    size_t waiting_bytes;   /* of messages that have not been taken */
    struct waiter *waiter;  /* torc_subscribe's; NULL once it has returned */
    int error;              /* why it has ended, while there is a waiter ... */
    char *text;             /* ... owned */
    bool closed;            /* nothing is called any more */
    bool running;           /* its callback is ... */
    pthread_t runner;       /* ... on this thread */
    pthread_cond_t stopped; /* it is not any more */
    unsigned references;    /* the program's, and one of each event that is to be delivered */
};

/* One event on its way to the callback. */
struct item {
    struct delivery delivery; /* first */
    struct torc_subscription *subscription;
    struct subscription_news news; /* the text and the reply are its own */
    char *text;
    size_t size;
};

/* ------------------------------------------------------------------------------------- delivery */

/* Lock held. */
static void release(struct torc_subscription *subscription)
{
    subscription->references--;
    if (subscription->references == 0) {
        (void)pthread_cond_destroy(&subscription->stopped);
        free(subscription->text);
        free(subscription);
    }
}

static struct torc_bytes text_of(const redisReply *reply)
{
    const struct bytes bytes = reply_bytes(reply);
    return (struct torc_bytes){bytes.data, bytes.size};
}

static void read_message(struct torc_message *out, const redisReply *reply)
{
    const size_t last = reply->elements - 1;
    out->channel = text_of(reply->element[last - 1]);
    out->payload = text_of(reply->element[last]);
    if (reply->elements > 3) {
        out->pattern = text_of(reply->element[1]);
    }
}

static enum torc_event event_of(enum subscription_event event)
{
    switch (event) {
    case SUBSCRIPTION_OPENED: return TORC_SUBSCRIBED;
    case SUBSCRIPTION_MESSAGE: return TORC_MESSAGE;
    case SUBSCRIPTION_LOST: return TORC_LOST;
    case SUBSCRIPTION_ENDED: break;
    }
    return TORC_ENDED;
}

static void call_program(struct torc *handle, const struct item *item)
{
    struct torc_message message = {.event = event_of(item->news.event), .error = item->news.error};
    if (item->news.reply != NULL) {
        read_message(&message, item->news.reply);
    }
    last_error_begin(handle);
    if (message.error != TORC_OK) {
        (void)last_error_set(handle, message.error, "%s",
                             item->text != NULL ? item->text : torc_strerror(message.error));
    }
    item->subscription->on_message(handle, &message, item->subscription->context);
}

static void deliver(struct torc *handle, struct delivery *delivery)
{
    struct item *item = (struct item *)(void *)delivery;
    struct torc_subscription *subscription = item->subscription;
    handle_lock(handle);
    subscription->waiting_bytes -= item->size;
    const bool wanted = !subscription->closed;
    subscription->running = wanted;
    subscription->runner = pthread_self();
    handle_unlock(handle);
    if (wanted) {
        call_program(handle, item);
    }
    torc_reply_free(item->news.reply);
    free(item->text);
    free(item);
    handle_lock(handle);
    subscription->running = false;
    (void)pthread_cond_broadcast(&subscription->stopped);
    release(subscription);
    handle_unlock(handle);
}

static size_t size_of(const redisReply *reply)
{
    size_t size = MESSAGE_OVERHEAD;
    for (size_t i = 0; reply != NULL && i < reply->elements; i++) {
        size += reply->element[i]->len;
    }
    return size;
}

/* ------------------------------------------------------------------------------------- news */

/* The one who waits for the subscription is told, and nobody else. */
static void tell_waiter(struct torc *handle, struct torc_subscription *subscription,
                        const struct subscription_news *news)
{
    if (news->event == SUBSCRIPTION_ENDED) {
        subscription->error = news->error;
        subscription->text = strdup(news->text);
    }
    if (news->event == SUBSCRIPTION_ENDED || news->event == SUBSCRIPTION_OPENED) {
        waiter_call_done(handle, subscription->waiter);
        subscription->waiter = NULL;
    }
}

static void give_up(struct torc_subscription *subscription, int error, const char *text)
{
    if (subscription_is_open(&subscription->subscription)) {
        connection_fail(subscription_line(&subscription->subscription), error, text);
    }
}

static void take(struct torc *handle, struct subscription *part, struct subscription_news *news)
{
    struct torc_subscription *subscription =
        (struct torc_subscription *)(void *)((char *)part -
                                             offsetof(struct torc_subscription, subscription));
    if (subscription->waiter != NULL) {
        tell_waiter(handle, subscription, news);
        if (news->event != SUBSCRIPTION_OPENED) {
            return;
        }
    }
    const size_t size = size_of(news->reply);
    if (news->event == SUBSCRIPTION_MESSAGE &&
        subscription->waiting_bytes + size > SUBSCRIPTION_WAITING_MAX) {
        give_up(subscription, TORC_EOVERLOAD, "messages come faster than they are taken");
        return;
    }
    struct item *item = calloc(1, sizeof(*item));
    if (item == NULL) {
        give_up(subscription, TORC_ENOMEM, NULL);
        return;
    }
    item->delivery.run = deliver;
    item->subscription = subscription;
    item->news = *news;
    item->text = news->text == NULL ? NULL : strdup(news->text);
    item->size = size;
    news->reply = NULL;
    subscription->references++;
    subscription->waiting_bytes += size;
    loop_deliver(handle, &item->delivery);
}

/* ------------------------------------------------------------------------------------- the program
 */

static int check(struct torc *handle, const struct torc_subscribe_options *options, uint16_t *slot)
{
    if (options == NULL || options->on_message == NULL || options->names == NULL) {
        return last_error_set(handle, TORC_EINVAL, "an argument is NULL");
    }
    if (options->to < TORC_CHANNELS || options->to > TORC_SHARD_CHANNELS) {
        return last_error_set(handle, TORC_EINVAL, "to: %d is no enum torc_subscribe_to",
                              (int)options->to);
    }
    if (options->count == 0 || options->count >= REQUEST_ARGUMENTS_MAX) {
        return last_error_set(handle, TORC_EINVAL, "count: %zu is not accepted; accepted: 1 to %u",
                              options->count, (unsigned)REQUEST_ARGUMENTS_MAX - 1);
    }
    *slot = REQUEST_NO_SLOT;
    for (size_t i = 0; i < options->count; i++) {
        if (!helper_is_valid(options->names[i])) {
            return last_error_set(handle, TORC_EINVAL, "an argument is NULL");
        }
        const uint16_t its = slot_of_key(helper_bytes(options->names[i]));
        if (options->to == TORC_SHARD_CHANNELS && i > 0 && its != *slot) {
            return last_error_set(handle, TORC_EINVAL,
                                  "SSUBSCRIBE: the channels are in several slots");
        }
        *slot = options->to == TORC_SHARD_CHANNELS ? its : REQUEST_NO_SLOT;
    }
    return TORC_OK;
}

static struct torc_subscription *create(struct torc *handle,
                                        const struct torc_subscribe_options *options)
{
    struct torc_subscription *subscription = calloc(1, sizeof(*subscription));
    if (subscription != NULL) {
        subscription->handle = handle;
        subscription->on_message = options->on_message;
        subscription->context = options->context;
        subscription->subscription.take = take;
        subscription->references = 1;
        (void)pthread_cond_init(&subscription->stopped, NULL);
    }
    return subscription;
}

/* Lock held, which is not held any more afterwards. The handle's error, or 0. */
static int begin_and_wait(struct torc *handle, struct torc_subscription *subscription,
                          const struct arguments *argv, uint16_t slot)
{
    struct waiter waiter = {.remaining = 1};
    const uint64_t until_ms = clock_now_ms() + handle->options.timeout_ms;
    int result = loop_start(handle);
    subscription->waiter = &waiter;
    if (result == TORC_OK) {
        result = subscription_begin(handle, &subscription->subscription, argv->items, argv->count,
                                    slot, NULL);
    }
    if (result != TORC_OK) {
        handle_unlock(handle);
        return last_error_plain(handle, result);
    }
    engine_flush_now(handle);
    if (waiter_wait(handle, &waiter, until_ms)) {
        return subscription->error == TORC_OK
                   ? TORC_OK
                   : last_error_set(handle, subscription->error, "%s",
                                    subscription->text == NULL ? torc_strerror(subscription->error)
                                                               : subscription->text);
    }
    handle_lock(handle);
    subscription->waiter = NULL;
    const struct call *call = subscription->subscription.call;
    result = last_error_set(
        handle, call != NULL && call->error != TORC_OK ? call->error : TORC_ETIMEOUT, "%s",
        call != NULL && call->text != NULL ? call->text : "not subscribed in time");
    handle_unlock(handle);
    return result;
}

int torc_subscribe(struct torc *handle, const struct torc_subscribe_options *options,
                   struct torc_subscription **out)
{
    static const struct bytes verbs[] = {BYTES_LITERAL("SUBSCRIBE"), BYTES_LITERAL("PSUBSCRIBE"),
                                         BYTES_LITERAL("SSUBSCRIBE")};
    uint16_t slot = REQUEST_NO_SLOT;
    struct arguments argv = {0};
    if (out != NULL) {
        *out = NULL;
    }
    int result = helper_begin(handle, out != NULL);
    if (result == TORC_OK && !handle->options_valid) {
        result = last_error_of_options(handle);
    }
    if (result == TORC_OK) {
        result = check(handle, options, &slot);
    }
    if (result != TORC_OK) {
        return result;
    }
    struct torc_subscription *subscription = create(handle, options);
    if (subscription == NULL || arguments_resize(&argv, options->count + 1) != TORC_OK) {
        torc_unsubscribe(subscription);
        return last_error_plain(handle, TORC_ENOMEM);
    }
    argv.items[0] = verbs[options->to];
    for (size_t i = 0; i < options->count; i++) {
        argv.items[i + 1] = helper_bytes(options->names[i]);
    }
    handle_lock(handle);
    result = begin_and_wait(handle, subscription, &argv, slot);
    arguments_deinit(&argv);
    if (result != TORC_OK) {
        torc_unsubscribe(subscription);
        return result;
    }
    *out = subscription;
    return TORC_OK;
}

void torc_unsubscribe(struct torc_subscription *subscription)
{
    if (subscription == NULL) {
        return;
    }
    struct torc *handle = subscription->handle;
    handle_lock(handle);
    subscription_cancel(handle, &subscription->subscription);
    subscription->closed = true;
    while (subscription->running && !pthread_equal(subscription->runner, pthread_self())) {
        handle_unlock(handle);
        handle_lock(handle);
        if (subscription->running) {
            (void)pthread_cond_wait(&subscription->stopped, &handle->lock);
        }
    }
    release(subscription);
    handle_unlock(handle);
}
