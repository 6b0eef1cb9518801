/*
 * The engine against servers that do what a test wants: redirections and refusals in the middle of
 * pipelines, connections that break, silence; one handle in many threads, futures, callbacks, a
 * program's own loop. Run under ThreadSanitizer too.
 */
#include "base/error.h"
#include "client/limits.h"
#include "ring/slot.h"
#include "tests/unit/client/support/fake.h"
#include "torc/torc.h"

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Key "k" has slot 7629: of the first of two nodes. */
#define KEY "k"

/* What a fake has been told to do, and what it has done. One lock for all of it. */
struct script {
    pthread_mutex_t lock;
    unsigned ports[2];
    bool cluster;
    const char *refusals[64]; /* replies to the next commands; NULL: it is executed */
    size_t refusal_count;
    size_t refusal_next;
    char log[4096]; /* values of APPEND, in the order of execution */
    unsigned asked; /* ASKING since the last command */
    unsigned executed;
    unsigned counter; /* INCR */
    unsigned topology_questions;
    unsigned close_every; /* INCR: the connection is closed, before or after */
    bool breaks;          /* every connection is closed at its first command */
    bool holds_back;      /* GET is not answered until that is over; then all that came are */
    unsigned held_back;   /* GET that came meanwhile */
    _Atomic(bool) silent;
    _Atomic(unsigned) silent_below; /* connections of smaller numbers are not answered */
};

static struct script script;

static void begin_script(bool cluster)
{
    memset(&script, 0, sizeof(script));
    pthread_mutex_init(&script.lock, NULL);
    script.cluster = cluster;
    ck_assert_uint_lt(slot_of_key(BYTES_LITERAL(KEY)), 8192);
}

static void refuse_next(const char *reply)
{
    pthread_mutex_lock(&script.lock);
    script.refusals[script.refusal_count++] = reply;
    pthread_mutex_unlock(&script.lock);
}

/* How often CLUSTER SLOTS was asked for since the last time. */
static unsigned take_topology_questions(void)
{
    pthread_mutex_lock(&script.lock);
    const unsigned count = script.topology_questions;
    script.topology_questions = 0;
    pthread_mutex_unlock(&script.lock);
    return count;
}

static bool execute(const struct arguments *arguments, struct buf *out)
{
    script.executed++;
    if (fake_said(arguments, 0, "append")) {
        const size_t size = strlen(script.log);
        (void)snprintf(script.log + size, sizeof(script.log) - size, "%.*s ",
                       (int)arguments->items[2].size, arguments->items[2].data);
        buf_append_text(out, ":1\r\n");
    } else if (fake_said(arguments, 0, "incr")) {
        const bool closes = script.close_every > 0 && script.executed % script.close_every == 0;
        if (closes && script.executed % 2 == 0) {
            return false;
        }
        buf_append_format(out, ":%u\r\n", ++script.counter);
        return !closes;
    } else if (fake_said(arguments, 0, "get")) {
        buf_append_text(out, "$5\r\nvalue\r\n");
    } else {
        buf_append_text(out, "+OK\r\n");
    }
    return true;
}

static bool answer(struct fake *fake, unsigned connection, const struct arguments *arguments,
                   struct buf *out)
{
    bool open = true;
    (void)fake;
    pthread_mutex_lock(&script.lock);
    script.topology_questions += fake_said(arguments, 0, "cluster");
    if (fake_introduce(arguments, script.cluster ? script.ports : NULL, out)) {
    } else if (script.breaks) {
        open = false;
    } else if (script.holds_back && fake_said(arguments, 0, "get")) {
        script.held_back++;
    } else if (script.silent || connection < script.silent_below) {
    } else if (fake_said(arguments, 0, "asking")) {
        script.asked++;
        buf_append_text(out, "+OK\r\n");
    } else {
        const char *refusal = script.refusal_next < script.refusal_count
                                  ? script.refusals[script.refusal_next++]
                                  : NULL;
        if (refusal != NULL) {
            buf_append_text(out, refusal);
        } else {
            open = execute(arguments, out);
        }
    }
    pthread_mutex_unlock(&script.lock);
    return open;
}

