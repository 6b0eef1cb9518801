#include "tests/unit/store/list_model.h"

#include "base/codec.h"

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

static struct bytes name;
static uint64_t hash;

/* Pushes words, separated by single spaces, to a key. */
static void push(const char *key, enum list_end end, const char *words)
{
    struct bytes values[64];
    size_t count = 0;
    for (const char *at = words;; at++) {
        size_t size = strcspn(at, " ");
        values[count++] = (struct bytes){at, size};
        at += size;
        if (*at == '\0') {
            break;
        }
    }
    name = bytes_of(key);
    hash = key_hash(name);
    ck_assert_int_eq(keyspace_list_push(keys, name, hash, end, values, count, NULL), 0);
}

/* The values of a key between blanks; "" for none. */
static const char *words(const char *key)
{
    static char text[4096];
    const struct object *list = find_text(keys, key);
    struct list_cursor cursor;
    struct bytes value;
    size_t size = 0;
    text[0] = '\0';
    if (list == NULL) {
        return text;
    }
    list_cursor_init(&cursor, list, 0, LIST_TAIL);
    while (list_next(&cursor, &value)) {
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%.*s", size == 0 ? "" : " ",
                                 (int)value.size, value.data);
    }
    return text;
}

START_TEST(small_lists)
{
    push("l", LIST_TAIL, "a b c");
    ck_assert_str_eq(words("l"), "a b c");
    push("l", LIST_HEAD, "1 2 3");
    ck_assert_str_eq(words("l"), "3 2 1 a b c");
    ck_assert_str_eq(object_encoding_name(find_text(keys, "l")), "listpack");
    ck_assert_str_eq(object_type_name(find_text(keys, "l")), "list");
    ck_assert_uint_eq(list_count(find_text(keys, "l")), 6);
    ck_assert_int_eq(keyspace_list_insert(keys, name, hash, 3, bytes_of("middle")), 0);
    ck_assert_int_eq(keyspace_list_replace(keys, name, hash, 0, bytes_of("first-of-all")), 0);
    ck_assert_int_eq(keyspace_list_replace(keys, name, hash, 6, bytes_of("")), 0);
    ck_assert_str_eq(words("l"), "first-of-all 2 1 middle a b ");
    keyspace_list_remove(keys, name, hash, 1, 3);
    ck_assert_str_eq(words("l"), "first-of-all a b ");
    keyspace_list_remove(keys, name, hash, 0, 4);
    ck_assert_ptr_null(find_text(keys, "l"));
    ck_assert_uint_eq(keyspace_memory(keys), 0);
}
END_TEST

START_TEST(a_small_list_is_one_allocation_of_little_more_than_its_values)
{
    push("l", LIST_TAIL, "aaaaaaaa bbbbbbbb cccccccc");
    /* 4 + 2 of the header, 1 of the key, 2 of the count, 3 x 10; and what the allocator adds. */
    ck_assert_uint_le(object_memory(find_text(keys, "l")), 39 + 17);
}
END_TEST

START_TEST(other_types)
{
    struct bytes value = bytes_of("x");
    set_text(keys, "s", bytes_of("text"), 0);
    struct bytes key = bytes_of("s");
    ck_assert_int_eq(keyspace_list_push(keys, key, key_hash(key), LIST_HEAD, &value, 1, NULL),
                     TORC_ETYPE);
    assert_holds(find_text(keys, "s"), bytes_of("text"));
    char *data;
    push("l", LIST_HEAD, "a");
    ck_assert_int_eq(keyspace_resize_string(keys, name, hash, 10, &data), TORC_ETYPE);
    set_text(keys, "l", bytes_of("now a string"), 0);
    assert_holds(find_text(keys, "l"), bytes_of("now a string"));
    ck_assert_str_eq(object_type_name(find_text(keys, "l")), "string");
}
END_TEST

