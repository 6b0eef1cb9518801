#include "node/store/hash.h"
#include "node/store/keyspace.h"
#include "node/store/list.h"
#include "node/store/piece.h"
#include "node/store/set.h"
#include "node/store/zset.h"
#include "tests/unit/store/support.h"

#define KEYS 6500u
#define OTHERS 12000u /* more keys that one of two keyspaces has held */

static struct store *store;
static struct keyspace *a, *b;

static void setup(void)
{
    store = store_create();
    ck_assert_ptr_nonnull(store);
    a = store_keyspace(store, 0);
    b = store_keyspace(store, 1);
}

static void teardown(void)
{
    store_destroy(store);
}

/* ---- of an object ---- */

static uint64_t digest_of(struct keyspace *keys, const struct object *object)
{
    return object_digest(object, keyspace_expire_at_ms(keys, object));
}

static uint64_t digest_text(const char *key, const char *value, uint64_t expire_at_ms)
{
    return digest_of(a, set_text(a, key, bytes_of(value), expire_at_ms));
}

static struct object *push(struct keyspace *keys, const char *key, const char *const *values,
                           size_t count)
{
    struct bytes name = bytes_of(key);
    struct object *object = NULL;
    for (size_t i = 0; i < count; i++) {
        struct bytes value = bytes_of(values[i]);
        ck_assert_int_eq(
            keyspace_list_push(keys, name, key_hash(name), LIST_TAIL, &value, 1, &object), 0);
    }
    return object;
}

static struct object *set_field(struct keyspace *keys, const char *key, const char *field,
                                const char *value)
{
    struct bytes name = bytes_of(key);
    struct object *object = NULL;
    bool added;
    ck_assert_int_eq(keyspace_hash_set(keys, name, key_hash(name), bytes_of(field), bytes_of(value),
                                       &added, &object),
                     0);
    return object;
}

static struct object *add_member(struct keyspace *keys, const char *key, const char *member)
{
    struct bytes name = bytes_of(key);
    struct object *object = NULL;
    bool added;
    ck_assert_int_eq(
        keyspace_set_add(keys, name, key_hash(name), bytes_of(member), &added, &object), 0);
    return object;
}

START_TEST(digests_are_those_that_the_protocol_says)
{
    static const char *const values[] = {"a", "", "bc"};
    ck_assert_uint_eq(digest_text("key", "abc", 0), UINT64_C(0x29d6d4935f884d26));
    ck_assert_uint_eq(digest_text("key", "-2", 1234567890123), UINT64_C(0x38e4f5bf73fc705f));
    ck_assert_uint_eq(digest_of(a, push(a, "list", values, 3)), UINT64_C(0x3fdc72665241cc9e));
    set_field(a, "hash", "a", "1");
    ck_assert_uint_eq(digest_of(a, set_field(a, "hash", "b", "")), UINT64_C(0x3a9d990b726e9e04));
    add_member(a, "set", "b");
    ck_assert_uint_eq(digest_of(a, add_member(a, "set", "a")), UINT64_C(0x897c25528cb37c1e));
}
END_TEST

START_TEST(what_differs_has_another_digest)
{
    static const char *const values[] = {"x", "y", "z"};
    static const char *const turned[] = {"y", "x", "z"};
    static const char *const joined[] = {"xy", "", "z"};
    uint64_t seen[20];
    size_t count = 0;
    seen[count++] = digest_text("key", "value", 0);
    seen[count++] = digest_text("kex", "value", 0);
    seen[count++] = digest_text("key", "valuf", 0);
    seen[count++] = digest_text("key", "value", 1);
    seen[count++] = digest_text("key", "", 0);
    seen[count++] = digest_text("", "value", 0);
    seen[count++] = digest_of(a, push(a, "l1", values, 3));
    keyspace_clear(a);
    seen[count++] = digest_of(a, push(a, "l1", turned, 3));
    keyspace_clear(a);
    seen[count++] = digest_of(a, push(a, "l1", joined, 3));
    keyspace_clear(a);
    seen[count++] = digest_of(a, push(a, "l1", values, 2));
    set_field(a, "h", "x", "1");
    seen[count++] = digest_of(a, set_field(a, "h", "y", "2"));
    set_field(a, "h", "x", "2");
    seen[count++] = digest_of(a, set_field(a, "h", "y", "1"));
    keyspace_clear(a);
    seen[count++] = digest_of(a, set_field(a, "h", "x", "1"));
    keyspace_clear(a);
    seen[count++] = digest_of(a, set_field(a, "h", "x", ""));
    keyspace_clear(a);
    seen[count++] = digest_of(a, add_member(a, "h", "x"));
    seen[count++] = digest_of(a, add_member(a, "h", "y"));
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            ck_assert_msg(seen[i] != seen[j], "%zu and %zu", i, j);
        }
    }
}
END_TEST

