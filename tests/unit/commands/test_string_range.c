#include "support/harness.h"

#include <check.h>

static struct harness h;

static void setup(void)
{
    harness_init(&h);
}

static void teardown(void)
{
    harness_deinit(&h);
}

START_TEST(append)
{
    EXPECT_EFFECT(&h, "APPEND a he", ":2\r\n", "APPEND a he");
    EXPECT_EFFECT(&h, "APPEND a llo", ":5\r\n", "APPEND a llo");
    EXPECT(&h, "GET a", "$5\r\nhello\r\n");
    EXPECT_EFFECT(&h, "APPEND a \"\"", ":5\r\n", "APPEND a ");
    EXPECT_EFFECT(&h, "APPEND b \"\"", ":0\r\n", "APPEND b ");
    EXPECT(&h, "EXISTS b", ":1\r\n");
    EXPECT_EFFECT(&h, "SET n 12", R_OK, "SET n 12");
    EXPECT_EFFECT(&h, "APPEND n 3", ":3\r\n", "APPEND n 3");
    EXPECT(&h, "GET n", "$3\r\n123\r\n");
    EXPECT_EFFECT(&h, "INCR n", ":124\r\n", "INCR n");
    EXPECT_EFFECT(&h, "PEXPIRE a 10", ":1\r\n", "PEXPIREAT a 1700000000010");
    EXPECT_EFFECT(&h, "APPEND a !", ":6\r\n", "APPEND a !");
    EXPECT(&h, "PTTL a", ":10\r\n");
    h.now_ms += 10;
    EXPECT_EFFECT(&h, "APPEND a x", ":1\r\n", "DEL a | APPEND a x");
    EXPECT(&h, "PTTL a", ":-1\r\n");
    EXPECT(&h, "APPEND a", "-ERR wrong number of arguments for 'append' command\r\n");
}
END_TEST

START_TEST(setrange)
{
    EXPECT(&h, "SETRANGE a 0 \"\"", ":0\r\n");
    EXPECT(&h, "EXISTS a", ":0\r\n");
    EXPECT_EFFECT(&h, "SET a hello", R_OK, "SET a hello");
    EXPECT(&h, "SETRANGE a 1 \"\"", ":5\r\n");
    EXPECT_EFFECT(&h, "SETRANGE a 1 ipp", ":5\r\n", "SETRANGE a 1 ipp");
    EXPECT(&h, "GET a", "$5\r\nhippo\r\n");
    EXPECT_EFFECT(&h, "SETRANGE a 4 !!!", ":7\r\n", "SETRANGE a 4 !!!");
    EXPECT(&h, "GET a", "$7\r\nhipp!!!\r\n");
    EXPECT_EFFECT(&h, "PEXPIRE a 50", ":1\r\n", "PEXPIREAT a 1700000000050");
    EXPECT_EFFECT(&h, "SETRANGE a 0 H", ":7\r\n", "SETRANGE a 0 H");
    EXPECT(&h, "PTTL a", ":50\r\n");
    EXPECT_EFFECT(&h, "SET n 100", R_OK, "SET n 100");
    EXPECT_EFFECT(&h, "SETRANGE n 0 2", ":3\r\n", "SETRANGE n 0 2");
    EXPECT(&h, "GET n", "$3\r\n200\r\n");
    EXPECT(&h, "SETRANGE a -1 x", "-ERR offset is out of range\r\n");
    EXPECT(&h, "SETRANGE a x x", R_NOT_INTEGER);
    EXPECT(&h, "SETRANGE a 1", "-ERR wrong number of arguments for 'setrange' command\r\n");
}
END_TEST

START_TEST(setrange_fills_with_zero_bytes)
{
    EXPECT_EFFECT(&h, "SETRANGE z 3 x", ":4\r\n", "SETRANGE z 3 x");
    harness_run(&h, "GET z");
    ck_assert_mem_eq(buf_head(&h.reply), "$4\r\n\0\0\0x\r\n", 10);
}
END_TEST

START_TEST(strings_have_a_greatest_size)
{
    EXPECT(&h, "SETRANGE a 536870912 x",
           "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
    EXPECT(&h, "SETRANGE a 9223372036854775807 x",
           "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
    EXPECT(&h, "EXISTS a", ":0\r\n");
    EXPECT(&h, "SETRANGE a 9223372036854775807 \"\"", ":0\r\n");
}
END_TEST

START_TEST(getrange)
{
    EXPECT_EFFECT(&h, "SET a hello", R_OK, "SET a hello");
    EXPECT(&h, "GETRANGE a 0 -1", "$5\r\nhello\r\n");
    EXPECT(&h, "GETRANGE a 0 0", "$1\r\nh\r\n");
    EXPECT(&h, "GETRANGE a 1 3", "$3\r\nell\r\n");
    EXPECT(&h, "GETRANGE a -3 -1", "$3\r\nllo\r\n");
    EXPECT(&h, "GETRANGE a -100 100", "$5\r\nhello\r\n");
    EXPECT(&h, "GETRANGE a 3 1", "$0\r\n\r\n");
    EXPECT(&h, "GETRANGE a 5 9", "$0\r\n\r\n");
    EXPECT(&h, "GETRANGE a -1 -3", "$0\r\n\r\n");
    EXPECT(&h, "GETRANGE a 0 -100", "$1\r\nh\r\n");
    EXPECT(&h, "GETRANGE a 4 4", "$1\r\no\r\n");
    EXPECT(&h, "GETRANGE a -5 -5", "$1\r\nh\r\n");
    EXPECT(&h, "GETRANGE a -9223372036854775808 9223372036854775807", "$5\r\nhello\r\n");
    EXPECT(&h, "GETRANGE x 0 -1", "$0\r\n\r\n");
    EXPECT(&h, "SUBSTR a 1 2", "$2\r\nel\r\n");
    EXPECT_EFFECT(&h, "SET n 1234", R_OK, "SET n 1234");
    EXPECT(&h, "GETRANGE n 1 2", "$2\r\n23\r\n");
    EXPECT_EFFECT(&h, "SET e \"\"", R_OK, "SET e ");
    EXPECT(&h, "GETRANGE e 0 -1", "$0\r\n\r\n");
    EXPECT(&h, "GETRANGE a x 1", R_NOT_INTEGER);
    EXPECT(&h, "GETRANGE a 1 x", R_NOT_INTEGER);
    EXPECT(&h, "GETRANGE a 1", "-ERR wrong number of arguments for 'getrange' command\r\n");
    EXPECT(&h, "SUBSTR a 1", "-ERR wrong number of arguments for 'substr' command\r\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands/string_range");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, append);
    tcase_add_test(tests, setrange);
    tcase_add_test(tests, setrange_fills_with_zero_bytes);
    tcase_add_test(tests, strings_have_a_greatest_size);
    tcase_add_test(tests, getrange);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
