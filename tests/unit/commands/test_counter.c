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

START_TEST(counting)
{
    EXPECT_EFFECT(&h, "INCR a", ":1\r\n", "INCR a");
    EXPECT_EFFECT(&h, "INCRBY a 41", ":42\r\n", "INCRBY a 41");
    EXPECT_EFFECT(&h, "DECR a", ":41\r\n", "DECR a");
    EXPECT_EFFECT(&h, "DECRBY a 50", ":-9\r\n", "DECRBY a 50");
    EXPECT_EFFECT(&h, "INCRBY a -1", ":-10\r\n", "INCRBY a -1");
    EXPECT(&h, "GET a", "$3\r\n-10\r\n");
    EXPECT_EFFECT(&h, "DECR b", ":-1\r\n", "DECR b");
    EXPECT_EFFECT(&h, "PEXPIRE a 10", ":1\r\n", "PEXPIREAT a 1700000000010");
    EXPECT_EFFECT(&h, "INCR a", ":-9\r\n", "INCR a");
    EXPECT(&h, "PTTL a", ":10\r\n");
    h.now_ms += 10;
    EXPECT_EFFECT(&h, "INCR a", ":1\r\n", "DEL a | INCR a");
    EXPECT(&h, "PTTL a", ":-1\r\n");
}
END_TEST

START_TEST(not_integers)
{
    EXPECT_EFFECT(&h, "SET a \"x\"", R_OK, "SET a x");
    EXPECT(&h, "INCR a", R_NOT_INTEGER);
    EXPECT_EFFECT(&h, "SET a \"1.0\"", R_OK, "SET a 1.0");
    EXPECT(&h, "INCR a", R_NOT_INTEGER);
    EXPECT_EFFECT(&h, "SET a \" 1\"", R_OK, "SET a  1");
    EXPECT(&h, "INCR a", R_NOT_INTEGER);
    EXPECT_EFFECT(&h, "SET a \"1 \"", R_OK, "SET a 1 ");
    EXPECT(&h, "INCR a", R_NOT_INTEGER);
    EXPECT_EFFECT(&h, "SET a \"01\"", R_OK, "SET a 01");
    EXPECT(&h, "INCR a", R_NOT_INTEGER);
    EXPECT_EFFECT(&h, "SET a \"+1\"", R_OK, "SET a +1");
    EXPECT(&h, "INCR a", R_NOT_INTEGER);
    EXPECT_EFFECT(&h, "SET a \"-0\"", R_OK, "SET a -0");
    EXPECT(&h, "INCR a", R_NOT_INTEGER);
    EXPECT_EFFECT(&h, "SET a \"9223372036854775808\"", R_OK, "SET a 9223372036854775808");
    EXPECT(&h, "INCR a", R_NOT_INTEGER);
    EXPECT_EFFECT(&h, "SET a \"\"", R_OK, "SET a ");
    EXPECT(&h, "INCR a", R_NOT_INTEGER);
    EXPECT(&h, "INCRBY b x", R_NOT_INTEGER);
    EXPECT(&h, "DECRBY b 1.5", R_NOT_INTEGER);
    EXPECT(&h, "INCRBY b 9223372036854775808", R_NOT_INTEGER);
    EXPECT(&h, "EXISTS b", ":0\r\n");
    EXPECT(&h, "INCRBY a", "-ERR wrong number of arguments for 'incrby' command\r\n");
    EXPECT(&h, "INCR", "-ERR wrong number of arguments for 'incr' command\r\n");
}
END_TEST

START_TEST(overflow)
{
    EXPECT_EFFECT(&h, "SET a 9223372036854775807", R_OK, "SET a 9223372036854775807");
    EXPECT(&h, "INCR a", "-ERR increment or decrement would overflow\r\n");
    EXPECT(&h, "INCRBY a 1", "-ERR increment or decrement would overflow\r\n");
    EXPECT_EFFECT(&h, "DECR a", ":9223372036854775806\r\n", "DECR a");
    EXPECT_EFFECT(&h, "INCRBY a 1", ":9223372036854775807\r\n", "INCRBY a 1");
    EXPECT_EFFECT(&h, "SET a -9223372036854775808", R_OK, "SET a -9223372036854775808");
    EXPECT(&h, "DECR a", "-ERR increment or decrement would overflow\r\n");
    EXPECT(&h, "DECRBY a 1", "-ERR increment or decrement would overflow\r\n");
    EXPECT(&h, "DECRBY a -9223372036854775808", "-ERR decrement would overflow\r\n");
    EXPECT(&h, "INCRBY a -1", "-ERR increment or decrement would overflow\r\n");
    EXPECT(&h, "GET a", "$20\r\n-9223372036854775808\r\n");
}
END_TEST

START_TEST(floats)
{
    EXPECT_EFFECT(&h, "INCRBYFLOAT a 10.5", "$4\r\n10.5\r\n", "SET a 10.5");
    EXPECT_EFFECT(&h, "INCRBYFLOAT a 0.1", "$4\r\n10.6\r\n", "SET a 10.6");
    EXPECT_EFFECT(&h, "INCRBYFLOAT a -5", "$3\r\n5.6\r\n", "SET a 5.6");
    EXPECT_EFFECT(&h, "INCRBYFLOAT a -5.6", "$1\r\n0\r\n", "SET a 0");
    EXPECT_EFFECT(&h, "SET a 5.0e3", R_OK, "SET a 5.0e3");
    EXPECT_EFFECT(&h, "INCRBYFLOAT a 2.0e2", "$4\r\n5200\r\n", "SET a 5200");
    EXPECT_EFFECT(&h, "PEXPIRE a 10", ":1\r\n", "PEXPIREAT a 1700000000010");
    EXPECT_EFFECT(&h, "INCRBYFLOAT a 1", "$4\r\n5201\r\n", "SET a 5201 PXAT 1700000000010");
    EXPECT(&h, "PTTL a", ":10\r\n");
    EXPECT_EFFECT(&h, "INCR a", ":5202\r\n", "INCR a");
    EXPECT(&h, "INCRBYFLOAT a x", "-ERR value is not a valid float\r\n");
    EXPECT(&h, "INCRBYFLOAT a \" 1\"", "-ERR value is not a valid float\r\n");
    EXPECT(&h, "INCRBYFLOAT a nan", "-ERR value is not a valid float\r\n");
    EXPECT(&h, "INCRBYFLOAT a inf", "-ERR increment would produce NaN or Infinity\r\n");
    EXPECT(&h, "INCRBYFLOAT a -inf", "-ERR increment would produce NaN or Infinity\r\n");
    EXPECT(&h, "GET a", "$4\r\n5202\r\n");
    EXPECT_EFFECT(&h, "SET a x", R_OK, "SET a x");
    EXPECT(&h, "INCRBYFLOAT a 1", "-ERR value is not a valid float\r\n");
    EXPECT(&h, "INCRBYFLOAT a", "-ERR wrong number of arguments for 'incrbyfloat' command\r\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands/counter");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, counting);
    tcase_add_test(tests, not_integers);
    tcase_add_test(tests, overflow);
    tcase_add_test(tests, floats);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
