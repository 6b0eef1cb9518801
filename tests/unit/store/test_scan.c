#include "node/store/keyspace.h"
#include "tests/unit/store/support.h"

#define KEYS_MAX 60000u

static struct store *store;
static struct keyspace *keys;
static uint8_t visits[KEYS_MAX];

static void setup(void)
{
    store = store_create();
    ck_assert_ptr_nonnull(store);
    keys = store_keyspace(store, 16383);
    memset(visits, 0, sizeof(visits));
}

static void teardown(void)
{
    store_destroy(store);
}

static void count_visit(void *context, const struct object *object)
{
    uint64_t number = key_number(object);
    require(number < KEYS_MAX);
    if (visits[number] < UINT8_MAX) {
        visits[number]++;
    }
    ++*(size_t *)context;
}

static uint64_t scan_some(uint64_t cursor, size_t budget)
{
    size_t seen = 0;
    uint64_t next = keyspace_scan(keys, cursor, budget, count_visit, &seen);
    /* All of one tag are visited together: few, as long as hashes are well spread. */
    require(seen <= budget + 4);
    require(next < (uint64_t)1 << 48);
    require(next == 0 || (seen >= budget && next > cursor));
    return next;
}

START_TEST(scanning_what_does_not_change_visits_each_key_once)
{
    static const unsigned counts[] = {0, 1, 2, 3, 8, 9, 60, 600, 1024, 1200, 5000, 20000};
    unsigned present = 0;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        for (; present < counts[i]; present++) {
            set_number(keys, present, "x", 0);
        }
        for (size_t budget = 1; budget < 300; budget = budget * 4 + 3) {
            memset(visits, 0, sizeof(visits));
            uint64_t cursor = 0;
            do {
                cursor = scan_some(cursor, budget);
            } while (cursor != 0);
            for (unsigned number = 0; number < KEYS_MAX; number++) {
                require(visits[number] == (number < present ? 1 : 0));
            }
        }
    }
}
END_TEST

static void count_bytes(void *context, const struct object *object)
{
    size_t *bytes = context;
    bytes[0] += object_memory(object);
    bytes[1]++;
}

/* However large they are, one call visits about as many bytes as it may. */
START_TEST(a_budget_of_bytes)
{
    static char text[20000];
    size_t largest = 0;
    memset(text, 'x', sizeof(text));
    for (uint64_t i = 0; i < 3000; i++) {
        char key[16];
        struct bytes value = {text, i % 100 == 0 ? sizeof(text) : 10 + i % 300};
        snprintf(key, sizeof(key), "%llu", (unsigned long long)i);
        struct object *object = NULL;
        ck_assert_int_eq(
            keyspace_set_string(keys, bytes_of(key), key_hash(bytes_of(key)), value, 0, &object),
            0);
        largest = object_memory(object) > largest ? object_memory(object) : largest;
    }
    size_t seen = 0;
    uint64_t cursor = 0;
    do {
        size_t bytes[2] = {0};
        cursor = keyspace_scan_bytes(keys, cursor, 4000, count_bytes, bytes);
        ck_assert_uint_le(bytes[0], 4000 + 2 * largest); /* two may have one place in the hash */
        ck_assert(cursor == 0 || bytes[0] >= 4000);
        seen += bytes[1];
    } while (cursor != 0);
    ck_assert_uint_eq(seen, 3000);
}
END_TEST

START_TEST(cursors_of_others_are_harmless)
{
    for (uint64_t i = 0; i < 3000; i++) {
        set_number(keys, i, "x", 0);
    }
    size_t seen = 0;
    ck_assert_uint_eq(keyspace_scan(keys, (uint64_t)1 << 48, 10, count_visit, &seen), 0);
    ck_assert_uint_eq(keyspace_scan(keys, UINT64_MAX, 10, count_visit, &seen), 0);
    ck_assert_uint_eq(seen, 0);
    struct prng prng;
    prng_init(&prng, 3);
    for (int i = 0; i < 1000; i++) {
        uint64_t cursor = prng_next(&prng) >> 16;
        uint64_t next = keyspace_scan(keys, cursor, 5, count_visit, &seen);
        ck_assert(next == 0 || next > cursor);
    }
}
END_TEST

/*
 * Keys 0 .. kept-1 stay throughout; others come and go between the calls, in phases long enough for
 * tables to be split and merged under the cursor. Every kept key must be visited.
 */
static void scan_while_changing(uint64_t seed, unsigned kept, unsigned others, size_t budget,
                                unsigned changes_per_call)
{
    struct prng prng;
    prng_init(&prng, seed);
    keyspace_clear(keys);
    for (unsigned i = 0; i < kept; i++) {
        set_number(keys, i, "x", 0);
    }
    bool growing = prng_below(&prng, 2) == 0;
    for (unsigned i = 0; !growing && i < others; i++) {
        set_number(keys, kept + i, "x", 0);
    }
    memset(visits, 0, sizeof(visits));
    unsigned at = 0;
    uint64_t cursor = 0;
    do {
        cursor = scan_some(cursor, budget);
        for (unsigned i = 0; i < changes_per_call; i++) {
            if (growing) {
                set_number(keys, kept + at, "y", 0);
            } else {
                delete_number(keys, kept + at);
            }
            at++;
            if (at == others) {
                at = 0;
                growing = !growing;
            }
        }
    } while (cursor != 0);
    for (unsigned i = 0; i < kept; i++) {
        if (visits[i] == 0) {
            ck_abort_msg("seed %llu: key %u was missed", (unsigned long long)seed, i);
        }
    }
}

