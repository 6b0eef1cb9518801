#include "client/blocking.h"

#include <check.h>

#define NOW 1000

/* The deadline of a command given as words. */
static uint64_t deadline(size_t argc, const char *const *words)
{
    struct bytes argv[12];
    for (size_t i = 0; i < argc; i++) {
        argv[i] = bytes_of(words[i]);
    }
    ck_assert(blocking_waits(argv, argc));
    return blocking_deadline(argv, argc, NOW);
}

#define DEADLINE(...)                                                                              \
    deadline(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})

START_TEST(a_command_has_the_time_that_it_waits_besides)
{
    ck_assert_uint_eq(DEADLINE("BLPOP", "a", "b", "5"), NOW + 5000);
    ck_assert_uint_eq(DEADLINE("blmove", "a", "b", "LEFT", "LEFT", "0.25"), NOW + 250);
    ck_assert_uint_eq(DEADLINE("BLMPOP", "2", "1", "5", "LEFT"), NOW + 2000);
    ck_assert_uint_eq(DEADLINE("BZPOPMIN", "a", "0.0001"), NOW + 1);
    ck_assert_uint_eq(DEADLINE("WAIT", "1", "40"), NOW + 40);
    ck_assert_uint_eq(DEADLINE("XREAD", "COUNT", "2", "BLOCK", "30", "STREAMS", "s", "$"),
                      NOW + 30);
}
END_TEST

START_TEST(zero_is_for_ever)
{
    ck_assert_uint_eq(DEADLINE("BRPOP", "a", "0"), UINT64_MAX);
    ck_assert_uint_eq(DEADLINE("BRPOP", "a", "1e300"), UINT64_MAX);
    ck_assert_uint_eq(DEADLINE("XREAD", "BLOCK", "0", "STREAMS", "s", "$"), UINT64_MAX);
}
END_TEST

START_TEST(what_is_no_number_the_server_refuses)
{
    ck_assert_uint_eq(DEADLINE("BLPOP", "a", "x"), NOW);
    ck_assert_uint_eq(DEADLINE("BLPOP", "a", "-1"), NOW);
    ck_assert_uint_eq(DEADLINE("BLPOP", "a", "nan"), NOW);
    ck_assert_uint_eq(DEADLINE("BLPOP", "a", ""), NOW);
    ck_assert_uint_eq(DEADLINE("WAIT", "1"), NOW);
    ck_assert_uint_eq(DEADLINE("NEWCOMMAND", "a", "5"), NOW);
}
END_TEST

START_TEST(a_stream_is_waited_for_only_with_block)
{
    const struct bytes argv[] = {BYTES_LITERAL("XREAD"), BYTES_LITERAL("STREAMS"),
                                 BYTES_LITERAL("block"), BYTES_LITERAL("0")};
    ck_assert(!blocking_waits(argv, 4));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client/blocking");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, a_command_has_the_time_that_it_waits_besides);
    tcase_add_test(tests, zero_is_for_ever);
    tcase_add_test(tests, what_is_no_number_the_server_refuses);
    tcase_add_test(tests, a_stream_is_waited_for_only_with_block);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
