#include "support/harness.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define R_NULL_ARRAY "*-1\r\n"
#define R_NOT_FLOAT "-ERR value is not a valid float\r\n"
#define R_NOT_RANGE "-ERR min or max is not a float\r\n"
#define R_NOT_MEMBER "-ERR min or max not valid string range item\r\n"
#define R_NOT_POSITIVE "-ERR value is out of range, must be positive\r\n"

static struct harness h;

static void setup(void)
{
    harness_init(&h);
}

static void teardown(void)
{
    harness_deinit(&h);
}

/* What a request replies, all bulks and numbers of it with blanks between them. */
static void expect_words(int line, const char *request, const char *words)
{
    char text[2048] = "";
    size_t size = 0;
    const char *between = "";
    for (const char *at = harness_run(&h, request); *at != '\0';) {
        const char *end = strchr(at, '\r');
        ck_assert_ptr_nonnull(end);
        char kind = *at++;
        if (kind == '$' && *at != '-') {
            long length = strtol(at, NULL, 10);
            at = end + 2;
            end = at + length;
        }
        if (kind != '*') {
            size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%.*s", between,
                                     (int)(end - at), at);
            between = " ";
        }
        at = end + 2;
    }
    ck_assert_msg(strcmp(text, words) == 0, "line %d: %s replied %s", line, request, text);
}

#define EXPECT_WORDS(request, words) expect_words(__LINE__, (request), (words))

/* Of a key: "member score member score". */
static void expect_entries(int line, const char *key, const char *words)
{
    char request[64];
    snprintf(request, sizeof(request), "ZRANGE %s 0 -1 WITHSCORES", key);
    expect_words(line, request, words);
}

#define EXPECT_ENTRIES(key, words) expect_entries(__LINE__, (key), (words))

/* For keys that tests begin with. */
static void run(const char *request)
{
    ck_assert_msg(harness_run(&h, request)[0] != '-', "%s was refused", request);
}

START_TEST(adding)
{
    EXPECT_EFFECT(&h, "ZADD z 1 a 2 b", ":2\r\n", "ZADD z 1 a 2 b");
    EXPECT_EFFECT(&h, "ZADD z 1 a 3 b 1.5 c", ":1\r\n", "ZADD z 3 b 1.5 c");
    EXPECT_ENTRIES("z", "a 1 c 1.5 b 3");
    EXPECT_EFFECT(&h, "ZADD z CH 2 a 3 b 4 d", ":2\r\n", "ZADD z 2 a 4 d");
    EXPECT(&h, "ZADD z 2 a", ":0\r\n");
    EXPECT_EFFECT(&h, "ZADD z NX 9 a 9 e", ":1\r\n", "ZADD z 9 e");
    EXPECT_EFFECT(&h, "zadd z xx ch 7 a 7 f", ":1\r\n", "ZADD z 7 a");
    EXPECT_EFFECT(&h, "ZADD z GT CH 6 a 8 b 1 g", ":2\r\n", "ZADD z 8 b 1 g");
    EXPECT_EFFECT(&h, "ZADD z LT CH 6 a 9 b 2 g", ":1\r\n", "ZADD z 6 a");
    EXPECT_EFFECT(&h, "ZADD z XX GT CH 10 a 10 none", ":1\r\n", "ZADD z 10 a");
    EXPECT_EFFECT(&h, "ZADD z 1 twice 2 twice", ":1\r\n", "ZADD z 1 twice 2 twice");
    EXPECT_EFFECT(&h, "ZADD z GT CH 5 twice 4 twice", ":1\r\n", "ZADD z 5 twice");
    EXPECT(&h, "ZADD none XX 1 a", ":0\r\n");
    EXPECT(&h, "EXISTS none", ":0\r\n");
    EXPECT_EFFECT(&h, "ZADD i inf a -inf b +inf c 1e3 d", ":4\r\n",
                  "ZADD i inf a -inf b +inf c 1e3 d");
    EXPECT_ENTRIES("i", "b -inf d 1000 a inf c inf");
}
END_TEST

START_TEST(adding_wrongly)
{
    EXPECT(&h, "ZADD z 1", "-ERR wrong number of arguments for 'zadd' command\r\n");
    EXPECT(&h, "ZADD z 1 a 2", R_SYNTAX);
    EXPECT(&h, "ZADD z NX XX", R_SYNTAX);
    EXPECT(&h, "ZADD z NX XX 1 a",
           "-ERR XX and NX options at the same time are not compatible\r\n");
    EXPECT(&h, "ZADD z GT LT 1 a",
           "-ERR GT, LT, and/or NX options at the same time are not compatible\r\n");
    EXPECT(&h, "ZADD z NX GT 1 a",
           "-ERR GT, LT, and/or NX options at the same time are not compatible\r\n");
    EXPECT(&h, "ZADD z INCR 1 a 2 b",
           "-ERR INCR option supports a single increment-element pair\r\n");
    EXPECT(&h, "ZADD z x a", R_NOT_FLOAT);
    EXPECT(&h, "ZADD z nan a", R_NOT_FLOAT);
    EXPECT(&h, "ZADD z 1 a x b", R_NOT_FLOAT);
    EXPECT(&h, "EXISTS z", ":0\r\n");
    run("SET s 1");
    EXPECT(&h, "ZADD s x a", R_NOT_FLOAT);
    EXPECT(&h, "ZADD s 1 a", R_WRONG);
    EXPECT(&h, "ZADD s INCR 1 a", R_WRONG);
    EXPECT(&h, "ZINCRBY s 1 a", R_WRONG);
}
END_TEST

