/*
 * The near cache against a server of which one connection falls silent: what was read is served for
 * near_stale_ms more, and then not any more. Run under ThreadSanitizer too.
 */
#include "base/error.h"
#include "client/clock.h"
#include "tests/unit/client/support/fake.h"
#include "torc/torc.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STALE_MS 100

static struct fake server;
static _Atomic(bool) data_is_silent;
static _Atomic(bool) push_is_silent;
static _Atomic(unsigned) push; /* numbers of these connections */
static _Atomic(unsigned) data;
static _Atomic(unsigned) questions;

static bool answer(struct fake *fake, unsigned connection, const struct arguments *arguments,
                   struct buf *out)
{
    (void)fake;
    if (fake_introduce(arguments, NULL, out)) {
    } else if (fake_said(arguments, 0, "client") && fake_said(arguments, 1, "id")) {
        buf_append_text(out, ":77\r\n");
    } else if (connection == data && data_is_silent) {
    } else if (fake_said(arguments, 0, "client")) {
        data = connection;
        buf_append_text(out, "+OK\r\n");
    } else if (fake_said(arguments, 0, "subscribe")) {
        push = connection;
        buf_append_text(out, "*3\r\n$9\r\nsubscribe\r\n$20\r\n__redis__:invalidate\r\n:1\r\n");
    } else if (fake_said(arguments, 0, "ping") && connection == push) {
        questions++;
        buf_append_text(out, push_is_silent ? "" : "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    } else if (fake_said(arguments, 0, "ping")) {
        buf_append_text(out, "+PONG\r\n");
    } else if (fake_said(arguments, 0, "get")) {
        buf_append_text(out, "$5\r\nvalue\r\n");
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

static bool hits(struct torc *torc)
{
    struct torc_value value;
    const uint64_t before = stats_of(torc).hits;
    ck_assert_int_eq(torc_get(torc, torc_text("k"), &value), 0);
    ck_assert_str_eq(value.data, "value");
    torc_value_free(&value);
    return stats_of(torc).hits > before;
}

static void begin(struct torc **torc)
{
    data_is_silent = push_is_silent = false;
    push = data = UINT32_MAX;
    questions = 0;
    fake_start(&server, answer, NULL);
    const struct torc_options options = {.seeds = server.address,
                                         .near_bytes = 65536,
                                         .near_stale_ms = STALE_MS,
                                         .timeout_ms = 1000};
    ck_assert_int_eq(torc_connect(&options, torc), 0);
    while (!hits(*torc)) {
    }
}

static void end(struct torc *torc)
{
    torc_close(torc);
    fake_stop(&server);
}

START_TEST(it_is_verified_while_both_connections_answer)
{
    struct torc *torc;
    begin(&torc);
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
    begin(&torc);
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
    begin(&torc);
    push_is_silent = true;
    rest_until_stale();
    ck_assert(!hits(torc));
    end(torc);
}
END_TEST

START_TEST(nothing_is_asked_while_nothing_is_read)
{
    struct torc *torc;
    struct timespec rest = {.tv_nsec = 5L * STALE_MS * 1000000};
    begin(&torc);
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
    tcase_add_test(tests, it_is_verified_while_both_connections_answer);
    tcase_add_test(tests, it_is_not_believed_when_the_data_connection_is_silent);
    tcase_add_test(tests, it_is_not_believed_when_the_push_connection_is_silent);
    tcase_add_test(tests, nothing_is_asked_while_nothing_is_read);
    Suite *suite = suite_create("client/near");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
