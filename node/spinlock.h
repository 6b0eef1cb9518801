/*
 * A lock for sections of a few hundred nanoseconds that never wait for anything: spinning costs
 * less than sleeping. Who finds it held for longer sleeps for a moment, since the holder has lost
 * its core then.
 */
#ifndef TORC_NODE_SPINLOCK_H
#define TORC_NODE_SPINLOCK_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#define SPINS_BEFORE_SLEEP 100
#define SPIN_SLEEP_NS 20000 /* the kernel adds some 50 us of its own */

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
        if (spins >= SPINS_BEFORE_SLEEP) {
            /* Not sched_yield: with more threads than cores those that yield may be run again and
             * again, and others, the holder too, not for most of a second. */
            nanosleep(&(struct timespec){.tv_nsec = SPIN_SLEEP_NS}, NULL);
        }
    }
}

static inline void spin_unlock(struct spinlock *lock)
{
    atomic_store_explicit(&lock->held, 0, memory_order_release);
}

#endif