START_TEST(incrementing)
{
    EXPECT_EFFECT(&h, "ZINCRBY z 1.5 a", "$3\r\n1.5\r\n", "ZADD z 1.5 a");
    EXPECT_EFFECT(&h, "ZINCRBY z -2 a", "$4\r\n-0.5\r\n", "ZADD z -0.5 a");
    EXPECT_EFFECT(&h, "ZINCRBY z 0.6 a", "$19\r\n0.09999999999999998\r\n",
                  "ZADD z 0.09999999999999998 a");
    EXPECT(&h, "ZINCRBY z 0 a", "$19\r\n0.09999999999999998\r\n");
    EXPECT_EFFECT(&h, "ZADD z INCR 4 b", "$1\r\n4\r\n", "ZADD z 4 b");
    EXPECT(&h, "ZADD z NX INCR 4 b", R_NULL);
    EXPECT(&h, "ZADD z XX INCR 4 c", R_NULL);
    EXPECT(&h, "ZADD none XX INCR 4 c", R_NULL);
    EXPECT(&h, "ZADD z GT INCR -1 b", R_NULL);
    EXPECT(&h, "ZADD z GT INCR 0 b", R_NULL);
    EXPECT(&h, "ZADD z LT INCR 1 b", R_NULL);
    EXPECT_EFFECT(&h, "ZADD z GT INCR 1 b", "$1\r\n5\r\n", "ZADD z 5 b");
    EXPECT(&h, "ZINCRBY z x a", R_NOT_FLOAT);
    run("ZADD z inf i");
    EXPECT(&h, "ZINCRBY z -inf i", "-ERR resulting score is not a number (NaN)\r\n");
    EXPECT(&h, "ZADD z NX INCR -inf i", R_NULL);
    h.protocol = 3;
    EXPECT_EFFECT(&h, "ZINCRBY z 1 b", ",6\r\n", "ZADD z 6 b");
    EXPECT(&h, "ZADD z NX INCR 4 b", "_\r\n");
}
END_TEST

START_TEST(looking)
{
    run("ZADD z 1 a 2 b 2 c 3.5 d");
    EXPECT(&h, "ZCARD z", ":4\r\n");
    EXPECT(&h, "ZCARD none", ":0\r\n");
    EXPECT(&h, "ZSCORE z d", "$3\r\n3.5\r\n");
    EXPECT(&h, "ZSCORE z none", R_NULL);
    EXPECT(&h, "ZSCORE none a", R_NULL);
    EXPECT(&h, "ZMSCORE z a none b", "*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n2\r\n");
    EXPECT(&h, "ZMSCORE none a b", "*2\r\n$-1\r\n$-1\r\n");
    EXPECT(&h, "ZRANK z c", ":2\r\n");
    EXPECT(&h, "ZREVRANK z c", ":1\r\n");
    EXPECT(&h, "ZRANK z d WITHSCORE", "*2\r\n:3\r\n$3\r\n3.5\r\n");
    EXPECT(&h, "ZREVRANK z d withscore", "*2\r\n:0\r\n$3\r\n3.5\r\n");
    EXPECT(&h, "ZRANK z none", R_NULL);
    EXPECT(&h, "ZRANK z none WITHSCORE", R_NULL_ARRAY);
    EXPECT(&h, "ZRANK none a WITHSCORE", R_NULL_ARRAY);
    EXPECT(&h, "ZRANK z a SCORE", R_SYNTAX);
    EXPECT(&h, "ZRANK z a WITHSCORE 1", "-ERR wrong number of arguments for 'zrank' command\r\n");
    run("SET s 1");
    static const char *const wrong[] = {
        "ZCARD s",       "ZSCORE s a",          "ZMSCORE s a",     "ZRANK s a",
        "ZREVRANK s a",  "ZCOUNT s 0 1",        "ZLEXCOUNT s - +", "ZRANGE s 0 1",
        "ZREM s a",      "ZPOPMIN s",           "ZMPOP 1 s MIN",   "ZSCAN s 0",
        "ZRANDMEMBER s", "ZRANDMEMBER s 2",     "ZUNION 1 s",      "ZINTERCARD 1 s",
        "ZDIFF 2 z s",   "ZRANGESTORE z s 0 1", "ZUNION 1 s FOO",  "ZREMRANGEBYRANK s 0 1"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        EXPECT(&h, wrong[i], R_WRONG);
    }
    h.protocol = 3;
    EXPECT(&h, "ZSCORE z d", ",3.5\r\n");
    EXPECT(&h, "ZMSCORE z none d", "*2\r\n_\r\n,3.5\r\n");
    EXPECT(&h, "ZRANK z d WITHSCORE", "*2\r\n:3\r\n,3.5\r\n");
}
END_TEST

