#include "bench/run.h"

#include <stdio.h>
#include <unistd.h>

void run_wake_main(struct run *run)
{
    uint64_t one = 1;
    ssize_t written = write(run->wake_fd, &one, sizeof(one));
    (void)written; /* it fails only when the counter is full: main is being woken already */
}

void run_fail(struct run *run, const char *reason)
{
    (void)pthread_mutex_lock(&run->mutex);
    if (run->failure[0] == '\0') {
        (void)snprintf(run->failure, sizeof(run->failure), "%s", reason);
    }
    (void)pthread_mutex_unlock(&run->mutex);
    atomic_store(&run->failed, true);
    run_wake_main(run);
}
