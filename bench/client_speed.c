/*
 * How fast libtorc is beside hiredis, with the same server, one way after the other in one run:
 * blocking GETs of several threads that share a handle against as many hiredis contexts, and
 * callbacks against a pipelining loop written by hand; then what a near cache serves. `./dev bench
 * client` starts the server and pins both.
 *
 *      client-speed HOST:PORT SECONDS
 */
#include "client/clock.h"
#include "torc/torc.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define THREADS_MAX 16
#define KEYS 1000
#define DEPTH 64
#define VALUE_SIZE 64

struct setting {
    const char *host;
    int port;
    uint64_t measured_ms;
    struct torc *torc;
    _Atomic(bool) stop;
    _Atomic(uint64_t) count;
};

static void fail(const char *what)
{
    (void)fprintf(stderr, "client-speed: %s\n", what);
    exit(1);
}

static void check_reply(const redisReply *reply)
{
    if (reply == NULL || reply->type != REDIS_REPLY_STRING || reply->len != VALUE_SIZE) {
        fail("a reply is not what was written");
    }
}

static size_t key_of(char key[32], uint64_t turn)
{
    return (size_t)snprintf(key, 32, "key:%06u", (unsigned)(turn * 7919 % KEYS));
}

/* ------------------------------------------------------------------------- the ways to be compared
 */

static redisContext *connect_plain(const struct setting *setting)
{
    redisContext *context = redisConnect(setting->host, setting->port);
    if (context == NULL || context->err != 0) {
        fail("cannot connect");
    }
    return context;
}

static void *hiredis_blocking(void *argument)
{
    struct setting *setting = argument;
    redisContext *context = connect_plain(setting);
    uint64_t done = 0;
    for (; !setting->stop; done++) {
        char key[32];
        const char *argv[] = {"GET", key};
        const size_t sizes[] = {3, key_of(key, done)};
        redisReply *reply = redisCommandArgv(context, 2, argv, sizes);
        check_reply(reply);
        freeReplyObject(reply);
    }
    atomic_fetch_add(&setting->count, done);
    redisFree(context);
    return NULL;
}

static void *torc_blocking(void *argument)
{
    struct setting *setting = argument;
    uint64_t done = 0;
    for (; !setting->stop; done++) {
        char key[32];
        const char *argv[] = {"GET", key};
        const size_t sizes[] = {3, key_of(key, done)};
        redisReply *reply = torc_command_argv(setting->torc, 2, argv, sizes);
        check_reply(reply);
        torc_reply_free(reply);
    }
    atomic_fetch_add(&setting->count, done);
    return NULL;
}

static void *torc_near(void *argument)
{
    struct setting *setting = argument;
    uint64_t done = 0;
    for (; !setting->stop; done++) {
        char key[32];
        struct torc_value value;
        const size_t size = key_of(key, done);
        if (torc_get(setting->torc, (struct torc_bytes){key, size}, &value) != 0 ||
            value.size != VALUE_SIZE) {
            fail("a value is not what was written");
        }
        torc_value_free(&value);
    }
    atomic_fetch_add(&setting->count, done);
    return NULL;
}

/* DEPTH requests, DEPTH replies, and again: the loop that people write by hand. */
static void *hiredis_pipeline(void *argument)
{
    struct setting *setting = argument;
    redisContext *context = connect_plain(setting);
    uint64_t done = 0;
    while (!setting->stop) {
        for (uint64_t i = 0; i < DEPTH; i++) {
            char key[32];
            const char *argv[] = {"GET", key};
            const size_t sizes[] = {3, key_of(key, done + i)};
            (void)redisAppendCommandArgv(context, 2, argv, sizes);
        }
        for (uint64_t i = 0; i < DEPTH; i++, done++) {
            void *reply = NULL;
            if (redisGetReply(context, &reply) != REDIS_OK) {
                fail("the connection broke");
            }
            check_reply(reply);
            freeReplyObject(reply);
        }
    }
    atomic_fetch_add(&setting->count, done);
    redisFree(context);
    return NULL;
}

static void *torc_pipelines(void *argument)
{
    struct setting *setting = argument;
    struct torc_pipeline *pipeline;
    uint64_t done = 0;
    if (torc_pipeline_create(setting->torc, &pipeline) != 0) {
        fail("no pipeline");
    }
    while (!setting->stop) {
        for (uint64_t i = 0; i < DEPTH; i++) {
            char key[32];
            const char *argv[] = {"GET", key};
            const size_t sizes[] = {3, key_of(key, done + i)};
            (void)torc_pipeline_append_argv(pipeline, 2, argv, sizes);
        }
        if (torc_pipeline_execute(pipeline) != 0) {
            fail(torc_error(setting->torc));
        }
        for (uint64_t i = 0; i < DEPTH; i++, done++) {
            check_reply(torc_pipeline_reply(pipeline, i));
        }
        torc_pipeline_reset(pipeline);
    }
    atomic_fetch_add(&setting->count, done);
    torc_pipeline_destroy(pipeline);
    return NULL;
}

/* DEPTH callbacks, each of which asks again, in the loop of this thread. */
struct chain {
    struct setting *setting;
    uint64_t asked;
    uint64_t done;
};

static void ask_again(struct torc *torc, int error, redisReply *reply, void *context);