START_TEST(ranges)
{
    run("ZADD z 1 a 2 b 2 c 3.5 d");
    EXPECT_WORDS("ZRANGE z 0 -1", "a b c d");
    EXPECT_WORDS("ZRANGE z 1 2 WITHSCORES", "b 2 c 2");
    EXPECT_WORDS("ZRANGE z -2 100", "c d");
    EXPECT_WORDS("ZRANGE z 0 1 REV", "d c");
    EXPECT_WORDS("ZREVRANGE z 2 3 WITHSCORES", "b 2 a 1");
    EXPECT(&h, "ZRANGE z 3 2", R_EMPTY);
    EXPECT(&h, "ZRANGE z 4 9", R_EMPTY);
    EXPECT_WORDS("ZRANGE z -9223372036854775808 9223372036854775807", "a b c d");
    EXPECT_WORDS("ZRANGE z 2 3 BYSCORE", "b c");
    EXPECT_WORDS("ZRANGE z (2 +inf BYSCORE WITHSCORES", "d 3.5");
    EXPECT_WORDS("ZRANGE z (3.5 -inf BYSCORE REV", "c b a");
    EXPECT_WORDS("ZRANGE z 9 0 REV BYSCORE LIMIT 1 2", "c b");
    EXPECT_WORDS("ZRANGEBYSCORE z 1 4 LIMIT 1 -1", "b c d");
    EXPECT_WORDS("ZREVRANGEBYSCORE z 4 1 WITHSCORES LIMIT 2 9", "b 2 a 1");
    EXPECT(&h, "ZRANGEBYSCORE z 1 4 LIMIT -1 2", R_EMPTY);
    EXPECT(&h, "ZRANGEBYSCORE z 1 4 LIMIT 4 2", R_EMPTY);
    EXPECT(&h, "ZRANGEBYSCORE z 1 4 LIMIT 0 0", R_EMPTY);
    EXPECT(&h, "ZRANGE z 4 1 BYSCORE", R_EMPTY);
    EXPECT(&h, "ZCOUNT z (1 3.5", ":3\r\n");
    EXPECT(&h, "ZCOUNT z 3 2", ":0\r\n");
    EXPECT(&h, "ZCOUNT none 0 1", ":0\r\n");
    EXPECT(&h, "ZRANGE none 0 -1", R_EMPTY);
    h.protocol = 3;
    EXPECT(&h, "ZRANGE z 2 3 WITHSCORES", "*2\r\n*2\r\n$1\r\nc\r\n,2\r\n*2\r\n$1\r\nd\r\n,3.5\r\n");
    EXPECT(&h, "ZRANGE z 2 3", "*2\r\n$1\r\nc\r\n$1\r\nd\r\n");
}
END_TEST

START_TEST(ranges_of_members)
{
    run("ZADD z 0 a 0 aa 0 b 0 c 0 d");
    EXPECT_WORDS("ZRANGE z - + BYLEX", "a aa b c d");
    EXPECT_WORDS("ZRANGEBYLEX z [aa (d", "aa b c");
    EXPECT_WORDS("ZRANGEBYLEX z (a + LIMIT 1 2", "b c");
    EXPECT_WORDS("ZREVRANGEBYLEX z + [b", "d c b");
    EXPECT_WORDS("ZRANGE z (c - BYLEX REV LIMIT 0 1", "b");
    EXPECT(&h, "ZRANGEBYLEX z + -", R_EMPTY);
    EXPECT(&h, "ZRANGEBYLEX z + +", R_EMPTY);
    EXPECT(&h, "ZLEXCOUNT z - +", ":5\r\n");
    EXPECT(&h, "ZLEXCOUNT z [ [b", ":3\r\n");
    EXPECT(&h, "ZLEXCOUNT z (a (b", ":1\r\n");
    EXPECT(&h, "ZLEXCOUNT none - +", ":0\r\n");
    EXPECT(&h, "ZLEXCOUNT z a +", R_NOT_MEMBER);
    EXPECT(&h, "ZLEXCOUNT z - ++", R_NOT_MEMBER);
    EXPECT(&h, "ZLEXCOUNT z \"\" +", R_NOT_MEMBER);
}
END_TEST

