#include "node/store/eviction.h"
#include "tests/unit/store/evict_step.h"
#include "tests/unit/store/support.h"

#define STEPS_MAX 100000

static struct store *store;
static struct evictor evictor;
static uint64_t now_ms;

static void setup(void)
{
    store = store_create();
    ck_assert_ptr_nonnull(store);
    evictor_init(&evictor, 3);
    now_ms = UINT64_C(1700000000000);
}

static void teardown(void)
{
    store_destroy(store);
}

/* Slots are in no order of the numbers: the hand goes by slots. */
static struct keyspace *keys_of(uint64_t number)
{
    return store_keyspace(store, (uint16_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 50));
}

static void add(uint64_t number, uint64_t expire_at_ms)
{
    set_number(keys_of(number), number, "x", expire_at_ms);
    keyspace_touch(keys_of(number), find_number(keys_of(number), number), now_ms);
}

static void use(uint64_t number)
{
    struct object *object = find_number(keys_of(number), number);
    if (object != NULL) {
        keyspace_touch(keys_of(number), object, now_ms);
    }
}

/* Evicts one and says which; UINT64_MAX if none was found in so many steps. */
static uint64_t evict(enum eviction_policy policy)
{
    evictor_begin(&evictor, policy);
    for (unsigned i = 0; i < STEPS_MAX; i++) {
        struct keyspace *keys;
        const struct object *victim = evict_step(&evictor, store, now_ms, &keys);
        if (victim != NULL) {
            uint64_t number = key_number(victim);
            require(delete_number(keys, number));
            return number;
        }
    }
    return UINT64_MAX;
}

START_TEST(the_longest_unused_goes_first)
{
    store_set_eviction(store, EVICTION_LRU, true);
    for (unsigned i = 0; i < 1000; i++) {
        now_ms += 100;
        add(i, 0);
    }
    now_ms += 100;
    for (unsigned i = 0; i < 500; i++) {
        use(i);
    }
    uint64_t sum = 0;
    for (unsigned i = 0; i < 100; i++) {
        uint64_t number = evict(EVICTION_LRU);
        ck_assert_uint_ge(number, 500);
        sum += number;
    }
    /* Those that were used an age ago, of the rest: exact order would have the mean 550. */
    ck_assert_uint_lt(sum / 100, 620);
}
END_TEST

START_TEST(the_least_often_used_goes_first)
{
    store_set_eviction(store, EVICTION_LFU, true);
    for (unsigned i = 0; i < 1000; i++) {
        add(i, 0);
        for (unsigned uses = 0; i < 500 && uses < 200; uses++) {
            use(i);
        }
    }
    for (unsigned i = 0; i < 300; i++) {
        ck_assert_uint_ge(evict(EVICTION_LFU), 500);
    }
    unsigned frequency = 0;
    ck_assert(keyspace_frequency(keys_of(0), find_number(keys_of(0), 0), now_ms, &frequency));
    ck_assert_uint_gt(frequency, 8);
    unsigned later = 0;
    uint64_t later_ms = now_ms + UINT64_C(5) * 60000;
    ck_assert(keyspace_frequency(keys_of(0), find_number(keys_of(0), 0), later_ms, &later));
    ck_assert_uint_eq(later, frequency - 5);
}
END_TEST

START_TEST(any_goes_at_random)
{
    for (unsigned i = 0; i < 4000; i++) {
        add(i, 0);
    }
    uint64_t sum = 0;
    for (unsigned i = 0; i < 400; i++) {
        sum += evict(EVICTION_RANDOM);
    }
    ck_assert_uint_gt(sum / 400, 1700);
    ck_assert_uint_lt(sum / 400, 2300);
}
END_TEST

/* However few keys have an expiry, they are found; and none is made up when they are gone. */
START_TEST(only_keys_with_an_expiry_go)
{
    static const enum eviction_policy policies[] = {
        EVICTION_TTL, EVICTION_VOLATILE_LRU, EVICTION_VOLATILE_LFU, EVICTION_VOLATILE_RANDOM};
    store_set_eviction(store, policies[_i], true);
    for (unsigned i = 0; i < 20000; i++) {
        add(i, i % 4000 == 0 ? now_ms + 20000 - i : 0);
    }
    for (unsigned left = 5; left > 0; left--) {
        uint64_t number = evict(policies[_i]);
        ck_assert_uint_eq(number % 4000, 0);
        ck_assert_uint_eq(store_expiry_count(store), left - 1);
    }
    ck_assert_uint_eq(evict(policies[_i]), UINT64_MAX);
    ck_assert_uint_gt(evictor.fruitless, SLOT_COUNT);
}
END_TEST

START_TEST(the_soonest_to_expire_goes_first)
{
    for (unsigned i = 0; i < 1000; i++) {
        add(i, now_ms + 1000 + i);
    }
    uint64_t sum = 0;
    for (unsigned i = 0; i < 100; i++) {
        sum += evict(EVICTION_TTL);
    }
    ck_assert_uint_lt(sum / 100, 150); /* exact order: 50 */
}
END_TEST

