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

/* As a replica: there is nobody to tell. */
#define EXPECT_APPLY(request, reply)                                                               \
    do {                                                                                           \
        ck_assert_str_eq(harness_run(&h, request), reply);                                         \
        ck_assert_uint_eq(buf_size(&h.effects), 0);                                                \
    } while (0)

START_TEST(four_ways_to_say_when)
{
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    EXPECT_EFFECT(&h, "EXPIRE a 10", ":1\r\n", "PEXPIREAT a 1700000010000");
    EXPECT(&h, "PTTL a", ":10000\r\n");
    EXPECT_EFFECT(&h, "PEXPIRE a 10", ":1\r\n", "PEXPIREAT a 1700000000010");
    EXPECT_EFFECT(&h, "EXPIREAT a 1700000001", ":1\r\n", "PEXPIREAT a 1700000001000");
    EXPECT_EFFECT(&h, "PEXPIREAT a 1700000000009", ":1\r\n", "PEXPIREAT a 1700000000009");
    EXPECT(&h, "PEXPIRETIME a", ":1700000000009\r\n");
    EXPECT(&h, "EXPIRE x 10", ":0\r\n");
    EXPECT(&h, "EXPIRE a", "-ERR wrong number of arguments for 'expire' command\r\n");
}
END_TEST

START_TEST(the_past_deletes)
{
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    EXPECT_EFFECT(&h, "EXPIRE a 0", ":1\r\n", "DEL a");
    EXPECT(&h, "EXISTS a", ":0\r\n");
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    EXPECT_EFFECT(&h, "EXPIRE a -1", ":1\r\n", "DEL a");
    EXPECT(&h, "EXISTS a", ":0\r\n");
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    EXPECT_EFFECT(&h, "PEXPIRE a 0", ":1\r\n", "DEL a");
    EXPECT(&h, "EXISTS a", ":0\r\n");
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    EXPECT_EFFECT(&h, "PEXPIRE a -5", ":1\r\n", "DEL a");
    EXPECT(&h, "EXISTS a", ":0\r\n");
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    EXPECT_EFFECT(&h, "EXPIREAT a 1", ":1\r\n", "DEL a");
    EXPECT(&h, "EXISTS a", ":0\r\n");
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    EXPECT_EFFECT(&h, "PEXPIREAT a 1700000000000", ":1\r\n", "DEL a");
    EXPECT(&h, "EXISTS a", ":0\r\n");
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    EXPECT_EFFECT(&h, "PEXPIREAT a -1", ":1\r\n", "DEL a");
    EXPECT(&h, "EXISTS a", ":0\r\n");
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    EXPECT_EFFECT(&h, "EXPIREAT a -9223372036854775", ":1\r\n", "DEL a");
    EXPECT(&h, "EXISTS a", ":0\r\n");
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    EXPECT_EFFECT(&h, "EXPIREAT a 0", ":1\r\n", "DEL a");
    EXPECT(&h, "EXISTS a", ":0\r\n");
}
END_TEST

START_TEST(conditions)
{
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    EXPECT(&h, "EXPIRE a 10 XX", ":0\r\n");
    EXPECT(&h, "EXPIRE a 10 GT", ":0\r\n");
    EXPECT_EFFECT(&h, "EXPIRE a 10 NX", ":1\r\n", "PEXPIREAT a 1700000010000");
    EXPECT(&h, "EXPIRE a 20 NX", ":0\r\n");
    EXPECT(&h, "EXPIRE a 10 GT", ":0\r\n");
    EXPECT(&h, "EXPIRE a 9 GT", ":0\r\n");
    EXPECT_EFFECT(&h, "EXPIRE a 11 gt", ":1\r\n", "PEXPIREAT a 1700000011000");
    EXPECT(&h, "EXPIRE a 11 LT", ":0\r\n");
    EXPECT(&h, "EXPIRE a 12 LT", ":0\r\n");
    EXPECT_EFFECT(&h, "EXPIRE a 5 LT", ":1\r\n", "PEXPIREAT a 1700000005000");
    EXPECT_EFFECT(&h, "EXPIRE a 7 XX", ":1\r\n", "PEXPIREAT a 1700000007000");
    EXPECT(&h, "EXPIRE a 6 XX GT", ":0\r\n");
    EXPECT_EFFECT(&h, "EXPIRE a 8 XX GT", ":1\r\n", "PEXPIREAT a 1700000008000");
    EXPECT_EFFECT(&h, "EXPIRE a 3 LT XX", ":1\r\n", "PEXPIREAT a 1700000003000");
    EXPECT_EFFECT(&h, "PERSIST a", ":1\r\n", "PERSIST a");
    EXPECT(&h, "EXPIRE a 3 LT XX", ":0\r\n");
    EXPECT_EFFECT(&h, "EXPIRE a 3 LT", ":1\r\n", "PEXPIREAT a 1700000003000");
    EXPECT(&h, "EXPIRE a -1 GT", ":0\r\n");
    EXPECT_EFFECT(&h, "EXPIRE a -1 LT", ":1\r\n", "DEL a");
}
END_TEST