START_TEST(ranges_asked_for_wrongly)
{
    run("ZADD z 1 a");
    EXPECT(&h, "ZRANGE z x 1", R_NOT_INTEGER);
    EXPECT(&h, "ZRANGE none 0 x", R_NOT_INTEGER);
    EXPECT(&h, "ZRANGE z x 1 BYSCORE", R_NOT_RANGE);
    EXPECT(&h, "ZRANGE z 1 nan BYSCORE", R_NOT_RANGE);
    EXPECT(&h, "ZCOUNT z ((1 2", R_NOT_RANGE);
    EXPECT(&h, "ZRANGE z 1 2 BYLEX", R_NOT_MEMBER);
    EXPECT(&h, "ZRANGE z 0 1 FOO", R_SYNTAX);
    EXPECT(&h, "ZRANGE z 0 1 REV REV", R_SYNTAX);
    EXPECT(&h, "ZRANGE z 0 1 BYSCORE BYLEX", R_SYNTAX);
    EXPECT(&h, "ZRANGE z 0 1 BYSCORE LIMIT 1", R_SYNTAX);
    EXPECT(&h, "ZRANGE z 0 1 BYSCORE LIMIT x 1", R_NOT_INTEGER);
    EXPECT(&h, "ZREVRANGE z 0 1 REV", R_SYNTAX);
    EXPECT(&h, "ZRANGEBYSCORE z 0 1 BYSCORE", R_SYNTAX);
    EXPECT(&h, "ZRANGESTORE d z 0 1 WITHSCORES", R_SYNTAX);
    EXPECT(&h, "ZRANGE z 0 1 LIMIT 0 1",
           "-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or "
           "BYLEX\r\n");
    EXPECT(&h, "ZRANGE z - + BYLEX WITHSCORES",
           "-ERR syntax error, WITHSCORES not supported in combination with BYLEX\r\n");
    EXPECT(&h, "ZRANGE z 0 1 LIMIT 5 -1", "*1\r\n$1\r\na\r\n");
}
END_TEST

START_TEST(removing)
{
    run("ZADD z 1 a 2 b 3 c 4 d 5 e 6 f 7 g");
    EXPECT_EFFECT(&h, "ZREM z a none a c", ":2\r\n", "ZREM z a none a c");
    EXPECT(&h, "ZREM z none", ":0\r\n");
    EXPECT(&h, "ZREM none a", ":0\r\n");
    EXPECT_EFFECT(&h, "ZREMRANGEBYRANK z -1 -1", ":1\r\n", "ZREMRANGEBYRANK z -1 -1");
    EXPECT(&h, "ZREMRANGEBYRANK z 9 10", ":0\r\n");
    EXPECT_EFFECT(&h, "ZREMRANGEBYSCORE z (2 4", ":1\r\n", "ZREMRANGEBYSCORE z (2 4");
    EXPECT(&h, "ZREMRANGEBYSCORE z x 4", R_NOT_RANGE);
    EXPECT(&h, "ZREMRANGEBYSCORE none 0 4", ":0\r\n");
    EXPECT_ENTRIES("z", "b 2 e 5 f 6");
    EXPECT_EFFECT(&h, "ZREM z f e b", ":3\r\n", "ZREM z f e b");
    EXPECT(&h, "EXISTS z", ":0\r\n");
    run("ZADD l 0 a 0 b 0 c");
    EXPECT_EFFECT(&h, "ZREMRANGEBYLEX l [b +", ":2\r\n", "ZREMRANGEBYLEX l [b +");
    EXPECT(&h, "ZREMRANGEBYLEX l b +", R_NOT_MEMBER);
    EXPECT_EFFECT(&h, "ZREMRANGEBYLEX l - +", ":1\r\n", "ZREMRANGEBYLEX l - +");
    EXPECT(&h, "EXISTS l", ":0\r\n");
}
END_TEST

START_TEST(popping)
{
    run("ZADD z 1 a 2 b 3 c 4 d 5 e");
    EXPECT_EFFECT(&h, "ZPOPMIN z", "*2\r\n$1\r\na\r\n$1\r\n1\r\n", "ZREM z a");
    EXPECT_EFFECT(&h, "ZPOPMAX z 2", "*4\r\n$1\r\ne\r\n$1\r\n5\r\n$1\r\nd\r\n$1\r\n4\r\n",
                  "ZREM z d e");
    EXPECT(&h, "ZPOPMIN z 0", R_EMPTY);
    EXPECT(&h, "ZPOPMIN none", R_EMPTY);
    EXPECT(&h, "ZPOPMIN none 3", R_EMPTY);
    EXPECT(&h, "ZPOPMIN z -1", R_NOT_POSITIVE);
    EXPECT(&h, "ZPOPMIN z x", R_NOT_POSITIVE);
    EXPECT(&h, "ZPOPMIN z 1 1", R_SYNTAX);
    h.protocol = 3;
    EXPECT_EFFECT(&h, "ZPOPMIN z", "*2\r\n$1\r\nb\r\n,2\r\n", "ZREM z b");
    EXPECT_EFFECT(&h, "ZPOPMAX z 9", "*1\r\n*2\r\n$1\r\nc\r\n,3\r\n", "ZREM z c");
    EXPECT(&h, "EXISTS z", ":0\r\n");
}
END_TEST