static void ask(struct chain *chain)
{
    char key[32];
    const char *argv[] = {"GET", key};
    const size_t sizes[] = {3, key_of(key, chain->asked++)};
    if (torc_async_with(chain->setting->torc, NULL, ask_again, chain, 2, argv, sizes) != 0) {
        fail(torc_error(chain->setting->torc));
    }
}

static void ask_again(struct torc *torc, int error, redisReply *reply, void *context)
{
    struct chain *chain = context;
    (void)torc;
    if (error != 0) {
        fail(torc_error(torc));
    }
    check_reply(reply);
    chain->done++;
    if (!chain->setting->stop) {
        ask(chain);
    }
}

static void *torc_callbacks(void *argument)
{
    struct setting *setting = argument;
    struct chain chain = {.setting = setting};
    struct pollfd poll_fd = {.fd = torc_fd(setting->torc), .events = POLLIN};
    for (unsigned i = 0; i < DEPTH; i++) {
        ask(&chain);
    }
    while (chain.done < chain.asked) {
        (void)poll(&poll_fd, 1, -1);
        (void)torc_process(setting->torc);
    }
    atomic_fetch_add(&setting->count, chain.done);
    return NULL;
}

/* ---------------------------------------------------------------------------------- measuring */

static double cpu_seconds(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void measure(struct setting *setting, const char *name, void *(*run)(void *),
                    unsigned threads)
{
    pthread_t ids[THREADS_MAX];
    setting->stop = false;
    setting->count = 0;
    const double cpu_before = cpu_seconds();
    const uint64_t begun_ms = clock_now_ms();
    for (unsigned i = 0; i < threads; i++) {
        if (pthread_create(&ids[i], NULL, run, setting) != 0) {
            fail("no thread");
        }
    }
    const struct timespec delay = {.tv_sec = (time_t)(setting->measured_ms / 1000),
                                   .tv_nsec = (long)(setting->measured_ms % 1000) * 1000000};
    (void)nanosleep(&delay, NULL);
    setting->stop = true;
    for (unsigned i = 0; i < threads; i++) {
        (void)pthread_join(ids[i], NULL);
    }
    const double seconds = (double)(clock_now_ms() - begun_ms) / 1000;
    const double count = (double)setting->count;
    (void)printf("%-32s %2u threads %9.0f ops/s %8.0f ns of CPU an operation\n", name, threads,
                 count / seconds, 1e9 * (cpu_seconds() - cpu_before) / count);
    (void)fflush(stdout);
}

static void write_keys(const struct setting *setting)
{
    char value[VALUE_SIZE + 1] = {0};
    memset(value, 'v', VALUE_SIZE);
    for (uint64_t i = 0; i < KEYS; i++) {
        char key[32];
        (void)key_of(key, i);
        redisReply *reply = torc_command(setting->torc, "SET %s %s", key, value);
        if (reply == NULL) {
            fail(torc_error(setting->torc));
        }
        torc_reply_free(reply);
    }
}

static void measure_near(struct setting *setting, const char *seeds)
{
    const struct torc_options options = {.seeds = seeds, .near_bytes = 1 << 20};
    struct torc_near_stats stats = {0};
    torc_close(setting->torc);
    if (torc_connect(&options, &setting->torc) != 0) {
        fail(torc_error(setting->torc));
    }
    /* Until all are kept. */
    for (uint64_t i = 0; stats.entries < KEYS; i++) {
        char key[32];
        struct torc_value value;
        const size_t size = key_of(key, i);
        (void)torc_get(setting->torc, (struct torc_bytes){key, size}, &value);
        torc_value_free(&value);
        (void)torc_near_stats(setting->torc, &stats);
    }
    measure(setting, "libtorc, near cache", torc_near, 1);
    measure(setting, "libtorc, near cache", torc_near, 4);
    measure(setting, "libtorc, blocking, beside it", torc_blocking, 1);
    measure(setting, "libtorc, blocking, beside it", torc_blocking, 4);
}

int main(int argc, char **argv)
{
    char *colon = argc < 3 ? NULL : strrchr(argv[1], ':');
    if (colon == NULL) {
        fail("usage: client-speed HOST:PORT SECONDS");
    }
    char seeds[128];
    (void)snprintf(seeds, sizeof(seeds), "%s", argv[1]);
    const struct torc_options options = {.seeds = seeds};
    struct setting setting = {.measured_ms = (uint64_t)(1000 * strtod(argv[2], NULL))};
    if (torc_connect(&options, &setting.torc) != 0 || torc_fd(setting.torc) < 0) {
        fail(torc_error(setting.torc));
    }
    write_keys(&setting);
    *colon = '\0';
    setting.host = argv[1];
    setting.port = atoi(colon + 1);
    for (unsigned threads = 1; threads <= 4; threads *= 2) {
        measure(&setting, "hiredis, blocking, contexts", hiredis_blocking, threads);
        measure(&setting, "libtorc, blocking, one handle", torc_blocking, threads);
    }
    measure(&setting, "hiredis, pipelining by hand", hiredis_pipeline, 1);
    measure(&setting, "libtorc, pipelines", torc_pipelines, 1);
    measure(&setting, "libtorc, callbacks", torc_callbacks, 1);
    measure_near(&setting, seeds);
    torc_close(setting.torc);
    return 0;
}
