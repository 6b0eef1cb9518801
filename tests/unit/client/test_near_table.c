/* The table of the near cache: what it serves, for how long, and that it stays within its bytes. */
#include "base/error.h"
#include "base/prng.h"
#include "client/near_table.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define BYTES_MAX (256u * 1024)

static struct near_table *table;
static struct near_source source;

static void set_up(void)
{
    table = near_table_create(BYTES_MAX);
    ck_assert_ptr_nonnull(table);
    source = (struct near_source){0};
}

static void tear_down(void)
{
    near_table_destroy(table);
}

static struct near_key key_of(const char *text)
{
    return near_key_of(bytes_of(text));
}

static void put_with(const char *key, const char *value, uint64_t ticket, uint64_t read_ms)
{
    const struct near_key near_key = key_of(key);
    const struct near_reading reading = {.source = &source,
                                         .generation = atomic_load(&source.generation),
                                         .read_ms = read_ms,
                                         .ticket = ticket,
                                         .value = value == NULL ? (struct bytes){NULL, 0}
                                                                : bytes_of(value)};
    near_table_put(table, &near_key, &reading);
}

static void put(const char *key, const char *value, uint64_t read_ms)
{
    const struct near_key near_key = key_of(key);
    put_with(key, value, near_table_ticket(table, &near_key), read_ms);
}

static void expect(const char *key, uint64_t since_ms, const char *expected)
{
    struct torc_value value = {NULL, 0};
    const struct near_key near_key = key_of(key);
    ck_assert_int_eq(near_table_get(table, &near_key, since_ms, &value), TORC_OK);
    ck_assert_str_eq(value.data, expected);
    ck_assert_uint_eq(value.size, strlen(expected));
    torc_value_free(&value);
}

static void expect_result(const char *key, uint64_t since_ms, int result)
{
    struct torc_value value = {NULL, 0};
    const struct near_key near_key = key_of(key);
    ck_assert_int_eq(near_table_get(table, &near_key, since_ms, &value), result);
    ck_assert_ptr_null(value.data);
}

static void forget(const char *key)
{
    const struct near_key near_key = key_of(key);
    near_table_forget(table, &near_key);
}

START_TEST(what_was_put_is_there_until_it_is_forgotten)
{
    expect_result("k", 0, TORC_EAGAIN);
    put("k", "one", 100);
    put("", "of the empty key", 100);
    put("empty", "", 100);
    put("absent", NULL, 100);
    expect("k", 100, "one");
    expect("", 100, "of the empty key");
    expect("empty", 100, "");
    expect_result("absent", 100, TORC_ENOTFOUND);
    put("k", "two", 101);
    expect("k", 100, "two");
    forget("k");
    expect_result("k", 0, TORC_EAGAIN);
    expect("empty", 100, "");
}
END_TEST

START_TEST(it_is_good_while_it_was_read_or_verified_lately)
{
    put("k", "v", 100);
    expect("k", 100, "v");
    expect_result("k", 101, TORC_EAGAIN);
    atomic_store(&source.verified_ms, 200);
    expect("k", 200, "v");
    expect_result("k", 201, TORC_EAGAIN);
    /* What was read after the last question is good by itself. */
    put("l", "v", 250);
    expect("l", 250, "v");
}
END_TEST

START_TEST(news_that_come_before_the_answer_void_the_ticket)
{
    const struct near_key key = key_of("k");
    const uint64_t ticket = near_table_ticket(table, &key);
    forget("k");
    put_with("k", "old", ticket, 100);
    expect_result("k", 0, TORC_EAGAIN);
    put("k", "new", 100);
    expect("k", 0, "new");
}
END_TEST

START_TEST(a_source_that_is_lost_voids_all_that_was_read_from_it)
{
    struct near_source other = {0};
    const struct near_key key = key_of("theirs");
    const struct near_reading reading = {.source = &other,
                                         .read_ms = 100,
                                         .ticket = near_table_ticket(table, &key),
                                         .value = BYTES_LITERAL("v")};
    near_table_put(table, &key, &reading);
    put("k", "v", 100);
    atomic_fetch_add(&source.generation, 1);
    expect_result("k", 0, TORC_EAGAIN);
    expect("theirs", 0, "v");

    /* What was asked of it before, and answered, comes too late. */
    atomic_fetch_add(&other.generation, 1);
    near_table_put(table, &key, &reading);
    expect_result("theirs", 0, TORC_EAGAIN);
}
END_TEST

