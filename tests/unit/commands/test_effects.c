/*
 * What replicas are told is enough: any sequence of commands on a primary leaves a replica, which
 * applies the effects under a clock of its own, with the same keys, values and expiries.
 */
#include "support/harness.h"

#include "base/prng.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 20
#define STEPS 3000
#define COMPARE_EVERY 4 /* steps: it takes longer than all else */

static struct harness primary;
static struct harness replica;
static struct prng prng;

static void setup(void)
{
    harness_init(&primary);
    harness_init(&replica);
}

static void teardown(void)
{
    harness_deinit(&primary);
    harness_deinit(&replica);
}

#define PICK(words) ((words)[prng_below(&prng, sizeof(words) / sizeof((words)[0]))])

static const char *key(void)
{
    static const char *const keys[] = {"a", "b", "c", "d", "e"};
    return PICK(keys);
}

/* A time around now. */
static uint64_t absolute(void)
{
    return primary.now_ms - 5 + prng_below(&prng, 40);
}

/* In these K stands for a key, V a value, T a time to live, A a time, N a number, S a score. */
static const char *const templates[] = {"GET K",
                                        "GETDEL K",
                                        "INCR K",
                                        "DECR K",
                                        "PERSIST K",
                                        "TTL K",
                                        "STRLEN K",
                                        "GETRANGE K 0 -1",
                                        "SET K V",
                                        "SET K V NX",
                                        "SET K V XX GET",
                                        "SET K V PX T",
                                        "SET K V EX T",
                                        "SET K V PXAT A",
                                        "SET K V KEEPTTL",
                                        "SET K V PX T NX",
                                        "SET K V PX T XX",
                                        "SET K V NX GET",
                                        "SET K V GET",
                                        "SETEX K T V",
                                        "PSETEX K T V",
                                        "SETNX K V",
                                        "GETSET K V",
                                        "APPEND K V",
                                        "MSET K V K V",
                                        "MSETNX K V K V",
                                        "SETRANGE K 3 V",
                                        "SETRANGE K 40 V",
                                        "INCRBY K N",
                                        "DECRBY K N",
                                        "INCRBYFLOAT K N",
                                        "GETEX K",
                                        "GETEX K PX T",
                                        "GETEX K EX T",
                                        "GETEX K PERSIST",
                                        "GETEX K PXAT A",
                                        "EXPIRE K T",
                                        "PEXPIRE K T",
                                        "PEXPIRE K T NX",
                                        "PEXPIRE K T XX",
                                        "PEXPIRE K T GT",
                                        "PEXPIRE K T LT",
                                        "PEXPIREAT K A",
                                        "PEXPIREAT K A",
                                        "RENAME K K",
                                        "RENAMENX K K",
                                        "COPY K K",
                                        "COPY K K REPLACE",
                                        "DEL K K",
                                        "UNLINK K",
                                        "EXISTS K K",
                                        "TOUCH K K",
                                        "MGET K K K",
                                        "LPUSH K V V V",
                                        "RPUSH K V",
                                        "LPUSHX K V",
                                        "RPUSHX K V V",
                                        "LPOP K",
                                        "RPOP K",
                                        "LPOP K 2",
                                        "RPOP K 0",
                                        "LSET K 0 V",
                                        "LSET K -1 V",
                                        "LINSERT K BEFORE V V",
                                        "LINSERT K AFTER V V",
                                        "LREM K 0 V",
                                        "LREM K 1 V",
                                        "LREM K -2 V",
                                        "LTRIM K 0 3",
                                        "LTRIM K 1 -2",
                                        "LTRIM K 2 1",
                                        "LMOVE K K LEFT RIGHT",
                                        "LMOVE K K RIGHT RIGHT",
                                        "RPOPLPUSH K K",
                                        "LMPOP 2 K K LEFT",
                                        "LMPOP 1 K RIGHT COUNT 3",
                                        "LRANGE K 0 -1",
                                        "LPOS K V",
                                        "LINDEX K 1",
                                        "LLEN K",
                                        "HSET K V V",
                                        "HSET K V V V V",
                                        "HMSET K V V V V",
                                        "HSETNX K V V",
                                        "HINCRBY K V N",
                                        "HINCRBYFLOAT K V N",
                                        "HDEL K V",
                                        "HDEL K V V V",
                                        "HGETALL K",
                                        "HRANDFIELD K 2",
                                        "SADD K V",
                                        "SADD K V V V N",
                                        "SREM K V",
                                        "SREM K V V N",
                                        "SMOVE K K V",
                                        "SPOP K",
                                        "SPOP K 2",
                                        "SPOP K 100",
                                        "SRANDMEMBER K",
                                        "SUNIONSTORE K K K",
                                        "SINTERSTORE K K K",
                                        "SDIFFSTORE K K K",
                                        "SINTER K K",
                                        "SMEMBERS K",
                                        "ZADD K S V S V S V",
                                        "ZADD K NX S V S V",
                                        "ZADD K XX CH S V S V",
                                        "ZADD K GT S V S V",
                                        "ZADD K LT CH S V",
                                        "ZADD K INCR S V",
                                        "ZADD K XX GT INCR S V",
                                        "ZINCRBY K S V",
                                        "ZREM K V V",
                                        "ZPOPMIN K",
                                        "ZPOPMAX K 2",
                                        "ZMPOP 2 K K MIN COUNT 2",
                                        "ZREMRANGEBYRANK K 1 2",
                                        "ZREMRANGEBYSCORE K S S",
                                        "ZRANGESTORE K K 0 3",
                                        "ZUNIONSTORE K 2 K K",
                                        "ZUNIONSTORE K 3 K K K WEIGHTS S S S AGGREGATE MAX",
                                        "ZINTERSTORE K 2 K K WEIGHTS 0.1 3",
                                        "ZDIFFSTORE K 2 K K",
                                        "ZRANGE K 0 -1",
                                        "ZUNION 2 K K"};

