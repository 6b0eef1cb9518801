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

START_TEST(get_and_its_counters)
{
    EXPECT(&h, "GET a", R_NULL);
    ck_assert_uint_eq(h.call.misses, 1);
    EXPECT_EFFECT(&h, "SET a v", R_OK, "SET a v");
    EXPECT(&h, "GET a", "$1\r\nv\r\n");
    ck_assert_uint_eq(h.call.hits, 1);
    ck_assert_uint_eq(h.call.misses, 0);
    EXPECT(&h, "GET a b", "-ERR wrong number of arguments for 'get' command\r\n");
    EXPECT_EFFECT(&h, "SET n -12", R_OK, "SET n -12");
    EXPECT(&h, "GET n", "$3\r\n-12\r\n");
}
END_TEST

START_TEST(get_resp3_null)
{
    h.protocol = 3;
    EXPECT(&h, "GET a", "_\r\n");
}
END_TEST

START_TEST(expired_is_deleted_by_whoever_finds_it)
{
    EXPECT_EFFECT(&h, "SET a v PX 5", R_OK, "SET a v PXAT 1700000000005");
    h.now_ms += 4;
    EXPECT(&h, "GET a", "$1\r\nv\r\n");
    h.now_ms += 1;
    EXPECT_EFFECT(&h, "GET a", R_NULL, "DEL a");
    ck_assert_uint_eq(h.call.expired, 1);
    ck_assert_uint_eq(h.call.misses, 1);
    EXPECT(&h, "GET a", R_NULL);
    ck_assert_uint_eq(h.call.expired, 0);
}
END_TEST

START_TEST(mget)
{
    EXPECT(&h, "MGET a", "*1\r\n$-1\r\n");
    EXPECT_EFFECT(&h, "MSET a 1 b 22", R_OK, "MSET a 1 b 22");
    EXPECT(&h, "MGET a b x a", "*4\r\n$1\r\n1\r\n$2\r\n22\r\n$-1\r\n$1\r\n1\r\n");
    ck_assert_uint_eq(h.call.hits, 3);
    ck_assert_uint_eq(h.call.misses, 1);
    EXPECT(&h, "MGET", "-ERR wrong number of arguments for 'mget' command\r\n");
}
END_TEST

START_TEST(string_sizes)
{
    EXPECT(&h, "STRLEN a", ":0\r\n");
    EXPECT_EFFECT(&h, "SET a hello", R_OK, "SET a hello");
    EXPECT(&h, "STRLEN a", ":5\r\n");
    EXPECT_EFFECT(&h, "SET a -1000", R_OK, "SET a -1000");
    EXPECT(&h, "STRLEN a", ":5\r\n");
    EXPECT(&h, "STRLEN", "-ERR wrong number of arguments for 'strlen' command\r\n");
}
END_TEST

START_TEST(getdel)
{
    EXPECT(&h, "GETDEL a", R_NULL);
    EXPECT_EFFECT(&h, "SET a v", R_OK, "SET a v");
    EXPECT_EFFECT(&h, "GETDEL a", "$1\r\nv\r\n", "DEL a");
    EXPECT(&h, "EXISTS a", ":0\r\n");
    EXPECT_EFFECT(&h, "SET a v PX 1", R_OK, "SET a v PXAT 1700000000001");
    h.now_ms += 1;
    EXPECT_EFFECT(&h, "GETDEL a", R_NULL, "DEL a");
    EXPECT(&h, "GETDEL a b", "-ERR wrong number of arguments for 'getdel' command\r\n");
}
END_TEST

