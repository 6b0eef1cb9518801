/*
 * Chooses what to evict: a hand that goes round all keys in the order of their hashes, a few at
 * each step, and the best that it has come across. Pure, and of one thread; the slots' locks, and
 * who may delete, are the caller's business. A step looks at EVICTOR_LOOK keys, whatever there is.
 *
 *      while (there must be room)
 *          if (evictor_must_look(e))
 *              lock the slot that evictor_slot says;  evictor_look(e, its keys) or evictor_skip(e)
 *          else
 *              lock the slot that evictor_choose says;  evictor_claim(e, its keys): delete what it
 *              returns, or go on
 */
#ifndef TORC_NODE_STORE_EVICTOR_H
#define TORC_NODE_STORE_EVICTOR_H

#include "node/store/store.h"

#include <stdbool.h>
#include <stdint.h>

#define EVICTOR_LOOK 8u  /* keys a step looks at: their memory is pulled at once */
#define EVICTOR_BEST 16u /* kept of each queue, as Redis's pool */

struct evictor_candidate {
    uint64_t hash;
    uint64_t expire_at_ms;
    uint32_t mark; /* as it was: whoever was accessed since is no candidate any more */
    uint16_t slot;
};

struct evictor {
    enum eviction_policy policy;
    struct prng prng;
    unsigned slot;         /* where the hand is */
    uint64_t cursor;       /* in it */
    unsigned fruitless;    /* slots passed since something was seen that may be evicted */
    unsigned passed;       /* slots with keys, since the last choice */
    unsigned looked, seen; /* keys, since the last choice: at all; of the queue that is to give */
    int64_t small_seen;    /* share of the small queue among those looked at of late, in 2^-32 */
    uint32_t evicted;      /* since the last evictor_due */
    unsigned best_count[2];
    struct evictor_candidate best[2][EVICTOR_BEST]; /* of the small queue, or of all; of the main */
    struct evictor_candidate chosen;
};

/* True of a policy that drops only keys with an expiry. */
static inline bool eviction_only_volatile(enum eviction_policy policy)
{
    return policy == EVICTION_TTL || policy == EVICTION_VOLATILE_LRU ||
           policy == EVICTION_VOLATILE_LFU || policy == EVICTION_VOLATILE_RANDOM;
}

void evictor_init(struct evictor *evictor, uint64_t seed);
/* Before the steps: what was found for another policy is forgotten. */
void evictor_begin(struct evictor *evictor, enum eviction_policy policy);
/* True if keys must be looked at before the next choice. */
bool evictor_must_look(const struct evictor *evictor);
/* The slot to look into; one that has no keys may be passed over (store_next_filled). */
static inline unsigned evictor_slot(const struct evictor *evictor)
{
    return evictor->slot;
}
/* Puts the hand at the beginning of a slot, over some that have no keys. */
void evictor_jump(struct evictor *evictor, unsigned slot);
/* Puts it at the beginning of the next slot. */
void evictor_skip(struct evictor *evictor);
/* Looks at some keys where the hand is, and moves it on. */
void evictor_look(struct evictor *evictor, struct keyspace *keys, uint64_t now_ms);
/* Takes the best candidate for evictor_claim and returns its slot. */
unsigned evictor_choose(struct evictor *evictor, const struct store *store, uint64_t now_ms);
/* The object of the last choice, to be deleted now; NULL if it is gone, was accessed meanwhile, or
 * has another chance. */
struct object *evictor_claim(struct evictor *evictor, struct keyspace *keys, uint64_t now_ms);
/* True once so many were evicted that store_fit_eviction should be told how many keys there are. */
bool evictor_due(struct evictor *evictor, const struct store *store);

#endif
