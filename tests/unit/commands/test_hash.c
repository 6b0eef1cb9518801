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

START_TEST(setting_and_getting)
{
    EXPECT_EFFECT(&h, "HSET h a 1 b 2", ":2\r\n", "HSET h a 1 b 2");
    EXPECT_EFFECT(&h, "HSET h a 3 c 4 c 5", ":1\r\n", "HSET h a 3 c 4 c 5");
    EXPECT_EFFECT(&h, "HMSET h d 6", R_OK, "HMSET h d 6");
    EXPECT(&h, "HGETALL h",
           "*8\r\n$1\r\na\r\n$1\r\n3\r\n$1\r\nb\r\n$1\r\n2\r\n$1\r\nc\r\n$1\r\n5\r\n$1\r\nd\r\n"
           "$1\r\n6\r\n");
    EXPECT(&h, "HKEYS h", "*4\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n");
    EXPECT(&h, "HVALS h", "*4\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n5\r\n$1\r\n6\r\n");
    EXPECT(&h, "HGET h c", "$1\r\n5\r\n");
    EXPECT(&h, "HGET h x", R_NULL);
    EXPECT(&h, "HMGET h b x a", "*3\r\n$1\r\n2\r\n$-1\r\n$1\r\n3\r\n");
    EXPECT(&h, "HEXISTS h b", ":1\r\n");
    EXPECT(&h, "HEXISTS h 2", ":0\r\n");
    EXPECT(&h, "HLEN h", ":4\r\n");
    EXPECT_EFFECT(&h, "HSETNX h e value", ":1\r\n", "HSETNX h e value");
    EXPECT(&h, "HSETNX h e other", ":0\r\n");
    EXPECT(&h, "HSTRLEN h e", ":5\r\n");
    EXPECT(&h, "HSTRLEN h x", ":0\r\n");
    h.protocol = 3;
    EXPECT(&h, "HMGET h x", "*1\r\n_\r\n");
    EXPECT_EFFECT(&h, "HDEL h a b c d x x", ":4\r\n", "HDEL h a b c d x x");
    EXPECT(&h, "HGETALL h", "%1\r\n$1\r\ne\r\n$5\r\nvalue\r\n");
    EXPECT(&h, "HDEL h x", ":0\r\n");
    EXPECT_EFFECT(&h, "HDEL h e e", ":1\r\n", "HDEL h e e");
    EXPECT(&h, "EXISTS h", ":0\r\n");
}
END_TEST

START_TEST(nothing_there)
{
    EXPECT(&h, "HGET n f", R_NULL);
    EXPECT(&h, "HMGET n f g", "*2\r\n$-1\r\n$-1\r\n");
    EXPECT(&h, "HGETALL n", R_EMPTY);
    EXPECT(&h, "HKEYS n", R_EMPTY);
    EXPECT(&h, "HVALS n", R_EMPTY);
    EXPECT(&h, "HLEN n", ":0\r\n");
    EXPECT(&h, "HEXISTS n f", ":0\r\n");
    EXPECT(&h, "HSTRLEN n f", ":0\r\n");
    EXPECT(&h, "HDEL n f", ":0\r\n");
    EXPECT(&h, "HRANDFIELD n", R_NULL);
    EXPECT(&h, "HRANDFIELD n 3", R_EMPTY);
    EXPECT(&h, "HRANDFIELD n -3 WITHVALUES", R_EMPTY);
    EXPECT(&h, "HSCAN n 0 COUNT x", R_EMPTY_SCAN);
    h.protocol = 3;
    EXPECT(&h, "HGETALL n", "%0\r\n");
    EXPECT(&h, "HKEYS n", R_EMPTY);
}
END_TEST