static struct torc *connect_to(const struct fake *fake, const struct torc_options *more)
{
    struct torc *torc;
    struct torc_options options = more == NULL ? (struct torc_options){0} : *more;
    options.seeds = fake->address;
    ck_assert_msg(torc_connect(&options, &torc) == 0, "%s", torc_error(torc));
    return torc;
}

/* A cluster of two nodes. */
static void begin_two(struct fake nodes[2])
{
    begin_script(true);
    for (int i = 0; i < 2; i++) {
        fake_start(&nodes[i], answer, NULL);
        script.ports[i] = nodes[i].port;
    }
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A pipeline of `count` appends of their numbers to one key; the caller destroys it. */
static struct torc_pipeline *append_numbers(struct torc *torc, unsigned count, int expected)
{
    struct torc_pipeline *pipeline;
    ck_assert_int_eq(torc_pipeline_create(torc, &pipeline), 0);
    for (unsigned i = 0; i < count; i++) {
        ck_assert_int_eq(torc_pipeline_append(pipeline, "APPEND " KEY " %u", i), 0);
    }
    int error = torc_pipeline_execute(pipeline);
    ck_assert_msg(error == expected, "%d: %s", error, torc_error(torc));
    return pipeline;
}

static void check_log(unsigned count, unsigned without)
{
    char wanted[4096] = "";
    for (unsigned i = 0; i < count; i++) {
        if (i != without) {
            const size_t size = strlen(wanted);
            (void)snprintf(wanted + size, sizeof(wanted) - size, "%u ", i);
        }
    }
    ck_assert_str_eq(script.log, wanted);
}

/* ------------------------------------------------------------------------- redirections, in order
 */

START_TEST(moved_in_a_pipeline_is_followed_in_order)
{
    struct fake nodes[2];
    char moved[64];
    begin_two(nodes);
    (void)snprintf(moved, sizeof(moved), "-MOVED 7629 %s\r\n", nodes[1].address);
    struct torc *torc = connect_to(&nodes[0], NULL);
    for (int i = 0; i < 20; i++) {
        refuse_next(moved);
    }
    torc_pipeline_destroy(append_numbers(torc, 20, 0));
    check_log(20, 20);
    ck_assert_uint_ge(nodes[1].connections, 1);
    torc_close(torc);
    fake_stop(&nodes[0]);
    fake_stop(&nodes[1]);
}
END_TEST

START_TEST(ask_is_followed_once_and_in_order)
{
    struct fake nodes[2];
    char ask[64];
    begin_two(nodes);
    (void)snprintf(ask, sizeof(ask), "-ASK 7629 %s\r\n", nodes[1].address);
    struct torc *torc = connect_to(&nodes[0], NULL);
    for (int i = 0; i < 5; i++) {
        refuse_next(ask);
    }
    torc_pipeline_destroy(append_numbers(torc, 5, 0));
    check_log(5, 5);
    ck_assert_uint_ge(script.asked, 1);
    torc_close(torc);
    fake_stop(&nodes[0]);
    fake_stop(&nodes[1]);
}
END_TEST

START_TEST(refused_together_is_retried_in_order)
{
    struct fake node;
    begin_script(false);
    fake_start(&node, answer, NULL);
    struct torc *torc = connect_to(&node, NULL);
    for (int i = 0; i < 30; i++) {
        refuse_next(i % 2 == 0 ? "-CLUSTERDOWN not now\r\n" : "-TRYAGAIN not now\r\n");
    }
    torc_pipeline_destroy(append_numbers(torc, 30, 0));
    check_log(30, 30);
    torc_close(torc);
    fake_stop(&node);
}
END_TEST

START_TEST(a_retry_never_overtakes)
{
    struct fake node;
    begin_script(false);
    fake_start(&node, answer, NULL);
    struct torc *torc = connect_to(&node, NULL);
    refuse_next(NULL);
    refuse_next("-TRYAGAIN not now\r\n");
    struct torc_pipeline *pipeline = append_numbers(torc, 5, TORC_EAGAIN);
    check_log(5, 1);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(torc_pipeline_error(pipeline, i), i == 1 ? TORC_EAGAIN : 0);
    }
    torc_pipeline_destroy(pipeline);
    torc_close(torc);
    fake_stop(&node);
}
END_TEST

