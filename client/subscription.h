/*
 * What lasts: a SUBSCRIBE whose replies never end. Its call stays in flight on a connection of its
 * own for as long as it lasts; when that breaks it is tried again like any call that may be, for
 * ever. A connection on which nothing comes is asked whether it lives (PING). The engine's side;
 * torc_subscription of torc.h and the near cache are two users of it. The handle's lock is held.
 *
 *      PENDING ──all names confirmed──► OPEN ──connection lost──► PENDING       (EVENT_LOST)
 *         └──refused, or asked of one node and lost──► ended                    (EVENT_ENDED)
 */
#ifndef TORC_CLIENT_SUBSCRIPTION_H
#define TORC_CLIENT_SUBSCRIPTION_H

#include "client/call.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum subscription_event {
    SUBSCRIPTION_OPENED,
    SUBSCRIPTION_MESSAGE,
    SUBSCRIPTION_LOST,
    SUBSCRIPTION_ENDED
};

/* What has happened. */
struct subscription_news {
    enum subscription_event event;
    int error;         /* LOST, ENDED: why */
    const char *text;  /* of that; borrowed */
    redisReply *reply; /* MESSAGE: an array of 3 or 4 strings, or as the server made it; whoever
                          takes the news may move it out and set this to NULL */
};

typedef void subscription_take(struct torc *handle, struct subscription *subscription,
                               struct subscription_news *news);

struct subscription {
    struct call *call; /* one reference; NULL: it has ended */
    size_t names;      /* to be confirmed */
    size_t confirmed;  /* by the server, on this connection */
    bool was_open;     /* once at least */
    uint64_t ping_due_ms;
    subscription_take *take;
    struct subscription *next, *previous; /* among the handle's */
};

/* Begins it. `argv`: SUBSCRIBE, PSUBSCRIBE or SSUBSCRIBE and its names, which are of `slot`, or
 * REQUEST_NO_SLOT. With a `target` it is asked there, once. `take` is called from then on, never
 * before this returns; after EVENT_ENDED no more. The struct stays where it is until it has ended
 * or is cancelled. 0, TORC_ENOMEM, TORC_EOVERLOAD. */
int subscription_begin(struct torc *handle, struct subscription *subscription,
                       const struct bytes *argv, size_t argc, uint16_t slot,
                       struct node *target) TORC_MUST_USE;
/* Ends it, without news. One that has ended stays so. */
void subscription_cancel(struct torc *handle, struct subscription *subscription);
/* True while every message reaches it. */
bool subscription_is_open(const struct subscription *subscription);
/* True if it ever was. */
static inline bool subscription_was_open(const struct subscription *subscription)
{
    return subscription->was_open;
}
/* Its connection; only while it is open. */
struct connection *subscription_line(const struct subscription *subscription);
/* Asks the server, over its connection, whether it lives; `finish`, which may be NULL, is told. If
 * there is no answer the connection is given up. False: it is not open, or there is no memory. */
bool subscription_ping(struct torc *handle, struct subscription *subscription, call_finish *finish,
                       void *context);

/* For the engine. A reply has come on its connection, which it takes: returns NULL; or it is not
 * for it, and returns the call that it is for. */
struct call *subscription_reply(struct torc *handle, struct subscription *subscription,
                                redisReply *reply);
/* Its connection is lost. */
void subscription_lost(struct torc *handle, struct subscription *subscription, int error,
                       const char *text);
/* Timers. */
void subscriptions_run(struct torc *handle, uint64_t now_ms);

#endif
