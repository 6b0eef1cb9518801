/*
 * Futures and threads: four threads share one handle; each has two commands on their way while it
 * does something else.
 *
 *     cc futures.c $(pkg-config --cflags --libs torc) -pthread -o futures
 */
#include <pthread.h>
#include <stdio.h>
#include <torc/torc.h>

#define THREADS 4

/* The handle if all went well, else NULL. */
static void *count_visits(void *context)
{
    struct torc *torc = context;
    int failed = 0;
    struct torc_future *page = torc_submit(torc, "INCR %s", "visits:page");
    struct torc_future *site = torc_submit(torc, "INCR %s", "visits:site");
    /* ... whatever else there is to do ... */
    if (torc_wait(page, -1, NULL) != 0 || torc_wait(site, -1, NULL) != 0) {
        fprintf(stderr, "futures: %s\n", torc_error(torc));
        failed = 1;
    }
    torc_future_free(page);
    torc_future_free(site);
    return failed ? NULL : torc;
}

int main(int argc, char **argv)
{
    struct torc_options options = {.seeds = argc > 1 ? argv[1] : "127.0.0.1:7001"};
    struct torc *torc;
    pthread_t threads[THREADS];
    int counted = 0;
    if (torc_connect(&options, &torc) != 0) {
        fprintf(stderr, "futures: %s\n", torc_error(torc));
        torc_close(torc);
        return 1;
    }
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, count_visits, torc) != 0) {
            return 1;
        }
    }
    for (int i = 0; i < THREADS; i++) {
        void *done;
        pthread_join(threads[i], &done);
        counted += done != NULL;
    }
    struct torc_value visits;
    if (torc_get(torc, torc_text("visits:page"), &visits) == 0) {
        printf("%d threads, %s visits\n", counted, visits.data);
        torc_value_free(&visits);
    }
    torc_close(torc);
    return counted == THREADS ? 0 : 1;
}