START_TEST(a_refusal_to_the_end_is_the_reply)
{
    struct fake node;
    const struct torc_options options = {.timeout_ms = 200};
    begin_script(false);
    fake_start(&node, answer, NULL);
    struct torc *torc = connect_to(&node, &options);
    for (int i = 0; i < 64; i++) {
        refuse_next("-CLUSTERDOWN for ever\r\n");
    }
    redisReply *reply = torc_command(torc, "GET " KEY);
    ck_assert_ptr_nonnull(reply);
    ck_assert_str_eq(reply->str, "CLUSTERDOWN for ever");
    torc_reply_free(reply);
    torc_close(torc);
    fake_stop(&node);
}
END_TEST

/* ------------------------------------------------------------------------- limits and failures */

START_TEST(what_is_too_much_is_refused)
{
    struct fake node;
    const struct torc_options options = {.outstanding_max = 10, .timeout_ms = 300};
    struct torc_future *futures[10];
    begin_script(false);
    fake_start(&node, answer, NULL);
    struct torc *torc = connect_to(&node, &options);
    script.silent = true;
    for (int i = 0; i < 10; i++) {
        futures[i] = torc_submit(torc, "GET " KEY);
        ck_assert_ptr_nonnull(futures[i]);
    }
    ck_assert_ptr_null(torc_submit(torc, "GET " KEY));
    ck_assert_int_eq(torc_error_code(torc), TORC_EOVERLOAD);
    ck_assert_ptr_null(torc_command(torc, "GET " KEY));
    ck_assert_int_eq(torc_error_code(torc), TORC_EOVERLOAD);
    ck_assert_int_eq(torc_wait(futures[0], 1, NULL), TORC_EAGAIN);
    ck_assert(!torc_future_done(futures[0]));
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(torc_wait(futures[i], -1, NULL), TORC_ETIMEOUT);
        ck_assert(torc_future_done(futures[i]));
        torc_future_free(futures[i]);
    }
    script.silent = false;
    redisReply *reply = torc_command(torc, "GET " KEY);
    ck_assert_msg(reply != NULL, "%s", torc_error(torc));
    torc_reply_free(reply);
    torc_close(torc);
    fake_stop(&node);
}
END_TEST

START_TEST(a_command_has_its_own_deadline)
{
    struct fake node;
    const struct torc_call_options quick = {.timeout_ms = 50};
    const char *argv[] = {"GET", KEY};
    begin_script(false);
    fake_start(&node, answer, NULL);
    struct torc *torc = connect_to(&node, NULL);
    script.silent = true;
    const uint64_t begun_ms = now_ms();
    ck_assert_ptr_null(torc_command_with(torc, &quick, 2, argv, NULL));
    ck_assert_int_eq(torc_error_code(torc), TORC_ETIMEOUT);
    ck_assert_uint_ge(now_ms() - begun_ms, 40);
    ck_assert_uint_lt(now_ms() - begun_ms, 4000); /* the handle's own would be 5000 */
    torc_close(torc);
    fake_stop(&node);
}
END_TEST

