/*
 * Loads that are under way, so that a key is loaded once however many threads miss it at the same
 * time (torc_get_or_load). With a lock of its own, which is not held while anything is loaded.
 */
#ifndef TORC_CLIENT_LOAD_H
#define TORC_CLIENT_LOAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#define LOAD_STAMP_COUNT 64

struct load;

struct loads {
    pthread_mutex_t lock;
    pthread_cond_t ended; /* some load has */
    struct load *first;   /* lock; those that are under way, few */
    /* How many loads have ended, by the hash of their key: whoever looked a key up before the last
     * one did has to look again before it loads. Written with the lock, read without. */
    _Atomic uint64_t stamps[LOAD_STAMP_COUNT];
};

void loads_init(struct loads *loads);
/* Nothing may be under way. */
void loads_deinit(struct loads *loads);

#endif
