#include "support/harness.h"

#include <check.h>
#include <stdio.h>
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

START_TEST(adding_and_removing)
{
    EXPECT_EFFECT(&h, "SADD s 3 1 2 3", ":3\r\n", "SADD s 3 1 2 3");
    EXPECT(&h, "SADD s 1 2", ":0\r\n");
    EXPECT(&h, "OBJECT ENCODING s", "$6\r\nintset\r\n");
    EXPECT(&h, "SMEMBERS s", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n");
    EXPECT_EFFECT(&h, "SADD s a 1", ":1\r\n", "SADD s a 1");
    EXPECT(&h, "OBJECT ENCODING s", "$8\r\nlistpack\r\n");
    EXPECT(&h, "SCARD s", ":4\r\n");
    EXPECT(&h, "SISMEMBER s a", ":1\r\n");
    EXPECT(&h, "SISMEMBER s b", ":0\r\n");
    EXPECT(&h, "SMISMEMBER s a b 2", "*3\r\n:1\r\n:0\r\n:1\r\n");
    EXPECT_EFFECT(&h, "SREM s 1 1 x 3", ":2\r\n", "SREM s 1 1 x 3");
    EXPECT(&h, "SREM s x", ":0\r\n");
    h.protocol = 3;
    EXPECT(&h, "SMEMBERS s", "~2\r\n$1\r\n2\r\n$1\r\na\r\n");
    EXPECT_EFFECT(&h, "SREM s a 2 2", ":2\r\n", "SREM s a 2 2");
    EXPECT(&h, "EXISTS s", ":0\r\n");
    EXPECT(&h, "TYPE s", "+none\r\n");
}
END_TEST

START_TEST(nothing_there)
{
    EXPECT(&h, "SMEMBERS n", R_EMPTY);
    EXPECT(&h, "SCARD n", ":0\r\n");
    EXPECT(&h, "SISMEMBER n a", ":0\r\n");
    EXPECT(&h, "SMISMEMBER n a b", "*2\r\n:0\r\n:0\r\n");
    EXPECT(&h, "SREM n a", ":0\r\n");
    EXPECT(&h, "SPOP n", R_NULL);
    EXPECT(&h, "SPOP n 3", R_EMPTY);
    EXPECT(&h, "SRANDMEMBER n", R_NULL);
    EXPECT(&h, "SRANDMEMBER n 3", R_EMPTY);
    EXPECT(&h, "SSCAN n 0 COUNT x", R_EMPTY_SCAN);
    EXPECT(&h, "SMOVE n m a", ":0\r\n");
    EXPECT(&h, "SUNION n m", R_EMPTY);
    EXPECT(&h, "SINTER n m", R_EMPTY);
    EXPECT(&h, "SDIFF n m", R_EMPTY);
    EXPECT(&h, "SINTERCARD 2 n m", ":0\r\n");
    EXPECT(&h, "SUNIONSTORE d n m", ":0\r\n");
    h.protocol = 3;
    EXPECT(&h, "SPOP n 3", "~0\r\n");
    EXPECT(&h, "SMEMBERS n", "~0\r\n");
    EXPECT(&h, "SRANDMEMBER n 3", R_EMPTY);
    EXPECT(&h, "SINTER n m", "~0\r\n");
}
END_TEST

START_TEST(moving)
{
    EXPECT_EFFECT(&h, "SADD s a b", ":2\r\n", "SADD s a b");
    EXPECT_EFFECT(&h, "SMOVE s t a", ":1\r\n", "SMOVE s t a");
    EXPECT(&h, "SMOVE s t x", ":0\r\n");
    EXPECT(&h, "SMOVE s s b", ":1\r\n");
    EXPECT(&h, "SMOVE s s x", ":0\r\n");
    EXPECT_EFFECT(&h, "SADD t b", ":1\r\n", "SADD t b");
    EXPECT_EFFECT(&h, "SMOVE s t b", ":1\r\n", "SMOVE s t b");
    EXPECT(&h, "EXISTS s", ":0\r\n");
    EXPECT(&h, "SCARD t", ":2\r\n");
    EXPECT_EFFECT(&h, "SET x 1", R_OK, "SET x 1");
    EXPECT(&h, "SMOVE x t a", R_WRONG);
    EXPECT(&h, "SMOVE t x a", R_WRONG);
    EXPECT(&h, "SMOVE none x a", ":0\r\n");
}
END_TEST

/* What was popped is told, in whatever pieces, and nothing else. */
START_TEST(popping)
{
    EXPECT_EFFECT(&h, "SADD s a", ":1\r\n", "SADD s a");
    EXPECT_EFFECT(&h, "SPOP s", "$1\r\na\r\n", "DEL s");
    EXPECT_EFFECT(&h, "SADD s 1 2 3", ":3\r\n", "SADD s 1 2 3");
    EXPECT(&h, "SPOP s 0", R_EMPTY);
    const char *reply = harness_run(&h, "SPOP s");
    char effect[32];
    snprintf(effect, sizeof(effect), "SREM s %c", reply[4]);
    ck_assert_str_eq(harness_effects(&h), effect);
    h.protocol = 3;
    reply = harness_run(&h, "SPOP s 1");
    ck_assert_int_eq(strncmp(reply, "~1\r\n$1\r\n", 8), 0);
    snprintf(effect, sizeof(effect), "SREM s %c", reply[8]);
    ck_assert_str_eq(harness_effects(&h), effect);
    EXPECT(&h, "SPOP s -1", "-ERR value is out of range, must be positive\r\n");
    EXPECT(&h, "SPOP s x", "-ERR value is out of range, must be positive\r\n");
    EXPECT(&h, "SPOP s 1 2", R_SYNTAX);
    reply = harness_run(&h, "SPOP s 100");
    ck_assert_int_eq(strncmp(reply, "~1\r\n", 4), 0);
    ck_assert_str_eq(harness_effects(&h), "DEL s");
    EXPECT(&h, "EXISTS s", ":0\r\n");
}
END_TEST

START_TEST(popping_many)
{
    struct harness replica;
    harness_init(&replica);
    struct bytes argv[] = {BYTES_LITERAL("SADD"), BYTES_LITERAL("s"), {0}};
    for (unsigned i = 0; i < 1000; i++) {
        char text[16];
        argv[2] = (struct bytes){text, (size_t)snprintf(text, sizeof(text), "m%u", i)};
        harness_run_arguments(&h, 3, argv);
        harness_apply(&replica, buf_bytes(&h.effects));
    }
    for (unsigned left = 1000; left > 0; left -= 250) {
        harness_run(&h, "SPOP s 250");
        harness_apply(&replica, buf_bytes(&h.effects));
        char *ours = harness_content(&h);
        char *theirs = harness_content(&replica);
        ck_assert_str_eq(ours, theirs);
        free(ours);
        free(theirs);
    }
    EXPECT(&h, "EXISTS s", ":0\r\n");
    harness_deinit(&replica);
}
END_TEST

START_TEST(drawing)
{
    EXPECT_EFFECT(&h, "SADD s 7", ":1\r\n", "SADD s 7");
    EXPECT(&h, "SRANDMEMBER s", "$1\r\n7\r\n");
    EXPECT(&h, "SRANDMEMBER s 0", R_EMPTY);
    EXPECT(&h, "SRANDMEMBER s 5", "*1\r\n$1\r\n7\r\n");
    EXPECT(&h, "SRANDMEMBER s -2", "*2\r\n$1\r\n7\r\n$1\r\n7\r\n");
    EXPECT(&h, "SRANDMEMBER s x", R_NOT_INTEGER);
    EXPECT(&h, "SRANDMEMBER s 1 withvalues", R_SYNTAX);
    EXPECT(&h, "SRANDMEMBER s 9223372036854775807", "*1\r\n$1\r\n7\r\n");
    EXPECT(&h, "SRANDMEMBER s -9223372036854775807", "-ERR value is out of range\r\n");
}
END_TEST

START_TEST(combining)
{
    EXPECT_EFFECT(&h, "SADD a 1 2 3 4", ":4\r\n", "SADD a 1 2 3 4");
    EXPECT_EFFECT(&h, "SADD b 3 4 5", ":3\r\n", "SADD b 3 4 5");
    EXPECT_EFFECT(&h, "SADD c 4 x", ":2\r\n", "SADD c 4 x");
    EXPECT(&h, "SINTER a b", "*2\r\n$1\r\n3\r\n$1\r\n4\r\n");
    EXPECT(&h, "SINTER a b c", "*1\r\n$1\r\n4\r\n");
    EXPECT(&h, "SINTER a none b", R_EMPTY);
    EXPECT(&h, "SDIFF a b", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
    EXPECT(&h, "SDIFF a none a", R_EMPTY);
    EXPECT(&h, "SDIFF none a", R_EMPTY);
    EXPECT(&h, "SINTERCARD 2 a b", ":2\r\n");
    EXPECT(&h, "SINTERCARD 2 a b LIMIT 1", ":1\r\n");
    EXPECT(&h, "SINTERCARD 2 a b limit 0", ":2\r\n");
    EXPECT(&h, "SINTERCARD 0 a", "-ERR numkeys should be greater than 0\r\n");
    EXPECT(&h, "SINTERCARD x a", "-ERR numkeys should be greater than 0\r\n");
    EXPECT(&h, "SINTERCARD 2 a", "-ERR Number of keys can't be greater than number of args\r\n");
    EXPECT(&h, "SINTERCARD 1 a LIMIT -1", "-ERR LIMIT can't be negative\r\n");
    EXPECT(&h, "SINTERCARD 1 a LIMIT", R_SYNTAX);
    EXPECT(&h, "SINTERCARD 1 a b", R_SYNTAX);
    EXPECT_EFFECT(&h, "SUNIONSTORE d a b c", ":6\r\n", "SUNIONSTORE d a b c");
    EXPECT(&h, "SCARD d", ":6\r\n");
    EXPECT_EFFECT(&h, "SDIFFSTORE d d a c", ":1\r\n", "SDIFFSTORE d d a c");
    EXPECT(&h, "SMEMBERS d", "*1\r\n$1\r\n5\r\n");
    EXPECT(&h, "OBJECT ENCODING d", "$6\r\nintset\r\n");
    EXPECT_EFFECT(&h, "SINTERSTORE d a none", ":0\r\n", "DEL d");
    EXPECT(&h, "SINTERSTORE d a none", ":0\r\n");
    EXPECT_EFFECT(&h, "SET d text PX 1000", R_OK, "SET d text PXAT 1700000001000");
    EXPECT_EFFECT(&h, "SINTERSTORE d a b", ":2\r\n", "SINTERSTORE d a b");
    EXPECT(&h, "PTTL d", ":-1\r\n");
    EXPECT_EFFECT(&h, "SET d text", R_OK, "SET d text");
    EXPECT_EFFECT(&h, "SDIFFSTORE d a a", ":0\r\n", "DEL d");
    EXPECT_EFFECT(&h, "SET d text", R_OK, "SET d text");
    EXPECT(&h, "SUNIONSTORE x a d", R_WRONG);
    EXPECT(&h, "SINTER none d", R_WRONG);
    h.protocol = 3;
    EXPECT(&h, "SINTER a c", "~1\r\n$1\r\n4\r\n");
}
END_TEST

/* What has expired takes no part, and its end is told before what is made of the rest. */
START_TEST(combining_what_has_expired)
{
    EXPECT_EFFECT(&h, "SADD a 1 2", ":2\r\n", "SADD a 1 2");
    EXPECT_EFFECT(&h, "SADD b 2 3", ":2\r\n", "SADD b 2 3");
    EXPECT_EFFECT(&h, "PEXPIRE b 10", ":1\r\n", "PEXPIREAT b 1700000000010");
    h.now_ms += 10;
    EXPECT_EFFECT(&h, "SUNIONSTORE d a b", ":2\r\n", "DEL b | SUNIONSTORE d a b");
    EXPECT(&h, "SMEMBERS d", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
}
END_TEST

START_TEST(scanning)
{
    EXPECT_EFFECT(&h, "SADD s a 12", ":2\r\n", "SADD s a 12");
    EXPECT(&h, "SSCAN s 0", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$2\r\n12\r\n");
    EXPECT(&h, "SSCAN s 0 MATCH 1? COUNT 1", "*2\r\n$1\r\n0\r\n*1\r\n$2\r\n12\r\n");
    EXPECT(&h, "SSCAN s x", "-ERR invalid cursor\r\n");
    EXPECT(&h, "SSCAN s 0 TYPE set", R_SYNTAX);
}
END_TEST

START_TEST(wrong_kinds)
{
    static const char *const requests[] = {
        "SADD x a",        "SREM x a",       "SCARD x",          "SISMEMBER x a", "SMISMEMBER x a",
        "SMEMBERS x",      "SPOP x",         "SPOP x 2",         "SRANDMEMBER x", "SRANDMEMBER x 2",
        "SSCAN x 0",       "SUNION x",       "SINTER x",         "SDIFF x",       "SINTERCARD 1 x",
        "SUNIONSTORE d x", "SDIFFSTORE d x", "SINTERSTORE d x x"};
    EXPECT_EFFECT(&h, "SET x 1", R_OK, "SET x 1");
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        EXPECT(&h, requests[i], R_WRONG);
    }
    EXPECT_EFFECT(&h, "SADD s 1", ":1\r\n", "SADD s 1");
    EXPECT(&h, "TYPE s", "+set\r\n");
    EXPECT(&h, "GET s", R_WRONG);
    EXPECT(&h, "HGET s f", R_WRONG);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands/set");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, adding_and_removing);
    tcase_add_test(tests, nothing_there);
    tcase_add_test(tests, moving);
    tcase_add_test(tests, popping);
    tcase_add_test(tests, popping_many);
    tcase_add_test(tests, drawing);
    tcase_add_test(tests, combining);
    tcase_add_test(tests, combining_what_has_expired);
    tcase_add_test(tests, scanning);
    tcase_add_test(tests, wrong_kinds);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
