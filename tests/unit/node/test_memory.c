/* What makes room when memory is short and something big waits to be freed: at a node that is put
 * together in memory. */
#include "node/memory.h"

#include "node/freeing.h"
#include "node/slots.h"
#include "node/store/hash.h"
#include "support/fake_node.h"

#include <check.h>
#include <stdio.h>

#define NOW_MS 1000
#define FIELDS 4000u
#define SMALL_KEYS 50u
#define CALLS_MAX 100000u
#define SPARE_BYTES 2048u /* more than what rounding takes off a limit */

static struct fake_node *fake;
static uint16_t led; /* a slot that the node leads */
static const struct bytes big = {"big", 3};

static struct keyspace *led_keys(void)
{
    return slot_keys(&fake->node.slots[led]);
}

static void setup(void)
{
    char key[16];
    fake = fake_node_create();
    struct fake_view view = {.epoch = 1, .copies = 1, .status = {NODE_UP, NODE_UP, NODE_UP}};
    ck_assert(fake_node_install(fake, &view));
    fake_node_settle(fake);
    for (led = 0; fake->node.slots[led].copy.role != COPY_PRIMARY;) {
        led++;
    }
    fake->worker.has_lease = true;
    fake->worker.now_wall_ms = NOW_MS;
    for (unsigned i = 0; i < SMALL_KEYS; i++) {
        snprintf(key, sizeof(key), "small:%u", i);
        fake_set(fake, led, key, "value", 0);
    }
    for (unsigned i = 0; i < FIELDS; i++) {
        bool added;
        struct bytes field = {key, (size_t)snprintf(key, sizeof(key), "field:%u", i)};
        ck_assert_int_eq(
            keyspace_hash_set(led_keys(), big, key_hash(big), field, field, &added, NULL), 0);
    }
}

static void teardown(void)
{
    fake_node_destroy(fake);
}

/* Limits the memory to all that there is but the big value, for which there is not even room for a
 * part; it is more than that now. */
static void limit(enum eviction_policy policy)
{
    struct config *config = &fake->node.config;
    size_t size = object_memory(keyspace_find(led_keys(), big, key_hash(big)));
    atomic_store(&config->eviction, (int)policy);
    atomic_store(&config->memory_bytes_max, node_memory(&fake->node) - size + SPARE_BYTES);
    memory_follow_config(&fake->node);
    memory_take_stock(&fake->node);
}

static void delete_big(void)
{
    ck_assert(keyspace_delete(led_keys(), big, key_hash(big)));
    ck_assert_uint_gt(node_freeing(&fake->node), FIELDS * 32);
}

/* Writes ask for room until there is; each frees some of what waits. */
static void ask_until_it_is_free(void)
{
    unsigned calls = 0;
    while (node_freeing(&fake->node) > SPARE_BYTES) {
        ck_assert(memory_make_room(&fake->worker));
        ck_assert_uint_lt(++calls, CALLS_MAX);
    }
    ck_assert_uint_gt(calls, 0);
}

START_TEST(what_waits_is_freed_before_anything_is_evicted)
{
    limit(EVICTION_LRU);
    delete_big();
    ask_until_it_is_free();
    ck_assert_uint_eq(fake->worker.stats.evicted, 0);
    ck_assert_uint_eq(keyspace_count(led_keys()), SMALL_KEYS);
    memory_take_stock(&fake->node);
    ck_assert(memory_make_room(&fake->worker));
    ck_assert_uint_eq(fake->worker.stats.evicted, 0);
}
END_TEST

/* The same where the last look at all slots has seen what is gone. */
START_TEST(stock_taken_meanwhile_changes_nothing)
{
    limit(EVICTION_LRU);
    delete_big();
    memory_take_stock(&fake->node);
    ask_until_it_is_free();
    ck_assert_uint_eq(fake->worker.stats.evicted, 0);
    /* What was freed since that look makes no room for others. */
    for (unsigned i = 0; i < SMALL_KEYS; i++) {
        char key[16];
        snprintf(key, sizeof(key), "more:%u", i);
        fake_set(fake, led, key, "a value that takes more than there is to spare", 0);
    }
    ck_assert(memory_make_room(&fake->worker));
    ck_assert_uint_gt(fake->worker.stats.evicted, 0);
}
END_TEST

START_TEST(one_big_victim_is_enough)
{
    ck_assert_int_eq(keyspace_set_expiry(led_keys(), big, key_hash(big), NOW_MS + 1000), 0);
    limit(EVICTION_TTL); /* by which nothing else may go */
    for (unsigned calls = 0; fake->worker.stats.evicted == 0; calls++) {
        ck_assert(memory_make_room(&fake->worker));
        ck_assert_uint_lt(calls, CALLS_MAX);
    }
    ck_assert_uint_eq(fake->worker.stats.evicted, 1);
    ck_assert_ptr_null(keyspace_find(led_keys(), big, key_hash(big)));
    ask_until_it_is_free();
    ck_assert_uint_eq(fake->worker.stats.evicted, 1);
}
END_TEST

START_TEST(what_waits_is_no_reason_to_refuse)
{
    limit(EVICTION_NONE);
    ck_assert(!memory_make_room(&fake->worker));
    delete_big();
    ask_until_it_is_free();
    ck_assert(memory_make_room(&fake->worker));
}
END_TEST

/* It is as with a worker that was busy with making more of it. */
START_TEST(who_is_busy_frees_for_as_long_while_memory_is_short)
{
    delete_big();
    ck_assert(!freeing_is_behind(&fake->node));
    atomic_store(&fake->node.config.memory_bytes_max, node_memory(&fake->node) + SPARE_BYTES);
    ck_assert(!freeing_is_behind(&fake->node));
    atomic_store(&fake->node.config.memory_bytes_max, node_memory(&fake->node) - SPARE_BYTES);
    ck_assert(freeing_is_behind(&fake->node));
    size_t before = node_freeing(&fake->node);
    freeing_keep_up(&fake->worker, 0);
    ck_assert_uint_eq(node_freeing(&fake->node), before);
    for (unsigned calls = 0; freeing_is_behind(&fake->node); calls++) {
        freeing_keep_up(&fake->worker, 100);
        ck_assert_uint_lt(calls, CALLS_MAX);
    }
    ck_assert_uint_lt(node_freeing(&fake->node), before - SPARE_BYTES + 1);
}
END_TEST

START_TEST(ticks_free_it_all)
{
    unsigned ticks = 0;
    delete_big();
    keyspace_discard(led_keys());
    while (node_freeing(&fake->node) > 0) {
        freeing_tick(&fake->worker);
        ck_assert_uint_lt(++ticks, CALLS_MAX);
    }
    ck_assert_uint_eq(store_memory(fake->node.store), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *tests = tcase_create("memory");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_waits_is_freed_before_anything_is_evicted);
    tcase_add_test(tests, stock_taken_meanwhile_changes_nothing);
    tcase_add_test(tests, one_big_victim_is_enough);
    tcase_add_test(tests, what_waits_is_no_reason_to_refuse);
    tcase_add_test(tests, who_is_busy_frees_for_as_long_while_memory_is_short);
    tcase_add_test(tests, ticks_free_it_all);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