START_TEST(what_is_too_large_is_not_kept)
{
    static char key[NEAR_KEY_SIZE_MAX + 2];
    static char value[BYTES_MAX / 16];
    memset(key, 'k', sizeof(key) - 1);
    memset(value, 'v', sizeof(value) - 1);
    put(key, "v", 100);
    expect_result(key, 0, TORC_EAGAIN);
    put("k", value, 100);
    expect_result("k", 0, TORC_EAGAIN);
    key[NEAR_KEY_SIZE_MAX] = '\0';
    put(key, "v", 100);
    expect(key, 0, "v");
}
END_TEST

/* Against a model that never forgets by itself: what is there is right, and within the bytes. */
START_TEST(any_sequence_keeps_to_the_truth_and_to_its_bytes)
{
    enum { KEYS = 4000, STEPS = 60000 };
    static unsigned truth[KEYS];
    static bool known[KEYS];
    struct prng prng;
    size_t hits = 0;
    prng_init(&prng, 1);
    memset(truth, 0, sizeof(truth));
    memset(known, 0, sizeof(known));
    for (unsigned step = 1; step <= STEPS; step++) {
        char name[16];
        char text[300];
        const unsigned number = (unsigned)prng_below(&prng, KEYS);
        (void)snprintf(name, sizeof(name), "k%u", number);
        struct torc_value value = {NULL, 0};
        const struct near_key key = key_of(name);
        switch (prng_below(&prng, 4)) {
        case 0:
            truth[number] = step;
            known[number] = false;
            near_table_forget(table, &key);
            break;
        case 1:
            (void)snprintf(text, sizeof(text), "%-*u", (int)prng_below(&prng, 280), truth[number]);
            put(name, text, 100);
            known[number] = true;
            break;
        default:
            if (near_table_get(table, &key, 100, &value) == TORC_OK) {
                hits++;
                ck_assert_msg(known[number], "%s was forgotten", name);
                ck_assert_uint_eq(strtoul(value.data, NULL, 10), truth[number]);
                torc_value_free(&value);
            }
        }
    }
    struct torc_near_stats stats = {0};
    near_table_count(table, &stats);
    ck_assert_uint_gt(hits, STEPS / 20);
    ck_assert_uint_eq(stats.hits, hits);
    ck_assert_uint_le(stats.bytes, BYTES_MAX);
    ck_assert_uint_gt(stats.bytes, BYTES_MAX / 2);
    ck_assert_uint_gt(stats.entries, 300);
}
END_TEST

START_TEST(what_is_used_outlives_what_is_not)
{
    put("used", "v", 100);
    put("unused", "v", 100);
    for (unsigned i = 0; i < 5000; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "filler%u", i);
        put(name, "of about one hundred bytes, as those that fill it up are, more or less", 100);
        expect("used", 0, "v");
    }
    expect_result("unused", 0, TORC_EAGAIN);
}
END_TEST

static void *hammer(void *context)
{
    struct prng prng;
    prng_init(&prng, (uintptr_t)context);
    for (unsigned i = 0; i < 20000; i++) {
        char name[8];
        struct torc_value value = {NULL, 0};
        (void)snprintf(name, sizeof(name), "k%u", (unsigned)prng_below(&prng, 50));
        const struct near_key key = key_of(name);
        switch (prng_below(&prng, 4)) {
        case 0: near_table_forget(table, &key); break;
        case 1: put(name, name, i); break;
        case 2: atomic_store(&source.verified_ms, i); break;
        default:
            if (near_table_get(table, &key, 0, &value) == TORC_OK) {
                ck_assert_str_eq(value.data, name);
                torc_value_free(&value);
            }
        }
    }
    return NULL;
}

START_TEST(threads_share_it)
{
    pthread_t threads[3];
    for (uintptr_t i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, (void *)(i + 1)), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client/near_table");
    TCase *tests = tcase_create("near_table");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, what_was_put_is_there_until_it_is_forgotten);
    tcase_add_test(tests, it_is_good_while_it_was_read_or_verified_lately);
    tcase_add_test(tests, news_that_come_before_the_answer_void_the_ticket);
    tcase_add_test(tests, a_source_that_is_lost_voids_all_that_was_read_from_it);
    tcase_add_test(tests, what_is_too_large_is_not_kept);
    tcase_add_test(tests, any_sequence_keeps_to_the_truth_and_to_its_bytes);
    tcase_add_test(tests, what_is_used_outlives_what_is_not);
    tcase_add_test(tests, threads_share_it);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
