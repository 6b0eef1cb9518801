/*
 * Loads that are under way, so that a key is loaded once however many threads miss it at the same
 * time (torc_get_or_load). With a lock of its own, which is not held while anything is loaded.
 */
#ifndef TORC_CLIENT_LOAD_H
#define TORC_CLIENT_LOAD_H

#include <pthread.h>

struct load;

struct loads {
    pthread_mutex_t lock;
    pthread_cond_t ended; /* some load has */
    struct load *first;   /* lock; those that are under way, few */
};

void loads_init(struct loads *loads);
/* Nothing may be under way. */
void loads_deinit(struct loads *loads);

#endif
