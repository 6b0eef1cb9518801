#include "tests/unit/store/support.h"

static struct store *store;
static struct keyspace *keys;

static void setup(void)
{
    store = store_create();
    ck_assert_ptr_nonnull(store);
    keys = store_keyspace(store, 1);
}

static void teardown(void)
{
    store_destroy(store);
}

struct sweep {
    uint64_t now_ms;
    size_t calls;
    bool keep; /* leaves the objects where they are */
};

static void drop(void *context, struct keyspace *from, struct object *object)
{
    struct sweep *sweep = context;
    require(object_expired_at(keyspace_expire_at_ms(from, object), sweep->now_ms));
    sweep->calls++;
    struct bytes key = object_key(object);
    if (!sweep->keep) {
        require(keyspace_delete(from, key, key_hash(key)));
    }
}

/* Sweeps until nothing is due, as a caller would; returns how many were dropped. */
static size_t sweep_all(uint64_t now_ms, size_t budget)
{
    struct sweep sweep = {.now_ms = now_ms};
    size_t calls = 0;
    while (keyspace_next_expiry_ms(keys) != 0 && keyspace_next_expiry_ms(keys) <= now_ms) {
        size_t before = sweep.calls;
        size_t swept = keyspace_expired(keys, now_ms, budget, drop, &sweep);
        ck_assert_uint_eq(swept, sweep.calls - before);
        ck_assert_uint_le(swept, budget);
        ck_assert_uint_lt(calls++, 100000);
    }
    return sweep.calls;
}

START_TEST(nothing_expires_where_nothing_may)
{
    struct sweep sweep = {.now_ms = UINT64_MAX};
    ck_assert_uint_eq(keyspace_next_expiry_ms(keys), 0);
    ck_assert_uint_eq(keyspace_expired(keys, UINT64_MAX, 10, drop, &sweep), 0);
    set_number(keys, 1, "x", 0);
    ck_assert_uint_eq(keyspace_next_expiry_ms(keys), 0);
    ck_assert_uint_eq(keyspace_expired(keys, UINT64_MAX - 1, 10, drop, &sweep), 0);
    set_number(keys, 1, "x", 500);
    ck_assert_uint_eq(keyspace_next_expiry_ms(keys), 500);
    ck_assert_uint_eq(keyspace_expired(keys, 499, 10, drop, &sweep), 0);
    sweep.now_ms = 500;
    ck_assert_uint_eq(keyspace_expired(keys, 500, 0, drop, &sweep), 0);
    ck_assert_uint_eq(keyspace_expired(keys, 500, 10, drop, &sweep), 1);
    ck_assert_uint_eq(keyspace_count(keys), 0);
    ck_assert_uint_eq(keyspace_next_expiry_ms(keys), 0);
}
END_TEST

/* One that takes more bytes than the others leaves them as they are, and so does its going. */
START_TEST(times_of_any_size_are_exact)
{
    static const uint64_t times[] = {1,
                                     UINT32_MAX,
                                     (uint64_t)UINT32_MAX + 1,
                                     ((uint64_t)1 << 48) - 1,
                                     (uint64_t)1 << 48,
                                     INT64_MAX,
                                     UINT64_MAX - 1,
                                     ((uint64_t)1 << 48) - 2};
    for (unsigned i = 0; i < 100; i++) {
        set_number(keys, i, "x", i % 2 == 0 ? 0 : 1000 + i);
    }
    for (size_t at = 0; at < sizeof(times) / sizeof(times[0]); at++) {
        set_number(keys, 50, "another", times[at]);
        for (unsigned i = 100; i < 100 + 40 * (at % 2); i++) {
            set_number(keys, i, "x", 0);
        }
        for (unsigned i = 0; i < 140; i++) {
            const struct object *object = find_number(keys, i);
            uint64_t time = i == 50 ? times[at] : i < 100 && i % 2 == 1 ? 1000 + i : 0;
            require(object == NULL || keyspace_expire_at_ms(keys, object) == time);
        }
        ck_assert_uint_eq(keyspace_expiry_count(keys), 51);
        ck_assert(memory_adds_up(keys));
        for (unsigned i = 100; i < 140; i++) {
            delete_number(keys, i);
        }
    }
}
END_TEST

/* A table has room for times from the first that it is told on, until it is made anew for another
 * size with none in it. */
START_TEST(where_nothing_expires_times_take_no_memory)
{
    for (unsigned i = 0; i < 2000; i++) {
        set_number(keys, i, "x", 0);
    }
    size_t without = keyspace_memory(keys);
    for (unsigned i = 0; i < 2000; i++) {
        set_number(keys, i, "x", 500);
    }
    size_t with = keyspace_memory(keys);
    ck_assert_uint_ge(with, without + (size_t)6 * 2000);
    ck_assert_uint_le(with, without + (size_t)10 * 2000);
    for (unsigned i = 0; i < 2000; i++) {
        struct numbered_key name;
        numbered_key(&name, i);
        ck_assert_int_eq(keyspace_set_expiry(keys, name.key, name.hash, 0), 0);
    }
    ck_assert_uint_eq(keyspace_memory(keys), with);
    for (unsigned i = 100; i < 2000; i++) {
        require(delete_number(keys, i));
    }
    ck_assert_uint_eq(keys->table.root.expiry_size, 0);
    ck_assert(memory_adds_up(keys));
}
END_TEST

