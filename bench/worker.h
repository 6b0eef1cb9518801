/*
 * A worker: one thread, one libev loop, its share of the clients. It connects, loads the key space,
 * and runs the workload; all workers go through these phases together. bench/issue.h decides what
 * is sent, bench/answer.h what happens to it.
 */
#ifndef TORC_BENCH_WORKER_H
#define TORC_BENCH_WORKER_H

#include "base/attributes.h"
#include "base/prng.h"
#include "bench/connection.h"
#include "bench/run.h"

#include <ev.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum worker_phase { PHASE_CONNECT, PHASE_LOAD, PHASE_RUN };

struct client {
    struct worker *worker;
    size_t index;                    /* among all clients of the run */
    size_t seed;                     /* any: which seed it is at */
    struct connection **connections; /* any: one; direct: by index of server, NULL until needed */
    size_t connection_capacity;
    unsigned outstanding; /* operations without a reply */
    uint64_t load_next;   /* next key to load; then every clients-th */
};

struct worker {
    /* Main thread, before start and after join. */
    pthread_t thread;
    uint64_t start_ns; /* of the measured part */
    uint64_t end_ns;
    uint64_t load_ns;
    uint64_t cpu_user_ns; /* of this thread in the measured part */
    uint64_t cpu_system_ns;

    /* Worker thread. */
    struct run *run;
    unsigned index;
    enum worker_phase phase;
    bool stopping; /* issue no more */
    struct ev_loop *loop;
    ev_async wake;     /* main thread may send: stop, or a new map */
    ev_timer publish;  /* once a second */
    ev_timer deadline; /* end of the run, then end of the wait for the last replies */
    ev_io schedule;    /* timerfd of the open loop */
    int schedule_fd;   /* -1 = closed loop */
    uint64_t schedule_armed_ns;
    struct connection_context context;
    struct stats stats; /* since the last hand-over */
    struct slot_map map;
    uint64_t map_generation;
    struct client *clients;
    size_t client_count;
    size_t rotation;           /* open loop: client to try next */
    struct connection **dirty; /* connections with something to flush */
    size_t dirty_count;
    size_t dirty_capacity;
    size_t connecting; /* PHASE_CONNECT: connections not up yet */
    struct prng prng;
    uint64_t outstanding; /* of all clients */
    uint64_t budget;      /* operations left to issue */
    uint64_t issued;      /* open loop: operations issued */
    size_t trace_next;    /* trace: next request to look at */
};

/* Sets up loop and clients. 0, TORC_ENOMEM, TORC_EIO. */
int worker_init(struct worker *worker, struct run *run, unsigned index) TORC_MUST_USE;
void worker_deinit(struct worker *worker);
/* 0 or TORC_EAGAIN (no thread to be had). */
int worker_start(struct worker *worker) TORC_MUST_USE;
void worker_join(struct worker *worker);
/* Main thread: makes it look at run->stop and at the map. */
void worker_wake(struct worker *worker);

/* For bench/answer.c and bench/issue.c. */
/* Sends what may be sent now that `client` has room (NULL: any), and flushes. */
void worker_proceed(struct worker *worker, struct client *client);
/* Leaves the loop when the phase has nothing left to send and nothing to wait for. */
void worker_end_phase_when_done(struct worker *worker);
/* The client's connection to a server, made and opened if new; NULL without
 * memory, which has been noted with run_fail. */
struct connection *worker_connection(struct client *client, const struct address *address,
                                     size_t index);

#endif
