#include "client/waiter.h"

#include "client/clock.h"
#include "client/engine.h"
#include "client/handle.h"

#include <assert.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

/* All threads of a handle sleep on one word, which counts wakes: so one system call wakes all whose
 * calls have been answered, and they run one after the other instead of each pushing aside the one
 * that wakes the next. By its bit a thread is told from 30 others, and the library's own from all.
 */
#define LOOP_BIT (UINT32_C(1) << 31)

static void futex_wake(_Atomic(uint32_t) *word, uint32_t bits)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL,
                  bits);
}

/* Until a point of the exact clock, of which that of deadlines is a little behind; NULL sets no
 * timer. */
static void futex_wait(_Atomic(uint32_t) *word, uint32_t value, const struct timespec *until,
                       uint32_t bits)
{
    (void)syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, value, until, NULL,
                  bits);
}

void handle_lock(struct torc *handle)
{
    int result = pthread_mutex_lock(&handle->lock);
    assert(result == 0);
}

void handle_unlock(struct torc *handle)
{
    uint32_t bits = 0;
    while (handle->wakes != NULL) {
        struct waiter *waiter = handle->wakes;
        handle->wakes = waiter->next;
        bits |= waiter->bit;
        /* From here on its memory may be gone: it may see the state before it is woken. */
        atomic_store_explicit(&waiter->state, waiter->wake_as, memory_order_release);
    }
    if (bits != 0) {
        atomic_fetch_add_explicit(&handle->wake_count, 1, memory_order_acq_rel);
    }
    int result = pthread_mutex_unlock(&handle->lock);
    assert(result == 0);
    if (bits != 0) {
        futex_wake(&handle->wake_count, bits);
    }
}

static void leave_sleepers(struct torc *handle, struct waiter *waiter)
{
    assert(waiter->asleep);
    waiter->asleep = false;
    if (waiter->previous != NULL) {
        waiter->previous->next = waiter->next;
    } else {
        handle->sleepers.first = waiter->next;
    }
    if (waiter->next != NULL) {
        waiter->next->previous = waiter->previous;
    } else {
        handle->sleepers.last = waiter->previous;
    }
}

static void wake(struct torc *handle, struct waiter *waiter, enum waiter_state wake_as)
{
    leave_sleepers(handle, waiter);
    waiter->wake_as = wake_as;
    waiter->next = handle->wakes;
    handle->wakes = waiter;
}

void waiter_call_done(struct torc *handle, struct waiter *waiter)
{
    assert(waiter->remaining > 0);
    waiter->remaining--;
    if (waiter->remaining > 0) {
        return;
    }
    handle->served += waiter->returns;
    handle->gather.answered += waiter->returns;
    if (waiter->asleep) {
        wake(handle, waiter, WAITER_DONE);
    }
}

bool role_take(struct torc *handle)
{
    if (handle->led) {
        return false;
    }
    handle->led = true;
    handle->leads++;
    return true;
}

void role_pass(struct torc *handle)
{
    assert(handle->led);
    if (handle->sleepers.first != NULL) {
        handle->leads++;
        wake(handle, handle->sleepers.first, WAITER_LEADING);
        return;
    }
    handle->led = false;
    loop_offer_role(handle);
}

/* Without the lock: sleeps until its state changes, or until_ms. */
static uint32_t sleep_until(struct torc *handle, struct waiter *waiter, uint64_t until_ms)
{
    for (;;) {
        const uint32_t count = atomic_load_explicit(&handle->wake_count, memory_order_acquire);
        const uint32_t state = atomic_load_explicit(&waiter->state, memory_order_acquire);
        if (state != WAITER_SLEEPING || (until_ms != UINT64_MAX && clock_now_ms() >= until_ms)) {
            return state;
        }
        const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                                       .tv_nsec = (long)(until_ms % 1000) * 1000000};
        futex_wait(&handle->wake_count, count, until_ms == UINT64_MAX ? NULL : &until, waiter->bit);
    }
}

static void begin_sleep(struct waiter *waiter, uint32_t bit)
{
    waiter->bit = bit;
    atomic_store_explicit(&waiter->state, WAITER_SLEEPING, memory_order_relaxed);
}

enum waiter_state waiter_sleep(struct torc *handle, struct waiter *waiter, uint64_t until_ms)
{
    begin_sleep(waiter, UINT32_C(1) << (handle->sleeps++ % 31));
    waiter->asleep = true;
    waiter->next = NULL;
    waiter->previous = handle->sleepers.last;
    if (waiter->previous != NULL) {
        waiter->previous->next = waiter;
    } else {
        handle->sleepers.first = waiter;
    }
    handle->sleepers.last = waiter;
    handle_unlock(handle);
    if (sleep_until(handle, waiter, until_ms) == WAITER_DONE) {
        return WAITER_DONE;
    }
    handle_lock(handle);
    if (waiter->asleep) {
        leave_sleepers(handle, waiter);
        return WAITER_RUNNING;
    }
    /* Its time was over, and yet it has been woken. */
    const uint32_t state = atomic_load_explicit(&waiter->state, memory_order_relaxed);
    if (state == WAITER_DONE) {
        handle_unlock(handle);
    }
    return (enum waiter_state)state;
}

enum waiter_state waiter_doze(struct torc *handle, struct waiter *waiter)
{
    begin_sleep(waiter, LOOP_BIT);
    handle_unlock(handle);
    const uint32_t state = sleep_until(handle, waiter, UINT64_MAX);
    handle_lock(handle);
    return (enum waiter_state)state;
}

enum waiter_state waiter_nap(struct torc *handle, struct waiter *waiter, unsigned duration_us)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)duration_us * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    begin_sleep(waiter, LOOP_BIT);
    handle_unlock(handle);
    const uint32_t count = atomic_load_explicit(&handle->wake_count, memory_order_acquire);
    if (atomic_load_explicit(&waiter->state, memory_order_acquire) == WAITER_SLEEPING) {
        futex_wait(&handle->wake_count, count, &until, waiter->bit);
    }
    handle_lock(handle);
    return (enum waiter_state)atomic_load_explicit(&waiter->state, memory_order_relaxed);
}

bool waiter_wait(struct torc *handle, struct waiter *waiter, uint64_t until_ms)
{
    bool leading = false;
    while (waiter->remaining > 0 && (until_ms == UINT64_MAX || clock_now_ms() < until_ms)) {
        leading = leading || role_take(handle);
        if (leading) {
            engine_step(handle, waiter, until_ms);
            continue;
        }
        const enum waiter_state state = waiter_sleep(handle, waiter, until_ms);
        if (state == WAITER_DONE) {
            return true;
        }
        leading = state == WAITER_LEADING;
    }
    const bool done = waiter->remaining == 0;
    if (leading) {
        role_pass(handle);
    }
    handle_unlock(handle);
    return done;
}
