#include "base/codec.h"
#include "base/error.h"
#include "tests/unit/store/support.h"

#include <xxhash.h>

static struct store *store;
static struct keyspace *keys;
static struct buf dump;

static void setup(void)
{
    store = store_create();
    ck_assert_ptr_nonnull(store);
    keys = store_keyspace(store, 1);
    buf_init(&dump);
}

static void teardown(void)
{
    buf_deinit(&dump);
    store_destroy(store);
}

static int restore(struct bytes bytes, uint64_t expire_at_ms)
{
    struct bytes key = bytes_of("copy");
    return keyspace_restore(keys, key, key_hash(key), bytes, expire_at_ms);
}

static void seal(void)
{
    write_u64(&dump, XXH3_64bits(buf_head(&dump), buf_size(&dump)));
}

START_TEST(what_is_dumped_comes_back)
{
    static const size_t sizes[] = {0, 1, 10, 44, 255, 256, 65536, 100000};
    static char text[100000];
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct object *object = set_text(keys, "a", (struct bytes){text, sizes[i]}, 99);
        buf_reset(&dump, 0);
        object_dump(object, &dump);
        ck_assert(!dump.failed);
        ck_assert_uint_eq(buf_size(&dump), sizes[i] + 15);
        ck_assert_int_eq(restore(buf_bytes(&dump), i), 0);
        assert_holds(find_text(keys, "copy"), (struct bytes){text, sizes[i]});
        ck_assert_uint_eq(keyspace_expire_at_ms(keys, find_text(keys, "copy")), i);
    }
    static const char *const integers[] = {"0", "-1", "255", "9223372036854775807",
                                           "-9223372036854775808"};
    for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++) {
        buf_reset(&dump, 0);
        object_dump(set_text(keys, "a", bytes_of(integers[i]), 0), &dump);
        ck_assert_int_eq(restore(buf_bytes(&dump), 0), 0);
        assert_holds(find_text(keys, "copy"), bytes_of(integers[i]));
        ck_assert_str_eq(object_encoding_name(find_text(keys, "copy")), "int");
    }
}
END_TEST

START_TEST(a_dump_is_appended)
{
    buf_append_text(&dump, "before");
    object_dump(set_text(keys, "a", bytes_of("value"), 0), &dump);
    buf_consume(&dump, 6);
    ck_assert_int_eq(restore(buf_bytes(&dump), 0), 0);
    assert_holds(find_text(keys, "copy"), bytes_of("value"));
}
END_TEST

/* The bytes of docs/protocol.md, so that the format cannot change unnoticed. */
START_TEST(the_format_is_the_documented_one)
{
    static const uint8_t text[] = {1, 1, 0, 3, 0, 0, 0, 'a', 'b', 'c'};
    static const uint8_t integer[] = {1, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    object_dump(set_text(keys, "a", bytes_of("abc"), 0), &dump);
    ck_assert_uint_eq(buf_size(&dump), sizeof(text) + 8);
    ck_assert_mem_eq(buf_head(&dump), text, sizeof(text));
    buf_reset(&dump, 0);
    object_dump(set_text(keys, "a", bytes_of("-2"), 0), &dump);
    ck_assert_uint_eq(buf_size(&dump), sizeof(integer) + 8);
    ck_assert_mem_eq(buf_head(&dump), integer, sizeof(integer));
    struct reader reader;
    reader_init(&reader, (struct bytes){buf_tail(&dump) - 8, 8});
    ck_assert_uint_eq(read_u64(&reader), XXH3_64bits(integer, sizeof(integer)));
}
END_TEST

START_TEST(every_corrupted_byte_is_refused)
{
    static const char *const values[] = {"", "abc", "12345", "a value that is somewhat longer"};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        buf_reset(&dump, 0);
        object_dump(set_text(keys, "a", bytes_of(values[i]), 0), &dump);
        set_text(keys, "copy", bytes_of("untouched"), 7);
        size_t memory = keyspace_memory(keys);
        for (size_t at = 0; at < buf_size(&dump); at++) {
            for (unsigned flip = 1; flip < 256; flip++) {
                buf_head(&dump)[at] = (char)((unsigned char)buf_head(&dump)[at] ^ flip);
                require(restore(buf_bytes(&dump), 0) == TORC_ECORRUPT);
                buf_head(&dump)[at] = (char)((unsigned char)buf_head(&dump)[at] ^ flip);
            }
        }
        for (size_t size = 0; size < buf_size(&dump); size++) {
            ck_assert_int_eq(restore((struct bytes){buf_head(&dump), size}, 0), TORC_ECORRUPT);
        }
        buf_append(&dump, "", 1);
        ck_assert_int_eq(restore(buf_bytes(&dump), 0), TORC_ECORRUPT);
        assert_holds(find_text(keys, "copy"), bytes_of("untouched"));
        ck_assert_uint_eq(keyspace_expire_at_ms(keys, find_text(keys, "copy")), 7);
        ck_assert_uint_eq(keyspace_memory(keys), memory);
    }
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
        {{1}, 1, TORC_ECORRUPT},
        {{1, 1}, 2, TORC_ECORRUPT},
        {{1, 1, 0}, 3, TORC_ECORRUPT},
        {{1, 1, 0, 3, 0, 0, 0, 'a', 'b'}, 9, TORC_ECORRUPT},
        {{1, 1, 0, 1, 0, 0, 0, 'a', 'b'}, 9, TORC_ECORRUPT},
        {{1, 1, 0, 255, 255, 255, 255, 'a'}, 8, TORC_ECORRUPT},
        {{1, 1, 1, 0, 0, 0, 0, 0, 0, 0}, 10, TORC_ECORRUPT},
        {{1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 12, TORC_ECORRUPT},
        {{1, 1, 2, 0, 0, 0, 0}, 7, TORC_ECORRUPT},
        {{1, 0, 0, 0, 0, 0, 0}, 7, TORC_ECORRUPT},
        {{1, 2, 0, 0, 0, 0, 0}, 7, TORC_ECORRUPT},
        {{0, 1, 0, 0, 0, 0, 0}, 7, TORC_EVERSION},
        {{2, 1, 0, 0, 0, 0, 0}, 7, TORC_EVERSION},
        {{1, 1, 0, 0, 0, 0, 0}, 7, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buf_reset(&dump, 0);
        buf_append(&dump, cases[i].body, cases[i].size);
        seal();
        ck_assert_msg(restore(buf_bytes(&dump), 0) == cases[i].result, "case %zu", i);
        ck_assert_int_eq(find_text(keys, "copy") != NULL, cases[i].result == 0);
    }
    buf_reset(&dump, 0);
    seal(); /* an empty body */
    ck_assert_int_eq(restore(buf_bytes(&dump), 0), TORC_ECORRUPT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dump");
    TCase *tests = tcase_create("dump");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, what_is_dumped_comes_back);
    tcase_add_test(tests, a_dump_is_appended);
    tcase_add_test(tests, the_format_is_the_documented_one);
    tcase_add_test(tests, every_corrupted_byte_is_refused);
    tcase_add_test(tests, malformed_bodies_are_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
