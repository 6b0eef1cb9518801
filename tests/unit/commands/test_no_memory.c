/*
 * Fails the first, second, third ... allocation of the store in commands of every family until the
 * command succeeds. Each failure is answered with -OOM and leaves all keys as they were; or else,
 * as a replica that hears of it shows, what it says it has done is what it has done. The four
 * functions at the top take the place of the library's.
 */
#include "node/store/allocate.h"
#include "tests/unit/commands/support/harness.h"

#include <check.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static size_t allocations_left = SIZE_MAX;

static bool spend(void)
{
    if (allocations_left == 0) {
        return false;
    }
    allocations_left -= allocations_left == SIZE_MAX ? 0 : 1;
    return true;
}

void *store_allocate(size_t size)
{
    return spend() ? malloc(size) : NULL;
}

void *store_reallocate(void *block, size_t size)
{
    return spend() ? realloc(block, size) : NULL;
}

void store_release(void *block)
{
    free(block);
}

size_t store_allocated_size(const void *block)
{
    return malloc_usable_size((void *)(size_t)block);
}

/* What is there before each command: small and large ones of every type. */
static const char *const before[] = {
    "SET text 0123456789", "SET number 41",  "SET timed x EX 100",  "RPUSH list a b c",
    "HSET hash f 1 g 2",   "SADD set a b c", "SADD integers 1 2 3", "ZADD zset 1 a 2 b 3 c",
};

#define LARGE_MEMBERS 600 /* past what any small form holds */
#define LARGE_VALUE "a value that is long enough for a few hundred of them to outgrow a small form"

static const char *const commands[] = {
    "SET new value",
    "SET new value EX 10",
    "SET text another-value-of-another-size-than-it-had-before",
    "SETRANGE text 200 x",
    "APPEND text a-text-that-does-not-fit-where-it-is-now-and-moves-the-value",
    "INCR fresh",
    "INCRBYFLOAT fresh-float 0.123456789",
    "GETSET text an-other-text-that-is-longer-than-the-first-one-was",
    "PEXPIREAT text 9000000000000000", /* needs more bytes than that of `timed` */
    "RENAME text renamed-to-a-longer-name",
    "COPY list list-copy",
    "COPY large-hash hash-copy",
    "COPY large-zset zset-copy",
    "MSETNX one 1",
    "RPUSH list d e f a-text-that-does-not-fit-where-the-list-is-now-and-moves-it",
    "LINSERT list BEFORE b x-which-is-a-longer-text-than-the-others-of-it",
    "LSET list 1 a-text-that-is-longer-than-what-was-there",
    "LMOVE list new-list LEFT RIGHT",
    "HSET hash h a-text-that-does-not-fit-where-the-hash-is-now",
    "HSET hash long a-text-of-more-than-sixty-four-bytes-makes-of-a-small-hash-a-large-one-at-once",
    "HSET large-hash new value",
    "HINCRBY hash f 100000",
    "SADD set d a-text-that-does-not-fit-where-the-set-is-now",
    "SADD integers text",
    "SADD large-set new",
    "SMOVE set new-set a",
    "SUNIONSTORE union set integers",
    "ZADD zset 4 a-member-that-does-not-fit-where-the-sorted-set-is-now",
    "ZADD large-zset 7 new",
    "ZADD large-zset 9 member:1",
    "ZINCRBY large-zset 3 member:2",
    "ZUNIONSTORE union 2 zset set",
    "ZRANGESTORE range large-zset 0 300",
};

static struct harness h;
static struct harness replica;

static void run(const char *request)
{
    const char *reply = harness_run(&h, request);
    ck_assert_msg(reply[0] != '-', "%s: %s", request, reply);
}

/* Tells the replica what the last run has done. */
static void replicate(void)
{
    allocations_left = SIZE_MAX;
    harness_apply(&replica, buf_bytes(&h.effects));
}

static void fill_large(void)
{
    char request[200];
    for (unsigned i = 0; i < LARGE_MEMBERS; i++) {
        (void)snprintf(request, sizeof(request), "RPUSH large-list %u-" LARGE_VALUE, i);
        run(request);
        replicate();
        (void)snprintf(request, sizeof(request), "HSET large-hash field:%u %u", i, i);
        run(request);
        replicate();
        (void)snprintf(request, sizeof(request), "SADD large-set member:%u", i);
        run(request);
        replicate();
        (void)snprintf(request, sizeof(request), "ZADD large-zset %u member:%u", i, i);
        run(request);
        replicate();
    }
}

static void setup(void)
{
    allocations_left = SIZE_MAX;
    harness_init(&h);
    harness_init(&replica);
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        run(before[i]);
        replicate();
    }
    fill_large();
}

static void teardown(void)
{
    harness_deinit(&h);
    harness_deinit(&replica);
}

static struct keyspace_digest digest(struct harness *harness)
{
    static const struct digest_place all;
    struct keyspace_digest digest = {0};
    keyspace_digest_range(store_keyspace(harness->store, 0), all, all, &digest);
    return digest;
}

/* Several members are added one by one: some may be in when there is no memory for the next. */
START_TEST(a_failed_allocation_is_answered_and_harms_nothing)
{
    const char *command = commands[_i];
    size_t failures = 0;
    bool failed = true;
    for (size_t allocations = 0; failed; allocations++) {
        ck_assert_uint_lt(allocations, 5000);
        allocations_left = allocations;
        failed = strncmp(harness_run(&h, command), "-OOM ", 5) == 0;
        replicate();
        failures += failed;
        struct keyspace_digest is = digest(&h);
        struct keyspace_digest told = digest(&replica);
        ck_assert_msg(is.count == told.count && is.sum == told.sum,
                      "%s with %zu allocations has done another thing than it says", command,
                      allocations);
    }
    ck_assert_msg(failures > 0, "%s allocates nothing", command);
    ck_assert_str_ne(harness_effects(&h), "");
    run("SET afterwards 1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands/no_memory");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, a_failed_allocation_is_answered_and_harms_nothing, 0,
                        (int)(sizeof(commands) / sizeof(commands[0])));
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
