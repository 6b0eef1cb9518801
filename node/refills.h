/*
 * Attaching members to the slots whose streams a worker sends: a refill of those that lack
 * something, a bit of it at a time, slots one after the other. Clients come first: --migration-rate
 * bounds the bytes, and a worker that is asked for something spends a part of its time at most.
 * One for each worker, and its thread's, but for `due`.
 */
#ifndef TORC_NODE_REFILLS_H
#define TORC_NODE_REFILLS_H

#include "base/limits.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct worker;

#define REFILL_PLACES SLOT_COUNT

struct refills {
    _Atomic bool due; /* any thread: all slots of its share may have members to attach */

    bool go_on; /* some slot is pending */
    /* Places of slots that may have members to attach: slot p * worker_count + index is at place p.
     */
    uint64_t pending[REFILL_PLACES / 64];
    uint32_t place;          /* where it goes on */
    bool may_send;           /* in the round under way */
    bool stuck;              /* nothing was sent in the last one */
    int64_t allowance;       /* bytes of --migration-rate that may still be sent; may be owed */
    uint64_t allowed_us;     /* until when that was counted; this and all that follow monotonic */
    uint64_t look_at_us;     /* while nothing may be sent: when to look at members again */
    uint64_t rest_until_us;  /* nothing is sent before, as far as there are clients */
    uint64_t asked_until_us; /* there are clients until then */
    bool holds_back;         /* in a round, and there are */
    uint64_t commands_seen;
};

/* True if some slot may have members to attach. */
static inline bool refills_wanted(const struct refills *refills)
{
    return refills->go_on || atomic_load_explicit(&refills->due, memory_order_relaxed);
}
/* A replica whose stream has more to send is out of reach: memory is bounded by it. In a round less
 * is put into a stream while there are clients, for their writes wait behind it to be acknowledged.
 * `worker` may be NULL. */
size_t refills_backlog_max(const struct worker *worker);
/* Goes on for a while, if it is time to. */
void refills_step(struct worker *worker);

#endif
