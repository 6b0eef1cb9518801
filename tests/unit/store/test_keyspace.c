#include "base/error.h"
#include "node/store/keyspace.h"
#include "tests/unit/store/support.h"

static struct store *store;
static struct keyspace *keys;

static void setup(void)
{
    store = store_create();
    ck_assert_ptr_nonnull(store);
    keys = store_keyspace(store, 7);
}

static void teardown(void)
{
    store_destroy(store);
}

static struct bytes filled(char *data, size_t size, char with)
{
    memset(data, with, size);
    return (struct bytes){data, size};
}

START_TEST(an_absent_key_is_not_found)
{
    ck_assert_ptr_null(find_text(keys, "a"));
    ck_assert(!keyspace_delete(keys, bytes_of("a"), key_hash(bytes_of("a"))));
    set_text(keys, "a", bytes_of("value"), 0);
    ck_assert_ptr_null(find_text(keys, "b"));
    ck_assert_ptr_null(find_text(keys, ""));
    ck_assert_ptr_null(find_text(store_keyspace(store, 8), "a"));
}
END_TEST

START_TEST(set_find_delete)
{
    struct object *object = set_text(keys, "a", bytes_of("value"), 0);
    ck_assert_ptr_eq(object, find_text(keys, "a"));
    assert_holds(object, bytes_of("value"));
    ck_assert(bytes_equal(object_key(object), bytes_of("a")));
    ck_assert_int_eq(object_type(object), OBJECT_STRING);
    ck_assert_str_eq(object_type_name(object), "string");
    ck_assert_uint_eq(keyspace_expire_at_ms(keys, object), 0);
    ck_assert_uint_eq(keyspace_count(keys), 1);
    ck_assert_uint_eq(store_key_count(store), 1);
    set_text(keys, "a", bytes_of("another"), 0);
    assert_holds(find_text(keys, "a"), bytes_of("another"));
    ck_assert_uint_eq(keyspace_count(keys), 1);
    ck_assert(keyspace_delete(keys, bytes_of("a"), key_hash(bytes_of("a"))));
    ck_assert_ptr_null(find_text(keys, "a"));
    ck_assert_uint_eq(store_key_count(store), 0);
}
END_TEST

/* Every width of the two lengths, and both sides of where one gives way to the next. */
START_TEST(sizes_of_keys_and_values)
{
    static const size_t key_sizes[] = {0, 1, 7, 8, 9, 255, 256, 300, 70000};
    static const size_t value_sizes[] = {0, 1, 44, 45, 255, 256, 65535, 65536, 100000};
    static char key_data[70000];
    static char value_data[100000];
    for (size_t i = 0; i < 81; i++) {
        struct bytes key = filled(key_data, key_sizes[i / 9], (char)0xff);
        struct bytes value = filled(value_data, value_sizes[i % 9], '\0');
        uint64_t expire_at_ms = i % 2 == 0 ? 0 : UINT64_MAX - i;
        struct object *object;
        ck_assert_int_eq(
            keyspace_set_string(keys, key, key_hash(key), value, expire_at_ms, &object), 0);
        ck_assert_ptr_eq(object, keyspace_find(keys, key, key_hash(key)));
        ck_assert(bytes_equal(object_key(object), key));
        assert_holds(object, value);
        ck_assert_uint_eq(keyspace_expire_at_ms(keys, object), expire_at_ms);
        ck_assert_uint_ge(object_memory(object), key.size + value.size + 4);
    }
    ck_assert_uint_eq(keyspace_count(keys), 9);
}
END_TEST

START_TEST(keys_that_differ_in_one_byte_or_in_length)
{
    char a[40] = {0};
    for (size_t size = 0; size <= sizeof(a); size++) {
        struct bytes key = {a, size};
        ck_assert_int_eq(keyspace_set_integer(keys, key, key_hash(key), (int64_t)size, 0, NULL), 0);
    }
    ck_assert_uint_eq(keyspace_count(keys), sizeof(a) + 1);
    for (size_t at = 0; at < sizeof(a); at++) {
        /* Looked up under the hash of the other, so that only the comparison tells them apart. */
        uint64_t hash = key_hash((struct bytes){a, sizeof(a)});
        ck_assert_ptr_nonnull(keyspace_find(keys, (struct bytes){a, sizeof(a)}, hash));
        a[at] = 1;
        ck_assert_ptr_null(keyspace_find(keys, (struct bytes){a, sizeof(a)}, hash));
        a[at] = 0;
    }
}
END_TEST

