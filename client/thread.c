#include "client/thread.h"

#include "base/error.h"

#include <signal.h>

int thread_start(pthread_t *out, void *(*run)(void *), void *context, bool detached)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(out, NULL, run, context);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed == 0 && detached) {
        (void)pthread_detach(*out);
    }
    return failed == 0 ? TORC_OK : TORC_ENOMEM;
}
