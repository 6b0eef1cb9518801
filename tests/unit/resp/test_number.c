#include "base/prng.h"
#include "node/resp/number.h"

#include <check.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char *const never_integers[] = {"",
                                             "-",
                                             "+1",
                                             "-0",
                                             "00",
                                             "01",
                                             "-01",
                                             " ",
                                             "1 ",
                                             " 1",
                                             "1.0",
                                             "1e3",
                                             "0x1",
                                             "a",
                                             "1a",
                                             "--1",
                                             "18446744073709551616",
                                             "99999999999999999999",
                                             "100000000000000000000"};

START_TEST(int64_texts)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"-1", -1},
                {"7", 7},
                {"10", 10},
                {"1234567890123456789", 1234567890123456789},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775807", -INT64_MAX},
                {"-9223372036854775808", INT64_MIN}};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        int64_t value = 42;
        ck_assert_msg(parse_int64(bytes_of(good[i].text), &value), "%s", good[i].text);
        ck_assert_int_eq(value, good[i].value);
        char text[NUMBER_INT64_SIZE];
        size_t size = format_int64(text, value);
        ck_assert(bytes_equal((struct bytes){text, size}, bytes_of(good[i].text)));
    }
    static const char *const bad[] = {"9223372036854775808", "-9223372036854775809",
                                      "9999999999999999999", "18446744073709551615"};
    int64_t value = 42;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        ck_assert_msg(!parse_int64(bytes_of(bad[i]), &value), "%s", bad[i]);
    }
    for (size_t i = 0; i < COUNT_OF(never_integers); i++) {
        ck_assert_msg(!parse_int64(bytes_of(never_integers[i]), &value), "%s", never_integers[i]);
    }
    ck_assert(!parse_int64(BYTES_LITERAL("1\0"), &value));
    ck_assert(!parse_int64((struct bytes){NULL, 0}, &value));
    ck_assert_int_eq(value, 42);
}
END_TEST

START_TEST(uint64_texts)
{
    uint64_t value = 42;
    for (size_t i = 0; i < COUNT_OF(never_integers); i++) {
        ck_assert_msg(!parse_uint64(bytes_of(never_integers[i]), &value), "%s", never_integers[i]);
    }
    ck_assert(!parse_uint64(bytes_of("-1"), &value));
    ck_assert_uint_eq(value, 42);
    ck_assert(parse_uint64(bytes_of("18446744073709551615"), &value));
    ck_assert(value == UINT64_MAX);
    ck_assert(parse_uint64(bytes_of("18446744073709551609"), &value));
    ck_assert(value == UINT64_MAX - 6);
    ck_assert(parse_uint64(bytes_of("0"), &value));
    ck_assert_uint_eq(value, 0);
    char text[NUMBER_INT64_SIZE];
    size_t size = format_uint64(text, UINT64_MAX);
    ck_assert(bytes_equal((struct bytes){text, size}, bytes_of("18446744073709551615")));
}
END_TEST

/* Against printf, with values of every number of digits. */
START_TEST(integers_there_and_back)
{
    struct prng prng;
    prng_init(&prng, 1);
    for (int i = 0; i < 20000; i++) {
        int64_t value = (int64_t)prng_next(&prng) >> prng_below(&prng, 64);
        char expected[32];
        snprintf(expected, sizeof(expected), "%" PRId64, value);
        char text[NUMBER_INT64_SIZE];
        size_t size = format_int64(text, value);
        ck_assert(bytes_equal((struct bytes){text, size}, bytes_of(expected)));
        int64_t back = 0;
        ck_assert(parse_int64((struct bytes){text, size}, &back));
        ck_assert_int_eq(back, value);
    }
}
END_TEST

START_TEST(double_texts)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"1.5", 1.5},
                {"-1e3", -1000},
                {"+1", 1},
                {".5", 0.5},
                {"5.", 5},
                {"0x10", 16},
                {"1e308", 1e308},
                {"4.9e-324", 4.9e-324},
                {"inf", INFINITY},
                {"-inf", -INFINITY},
                {"Infinity", INFINITY},
                {"+INF", INFINITY}};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        double value = 42;
        long double long_value = 42;
        ck_assert_msg(parse_double(bytes_of(good[i].text), &value), "%s", good[i].text);
        ck_assert(value == good[i].value);
        ck_assert_msg(parse_long_double(bytes_of(good[i].text), &long_value), "%s", good[i].text);
        ck_assert((double)long_value == good[i].value);
    }
    static const char *const bad[] = {"",         " 1",       "\t1",  "1 ",  "1\n", "nan",
                                      "-nan",     "NaN(1)",   "abc",  "1e",  "1,5", "1e99999",
                                      "-1e99999", "1e-99999", "inf1", "--1", "0x",  "."};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        double value = 42;
        long double long_value = 42;
        ck_assert_msg(!parse_double(bytes_of(bad[i]), &value), "%s", bad[i]);
        ck_assert_msg(!parse_long_double(bytes_of(bad[i]), &long_value), "%s", bad[i]);
        ck_assert(value == 42);
        ck_assert(long_value == 42);
    }
}
END_TEST