START_TEST(integers_are_kept_as_such)
{
    static const char *const texts[] = {
        "0",
        "-1",
        "127",
        "128",
        "-128",
        "-129",
        "32767",
        "-32769",
        "8388608",
        "2147483647",
        "65536",
        "-256",
        "4294967296",
        "-4294967297",
        "72057594037927936",
        "9223372036854775807",
        "-9223372036854775808",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct object *object = set_text(keys, "n", bytes_of(texts[i]), 0);
        ck_assert_str_eq(object_encoding_name(object), "int");
        assert_holds(object, bytes_of(texts[i]));
        int64_t value;
        ck_assert(object_integer(object, &value));
        ck_assert_int_eq(value, strtoll(texts[i], NULL, 10));
    }
    static const char *const others[] = {
        "-0", "+1", "01", "", "9223372036854775808", "10000000000000000000"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct object *object = set_text(keys, "n", bytes_of(others[i]), 0);
        ck_assert_str_eq(object_encoding_name(object), "embstr");
        assert_holds(object, bytes_of(others[i]));
        int64_t value;
        ck_assert(!object_integer(object, &value));
    }
}
END_TEST

START_TEST(counting_up_in_place)
{
    for (int64_t i = -70000; i < 70000; i += 7) {
        struct object *object;
        ck_assert_int_eq(
            keyspace_set_integer(keys, bytes_of("n"), key_hash(bytes_of("n")), i, 0, &object), 0);
        int64_t value;
        ck_assert(object_integer(object, &value));
        ck_assert_int_eq(value, i);
    }
    ck_assert_uint_eq(keyspace_count(keys), 1);
}
END_TEST

START_TEST(encoding_names_are_those_of_redis)
{
    char text[64];
    ck_assert_str_eq(object_encoding_name(set_text(keys, "a", filled(text, 44, 'x'), 0)), "embstr");
    ck_assert_str_eq(object_encoding_name(set_text(keys, "a", filled(text, 45, 'x'), 0)), "raw");
    set_text(keys, "a", bytes_of("x"), 0);
    char *data;
    ck_assert_int_eq(keyspace_resize_string(keys, bytes_of("a"), key_hash(bytes_of("a")), 2, &data),
                     0);
    ck_assert_str_eq(object_encoding_name(find_text(keys, "a")), "raw");
    memcpy(data, "12", 2);
    int64_t value;
    ck_assert(object_integer(find_text(keys, "a"), &value));
    ck_assert_int_eq(value, 12);
}
END_TEST

/* The new value is a part of the old one, which goes away or is overwritten meanwhile. */
START_TEST(a_value_may_lie_in_the_object_it_replaces)
{
    for (size_t size = 1; size < 700; size += 3) {
        for (size_t kept = 0; kept <= size; kept += 1 + size / 5) {
            char text[700];
            for (size_t i = 0; i < size; i++) {
                text[i] = (char)('a' + i % 23);
            }
            struct object *old = set_text(keys, "a", (struct bytes){text, size}, 0);
            char scratch[OBJECT_SCRATCH_SIZE];
            struct bytes held = object_string(old, scratch);
            struct bytes part = {held.data + (size - kept), kept};
            /* With another expiry it must be made anew, without it may happen in place. */
            set_text(keys, "a", part, size % 2 == 0 ? 99 : 0);
            assert_holds(find_text(keys, "a"), (struct bytes){text + (size - kept), kept});
        }
    }
}
END_TEST

START_TEST(a_key_may_be_that_of_the_object_itself)
{
    struct object *object = set_text(keys, "some key", bytes_of("short"), 0);
    struct bytes key = object_key(object);
    char text[300];
    ck_assert_int_eq(
        keyspace_set_string(keys, key, key_hash(key), filled(text, 300, 'v'), 0, &object), 0);
    key = object_key(object);
    assert_holds(find_text(keys, "some key"), filled(text, 300, 'v'));
    ck_assert_int_eq(keyspace_set_string(keys, key, key_hash(key), key, 5, &object), 0);
    assert_holds(find_text(keys, "some key"), bytes_of("some key"));
    key = object_key(object);
    ck_assert_int_eq(keyspace_set_expiry(keys, key, key_hash(key), 0), 0);
    key = object_key(find_text(keys, "some key"));
    ck_assert(keyspace_delete(keys, key, key_hash(key)));
    ck_assert_uint_eq(keyspace_memory(keys), 0);
}
END_TEST