START_TEST(popping_from_the_first_of_several)
{
    EXPECT(&h, "ZMPOP 2 a b MIN", R_NULL_ARRAY);
    run("ZADD b 1 one 2 two 3 three");
    EXPECT_EFFECT(&h, "ZMPOP 2 a b min", "*2\r\n$1\r\nb\r\n*1\r\n*2\r\n$3\r\none\r\n$1\r\n1\r\n",
                  "ZREM b one");
    EXPECT_EFFECT(&h, "ZMPOP 1 b MAX COUNT 5",
                  "*2\r\n$1\r\nb\r\n*2\r\n*2\r\n$5\r\nthree\r\n$1\r\n3\r\n*2\r\n$3\r\ntwo\r\n$1\r\n"
                  "2\r\n",
                  "ZREM b two three");
    EXPECT(&h, "EXISTS b", ":0\r\n");
    EXPECT(&h, "ZMPOP 0 a MIN", "-ERR numkeys should be greater than 0\r\n");
    EXPECT(&h, "ZMPOP 2 a MIN", R_SYNTAX);
    EXPECT(&h, "ZMPOP 1 a LEFT", R_SYNTAX);
    EXPECT(&h, "ZMPOP 1 a MIN COUNT 0", "-ERR count should be greater than 0\r\n");
    EXPECT(&h, "ZMPOP 1 a MIN COUNT 1 COUNT 1", R_SYNTAX);
}
END_TEST

/* The replicas are told all of many, a few hundred at a time. */
START_TEST(popping_many)
{
    char request[64];
    for (int i = 0; i < 1000; i++) {
        snprintf(request, sizeof(request), "ZADD z %d member:%03d", i, i);
        run(request);
    }
    run("ZPOPMIN z 600");
    ck_assert_uint_eq(h.call.changes, 5);
    const char *told = harness_effects(&h);
    for (int i = 0; i < 1000; i++) {
        snprintf(request, sizeof(request), "member:%03d", i);
        ck_assert((strstr(told, request) != NULL) == (i < 600));
    }
    EXPECT(&h, "ZCARD z", ":400\r\n");
}
END_TEST

START_TEST(combining)
{
    run("ZADD a 1 x 2 y 3 z");
    run("ZADD b 10 y 20 z 30 w");
    EXPECT_WORDS("ZUNION 2 a b WITHSCORES", "x 1 y 12 z 23 w 30");
    EXPECT_WORDS("ZUNION 2 a b", "x y z w");
    EXPECT_WORDS("ZUNION 2 a b WEIGHTS 2 0.5 WITHSCORES", "x 2 y 9 w 15 z 16");
    EXPECT_WORDS("ZUNION 2 a b AGGREGATE MIN WITHSCORES", "x 1 y 2 z 3 w 30");
    EXPECT_WORDS("ZUNION 2 a b WITHSCORES aggregate max", "x 1 y 10 z 20 w 30");
    EXPECT_WORDS("ZUNION 2 a a WITHSCORES", "x 2 y 4 z 6");
    EXPECT_WORDS("ZUNION 2 none a WITHSCORES", "x 1 y 2 z 3");
    EXPECT_WORDS("ZINTER 2 a b WITHSCORES", "y 12 z 23");
    EXPECT_WORDS("ZINTER 2 a b WEIGHTS 1 -1 AGGREGATE MAX WITHSCORES", "y 2 z 3");
    EXPECT(&h, "ZINTER 2 a none", R_EMPTY);
    EXPECT(&h, "ZINTERCARD 2 a b", ":2\r\n");
    EXPECT(&h, "ZINTERCARD 2 a b LIMIT 1", ":1\r\n");
    EXPECT(&h, "ZINTERCARD 2 a b LIMIT 0", ":2\r\n");
    EXPECT(&h, "ZINTERCARD 2 none b", ":0\r\n");
    EXPECT_WORDS("ZDIFF 2 a b WITHSCORES", "x 1");
    EXPECT_WORDS("ZDIFF 1 a", "x y z");
    EXPECT(&h, "ZDIFF 2 none b", R_EMPTY);
    run("SADD s x 7 w");
    EXPECT_WORDS("ZUNION 2 a s WEIGHTS 1 10 WITHSCORES", "y 2 z 3 7 10 w 10 x 11");
    EXPECT_WORDS("ZINTER 3 s a b WITHSCORES", "");
    EXPECT_WORDS("ZINTER 2 b s WITHSCORES", "w 31");
    EXPECT_WORDS("ZDIFF 2 s a WITHSCORES", "7 1 w 1");
    EXPECT_WORDS("ZDIFF 2 a s WITHSCORES", "y 2 z 3");
    EXPECT(&h, "ZINTERCARD 2 s b", ":1\r\n");
    run("ZADD i inf m -inf n");
    run("ZADD j -inf m 0 n");
    EXPECT_WORDS("ZUNION 2 i j WITHSCORES", "n -inf m 0");
    EXPECT_WORDS("ZUNION 1 i WEIGHTS 0 WITHSCORES", "m 0 n 0");
    h.protocol = 3;
    EXPECT(&h, "ZDIFF 2 a b WITHSCORES", "*1\r\n*2\r\n$1\r\nx\r\n,1\r\n");
}
END_TEST

