#include "node/resp/reply.h"

#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Both protocols side by side: what one writer wrote, compared and taken away. */
struct pair {
    struct buf out[2];
    struct reply_writer writers[2];
};

static void pair_init(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        buf_init(&pair->out[i]);
        pair->writers[i] = (struct reply_writer){.out = &pair->out[i], .protocol = 2 + i};
    }
}

static void pair_deinit(struct pair *pair)
{
    buf_deinit(&pair->out[0]);
    buf_deinit(&pair->out[1]);
}

static void expect(struct pair *pair, const char *resp2, const char *resp3)
{
    const char *expected[2] = {resp2, resp3};
    for (int i = 0; i < 2; i++) {
        struct bytes got = buf_bytes(&pair->out[i]);
        ck_assert_msg(bytes_equal(got, bytes_of(expected[i])), "RESP%d: '%.*s', not '%s'", 2 + i,
                      (int)got.size, got.data, expected[i]);
        buf_consume(&pair->out[i], got.size);
    }
}

/* Calls the writer function for both protocols. */
#define BOTH(pair, function, ...)                                                                  \
    do {                                                                                           \
        function(&(pair)->writers[0], __VA_ARGS__);                                                \
        function(&(pair)->writers[1], __VA_ARGS__);                                                \
    } while (0)

START_TEST(lines)
{
    struct pair pair;
    pair_init(&pair);
    BOTH(&pair, reply_simple, "PONG");
    expect(&pair, "+PONG\r\n", "+PONG\r\n");
    BOTH(&pair, reply_simple, "");
    expect(&pair, "+\r\n", "+\r\n");
    reply_ok(&pair.writers[0]);
    reply_ok(&pair.writers[1]);
    expect(&pair, "+OK\r\n", "+OK\r\n");
    pair_deinit(&pair);
}
END_TEST

START_TEST(errors)
{
    struct pair pair;
    pair_init(&pair);
    BOTH(&pair, reply_error, "ERR unknown command '%s', %d", "foo\r\nbar", 7);
    expect(&pair, "-ERR unknown command 'foo  bar', 7\r\n",
           "-ERR unknown command 'foo  bar', 7\r\n");
    BOTH(&pair, reply_error, "MOVED %d %s:%d", 16383, "10.0.0.1", 7000);
    expect(&pair, "-MOVED 16383 10.0.0.1:7000\r\n", "-MOVED 16383 10.0.0.1:7000\r\n");
    ck_assert_uint_eq(pair.writers[0].errors, 2);
    BOTH(&pair, reply_integer, 1);
    ck_assert_uint_eq(pair.writers[0].errors, 2);
    pair_deinit(&pair);
}
END_TEST

START_TEST(integers)
{
    static const int64_t values[] = {0,   1,   -1,   9,         10,        99,       100,
                                     -10, -99, 1234, 123456789, INT64_MAX, INT64_MIN};
    struct pair pair;
    pair_init(&pair);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char number[32];
        char expected[80];
        int digits = snprintf(number, sizeof(number), "%" PRId64, values[i]);
        BOTH(&pair, reply_integer, values[i]);
        snprintf(expected, sizeof(expected), ":%s\r\n", number);
        expect(&pair, expected, expected);
        BOTH(&pair, reply_bulk_integer, values[i]);
        snprintf(expected, sizeof(expected), "$%d\r\n%s\r\n", digits, number);
        expect(&pair, expected, expected);
    }
    pair_deinit(&pair);
}
END_TEST

START_TEST(bulks)
{
    struct pair pair;
    pair_init(&pair);
    BOTH(&pair, reply_bulk, ((struct bytes){NULL, 0}));
    expect(&pair, "$0\r\n\r\n", "$0\r\n\r\n");
    BOTH(&pair, reply_bulk_text, "hello");
    expect(&pair, "$5\r\nhello\r\n", "$5\r\nhello\r\n");
    BOTH(&pair, reply_bulk_format, "%s=%d", "answer", 42);
    expect(&pair, "$9\r\nanswer=42\r\n", "$9\r\nanswer=42\r\n");
    BOTH(&pair, reply_bulk_format, "%s", "");
    expect(&pair, "$0\r\n\r\n", "$0\r\n\r\n");
    reply_bulk(&pair.writers[0], BYTES_LITERAL("a\0\r\nb"));
    ck_assert(bytes_equal(buf_bytes(&pair.out[0]), BYTES_LITERAL("$5\r\na\0\r\nb\r\n")));
    pair_deinit(&pair);
}
END_TEST