START_TEST(resizing_keeps_the_beginning_and_fills_with_zeros)
{
    struct bytes key = bytes_of("s");
    static const size_t sizes[] = {0, 1, 10, 9, 200, 255, 256, 257, 100, 65535, 65536, 70000, 3, 0};
    static char expected[70000];
    char *data;
    for (int start = 0; start < 3; start++) {
        size_t size = 0;
        keyspace_clear(keys);
        memset(expected, 0, sizeof(expected));
        if (start > 0) {
            struct bytes text = bytes_of(start == 1 ? "-1234567" : "some text");
            set_text(keys, "s", text, 77);
            memcpy(expected, text.data, text.size);
            size = text.size;
        }
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            ck_assert_int_eq(keyspace_resize_string(keys, key, key_hash(key), sizes[i], &data), 0);
            if (sizes[i] < size) {
                memset(expected + sizes[i], 0, size - sizes[i]);
            }
            size = sizes[i];
            assert_holds(find_text(keys, "s"), (struct bytes){expected, size});
            if (size > 0) {
                data[size - 1] = expected[size - 1] = (char)('A' + i);
                assert_holds(find_text(keys, "s"), (struct bytes){expected, size});
            }
            ck_assert_uint_eq(keyspace_expire_at_ms(keys, find_text(keys, "s")),
                              start > 0 ? 77 : 0);
        }
        ck_assert_uint_eq(keyspace_expiry_count(keys), start > 0 ? 1 : 0);
    }
}
END_TEST

START_TEST(appending_moves_the_string_rarely)
{
    struct bytes key = bytes_of("s");
    size_t moves = 0;
    const struct object *object = NULL;
    for (size_t size = 1; size <= 3000000; size += 1 + size / 1000) {
        char *data;
        ck_assert_int_eq(keyspace_resize_string(keys, key, key_hash(key), size, &data), 0);
        data[size - 1] = 'x';
        moves += object != find_text(keys, "s") ? 1 : 0;
        object = find_text(keys, "s");
        ck_assert_uint_eq(keyspace_memory(keys) - object_memory(object) < 100, 1);
    }
    ck_assert_uint_le(moves, 40);
    ck_assert_uint_le(object_memory(object), 2 * 3000000 + 100);
}
END_TEST

static uint64_t idle_ms(const struct object *object, uint64_t now_ms)
{
    uint64_t idle_ms;
    ck_assert(keyspace_idle_ms(keys, object, now_ms, &idle_ms));
    return idle_ms;
}

START_TEST(expiry_of_a_key)
{
    struct bytes key = bytes_of("a");
    uint64_t hash = key_hash(key);
    ck_assert_int_eq(keyspace_set_expiry(keys, key, hash, 5), TORC_ENOTFOUND);
    set_text(keys, "a", bytes_of("17"), 0);
    keyspace_touch(keys, find_text(keys, "a"), 50000);
    ck_assert_int_eq(keyspace_set_expiry(keys, key, hash, 1000), 0);
    ck_assert_uint_eq(keyspace_expire_at_ms(keys, find_text(keys, "a")), 1000);
    ck_assert_uint_eq(keyspace_expiry_count(keys), 1);
    ck_assert_int_eq(keyspace_set_expiry(keys, key, hash, 2000), 0);
    ck_assert_uint_eq(keyspace_expire_at_ms(keys, find_text(keys, "a")), 2000);
    ck_assert_uint_eq(store_expiry_count(store), 1);
    ck_assert(store_has_expiries(store));
    ck_assert_int_eq(keyspace_set_expiry(keys, key, hash, 0), 0);
    ck_assert_int_eq(keyspace_set_expiry(keys, key, hash, 0), 0);
    ck_assert_uint_eq(keyspace_expire_at_ms(keys, find_text(keys, "a")), 0);
    ck_assert_uint_eq(store_expiry_count(store), 0);
    ck_assert(!store_has_expiries(store));
    assert_holds(find_text(keys, "a"), bytes_of("17"));
    ck_assert_str_eq(object_encoding_name(find_text(keys, "a")), "int");
    ck_assert_uint_eq(idle_ms(find_text(keys, "a"), 53000), 3000);
    ck_assert(object_expired_at(1000, 1000));
    ck_assert(!object_expired_at(1001, 1000));
    ck_assert(!object_expired_at(0, 1000));
}
END_TEST

