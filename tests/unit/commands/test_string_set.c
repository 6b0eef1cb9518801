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

START_TEST(set_replaces_and_clears_expiry)
{
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    EXPECT(&h, "GET a", "$1\r\n1\r\n");
    EXPECT_EFFECT(&h, "SET a x PX 500", R_OK, "SET a x PXAT 1700000000500");
    EXPECT(&h, "PTTL a", ":500\r\n");
    EXPECT_EFFECT(&h, "SeT a y", R_OK, "SET a y");
    EXPECT(&h, "PTTL a", ":-1\r\n");
    EXPECT(&h, "GET a", "$1\r\ny\r\n");
    EXPECT_EFFECT(&h, "SET \"\" \"\"", R_OK, "SET  ");
    EXPECT(&h, "GET \"\"", "$0\r\n\r\n");
    EXPECT(&h, "SET a", "-ERR wrong number of arguments for 'set' command\r\n");
}
END_TEST

START_TEST(set_expiry_options_become_absolute)
{
    EXPECT_EFFECT(&h, "SET a v EX 10", R_OK, "SET a v PXAT 1700000010000");
    EXPECT(&h, "TTL a", ":10\r\n");
    EXPECT_EFFECT(&h, "SET a v px 15", R_OK, "SET a v PXAT 1700000000015");
    EXPECT_EFFECT(&h, "SET a v EXAT 1700000100", R_OK, "SET a v PXAT 1700000100000");
    EXPECT(&h, "EXPIRETIME a", ":1700000100\r\n");
    EXPECT_EFFECT(&h, "SET a v PXAT 1700000000777", R_OK, "SET a v PXAT 1700000000777");
    EXPECT(&h, "PEXPIRETIME a", ":1700000000777\r\n");
    /* The last of two equal options counts. */
    EXPECT_EFFECT(&h, "SET a v EX 1 EX 2", R_OK, "SET a v PXAT 1700000002000");
}
END_TEST

START_TEST(set_keepttl)
{
    EXPECT_EFFECT(&h, "SET a v KEEPTTL", R_OK, "SET a v");
    EXPECT_EFFECT(&h, "SET a v PX 1000", R_OK, "SET a v PXAT 1700000001000");
    EXPECT_EFFECT(&h, "SET a w KEEPTTL", R_OK, "SET a w PXAT 1700000001000");
    EXPECT(&h, "PTTL a", ":1000\r\n");
    h.now_ms += 1000;
    /* What has expired does not pass its expiry on. */
    EXPECT_EFFECT(&h, "SET a w KEEPTTL", R_OK, "DEL a | SET a w");
    EXPECT(&h, "PTTL a", ":-1\r\n");
}
END_TEST

START_TEST(set_conditions)
{
    EXPECT(&h, "SET a 1 XX", R_NULL);
    EXPECT(&h, "EXISTS a", ":0\r\n");
    EXPECT_EFFECT(&h, "SET a 1 NX", R_OK, "SET a 1");
    EXPECT(&h, "SET a 2 NX", R_NULL);
    EXPECT(&h, "GET a", "$1\r\n1\r\n");
    EXPECT_EFFECT(&h, "SET a 2 XX", R_OK, "SET a 2");
    EXPECT(&h, "GET a", "$1\r\n2\r\n");
    EXPECT(&h, "SET a 3 NX PX 100", R_NULL);
    EXPECT(&h, "PTTL a", ":-1\r\n");
    EXPECT_EFFECT(&h, "SET a 3 XX PX 100", R_OK, "SET a 3 PXAT 1700000000100");
    h.now_ms += 100;
    EXPECT_EFFECT(&h, "SET a 4 XX", R_NULL, "DEL a");
    EXPECT_EFFECT(&h, "SET a 4 NX", R_OK, "SET a 4");
}
END_TEST