START_TEST(a_connection_that_is_silent_is_given_up)
{
    struct fake node;
    const struct torc_options options = {.attempt_timeout_ms = 100, .timeout_ms = 10000};
    begin_script(false);
    fake_start(&node, answer, NULL);
    struct torc *torc = connect_to(&node, &options);
    const uint64_t begun_ms = now_ms();
    /* What only reads is asked again, on another one. */
    script.silent_below = 1;
    redisReply *reply = torc_command(torc, "GET " KEY);
    ck_assert_msg(reply != NULL, "%s", torc_error(torc));
    torc_reply_free(reply);
    ck_assert_uint_eq(node.connections, 2);
    /* What writes is not, for it may have been executed; unless the call says that it may. */
    script.silent_below = 2;
    ck_assert_ptr_null(torc_command(torc, "SET " KEY " x"));
    ck_assert_int_eq(torc_error_code(torc), TORC_ETIMEOUT);
    ck_assert_ptr_nonnull(strstr(torc_error(torc), "may or may not"));
    const struct torc_call_options repeatable = {.repeatable = 1};
    const char *argv[] = {"SET", KEY, "x"};
    reply = torc_command(torc, "GET " KEY);
    torc_reply_free(reply);
    script.silent_below = 3;
    reply = torc_command_with(torc, &repeatable, 3, argv, NULL);
    ck_assert_msg(reply != NULL, "%s", torc_error(torc));
    torc_reply_free(reply);
    ck_assert_uint_lt(now_ms() - begun_ms, 8000);
    torc_close(torc);
    fake_stop(&node);
}
END_TEST

static redisReply *fall_back(struct torc *torc, int error, const struct torc_bytes *arguments,
                             size_t count, void *context)
{
    (void)torc;
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(memcmp(arguments[1].data, KEY, 1), 0);
    *(int *)context = error;
    return torc_reply_string(torc_text("stale"));
}

START_TEST(a_node_that_is_gone_is_left_alone_and_there_is_a_fallback)
{
    struct fake node;
    int told = 0;
    const struct torc_options options = {.timeout_ms = 2000,
                                         .breaker_failures = 2,
                                         .breaker_open_ms = 60000,
                                         .fail_fast = 1,
                                         .fallback = fall_back,
                                         .fallback_context = &told};
    begin_script(false);
    fake_start(&node, answer, NULL);
    struct torc *torc = connect_to(&node, &options);
    fake_stop(&node);
    const uint64_t begun_ms = now_ms();
    for (int i = 0; i < 50; i++) {
        redisReply *reply = torc_command(torc, "GET " KEY);
        ck_assert_msg(reply != NULL, "%s", torc_error(torc));
        ck_assert_str_eq(reply->str, "stale");
        torc_reply_free(reply);
    }
    /* It is not waited for, 50 times over. */
    ck_assert_uint_lt(now_ms() - begun_ms, 2000);
    ck_assert_int_eq(told, TORC_EUNAVAILABLE);
    torc_close(torc);
}
END_TEST

#define WAITING 20
#define OPEN_MS 300

static unsigned held_back(void)
{
    pthread_mutex_lock(&script.lock);
    const unsigned count = script.held_back;
    pthread_mutex_unlock(&script.lock);
    return count;
}