START_TEST(idle_time_by_lru_is_finer)
{
    store_set_eviction(store, EVICTION_LRU, true);
    struct object *object = set_text(keys, "a", bytes_of("x"), 0);
    keyspace_touch(keys, object, 1700000000000);
    ck_assert_uint_ge(idle_ms(object, 1700000000200), 128);
    ck_assert_uint_le(idle_ms(object, 1700000000200), 256);
    keyspace_set_idle(keys, object, 1700000000000 - 64000);
    ck_assert_uint_eq(idle_ms(object, 1700000000000), 64000);
}
END_TEST

START_TEST(idle_time)
{
    struct object *object = set_text(keys, "a", bytes_of("x"), 0);
    keyspace_touch(keys, object, 1700000000999);
    ck_assert_uint_eq(idle_ms(object, 1700000000999), 0);
    ck_assert_uint_eq(idle_ms(object, 1700000123000), 123000);
    ck_assert_uint_eq(idle_ms(object, 1699999990000), 0);
    object = set_text(keys, "a", bytes_of("something that is longer than before"), 9);
    ck_assert_uint_eq(idle_ms(object, 1700000123000), 123000);
}
END_TEST

START_TEST(copying)
{
    struct keyspace *other = store_keyspace(store, 8);
    struct bytes a = bytes_of("a"), b = bytes_of("bb");
    uint64_t ha = key_hash(a), hb = key_hash(b);
    ck_assert_int_eq(keyspace_copy(keys, a, ha, other, b, hb), TORC_ENOTFOUND);
    set_text(keys, "a", bytes_of("value"), 123);
    set_text(other, "bb", bytes_of("7"), 0);
    ck_assert_int_eq(keyspace_copy(keys, a, ha, other, b, hb), 0);
    assert_holds(find_text(other, "bb"), bytes_of("value"));
    ck_assert_uint_eq(keyspace_expire_at_ms(other, find_text(other, "bb")), 123);
    ck_assert_uint_eq(store_expiry_count(store), 2);
    ck_assert_int_eq(keyspace_copy(keys, a, ha, keys, b, hb), 0);
    ck_assert_int_eq(keyspace_copy(keys, a, ha, keys, a, ha), 0);
    assert_holds(find_text(keys, "bb"), bytes_of("value"));
    assert_holds(find_text(keys, "a"), bytes_of("value"));
    ck_assert_uint_eq(store_key_count(store), 3);
    ck_assert_uint_eq(store_expiry_count(store), 3);
}
END_TEST

START_TEST(memory_returns_to_nothing)
{
    ck_assert_uint_eq(store_memory(store), 0);
    for (uint64_t i = 0; i < 30000; i++) {
        set_number(store_keyspace(store, (uint16_t)(i % 3000)), i, "a value of some length",
                   i % 5 == 0 ? i : 0);
    }
    size_t sum = 0, count = 0;
    for (unsigned slot = 0; slot < 16384; slot++) {
        sum += keyspace_memory(store_keyspace(store, (uint16_t)slot));
        count += keyspace_count(store_keyspace(store, (uint16_t)slot));
    }
    ck_assert_uint_eq(count, 30000);
    ck_assert_uint_ge(sum, 30000 * (14 + 22 + 8));
    ck_assert_uint_le(sum, 30000 * (14 + 22 + 60));
    ck_assert_uint_le(store_memory(store), sum + sum / 256);
    ck_assert_uint_ge(store_memory(store), sum - sum / 256);
    /* One half key by key, the other at once. */
    for (uint64_t i = 0; i < 30000; i++) {
        if (i % 3000 < 1500) {
            ck_assert(delete_number(store_keyspace(store, (uint16_t)(i % 3000)), i));
        }
    }
    for (uint16_t slot = 0; slot < 1500; slot++) {
        ck_assert_uint_eq(keyspace_memory(store_keyspace(store, slot)), 0);
        keyspace_clear(store_keyspace(store, (uint16_t)(slot + 1500)));
        ck_assert_uint_eq(keyspace_memory(store_keyspace(store, (uint16_t)(slot + 1500))), 0);
    }
    ck_assert_uint_eq(store_memory(store), 0);
    ck_assert_uint_eq(store_key_count(store), 0);
    ck_assert_uint_eq(store_expiry_count(store), 0);
    ck_assert(!store_has_expiries(store));
}
END_TEST

