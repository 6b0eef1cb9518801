/*
 * Threads that wait for calls, and the role of whoever runs the engine for all of them.
 *
 * There is no I/O thread. A thread that has to wait takes the role if it is free, and does
 * everybody's reading until its own calls are answered; the others sleep, and are woken when theirs
 * are. When the one with the role is done it passes it on to a sleeper. So a call of a single
 * thread costs no switch between threads at all, and calls of many travel together.
 *
 *      RUNNING --sleeps--> SLEEPING --all calls answered--> DONE
 *                              '------the role is passed--> LEADING
 */
#ifndef TORC_CLIENT_WAITER_H
#define TORC_CLIENT_WAITER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct torc;

enum waiter_state { WAITER_RUNNING, WAITER_SLEEPING, WAITER_DONE, WAITER_LEADING };

/* Of one thread that waits, on its stack. */
struct waiter {
    _Atomic(uint32_t) state; /* enum waiter_state */
    uint32_t bit;            /* by which it is woken */
    /* under the handle's lock */
    size_t remaining; /* calls that are not answered yet */
    bool asleep;      /* among the handle's sleepers */
    bool returns;     /* the thread will most likely ask again as soon as it is answered */
    enum waiter_state wake_as;
    struct waiter *next;
    struct waiter *previous;
};

struct waiter_list {
    struct waiter *first;
    struct waiter *last;
};

void handle_lock(struct torc *handle);
/* Wakes those that are to be woken as well. */
void handle_unlock(struct torc *handle);

/* Lock held. One of the waiter's calls is answered. */
void waiter_call_done(struct torc *handle, struct waiter *waiter);
/* Lock held. Sleeps, without the lock, until until_ms at most. WAITER_DONE: the lock is not held
 * any more; WAITER_LEADING: it is, and the role has been passed to this thread; else it is held,
 * and the time is over. */
enum waiter_state waiter_sleep(struct torc *handle, struct waiter *waiter, uint64_t until_ms);
/* The same for the library's thread, which is not among the sleepers, until it is woken: returns as
 * what. */
enum waiter_state waiter_doze(struct torc *handle, struct waiter *waiter);
/* The same for so long at most, under a second: WAITER_SLEEPING: it has not been woken. */
enum waiter_state waiter_nap(struct torc *handle, struct waiter *waiter, unsigned duration_us);
/* Lock held. Takes the role if nobody has it. */
bool role_take(struct torc *handle);
/* Lock and role held: gives it to a thread that waits, or to nobody. */
void role_pass(struct torc *handle);

/* Lock held, which is not held any more afterwards. Runs the engine, or sleeps while others do,
 * until all calls of the waiter are answered or until_ms has come. True: they are. */
bool waiter_wait(struct torc *handle, struct waiter *waiter, uint64_t until_ms);

#endif