/* A list of so many values of so many bytes; the value i begins with its number. */
static void make_large(const char *key, size_t count, size_t size)
{
    char *text = calloc(1, size + 1);
    ck_assert_ptr_nonnull(text);
    name = bytes_of(key);
    hash = key_hash(name);
    for (size_t i = 0; i < count; i++) {
        uint64_t number = i;
        memcpy(text, &number, sizeof(number));
        struct bytes value = {text, size};
        require(keyspace_list_push(keys, name, hash, LIST_TAIL, &value, 1, NULL) == 0);
    }
    free(text);
}

START_TEST(large_lists_are_freed_whatever_takes_their_place)
{
    const struct object *list;
    make_large("l", 1000, 100);
    list = find_text(keys, "l");
    ck_assert_str_eq(object_encoding_name(list), "quicklist");
    /* Full runs, and all of it counted. */
    ck_assert_uint_gt(object_memory(list), 1000 * 102);
    ck_assert_uint_lt(object_memory(list), 1000 * 102 + 3 * CHUNK_SIZE);
    ck_assert_uint_gt(keyspace_memory(keys), object_memory(list));
    set_text(keys, "l", bytes_of("short"), 0);
    ck_assert_uint_lt(keyspace_memory(keys), 500);
    make_large("m", 1000, 100);
    ck_assert_int_eq(keyspace_set_integer(keys, name, hash, 5, 0, NULL), 0);
    ck_assert_uint_lt(keyspace_memory(keys), 500);
    make_large("n", 1000, 100);
    struct bytes short_name = bytes_of("l");
    ck_assert_int_eq(keyspace_copy(keys, short_name, key_hash(short_name), keys, name, hash), 0);
    assert_holds(find_text(keys, "n"), bytes_of("short"));
    ck_assert_uint_lt(keyspace_memory(keys), 500);
    make_large("o", 1000, 100);
    ck_assert(keyspace_delete(keys, name, hash));
    make_large("p", 1000, 100);
    keyspace_clear(keys);
    assert_nothing_is_left(store);
    make_large("q", 1000, 100); /* and what store_destroy does not free a sanitizer finds */
}
END_TEST

START_TEST(copies_are_their_own)
{
    make_large("from", 1000, 100);
    struct bytes to = bytes_of("to");
    ck_assert_int_eq(keyspace_set_expiry(keys, name, hash, 77), 0);
    ck_assert_int_eq(keyspace_copy(keys, name, hash, keys, to, key_hash(to)), 0);
    ck_assert_uint_eq(keyspace_expire_at_ms(keys, find_text(keys, "to")), 77);
    keyspace_list_remove(keys, name, hash, 0, 999);
    ck_assert_uint_eq(list_count(find_text(keys, "from")), 1);
    ck_assert_str_eq(object_encoding_name(find_text(keys, "from")), "listpack");
    ck_assert_uint_eq(list_count(find_text(keys, "to")), 1000);
    size_t memory = keyspace_memory(keys);
    ck_assert_int_eq(keyspace_rename(keys, to, key_hash(to), name, hash), 0);
    ck_assert_uint_lt(keyspace_memory(keys), memory);
    ck_assert_ptr_null(find_text(keys, "to"));
    ck_assert_uint_eq(list_count(find_text(keys, "from")), 1000);
    ck_assert_uint_eq(keyspace_expiry_count(keys), 1);
    ck_assert_int_eq(keyspace_rename(keys, to, key_hash(to), name, hash), TORC_ENOTFOUND);
}
END_TEST

/* A list that values wander through neither grows nor keeps what it once needed. */
START_TEST(a_queue_stays_as_small_as_it_is)
{
    make_large("l", 2000, 100);
    struct prng prng;
    prng_init(&prng, 3);
    char text[100] = "value";
    struct bytes value = {text, sizeof(text)};
    size_t highest = 0;
    for (size_t i = 0; i < 200000; i++) {
        bool right = i % 100000 < 50000;
        require(keyspace_list_push(keys, name, hash, right ? LIST_TAIL : LIST_HEAD, &value, 1,
                                   NULL) == 0);
        keyspace_list_remove(keys, name, hash, right ? 0 : 2000, 1);
        size_t memory = object_memory(find_text(keys, "l"));
        highest = memory > highest ? memory : highest;
    }
    ck_assert_uint_lt(highest, 2000 * 102 + 5 * CHUNK_SIZE);
    keyspace_list_remove(keys, name, hash, 10, 1985);
    ck_assert_uint_lt(object_memory(find_text(keys, "l")), 15 * 102 + 100);
    make_large("long", 20000, 100);
    keyspace_list_remove(keys, name, hash, 50, 19900);
    ck_assert_uint_eq(list_count(find_text(keys, "long")), 100);
    ck_assert_uint_lt(object_memory(find_text(keys, "long")), 3 * CHUNK_SIZE + 1000);
}
END_TEST

