/*
 * What is noted of each object so that the right one can be evicted: 24 bits, its mark, and what
 * the marks of a node's objects have in common. Internal to the store; store.h has the policies,
 * evictor.h chooses. Any thread, without a lock; a mark is under its slot's lock.
 *
 *      policy            mark
 *      s3fifo            main: 1 bit, hits: 2, time: 21, of the queues' clock
 *      lru               time of the last access: 24, in 64 ms (it comes round in 12 days)
 *      lfu               minute of the last decay: 16, logarithm of the hits: 8, as in Redis
 *      any other, none   time of the last access: 24, in seconds (194 days)
 *
 * S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi: FIFO queues are all you need for cache eviction, SOSP
 * 2023), with two differences. The queues are no lists: an object's time is where it stands in its
 * queue, and the last of some that are looked at is taken for the last. And the small queue's share
 * is not a fixed tenth, but grows when a key comes back that was evicted from it, and shrinks when
 * one does that was evicted from the main queue, as in ARC (Megiddo and Modha, FAST 2003).
 */
#ifndef TORC_NODE_STORE_EVICTION_H
#define TORC_NODE_STORE_EVICTION_H

#include "node/store/ghosts.h"
#include "node/store/object.h"
#include "node/store/store.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define MARK_MAIN 0x800000u /* is in the main queue */
#define MARK_HITS_SHIFT 21u
#define MARK_HITS_MAX 3u
#define MARK_TIME 0x1fffffu /* of the queues' clock; 0 is no time */
#define HITS_PROMOTING 2u   /* while in the small queue: then it goes on to the main one */

enum mark_kind { MARK_SECONDS, MARK_FINE, MARK_QUEUES, MARK_FREQUENCY };

struct eviction {
    _Atomic int kind;             /* enum mark_kind */
    _Atomic uint32_t clock;       /* of the queues: 1 .. MARK_TIME, then 1 again */
    _Atomic uint32_t clock_mask;  /* a new key of which hash & mask is 0 moves it on */
    _Atomic uint32_t share_step;  /* what a key that comes back adds to the share */
    _Atomic uint32_t small_share; /* of the keys that may be in the small queue, in 2^-32 */
    _Atomic uint32_t key_count;   /* as of the last eviction_resize */
    _Atomic uint64_t noise;       /* drawn from for MARK_FREQUENCY */
    struct ghosts small;          /* evicted from the small queue */
    struct ghosts main;
};

static inline uint32_t object_mark(const struct object *object)
{
    return (uint32_t)object->clock[0] | (uint32_t)object->clock[1] << 8 |
           (uint32_t)object->clock[2] << 16;
}

static inline void object_set_mark(struct object *object, uint32_t mark)
{
    object->clock[0] = (uint8_t)mark;
    object->clock[1] = (uint8_t)(mark >> 8);
    object->clock[2] = (uint8_t)(mark >> 16);
}

static inline uint32_t mark_hits(uint32_t mark)
{
    return mark >> MARK_HITS_SHIFT & MARK_HITS_MAX;
}

static inline uint32_t mark_of(uint32_t main, uint32_t hits, uint32_t time)
{
    return main | hits << MARK_HITS_SHIFT | time;
}

static inline enum mark_kind eviction_kind(const struct eviction *eviction)
{
    return (enum mark_kind)atomic_load_explicit(&eviction->kind, memory_order_relaxed);
}

static inline uint32_t eviction_clock(const struct eviction *eviction)
{
    return atomic_load_explicit(&eviction->clock, memory_order_relaxed);
}

void eviction_init(struct eviction *eviction);
void eviction_deinit(struct eviction *eviction);
/* Has marks mean what the policy wants. Those that are there are misread until they are renewed. */
void eviction_set_kind(struct eviction *eviction, enum mark_kind kind);
/* Fits clock, steps and ghosts to the number of keys that it evicts from. */
void eviction_resize(struct eviction *eviction, size_t key_count);
/* The mark of an object of that hash and mark that is accessed now. */
uint32_t eviction_touch(struct eviction *eviction, uint32_t mark, const struct object *object,
                        uint64_t now_ms);
/* How long ago the last access was, by a mark of MARK_SECONDS or MARK_FINE. */
uint64_t mark_age_ms(const struct eviction *eviction, uint32_t mark, uint64_t now_ms);
/* The mark of an access then. */
uint32_t mark_of_time(const struct eviction *eviction, uint64_t then_ms);
/* Remembers that a key was evicted from the queue that its mark says. */
void eviction_remember(struct eviction *eviction, uint32_t mark, uint64_t hash);
/* The logarithmic count of hits, decayed. */
unsigned mark_frequency(uint32_t mark, uint64_t now_ms);
/* The mark of such a count. */
uint32_t mark_of_frequency(unsigned frequency, uint64_t now_ms);

#endif