START_TEST(double_range_and_size)
{
    double value = 42;
    long double long_value = 42;
    ck_assert(!parse_double(bytes_of("1e400"), &value));
    ck_assert(!parse_double(bytes_of("1e-400"), &value));
    ck_assert(parse_long_double(bytes_of("1e400"), &long_value));
    ck_assert(long_value == 1e400L);
    ck_assert(!parse_double(BYTES_LITERAL("1\0"), &value));
    ck_assert(!parse_double(BYTES_LITERAL("\0"), &value));

    char text[NUMBER_LONG_DOUBLE_SIZE];
    memset(text, '0', sizeof(text));
    text[1] = '.';
    ck_assert(parse_double((struct bytes){text, sizeof(text) - 1}, &value));
    ck_assert(value == 0);
    ck_assert(!parse_double((struct bytes){text, sizeof(text)}, &value));
    ck_assert(!parse_long_double((struct bytes){text, sizeof(text)}, &long_value));
}
END_TEST

static void expect_double(double value, const char *expected)
{
    char text[NUMBER_DOUBLE_SIZE];
    size_t size = format_double(text, value);
    ck_assert_msg(bytes_equal((struct bytes){text, size}, bytes_of(expected)), "%.*s, not %s",
                  (int)size, text, expected);
}

START_TEST(doubles_in_short)
{
    expect_double(0, "0");
    expect_double(-0.0, "-0");
    expect_double(1, "1");
    expect_double(-17, "-17");
    expect_double(0.1, "0.1");
    expect_double(0.1 + 0.2, "0.30000000000000004");
    expect_double(3.14, "3.14");
    expect_double(1.0 / 3, "0.3333333333333333");
    expect_double(5e-324, "5e-324");
    expect_double(DBL_MAX, "1.7976931348623157e+308");
    expect_double(DBL_MIN, "2.2250738585072014e-308");
    expect_double(1e15, "1000000000000000");
    expect_double(1e16, "10000000000000000");
    expect_double(1e17, "1e+17");
    expect_double(-1e20, "-1e+20");
    expect_double(1.2345678901234568e17, "1.2345678901234568e+17");
    expect_double(0.0001, "0.0001");
    expect_double(0.00001, "1e-05");
    expect_double(1000000000000000.5, "1000000000000000.5");
    expect_double(INFINITY, "inf");
    expect_double(-INFINITY, "-inf");
    expect_double(NAN, "nan");
    expect_double(-NAN, "nan");
}
END_TEST

START_TEST(doubles_there_and_back)
{
    struct prng prng;
    prng_init(&prng, 2);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = prng_next(&prng);
        double value = 0;
        memcpy(&value, &bits, sizeof(value));
        if (i % 2 == 0) {
            value = (double)((int64_t)bits >> 40) / 1000;
        }
        if (!isfinite(value)) {
            continue;
        }
        char text[NUMBER_DOUBLE_SIZE];
        size_t size = format_double(text, value);
        double back = 0;
        ck_assert(parse_double((struct bytes){text, size}, &back));
        ck_assert(back == value);
        /* No shorter precision reads back. */
        char shorter[512];
        int digits = 0;
        for (size_t at = 0; at < size && text[at] != 'e'; at++) {
            digits += text[at] >= '0' && text[at] <= '9' && (digits > 0 || text[at] != '0');
        }
        if (digits > 1 && fabs(value) < 1e17 && value != trunc(value)) {
            int written = snprintf(shorter, sizeof(shorter), "%.*g", digits - 1, value);
            ck_assert_int_lt(written, (int)sizeof(shorter));
            ck_assert_msg(strtod(shorter, NULL) != value, "%.*s, but %s", (int)size, text, shorter);
        }
    }
}
END_TEST

static void expect_human(long double value, const char *expected)
{
    char text[NUMBER_LONG_DOUBLE_SIZE];
    size_t size = format_long_double_human(text, value);
    ck_assert_msg(bytes_equal((struct bytes){text, size}, bytes_of(expected)), "%.*s, not %s",
                  (int)size, text, expected);
}

START_TEST(long_doubles_for_people)
{
    expect_human(0, "0");
    expect_human(-0.0L, "0");
    expect_human(100, "100");
    expect_human(3.0e3L, "3000");
    expect_human(10.5L, "10.5");
    expect_human(0.1L, "0.1");
    expect_human(-0.00000000000000001L, "-0.00000000000000001");
    expect_human(-0.000000000000000001L, "0");
    expect_human(1e20L, "100000000000000000000");
    expect_human(INFINITY, "inf");
    expect_human(-INFINITY, "-inf");
    expect_human(NAN, "nan");
    char text[NUMBER_LONG_DOUBLE_SIZE];
    ck_assert_uint_eq(format_long_double_human(text, LDBL_MAX), LDBL_MAX_10_EXP + 1);
    ck_assert_uint_eq(format_long_double_human(text, -LDBL_MAX), LDBL_MAX_10_EXP + 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("number");
    TCase *tcase = tcase_create("number");
    tcase_add_test(tcase, int64_texts);
    tcase_add_test(tcase, uint64_texts);
    tcase_add_test(tcase, integers_there_and_back);
    tcase_add_test(tcase, double_texts);
    tcase_add_test(tcase, double_range_and_size);
    tcase_add_test(tcase, doubles_in_short);
    tcase_add_test(tcase, doubles_there_and_back);
    tcase_add_test(tcase, long_doubles_for_people);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
