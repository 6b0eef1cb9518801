/* Unions, intersections and differences against arrays of what is in and what is not. */
#include "base/error.h"
#include "node/store/set.h"
#include "tests/unit/store/support.h"

#define UNIVERSE 1200
#define SETS 4

static struct store *store;
static struct keyspace *keys;
static struct prng prng;

static bool in[SETS][UNIVERSE];
static const struct object *sets[SETS];
static unsigned visits[UNIVERSE];

static void setup(void)
{
    store = store_create();
    ck_assert_ptr_nonnull(store);
    keys = store_keyspace(store, 5);
}

static void teardown(void)
{
    store_destroy(store);
}

static struct bytes set_name(size_t set)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    return bytes_of(names[set]);
}

/* One set of random size and kind: integers or not, missing from time to time. */
static void make_set(size_t set, const char *format)
{
    struct bytes key = set_name(set);
    size_t size = (size_t)prng_below(&prng, prng_below(&prng, 3) == 0 ? UNIVERSE : 20);
    keyspace_delete(keys, key, key_hash(key));
    memset(in[set], 0, sizeof(in[set]));
    for (size_t i = 0; i < size; i++) {
        char text[16];
        bool added;
        unsigned number = (unsigned)prng_below(&prng, size > 20 ? UNIVERSE : 30);
        struct bytes member = {text, (size_t)snprintf(text, sizeof(text), format, number)};
        require(keyspace_set_add(keys, key, key_hash(key), member, &added, NULL) == 0);
        in[set][number] = true;
    }
}

static bool is_expected(enum set_operation operation, size_t count, unsigned number)
{
    bool any = false, all = true, later = false;
    for (size_t i = 0; i < count; i++) {
        any = any || in[i][number];
        all = all && in[i][number];
        later = later || (i > 0 && in[i][number]);
    }
    switch (operation) {
    case SET_UNION: return any;
    case SET_INTERSECTION: return all;
    case SET_DIFFERENCE: break;
    }
    return in[0][number] && !later;
}

static void note(void *context, struct bytes member, struct bytes value)
{
    (void)context;
    unsigned number = 0;
    require(value.size == 0);
    for (size_t i = 0; i < member.size; i++) {
        if (member.data[i] != 'x') {
            number = number * 10 + (unsigned)(member.data[i] - '0');
        }
    }
    require(number < UNIVERSE);
    visits[number]++;
}

static size_t check_visits(enum set_operation operation, size_t count)
{
    size_t total = 0;
    for (unsigned number = 0; number < UNIVERSE; number++) {
        unsigned expected = is_expected(operation, count, number) ? 1 : 0;
        require(visits[number] == expected);
        total += expected;
    }
    return total;
}

static void check_stored(enum set_operation operation, size_t count, size_t expected)
{
    struct bytes key = bytes_of("to");
    size_t stored = SIZE_MAX;
    if (prng_below(&prng, 2) == 0) {
        set_text(keys, "to", bytes_of("before"), 77);
    }
    require(keyspace_set_combine(keys, key, key_hash(key), operation, sets, count, &stored) == 0);
    require(stored == expected);
    const struct object *set = keyspace_find(keys, key, key_hash(key));
    require((set == NULL) == (expected == 0));
    memset(visits, 0, sizeof(visits));
    if (set != NULL) {
        require(keyspace_expire_at_ms(keys, set) == 0);
        require(set_count(set) == expected);
        set_scan(set, 0, SIZE_MAX, note, NULL);
    }
    check_visits(operation, count);
}

static void check_combination(enum set_operation operation, size_t count)
{
    memset(visits, 0, sizeof(visits));
    require(set_combine(operation, sets, count, note, NULL) == 0);
    size_t expected = check_visits(operation, count);
    if (operation == SET_INTERSECTION) {
        size_t limit = (size_t)prng_below(&prng, expected + 2);
        require(set_intersection_count(sets, count, SIZE_MAX) == expected);
        require(set_intersection_count(sets, count, limit) ==
                (limit < expected ? limit : expected));
    }
    check_stored(operation, count, expected);
}

START_TEST(like_the_model)
{
    prng_init(&prng, (uint64_t)_i + 1);
    for (unsigned round = 0; round < 40; round++) {
        for (size_t set = 0; set < SETS; set++) {
            make_set(set, _i == 0 ? "%u" : "x%u");
        }
        for (size_t set = 0; set < SETS; set++) {
            sets[set] = keyspace_find(keys, set_name(set), key_hash(set_name(set)));
        }
        for (size_t count = 1; count <= SETS; count++) {
            check_combination(SET_UNION, count);
            check_combination(SET_INTERSECTION, count);
            check_combination(SET_DIFFERENCE, count);
        }
    }
}
END_TEST

/* A set may be stored where it comes from. */
START_TEST(into_one_of_them)
{
    struct bytes a = set_name(0);
    bool added;
    size_t result;
    for (unsigned i = 0; i < 3; i++) {
        char text[2] = {(char)('p' + i), 0};
        ck_assert_int_eq(keyspace_set_add(keys, a, key_hash(a), bytes_of(text), &added, NULL), 0);
    }
    const struct object *both[] = {keyspace_find(keys, a, key_hash(a)), NULL};
    both[1] = both[0];
    ck_assert_int_eq(keyspace_set_combine(keys, a, key_hash(a), SET_UNION, both, 2, &result), 0);
    ck_assert_uint_eq(result, 3);
    both[0] = both[1] = keyspace_find(keys, a, key_hash(a));
    ck_assert_uint_eq(set_count(both[0]), 3);
    ck_assert_int_eq(keyspace_set_combine(keys, a, key_hash(a), SET_DIFFERENCE, both, 2, &result),
                     0);
    ck_assert_uint_eq(result, 0);
    ck_assert_uint_eq(keyspace_count(keys), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("set_combine");
    TCase *tests = tcase_create("set_combine");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, like_the_model, 0, 2);
    tcase_add_test(tests, into_one_of_them);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
