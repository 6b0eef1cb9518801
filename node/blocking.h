/*
 * Commands that wait for values: BLPOP and its kind. Such a command is an operation that holds no
 * lock and no thread while it waits; what it waits for is written down in its slot (see waiters.h),
 * and whichever worker makes a value there executes it, under the same lock and before anybody else
 * sees the value, and hands the reply to the worker whose operation it is.
 *
 *      IDLE ──► QUEUED ──► POSTED ──► IDLE        by worker: the owner, whoever serves, the owner
 *       │ ▲        │
 *       ▼ └────────┘ taken back: time is over, the client is gone, CLIENT UNBLOCK
 *      sent to the node that leads the slot, where it waits as that peer's operation for at most
 *      BLOCKING_TURN_MS, to be asked for again under a new name: names are not for longer
 *
 * A node that stops serving a slot puts all that wait there out: each is tried again, here or
 * there, with the time that it has left and its place by how long it has waited.
 */
#ifndef TORC_NODE_BLOCKING_H
#define TORC_NODE_BLOCKING_H

#include "base/buf.h"
#include "node/bus_frame.h"
#include "node/call.h"
#include "node/mailbox.h"
#include "node/streams.h"
#include "node/waiters.h"
#include "replication/outcomes.h"

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct connection;
struct execution;
struct operation;
struct slot;
struct worker;

enum unblock_reason { UNBLOCK_NONE, UNBLOCK_TIMEOUT, UNBLOCK_ERROR };

struct blocked {
    struct waiter waiter; /* slot lock */

    /* constant */
    struct operation *operation;
    uint64_t until_ms; /* monotonic; 0 = for ever */
    bool again;        /* ASKER_PEER: it has been asked for before */

    /* slot lock while queued; then whoever took it out; then the operation's worker */
    const struct command *command;
    struct bytes *argv; /* owned; they borrow from the operation's request */
    size_t argc;
    enum object_type type;
    struct buf reply;
    struct ack_set acks;
    uint64_t term;
    bool served;          /* reply, acks and term are those of its execution; else it was put out */
    bool superseded;      /* by the same request, sent again */
    struct blocked *next; /* taken out with it */
    struct mail mail;     /* as it is posted */

    /* the operation's worker */
    bool waiting; /* queued or posted */
    bool sent;    /* to another node */
    bool done;    /* replied */
    bool gone;    /* nobody wants the reply any more */
    enum unblock_reason reason;
    ev_timer timer;
};

/* ---- the operation's worker ---- */

/* Has the operation, of a client, wait as its timeout says; one that is not lawful does not matter,
 * for it is refused when it is executed. 0 or TORC_ENOMEM. */
int blocking_of_client(struct operation *operation, const struct bytes *argv,
                       size_t argc) TORC_MUST_USE;
/* The same of a peer's. */
int blocking_of_peer(struct operation *operation, const struct wait_terms *terms) TORC_MUST_USE;
void blocking_destroy(struct blocked *blocked);

/* Before another attempt. True: there is none, it was answered instead. */
bool blocking_ends(struct operation *operation);
/* It was executed here and waits now. */
void blocking_begin_wait(struct operation *operation);
/* What it is sent with; the time by which an answer is due. */
struct wait_terms blocking_terms(const struct operation *operation, uint64_t now_ms,
                                 uint64_t *due_ms);
/* The node it was sent to says that nothing came. */
void blocking_nothing_came(struct operation *operation);
/* The reply is in. */
void blocking_done(struct operation *operation);
/* Whoever asked is gone. May destroy the operation. */
void blocking_abandon(struct operation *operation);
/* Ends the waiting early, unless it is over. Of a peer's: it takes the request back. */
void blocking_end_early(struct operation *operation, enum unblock_reason reason);
/* Of the worker: goes on with those that were served or put out. */
void blocking_collect(struct worker *worker);

/* ---- any thread, slot lock held ---- */

/* Notes that it waits for what its execution found missing. 0 or TORC_ENOMEM. */
int blocking_enqueue(struct blocked *blocked, struct slot *slot, const struct execution *execution,
                     const struct call_wait *wait) TORC_MUST_USE;
/* The command has changed something in the slot, in which some wait: serves those for whom there is
 * something now, and those for whom that makes something. */
void blocking_serve(struct worker *worker, struct slot *slot, const struct execution *execution);
/* The slot is not served here any more. */
void blocking_put_out(struct slot *slot);

#endif