/* When its time is over, one command tries the node, and all others wait for what becomes of it. */
START_TEST(a_node_that_may_be_back_is_tried_by_one_command)
{
    struct fake node;
    struct torc_future *futures[WAITING];
    redisReply *reply;
    const struct torc_options options = {
        .timeout_ms = 3000, .breaker_failures = 1, .breaker_open_ms = OPEN_MS};
    begin_script(false);
    fake_start(&node, answer, NULL);
    struct torc *torc = connect_to(&node, &options);
    pthread_mutex_lock(&script.lock);
    script.breaks = true;
    pthread_mutex_unlock(&script.lock);
    /* Each in a slot of its own, so that they do not wait for each other anyway. */
    for (unsigned i = 0; i < WAITING; i++) {
        futures[i] = torc_submit(torc, "GET key%u", i);
        ck_assert_ptr_nonnull(futures[i]);
    }
    const unsigned before = node.connections;
    ck_assert_int_eq(torc_wait(futures[0], OPEN_MS / 3, &reply), TORC_EAGAIN);
    ck_assert_uint_le(node.connections, before + 1);
    pthread_mutex_lock(&script.lock);
    script.breaks = false;
    script.holds_back = true;
    pthread_mutex_unlock(&script.lock);
    while (held_back() == 0) {
        ck_assert_int_eq(torc_wait(futures[0], 1, &reply), TORC_EAGAIN);
    }
    /* The others have had their turns by now, many times. */
    ck_assert_int_eq(torc_wait(futures[0], OPEN_MS / 3, &reply), TORC_EAGAIN);
    ck_assert_uint_eq(held_back(), 1);
    /* It is not answered: after as long again another one tries. */
    while (held_back() == 1) {
        ck_assert_int_eq(torc_wait(futures[0], 1, &reply), TORC_EAGAIN);
    }
    ck_assert_uint_eq(held_back(), 2);
    for (unsigned i = 0; i < WAITING; i++) {
        torc_future_free(futures[i]);
    }
    torc_close(torc);
    fake_stop(&node);
}
END_TEST

/* --------------------------------------------------------------------------------------- threads
 */

struct counting {
    struct torc *torc;
    unsigned turns;
    unsigned acknowledged;
    unsigned unknown;
};

static void count_answer(struct counting *counting, int error, const redisReply *reply)
{
    if (error == 0 && reply->type == REDIS_REPLY_INTEGER) {
        counting->acknowledged++;
    } else {
        ck_assert_msg(error == TORC_ECLOSED, "%d", error);
        counting->unknown++;
    }
}

static void *count_up(void *context)
{
    struct counting *counting = context;
    for (unsigned i = 0; i < counting->turns; i++) {
        redisReply *reply;
        if (i % 4 == 3) {
            struct torc_future *future = torc_submit(counting->torc, "INCR {" KEY "}%u", i % 5);
            ck_assert_ptr_nonnull(future);
            int error = torc_wait(future, -1, &reply);
            count_answer(counting, error, reply);
            torc_future_free(future);
        } else {
            reply = torc_command(counting->torc, "INCR {" KEY "}%u", i % 5);
            count_answer(counting, torc_error_code(counting->torc), reply);
        }
        torc_reply_free(reply);
    }
    return NULL;
}

static void count_in_threads(unsigned close_every, unsigned turns, int connections)
{
    const struct torc_options options = {.connections_per_node = connections};
    enum { THREADS = 8 };
    struct fake node;
    struct counting counting[THREADS];
    pthread_t threads[THREADS];
    unsigned acknowledged = 0;
    unsigned unknown = 0;
    begin_script(false);
    fake_start(&node, answer, NULL);
    struct torc *torc = connect_to(&node, &options);
    script.close_every = close_every;
    for (int i = 0; i < THREADS; i++) {
        counting[i] = (struct counting){.torc = torc, .turns = turns};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count_up, &counting[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        acknowledged += counting[i].acknowledged;
        unknown += counting[i].unknown;
    }
    ck_assert_uint_eq(acknowledged + unknown, THREADS * turns);
    ck_assert_uint_ge(script.counter, acknowledged);
    ck_assert_uint_le(script.counter, acknowledged + unknown);
    ck_assert(close_every > 0 || unknown == 0);
    ck_assert(close_every == 0 || unknown > 0);
    torc_close(torc);
    fake_stop(&node);
}

START_TEST(threads_share_a_handle)
{
    count_in_threads(0, 500, 1);
    ck_assert_uint_eq(script.counter, 8 * 500);
}
END_TEST

START_TEST(threads_share_connections_that_break)
{
    count_in_threads(97, 200, 1);
    count_in_threads(97, 200, 4);
}
END_TEST

static void *connect_and_get(void *context)
{
    redisReply *reply = torc_command(context, "GET " KEY);
    ck_assert_msg(reply != NULL, "%s", torc_error(context));
    torc_reply_free(reply);
    return NULL;
}

START_TEST(threads_that_come_before_the_cluster_is_known_all_wait_for_it)
{
    struct fake node;
    struct torc *torc;
    pthread_t threads[8];
    begin_script(false);
    fake_start(&node, answer, NULL);
    const unsigned port = node.port;
    fake_stop(&node);
    struct torc_options options = {.seeds = node.address};
    ck_assert_int_eq(torc_connect(&options, &torc), TORC_ECONNECT);
    ck_assert_uint_eq(port, node.port);
    torc_close(torc);
    fake_start(&node, answer, NULL);
    torc = connect_to(&node, NULL);
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, connect_and_get, torc), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
    }
    torc_close(torc);
    fake_stop(&node);
}
END_TEST