START_TEST(set_returns_old)
{
    EXPECT_EFFECT(&h, "SET a 1 GET", R_NULL, "SET a 1");
    EXPECT_EFFECT(&h, "SET a 2 GET", "$1\r\n1\r\n", "SET a 2");
    EXPECT(&h, "SET a 3 NX GET", "$1\r\n2\r\n");
    EXPECT(&h, "GET a", "$1\r\n2\r\n");
    EXPECT_EFFECT(&h, "SET b 1 NX GET", R_NULL, "SET b 1");
    EXPECT(&h, "SET c 1 XX GET", R_NULL);
    EXPECT(&h, "EXISTS c", ":0\r\n");
    EXPECT_EFFECT(&h, "SET a 4 XX GET EX 1", "$1\r\n2\r\n", "SET a 4 PXAT 1700000001000");
    EXPECT_EFFECT(&h, "SET a 5 GET KEEPTTL", "$1\r\n4\r\n", "SET a 5 PXAT 1700000001000");
}
END_TEST

START_TEST(set_refuses_contradictions)
{
    EXPECT(&h, "SET a v NX XX", R_SYNTAX);
    EXPECT(&h, "SET a v XX NX", R_SYNTAX);
    EXPECT(&h, "SET a v EX", R_SYNTAX);
    EXPECT(&h, "SET a v EX 1 PX 1", R_SYNTAX);
    EXPECT(&h, "SET a v PX 1 EX 1", R_SYNTAX);
    EXPECT(&h, "SET a v EX 1 KEEPTTL", R_SYNTAX);
    EXPECT(&h, "SET a v KEEPTTL EX 1", R_SYNTAX);
    EXPECT(&h, "SET a v EXAT 1 PXAT 1", R_SYNTAX);
    EXPECT(&h, "SET a v PXAT 1 EX 1", R_SYNTAX);
    EXPECT(&h, "SET a v PERSIST", R_SYNTAX);
    EXPECT(&h, "SET a v foo", R_SYNTAX);
    EXPECT(&h, "SET a v EX 1 x", R_SYNTAX);
    EXPECT(&h, "SET a v \"\"", R_SYNTAX);
    EXPECT(&h, "EXISTS a", ":0\r\n");
}
END_TEST

START_TEST(set_refuses_times)
{
    EXPECT(&h, "SET a v EX x", R_NOT_INTEGER);
    EXPECT(&h, "SET a v EX 1.5", R_NOT_INTEGER);
    EXPECT(&h, "SET a v EX \"\"", R_NOT_INTEGER);
    EXPECT(&h, "SET a v EX 0", "-ERR invalid expire time in 'set' command\r\n");
    EXPECT(&h, "SET a v PX -1", "-ERR invalid expire time in 'set' command\r\n");
    EXPECT(&h, "SET a v PXAT 0", "-ERR invalid expire time in 'set' command\r\n");
    EXPECT(&h, "SET a v EXAT -5", "-ERR invalid expire time in 'set' command\r\n");
    EXPECT(&h, "SET a v EX 9223372036854775", "-ERR invalid expire time in 'set' command\r\n");
    EXPECT(&h, "SET a v EX 9223372036854776", "-ERR invalid expire time in 'set' command\r\n");
    EXPECT(&h, "SET a v PX 9223372036854775807", "-ERR invalid expire time in 'set' command\r\n");
    EXPECT(&h, "SET a v EXAT 9223372036854775807", "-ERR invalid expire time in 'set' command\r\n");
    EXPECT(&h, "SET a v EX 9223372036854775808", R_NOT_INTEGER);
    EXPECT(&h, "EXISTS a", ":0\r\n");
    EXPECT_EFFECT(&h, "SET a v PXAT 9223372036854775807", R_OK, "SET a v PXAT 9223372036854775807");
    EXPECT_EFFECT(&h, "SET a v PX 9223370336854775807", R_OK, "SET a v PXAT 9223372036854775807");
}
END_TEST

START_TEST(set_in_the_past_is_expired_at_once)
{
    EXPECT_EFFECT(&h, "SET a v PXAT 1", R_OK, "SET a v PXAT 1");
    EXPECT_EFFECT(&h, "GET a", R_NULL, "DEL a");
}
END_TEST

START_TEST(setnx)
{
    EXPECT_EFFECT(&h, "SETNX a 1", ":1\r\n", "SET a 1");
    EXPECT(&h, "SETNX a 2", ":0\r\n");
    EXPECT(&h, "GET a", "$1\r\n1\r\n");
    EXPECT_EFFECT(&h, "PEXPIRE a 10", ":1\r\n", "PEXPIREAT a 1700000000010");
    h.now_ms += 10;
    EXPECT_EFFECT(&h, "SETNX a 3", ":1\r\n", "DEL a | SET a 3");
    EXPECT(&h, "SETNX a", "-ERR wrong number of arguments for 'setnx' command\r\n");
}
END_TEST

