/*
 * A slot as this node holds it: the unit of locking, ordering and replication. The slot itself
 * says, under its lock, whether this node may serve it; everything else (views, routes) is a hint.
 * Nothing blocks under a slot's lock, and no thread holds two but in slot order.
 */
#ifndef TORC_NODE_SLOTS_H
#define TORC_NODE_SLOTS_H

#include "base/limits.h"
#include "node/spinlock.h"
#include "node/store/store.h"
#include "node/tracked.h"
#include "node/waiters.h"
#include "replication/copy.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PEER_NONE COPY_PEER_NONE

struct slot {
    struct spinlock lock;

    /* slot lock; `keys` is also read without it, to prefetch */
    struct copy copy;
    _Atomic(struct keyspace *) keys;
    struct keyspace
        *incoming; /* what a refill has brought so far; takes the place of keys at its end */
    struct waiters *waiters; /* for values of its keys; NULL = nobody does: see blocking.h */
    struct tracked *tracked; /* keys that clients keep; NULL = none, and so while the slot is not
                                served: see tracking.h */
    uint64_t commands;       /* executed here since the node started */
    uint64_t left_epoch; /* of the view that last took the slot from this node, which served it and
                            has to be asked by whoever serves it next; 0 = none */
};

static inline void slot_lock(struct slot *slot)
{
    spin_lock(&slot->lock);
}

static inline void slot_unlock(struct slot *slot)
{
    spin_unlock(&slot->lock);
}

/* Slot lock held. */
static inline struct keyspace *slot_keys(const struct slot *slot)
{
    return atomic_load_explicit(&slot->keys, memory_order_relaxed);
}

/* Slot lock held. Whether commands may be executed here; the lease is checked before replies leave.
 */
static inline bool slot_serves(const struct slot *slot)
{
    return copy_serves(&slot->copy);
}

#endif
