/*
 * One command on its way: its bytes, where they have to go, what has been tried, and what has
 * become of it. Shared by whoever waits for it and by the engine; freed when both have let go.
 */
#ifndef TORC_CLIENT_CALL_H
#define TORC_CLIENT_CALL_H

#include "client/endpoint.h"
#include "client/request.h"
#include "client/retry.h"
#include "torc/torc.h"

#include <stdatomic.h>

struct connection;
struct near_source;
struct node;
struct subscription;
struct waiter;
struct call;

/* What is handed to the thread that calls callbacks: see loop.h. */
struct delivery {
    struct delivery *next;
    void (*run)(struct torc *handle, struct delivery *delivery); /* without the lock */
};

/* Which list of the engine it is in. */
enum call_place {
    CALL_NOWHERE,
    CALL_UNROUTED,  /* nothing is known of the cluster yet */
    CALL_QUEUED,    /* on a connection, unsent */
    CALL_IN_FLIGHT, /* on a connection, sent or being sent */
    CALL_DELAYED,   /* to be tried again at due_ms */
    CALL_HELD,      /* behind another one of its slot that is being tried again */
};

/* Lock held. It is answered: what the engine itself asks, it is told so. */
typedef void call_finish(struct torc *handle, struct call *call);

struct call {
    /* the handle's lock, until it is completed; then whoever it belongs to */
    struct call *next; /* in the list of its place */
    struct call *previous;
    struct call *live_next; /* among all that are not completed */
    struct call *live_previous;
    struct call *expired_next;
    struct delivery delivery;      /* of its callback */
    struct connection *connection; /* QUEUED, IN_FLIGHT */
    uint64_t end;                  /* of its bytes in the connection's stream */
    uint64_t deadline_ms;
    uint64_t attempt_deadline_ms; /* of this attempt; UINT64_MAX = none */
    uint64_t due_ms;              /* DELAYED */
    uint64_t sequence;            /* in which order calls were submitted */
    struct node *asked;           /* ASK: where the next attempt goes */
    struct retry retry;
    enum call_place place;
    uint16_t pins; /* writers that read its bytes without the lock */
    bool asking;   /* sent after ASKING, whose reply comes before its own */
    bool skip;     /* that reply has not come yet */
    bool retried;
    bool redirected; /* the last attempt was answered with MOVED or ASK */
    bool completed;
    bool engaged;           /* the engine has a reference */
    bool named;             /* it is sent with a name: see names.h */
    bool nameless;          /* the node has no room for its name */
    bool doubtful;          /* an attempt may have been executed */
    uint16_t head_size;     /* what is sent before its bytes, a name ... */
    uint16_t head_replaces; /* ... in place of so many of them */
    uint64_t once_id;       /* 0: it has no name yet */
    uint64_t first_sent_ms; /* with a name */
    struct call *once_next; /* among those with names */
    struct call *once_previous;

    /* set before it is submitted */
    struct node *target;               /* asked there and nowhere else, once; NULL: by its keys */
    struct connection *line;           /* ... and over this one, which is open; NULL: over any */
    struct subscription *subscription; /* it lasts as long as this one; see subscription.h */
    const void *origin; /* calls of one origin on one slot keep their order; NULL: none does */
    struct waiter *waiter;
    call_finish *finish;
    torc_callback *callback;
    void *context;
    enum torc_read_from read_from;
    bool near_wanted;                /* its reply may be kept in the near cache ... */
    struct near_source *near_source; /* ... if it came from a node that vouches for it */
    uint32_t near_generation;
    bool repeatable; /* the caller says that executing it twice does no harm */
    bool joins;      /* asks for nothing but to know the cluster */
    bool lasts;      /* it is that of a subscription */
    bool routed;
    struct request_route route;

    /* what has become of it */
    int error;         /* why there is no reply, so far */
    redisReply *reply; /* owned */
    char *text;        /* owned; of the error; NULL: torc_strerror says it */

    _Atomic(unsigned) references;
    size_t size;
    size_t room; /* behind the request, for a head */
    char request[];
};

struct call_list {
    struct call *first;
    struct call *last;
    size_t count;
};

/* Of arguments that request_check has passed; one reference. `room` for a head. NULL without
 * memory. */
struct call *call_create(const struct bytes *argv, size_t argc, size_t room);
/* Of a request that is encoded already. */
struct call *call_create_encoded(struct bytes request, size_t room);
/* Any thread. */
void call_release(struct call *call);
void call_retain(struct call *call);
/* Lock held: a writer is done with its bytes, or a list of the engine's with it. The engine lets go
 * of a call that is completed, in no list and not pinned. */
void call_unpin(struct call *call);
void call_let_go(struct call *call);

/* Where its head is written. */
static inline char *call_head(struct call *call)
{
    return call->request + call->size;
}
/* The bytes that are sent, after an ASKING. */
static inline size_t call_sent_size(const struct call *call)
{
    return call->head_size + call->size - call->head_replaces;
}
/* The command's name as it was given; borrowed. */
struct bytes call_name(const struct call *call);
/* Notes why it has failed, for now or for good: "<endpoint>: <command>: <reason>"; the endpoint may
 * be NULL. What was noted before is forgotten. */
void call_note(struct call *call, int error, const struct endpoint *endpoint, const char *reason);
/* Forgets error, text and reply of the last attempt. */
void call_forget(struct call *call);

void call_list_append(struct call_list *list, struct call *call);
void call_list_remove(struct call_list *list, struct call *call);
/* By sequence. */
void call_list_insert(struct call_list *list, struct call *call);
/* NULL when empty. */
struct call *call_list_take(struct call_list *list);

#endif
