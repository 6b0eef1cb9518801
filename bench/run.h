/*
 * One run: what the main thread prepares for the workers and what they tell each other while it
 * lasts. Created and destroyed by the main thread; workers borrow it.
 */
#ifndef TORC_BENCH_RUN_H
#define TORC_BENCH_RUN_H

#include "bench/address.h"
#include "bench/options.h"
#include "bench/request.h"
#include "bench/slot_map.h"
#include "bench/stats.h"
#include "bench/trace.h"
#include "bench/zipf.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUN_FAILURE_SIZE 512

struct run {
    /* Read-only while workers run. */
    const struct bench_options *options;
    struct request_format format;
    struct trace trace;        /* count 0 = none */
    size_t trace_limit;        /* requests of it to replay */
    struct zipf zipf;          /* when options->zipf_exponent > 0 */
    struct address_list seeds; /* those that answered, numeric */
    pthread_barrier_t barrier; /* workers only, between the phases */
    int wake_fd;               /* eventfd: wakes the main thread */

    /* Under mutex. */
    pthread_mutex_t mutex;
    struct slot_map map;            /* direct: newest map */
    uint64_t map_generation;        /* grows with each new map */
    struct stats collected;         /* handed over by workers, taken by main */
    char failure[RUN_FAILURE_SIZE]; /* why the run cannot go on; "" = it can */

    _Atomic bool stop;        /* set by main: issue no more */
    _Atomic bool failed;      /* set by a worker that cannot go on */
    _Atomic bool map_wanted;  /* set by workers: the map looks old */
    _Atomic unsigned running; /* workers that have not ended */
    _Atomic bool measuring;   /* the measured part has begun */
};

/* Any thread: notes why the run cannot go on; the first reason stays. */
void run_fail(struct run *run, const char *reason);
/* Any thread: wakes the main thread. */
void run_wake_main(struct run *run);

#endif