START_TEST(how_a_string_is_held_does_not_count)
{
    char *data;
    struct bytes name = BYTES_LITERAL("n");
    uint64_t kept = digest_text("n", "12", 0);
    ck_assert_str_eq(object_encoding_name(find_text(a, "n")), "int");
    ck_assert_int_eq(keyspace_resize_string(a, name, key_hash(name), 1, &data), 0);
    ck_assert_int_eq(keyspace_resize_string(a, name, key_hash(name), 2, &data), 0);
    data[1] = '2';
    ck_assert_str_eq(object_encoding_name(find_text(a, "n")), "raw");
    ck_assert_uint_eq(digest_of(a, find_text(a, "n")), kept);
}
END_TEST

START_TEST(how_a_list_is_held_does_not_count)
{
    static const char *const values[] = {"first", "second", "3", ""};
    char half[5000];
    const char *const halves[] = {half, half};
    struct bytes name = BYTES_LITERAL("list");
    memset(half, 'x', sizeof(half) - 1);
    half[sizeof(half) - 1] = '\0';
    push(a, "list", values, 2);
    push(a, "list", halves, 2);
    keyspace_list_remove(a, name, key_hash(name), 3, 1);
    struct object *outside = push(a, "list", values + 2, 2);
    push(b, "list", values, 2);
    push(b, "list", halves, 1);
    struct object *inside = push(b, "list", values + 2, 2);
    ck_assert_str_eq(object_encoding_name(outside), "quicklist");
    ck_assert_str_eq(object_encoding_name(inside), "listpack");
    ck_assert_uint_eq(digest_of(a, outside), digest_of(a, inside));
}
END_TEST

#define HASH_FIELDS 50

/* The same hash "h" in both keyspaces: in a table, and in a row. */
static void hold_hash_in_two_ways(void)
{
    char text[32];
    char large[100];
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    set_field(a, "h", "goes", large);
    for (int i = 0; i < HASH_FIELDS; i++) {
        snprintf(text, sizeof(text), "%d", i);
        set_field(a, "h", text, text);
        snprintf(text, sizeof(text), "%d", HASH_FIELDS - 1 - i);
        set_field(b, "h", text, text);
    }
    struct bytes name = BYTES_LITERAL("h");
    ck_assert(keyspace_hash_remove(a, name, key_hash(name), BYTES_LITERAL("goes")));
    ck_assert_str_eq(object_encoding_name(find_text(a, "h")), "hashtable");
    ck_assert_str_eq(object_encoding_name(find_text(b, "h")), "listpack");
}

START_TEST(how_a_hash_is_held_does_not_count)
{
    hold_hash_in_two_ways();
    ck_assert_uint_eq(digest_of(a, find_text(a, "h")), digest_of(b, find_text(b, "h")));
}
END_TEST

