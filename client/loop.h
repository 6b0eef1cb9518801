/*
 * Callbacks, and who calls them: the library's own thread, which is started by the first
 * asynchronous command, or the program's loop, once it has asked for a descriptor (torc_fd). The
 * thread has the engine's role only while something is to come that nobody waits for, and nobody
 * else has it. If that is only what lasts, it leaves the role to threads whose blocking calls come
 * in quick succession, and takes it when there has been none for LOOP_STAND_BY_US: otherwise each
 * of them would cost two switches between threads. Callbacks run without lock and role, so they may
 * use the handle, blocking calls included.
 */
#ifndef TORC_CLIENT_LOOP_H
#define TORC_CLIENT_LOOP_H

#include "base/attributes.h"
#include "client/waiter.h"
#include "torc/torc.h"

#include <pthread.h>

struct delivery;

/* Under the handle's lock. */
struct loop {
    bool external; /* a program's loop polls */
    bool started;
    bool stopping;
    bool idle;           /* the thread sleeps ... */
    bool stands_by;      /* ... for LOOP_STAND_BY_US, and looks then whether it is needed */
    bool processing;     /* the program is in torc_process, and looks for itself */
    bool delivering;     /* somebody calls callbacks ... */
    pthread_t deliverer; /* ... this thread */
    pthread_t thread;
    struct waiter waiter; /* of the thread */
    size_t callbacks;     /* calls with one, not completed */
    size_t lasting; /* subscriptions, and nodes that tell of changes: what may come at any time */
    struct delivery *delivered_first; /* callbacks to be called */
    struct delivery *delivered_last;
};

/* Lock held. Starts the thread if it is wanted and there is none. 0 or TORC_ENOMEM. */
int loop_start(struct torc *handle) TORC_MUST_USE;
/* Lock held. There is work for whoever runs asynchronous calls. */
void loop_wake(struct torc *handle);
/* Lock held. Nobody has the role. */
void loop_offer_role(struct torc *handle);
/* Lock held. It is to be run, after those that were delivered before. */
void loop_deliver(struct torc *handle, struct delivery *delivery);
/* Lock held. True for the thread that is calling callbacks: it sends what they ask when they are
 * done. */
bool loop_is_calling_back(const struct torc *handle);
/* Lock held, which is released meanwhile. Calls the callbacks that are due. */
void loop_call_back(struct torc *handle);
/* Without the lock. Ends the thread. */
void loop_stop(struct torc *handle);

#endif
