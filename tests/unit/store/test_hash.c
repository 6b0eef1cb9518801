#include "base/codec.h"
#include "node/store/hash.h"
#include "node/store/hash_form.h"
#include "node/store/members.h"
#include "tests/unit/store/hash_type.h"

#include <xxhash.h>

static struct store *store;
static struct keyspace *keys;

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

static const struct bytes name = BYTES_LITERAL("h");

static const struct object *hash_object(void)
{
    return keyspace_find(keys, name, key_hash(name));
}

static bool set(struct bytes field, struct bytes value)
{
    bool added;
    struct object *out;
    ck_assert_int_eq(keyspace_hash_set(keys, name, key_hash(name), field, value, &added, &out), 0);
    ck_assert_ptr_eq(out, hash_object());
    return added;
}

static const char *get(const char *field)
{
    static char text[256];
    struct bytes value;
    if (!hash_get(hash_object(), bytes_of(field), &value)) {
        return NULL;
    }
    snprintf(text, sizeof(text), "%.*s", (int)value.size, value.data);
    return text;
}

static const char *encoding(void)
{
    return object_encoding_name(hash_object());
}

START_TEST(fields_have_values)
{
    ck_assert(set(bytes_of("a"), bytes_of("1")));
    ck_assert(set(bytes_of("b"), bytes_of("")));
    ck_assert(set(bytes_of(""), bytes_of("of the empty field")));
    ck_assert(!set(bytes_of("a"), bytes_of("longer")));
    ck_assert(!set(bytes_of("b"), bytes_of("2")));
    ck_assert_uint_eq(hash_count(hash_object()), 3);
    ck_assert_str_eq(get("a"), "longer");
    ck_assert_str_eq(get("b"), "2");
    ck_assert_str_eq(get(""), "of the empty field");
    ck_assert_ptr_null(get("c"));
    ck_assert_ptr_null(get("longer")); /* a value is no field */
    ck_assert_str_eq(object_type_name(hash_object()), "hash");
    ck_assert_str_eq(encoding(), "listpack");
    ck_assert(!keyspace_hash_remove(keys, name, key_hash(name), bytes_of("c")));
    ck_assert(keyspace_hash_remove(keys, name, key_hash(name), bytes_of("a")));
    ck_assert(keyspace_hash_remove(keys, name, key_hash(name), bytes_of("")));
    ck_assert_str_eq(get("b"), "2");
    ck_assert(keyspace_hash_remove(keys, name, key_hash(name), bytes_of("b")));
    ck_assert_ptr_null(hash_object());
    ck_assert_uint_eq(keyspace_memory(keys), 0);
}
END_TEST

static struct bytes numbered(unsigned number)
{
    static char text[32];
    return (struct bytes){text, (size_t)snprintf(text, sizeof(text), "%u", number)};
}

START_TEST(many_fields_make_it_large)
{
    for (unsigned i = 0; i < 512; i++) {
        ck_assert(set(numbered(i), bytes_of("v")));
    }
    ck_assert_str_eq(encoding(), "listpack");
    ck_assert(!set(numbered(5), bytes_of("w")));
    ck_assert_str_eq(encoding(), "listpack");
    ck_assert(set(numbered(512), bytes_of("v")));
    ck_assert_str_eq(encoding(), "hashtable");
    ck_assert_uint_eq(hash_count(hash_object()), 513);
    for (unsigned i = 1; i < 513; i++) {
        ck_assert(keyspace_hash_remove(keys, name, key_hash(name), numbered(i)));
    }
    /* As in Redis it stays so, */
    ck_assert_str_eq(encoding(), "hashtable");
    struct buf dump = {0};
    object_dump(hash_object(), &dump);
    ck_assert_int_eq(keyspace_restore(keys, name, key_hash(name), buf_bytes(&dump), 0), 0);
    buf_deinit(&dump);
    /* and what is restored is as small as it can be. */
    ck_assert_str_eq(encoding(), "listpack");
    ck_assert_str_eq(get("0"), "v");
    ck_assert_uint_eq(hash_count(hash_object()), 1);
}
END_TEST

START_TEST(long_ones_make_it_large)
{
    static const char text[66] =
        "0123456789012345678901234567890123456789012345678901234567890123x";
    const struct bytes longest = {text, 64};
    const struct bytes longer = {text, 65};
    for (int i = 0; i < 4; i++) {
        struct bytes field = i == 0 || i == 1 ? longer : longest;
        struct bytes value = i == 0 || i == 2 ? longer : longest;
        ck_assert(set(longest, longest));
        ck_assert_str_eq(encoding(), "listpack");
        set(field, value);
        ck_assert_str_eq(encoding(), i == 3 ? "listpack" : "hashtable");
        keyspace_clear(keys);
        ck_assert(set(field, value));
        ck_assert_str_eq(encoding(), i == 3 ? "listpack" : "hashtable");
        keyspace_clear(keys);
    }
    assert_nothing_is_left(store);
}
END_TEST

START_TEST(of_another_type)
{
    bool added;
    set_text(keys, "h", bytes_of("text"), 0);
    ck_assert_int_eq(
        keyspace_hash_set(keys, name, key_hash(name), bytes_of("f"), bytes_of("v"), &added, NULL),
        TORC_ETYPE);
    assert_holds(hash_object(), bytes_of("text"));
}
END_TEST