/* ------------------------------------------------------------------------------------- callbacks
 */

struct called {
    pthread_mutex_t lock;
    unsigned answered;
    unsigned failed;
    unsigned chain; /* how often each callback asks again */
};

static void called_back(struct torc *torc, int error, redisReply *reply, void *context)
{
    struct called *called = context;
    bool again;
    pthread_mutex_lock(&called->lock);
    called->answered++;
    called->failed += error != 0 || reply->type == REDIS_REPLY_ERROR;
    again = called->chain > 0;
    called->chain -= again;
    pthread_mutex_unlock(&called->lock);
    if (again) {
        ck_assert_int_eq(torc_async(torc, called_back, called, "GET " KEY), 0);
        /* It may wait in a callback, too. */
        redisReply *other = torc_command(torc, "GET " KEY);
        ck_assert_ptr_nonnull(other);
        torc_reply_free(other);
    }
}

static bool all_called(struct called *called, unsigned count)
{
    pthread_mutex_lock(&called->lock);
    const bool all = called->answered == count;
    pthread_mutex_unlock(&called->lock);
    return all;
}

START_TEST(callbacks_come_on_a_thread_of_the_library)
{
    struct fake node;
    struct called called = {.chain = 20};
    pthread_mutex_init(&called.lock, NULL);
    begin_script(false);
    fake_start(&node, answer, NULL);
    struct torc *torc = connect_to(&node, NULL);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(torc_async(torc, called_back, &called, "GET " KEY), 0);
        redisReply *reply = torc_command(torc, "GET " KEY);
        ck_assert_ptr_nonnull(reply);
        torc_reply_free(reply);
    }
    const struct timespec moment = {.tv_nsec = 1000000};
    for (int i = 0; i < 10000 && !all_called(&called, 120); i++) {
        nanosleep(&moment, NULL);
    }
    ck_assert(all_called(&called, 120));
    ck_assert_uint_eq(called.failed, 0);
    ck_assert_int_eq(torc_fd(torc), TORC_EINVAL);
    torc_close(torc);
    fake_stop(&node);
}
END_TEST

START_TEST(callbacks_come_in_the_programs_loop)
{
    struct fake node;
    struct called called = {.chain = 20};
    pthread_mutex_init(&called.lock, NULL);
    begin_script(false);
    fake_start(&node, answer, NULL);
    struct torc *torc = connect_to(&node, NULL);
    struct pollfd poll_fd = {.fd = torc_fd(torc), .events = POLLIN};
    ck_assert_int_ge(poll_fd.fd, 0);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(torc_async(torc, called_back, &called, "GET " KEY), 0);
    }
    while (!all_called(&called, 120)) {
        ck_assert_int_gt(poll(&poll_fd, 1, 10000), 0);
        ck_assert_int_eq(torc_process(torc), 0);
    }
    ck_assert_uint_eq(called.failed, 0);
    /* Deadlines wake the loop as well. */
    const struct torc_call_options quick = {.timeout_ms = 50};
    const char *argv[] = {"GET", KEY};
    script.silent = true;
    ck_assert_int_eq(torc_async_with(torc, &quick, called_back, &called, 2, argv, NULL), 0);
    while (!all_called(&called, 121)) {
        ck_assert_int_gt(poll(&poll_fd, 1, 10000), 0);
        ck_assert_int_eq(torc_process(torc), 0);
    }
    ck_assert_uint_eq(called.failed, 1);
    torc_close(torc);
    fake_stop(&node);
}
END_TEST

