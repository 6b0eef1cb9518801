#include "support/harness.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define R_NULL_ARRAY "*-1\r\n"

static struct harness h;

static void setup(void)
{
    harness_init(&h);
}

static void teardown(void)
{
    harness_deinit(&h);
}

/* The values of a list with blanks between them, as LRANGE returns them. */
static void expect_list(int line, const char *key, const char *words)
{
    char request[64];
    char text[1024] = "";
    size_t size = 0;
    const char *between = "";
    snprintf(request, sizeof(request), "LRANGE %s 0 -1", key);
    const char *at = harness_run(&h, request);
    while ((at = strchr(at, '$')) != NULL) {
        const char *value = strchr(at, '\n') + 1;
        const char *end = strchr(value, '\r');
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%.*s", between,
                                 (int)(end - value), value);
        between = " ";
        at = end;
    }
    ck_assert_msg(strcmp(text, words) == 0, "line %d: %s holds %s", line, key, text);
}

#define EXPECT_LIST(key, words) expect_list(__LINE__, (key), (words))

START_TEST(pushing)
{
    EXPECT_EFFECT(&h, "RPUSH l a b c", ":3\r\n", "RPUSH l a b c");
    EXPECT_EFFECT(&h, "LPUSH l x y", ":5\r\n", "LPUSH l x y");
    EXPECT_LIST("l", "y x a b c");
    EXPECT_EFFECT(&h, "LPUSHX l 1", ":6\r\n", "LPUSHX l 1");
    EXPECT_EFFECT(&h, "RPUSHX l 2 3", ":8\r\n", "RPUSHX l 2 3");
    EXPECT_LIST("l", "1 y x a b c 2 3");
    EXPECT(&h, "LPUSHX none 1", ":0\r\n");
    EXPECT(&h, "RPUSHX none 1", ":0\r\n");
    EXPECT(&h, "EXISTS none", ":0\r\n");
    EXPECT(&h, "LPUSH l", "-ERR wrong number of arguments for 'lpush' command\r\n");
    EXPECT_EFFECT(&h, "SET s 1", R_OK, "SET s 1");
    EXPECT(&h, "LPUSH s 1", R_WRONG);
    EXPECT(&h, "RPUSHX s 1", R_WRONG);
    EXPECT(&h, "LLEN l", ":8\r\n");
    EXPECT(&h, "LLEN none", ":0\r\n");
    EXPECT(&h, "LLEN s", R_WRONG);
}
END_TEST