START_TEST(refusals)
{
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    EXPECT(&h, "EXPIRE a 1 NX XX",
           "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n");
    EXPECT(&h, "EXPIRE a 1 GT NX",
           "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n");
    EXPECT(&h, "EXPIRE a 1 NX LT",
           "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n");
    EXPECT(&h, "EXPIRE a 1 GT LT",
           "-ERR GT and LT options at the same time are not compatible\r\n");
    EXPECT(&h, "EXPIRE a 1 Foo", "-ERR Unsupported option Foo\r\n");
    EXPECT(&h, "EXPIRE a 1 \"\"", "-ERR Unsupported option \r\n");
    EXPECT(&h, "EXPIRE a x", R_NOT_INTEGER);
    EXPECT(&h, "EXPIRE a 9223372036854776", "-ERR invalid expire time in 'expire' command\r\n");
    EXPECT(&h, "EXPIRE a -9223372036854776", "-ERR invalid expire time in 'expire' command\r\n");
    EXPECT(&h, "EXPIRE a 9223372036854775", "-ERR invalid expire time in 'expire' command\r\n");
    EXPECT(&h, "PEXPIRE a 9223372036854775807",
           "-ERR invalid expire time in 'pexpire' command\r\n");
    EXPECT(&h, "EXPIREAT a 9223372036854776", "-ERR invalid expire time in 'expireat' command\r\n");
    EXPECT(&h, "EXPIRE a x NX XX",
           "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n");
    EXPECT(&h, "EXPIRE x 9223372036854776", "-ERR invalid expire time in 'expire' command\r\n");
    EXPECT(&h, "TTL a", ":-1\r\n");
    EXPECT_EFFECT(&h, "PEXPIREAT a 9223372036854775807", ":1\r\n",
                  "PEXPIREAT a 9223372036854775807");
}
END_TEST

START_TEST(ttl_rounds)
{
    EXPECT(&h, "TTL a", ":-2\r\n");
    EXPECT(&h, "PTTL a", ":-2\r\n");
    EXPECT(&h, "EXPIRETIME a", ":-2\r\n");
    EXPECT(&h, "PEXPIRETIME a", ":-2\r\n");
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    EXPECT(&h, "TTL a", ":-1\r\n");
    EXPECT(&h, "PTTL a", ":-1\r\n");
    EXPECT(&h, "EXPIRETIME a", ":-1\r\n");
    EXPECT(&h, "PEXPIRETIME a", ":-1\r\n");
    EXPECT_EFFECT(&h, "PEXPIRE a 1499", ":1\r\n", "PEXPIREAT a 1700000001499");
    EXPECT(&h, "TTL a", ":1\r\n");
    EXPECT(&h, "EXPIRETIME a", ":1700000001\r\n");
    EXPECT_EFFECT(&h, "PEXPIRE a 1500", ":1\r\n", "PEXPIREAT a 1700000001500");
    EXPECT(&h, "TTL a", ":2\r\n");
    EXPECT(&h, "EXPIRETIME a", ":1700000002\r\n");
    EXPECT(&h, "PTTL a", ":1500\r\n");
    h.now_ms += 1400;
    EXPECT(&h, "TTL a", ":0\r\n");
    EXPECT(&h, "PTTL a", ":100\r\n");
    h.now_ms += 100;
    EXPECT_EFFECT(&h, "TTL a", ":-2\r\n", "DEL a");
}
END_TEST

START_TEST(persist)
{
    EXPECT(&h, "PERSIST a", ":0\r\n");
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    EXPECT(&h, "PERSIST a", ":0\r\n");
    EXPECT_EFFECT(&h, "EXPIRE a 1", ":1\r\n", "PEXPIREAT a 1700000001000");
    EXPECT_EFFECT(&h, "PERSIST a", ":1\r\n", "PERSIST a");
    EXPECT(&h, "TTL a", ":-1\r\n");
    EXPECT_EFFECT(&h, "PEXPIRE a 1", ":1\r\n", "PEXPIREAT a 1700000000001");
    h.now_ms += 1;
    EXPECT_EFFECT(&h, "PERSIST a", ":0\r\n", "DEL a");
}
END_TEST

START_TEST(a_replica_does_not_judge_expiry)
{
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    h.applying = true;
    EXPECT_APPLY("PEXPIREAT a 5", ":1\r\n");
    EXPECT_APPLY("GET a", "$1\r\n1\r\n");
    EXPECT_APPLY("INCR a", ":2\r\n");
    EXPECT_APPLY("PEXPIRETIME a", ":5\r\n");
    EXPECT_APPLY("GETEX a PXAT 6", "$1\r\n2\r\n");
    EXPECT_APPLY("PEXPIRETIME a", ":6\r\n");
    EXPECT_APPLY("PERSIST a", ":1\r\n");
    h.applying = false;
    EXPECT(&h, "GET a", "$1\r\n2\r\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands/expire");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, four_ways_to_say_when);
    tcase_add_test(tests, the_past_deletes);
    tcase_add_test(tests, conditions);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, ttl_rounds);
    tcase_add_test(tests, persist);
    tcase_add_test(tests, a_replica_does_not_judge_expiry);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
