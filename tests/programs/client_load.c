/*
 * Counts up on one handle of libtorc in several threads, blocking, by pipelines and by callbacks,
 * for as long as standard input is open; whatever happens to the servers meanwhile. Then prints
 * each counter: its key, how many increments were acknowledged, and of how many it is not known
 * whether they were made.
 *
 *      client-load SEEDS THREADS
 */
#include "torc/torc.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KEYS 40 /* of each thread */
#define THREADS_MAX 32
#define PIPELINE_LENGTH 20
#define CALLBACKS_MAX 50 /* on their way at one time */

struct counter {
    char key[32];
    _Atomic(long) acknowledged;
    _Atomic(long) unknown;
    _Atomic(long) refused; /* it is certain that nothing was done */
};

struct worker {
    struct torc *torc;
    unsigned number;
    _Atomic(int) pending; /* callbacks */
    struct counter counters[KEYS];
    pthread_t thread;
};

static _Atomic(int) stop;

static void note(struct counter *counter, int error, const redisReply *reply)
{
    if (error == 0 && reply->type == REDIS_REPLY_INTEGER) {
        counter->acknowledged++;
    } else if (error == 0 && reply->type == REDIS_REPLY_ERROR) {
        if (strncmp(reply->str, "UNCERTAIN", 9) == 0) {
            counter->unknown++;
        } else {
            counter->refused++;
        }
    } else if (error == TORC_ECLOSED || error == TORC_ETIMEOUT) {
        counter->unknown++;
    } else {
        counter->refused++;
    }
}

struct ask {
    struct worker *worker;
    struct counter *counter;
};

static void on_reply(struct torc *torc, int error, redisReply *reply, void *context)
{
    struct ask *ask = context;
    (void)torc;
    note(ask->counter, error, reply);
    ask->worker->pending--;
    free(ask);
}

static void ask_with_callback(struct worker *worker, struct counter *counter)
{
    struct ask *ask = malloc(sizeof(*ask));
    if (ask == NULL) {
        abort();
    }
    *ask = (struct ask){worker, counter};
    worker->pending++;
    if (torc_async(worker->torc, on_reply, ask, "INCR %s", counter->key) != 0) {
        worker->pending--;
        counter->refused++;
        free(ask);
    }
}

static void ask_with_pipeline(struct worker *worker, struct torc_pipeline *pipeline, unsigned turn)
{
    for (unsigned i = 0; i < PIPELINE_LENGTH; i++) {
        struct counter *counter = &worker->counters[(turn + i) % KEYS];
        if (torc_pipeline_append(pipeline, "INCR %s", counter->key) != 0) {
            abort();
        }
    }
    (void)torc_pipeline_execute(pipeline);
    for (unsigned i = 0; i < PIPELINE_LENGTH; i++) {
        note(&worker->counters[(turn + i) % KEYS], torc_pipeline_error(pipeline, i),
             torc_pipeline_reply(pipeline, i));
    }
    torc_pipeline_reset(pipeline);
}

static void *work(void *context)
{
    struct worker *worker = context;
    struct torc_pipeline *pipeline;
    const struct timespec moment = {.tv_nsec = 500000};
    if (torc_pipeline_create(worker->torc, &pipeline) != 0) {
        abort();
    }
    for (unsigned turn = 0; !stop; turn++) {
        struct counter *counter = &worker->counters[turn % KEYS];
        redisReply *reply = torc_command(worker->torc, "INCR %s", counter->key);
        note(counter, torc_error_code(worker->torc), reply);
        torc_reply_free(reply);
        if (turn % 3 == 0 && worker->pending < CALLBACKS_MAX) {
            ask_with_callback(worker, &worker->counters[turn * 7 % KEYS]);
        }
        if (turn % 10 == 0) {
            ask_with_pipeline(worker, pipeline, turn);
        }
        nanosleep(&moment, NULL);
    }
    while (worker->pending > 0) {
        nanosleep(&moment, NULL);
    }
    torc_pipeline_destroy(pipeline);
    return NULL;
}

int main(int argc, char **argv)
{
    static struct worker workers[THREADS_MAX];
    const unsigned threads = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
    if (threads < 1 || threads > THREADS_MAX) {
        fprintf(stderr, "usage: client-load SEEDS THREADS\n");
        return 2;
    }
    const struct torc_options options = {.seeds = argv[1], .timeout_ms = 15000};
    struct torc *torc;
    if (torc_connect(&options, &torc) != 0) {
        fprintf(stderr, "client-load: %s\n", torc_error(torc));
        return 1;
    }
    for (unsigned i = 0; i < threads; i++) {
        workers[i].torc = torc;
        workers[i].number = i;
        for (unsigned key = 0; key < KEYS; key++) {
            snprintf(workers[i].counters[key].key, sizeof(workers[i].counters[key].key),
                     "load:%u:%u", i, key);
        }
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            return 1;
        }
    }
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    stop = 1;
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    torc_close(torc);
    for (unsigned i = 0; i < threads; i++) {
        for (unsigned key = 0; key < KEYS; key++) {
            const struct counter *counter = &workers[i].counters[key];
            printf("%s %ld %ld %ld\n", counter->key, counter->acknowledged, counter->unknown,
                   counter->refused);
        }
    }
    return 0;
}