START_TEST(closing_calls_what_is_on_its_way)
{
    struct fake node;
    struct called called = {.chain = 0};
    pthread_mutex_init(&called.lock, NULL);
    begin_script(false);
    fake_start(&node, answer, NULL);
    struct torc *torc = connect_to(&node, NULL);
    script.silent = true;
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(torc_async(torc, called_back, &called, "GET " KEY), 0);
    }
    torc_close(torc);
    ck_assert_uint_eq(called.answered, 10);
    ck_assert_uint_eq(called.failed, 10);
    fake_stop(&node);
}
END_TEST

/* ----------------------------------------------------------------------------------------- storms
 */

START_TEST(many_clients_that_are_redirected_make_no_storm)
{
    enum { CLIENTS = 100 };
    struct fake nodes[2];
    struct torc *clients[CLIENTS];
    char moved[64];
    begin_two(nodes);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = connect_to(&nodes[i % 2], NULL);
    }
    ck_assert_uint_eq(take_topology_questions(), CLIENTS);
    (void)snprintf(moved, sizeof(moved), "-MOVED 7629 %s\r\n", nodes[1].address);
    const uint64_t until_ms = now_ms() + REFRESH_SPREAD_MS + 200;
    for (unsigned turn = 0; turn < 3 || now_ms() < until_ms; turn++) {
        for (int i = 0; i < CLIENTS; i++) {
            if (turn == 0) {
                pthread_mutex_lock(&script.lock);
                script.refusal_next = 0;
                script.refusal_count = 0;
                pthread_mutex_unlock(&script.lock);
                refuse_next(moved);
            }
            redisReply *reply = torc_command(clients[i], "GET " KEY);
            ck_assert_msg(reply != NULL && reply->type == REDIS_REPLY_STRING, "%s",
                          torc_error(clients[i]));
            torc_reply_free(reply);
        }
    }
    const unsigned asked = take_topology_questions();
    /* On a busy machine some node may take too long to answer, and another be asked. */
    ck_assert_uint_ge(asked, CLIENTS / 2);
    ck_assert_uint_le(asked, 2 * CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        torc_close(clients[i]);
    }
    fake_stop(&nodes[0]);
    fake_stop(&nodes[1]);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("engine");
    tcase_add_test(tests, moved_in_a_pipeline_is_followed_in_order);
    tcase_add_test(tests, ask_is_followed_once_and_in_order);
    tcase_add_test(tests, refused_together_is_retried_in_order);
    tcase_add_test(tests, a_retry_never_overtakes);
    tcase_add_test(tests, a_refusal_to_the_end_is_the_reply);
    tcase_add_test(tests, what_is_too_much_is_refused);
    tcase_add_test(tests, a_command_has_its_own_deadline);
    tcase_add_test(tests, a_connection_that_is_silent_is_given_up);
    tcase_add_test(tests, a_node_that_is_gone_is_left_alone_and_there_is_a_fallback);
    tcase_add_test(tests, a_node_that_may_be_back_is_tried_by_one_command);
    tcase_add_test(tests, threads_share_a_handle);
    tcase_add_test(tests, threads_share_connections_that_break);
    tcase_add_test(tests, threads_that_come_before_the_cluster_is_known_all_wait_for_it);
    tcase_add_test(tests, callbacks_come_on_a_thread_of_the_library);
    tcase_add_test(tests, callbacks_come_in_the_programs_loop);
    tcase_add_test(tests, closing_calls_what_is_on_its_way);
    tcase_add_test(tests, many_clients_that_are_redirected_make_no_storm);
    Suite *suite = suite_create("client/engine");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