/* Values taken out of the middle leave runs that are at least half full on average. */
START_TEST(sparse_runs_are_joined)
{
    name = bytes_of("l");
    hash = key_hash(name);
    char text[101];
    for (unsigned i = 0; i < 10000; i++) {
        memset(text, i % 10 == 0 ? 'k' : 'r', sizeof(text));
        struct bytes value = {text, 100};
        require(keyspace_list_push(keys, name, hash, LIST_HEAD, &value, 1, NULL) == 0);
    }
    memset(text, 'r', sizeof(text));
    ck_assert_uint_eq(keyspace_list_remove_equal(keys, name, hash, (struct bytes){text, 100},
                                                 LIST_TAIL, SIZE_MAX),
                      9000);
    ck_assert_uint_eq(list_count(find_text(keys, "l")), 1000);
    ck_assert_uint_lt(object_memory(find_text(keys, "l")), 2 * 1000 * 102 + CHUNK_SIZE);
}
END_TEST

START_TEST(long_values_have_blocks_of_their_own)
{
    char *text = malloc(100000);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', 100000);
    struct bytes values[] = {bytes_of("a"), {text, 100000}, bytes_of("b"), {text, 8182},
                             {text, 253},   {text, 254},    {text, 8183}};
    name = bytes_of("l");
    hash = key_hash(name);
    ck_assert_int_eq(keyspace_list_push(keys, name, hash, LIST_TAIL, values, 7, NULL), 0);
    struct list_cursor cursor;
    struct bytes value;
    list_cursor_init(&cursor, find_text(keys, "l"), 0, LIST_TAIL);
    for (size_t i = 0; i < 7; i++) {
        ck_assert(list_next(&cursor, &value));
        ck_assert(bytes_equal(value, values[i]));
    }
    ck_assert_uint_lt(object_memory(find_text(keys, "l")), 100000 + 6 * CHUNK_SIZE);
    /* A long value that is replaced by a short one takes its block along. */
    ck_assert_int_eq(keyspace_list_replace(keys, name, hash, 1, bytes_of("short")), 0);
    ck_assert_uint_lt(object_memory(find_text(keys, "l")), 6 * CHUNK_SIZE);
    free(text);
}
END_TEST

START_TEST(too_large_a_list_is_refused)
{
#ifdef TORC_TINY_LIMITS /* else it takes half a gigabyte to get there */
    char *text = calloc(1, CONTAINER_SIZE_MAX);
    struct bytes value = {text, 1000};
    name = bytes_of("l");
    hash = key_hash(name);
    size_t count = CONTAINER_SIZE_MAX / packed_entry_size(value.size);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(keyspace_list_push(keys, name, hash, LIST_TAIL, &value, 1, NULL), 0);
    }
    ck_assert_int_eq(keyspace_list_push(keys, name, hash, LIST_TAIL, &value, 1, NULL),
                     TORC_ETOOBIG);
    ck_assert_int_eq(keyspace_list_insert(keys, name, hash, 1, value), TORC_ETOOBIG);
    value.size = 3000;
    ck_assert_int_eq(keyspace_list_replace(keys, name, hash, 1, value), TORC_ETOOBIG);
    ck_assert_uint_eq(list_count(find_text(keys, "l")), count);
    value.size = CONTAINER_SIZE_MAX - 9;
    struct bytes other = bytes_of("m");
    ck_assert_int_eq(keyspace_list_push(keys, other, key_hash(other), LIST_TAIL, &value, 1, NULL),
                     TORC_ETOOBIG);
    value.size--;
    ck_assert_int_eq(keyspace_list_push(keys, other, key_hash(other), LIST_TAIL, &value, 1, NULL),
                     0);
    struct buf dump = {0};
    object_dump(find_text(keys, "m"), &dump);
    ck_assert_uint_le(buf_size(&dump), CONTAINER_SIZE_MAX + 1024);
    ck_assert_int_eq(keyspace_restore(keys, name, hash, buf_bytes(&dump), 0), 0);
    buf_deinit(&dump);
    free(text);