/* Keys that are used again and again stay while ten times as many pass by. */
START_TEST(what_is_used_survives_a_scan)
{
    store_set_eviction(store, EVICTION_S3FIFO, true);
    for (unsigned i = 0; i < 1000; i++) {
        add(i, 0);
        use(i);
        use(i);
    }
    for (unsigned i = 0; i < 10000; i++) {
        add(100000 + i, 0);
        (void)evict(EVICTION_S3FIFO);
        if (i % 10 == 0) {
            use(i / 10);
        }
    }
    unsigned left = 0;
    for (unsigned i = 0; i < 1000; i++) {
        left += find_number(keys_of(i), i) != NULL;
    }
    ck_assert_uint_gt(left, 850);
    ck_assert_uint_eq(store_key_count(store), 1000);
    ck_assert_uint_gt(store_eviction_memory(store), 0);
}
END_TEST

/* One that comes back soon after it was evicted goes to the main queue at once. */
START_TEST(who_comes_back_is_remembered)
{
    store_set_eviction(store, EVICTION_S3FIFO, true);
    store_fit_eviction(store, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        add(i, 0);
    }
    uint32_t share = atomic_load(&store->eviction->small_share);
    unsigned back = 0;
    for (unsigned i = 0; i < 100; i++) {
        uint64_t number = evict(EVICTION_S3FIFO);
        add(number, 0);
        back += (object_mark(find_number(keys_of(number), number)) & MARK_MAIN) != 0;
    }
    ck_assert_uint_gt(back, 90);
    ck_assert_uint_gt(atomic_load(&store->eviction->small_share), share);
    uint64_t idle_ms;
    ck_assert(!keyspace_idle_ms(keys_of(1), find_number(keys_of(1), 1), now_ms, &idle_ms));
}
END_TEST

/* What came with a refill was never accessed here: it is not the first to go. */
START_TEST(what_was_never_accessed_is_as_new)
{
    static const enum eviction_policy policies[] = {EVICTION_S3FIFO, EVICTION_LRU, EVICTION_LFU};
    store_set_eviction(store, policies[_i], true);
    for (unsigned i = 0; i < 500; i++) {
        add(i, 0);
    }
    now_ms += 60000;
    for (unsigned i = 500; i < 1000; i++) {
        set_number(keys_of(i), i, "x", 0);
    }
    for (unsigned i = 0; i < 100; i++) {
        (void)evict(policies[_i]);
    }
    unsigned left = 0;
    for (unsigned i = 500; i < 1000; i++) {
        left += find_number(keys_of(i), i) != NULL;
    }
    ck_assert_uint_gt(left, 430);
}
END_TEST

START_TEST(filled_slots_are_known)
{
    ck_assert_uint_eq(store_next_filled(store, 0), SLOT_COUNT);
    struct keyspace *first = store_keyspace(store, 63);
    struct keyspace *last = store_keyspace(store, SLOT_COUNT - 1);
    set_number(first, 1, "x", 0);
    set_number(last, 2, "x", 0);
    ck_assert_uint_eq(store_next_filled(store, 0), 63);
    ck_assert_uint_eq(store_next_filled(store, 63), 63);
    ck_assert_uint_eq(store_next_filled(store, 64), SLOT_COUNT - 1);
    ck_assert_uint_eq(store_key_count(store), 2);
    require(delete_number(first, 1));
    keyspace_clear(last);
    ck_assert_uint_eq(store_next_filled(store, 0), SLOT_COUNT);
    set_number(last, 2, "x", 0);
    keyspace_discard(last);
    ck_assert_uint_eq(store_next_filled(store, 0), SLOT_COUNT);
}
END_TEST

START_TEST(ghosts_remember_the_last_ones)
{
    struct ghosts ghosts;
    ghosts_init(&ghosts);
    ghosts_add(&ghosts, 1);
    ck_assert(!ghosts_take(&ghosts, 1)); /* none is remembered yet */
    ghosts_resize(&ghosts, 10000);
    for (uint64_t i = 0; i < 100000; i++) {
        ghosts_add(&ghosts, key_hash((struct bytes){(const char *)&i, sizeof(i)}));
    }
    unsigned of_late = 0, long_ago = 0;
    for (uint64_t i = 0; i < 100000; i++) {
        bool found = ghosts_take(&ghosts, key_hash((struct bytes){(const char *)&i, sizeof(i)}));
        of_late += found && i >= 95000;
        long_ago += found && i < 80000;
    }
    ck_assert_uint_gt(of_late, 4800);
    ck_assert_uint_lt(long_ago, 500);
    size_t memory = atomic_load(&ghosts.memory);
    ck_assert_uint_gt(memory, 20000);
    ghosts_resize(&ghosts, 11000);
    ghosts_add(&ghosts, 77);
    ghosts_resize(&ghosts, 9500);
    ck_assert(ghosts_take(&ghosts, 77)); /* so small a change is none */
    ck_assert(!ghosts_take(&ghosts, 77));
    ghosts_deinit(&ghosts);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("evictor");
    TCase *tests = tcase_create("evictor");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, the_longest_unused_goes_first);
    tcase_add_test(tests, the_least_often_used_goes_first);
    tcase_add_test(tests, any_goes_at_random);
    tcase_add_loop_test(tests, only_keys_with_an_expiry_go, 0, 4);
    tcase_add_test(tests, the_soonest_to_expire_goes_first);
    tcase_add_test(tests, what_is_used_survives_a_scan);
    tcase_add_test(tests, who_comes_back_is_remembered);
    tcase_add_loop_test(tests, what_was_never_accessed_is_as_new, 0, 3);
    tcase_add_test(tests, filled_slots_are_known);
    tcase_add_test(tests, ghosts_remember_the_last_ones);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
