#include "node/tracked.h"

#include "base/error.h"
#include "node/store/store.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define MANY 500

static struct tracked *tracked;
static char places[MANY]; /* whose addresses are places */

static struct tracked_growth note(const char *key, size_t place, uint64_t id)
{
    struct tracked_growth growth;
    struct bytes name = bytes_of(key);
    struct watcher watcher = {&places[place], id};
    ck_assert_int_eq(tracked_note(&tracked, name, key_hash(name), watcher, &growth), TORC_OK);
    return growth;
}

static struct tracked_key *take(const char *key)
{
    struct bytes name = bytes_of(key);
    return tracked_take(&tracked, name, key_hash(name));
}

START_TEST(test_a_key_is_taken_with_all_its_watchers)
{
    ck_assert_uint_eq(tracked_count(tracked), 0);
    ck_assert_ptr_null(take("a"));
    struct tracked_growth growth = note("a", 1, 11);
    ck_assert(growth.key && growth.item);
    growth = note("a", 0, 10);
    ck_assert(!growth.key && growth.item);
    growth = note("b", 1, 11);
    ck_assert(growth.key && growth.item);
    ck_assert_uint_eq(tracked_count(tracked), 2);
    struct tracked_key *key = take("a");
    ck_assert(bytes_equal(tracked_key_bytes(key), bytes_of("a")));
    ck_assert_uint_eq(key->count, 2);
    ck_assert_ptr_eq(key->watchers[0].place, &places[0]);
    ck_assert_uint_eq(key->watchers[0].id, 10);
    ck_assert_uint_eq(key->watchers[1].id, 11);
    tracked_key_free(key);
    ck_assert_ptr_null(take("a"));
    tracked_key_free(take("b"));
    ck_assert_ptr_null(tracked); /* nothing is kept where nobody watches */
}
END_TEST

START_TEST(test_the_newest_at_a_place_is_the_only_one)
{
    note("a", 3, 1);
    struct tracked_growth growth = note("a", 3, 1);
    ck_assert(!growth.key && !growth.item);
    growth = note("a", 3, 9); /* the place has another client now */
    ck_assert(!growth.key && !growth.item);
    struct tracked_key *key = take("a");
    ck_assert_uint_eq(key->count, 1);
    ck_assert_uint_eq(key->watchers[0].id, 9);
    tracked_key_free(key);
}
END_TEST

START_TEST(test_many_watchers_are_sorted_by_place)
{
    for (size_t i = 0; i < MANY; i++) {
        ck_assert(note("a", i * 7 % MANY, i + 1).item);
    }
    struct tracked_key *key = take("a");
    ck_assert_uint_eq(key->count, MANY);
    for (size_t i = 0; i < MANY; i++) {
        ck_assert_ptr_eq(key->watchers[i].place, &places[i]);
    }
    tracked_key_free(key);
}
END_TEST

START_TEST(test_keys_are_binary_and_may_be_empty)
{
    struct tracked_growth growth;
    const struct bytes keys[] = {{"", 0}, {"\0", 1}, {"\0\0", 2}};
    struct watcher watcher = {places, 1};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(tracked_note(&tracked, keys[i], key_hash(keys[i]), watcher, &growth),
                         TORC_OK);
        ck_assert(growth.key);
    }
    /* Keys whose hashes are the same are told apart. */
    ck_assert_int_eq(tracked_note(&tracked, bytes_of("other"), key_hash(keys[0]), watcher, &growth),
                     TORC_OK);
    ck_assert(growth.key);
    for (size_t i = 0; i < 3; i++) {
        struct tracked_key *key = tracked_take(&tracked, keys[i], key_hash(keys[i]));
        ck_assert(bytes_equal(tracked_key_bytes(key), keys[i]));
        tracked_key_free(key);
    }
    ck_assert_uint_eq(tracked_count(tracked), 1);
    tracked_key_free(tracked_take(&tracked, bytes_of("other"), key_hash(keys[0])));
}
END_TEST

START_TEST(test_any_key_until_there_is_none)
{
    char name[16];
    bool seen[MANY] = {false};
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "%u", i);
        note(name, 0, 1);
    }
    for (unsigned i = 0; i < MANY; i++) {
        ck_assert_uint_eq(tracked_count(tracked), MANY - i);
        struct tracked_key *key = tracked_take_any(&tracked, i * UINT64_C(0x9e3779b97f4a7c15));
        snprintf(name, sizeof(name), "%.*s", (int)key->key_size, key->key);
        unsigned long number = strtoul(name, NULL, 10);
        ck_assert(!seen[number]);
        seen[number] = true;
        tracked_key_free(key);
    }
    ck_assert_ptr_null(tracked);
    ck_assert_ptr_null(tracked_take_any(&tracked, 1));
}
END_TEST

static bool is_odd(void *context, const struct tracked_key *key)
{
    (void)context;
    return (key->key[key->key_size - 1] - '0') % 2 == 1;
}

START_TEST(test_all_that_are_meant)
{
    char name[16];
    ck_assert_ptr_null(tracked_take_where(&tracked, is_odd, NULL));
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "%u", i);
        note(name, 0, 1);
    }
    for (int rest = MANY / 2; rest >= 0; rest -= MANY / 2) {
        struct tracked_key *key = tracked_take_where(&tracked, is_odd, NULL);
        unsigned count = 0;
        while (key != NULL) {
            struct tracked_key *next = key->next;
            tracked_key_free(key);
            key = next;
            count++;
        }
        ck_assert_uint_eq(count, rest == 0 ? 0 : MANY / 2);
        ck_assert_uint_eq(tracked_count(tracked), MANY / 2);
    }
    for (unsigned i = 0; i < MANY; i += 2) {
        snprintf(name, sizeof(name), "%u", i);
        tracked_key_free(take(name));
    }
    note("1", 0, 1);
    tracked_key_free(tracked_take_where(&tracked, is_odd, NULL));
    ck_assert_ptr_null(tracked);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tracked");
    TCase *tests = tcase_create("tracked");
    tcase_add_test(tests, test_a_key_is_taken_with_all_its_watchers);
    tcase_add_test(tests, test_the_newest_at_a_place_is_the_only_one);
    tcase_add_test(tests, test_many_watchers_are_sorted_by_place);
    tcase_add_test(tests, test_keys_are_binary_and_may_be_empty);
    tcase_add_test(tests, test_any_key_until_there_is_none);
    tcase_add_test(tests, test_all_that_are_meant);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
