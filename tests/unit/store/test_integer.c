#include "node/store/integer.h"

#include "tests/unit/store/support.h"

#include <inttypes.h>

START_TEST(canonical_text_is_an_integer)
{
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {
        {"0", 0},
        {"1", 1},
        {"-1", -1},
        {"10", 10},
        {"4294967296", 4294967296},
        {"9223372036854775806", INT64_MAX - 1},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775807", INT64_MIN + 1},
        {"-9223372036854775808", INT64_MIN},
        {"1000000000000000000", 1000000000000000000},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t value = 42;
        ck_assert_msg(integer_parse(bytes_of(cases[i].text), &value), "%s", cases[i].text);
        ck_assert_int_eq(value, cases[i].value);
        char text[INTEGER_TEXT_SIZE_MAX];
        struct bytes written = {text, integer_format(cases[i].value, text)};
        ck_assert(bytes_equal(written, bytes_of(cases[i].text)));
    }
}
END_TEST

START_TEST(other_text_is_not)
{
    static const char *const cases[] = {
        "",
        "-",
        "+1",
        "-0",
        "00",
        "01",
        "-01",
        " 1",
        "1 ",
        "1.0",
        "1e3",
        "0x10",
        "--1",
        "1-",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "10000000000000000000",
        "99999999999999999999",
        "-99999999999999999999",
        "100000000000000000000",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t value = 42;
        ck_assert_msg(!integer_parse(bytes_of(cases[i]), &value), "%s", cases[i]);
        ck_assert_int_eq(value, 42);
    }
    int64_t value;
    ck_assert(!integer_parse((struct bytes){"1\0", 2}, &value));
    ck_assert(!integer_parse((struct bytes){NULL, 0}, &value));
}
END_TEST

START_TEST(printing_and_reading_agree)
{
    struct prng prng;
    prng_init(&prng, 11);
    for (int i = 0; i < 100000; i++) {
        int64_t value = (int64_t)(prng_next(&prng) >> prng_below(&prng, 64));
        value = prng_below(&prng, 2) == 0 ? value : -value;
        char expected[32];
        char text[INTEGER_TEXT_SIZE_MAX];
        snprintf(expected, sizeof(expected), "%" PRId64, value);
        struct bytes written = {text, integer_format(value, text)};
        require(bytes_equal(written, bytes_of(expected)));
        int64_t back;
        require(integer_parse(written, &back));
        require(back == value);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("integer");
    TCase *tests = tcase_create("integer");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, canonical_text_is_an_integer);
    tcase_add_test(tests, other_text_is_not);
    tcase_add_test(tests, printing_and_reading_agree);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