/* What a full store is told of in lumps, it is told of to the byte once a slot is empty. */
START_TEST(a_full_store_is_told_in_lumps)
{
    size_t elsewhere = (size_t)16 << 30;
    atomic_store(&store->memory, elsewhere);
    set_text(keys, "a", bytes_of("value"), 0);
    ck_assert_uint_eq(store_memory(store), elsewhere);
    for (uint64_t i = 0; i < 1000; i++) {
        set_number(keys, i, "value", 0);
        require(store_memory(store) <= elsewhere + keyspace_memory(keys));
        require(store_memory(store) + 4096 >= elsewhere + keyspace_memory(keys));
    }
    for (uint64_t i = 0; i < 1000; i++) {
        require(delete_number(keys, i));
    }
    require(keyspace_delete(keys, bytes_of("a"), key_hash(bytes_of("a"))));
    ck_assert_uint_eq(store_memory(store), elsewhere);
    set_text(keys, "a", bytes_of("value"), 0);
    keyspace_clear(keys);
    ck_assert_uint_eq(store_memory(store), elsewhere);
}
END_TEST

/* The memory of a keyspace is that of its objects plus a table that is at most half empty. */
START_TEST(memory_is_that_of_the_objects)
{
    for (uint64_t i = 0; i < 5000; i++) {
        set_number(keys, i, "some value", 0);
        if (i % 3 == 0) {
            delete_number(keys, i / 2);
        }
    }
    size_t objects = 0;
    for (uint64_t i = 0; i < 5000; i++) {
        const struct object *object = find_number(keys, i);
        objects += object == NULL ? 0 : object_memory(object);
    }
    ck_assert_uint_ge(keyspace_memory(keys), objects + 8 * keyspace_count(keys));
    ck_assert_uint_le(keyspace_memory(keys), objects + 17 * keyspace_count(keys));
}
END_TEST

START_TEST(prefetching_changes_nothing)
{
    struct numbered_key name;
    for (uint64_t i = 0; i < 5000; i++) {
        numbered_key(&name, i);
        keyspace_prefetch(keys, name.hash);
        keyspace_prefetch_object(keys, name.hash);
        set_number(keys, i, "x", 0);
        keyspace_prefetch(keys, name.hash);
        keyspace_prefetch_object(keys, name.hash);
    }
    ck_assert_uint_eq(keyspace_count(keys), 5000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keyspace");
    TCase *tests = tcase_create("keyspace");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, an_absent_key_is_not_found);
    tcase_add_test(tests, set_find_delete);
    tcase_add_test(tests, sizes_of_keys_and_values);
    tcase_add_test(tests, keys_that_differ_in_one_byte_or_in_length);
    tcase_add_test(tests, integers_are_kept_as_such);
    tcase_add_test(tests, counting_up_in_place);
    tcase_add_test(tests, encoding_names_are_those_of_redis);
    tcase_add_test(tests, a_value_may_lie_in_the_object_it_replaces);
    tcase_add_test(tests, a_key_may_be_that_of_the_object_itself);
    tcase_add_test(tests, resizing_keeps_the_beginning_and_fills_with_zeros);
    tcase_add_test(tests, appending_moves_the_string_rarely);
    tcase_add_test(tests, expiry_of_a_key);
    tcase_add_test(tests, idle_time);
    tcase_add_test(tests, idle_time_by_lru_is_finer);
    tcase_add_test(tests, copying);
    tcase_add_test(tests, memory_returns_to_nothing);
    tcase_add_test(tests, a_full_store_is_told_in_lumps);
    tcase_add_test(tests, memory_is_that_of_the_objects);
    tcase_add_test(tests, prefetching_changes_nothing);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