#endif
}
END_TEST

/* ---- the dump ---- */

/* The bytes of docs/protocol.md, so that the format cannot change unnoticed. */
START_TEST(the_format_is_the_documented_one)
{
    static const uint8_t body[] = {1, 2, 3, 0, 0, 0, 1, 'a', 0, 2, 'b', 'c'};
    struct buf dump = {0};
    push("l", LIST_TAIL, "a  bc");
    object_dump(find_text(keys, "l"), &dump);
    ck_assert_uint_eq(buf_size(&dump), sizeof(body) + 8);
    ck_assert_mem_eq(buf_head(&dump), body, sizeof(body));
    char text[300];
    memset(text, 'x', sizeof(text));
    struct bytes value = {text, 254};
    keyspace_clear(keys);
    ck_assert_int_eq(keyspace_list_push(keys, name, hash, LIST_TAIL, &value, 1, NULL), 0);
    buf_reset(&dump, 0);
    object_dump(find_text(keys, "l"), &dump);
    static const uint8_t head[] = {1, 2, 1, 0, 0, 0, 254, 254, 0, 0, 0, 'x'};
    ck_assert_uint_eq(buf_size(&dump), 6 + 5 + 254 + 8);
    ck_assert_mem_eq(buf_head(&dump), head, sizeof(head));
    buf_deinit(&dump);
}
END_TEST

START_TEST(every_corrupted_byte_is_refused)
{
    struct buf dump = {0};
    push("l", LIST_TAIL, "a some-value  bc");
    object_dump(find_text(keys, "l"), &dump);
    push("copy", LIST_TAIL, "left alone");
    size_t memory = keyspace_memory(keys);
    for (size_t at = 0; at < buf_size(&dump); at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            buf_head(&dump)[at] = (char)(buf_head(&dump)[at] ^ (char)(1u << bit));
            require(keyspace_restore(keys, name, hash, buf_bytes(&dump), 0) == TORC_ECORRUPT);
            buf_head(&dump)[at] = (char)(buf_head(&dump)[at] ^ (char)(1u << bit));
        }
    }
    for (size_t size = 0; size < buf_size(&dump); size++) {
        struct bytes cut = {buf_head(&dump), size};
        ck_assert_int_eq(keyspace_restore(keys, name, hash, cut, 0), TORC_ECORRUPT);
    }
    ck_assert_str_eq(words("copy"), "left alone");
    ck_assert_uint_eq(keyspace_memory(keys), memory);
    buf_deinit(&dump);
}
END_TEST

