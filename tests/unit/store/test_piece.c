#include "base/error.h"
#include "node/store/hash.h"
#include "node/store/list.h"
#include "node/store/piece.h"
#include "node/store/zset.h"
#include "tests/unit/store/support.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct store *store;
static struct keyspace *from, *to;
static const struct bytes key = {"key", 3};

static void setup(void)
{
    store = store_create();
    ck_assert_ptr_nonnull(store);
    from = store_keyspace(store, 1);
    to = store_keyspace(store, 2);
}

static void teardown(void)
{
    store_destroy(store);
}

static struct bytes numbered(char text[32], const char *word, unsigned number)
{
    int size = snprintf(text, 32, "%s%u", word, number);
    return (struct bytes){text, (size_t)size};
}

/* Sends the key over in pieces; returns how many. */
static unsigned send(size_t budget)
{
    unsigned count = 0;
    uint64_t cursor = 0;
    const struct object *object = keyspace_find(from, key, key_hash(key));
    do {
        struct buf piece = {0};
        bool first = cursor == 0;
        cursor = object_piece(object, cursor, budget, &piece);
        ck_assert(!piece.failed);
        ck_assert_int_eq(keyspace_add_piece(to, key, key_hash(key), buf_bytes(&piece),
                                            keyspace_expire_at_ms(from, object), first),
                         TORC_OK);
        buf_deinit(&piece);
        count++;
    } while (cursor != 0);
    return count;
}

/* Of strings, lists and sorted sets, whose dumps have one form. */
static void expect_equal_dumps(void)
{
    struct buf a = {0}, b = {0};
    const struct object *sent = keyspace_find(from, key, key_hash(key));
    const struct object *came = keyspace_find(to, key, key_hash(key));
    ck_assert_ptr_nonnull(came);
    object_dump(sent, &a);
    object_dump(came, &b);
    ck_assert(bytes_equal(buf_bytes(&a), buf_bytes(&b)));
    ck_assert_uint_eq(keyspace_expire_at_ms(from, sent), keyspace_expire_at_ms(to, came));
    buf_deinit(&a);
    buf_deinit(&b);
}

START_TEST(a_string)
{
    char *text = malloc(300000);
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < 300000; i++) {
        text[i] = (char)(i * 7 + i / 256);
    }
    ck_assert_int_eq(keyspace_set_string(to, key, key_hash(key), BYTES_LITERAL("before"), 0, NULL),
                     0);
    ck_assert_int_eq(
        keyspace_set_string(from, key, key_hash(key), (struct bytes){text, 300000}, 77, NULL), 0);
    ck_assert(object_is_big(keyspace_find(from, key, key_hash(key))));
    ck_assert_uint_eq(send(1000), 300);
    expect_equal_dumps();
    ck_assert_uint_eq(send(SIZE_MAX), 1);
    expect_equal_dumps();
    free(text);
}
END_TEST

START_TEST(a_list)
{
    char text[32];
    for (unsigned i = 0; i < 20000; i++) {
        struct bytes value = numbered(text, i % 3 == 0 ? "" : "a value of some length ", i);
        ck_assert_int_eq(keyspace_list_push(from, key, key_hash(key), LIST_TAIL, &value, 1, NULL),
                         0);
    }
    ck_assert_uint_gt(send(5000), 50);
    expect_equal_dumps();
}
END_TEST

static void check_field(void *context, struct bytes field, struct bytes value)
{
    struct bytes other;
    const struct object *came = keyspace_find(to, key, key_hash(key));
    ck_assert(hash_get(came, field, &other));
    ck_assert(bytes_equal(value, other));
    ++*(unsigned *)context;
}

