/*
 * Attaching members to the slots whose streams a worker sends: a refill of those that lack
 * something, a bit of it at a time, slots one after the other. Clients come first: --migration-rate
 * bounds the bytes of slots that are served, and a worker that is asked for something spends a part
 * of its time at most. What is urgent (copy_is_urgent) does not rest: slots that are served nowhere
 * until it is done, and those whose refill has begun, for what is written to them meanwhile is sent
 * whole. One for each worker, and its thread's, but for what any thread may say.
 */
#ifndef TORC_NODE_REFILLS_H
#define TORC_NODE_REFILLS_H

#include "base/limits.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct node;
struct worker;

#define REFILL_PLACES SLOT_COUNT

/* Slots of a worker: slot p * worker_count + index is at place p. */
struct refill_set {
    uint64_t words[REFILL_PLACES / 64];
    uint32_t count; /* of places in it */
    uint32_t place; /* where to go on */
    uint32_t idle;  /* how many were looked at since something was sent, or acknowledged */
};

struct refills {
    /* Any thread: slots that may have members to attach. */
    _Atomic bool due;        /* all of its share */
    _Atomic bool marked_any; /* those whose bit is set here */
    _Atomic uint64_t marked[REFILL_PLACES / 64];

    _Atomic uint32_t left; /* any thread may read: slots that had members to attach, lately */

    bool again;                      /* there is more to do at once */
    struct refill_set pending;       /* may have members to attach */
    struct refill_set urgent;        /* of these */
    struct refill_set waiting;       /* of these: something may go on though nothing is sent */
    uint16_t lacking[REFILL_PLACES]; /* of those pending: see copy_lacking */
    uint64_t without_room[NODES_MAX / 64]; /* in a round: peers whose streams take no more */
    double allowance;        /* bytes of --migration-rate that may still be sent; may be owed */
    uint64_t allowed_us;     /* until when that was counted; this and all that follow monotonic */
    uint64_t look_at_us;     /* when to look at all that are pending, though nothing may be sent */
    uint64_t rest_until_us;  /* no refill is begun before, as far as there are clients */
    uint64_t sent_us;        /* when something was sent */
    uint64_t asked_until_us; /* there are clients until then */
    uint64_t commands_seen;
    bool holds_back; /* in a round: little is put into a stream */
};

/* True if some slot may have members to attach. */
static inline bool refills_wanted(const struct refills *refills)
{
    return refills->pending.count > 0 ||
           atomic_load_explicit(&refills->due, memory_order_relaxed) ||
           atomic_load_explicit(&refills->marked_any, memory_order_relaxed);
}
/* Any thread: the slot may have members to attach. Its worker is to be woken, if that is urgent. */
void refills_mark(struct node *node, uint16_t slot);
/* A replica whose stream has more to send is out of reach: memory is bounded by it. In a round less
 * is put into a stream while there are clients, for their writes wait behind it to be acknowledged.
 * `worker` may be NULL. */
size_t refills_backlog_max(const struct worker *worker);
/* Goes on for a while, if it is time to. */
void refills_step(struct worker *worker);

#endif