START_TEST(combining_wrongly)
{
    run("ZADD a 1 x");
    EXPECT(&h, "ZUNION x a", R_NOT_INTEGER);
    EXPECT(&h, "ZUNION 0 a", "-ERR at least 1 input key is needed for 'zunion' command\r\n");
    EXPECT(&h, "ZINTERSTORE d 0 a",
           "-ERR at least 1 input key is needed for 'zinterstore' command\r\n");
    EXPECT(&h, "ZUNION 2 a", R_SYNTAX);
    EXPECT(&h, "ZUNION 9223372036854775807 a", R_SYNTAX);
    EXPECT(&h, "ZUNION 1 a FOO", R_SYNTAX);
    EXPECT(&h, "ZUNION 1 a WEIGHTS", R_SYNTAX);
    EXPECT(&h, "ZUNION 1 a WEIGHTS x", "-ERR weight value is not a float\r\n");
    EXPECT(&h, "ZUNION 1 a AGGREGATE AVG", R_SYNTAX);
    EXPECT(&h, "ZUNION 1 a AGGREGATE", R_SYNTAX);
    EXPECT(&h, "ZDIFF 1 a WEIGHTS 1", R_SYNTAX);
    EXPECT(&h, "ZUNIONSTORE d 1 a WITHSCORES", R_SYNTAX);
    EXPECT(&h, "ZINTERCARD 1 a WITHSCORES", R_SYNTAX);
    EXPECT(&h, "ZINTERCARD 1 a LIMIT -1", "-ERR LIMIT can't be negative\r\n");
    EXPECT(&h, "ZINTER 1 a LIMIT 1", R_SYNTAX);
}
END_TEST

START_TEST(storing)
{
    run("ZADD a 1 x 2 y 3 z");
    run("ZADD b 10 y 20 z 30 w");
    EXPECT_EFFECT(&h, "ZUNIONSTORE d 2 a b", ":4\r\n", "ZUNIONSTORE d 2 a b");
    EXPECT_ENTRIES("d", "x 1 y 12 z 23 w 30");
    EXPECT_EFFECT(&h, "ZINTERSTORE a 2 a b WEIGHTS 1 2", ":2\r\n",
                  "ZINTERSTORE a 2 a b WEIGHTS 1 2");
    EXPECT_ENTRIES("a", "y 22 z 43");
    EXPECT_EFFECT(&h, "ZDIFFSTORE d 2 d a", ":2\r\n", "ZDIFFSTORE d 2 d a");
    EXPECT_ENTRIES("d", "x 1 w 30");
    EXPECT_EFFECT(&h, "ZDIFFSTORE d 2 d d", ":0\r\n", "DEL d");
    EXPECT(&h, "EXISTS d", ":0\r\n");
    EXPECT(&h, "ZUNIONSTORE d 1 none", ":0\r\n");
    EXPECT_EFFECT(&h, "ZRANGESTORE d b 20 (30 BYSCORE", ":1\r\n", "ZRANGESTORE d b 20 (30 BYSCORE");
    EXPECT_ENTRIES("d", "z 20");
    EXPECT_EFFECT(&h, "ZRANGESTORE d b 0 1 REV", ":2\r\n", "ZRANGESTORE d b 0 1 REV");
    EXPECT_ENTRIES("d", "z 20 w 30");
    EXPECT_EFFECT(&h, "ZRANGESTORE b b 1 1", ":1\r\n", "ZRANGESTORE b b 1 1");
    EXPECT_ENTRIES("b", "z 20");
    EXPECT_EFFECT(&h, "ZRANGESTORE d none 0 1", ":0\r\n", "DEL d");
    /* Whatever was there, and its expiry, is gone. */
    run("SET s text PX 50");
    EXPECT_EFFECT(&h, "ZUNIONSTORE s 1 b", ":1\r\n", "ZUNIONSTORE s 1 b");
    EXPECT(&h, "PTTL s", ":-1\r\n");
    EXPECT(&h, "TYPE s", "+zset\r\n");
    run("SET s text");
    EXPECT_EFFECT(&h, "ZINTERSTORE s 2 b none", ":0\r\n", "DEL s");
    /* What has expired is nothing, and the replicas are told so first. */
    run("PEXPIRE a 1");
    h.now_ms += 1;
    EXPECT_EFFECT(&h, "ZUNIONSTORE d 2 a b", ":1\r\n", "DEL a | ZUNIONSTORE d 2 a b");
}
END_TEST