START_TEST(counting)
{
    EXPECT_EFFECT(&h, "HINCRBY h f 5", ":5\r\n", "HINCRBY h f 5");
    EXPECT_EFFECT(&h, "HINCRBY h f -7", ":-2\r\n", "HINCRBY h f -7");
    EXPECT(&h, "HINCRBY h f -9223372036854775807",
           "-ERR increment or decrement would overflow\r\n");
    EXPECT(&h, "HINCRBY h f x", R_NOT_INTEGER);
    EXPECT_EFFECT(&h, "HINCRBYFLOAT h f 0.5", "$4\r\n-1.5\r\n", "HSET h f -1.5");
    EXPECT(&h, "HINCRBY h f 1", "-ERR hash value is not an integer\r\n");
    EXPECT_EFFECT(&h, "HINCRBYFLOAT h g 1e3", "$4\r\n1000\r\n", "HSET h g 1000");
    EXPECT(&h, "HINCRBYFLOAT h g x", "-ERR value is not a valid float\r\n");
    EXPECT(&h, "HINCRBYFLOAT h g inf", "-ERR value is NaN or Infinity\r\n");
    EXPECT_EFFECT(&h, "HSET h t text", ":1\r\n", "HSET h t text");
    EXPECT(&h, "HINCRBYFLOAT h t 1", "-ERR hash value is not a float\r\n");
    EXPECT_EFFECT(&h, "HSET h big 1e4932", ":1\r\n", "HSET h big 1e4932");
    EXPECT(&h, "HINCRBYFLOAT h big 1e4932", "-ERR increment would produce NaN or Infinity\r\n");
    EXPECT(&h, "HLEN h", ":4\r\n");
}
END_TEST

START_TEST(expiry_stays)
{
    EXPECT_EFFECT(&h, "HSET h f 1", ":1\r\n", "HSET h f 1");
    EXPECT_EFFECT(&h, "PEXPIRE h 100", ":1\r\n", "PEXPIREAT h 1700000000100");
    EXPECT_EFFECT(&h, "HSET h g 2", ":1\r\n", "HSET h g 2");
    EXPECT_EFFECT(&h, "HINCRBYFLOAT h g 2", "$1\r\n4\r\n", "HSET h g 4");
    EXPECT(&h, "PTTL h", ":100\r\n");
    h.now_ms += 100;
    EXPECT_EFFECT(&h, "HSET h x 1", ":1\r\n", "DEL h | HSET h x 1");
    EXPECT(&h, "HGETALL h", "*2\r\n$1\r\nx\r\n$1\r\n1\r\n");
    EXPECT(&h, "PTTL h", ":-1\r\n");
}
END_TEST

START_TEST(drawing)
{
    EXPECT_EFFECT(&h, "HSET h a 1", ":1\r\n", "HSET h a 1");
    EXPECT(&h, "HRANDFIELD h", "$1\r\na\r\n");
    EXPECT(&h, "HRANDFIELD h 0", R_EMPTY);
    EXPECT(&h, "HRANDFIELD h 5", "*1\r\n$1\r\na\r\n");
    EXPECT(&h, "HRANDFIELD h -2", "*2\r\n$1\r\na\r\n$1\r\na\r\n");
    EXPECT(&h, "HRANDFIELD h -2 withvalues", "*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\na\r\n$1\r\n1\r\n");
    EXPECT(&h, "HRANDFIELD h x", R_NOT_INTEGER);
    EXPECT(&h, "HRANDFIELD h 1 values", R_SYNTAX);
    EXPECT(&h, "HRANDFIELD h 1 withvalues more", R_SYNTAX);
    EXPECT(&h, "HRANDFIELD h -9223372036854775808",
           "-ERR value is out of range, value must between -9223372036854775807 and "
           "9223372036854775807\r\n");
    EXPECT(&h, "HRANDFIELD h 9223372036854775807 withvalues", "-ERR value is out of range\r\n");
    /* Nobody is to wait for that many. */
    EXPECT(&h, "HRANDFIELD h -9223372036854775807", "-ERR value is out of range\r\n");
    h.protocol = 3;
    EXPECT(&h, "HRANDFIELD h 1 WITHVALUES", "*1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n");
    EXPECT(&h, "HRANDFIELD h 1", "*1\r\n$1\r\na\r\n");
}
END_TEST

/* Fields f0 .. of a new hash, each with its number as value. */
static void make_numbered(unsigned count)
{
    struct bytes argv[4] = {BYTES_LITERAL("HSET"), BYTES_LITERAL("h")};
    harness_run(&h, "DEL h");
    for (unsigned i = 0; i < count; i++) {
        char field[16];
        argv[2] = (struct bytes){field, (size_t)snprintf(field, sizeof(field), "f%u", i)};
        argv[3] = (struct bytes){field + 1, argv[2].size - 1};
        ck_assert_str_eq(harness_run_arguments(&h, 4, argv), ":1\r\n");
    }
}

