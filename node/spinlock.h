/*
 * A lock for sections of a few hundred nanoseconds that never wait for anything: spinning costs
 * less than sleeping. A holder that lost its core is let run.
 */
#ifndef TORC_NODE_SPINLOCK_H
#define TORC_NODE_SPINLOCK_H

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

#define SPINS_BEFORE_YIELD 100

struct spinlock {
    _Atomic uint32_t held;
};

static inline void spin_lock(struct spinlock *lock)
{
    for (unsigned spins = 0;; spins++) {
        uint32_t expected = 0;
        if (atomic_compare_exchange_weak_explicit(&lock->held, &expected, 1, memory_order_acquire,
                                                  memory_order_relaxed)) {
            return;
        }
        if (spins >= SPINS_BEFORE_YIELD) {
            sched_yield();
        }
    }
}

static inline void spin_unlock(struct spinlock *lock)
{
    atomic_store_explicit(&lock->held, 0, memory_order_release);
}

#endif