static void write_request(struct buf *out)
{
    static const char *const values[] = {"1",
                                         "-7",
                                         "x",
                                         "1.5",
                                         "\"\"",
                                         "9223372036854775807",
                                         "a-value-that-is-too-long-to-be-embedded-in-anything"};
    static const char *const times[] = {"1", "2", "5", "20", "1000", "0", "-1", "x"};
    static const char *const scores[] = {"1", "2", "-1.5", "0.1", "inf", "-inf", "x"};
    static const char *const numbers[] = {"3", "-2", "0.1", "9223372036854775807"};
    buf_reset(out, SIZE_MAX);
    const char *template = PICK(templates);
    bool command = true; /* letters stand for themselves in the command's name */
    for (const char *at = template; *at != '\0'; at++) {
        command = command && *at != ' ';
        bool alone = !command && at[-1] == ' ' && (at[1] == ' ' || at[1] == '\0');
        switch (alone ? *at : '\0') {
        case 'K': buf_append_text(out, key()); break;
        case 'V': buf_append_text(out, PICK(values)); break;
        case 'T': buf_append_text(out, PICK(times)); break;
        case 'N': buf_append_text(out, PICK(numbers)); break;
        case 'S': buf_append_text(out, PICK(scores)); break;
        case 'A': buf_append_format(out, "%" PRIu64, absolute()); break;
        default: buf_append(out, at, 1); break;
        }
    }
    buf_append(out, "", 1);
}

/* RESTORE takes bytes that cannot be written down: a dump of what is there. */
static void restore_step(void)
{
    char request[64];
    snprintf(request, sizeof(request), "DUMP %s", key());
    const char *reply = harness_run(&primary, request);
    if (reply[1] == '-') {
        return;
    }
    size_t header = (size_t)(strchr(reply, '\n') - reply) + 1;
    size_t size = buf_size(&primary.reply) - 1 - header - 2;
    char *dump = malloc(size);
    ck_assert_ptr_nonnull(dump);
    memcpy(dump, reply + header, size);
    bool at = prng_below(&prng, 2) == 0;
    char time[32];
    snprintf(time, sizeof(time), "%" PRIu64, at ? absolute() : prng_below(&prng, 10));
    struct bytes argv[] = {BYTES_LITERAL("RESTORE"), bytes_of(key()),
                           bytes_of(time),           {dump, size},
                           BYTES_LITERAL("REPLACE"), BYTES_LITERAL("ABSTTL")};
    /* The dump may have found its key expired: that effect comes first. */
    harness_apply(&replica, buf_bytes(&primary.effects));
    harness_run_arguments(&primary, at ? 6 : 5, argv);
    free(dump);
}

static void compare(uint64_t seed, int step, const char *request)
{
    char *ours = harness_content(&primary);
    char *theirs = harness_content(&replica);
    ck_assert_msg(strcmp(ours, theirs) == 0,
                  "seed %" PRIu64 " step %d, the last of some, after %s:\n%s---\n%s", seed, step,
                  request, ours, theirs);
    free(ours);
    free(theirs);
}

START_TEST(a_replica_ends_up_the_same)
{
    uint64_t seed = (uint64_t)_i + 1;
    size_t effects = 0;
    struct buf request = {0};
    buf_append(&request, "", 1);
    prng_init(&prng, seed);
    for (int step = 0; step < STEPS; step++) {
        primary.now_ms += prng_below(&prng, 3);
        replica.now_ms = primary.now_ms - 20 + prng_below(&prng, 40);
        if (prng_below(&prng, 20) == 0) {
            restore_step();
        } else {
            write_request(&request);
            harness_run(&primary, buf_head(&request));
        }
        effects += buf_size(&primary.effects) > 0;
        ck_assert_uint_eq(primary.call.changes > 0, buf_size(&primary.effects) > 0);
        harness_apply(&replica, buf_bytes(&primary.effects));
        if (step % COMPARE_EVERY == 0) {
            compare(seed, step, buf_head(&request));
        }
    }
    ck_assert_uint_gt(effects, STEPS / 4);
    buf_deinit(&request);
}
END_TEST

/* Commands with conditions, relative times or sums never reach a replica as they were sent. */
START_TEST(effects_are_deterministic)
{
    struct buf request = {0};
    prng_init(&prng, 99);
    for (int step = 0; step < STEPS; step++) {
        primary.now_ms += prng_below(&prng, 3);
        write_request(&request);
        harness_run(&primary, buf_head(&request));
        const char *told = harness_effects(&primary);
        static const char *const never[] = {
            "INCRBYFLOAT", "GETEX",   "GETSET", "GETDEL",  "SETEX",    "PSETEX", " PX ",
            " EX ",        " NX",     " XX",    "EXPIRE ", "RENAMENX", "LMPOP",  "HINCRBYFLOAT",
            "SPOP",        "ZINCRBY", "ZPOP",   "ZMPOP",   " GT ",     " LT "};
        for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
            ck_assert_msg(strstr(told, never[i]) == NULL, "%s was told as %s", buf_head(&request),
                          told);
        }
    }
    buf_deinit(&request);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands/effects");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, a_replica_ends_up_the_same, 0, ROUNDS);
    tcase_add_test(tests, effects_are_deterministic);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
