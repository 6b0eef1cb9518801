#include "base/limits.h"
#include "node/store/set_form.h"
#include "tests/unit/store/set_type.h"

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

static const struct bytes name = BYTES_LITERAL("s");

static const struct object *set_object(void)
{
    return keyspace_find(keys, name, key_hash(name));
}

static bool add(struct bytes member)
{
    bool added;
    struct object *out;
    ck_assert_int_eq(keyspace_set_add(keys, name, key_hash(name), member, &added, &out), 0);
    ck_assert_ptr_eq(out, set_object());
    ck_assert(set_has(out, member));
    return added;
}

static bool take(const char *member)
{
    return keyspace_set_remove(keys, name, key_hash(name), bytes_of(member));
}

static const char *encoding(void)
{
    return object_encoding_name(set_object());
}

static struct bytes numbered(const char *format, unsigned number)
{
    static char text[100];
    return (struct bytes){text, (size_t)snprintf(text, sizeof(text), format, number)};
}

/* Makes a set of so many members, the last of which looks otherwise. */
static const char *encoding_of(const char *format, unsigned count, const char *last)
{
    keyspace_clear(keys);
    for (unsigned i = 0; i + 1 < count; i++) {
        ck_assert(add(numbered(format, i)));
    }
    ck_assert(add(bytes_of(last)));
    ck_assert_uint_eq(set_count(set_object()), count);
    for (unsigned i = 0; i + 1 < count; i++) {
        ck_assert(!add(numbered(format, i)));
    }
    ck_assert(set_has(set_object(), bytes_of(last)));
    return encoding();
}

#define TEXT64 "0123456789012345678901234567890123456789012345678901234567890123"

START_TEST(forms)
{
    ck_assert_str_eq(encoding_of("%u", 1, "7"), "intset");
    ck_assert_str_eq(encoding_of("%u", 512, "-9223372036854775808"), "intset");
    ck_assert_str_eq(encoding_of("%u", 513, "9223372036854775807"), "hashtable");
    ck_assert_str_eq(encoding_of("%u", 1, "07"), "listpack"); /* no integer as it is written */
    ck_assert_str_eq(encoding_of("%u", 2, ""), "listpack");
    ck_assert_str_eq(encoding_of("%u", 128, "x"), "listpack");
    ck_assert_str_eq(encoding_of("%u", 129, "x"), "hashtable");
    ck_assert_str_eq(encoding_of("%u", 400, "x"), "hashtable");
    ck_assert_str_eq(encoding_of("%u", 5, TEXT64), "listpack");
    ck_assert_str_eq(encoding_of("%u", 5, TEXT64 "x"), "hashtable");
    ck_assert_str_eq(encoding_of("x%u", 128, "1"), "listpack");
    ck_assert_str_eq(encoding_of("x%u", 129, "1"), "hashtable");
    ck_assert_str_eq(encoding_of("x%u", 1, TEXT64), "listpack");
    ck_assert_str_eq(encoding_of("x%u", 1, TEXT64 "x"), "hashtable");
    ck_assert_str_eq(encoding_of("x%u", 2, TEXT64 "x"), "hashtable");
    ck_assert_str_eq(object_type_name(set_object()), "set");
}
END_TEST

START_TEST(no_smaller_by_itself)
{
    ck_assert_str_eq(encoding_of("%u", 600, "7000"), "hashtable");
    for (unsigned i = 0; i < 599; i++) {
        ck_assert(take(numbered("%u", i).data));
    }
    ck_assert(!take("0"));
    ck_assert_str_eq(encoding(), "hashtable");
    struct buf dump = {0};
    object_dump(set_object(), &dump);
    ck_assert_int_eq(keyspace_restore(keys, name, key_hash(name), buf_bytes(&dump), 0), 0);
    buf_deinit(&dump);
    ck_assert_str_eq(encoding(), "intset");
    ck_assert(take("7000"));
    ck_assert_ptr_null(set_object());
    ck_assert_uint_eq(keyspace_memory(keys), 0);
}
END_TEST