START_TEST(how_a_set_is_held_does_not_count)
{
    static const char *const held_as[] = {"intset", "listpack", "hashtable"};
    char large[100];
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    const char *const gone[] = {NULL, "word", large}; /* members that made it what it is */
    uint64_t digests[3];
    struct bytes name = BYTES_LITERAL("s");
    for (size_t i = 0; i < 3; i++) {
        keyspace_clear(a);
        if (gone[i] != NULL) {
            add_member(a, "s", gone[i]);
        }
        add_member(a, "s", i == 0 ? "-7" : "100000");
        add_member(a, "s", i == 0 ? "100000" : "-7");
        ck_assert(gone[i] == NULL ||
                  keyspace_set_remove(a, name, key_hash(name), bytes_of(gone[i])));
        ck_assert_str_eq(object_encoding_name(find_text(a, "s")), held_as[i]);
        digests[i] = digest_of(a, find_text(a, "s"));
    }
    ck_assert_uint_eq(digests[0], digests[1]);
    ck_assert_uint_eq(digests[0], digests[2]);
}
END_TEST

/* ---- of ranges ---- */

/* Two keyspaces with the same keys in tables of different depths. */
static void fill(void)
{
    for (unsigned i = 0; i < KEYS + OTHERS; i++) {
        set_number(b, i, "x", i % 7);
        if (i < KEYS) {
            set_number(a, i, "x", i % 7);
        }
    }
    for (unsigned i = KEYS; i < KEYS + OTHERS; i++) {
        require(delete_number(b, i));
    }
    require(table_directory(&a->table)->depth < table_directory(&b->table)->depth);
}

static bool is_end(struct digest_place place)
{
    return place.key == 0 && place.part == 0;
}

/* Compares range by range as a primary and its replica do; how many differ. */
static unsigned compare(struct keyspace *from, struct keyspace *with, size_t budget)
{
    static const struct digest_place end;
    struct digest_place place = end;
    struct keyspace_digest all;
    uint64_t count = 0;
    uint64_t sum = 0;
    unsigned differing = 0;
    unsigned empty = 0;
    bool parts = false;
    do {
        struct keyspace_digest ours;
        struct keyspace_digest theirs;
        struct digest_place next = keyspace_digest_end(from, place, budget);
        keyspace_digest_range(from, place, next, &ours);
        require(is_end(next) || next.key > place.key ||
                (next.key == place.key && next.part > place.part));
        empty += !is_end(next) && ours.count == 0;
        keyspace_digest_range(with, place, next, &theirs);
        differing += ours.count != theirs.count || ours.sum != theirs.sum;
        count += place.part == 0 ? ours.count : 0;
        sum += ours.sum;
        parts = parts || next.part != 0;
        place = next;
    } while (!is_end(place));
    keyspace_digest_range(from, end, end, &all);
    require(count == keyspace_count(from) && all.count == count);
    require(parts || all.sum == sum);
    require(empty <= parts); /* before the big one */
    return differing;
}

START_TEST(ranges_are_the_same_keys_whatever_the_tables)
{
    static const size_t budgets[] = {0, 500, 5000, SIZE_MAX};
    ck_assert_uint_eq(compare(a, b, 1), 0); /* empty */
    fill();
    for (size_t i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++) {
        ck_assert_uint_eq(compare(a, b, budgets[i]), 0);
        ck_assert_uint_eq(compare(b, a, budgets[i]), 0);
    }
}
END_TEST

START_TEST(a_budget_bounds_a_range)
{
    struct keyspace_digest found;
    fill();
    struct digest_place next = keyspace_digest_end(a, (struct digest_place){0}, 16 * 1024);
    keyspace_digest_range(a, (struct digest_place){0}, next, &found);
    ck_assert(!is_end(next));
    ck_assert_uint_le(found.count, 16 * 1024 / object_memory(find_number(a, 0)) + 4);
    ck_assert_uint_ge(found.count, 64);
    set_text(a, "large", (struct bytes){(char[100000]){0}, 100000}, 0);
    ck_assert_uint_eq(compare(a, a, 64 * 1024), 0);
}
END_TEST