START_TEST(drawing)
{
    run("ZADD z 1 a 2 b 3 c");
    EXPECT(&h, "ZRANDMEMBER none", R_NULL);
    EXPECT(&h, "ZRANDMEMBER none 3", R_EMPTY);
    EXPECT(&h, "ZRANDMEMBER z 0", R_EMPTY);
    EXPECT(&h, "ZRANDMEMBER z x", R_NOT_INTEGER);
    EXPECT(&h, "ZRANDMEMBER z 1 SCORES", R_SYNTAX);
    EXPECT(&h, "ZRANDMEMBER z 1 WITHSCORES 1", R_SYNTAX);
    EXPECT_WORDS("ZRANDMEMBER z 5 WITHSCORES", "a 1 b 2 c 3");
    ck_assert(strncmp(harness_run(&h, "ZRANDMEMBER z -5"), "*5\r\n$1\r\n", 8) == 0);
    ck_assert(strncmp(harness_run(&h, "ZRANDMEMBER z"), "$1\r\n", 4) == 0);
    ck_assert(strncmp(harness_run(&h, "ZRANDMEMBER z -2 WITHSCORES"), "*4\r\n$1\r\n", 8) == 0);
    h.protocol = 3;
    EXPECT(&h, "ZRANDMEMBER z 3 WITHSCORES",
           "*3\r\n*2\r\n$1\r\na\r\n,1\r\n*2\r\n$1\r\nb\r\n,2\r\n*2\r\n$1\r\nc\r\n,3\r\n");
}
END_TEST

START_TEST(scanning)
{
    run("ZADD z 1 a 2.5 b 3 c");
    EXPECT(&h, "ZSCAN none 0", "*2\r\n$1\r\n0\r\n*0\r\n");
    EXPECT_WORDS("ZSCAN z 0", "0 a 1 b 2.5 c 3");
    EXPECT_WORDS("ZSCAN z 0 COUNT 1 MATCH b*", "0 b 2.5");
    EXPECT(&h, "ZSCAN z x", "-ERR invalid cursor\r\n");
    EXPECT(&h, "ZSCAN z 0 COUNT 0", R_SYNTAX);
    EXPECT(&h, "ZSCAN z 0 TYPE zset", R_SYNTAX);
    h.protocol = 3;
    EXPECT(&h, "ZSCAN z 0 MATCH b", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\nb\r\n$3\r\n2.5\r\n");
}
END_TEST

/* What is for any type takes sorted sets, and what was written for others says so. */
START_TEST(other_commands_on_sorted_sets)
{
    run("ZADD z 1 a 2 b");
    EXPECT(&h, "GET z", R_WRONG);
    EXPECT(&h, "APPEND z x", R_WRONG);
    EXPECT(&h, "LPUSH z x", R_WRONG);
    EXPECT(&h, "LMOVE z z LEFT LEFT", R_WRONG);
    EXPECT(&h, "TYPE z", "+zset\r\n");
    EXPECT(&h, "OBJECT ENCODING z", "$8\r\nlistpack\r\n");
    EXPECT_EFFECT(&h, "COPY z m", ":1\r\n", "COPY z m");
    EXPECT_EFFECT(&h, "RENAME m n", R_OK, "RENAME m n");
    EXPECT_EFFECT(&h, "PEXPIRE n 50", ":1\r\n", "PEXPIREAT n 1700000000050");
    EXPECT_EFFECT(&h, "ZADD n 3 c", ":1\r\n", "ZADD n 3 c");
    EXPECT(&h, "PTTL n", ":50\r\n");
    EXPECT_ENTRIES("n", "a 1 b 2 c 3");
    EXPECT_EFFECT(&h, "SET n x", R_OK, "SET n x");
    EXPECT_EFFECT(&h, "PEXPIRE z 1", ":1\r\n", "PEXPIREAT z 1700000000001");
    h.now_ms += 1;
    EXPECT_EFFECT(&h, "ZADD z 1 c", ":1\r\n", "DEL z | ZADD z 1 c");
    EXPECT_EFFECT(&h, "DEL z", ":1\r\n", "DEL z");
}
END_TEST

START_TEST(large_sorted_sets)
{
    char request[64];
    for (int i = 0; i < 500; i++) {
        snprintf(request, sizeof(request), "ZADD z %d member:%03d", i * 7 % 100, i);
        run(request);
    }
    EXPECT(&h, "ZCARD z", ":500\r\n");
    EXPECT(&h, "OBJECT ENCODING z", "$8\r\nskiplist\r\n");
    EXPECT(&h, "ZCOUNT z 10 19", ":50\r\n");
    EXPECT(&h, "ZRANK z member:000", ":0\r\n");
    EXPECT_WORDS("ZRANGE z 250 251 WITHSCORES", "member:050 50 member:150 50");
    EXPECT_EFFECT(&h, "ZINCRBY z 1000 member:000", "$4\r\n1000\r\n", "ZADD z 1000 member:000");
    EXPECT(&h, "ZREVRANK z member:000", ":0\r\n");
    EXPECT_EFFECT(&h, "ZUNIONSTORE d 2 z z", ":500\r\n", "ZUNIONSTORE d 2 z z");
    EXPECT(&h, "ZSCORE d member:000", "$4\r\n2000\r\n");
    EXPECT_EFFECT(&h, "ZREMRANGEBYRANK d 10 -1", ":490\r\n", "ZREMRANGEBYRANK d 10 -1");
    EXPECT(&h, "OBJECT ENCODING d", "$8\r\nlistpack\r\n");
    EXPECT_EFFECT(&h, "COPY z m", ":1\r\n", "COPY z m");
    EXPECT_EFFECT(&h, "UNLINK z m d", ":3\r\n", "UNLINK z m d");
    ck_assert_uint_eq(store_memory(h.store), store_freeing(h.store));
}
END_TEST

START_TEST(reading_and_writing_are_accesses)
{
    static const char *const requests[] = {
        "ZCARD z",    "ZSCORE z a",    "ZRANGE z 0 0", "ZCOUNT z 0 1",   "ZRANK z a",
        "ZADD z 5 a", "ZINCRBY z 1 a", "ZREM z b",     "ZPOPMAX z",      "ZUNION 1 z",
        "ZSCAN z 0",  "ZRANDMEMBER z", "ZMSCORE z a",  "ZINTERCARD 1 z", "ZREMRANGEBYRANK z 0 0"};
    run("ZADD z 1 a 2 b 3 c 4 d 5 e");
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        h.now_ms += 50000;
        EXPECT(&h, "OBJECT IDLETIME z", ":50\r\n");
        run(requests[i]);
        EXPECT(&h, "OBJECT IDLETIME z", ":0\r\n");
    }
    run("ZRANGE z 0 0");
    ck_assert_uint_eq(h.call.hits, 1);
    run("ZUNION 2 none z");
    ck_assert_uint_eq(h.call.misses, 1);
    ck_assert_uint_eq(h.call.hits, 1);
}
END_TEST