START_TEST(scanning_while_the_table_grows_and_shrinks_misses_nothing)
{
    struct prng prng;
    prng_init(&prng, 17 + (uint64_t)_i);
    for (uint64_t round = 0; round < 30; round++) {
        unsigned kept = (unsigned)prng_below(&prng, 500) + 1;
        unsigned others = (unsigned)prng_below(&prng, 800) + 1;
        scan_while_changing(prng_next(&prng), kept, others, 1 + (size_t)prng_below(&prng, 10),
                            1 + (unsigned)prng_below(&prng, 50));
    }
    for (uint64_t round = 0; round < 3; round++) {
        scan_while_changing(prng_next(&prng), 500 + (unsigned)prng_below(&prng, 1000), 20000,
                            1 + (size_t)prng_below(&prng, 20),
                            500 + (unsigned)prng_below(&prng, 500));
    }
}
END_TEST

/* Chi-square over the keys, against its mean plus six standard deviations. */
static void assert_uniform(unsigned count, unsigned draws_per_key)
{
    static uint32_t drawn[KEYS_MAX];
    struct prng prng;
    prng_init(&prng, count);
    memset(drawn, 0, sizeof(drawn));
    for (unsigned i = 0; i < count * draws_per_key; i++) {
        drawn[key_number(keyspace_random(keys, &prng))]++;
    }
    double chi_square = 0;
    for (unsigned i = 0; i < KEYS_MAX; i++) {
        double off = (double)drawn[i] - (double)draws_per_key;
        if (find_number(keys, i) != NULL) {
            chi_square += off * off / (double)draws_per_key;
        } else {
            require(drawn[i] == 0);
        }
    }
    double freedom = count - 1;
    double bound = 6 * __builtin_sqrt(2 * freedom) + 6;
    ck_assert_msg(chi_square < freedom + bound && chi_square > freedom - bound,
                  "%u keys: chi-square %.0f", count, chi_square);
}

START_TEST(random_keys_are_uniform)
{
    struct prng prng;
    prng_init(&prng, 1);
    ck_assert_ptr_null(keyspace_random(keys, &prng));
    static const unsigned counts[] = {1, 2, 5, 9, 30, 61, 600, 1300, 3000, 20000};
    unsigned present = 0;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        for (; present < counts[i]; present++) {
            set_number(keys, present, "x", 0);
        }
        assert_uniform(present, counts[i] > 1000 ? 30 : 200);
    }
    /* Thinned out, before and after the tables have shrunk. */
    for (unsigned i = 0; i < 20000; i++) {
        if (i % 13 != 0) {
            delete_number(keys, i);
        }
        if (i % 8000 == 7999) {
            assert_uniform((unsigned)keyspace_count(keys), 30);
        }
    }
    assert_uniform((unsigned)keyspace_count(keys), 30);
}
END_TEST

/* Keys whose hashes agree in their upper 13 bits, at the very end of the table: it must neither
 * fail nor grow without bounds. */
START_TEST(keys_chosen_to_collide_are_served_all_the_same)
{
    static uint64_t chosen[3000];
    const size_t chosen_count = sizeof(chosen) / sizeof(chosen[0]);
    size_t count = 0;
    for (uint64_t number = 0; count < chosen_count; number++) {
        struct bytes key = {(const char *)&number, sizeof(number)};
        if (key_hash(key) >> 51 == (_i == 0 ? 0 : 0x1fff)) {
            chosen[count++] = number;
            require(keyspace_set_integer(keys, key, key_hash(key), 1, 0, NULL) == 0);
        }
    }
    ck_assert_uint_eq(keyspace_count(keys), chosen_count);
    ck_assert_uint_le(keyspace_memory(keys), chosen_count * 64);
    struct prng prng;
    prng_init(&prng, 2);
    ck_assert_ptr_nonnull(keyspace_random(keys, &prng));
    for (size_t i = 0; i < chosen_count; i++) {
        struct bytes key = {(const char *)&chosen[i], sizeof(chosen[i])};
        require(keyspace_find(keys, key, key_hash(key)) != NULL);
    }
    for (size_t i = 0; i < chosen_count; i++) {
        struct bytes key = {(const char *)&chosen[i], sizeof(chosen[i])};
        require(keyspace_delete(keys, key, key_hash(key)));
    }
    ck_assert_uint_eq(keyspace_memory(keys), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scan");
    TCase *tests = tcase_create("scan");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, scanning_what_does_not_change_visits_each_key_once);
    tcase_add_test(tests, a_budget_of_bytes);
    tcase_add_test(tests, cursors_of_others_are_harmless);
    tcase_add_loop_test(tests, scanning_while_the_table_grows_and_shrinks_misses_nothing, 0, 4);
    tcase_add_test(tests, random_keys_are_uniform);
    tcase_add_loop_test(tests, keys_chosen_to_collide_are_served_all_the_same, 0, 2);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