static int restore(const char *payload, size_t size)
{
    return restore_payload(keys, name, OBJECT_HASH, (struct bytes){payload, size});
}

#define RESTORE(text) restore((text), sizeof(text) - 1)

START_TEST(dumps_that_are_none)
{
    ck_assert_int_eq(RESTORE("\2\0\0\0\1a\1b\0\1c"), 0);
    ck_assert_str_eq(get("a"), "b");
    ck_assert_str_eq(get(""), "c");
    /* The bytes of docs/protocol.md, both ways. */
    static const char documented[] = "\1\3\2\0\0\0\1a\0011\1b";
    ck_assert_int_eq(restore(documented + 2, sizeof(documented) - 2), 0);
    ck_assert_str_eq(get("a"), "1");
    ck_assert_str_eq(get("b"), "");
    struct buf dump = {0};
    object_dump(hash_object(), &dump);
    ck_assert_uint_eq(buf_size(&dump), sizeof(documented) + 8);
    ck_assert_mem_eq(buf_head(&dump), documented, sizeof(documented));
    buf_deinit(&dump);
    ck_assert_int_eq(RESTORE("\2\0\0\0\1a\1b\0\1c"), 0);
    ck_assert_int_eq(RESTORE("\0\0\0\0"), TORC_ECORRUPT);
    ck_assert_int_eq(RESTORE("\1\0\0\0\1a"), TORC_ECORRUPT);
    ck_assert_int_eq(RESTORE("\2\0\0\0\1a\1b"), TORC_ECORRUPT);
    ck_assert_int_eq(RESTORE("\1\0\0\0\1a\1b\0"), TORC_ECORRUPT);
    ck_assert_int_eq(RESTORE("\2\0\0\0\1a\1b\1a\1c"), TORC_ECORRUPT);
    ck_assert_int_eq(RESTORE("\1\0\0\0\376\1\0\0\0a\0"), TORC_ECORRUPT);
    ck_assert_int_eq(RESTORE("\377\377\377\377\1a\1b"), TORC_ECORRUPT);
    ck_assert_str_eq(get("a"), "b");
    ck_assert_uint_eq(hash_count(hash_object()), 2);
    /* The same field twice where there are so many that it is large. */
    struct buf payload = {0};
    write_u32(&payload, 600);
    for (unsigned i = 0; i < 600; i++) {
        struct bytes field = numbered(i % 599);
        write_u8(&payload, (uint8_t)field.size);
        buf_append(&payload, field.data, field.size);
        write_u8(&payload, 0);
    }
    ck_assert_int_eq(restore(buf_head(&payload), buf_size(&payload)), TORC_ECORRUPT);
    ck_assert_uint_eq(hash_count(hash_object()), 2);
    buf_deinit(&payload);
}
END_TEST

START_TEST(no_larger_than_may_be_dumped)
{
    bool added;
    char *text = calloc(1, CONTAINER_SIZE_MAX);
    ck_assert_ptr_nonnull(text);
    struct bytes most = {text, CONTAINER_SIZE_MAX - 100};
    struct bytes all = {text, CONTAINER_SIZE_MAX};
    struct bytes other = bytes_of("other");
    ck_assert(set(bytes_of("a"), most));
    ck_assert(set(bytes_of("b"), bytes_of("little")));
    ck_assert_int_eq(keyspace_hash_set(keys, name, key_hash(name), bytes_of("c"),
                                       (struct bytes){text, 80}, &added, NULL),
                     TORC_ETOOBIG);
    ck_assert_int_eq(
        keyspace_hash_set(keys, name, key_hash(name), bytes_of("a"), all, &added, NULL),
        TORC_ETOOBIG);
    ck_assert_int_eq(
        keyspace_hash_set(keys, other, key_hash(other), bytes_of("a"), all, &added, NULL),
        TORC_ETOOBIG);
    ck_assert_uint_eq(hash_count(hash_object()), 2);
    ck_assert_uint_eq(keyspace_count(keys), 1);
    struct bytes value;
    ck_assert(hash_get(hash_object(), bytes_of("a"), &value));
    ck_assert_uint_eq(value.size, most.size);
    ck_assert(!set(bytes_of("a"), bytes_of("short again")));
    ck_assert(set(bytes_of("c"), (struct bytes){text, 80}));
    free(text);
}
END_TEST

START_TEST(like_the_model)
{
    struct field_world *world = malloc(sizeof(*world));
    ck_assert_ptr_nonnull(world);
    field_world_init(world, &hash_type, (uint64_t)_i + 1, keys);
    world->shape = (enum field_shape)(_i % 4);
    field_world_run(world, 6400);
    free(world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hash");
    TCase *tests = tcase_create("hash");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, fields_have_values);
    tcase_add_test(tests, many_fields_make_it_large);
    tcase_add_test(tests, long_ones_make_it_large);
    tcase_add_test(tests, of_another_type);
    tcase_add_test(tests, dumps_that_are_none);
    tcase_add_test(tests, no_larger_than_may_be_dumped);
    tcase_add_loop_test(tests, like_the_model, 0, 4);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
