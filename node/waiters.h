/*
 * Who waits for values of the keys of one slot: for each key a queue, the one who has waited
 * longest first. It knows nothing of commands, clients or clocks. Made when somebody waits, gone
 * with the last one, so that a slot where nobody waits costs a pointer. Whoever calls holds the
 * slot's lock.
 *
 *      waiters ─► queue of a key ─► place ─► place ─► ...
 *                                     │        │
 *                                  waiter   waiter     one place in the queue of each of its keys
 */
#ifndef TORC_NODE_WAITERS_H
#define TORC_NODE_WAITERS_H

#include "base/attributes.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct waiter_queue;
struct waiters;

struct waiter_place {
    struct waiter *waiter;
    struct waiter_queue *queue;
    struct waiter_place *next, *previous;
};

/* Part of what whoever waits keeps; zeroed it waits for nothing. */
struct waiter {
    uint64_t since_ms; /* any clock that all waiters share */
    bool queued;
    size_t place_count;
    struct waiter_place *places; /* owned while queued */
};

/* Has the waiter, which is not queued, wait for these keys, behind those that have waited as long.
 * Makes *waiters when it is NULL. 0, or TORC_ENOMEM (nothing changed). The keys are copied. */
int waiters_add(struct waiters **waiters, struct waiter *waiter, const struct bytes *keys,
                size_t count) TORC_MUST_USE;
/* Takes it out of all its queues. *waiters is NULL when it was the last one. */
void waiters_remove(struct waiters **waiters, struct waiter *waiter);

/* The first place in the queue of a key, NULL when nobody waits for it. `hash` is its key_hash.
 * Places of other waiters stay good while one is removed. */
struct waiter_place *waiters_first(const struct waiters *waiters, struct bytes key, uint64_t hash);
/* Any waiter; NULL when there is none. */
struct waiter *waiters_any(const struct waiters *waiters);

#endif
