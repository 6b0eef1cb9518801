#include "support/harness.h"

#include <check.h>
#include <stdlib.h>

static struct harness h;

static void setup(void)
{
    harness_init(&h);
}

static void teardown(void)
{
    harness_deinit(&h);
}

START_TEST(object)
{
    EXPECT(&h, "OBJECT ENCODING a", R_NULL);
    EXPECT(&h, "OBJECT REFCOUNT a", R_NULL);
    EXPECT(&h, "OBJECT IDLETIME a", R_NULL);
    EXPECT(&h, "OBJECT FREQ a", R_NULL);
    EXPECT_EFFECT(&h, "SET a 12", R_OK, "SET a 12");
    EXPECT(&h, "OBJECT ENCODING a", "$3\r\nint\r\n");
    EXPECT(&h, "OBJECT REFCOUNT a", ":1\r\n");
    EXPECT(&h, "OBJECT IDLETIME a", ":0\r\n");
    h.now_ms += 1999;
    EXPECT(&h, "OBJECT IDLETIME a", ":1\r\n");
    EXPECT(&h, "OBJECT FREQ a",
           "-ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please "
           "note that when switching between policies at runtime LRU and LFU data will take some "
           "time to adjust.\r\n");
    EXPECT_EFFECT(&h, "SET a x", R_OK, "SET a x");
    EXPECT(&h, "OBJECT encoding a", "$6\r\nembstr\r\n");
    EXPECT_EFFECT(&h, "SET a xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", R_OK,
                  "SET a xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    EXPECT(&h, "OBJECT ENCODING a", "$3\r\nraw\r\n");
    EXPECT(&h, "OBJECT", "-ERR wrong number of arguments for 'object' command\r\n");
    EXPECT(&h, "OBJECT FOO a", "-ERR unknown subcommand 'FOO'. Try OBJECT HELP.\r\n");
    EXPECT(&h, "OBJECT ENCODING",
           "-ERR wrong number of arguments for 'object|encoding' command\r\n");
}
END_TEST

START_TEST(memory_usage)
{
    EXPECT(&h, "MEMORY USAGE a", R_NULL);
    EXPECT(&h, "MEMORY USAGE a SAMPLES 5", R_NULL);
    EXPECT(&h, "MEMORY USAGE a SAMPLES", R_SYNTAX);
    EXPECT(&h, "MEMORY USAGE a SAMPLES x", R_NOT_INTEGER);
    EXPECT(&h, "MEMORY USAGE a SAMPLES -1", R_SYNTAX);
    EXPECT(&h, "MEMORY USAGE a foo 1", R_SYNTAX);
    EXPECT(&h, "MEMORY PURGE", R_OK);
    EXPECT(&h, "MEMORY", "-ERR wrong number of arguments for 'memory' command\r\n");
    EXPECT_EFFECT(&h, "SET a 1234567890123456789012345678901234567890", R_OK,
                  "SET a 1234567890123456789012345678901234567890");
    const char *reply = harness_run(&h, "MEMORY USAGE a SAMPLES 0");
    long bytes = strtol(reply + 1, NULL, 10);
    ck_assert_int_eq(reply[0], ':');
    ck_assert_int_gt(bytes, 41);
    ck_assert_int_lt(bytes, 200);
}
END_TEST

START_TEST(help_is_lines)
{
    ck_assert_int_eq(harness_run(&h, "OBJECT HELP")[0], '*');
    ck_assert_ptr_nonnull(strstr(harness_run(&h, "OBJECT HELP"), "+ENCODING <key>\r\n"));
    ck_assert_ptr_nonnull(strstr(harness_run(&h, "MEMORY HELP"), "+PURGE\r\n"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands/inspect");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, object);
    tcase_add_test(tests, memory_usage);
    tcase_add_test(tests, help_is_lines);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