START_TEST(waiting)
{
    static const char *const none[] = {"BZPOPMIN a b 0", "BZPOPMAX a b 0", "BZMPOP 0 2 a b MIN"};
    for (size_t i = 0; i < 3; i++) {
        EXPECT_EFFECT(&h, none[i], "", "");
        ck_assert_uint_eq(h.wait.count, 2);
        ck_assert_int_eq(h.wait.type, OBJECT_ZSET);
    }
    EXPECT_EFFECT(&h, "ZADD b 1 x 2 y 3 z 4 u", ":4\r\n", "ZADD b 1 x 2 y 3 z 4 u");
    EXPECT_EFFECT(&h, "BZPOPMIN a b 0", "*3\r\n$1\r\nb\r\n$1\r\nx\r\n$1\r\n1\r\n", "ZREM b x");
    EXPECT_EFFECT(&h, "BZPOPMAX a b 0", "*3\r\n$1\r\nb\r\n$1\r\nu\r\n$1\r\n4\r\n", "ZREM b u");
    EXPECT_EFFECT(&h, "BZMPOP 0 2 a b MAX COUNT 2",
                  "*2\r\n$1\r\nb\r\n*2\r\n*2\r\n$1\r\nz\r\n$1\r\n3\r\n*2\r\n$1\r\ny\r\n"
                  "$1\r\n2\r\n",
                  "ZREM b y z");
    EXPECT(&h, "EXISTS b", ":0\r\n");
    EXPECT_EFFECT(&h, "RPUSH l 1", ":1\r\n", "RPUSH l 1");
    EXPECT(&h, "BZPOPMIN a l 0",
           "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    EXPECT(&h, "BZPOPMIN a x", "-ERR timeout is not a float or out of range\r\n");
    EXPECT(&h, "BZMPOP -1 1 a MIN", "-ERR timeout is negative\r\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands/zset");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, adding);
    tcase_add_test(tests, adding_wrongly);
    tcase_add_test(tests, incrementing);
    tcase_add_test(tests, looking);
    tcase_add_test(tests, ranges);
    tcase_add_test(tests, ranges_of_members);
    tcase_add_test(tests, ranges_asked_for_wrongly);
    tcase_add_test(tests, removing);
    tcase_add_test(tests, popping);
    tcase_add_test(tests, popping_from_the_first_of_several);
    tcase_add_test(tests, popping_many);
    tcase_add_test(tests, combining);
    tcase_add_test(tests, combining_wrongly);
    tcase_add_test(tests, storing);
    tcase_add_test(tests, drawing);
    tcase_add_test(tests, scanning);
    tcase_add_test(tests, other_commands_on_sorted_sets);
    tcase_add_test(tests, large_sorted_sets);
    tcase_add_test(tests, reading_and_writing_are_accesses);
    tcase_add_test(tests, waiting);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
