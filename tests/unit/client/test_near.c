/*
 * The near cache against a server of which one connection falls silent: what was read is served for
 * near_stale_ms more, and then not any more. In both forms in which changes are told, where hiredis
 * has both: each test runs once for each. Run under ThreadSanitizer too.
 */
#include "base/error.h"
#include "client/clock.h"
#include "client/handle.h"
#include "client/hiredis_has.h"
#include "tests/unit/client/support/fake.h"
#include "torc/torc.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STALE_MS 100
#define NEVER_STALE_MS 3600000

/* Changes are told over a connection of their own, or (RESP3) where the values come from. */
enum form { REDIRECTED, IN_BAND, FORM_COUNT };
#define FORMS (HIREDIS_HAS_RESP3 ? FORM_COUNT : IN_BAND)

static struct fake server;
static enum form form;
static _Atomic(bool) data_is_silent;
static _Atomic(bool) push_is_silent;
static _Atomic(unsigned) push; /* numbers of these connections */
static _Atomic(unsigned) data;
static _Atomic(unsigned) questions;        /* the last ones, whose answers date values */
static _Atomic(unsigned) readings;         /* of "k" */
static const char *volatile news_in_front; /* what comes beside the next value of another key */
static const char *volatile news_behind;

static void say_value(const struct arguments *arguments, unsigned connection, struct buf *out)
{
    const bool other = !fake_said(arguments, 1, "k");
    const bool news = other && connection == data;
    readings += !other;
    buf_append_text(out, news ? news_in_front : "");
    buf_append_text(out, "$5\r\nvalue\r\n");
    buf_append_text(out, news ? news_behind : "");
}