START_TEST(setex_and_psetex)
{
    EXPECT_EFFECT(&h, "SETEX a 10 v", R_OK, "SET a v PXAT 1700000010000");
    EXPECT_EFFECT(&h, "PSETEX a 10 w", R_OK, "SET a w PXAT 1700000000010");
    EXPECT(&h, "GET a", "$1\r\nw\r\n");
    EXPECT(&h, "SETEX a 0 v", "-ERR invalid expire time in 'setex' command\r\n");
    EXPECT(&h, "PSETEX a -1 v", "-ERR invalid expire time in 'psetex' command\r\n");
    EXPECT(&h, "SETEX a x v", R_NOT_INTEGER);
    EXPECT(&h, "SETEX a 9223372036854775 v", "-ERR invalid expire time in 'setex' command\r\n");
    EXPECT(&h, "PSETEX a 9223372036854775807 v",
           "-ERR invalid expire time in 'psetex' command\r\n");
    EXPECT(&h, "SETEX a 1", "-ERR wrong number of arguments for 'setex' command\r\n");
    EXPECT(&h, "GET a", "$1\r\nw\r\n");
}
END_TEST

START_TEST(getset)
{
    EXPECT_EFFECT(&h, "GETSET a 1", R_NULL, "SET a 1");
    EXPECT_EFFECT(&h, "PEXPIRE a 10", ":1\r\n", "PEXPIREAT a 1700000000010");
    EXPECT_EFFECT(&h, "GETSET a 2", "$1\r\n1\r\n", "SET a 2");
    EXPECT(&h, "TTL a", ":-1\r\n");
    EXPECT(&h, "GETSET a", "-ERR wrong number of arguments for 'getset' command\r\n");
}
END_TEST

START_TEST(mset)
{
    EXPECT_EFFECT(&h, "MSET a 1 b 2 a 3", R_OK, "MSET a 1 b 2 a 3");
    EXPECT(&h, "MGET a b c", "*3\r\n$1\r\n3\r\n$1\r\n2\r\n$-1\r\n");
    EXPECT(&h, "MSET a 1 b", "-ERR wrong number of arguments for 'mset' command\r\n");
    EXPECT(&h, "MSET a", "-ERR wrong number of arguments for 'mset' command\r\n");
    EXPECT_EFFECT(&h, "PEXPIRE a 10", ":1\r\n", "PEXPIREAT a 1700000000010");
    EXPECT_EFFECT(&h, "MSET a 1", R_OK, "MSET a 1");
    EXPECT(&h, "TTL a", ":-1\r\n");
}
END_TEST

START_TEST(msetnx)
{
    EXPECT_EFFECT(&h, "MSETNX a 1 b 2", ":1\r\n", "MSETNX a 1 b 2");
    EXPECT(&h, "MSETNX c 1 b 2", ":0\r\n");
    EXPECT(&h, "EXISTS c", ":0\r\n");
    EXPECT_EFFECT(&h, "PEXPIRE b 10", ":1\r\n", "PEXPIREAT b 1700000000010");
    h.now_ms += 10;
    EXPECT_EFFECT(&h, "MSETNX c 1 b 3 c 4", ":1\r\n", "DEL b | MSETNX c 1 b 3 c 4");
    EXPECT(&h, "MGET b c", "*2\r\n$1\r\n3\r\n$1\r\n4\r\n");
    EXPECT(&h, "MSETNX a 1 b", "-ERR wrong number of arguments for 'msetnx' command\r\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands/string_set");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, set_replaces_and_clears_expiry);
    tcase_add_test(tests, set_expiry_options_become_absolute);
    tcase_add_test(tests, set_keepttl);
    tcase_add_test(tests, set_conditions);
    tcase_add_test(tests, set_returns_old);
    tcase_add_test(tests, set_refuses_contradictions);
    tcase_add_test(tests, set_refuses_times);
    tcase_add_test(tests, set_in_the_past_is_expired_at_once);
    tcase_add_test(tests, setnx);
    tcase_add_test(tests, setex_and_psetex);
    tcase_add_test(tests, getset);
    tcase_add_test(tests, mset);
    tcase_add_test(tests, msetnx);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
