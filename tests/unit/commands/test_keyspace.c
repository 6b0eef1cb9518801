#include "support/harness.h"

#include "ring/slot.h"

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

static void set_key(const char *key)
{
    struct bytes argv[] = {BYTES_LITERAL("SET"), bytes_of(key), BYTES_LITERAL("v")};
    ck_assert_str_eq(harness_run_arguments(&h, 3, argv), R_OK);
}

/* Fills with key0 .. key<count - 1>, each in its slot. */
static void fill(size_t count)
{
    h.by_slot = true;
    for (size_t i = 0; i < count; i++) {
        char key[32];
        snprintf(key, sizeof(key), "key%zu", i);
        set_key(key);
    }
}

static struct slot *slot_of(const char *key)
{
    return &h.slots[slot_of_key(bytes_of(key))];
}

/* Number of elements of the array that was replied. */
static long array_count(const char *reply)
{
    ck_assert_int_eq(reply[0], '*');
    return strtol(reply + 1, NULL, 10);
}

START_TEST(dbsize_counts_what_is_served)
{
    EXPECT(&h, "DBSIZE", ":0\r\n");
    fill(500);
    EXPECT(&h, "DBSIZE", ":500\r\n");
    harness_unserve(slot_of("key3"), COPY_FOLLOWER);
    harness_unserve(slot_of("key4"), COPY_PRIMARY);
    size_t hidden =
        keyspace_count(slot_keys(slot_of("key3"))) + keyspace_count(slot_keys(slot_of("key4")));
    char expected[32];
    snprintf(expected, sizeof(expected), ":%zu\r\n", 500 - hidden);
    EXPECT(&h, "DBSIZE", expected);
}
END_TEST

START_TEST(keys_by_pattern)
{
    EXPECT(&h, "KEYS *", "*0\r\n");
    fill(3000);
    ck_assert_int_eq(array_count(harness_run(&h, "KEYS *")), 3000);
    ck_assert_int_eq(array_count(harness_run(&h, "KEYS key1?")), 10);
    ck_assert_int_eq(array_count(harness_run(&h, "KEYS KEY*")), 0);
    EXPECT(&h, "KEYS key17", "*1\r\n$5\r\nkey17\r\n");
    harness_unserve(slot_of("key17"), COPY_NONE);
    EXPECT(&h, "KEYS key17", "*0\r\n");
}
END_TEST

START_TEST(keys_of_a_large_slot)
{
    for (size_t i = 0; i < 5000; i++) {
        char key[32];
        snprintf(key, sizeof(key), "key%zu", i);
        set_key(key);
    }
    ck_assert_int_eq(array_count(harness_run(&h, "KEYS *")), 5000);
}
END_TEST

START_TEST(expired_keys_are_not_shown)
{
    h.by_slot = true;
    EXPECT_EFFECT(&h, "SET a v PX 1", R_OK, "SET a v PXAT 1700000000001");
    h.now_ms += 1;
    EXPECT(&h, "KEYS *", "*0\r\n");
    EXPECT(&h, "RANDOMKEY", R_NULL);
    set_key("b");
    EXPECT(&h, "KEYS *", "*1\r\n$1\r\nb\r\n");
    EXPECT(&h, "RANDOMKEY", "$1\r\nb\r\n");
}
END_TEST

START_TEST(randomkey_draws_every_key_alike)
{
    EXPECT(&h, "RANDOMKEY", R_NULL);
    fill(8);
    unsigned drawn[8] = {0};
    for (int i = 0; i < 800; i++) {
        const char *reply = harness_run(&h, "RANDOMKEY");
        ck_assert_int_eq(strncmp(reply, "$4\r\nkey", 7), 0);
        drawn[reply[7] - '0']++;
    }
    for (size_t i = 0; i < 8; i++) {
        /* 100 expected; 50 away is beyond five standard deviations. */
        ck_assert_uint_gt(drawn[i], 50);
        ck_assert_uint_lt(drawn[i], 150);
    }
    harness_unserve(slot_of("key5"), COPY_FOLLOWER);
    for (int i = 0; i < 100; i++) {
        ck_assert_ptr_null(strstr(harness_run(&h, "RANDOMKEY"), "key5"));
    }
}
END_TEST

START_TEST(flushall_tells_the_replicas_slot_by_slot)
{
    h.by_slot = true;
    EXPECT(&h, "FLUSHALL", R_OK);
    set_key("a");
    char effect[64];
    snprintf(effect, sizeof(effect), "torc.flushslot %u", slot_of_key(bytes_of("a")));
    EXPECT_EFFECT(&h, "FLUSHALL ASYNC", R_OK, effect);
    EXPECT(&h, "DBSIZE", ":0\r\n");
    set_key("a");
    EXPECT_EFFECT(&h, "FLUSHDB SYNC", R_OK, effect);
    set_key("a");
    EXPECT(&h, "FLUSHALL foo", R_SYNTAX);
    EXPECT(&h, "FLUSHALL SYNC ASYNC", R_SYNTAX);
    EXPECT(&h, "DBSIZE", ":1\r\n");
    harness_unserve(slot_of("a"), COPY_FOLLOWER);
    EXPECT(&h, "FLUSHALL", R_OK);
    ck_assert_uint_eq(keyspace_count(slot_keys(slot_of("a"))), 1);
}
END_TEST

START_TEST(flushslot_is_for_replicas)
{
    set_key("a");
    ck_assert_int_eq(harness_run(&h, "torc.flushslot 0")[0], '-');
    EXPECT(&h, "EXISTS a", ":1\r\n");
    h.applying = true;
    ck_assert_str_eq(harness_run(&h, "torc.flushslot 0"), R_OK);
    h.applying = false;
    EXPECT(&h, "EXISTS a", ":0\r\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands/keyspace");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, dbsize_counts_what_is_served);
    tcase_add_test(tests, keys_by_pattern);
    tcase_add_test(tests, keys_of_a_large_slot);
    tcase_add_test(tests, expired_keys_are_not_shown);
    tcase_add_test(tests, randomkey_draws_every_key_alike);
    tcase_add_test(tests, flushall_tells_the_replicas_slot_by_slot);
    tcase_add_test(tests, flushslot_is_for_replicas);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