static bool answer(struct fake *fake, unsigned connection, const struct arguments *arguments,
                   struct buf *out)
{
    (void)fake;
    if (fake_introduce(arguments, NULL, out)) {
    } else if (fake_said(arguments, 0, "hello")) {
        buf_append_text(out, form == IN_BAND ? "%1\r\n$5\r\nproto\r\n:3\r\n"
                                             : "-NOPROTO unsupported protocol version\r\n");
    } else if (fake_said(arguments, 0, "client") && fake_said(arguments, 1, "id")) {
        buf_append_text(out, ":77\r\n");
    } else if (connection == data && data_is_silent) {
    } else if (fake_said(arguments, 0, "client")) {
        ck_assert_uint_eq(arguments->count, form == IN_BAND ? 3 : 5);
        data = connection;
        buf_append_text(out, "+OK\r\n");
    } else if (fake_said(arguments, 0, "subscribe")) {
        push = connection;
        buf_append_text(out, "*3\r\n$9\r\nsubscribe\r\n$20\r\n__redis__:invalidate\r\n:1\r\n");
    } else if (fake_said(arguments, 0, "ping") && connection == push) {
        questions++;
        buf_append_text(out, push_is_silent ? "" : "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    } else if (fake_said(arguments, 0, "ping")) {
        questions += form == IN_BAND;
        buf_append_text(out, "+PONG\r\n");
    } else if (fake_said(arguments, 0, "get")) {
        say_value(arguments, connection, out);
    } else {
        buf_append_text(out, "+OK\r\n");
    }
    return true;
}

static struct torc_near_stats stats_of(struct torc *torc)
{
    struct torc_near_stats stats;
    ck_assert_int_eq(torc_near_stats(torc, &stats), 0);
    return stats;
}

static bool hits_on(struct torc *torc, const char *key)
{
    struct torc_value value;
    const uint64_t before = stats_of(torc).hits;
    ck_assert_int_eq(torc_get(torc, torc_text(key), &value), 0);
    ck_assert_str_eq(value.data, "value");
    torc_value_free(&value);
    return stats_of(torc).hits > before;
}

static bool hits(struct torc *torc)
{
    return hits_on(torc, "k");
}

static void begin(struct torc **torc, int in_form, int stale_ms)
{
    form = (enum form)in_form;
    news_in_front = news_behind = "";
    data_is_silent = push_is_silent = false;
    push = data = UINT32_MAX;
    questions = 0;
    fake_start(&server, answer, NULL);
    const struct torc_options options = {.seeds = server.address,
                                         .near_bytes = 65536,
                                         .near_stale_ms = stale_ms,
                                         .timeout_ms = 30000,
                                         .attempt_timeout_ms = 3 * stale_ms};
    ck_assert_int_eq(torc_connect(&options, torc), 0);
    while (!hits(*torc)) {
    }
}

static void end(struct torc *torc)
{
    torc_close(torc);
    fake_stop(&server);
}

START_TEST(it_is_verified_while_its_node_answers)
{
    struct torc *torc;
    begin(&torc, _i, STALE_MS);
    const struct timespec moment = {.tv_nsec = 1000000};
    const uint64_t begun_ms = clock_now_ms();
    unsigned misses = 0;
    while (questions < 6 || clock_now_ms() < begun_ms + 2 * STALE_MS) {
        misses += !hits(torc);
        (void)nanosleep(&moment, NULL);
    }
    /* On a machine that stops for a while now and then a question may come too late. */
    ck_assert_uint_lt(misses, questions);
    end(torc);
}
END_TEST

static void rest_until_stale(void)
{
    /* Whatever was asked before the silence has been answered by then, or never will be. */
    const struct timespec rest = {.tv_nsec = (STALE_MS + 20) * 1000000L};
    (void)nanosleep(&rest, NULL);
}

START_TEST(it_is_not_believed_when_the_data_connection_is_silent)
{
    struct torc *torc;
    begin(&torc, _i, STALE_MS);
    data_is_silent = true;
    rest_until_stale();
    /* It is read there in vain, and then, when the connection is given up, as ever. */
    ck_assert(!hits(torc));
    ck_assert(!hits(torc));
    end(torc);
}
END_TEST

START_TEST(it_is_not_believed_when_the_push_connection_is_silent)
{
    struct torc *torc;
    begin(&torc, _i, STALE_MS);
    push_is_silent = true;
    rest_until_stale();
    ck_assert(!hits(torc));
    end(torc);
}
END_TEST

START_TEST(it_has_the_connections_of_its_form)
{
    struct torc *torc;
    begin(&torc, _i, NEVER_STALE_MS);
    /* The first is the one that everything else goes over. */
    ck_assert_uint_eq(server.connections, _i == IN_BAND ? 2 : 3);
    ck_assert_uint_eq(stats_of(torc).nodes, 1);
    end(torc);
}
END_TEST

/* News in the stream of replies: before one, and behind the last when nothing more is asked for. */
static const struct news {
    const char *text;
    bool of_k; /* it may have changed */
} all_news[] = {
    {">2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\nx\r\n$1\r\nk\r\n", true},
    {">2\r\n$10\r\ninvalidate\r\n_\r\n", true},
    {">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nx\r\n", false},
    {">2\r\n$6\r\nfuture\r\n*1\r\n$1\r\nk\r\n", false},
    {">1\r\n$10\r\ninvalidate\r\n", false},
    {">0\r\n", false},
};

START_TEST(news_may_stand_between_replies)
{
    struct torc *torc;
    const struct news *news = &all_news[_i / 2];
    begin(&torc, IN_BAND, NEVER_STALE_MS);
    const char *volatile *place = _i % 2 == 0 ? &news_in_front : &news_behind;
    *place = news->text;
    (void)hits_on(torc, "other");
    *place = "";
    /* The connection answers still, and what it says is the answer to what it was asked. */
    ck_assert(!hits_on(torc, "another"));
    const unsigned before = readings;
    ck_assert_int_eq(hits(torc), !news->of_k);
    ck_assert_uint_eq(readings - before, news->of_k);
    ck_assert_uint_eq(server.connections, 2);
    end(torc);
}
END_TEST

static uint64_t leads_of(struct torc *torc)
{
    handle_lock(torc);
    const uint64_t leads = torc->leads;
    handle_unlock(torc);
    return leads;
}

START_TEST(who_calls_reads_beside_it_and_the_thread_when_nobody_does)
{
    struct torc *torc;
    const unsigned calls = 1000;
    begin(&torc, _i, STALE_MS);
    const uint64_t leads = leads_of(torc);
    for (unsigned i = 0; i < calls; i++) {
        redisReply *reply = torc_command(torc, "GET other");
        ck_assert_ptr_nonnull(reply);
        torc_reply_free(reply);
    }
    /* Where the machine lets the caller wait, the thread has read for it now and then. */
    ck_assert_uint_gt(leads_of(torc) - leads, calls / 2);
    const struct timespec moment = {.tv_nsec = 1000000};
    const unsigned asked = questions;
    unsigned misses = 0;
    while (questions < asked + 6) {
        misses += !hits(torc);
        (void)nanosleep(&moment, NULL);
    }
    ck_assert_uint_lt(misses, 6);
    end(torc);
}
END_TEST

START_TEST(nothing_is_asked_while_nothing_is_read)
{
    struct torc *torc;
    struct timespec rest = {.tv_nsec = 5L * STALE_MS * 1000000};
    begin(&torc, _i, STALE_MS);
    (void)nanosleep(&rest, NULL);
    const unsigned asked = questions;
    (void)nanosleep(&rest, NULL);
    ck_assert_uint_eq(questions, asked);
    ck_assert(!hits(torc));
    while (!hits(torc)) {
    }
    end(torc);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("near");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, it_is_verified_while_its_node_answers, 0, FORMS);
    tcase_add_loop_test(tests, it_is_not_believed_when_the_data_connection_is_silent, 0, FORMS);
    tcase_add_loop_test(tests, it_is_not_believed_when_the_push_connection_is_silent, REDIRECTED,
                        REDIRECTED + 1);
    tcase_add_loop_test(tests, it_has_the_connections_of_its_form, 0, FORMS);
    tcase_add_loop_test(tests, who_calls_reads_beside_it_and_the_thread_when_nobody_does, 0, FORMS);
    tcase_add_loop_test(tests, nothing_is_asked_while_nothing_is_read, 0, FORMS);
    if (HIREDIS_HAS_RESP3) {
        tcase_add_loop_test(tests, news_may_stand_between_replies, 0,
                            2 * sizeof(all_news) / sizeof(all_news[0]));
    }
    Suite *suite = suite_create("client/near");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