/* Key i expires at 1000 + i, but every third never. Time passes in steps; what is left is exact. */
static void expire_in_steps(unsigned count, uint64_t step_ms, size_t budget)
{
    keyspace_clear(keys);
    for (unsigned i = 0; i < count; i++) {
        set_number(keys, i, "x", i % 3 == 0 ? 0 : 1000 + i);
    }
    size_t left = count;
    for (uint64_t now_ms = 999; now_ms <= 1000 + count + step_ms; now_ms += step_ms) {
        left -= sweep_all(now_ms, budget);
        ck_assert_uint_eq(keyspace_count(keys), left);
        if (keyspace_expiry_count(keys) > 0) {
            ck_assert_uint_gt(keyspace_next_expiry_ms(keys), now_ms);
        }
        for (unsigned i = 0; i < count; i += 1 + count / 50) {
            bool gone = i % 3 != 0 && 1000 + i <= now_ms;
            require((find_number(keys, i) == NULL) == gone);
        }
    }
    ck_assert_uint_eq(keyspace_expiry_count(keys), 0);
    ck_assert_uint_eq(keyspace_count(keys), (count + 2) / 3);
}

START_TEST(keys_expire_when_their_time_has_come)
{
    expire_in_steps(1, 1, 1);
    expire_in_steps(60, 1, 100);
    expire_in_steps(600, 7, 3);
    expire_in_steps(3000, 100, 1000);
    expire_in_steps(20000, 3000, 500);
}
END_TEST

START_TEST(the_hint_is_never_later_than_the_truth)
{
    struct prng prng;
    prng_init(&prng, 9);
    static uint64_t expiries[6000];
    for (int i = 0; i < 60000; i++) {
        uint64_t number = prng_below(&prng, i < 20000 ? 100 : 6000);
        uint64_t expire_at_ms = prng_below(&prng, 4) == 0 ? 0 : 1 + prng_below(&prng, 1 << 20);
        if (prng_below(&prng, 3) == 0) {
            delete_number(keys, number);
            expire_at_ms = 0;
        } else {
            set_number(keys, number, "x", expire_at_ms);
        }
        expiries[number] = expire_at_ms;
        if (i % 100 == 0) {
            for (unsigned at = 0; at < 6000; at++) {
                require(expiries[at] == 0 || keyspace_next_expiry_ms(keys) != 0);
                require(expiries[at] == 0 || keyspace_next_expiry_ms(keys) <= expiries[at]);
            }
        }
    }
    size_t expiring = keyspace_expiry_count(keys);
    ck_assert_uint_eq(sweep_all(1 << 20, 64), expiring);
    ck_assert_uint_eq(keyspace_expiry_count(keys), 0);
}
END_TEST

START_TEST(one_sweep_of_a_giant_is_bounded)
{
    for (unsigned i = 0; i < 50000; i++) {
        set_number(keys, i, "x", 1000);
    }
    for (unsigned i = 0; i < 50000; i++) {
        set_number(keys, i, "y", 9000); /* all hints are stale now */
    }
    struct sweep sweep = {.now_ms = 2000};
    unsigned calls = 0;
    while (keyspace_next_expiry_ms(keys) <= 2000) {
        ck_assert_uint_eq(keyspace_expired(keys, 2000, 10, drop, &sweep), 0);
        calls++;
    }
    ck_assert_uint_ge(calls, 8);
    ck_assert_uint_le(calls, 50);
    ck_assert_uint_eq(keyspace_next_expiry_ms(keys), 9000);
}
END_TEST

/* Sweeping the lower half of the hashes leaves so few that the piece is merged with the upper one,
 * which must be swept in the same call all the same. */
START_TEST(what_is_merged_during_a_sweep_is_swept_too)
{
    unsigned low = 0, high = 0;
    for (unsigned i = 0; i < 1300; i++) {
        struct numbered_key name;
        numbered_key(&name, i);
        low += name.hash >> 63 == 0 ? 1 : 0;
        high += name.hash >> 63 == 1 ? 1 : 0;
        set_number(keys, i, "x", 1000);
    }
    for (unsigned i = 0; high > 200; i++) {
        struct numbered_key name;
        numbered_key(&name, i);
        if (name.hash >> 63 == 1) {
            require(delete_number(keys, i));
            high--;
        }
    }
    struct sweep sweep = {.now_ms = 1000};
    ck_assert_uint_eq(keyspace_expired(keys, 1000, 10000, drop, &sweep), low + high);
    ck_assert_uint_eq(keyspace_count(keys), 0);
}
END_TEST

START_TEST(a_visitor_may_keep_the_object)
{
    for (unsigned i = 0; i < 500; i++) {
        set_number(keys, i, "x", 10 + i % 2);
    }
    struct sweep sweep = {.now_ms = 10, .keep = true};
    ck_assert_uint_eq(keyspace_expired(keys, 10, 1000, drop, &sweep), 250);
    ck_assert_uint_eq(keyspace_expired(keys, 10, 100, drop, &sweep), 100);
    ck_assert_uint_eq(keyspace_count(keys), 500);
    ck_assert_uint_eq(keyspace_next_expiry_ms(keys), 10);
    sweep.now_ms = 11;
    sweep.keep = false;
    ck_assert_uint_eq(keyspace_expired(keys, 11, 1000, drop, &sweep), 500);
    ck_assert_uint_eq(keyspace_memory(keys), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("expiry");
    TCase *tests = tcase_create("expiry");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, nothing_expires_where_nothing_may);
    tcase_add_test(tests, times_of_any_size_are_exact);
    tcase_add_test(tests, where_nothing_expires_times_take_no_memory);
    tcase_add_test(tests, keys_expire_when_their_time_has_come);
    tcase_add_test(tests, the_hint_is_never_later_than_the_truth);
    tcase_add_test(tests, one_sweep_of_a_giant_is_bounded);
    tcase_add_test(tests, what_is_merged_during_a_sweep_is_swept_too);
    tcase_add_test(tests, a_visitor_may_keep_the_object);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