#define FIELDS 3000

/* Counts which fields are in a reply; returns how many there are. */
static size_t tally(const char *reply, unsigned seen[FIELDS])
{
    size_t count = 0;
    for (const char *at = reply; (at = strstr(at, "\r\nf")) != NULL; at++) {
        unsigned long number = strtoul(at + 3, NULL, 10);
        seen[number % FIELDS]++;
        count++;
    }
    return count;
}

START_TEST(scanning)
{
    static unsigned seen[FIELDS];
    EXPECT_EFFECT(&h, "HSET h a 1 b 2", ":2\r\n", "HSET h a 1 b 2");
    EXPECT(&h, "HSCAN h 0", "*2\r\n$1\r\n0\r\n*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n");
    EXPECT(&h, "HSCAN h 0 MATCH b COUNT 1", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n");
    EXPECT(&h, "HSCAN h 0 MATCH 2", R_EMPTY_SCAN);
    EXPECT(&h, "HSCAN h x", "-ERR invalid cursor\r\n");
    EXPECT(&h, "HSCAN h 0 COUNT 0", R_SYNTAX);
    EXPECT(&h, "HSCAN h 0 COUNT x", R_NOT_INTEGER);
    EXPECT(&h, "HSCAN h 0 TYPE hash", R_SYNTAX);
    EXPECT(&h, "HSCAN h 0 MATCH", R_SYNTAX);
    make_numbered(FIELDS);
    char request[64] = "HSCAN h 0 COUNT 100";
    unsigned calls = 0;
    uint64_t cursor;
    do {
        const char *reply = harness_run(&h, request);
        ck_assert_uint_lt(tally(reply, seen), 130);
        cursor = strtoull(strchr(reply, '\n') + 1 + strcspn(strchr(reply, '\n') + 1, "\n") + 1,
                          NULL, 10);
        snprintf(request, sizeof(request), "HSCAN h %llu COUNT 100", (unsigned long long)cursor);
        calls++;
    } while (cursor != 0);
    ck_assert_uint_ge(calls, 20);
    for (unsigned i = 0; i < FIELDS; i++) {
        ck_assert_uint_eq(seen[i], 1);
    }
    EXPECT(&h, "HSCAN h 18446744073709551615", R_EMPTY_SCAN);
}
END_TEST

START_TEST(wrong_kinds_and_counts)
{
    static const char *const requests[] = {
        "HSET s f v",         "HMSET s f v",      "HSETNX s f v", "HGET s f",     "HMGET s f",
        "HDEL s f",           "HGETALL s",        "HKEYS s",      "HVALS s",      "HLEN s",
        "HEXISTS s f",        "HSTRLEN s f",      "HSCAN s 0",    "HRANDFIELD s", "HINCRBY s f 1",
        "HINCRBYFLOAT s f 1", "HSCAN s 0 COUNT x"};
    EXPECT_EFFECT(&h, "SET s 1", R_OK, "SET s 1");
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        EXPECT(&h, requests[i], R_WRONG);
    }
    EXPECT(&h, "HSET h f", "-ERR wrong number of arguments for 'hset' command\r\n");
    EXPECT(&h, "HSET h f v g", "-ERR wrong number of arguments for 'hset' command\r\n");
    EXPECT(&h, "HMSET h f v g", "-ERR wrong number of arguments for 'hmset' command\r\n");
    EXPECT_EFFECT(&h, "HSET h f v", ":1\r\n", "HSET h f v");
    EXPECT(&h, "TYPE h", "+hash\r\n");
    EXPECT(&h, "GET h", R_WRONG);
    EXPECT(&h, "LPUSH h x", R_WRONG);
    EXPECT(&h, "OBJECT ENCODING h", "$8\r\nlistpack\r\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands/hash");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, setting_and_getting);
    tcase_add_test(tests, nothing_there);
    tcase_add_test(tests, counting);
    tcase_add_test(tests, expiry_stays);
    tcase_add_test(tests, drawing);
    tcase_add_test(tests, scanning);
    tcase_add_test(tests, wrong_kinds_and_counts);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
