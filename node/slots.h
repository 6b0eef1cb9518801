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

#include <stdbool.h>
#include <stdint.h>

#define PEER_NONE UINT16_MAX
/* Streams of one slot: to the replicas of the view, and to those of the view before it, which go on
 * being told until the new ones hold everything. */
#define SLOT_REPLICAS_MAX (2 * COPIES_MAX)

struct replica_stream;

enum slot_role {
    SLOT_NONE, /* not ours; data, if any, waits to be taken over or dropped */
    SLOT_PRIMARY,
    SLOT_REPLICA,
};

struct slot {
    struct spinlock lock;

    /* slot lock */
    uint8_t role;          /* enum slot_role */
    bool complete;         /* the data is whole: every write up to `sequence` is in it */
    bool need_take;        /* has a role, but must first take over from whoever had it before */
    bool receiving;        /* between the begin and the end of a refill */
    uint8_t replica_count; /* streams that every write goes to, and that must acknowledge it */
    uint16_t index;        /* constant: 0 .. SLOT_COUNT - 1 */
    uint16_t source;       /* peer whose stream may change this slot; PEER_NONE = nobody's */
    uint16_t leader;       /* peer that leads it by our view; PEER_NONE = we, or nobody */
    uint64_t epoch;        /* of the view that gave the role */
    uint64_t effect_epoch; /* epoch under which the last effect was made */
    uint64_t sequence;     /* of the last effect */
    struct replica_stream *replicas[SLOT_REPLICAS_MAX];
    uint64_t positions[SLOT_REPLICAS_MAX]; /* in that stream, of the last effect appended */
    struct keyspace *keys;
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
static inline bool slot_serves(const struct slot *slot)
{
    return slot->role == SLOT_PRIMARY && slot->complete && !slot->need_take;
}

#endif