/* Bodies that are wrong although their checksum is right. */
START_TEST(malformed_bodies_are_refused)
{
    static const struct {
        uint8_t body[16];
        size_t size;
        int result;
    } cases[] = {
        {{1, 2}, 2, TORC_ECORRUPT},
        {{1, 2, 1, 0, 0}, 5, TORC_ECORRUPT},
        {{1, 2, 0, 0, 0, 0}, 6, TORC_ECORRUPT},            /* an empty list is none */
        {{1, 2, 1, 0, 0, 0}, 6, TORC_ECORRUPT},            /* nothing behind the count */
        {{1, 2, 1, 0, 0, 0, 0}, 7, 0},                     /* one empty value */
        {{1, 2, 1, 0, 0, 0, 1, 'a'}, 8, 0},                /* one value */
        {{1, 2, 1, 0, 0, 0, 2, 'a'}, 8, TORC_ECORRUPT},    /* cut short */
        {{1, 2, 2, 0, 0, 0, 1, 'a'}, 8, TORC_ECORRUPT},    /* one of two values */
        {{1, 2, 1, 0, 0, 0, 1, 'a', 0}, 9, TORC_ECORRUPT}, /* one left over */
        {{1, 2, 255, 255, 255, 255, 0, 0}, 8, TORC_ECORRUPT},
        {{1, 2, 1, 0, 0, 0, 255, 0, 0, 0, 0}, 11, TORC_ECORRUPT},      /* no such size */
        {{1, 2, 1, 0, 0, 0, 254, 1, 0, 0, 0, 'a'}, 12, TORC_ECORRUPT}, /* a long short value */
        {{1, 2, 1, 0, 0, 0, 254, 0, 1, 0, 0, 'a'}, 12, TORC_ECORRUPT}, /* more than there is */
        {{1, 2, 1, 0, 0, 0, 254, 255, 255, 255, 255}, 11, TORC_ECORRUPT},
        {{1, 2, 1, 0, 0, 0, 254, 1, 0}, 9, TORC_ECORRUPT},
    };
    struct buf dump = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buf_reset(&dump, 0);
        buf_append(&dump, cases[i].body, cases[i].size);
        write_u64(&dump, XXH3_64bits(buf_head(&dump), buf_size(&dump)));
        struct bytes key = bytes_of("copy");
        push("copy", LIST_TAIL, "left alone");
        size_t memory = keyspace_memory(keys);
        int result = keyspace_restore(keys, key, key_hash(key), buf_bytes(&dump), 7);
        ck_assert_msg(result == cases[i].result, "case %zu", i);
        if (result != 0) {
            ck_assert_str_eq(words("copy"), "left alone");
            ck_assert_uint_eq(keyspace_memory(keys), memory);
        } else {
            ck_assert_uint_eq(list_count(find_text(keys, "copy")), 1);
            ck_assert_uint_eq(keyspace_expire_at_ms(keys, find_text(keys, "copy")), 7);
        }
        keyspace_clear(keys);
    }
    buf_deinit(&dump);
}
END_TEST

/* ---- against the model ---- */

START_TEST(random_operations_agree_with_the_model)
{
    static const size_t sizes[] = {3, 40, 40, 40, 400, 10000};
    struct list_world *world = calloc(1, sizeof(*world));
    ck_assert_ptr_nonnull(world);
    uint64_t seed = (uint64_t)_i + 1;
    list_world_init(world, seed, keys);
    world->value_size_max = sizes[(size_t)_i % (sizeof(sizes) / sizeof(sizes[0]))];
    size_t large = 0;
    for (size_t i = 0; i < 6000; i++) {
        list_world_step(world, i / 1000 % 2 == 0);
        const struct object *list = world_list(world);
        large += list != NULL && object_is_outside(list) ? 1 : 0;
        if (i % 20 == 0 || world->count < 100) {
            check_world(world);
        }
    }
    /* Both forms were there, unless the values are long. */
    ck_assert_uint_gt(large, 100);
    ck_assert(large < 5900 || world->value_size_max > 40);
    model_remove(world, 0, world->count);
    keyspace_clear(keys);
    assert_nothing_is_left(store);
    free(world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("list");
    TCase *tests = tcase_create("list");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, small_lists);
    tcase_add_test(tests, a_small_list_is_one_allocation_of_little_more_than_its_values);
    tcase_add_test(tests, other_types);
    tcase_add_test(tests, large_lists_are_freed_whatever_takes_their_place);
    tcase_add_test(tests, copies_are_their_own);
    tcase_add_test(tests, a_queue_stays_as_small_as_it_is);
    tcase_add_test(tests, sparse_runs_are_joined);
    tcase_add_test(tests, long_values_have_blocks_of_their_own);
    tcase_add_test(tests, too_large_a_list_is_refused);
    tcase_add_test(tests, the_format_is_the_documented_one);
    tcase_add_test(tests, every_corrupted_byte_is_refused);
    tcase_add_test(tests, malformed_bodies_are_refused);
    tcase_add_loop_test(tests, random_operations_agree_with_the_model, 0, 12);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