START_TEST(getex)
{
    EXPECT(&h, "GETEX a", R_NULL);
    EXPECT(&h, "GETEX a EX 10", R_NULL);
    EXPECT_EFFECT(&h, "SET a v", R_OK, "SET a v");
    EXPECT(&h, "GETEX a", "$1\r\nv\r\n");
    EXPECT_EFFECT(&h, "GETEX a EX 10", "$1\r\nv\r\n", "PEXPIREAT a 1700000010000");
    EXPECT(&h, "PTTL a", ":10000\r\n");
    EXPECT_EFFECT(&h, "GETEX a PX 7", "$1\r\nv\r\n", "PEXPIREAT a 1700000000007");
    EXPECT_EFFECT(&h, "GETEX a EXAT 1700000009", "$1\r\nv\r\n", "PEXPIREAT a 1700000009000");
    EXPECT_EFFECT(&h, "GETEX a PXAT 1700000000003", "$1\r\nv\r\n", "PEXPIREAT a 1700000000003");
    EXPECT_EFFECT(&h, "GETEX a PERSIST", "$1\r\nv\r\n", "PERSIST a");
    EXPECT(&h, "GETEX a PERSIST", "$1\r\nv\r\n");
    EXPECT(&h, "TTL a", ":-1\r\n");
    EXPECT_EFFECT(&h, "GETEX a PXAT 1", "$1\r\nv\r\n", "DEL a");
    EXPECT(&h, "EXISTS a", ":0\r\n");
    EXPECT_EFFECT(&h, "SET a v", R_OK, "SET a v");
    EXPECT_EFFECT(&h, "GETEX a EXAT 1", "$1\r\nv\r\n", "DEL a");
}
END_TEST

START_TEST(getex_refuses)
{
    EXPECT_EFFECT(&h, "SET a v", R_OK, "SET a v");
    EXPECT(&h, "GETEX a EX", R_SYNTAX);
    EXPECT(&h, "GETEX a EX 1 PX 1", R_SYNTAX);
    EXPECT(&h, "GETEX a EX 1 PERSIST", R_SYNTAX);
    EXPECT(&h, "GETEX a PERSIST EX 1", R_SYNTAX);
    EXPECT(&h, "GETEX a KEEPTTL", R_SYNTAX);
    EXPECT(&h, "GETEX a NX", R_SYNTAX);
    EXPECT(&h, "GETEX a GET", R_SYNTAX);
    EXPECT(&h, "GETEX b foo", R_SYNTAX);
    EXPECT(&h, "GETEX a EX 0", "-ERR invalid expire time in 'getex' command\r\n");
    EXPECT(&h, "GETEX a PX -5", "-ERR invalid expire time in 'getex' command\r\n");
    EXPECT(&h, "GETEX a EX x", R_NOT_INTEGER);
    EXPECT(&h, "GETEX a PX 9223372036854775807", "-ERR invalid expire time in 'getex' command\r\n");
    /* Redis looks for the key first. */
    EXPECT(&h, "GETEX b EX 0", R_NULL);
    EXPECT(&h, "GETEX", "-ERR wrong number of arguments for 'getex' command\r\n");
}
END_TEST

START_TEST(no_touch_leaves_the_access_time)
{
    EXPECT_EFFECT(&h, "SET a v", R_OK, "SET a v");
    h.now_ms += 100000;
    EXPECT(&h, "OBJECT IDLETIME a", ":100\r\n");
    h.session->no_touch = true;
    EXPECT(&h, "GET a", "$1\r\nv\r\n");
    EXPECT(&h, "OBJECT IDLETIME a", ":100\r\n");
    h.session->no_touch = false;
    EXPECT(&h, "GET a", "$1\r\nv\r\n");
    EXPECT(&h, "OBJECT IDLETIME a", ":0\r\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands/string_get");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, get_and_its_counters);
    tcase_add_test(tests, get_resp3_null);
    tcase_add_test(tests, expired_is_deleted_by_whoever_finds_it);
    tcase_add_test(tests, mget);
    tcase_add_test(tests, string_sizes);
    tcase_add_test(tests, getdel);
    tcase_add_test(tests, getex);
    tcase_add_test(tests, getex_refuses);
    tcase_add_test(tests, no_touch_leaves_the_access_time);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