START_TEST(bulks_of_every_size)
{
    char value[1200];
    memset(value, 'v', sizeof(value));
    struct pair pair;
    pair_init(&pair);
    for (size_t size = 0; size < sizeof(value); size++) {
        struct buf expected = {0};
        buf_append_format(&expected, "$%zu\r\n%.*s\r\n", size, (int)size, value);
        reply_bulk(&pair.writers[0], (struct bytes){value, size});
        ck_assert(bytes_equal(buf_bytes(&pair.out[0]), buf_bytes(&expected)));
        buf_reset(&pair.out[0], 0);
        buf_deinit(&expected);
    }
    pair_deinit(&pair);
}
END_TEST

START_TEST(nulls_and_booleans)
{
    struct pair pair;
    pair_init(&pair);
    reply_null(&pair.writers[0]);
    reply_null(&pair.writers[1]);
    expect(&pair, "$-1\r\n", "_\r\n");
    reply_null_array(&pair.writers[0]);
    reply_null_array(&pair.writers[1]);
    expect(&pair, "*-1\r\n", "_\r\n");
    BOTH(&pair, reply_boolean, true);
    expect(&pair, ":1\r\n", "#t\r\n");
    BOTH(&pair, reply_boolean, false);
    expect(&pair, ":0\r\n", "#f\r\n");
    pair_deinit(&pair);
}
END_TEST

START_TEST(aggregates)
{
    struct pair pair;
    pair_init(&pair);
    BOTH(&pair, reply_array, 0);
    expect(&pair, "*0\r\n", "*0\r\n");
    BOTH(&pair, reply_array, 1234567);
    expect(&pair, "*1234567\r\n", "*1234567\r\n");
    BOTH(&pair, reply_map, 6);
    expect(&pair, "*12\r\n", "%6\r\n");
    BOTH(&pair, reply_set, 3);
    expect(&pair, "*3\r\n", "~3\r\n");
    BOTH(&pair, reply_push, 2);
    expect(&pair, "*2\r\n", ">2\r\n");
    pair_deinit(&pair);
}
END_TEST

START_TEST(doubles)
{
    struct pair pair;
    pair_init(&pair);
    BOTH(&pair, reply_double, 3.14);
    expect(&pair, "$4\r\n3.14\r\n", ",3.14\r\n");
    BOTH(&pair, reply_double, 10);
    expect(&pair, "$2\r\n10\r\n", ",10\r\n");
    BOTH(&pair, reply_double, -INFINITY);
    expect(&pair, "$4\r\n-inf\r\n", ",-inf\r\n");
    BOTH(&pair, reply_double, INFINITY);
    expect(&pair, "$3\r\ninf\r\n", ",inf\r\n");
    BOTH(&pair, reply_double, NAN);
    expect(&pair, "$3\r\nnan\r\n", ",nan\r\n");
    pair_deinit(&pair);
}
END_TEST

START_TEST(verbatim)
{
    struct pair pair;
    pair_init(&pair);
    BOTH(&pair, reply_verbatim, "txt", BYTES_LITERAL("Some string"));
    expect(&pair, "$11\r\nSome string\r\n", "=15\r\ntxt:Some string\r\n");
    BOTH(&pair, reply_verbatim, "mkd", ((struct bytes){NULL, 0}));
    expect(&pair, "$0\r\n\r\n", "=4\r\nmkd:\r\n");
    pair_deinit(&pair);
}
END_TEST

/* After a failure nothing more is written, not even what would fit. */
START_TEST(nothing_after_a_failure)
{
    struct pair pair;
    pair_init(&pair);
    BOTH(&pair, reply_simple, "first");
    for (int i = 0; i < 2; i++) {
        ck_assert_int_ne(buf_reserve(&pair.out[i], SIZE_MAX), 0);
    }
    reply_ok(&pair.writers[0]);
    reply_ok(&pair.writers[1]);
    reply_null(&pair.writers[0]);
    BOTH(&pair, reply_simple, "x");
    BOTH(&pair, reply_error, "ERR %s", "x");
    BOTH(&pair, reply_integer, 1);
    BOTH(&pair, reply_bulk_text, "x");
    BOTH(&pair, reply_bulk_format, "%d", 1);
    BOTH(&pair, reply_array, 1);
    BOTH(&pair, reply_double, 1);
    BOTH(&pair, reply_verbatim, "txt", BYTES_LITERAL("x"));
    expect(&pair, "+first\r\n", "+first\r\n");
    ck_assert(pair.out[0].failed);
    ck_assert_uint_eq(pair.writers[0].errors, 1);
    pair_deinit(&pair);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reply");
    TCase *tcase = tcase_create("reply");
    tcase_add_test(tcase, lines);
    tcase_add_test(tcase, errors);
    tcase_add_test(tcase, integers);
    tcase_add_test(tcase, bulks);
    tcase_add_test(tcase, bulks_of_every_size);
    tcase_add_test(tcase, nulls_and_booleans);
    tcase_add_test(tcase, aggregates);
    tcase_add_test(tcase, doubles);
    tcase_add_test(tcase, verbatim);
    tcase_add_test(tcase, nothing_after_a_failure);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