START_TEST(popping)
{
    EXPECT_EFFECT(&h, "RPUSH l a b c d e f", ":6\r\n", "RPUSH l a b c d e f");
    EXPECT_EFFECT(&h, "LPOP l", "$1\r\na\r\n", "LPOP l");
    EXPECT_EFFECT(&h, "RPOP l", "$1\r\nf\r\n", "RPOP l");
    EXPECT_EFFECT(&h, "LPOP l 2", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n", "LPOP l 2");
    EXPECT(&h, "LPOP l 0", R_EMPTY);
    EXPECT_EFFECT(&h, "RPOP l 9", "*2\r\n$1\r\ne\r\n$1\r\nd\r\n", "RPOP l 9");
    EXPECT(&h, "EXISTS l", ":0\r\n");
    EXPECT(&h, "LPOP l", R_NULL);
    EXPECT(&h, "RPOP l 1", R_NULL_ARRAY);
    EXPECT(&h, "LPOP l 0", R_NULL_ARRAY);
    EXPECT(&h, "LPOP l -1", "-ERR value is out of range, must be positive\r\n");
    EXPECT(&h, "RPOP l x", "-ERR value is out of range, must be positive\r\n");
    EXPECT(&h, "LPOP l 1 1", "-ERR wrong number of arguments for 'lpop' command\r\n");
    EXPECT_EFFECT(&h, "SET s 1", R_OK, "SET s 1");
    EXPECT(&h, "LPOP s", R_WRONG);
    EXPECT(&h, "RPOP s 1", R_WRONG);
    h.protocol = 3;
    EXPECT(&h, "LPOP l 1", "_\r\n");
    EXPECT(&h, "LPOP l", "_\r\n");
}
END_TEST

START_TEST(looking)
{
    EXPECT_EFFECT(&h, "RPUSH l a b c d", ":4\r\n", "RPUSH l a b c d");
    EXPECT(&h, "LINDEX l 0", "$1\r\na\r\n");
    EXPECT(&h, "LINDEX l -1", "$1\r\nd\r\n");
    EXPECT(&h, "LINDEX l 4", R_NULL);
    EXPECT(&h, "LINDEX l -5", R_NULL);
    EXPECT(&h, "LINDEX l x", R_NOT_INTEGER);
    EXPECT(&h, "LINDEX none x", R_NULL);
    EXPECT(&h, "LRANGE l 1 2", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n");
    EXPECT(&h, "LRANGE l -100 0", "*1\r\n$1\r\na\r\n");
    EXPECT(&h, "LRANGE l -1 100", "*1\r\n$1\r\nd\r\n");
    EXPECT(&h, "LRANGE l 2 1", R_EMPTY);
    EXPECT(&h, "LRANGE l 9 20", R_EMPTY);
    EXPECT(&h, "LRANGE l -9223372036854775808 9223372036854775807",
           "*4\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n");
    EXPECT(&h, "LRANGE l 0 x", R_NOT_INTEGER);
    EXPECT(&h, "LRANGE none 0 -1", R_EMPTY);
    EXPECT_EFFECT(&h, "SET s 1", R_OK, "SET s 1");
    EXPECT(&h, "LINDEX s 0", R_WRONG);
    EXPECT(&h, "LINDEX s x", R_WRONG);
    EXPECT(&h, "LRANGE s 0 -1", R_WRONG);
}
END_TEST

START_TEST(changing)
{
    EXPECT_EFFECT(&h, "RPUSH l a b a c a", ":5\r\n", "RPUSH l a b a c a");
    EXPECT_EFFECT(&h, "LSET l -1 z", R_OK, "LSET l -1 z");
    EXPECT_EFFECT(&h, "LSET l 0 \"\"", R_OK, "LSET l 0 ");
    EXPECT_LIST("l", " b a c z");
    EXPECT(&h, "LSET l 5 x", "-ERR index out of range\r\n");
    EXPECT(&h, "LSET l -6 x", "-ERR index out of range\r\n");
    EXPECT(&h, "LSET l x x", R_NOT_INTEGER);
    EXPECT(&h, "LSET none 0 x", "-ERR no such key\r\n");
    EXPECT_EFFECT(&h, "LINSERT l before b 1", ":6\r\n", "LINSERT l before b 1");
    EXPECT_EFFECT(&h, "LINSERT l AFTER z 2", ":7\r\n", "LINSERT l AFTER z 2");
    EXPECT_LIST("l", " 1 b a c z 2");
    EXPECT(&h, "LINSERT l AFTER none 2", ":-1\r\n");
    EXPECT(&h, "LINSERT none AFTER b 2", ":0\r\n");
    EXPECT(&h, "LINSERT l beside b 2", R_SYNTAX);
    EXPECT_EFFECT(&h, "SET s 1", R_OK, "SET s 1");
    EXPECT(&h, "LSET s 0 1", R_WRONG);
    EXPECT(&h, "LINSERT s AFTER 1 2", R_WRONG);
}
END_TEST

START_TEST(removing)
{
    EXPECT_EFFECT(&h, "RPUSH l a b a c a", ":5\r\n", "RPUSH l a b a c a");
    EXPECT_EFFECT(&h, "LREM l -1 a", ":1\r\n", "LREM l -1 a");
    EXPECT_LIST("l", "a b a c");
    EXPECT_EFFECT(&h, "LREM l 1 a", ":1\r\n", "LREM l 1 a");
    EXPECT_LIST("l", "b a c");
    EXPECT(&h, "LREM l 0 none", ":0\r\n");
    EXPECT(&h, "LREM none 0 a", ":0\r\n");
    EXPECT(&h, "LREM l x a", R_NOT_INTEGER);
    EXPECT(&h, "LREM l -9223372036854775808 a",
           "-ERR value is out of range, value must between -9223372036854775807 and "
           "9223372036854775807\r\n");
    EXPECT_EFFECT(&h, "RPUSH m x x x", ":3\r\n", "RPUSH m x x x");
    EXPECT_EFFECT(&h, "LREM m 0 x", ":3\r\n", "LREM m 0 x");
    EXPECT(&h, "EXISTS m", ":0\r\n");
    EXPECT_EFFECT(&h, "RPUSH t 1 2 3 4 5", ":5\r\n", "RPUSH t 1 2 3 4 5");
    EXPECT(&h, "LTRIM t 0 -1", R_OK);
    EXPECT_EFFECT(&h, "LTRIM t 1 -2", R_OK, "LTRIM t 1 -2");
    EXPECT_LIST("t", "2 3 4");
    EXPECT(&h, "LTRIM t x 0", R_NOT_INTEGER);
    EXPECT_EFFECT(&h, "LTRIM t 5 9", R_OK, "LTRIM t 5 9");
    EXPECT(&h, "EXISTS t", ":0\r\n");
    EXPECT(&h, "LTRIM t 0 0", R_OK);
    EXPECT_EFFECT(&h, "SET s 1", R_OK, "SET s 1");
    EXPECT(&h, "LREM s 0 1", R_WRONG);
    EXPECT(&h, "LTRIM s 0 1", R_WRONG);
}
END_TEST

START_TEST(positions)
{
    EXPECT_EFFECT(&h, "RPUSH l a b c a b a", ":6\r\n", "RPUSH l a b c a b a");
    EXPECT(&h, "LPOS l a", ":0\r\n");
    EXPECT(&h, "LPOS l a RANK 2", ":3\r\n");
    EXPECT(&h, "LPOS l a RANK -1", ":5\r\n");
    EXPECT(&h, "LPOS l a RANK -2 COUNT 0", "*2\r\n:3\r\n:0\r\n");
    EXPECT(&h, "LPOS l a COUNT 2", "*2\r\n:0\r\n:3\r\n");
    EXPECT(&h, "LPOS l a COUNT 0 MAXLEN 4", "*2\r\n:0\r\n:3\r\n");
    EXPECT(&h, "LPOS l c MAXLEN 2", R_NULL);
    EXPECT(&h, "LPOS l c RANK -1 MAXLEN 3", R_NULL);
    EXPECT(&h, "LPOS l x", R_NULL);
    EXPECT(&h, "LPOS l x COUNT 1", R_EMPTY);
    EXPECT(&h, "LPOS l a RANK 9", R_NULL);
    EXPECT(&h, "LPOS none a", R_NULL);
    EXPECT(&h, "LPOS none a COUNT 0", R_EMPTY);
    EXPECT(&h, "LPOS l a RANK", R_SYNTAX);
    EXPECT(&h, "LPOS l a FOO 1", R_SYNTAX);
    EXPECT(&h, "LPOS l a RANK x", R_NOT_INTEGER);
    EXPECT(&h, "LPOS l a RANK 0",
           "-ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
           "or use negative to start from the end of the list\r\n");
    EXPECT(&h, "LPOS l a COUNT -1", "-ERR COUNT can't be negative\r\n");
    EXPECT(&h, "LPOS l a MAXLEN -1", "-ERR MAXLEN can't be negative\r\n");
    EXPECT_EFFECT(&h, "SET s 1", R_OK, "SET s 1");
    EXPECT(&h, "LPOS s 1", R_WRONG);
}
END_TEST

START_TEST(moving)
{
    EXPECT_EFFECT(&h, "RPUSH l a b c", ":3\r\n", "RPUSH l a b c");
    EXPECT_EFFECT(&h, "LMOVE l m LEFT right", "$1\r\na\r\n", "LMOVE l m LEFT right");
    EXPECT_EFFECT(&h, "RPOPLPUSH l m", "$1\r\nc\r\n", "RPOPLPUSH l m");
    EXPECT_LIST("l", "b");
    EXPECT_LIST("m", "c a");
    EXPECT_EFFECT(&h, "LMOVE l m RIGHT RIGHT", "$1\r\nb\r\n", "LMOVE l m RIGHT RIGHT");
    EXPECT(&h, "EXISTS l", ":0\r\n");
    EXPECT_EFFECT(&h, "RPOPLPUSH m m", "$1\r\nb\r\n", "RPOPLPUSH m m");
    EXPECT_LIST("m", "b c a");
    EXPECT_EFFECT(&h, "LMOVE m m LEFT RIGHT", "$1\r\nb\r\n", "LMOVE m m LEFT RIGHT");
    EXPECT_EFFECT(&h, "LMOVE m m LEFT LEFT", "$1\r\nc\r\n", "LMOVE m m LEFT LEFT");
    EXPECT_EFFECT(&h, "LMOVE m m RIGHT RIGHT", "$1\r\nb\r\n", "LMOVE m m RIGHT RIGHT");
    EXPECT_LIST("m", "c a b");
    EXPECT_EFFECT(&h, "RPUSH o x", ":1\r\n", "RPUSH o x");
    EXPECT_EFFECT(&h, "RPOPLPUSH o o", "$1\r\nx\r\n", "RPOPLPUSH o o");
    EXPECT_LIST("o", "x");
    EXPECT(&h, "LMOVE none m LEFT LEFT", R_NULL);
    EXPECT(&h, "LMOVE m o UP LEFT", R_SYNTAX);
    EXPECT(&h, "LMOVE m o LEFT DOWN", R_SYNTAX);
    EXPECT_EFFECT(&h, "SET s 1", R_OK, "SET s 1");
    EXPECT(&h, "LMOVE s m LEFT LEFT", R_WRONG);
    EXPECT(&h, "LMOVE m s LEFT LEFT", R_WRONG);
    EXPECT(&h, "RPOPLPUSH none s", R_NULL);
    EXPECT_LIST("m", "c a b");
    EXPECT_EFFECT(&h, "PEXPIRE s 1", ":1\r\n", "PEXPIREAT s 1700000000001");
    h.now_ms += 1;
    EXPECT_EFFECT(&h, "LMOVE m s LEFT LEFT", "$1\r\nc\r\n", "DEL s | LMOVE m s LEFT LEFT");
    EXPECT_LIST("s", "c");
}
END_TEST

START_TEST(popping_from_the_first_of_several)
{
    EXPECT(&h, "LMPOP 2 a b LEFT", R_NULL_ARRAY);
    EXPECT_EFFECT(&h, "RPUSH b 1 2 3 4", ":4\r\n", "RPUSH b 1 2 3 4");
    EXPECT_EFFECT(&h, "LMPOP 2 a b LEFT", "*2\r\n$1\r\nb\r\n*1\r\n$1\r\n1\r\n", "LPOP b 1");
    EXPECT_EFFECT(&h, "LMPOP 1 b right COUNT 2", "*2\r\n$1\r\nb\r\n*2\r\n$1\r\n4\r\n$1\r\n3\r\n",
                  "RPOP b 2");
    EXPECT_EFFECT(&h, "LMPOP 2 a b LEFT count 9", "*2\r\n$1\r\nb\r\n*1\r\n$1\r\n2\r\n", "LPOP b 1");
    EXPECT(&h, "EXISTS b", ":0\r\n");
    EXPECT(&h, "LMPOP 0 a LEFT", "-ERR numkeys should be greater than 0\r\n");
    EXPECT(&h, "LMPOP x a LEFT", "-ERR numkeys should be greater than 0\r\n");
    EXPECT(&h, "LMPOP 2 a LEFT", R_SYNTAX);
    EXPECT(&h, "LMPOP 9223372036854775807 a LEFT", R_SYNTAX);
    EXPECT(&h, "LMPOP 1 a UP", R_SYNTAX);
    EXPECT(&h, "LMPOP 1 a LEFT COUNT", R_SYNTAX);
    EXPECT(&h, "LMPOP 1 a LEFT COUNT 0", "-ERR count should be greater than 0\r\n");
    EXPECT(&h, "LMPOP 1 a LEFT COUNT 1 COUNT 1", R_SYNTAX);
    EXPECT(&h, "LMPOP 1 a", "-ERR wrong number of arguments for 'lmpop' command\r\n");
    EXPECT_EFFECT(&h, "SET s 1", R_OK, "SET s 1");
    EXPECT(&h, "LMPOP 2 a s LEFT", R_WRONG);
}
END_TEST

/* What was written for strings says so, and what is for any type takes lists. */
/* It replies nothing and waits for these keys: their number, and where they are among the
 * arguments. */
static void expect_wait(const char *request, size_t first, size_t count)
{
    EXPECT_EFFECT(&h, request, "", "");
    ck_assert_uint_eq(h.wait.first, first);
    ck_assert_uint_eq(h.wait.count, count);
    ck_assert_int_eq(h.wait.type, OBJECT_LIST);
}

START_TEST(waiting)
{
    expect_wait("BLPOP a b c 0", 1, 3);
    expect_wait("BRPOP a 1.5", 1, 1);
    expect_wait("BLMOVE a b LEFT RIGHT 0", 1, 1);
    expect_wait("BRPOPLPUSH a b 0", 1, 1);
    expect_wait("BLMPOP 0 2 a b LEFT COUNT 3", 3, 2);
    EXPECT_EFFECT(&h, "RPUSH b 1 2 3 4 5 6 7", ":7\r\n", "RPUSH b 1 2 3 4 5 6 7");
    EXPECT_EFFECT(&h, "BLPOP a b 0", "*2\r\n$1\r\nb\r\n$1\r\n1\r\n", "LPOP b");
    EXPECT_EFFECT(&h, "BRPOP a b 0", "*2\r\n$1\r\nb\r\n$1\r\n7\r\n", "RPOP b");
    EXPECT_EFFECT(&h, "BLMOVE b c LEFT RIGHT 0", "$1\r\n2\r\n", "LMOVE b c LEFT RIGHT");
    EXPECT_EFFECT(&h, "BRPOPLPUSH b c 7", "$1\r\n6\r\n", "RPOPLPUSH b c");
    EXPECT_EFFECT(&h, "BLMPOP 0 2 a b RIGHT COUNT 2",
                  "*2\r\n$1\r\nb\r\n*2\r\n$1\r\n5\r\n$1\r\n4\r\n", "RPOP b 2");
    EXPECT_LIST("b", "3");
    EXPECT_LIST("c", "6 2");
    EXPECT_EFFECT(&h, "SET s 1", R_OK, "SET s 1");
    EXPECT(&h, "BLPOP a s b 0", R_WRONG);
    EXPECT(&h, "BLMOVE b s LEFT LEFT 0", R_WRONG);
    EXPECT(&h, "BLMOVE s b LEFT LEFT 0", R_WRONG);
    expect_wait("BLMOVE a s LEFT LEFT 0", 1, 1); /* as in Redis: only then does the target matter */
    EXPECT(&h, "BLMPOP 0 2 a s LEFT", R_WRONG);
}
END_TEST

START_TEST(timeouts)
{
    static const char not_float[] = "-ERR timeout is not a float or out of range\r\n";
    EXPECT(&h, "BLPOP a x", not_float);
    EXPECT(&h, "BLPOP a nan", not_float);
    EXPECT(&h, "BLPOP a -0.5", "-ERR timeout is negative\r\n");
    EXPECT(&h, "BLPOP a -inf", "-ERR timeout is negative\r\n");
    EXPECT(&h, "BLPOP a inf", "-ERR timeout is out of range\r\n");
    EXPECT(&h, "BLPOP a 9223372036854775807", "-ERR timeout is out of range\r\n");
    EXPECT(&h, "BLPOP a 9223372036854775", "-ERR timeout is out of range\r\n"); /* from now on */
    expect_wait("BLPOP a 9000000000000000", 1, 1);
    expect_wait("BLPOP a -0", 1, 1);
    expect_wait("BLPOP a 1e-9", 1, 1);
    /* What is wrong besides comes first. */
    EXPECT(&h, "BLMOVE a b UP LEFT x", "-ERR syntax error\r\n");
    EXPECT(&h, "BLMPOP x 0 a LEFT", "-ERR numkeys should be greater than 0\r\n");
    EXPECT(&h, "BLMPOP x 1 a LEFT", not_float);
    EXPECT(&h, "BRPOPLPUSH a b x", not_float);
}
END_TEST

START_TEST(other_commands_on_lists)
{
    static const char *const wrong[] = {
        "GET l",      "GETDEL l",       "GETEX l", "GETRANGE l 0 1", "STRLEN l",
        "APPEND l x", "SETRANGE l 0 x", "INCR l",  "INCRBY l 2",     "INCRBYFLOAT l 1",
        "GETSET l x", "SET l x GET",    "DECR l",  "SUBSTR l 0 1",   "SETRANGE l 0 \"\""};
    EXPECT_EFFECT(&h, "RPUSH l a b", ":2\r\n", "RPUSH l a b");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        EXPECT(&h, wrong[i], R_WRONG);
    }
    EXPECT(&h, "MGET l", "*1\r\n$-1\r\n");
    EXPECT(&h, "SETNX l x", ":0\r\n");
    EXPECT(&h, "MSETNX l x m y", ":0\r\n");
    EXPECT(&h, "TYPE l", "+list\r\n");
    EXPECT(&h, "OBJECT ENCODING l", "$8\r\nlistpack\r\n");
    EXPECT_EFFECT(&h, "COPY l m", ":1\r\n", "COPY l m");
    EXPECT_EFFECT(&h, "PEXPIRE m 50", ":1\r\n", "PEXPIREAT m 1700000000050");
    EXPECT_EFFECT(&h, "RENAME m n", R_OK, "RENAME m n");
    EXPECT(&h, "PTTL n", ":50\r\n");
    EXPECT_EFFECT(&h, "PERSIST n", ":1\r\n", "PERSIST n");
    EXPECT_LIST("n", "a b");
    EXPECT_EFFECT(&h, "SET n x", R_OK, "SET n x");
    EXPECT(&h, "GET n", "$1\r\nx\r\n");
    EXPECT_EFFECT(&h, "PEXPIRE l 1", ":1\r\n", "PEXPIREAT l 1700000000001");
    EXPECT_EFFECT(&h, "RPUSH l c", ":3\r\n", "RPUSH l c");
    EXPECT(&h, "PTTL l", ":1\r\n");
    h.now_ms += 1;
    EXPECT_EFFECT(&h, "RPUSH l c", ":1\r\n", "DEL l | RPUSH l c");
    EXPECT_EFFECT(&h, "DEL l", ":1\r\n", "DEL l");
}
END_TEST

START_TEST(large_lists)
{
    char request[2048] = "RPUSH l";
    for (int i = 0; i < 10; i++) {
        snprintf(request + strlen(request), sizeof(request) - strlen(request), " %0100d", i);
    }
    for (int i = 0; i < 20; i++) {
        harness_run(&h, request);
    }
    EXPECT(&h, "LLEN l", ":200\r\n");
    EXPECT(&h, "OBJECT ENCODING l", "$9\r\nquicklist\r\n");
    ck_assert_int_gt(strtol(harness_run(&h, "MEMORY USAGE l") + 1, NULL, 10), 200 * 102);
    EXPECT_EFFECT(&h, "COPY l m", ":1\r\n", "COPY l m");
    EXPECT_EFFECT(&h, "RENAME m n", R_OK, "RENAME m n");
    EXPECT_EFFECT(&h, "LTRIM n 3 4", R_OK, "LTRIM n 3 4");
    EXPECT(&h, "OBJECT ENCODING n", "$8\r\nlistpack\r\n");
    EXPECT_EFFECT(&h, "UNLINK l n", ":2\r\n", "UNLINK l n");
    ck_assert_uint_eq(store_memory(h.store), store_freeing(h.store));
}
END_TEST

START_TEST(reading_and_writing_are_accesses)
{
    static const char *const requests[] = {"LLEN l",     "LINDEX l 0",          "LRANGE l 0 0",
                                           "LPOS l a",   "LPUSH l x",           "RPOP l",
                                           "LSET l 0 y", "LINSERT l BEFORE a x"};
    EXPECT_EFFECT(&h, "RPUSH l a b c d e", ":5\r\n", "RPUSH l a b c d e");
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        h.now_ms += 50000;
        EXPECT(&h, "OBJECT IDLETIME l", ":50\r\n");
        harness_run(&h, requests[i]);
        EXPECT(&h, "OBJECT IDLETIME l", ":0\r\n");
    }
    harness_run(&h, "LRANGE l 0 0");
    ck_assert_uint_eq(h.call.hits, 1);
    harness_run(&h, "LRANGE none 0 0");
    ck_assert_uint_eq(h.call.misses, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands/list");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, pushing);
    tcase_add_test(tests, popping);
    tcase_add_test(tests, looking);
    tcase_add_test(tests, changing);
    tcase_add_test(tests, removing);
    tcase_add_test(tests, positions);
    tcase_add_test(tests, moving);
    tcase_add_test(tests, popping_from_the_first_of_several);
    tcase_add_test(tests, waiting);
    tcase_add_test(tests, timeouts);
    tcase_add_test(tests, other_commands_on_lists);
    tcase_add_test(tests, large_lists);
    tcase_add_test(tests, reading_and_writing_are_accesses);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