START_TEST(one_range_shows_what_one_key_is)
{
    fill();
    set_number(b, 7, "y", 0);
    ck_assert_uint_eq(compare(a, b, 500), 1);
    ck_assert(delete_number(b, 7));
    ck_assert_uint_eq(compare(a, b, 500), 1);
    ck_assert_uint_eq(compare(b, a, 500), 1);
    ck_assert(delete_number(a, 7));
    ck_assert_uint_eq(compare(a, b, 500), 0);
}
END_TEST

/* ---- of parts of values ---- */

#define BIG_MEMBERS 8000u
#define PART_BYTES (16u * 1024)

typedef void element_adder(struct keyspace *keys, unsigned number);

static void add_to_hash(struct keyspace *keys, unsigned number)
{
    char field[64], value[32];
    snprintf(field, sizeof(field), "a field that is long enough %u", number);
    snprintf(value, sizeof(value), "%u", number * 7);
    set_field(keys, "big", field, value);
}

static void add_to_set(struct keyspace *keys, unsigned number)
{
    char member[64];
    snprintf(member, sizeof(member), "a member that is long enough %u", number);
    add_member(keys, "big", member);
}

static void add_to_zset(struct keyspace *keys, unsigned number)
{
    char member[64];
    snprintf(member, sizeof(member), "a member that is long enough %u", number);
    struct bytes name = BYTES_LITERAL("big");
    struct zset_entry entry = {.member = bytes_of(member), .score = number};
    struct zset_change change = {.entries = &entry, .count = 1};
    ck_assert_int_eq(keyspace_zset_add(keys, name, key_hash(name), &change, NULL), 0);
}

static void add_to_list(struct keyspace *keys, unsigned number)
{
    char text[64];
    const char *const value = text;
    snprintf(text, sizeof(text), "a value that is long enough %u", number);
    push(keys, "big", &value, 1);
}

static void add_to_string(struct keyspace *keys, unsigned number)
{
    char *data;
    struct bytes name = BYTES_LITERAL("big");
    struct object *object = keyspace_find(keys, name, key_hash(name));
    size_t size = object == NULL ? 0 : object_string_size(object);
    ck_assert_int_eq(keyspace_resize_string(keys, name, key_hash(name), size + 50, &data), 0);
    memset(data + size, 'a' + (char)(number % 26), 50);
}

static element_adder *const adders[] = {add_to_string, add_to_list, add_to_hash, add_to_set,
                                        add_to_zset};

static void make_big(element_adder *add)
{
    for (unsigned i = 0; i < BIG_MEMBERS; i++) {
        bool unordered = add != add_to_list && add != add_to_string;
        add(a, i);
        add(b, unordered ? BIG_MEMBERS - 1 - i : i);
    }
    ck_assert(object_is_big(find_text(a, "big")));
}

static unsigned count_ranges(struct keyspace *keys)
{
    struct digest_place place = {0};
    unsigned count = 0;
    do {
        place = keyspace_digest_end(keys, place, PART_BYTES);
        count++;
    } while (!is_end(place));
    return count;
}

START_TEST(a_big_value_is_compared_in_parts)
{
    for (unsigned i = 0; i < KEYS / 100; i++) {
        set_number(a, i, "x", i);
        set_number(b, i, "x", i);
    }
    unsigned before = count_ranges(a);
    make_big(adders[_i]);
    unsigned parts = count_ranges(a) - before;
    size_t bytes = object_memory(find_text(a, "big"));
    ck_assert_uint_ge(parts, bytes / PART_BYTES / 2);
    ck_assert_uint_le(parts, bytes / PART_BYTES * 2);
    ck_assert_uint_eq(compare(a, b, PART_BYTES), 0);
    ck_assert_uint_eq(compare(b, a, 1024), 0);
    ck_assert_uint_eq(compare(b, a, SIZE_MAX), 0);
}
END_TEST

START_TEST(one_part_shows_what_one_element_is)
{
    make_big(adders[_i]);
    adders[_i](b, BIG_MEMBERS);
    ck_assert_uint_eq(compare(a, b, PART_BYTES), 1);
    ck_assert_uint_ge(compare(b, a, PART_BYTES), 1); /* or 2, if it begins a part */
    ck_assert_uint_le(compare(b, a, PART_BYTES), 2);
}
END_TEST