START_TEST(a_hash_that_changes_meanwhile)
{
    char text[32], other[32];
    bool added;
    for (unsigned i = 0; i < 20000; i++) {
        ck_assert_int_eq(keyspace_hash_set(from, key, key_hash(key), numbered(text, "field", i),
                                           numbered(other, "value ", i), &added, NULL),
                         0);
    }
    uint64_t cursor = 0;
    unsigned pieces = 0;
    do { /* each change is told to the part that has come, as a refill does */
        struct buf piece = {0};
        const struct object *object = keyspace_find(from, key, key_hash(key));
        cursor = object_piece(object, cursor, 20000, &piece);
        ck_assert_int_eq(
            keyspace_add_piece(to, key, key_hash(key), buf_bytes(&piece), 0, pieces == 0), TORC_OK);
        buf_deinit(&piece);
        struct keyspace *both[] = {from, to};
        for (size_t i = 0; i < 2; i++) {
            ck_assert_int_eq(keyspace_hash_set(both[i], key, key_hash(key),
                                               numbered(text, "field", pieces * 31),
                                               BYTES_LITERAL("changed"), &added, NULL),
                             0);
            keyspace_hash_remove(both[i], key, key_hash(key),
                                 numbered(text, "field", 1 + pieces * 57));
            ck_assert_int_eq(keyspace_hash_set(both[i], key, key_hash(key),
                                               numbered(text, "new", pieces), BYTES_LITERAL("x"),
                                               &added, NULL),
                             0);
        }
        pieces++;
    } while (cursor != 0);
    ck_assert_uint_gt(pieces, 20);
    const struct object *sent = keyspace_find(from, key, key_hash(key));
    unsigned seen = 0;
    for (cursor = 0; (cursor = hash_scan(sent, cursor, 1000, check_field, &seen)) != 0;) {
    }
    ck_assert_uint_eq(seen, hash_count(sent));
    ck_assert_uint_eq(hash_count(keyspace_find(to, key, key_hash(key))), hash_count(sent));
}
END_TEST

static void add_scored(struct keyspace *keys, struct bytes member, double score)
{
    struct zset_entry entry = {member, score};
    struct zset_change change = {.entries = &entry, .count = 1};
    ck_assert_int_eq(keyspace_zset_add(keys, key, key_hash(key), &change, NULL), TORC_OK);
}

START_TEST(a_sorted_set_that_changes_meanwhile)
{
    char text[32];
    for (unsigned i = 0; i < 20000; i++) {
        add_scored(from, numbered(text, "member", i), i * 7919 % 1000 / 4.0);
    }
    uint64_t cursor = 0;
    unsigned pieces = 0;
    do { /* as above */
        struct buf piece = {0};
        const struct object *object = keyspace_find(from, key, key_hash(key));
        cursor = object_piece(object, cursor, 20000, &piece);
        ck_assert_int_eq(
            keyspace_add_piece(to, key, key_hash(key), buf_bytes(&piece), 0, pieces == 0), TORC_OK);
        buf_deinit(&piece);
        struct keyspace *both[] = {from, to};
        for (size_t i = 0; i < 2; i++) {
            add_scored(both[i], numbered(text, "member", pieces * 31), -1.5);
            keyspace_zset_remove(both[i], key, key_hash(key),
                                 numbered(text, "member", 1 + pieces * 57));
            add_scored(both[i], numbered(text, "new", pieces), 0.1);
        }
        pieces++;
    } while (cursor != 0);
    ck_assert_uint_gt(pieces, 20);
    expect_equal_dumps();
}
END_TEST

START_TEST(what_is_no_piece_is_refused)
{
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {{"", 0},
               {"\x09", 1},            /* no type */
               {"\x02\x01\0\0\0", 5},  /* a list's value cut short */
               {"\x02\x01\0\0", 4},    /* a size cut short */
               {"\x03\x01\0\0\0f", 6}, /* a field without a value */
               {"\x03\x01\0\0\0f\xff", 7},
               {"\x05\x01\0\0\0m\0\0\0\0", 10},              /* a score cut short */
               {"\x05\x01\0\0\0m\0\0\0\0\0\0\xf8\x7f", 14}}; /* no number */
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_int_eq(keyspace_add_piece(to, key, key_hash(key),
                                            (struct bytes){bad[i].bytes, bad[i].size}, 0, true),
                         TORC_ECORRUPT);
    }
    ck_assert_int_eq(keyspace_set_string(to, key, key_hash(key), BYTES_LITERAL("text"), 0, NULL),
                     0);
    ck_assert_int_eq(
        keyspace_add_piece(to, key, key_hash(key), (struct bytes){"\x02\x01\0\0\0x", 6}, 0, false),
        TORC_ECORRUPT); /* of another type than what came before */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("piece");
    TCase *tcase = tcase_create("piece");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_string);
    tcase_add_test(tcase, a_list);
    tcase_add_test(tcase, a_hash_that_changes_meanwhile);
    tcase_add_test(tcase, a_sorted_set_that_changes_meanwhile);
    tcase_add_test(tcase, what_is_no_piece_is_refused);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