START_TEST(of_another_type)
{
    bool added;
    set_text(keys, "s", bytes_of("text"), 0);
    ck_assert_int_eq(keyspace_set_add(keys, name, key_hash(name), bytes_of("1"), &added, NULL),
                     TORC_ETYPE);
    assert_holds(set_object(), bytes_of("text"));
}
END_TEST

static int restore(const char *payload, size_t size)
{
    return restore_payload(keys, name, OBJECT_SET, (struct bytes){payload, size});
}

#define RESTORE(text) restore((text), sizeof(text) - 1)

START_TEST(dumps)
{
    /* The bytes of docs/protocol.md, both ways. */
    static const char documented[] = "\1\4\2\0\0\0\1a\00212";
    ck_assert_int_eq(restore(documented + 2, sizeof(documented) - 3), 0);
    ck_assert_uint_eq(set_count(set_object()), 2);
    ck_assert(set_has(set_object(), bytes_of("a")) && set_has(set_object(), bytes_of("12")));
    keyspace_clear(keys);
    add(bytes_of("a"));
    add(bytes_of("12"));
    struct buf dump = {0};
    object_dump(set_object(), &dump);
    ck_assert_uint_eq(buf_size(&dump), sizeof(documented) - 1 + 8);
    ck_assert_mem_eq(buf_head(&dump), documented, sizeof(documented) - 1);
    buf_deinit(&dump);
    ck_assert_int_eq(RESTORE("\0\0\0\0"), TORC_ECORRUPT);
    ck_assert_int_eq(RESTORE("\2\0\0\0\1a"), TORC_ECORRUPT);
    ck_assert_int_eq(RESTORE("\1\0\0\0\1a\1b"), TORC_ECORRUPT);
    ck_assert_int_eq(RESTORE("\2\0\0\0\1a\1a"), TORC_ECORRUPT);
    ck_assert_int_eq(RESTORE("\2\0\0\0\0017\0017"), TORC_ECORRUPT);
    ck_assert_int_eq(RESTORE("\377\377\377\377\1a"), TORC_ECORRUPT);
    ck_assert_uint_eq(set_count(set_object()), 2);
    ck_assert_int_eq(RESTORE("\2\0\0\0\0017\00288"), 0);
    ck_assert_str_eq(encoding(), "intset");
}
END_TEST

START_TEST(no_larger_than_may_be_dumped)
{
    bool added;
    char *text = calloc(1, CONTAINER_SIZE_MAX);
    ck_assert_ptr_nonnull(text);
    struct bytes all = {text, CONTAINER_SIZE_MAX};
    ck_assert_int_eq(keyspace_set_add(keys, name, key_hash(name), all, &added, NULL), TORC_ETOOBIG);
    ck_assert_ptr_null(set_object());
    ck_assert(add(bytes_of("little")));
    ck_assert_int_eq(keyspace_set_add(keys, name, key_hash(name), all, &added, NULL), TORC_ETOOBIG);
    ck_assert_uint_eq(set_count(set_object()), 1);
    ck_assert_str_eq(encoding(), "listpack");
    free(text);
}
END_TEST

START_TEST(like_the_model)
{
    struct field_world *world = malloc(sizeof(*world));
    ck_assert_ptr_nonnull(world);
    field_world_init(world, &set_type, (uint64_t)_i + 1, keys);
    world->shape = (enum field_shape)(_i % 4);
    field_world_run(world, 6400);
    free(world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("set");
    TCase *tests = tcase_create("set");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, forms);
    tcase_add_test(tests, no_smaller_by_itself);
    tcase_add_test(tests, of_another_type);
    tcase_add_test(tests, dumps);
    tcase_add_test(tests, no_larger_than_may_be_dumped);
    tcase_add_loop_test(tests, like_the_model, 0, 4);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