/* What a primary has begun is gone, is small or is something else when it goes on. */
START_TEST(a_value_may_change_between_parts)
{
    struct bytes name = BYTES_LITERAL("big");
    struct keyspace_digest ours, theirs;
    make_big(adders[_i]);
    uint64_t key = table_cursor(key_hash(name));
    struct digest_place first = keyspace_digest_end(a, (struct digest_place){key, 0}, PART_BYTES);
    ck_assert_uint_eq(first.key, key);
    ck_assert_uint_gt(first.part, 0);

    ck_assert(keyspace_delete(a, name, key_hash(name)));
    struct digest_place next = keyspace_digest_end(a, first, PART_BYTES);
    ck_assert_uint_eq(next.key, key + 1);
    ck_assert_uint_eq(next.part, 0);
    keyspace_digest_range(a, first, next, &ours);
    keyspace_digest_range(b, first, next, &theirs);
    ck_assert_uint_eq(ours.count, 0);
    ck_assert_uint_eq(theirs.count, 1);

    ck_assert(keyspace_delete(b, name, key_hash(name)));
    for (size_t i = 0; i < sizeof(adders) / sizeof(adders[0]); i++) {
        adders[i](a, 1);
        adders[i](b, 1);
        next = keyspace_digest_end(a, first, PART_BYTES);
        ck_assert_uint_eq(next.key, key + 1);
        keyspace_digest_range(a, first, next, &ours);
        keyspace_digest_range(b, first, next, &theirs);
        ck_assert_uint_eq(ours.count, 1);
        ck_assert_uint_eq(ours.sum, theirs.sum);
        keyspace_clear(a);
        keyspace_clear(b);
    }
}
END_TEST

/* A member's place is the same whether it is held in a table or in a row. */
START_TEST(parts_are_the_same_however_a_value_is_held)
{
    hold_hash_in_two_ways();
    uint64_t key = table_cursor(key_hash(BYTES_LITERAL("h")));
    for (unsigned i = 0; i < HASH_FIELDS; i++) {
        char text[32];
        snprintf(text, sizeof(text), "%u", i);
        uint64_t place = table_cursor(key_hash(bytes_of(text)));
        struct digest_place from = {key, place}, to = {key, place + 1}, end = {key + 1, 0};
        struct keyspace_digest ours, theirs, none;
        keyspace_digest_range(a, from, to, &ours);
        keyspace_digest_range(b, from, to, &theirs);
        ck_assert_uint_eq(ours.sum, theirs.sum);
        keyspace_digest_range(a, to, (struct digest_place){key, place + 2}, &none);
        ck_assert_uint_ne(ours.sum, none.sum);
        keyspace_digest_range(a, from, end, &ours);
        keyspace_digest_range(b, from, end, &theirs);
        ck_assert_uint_eq(ours.sum, theirs.sum);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("digest");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, digests_are_those_that_the_protocol_says);
    tcase_add_test(tests, what_differs_has_another_digest);
    tcase_add_test(tests, how_a_string_is_held_does_not_count);
    tcase_add_test(tests, how_a_list_is_held_does_not_count);
    tcase_add_test(tests, how_a_hash_is_held_does_not_count);
    tcase_add_test(tests, how_a_set_is_held_does_not_count);
    tcase_add_test(tests, ranges_are_the_same_keys_whatever_the_tables);
    tcase_add_test(tests, a_budget_bounds_a_range);
    tcase_add_test(tests, one_range_shows_what_one_key_is);
    int types = sizeof(adders) / sizeof(adders[0]);
    tcase_add_loop_test(tests, a_big_value_is_compared_in_parts, 0, types);
    tcase_add_loop_test(tests, one_part_shows_what_one_element_is, 0, types);
    tcase_add_loop_test(tests, a_value_may_change_between_parts, 0, types);
    tcase_add_test(tests, parts_are_the_same_however_a_value_is_held);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
