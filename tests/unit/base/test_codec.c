#include "base/codec.h"
#include "base/error.h"

#include <check.h>
#include <stdlib.h>

START_TEST(bytes_on_the_wire)
{
    struct buf buf = {0};
    write_u8(&buf, 0x01);
    write_u16(&buf, 0x0203);
    write_u32(&buf, 0x04050607);
    write_u64(&buf, 0x08090a0b0c0d0e0f);
    write_bytes16(&buf, BYTES_LITERAL("ab"));
    write_bytes32(&buf, BYTES_LITERAL("c"));
    write_bytes16(&buf, (struct bytes){NULL, 0});
    static const char expected[] = "\x01\x03\x02\x07\x06\x05\x04\x0f\x0e\x0d\x0c\x0b\x0a\x09\x08"
                                   "\x02\x00"
                                   "ab\x01\x00\x00\x00"
                                   "c\x00";
    ck_assert(bytes_equal(buf_bytes(&buf), (struct bytes){expected, sizeof(expected)}));
    buf_deinit(&buf);
}
END_TEST

START_TEST(there_and_back)
{
    struct buf buf = {0};
    write_u8(&buf, UINT8_MAX);
    write_u16(&buf, UINT16_MAX);
    write_u32(&buf, UINT32_MAX);
    write_u64(&buf, UINT64_MAX);
    write_u64(&buf, 0x8000000000000001);
    write_bytes16(&buf, BYTES_LITERAL("\0binary\0"));
    write_bytes32(&buf, BYTES_LITERAL("long"));
    write_bytes16(&buf, BYTES_LITERAL("text"));
    buf_append(&buf, "raw", 3);
    struct reader reader;
    reader_init(&reader, buf_bytes(&buf));
    ck_assert_uint_eq(reader_left(&reader), buf_size(&buf));
    ck_assert_uint_eq(read_u8(&reader), UINT8_MAX);
    ck_assert_uint_eq(read_u16(&reader), UINT16_MAX);
    ck_assert_uint_eq(read_u32(&reader), UINT32_MAX);
    ck_assert(read_u64(&reader) == UINT64_MAX);
    ck_assert(read_u64(&reader) == 0x8000000000000001);
    ck_assert(bytes_equal(read_bytes16(&reader, 8), BYTES_LITERAL("\0binary\0")));
    ck_assert(bytes_equal(read_bytes32(&reader, 100), BYTES_LITERAL("long")));
    char text[5] = "xxxx";
    read_text16(&reader, text, 4);
    ck_assert_str_eq(text, "text");
    ck_assert_int_eq(reader_finish(&reader), TORC_ECORRUPT);
    char raw[3];
    read_raw(&reader, raw, sizeof(raw));
    ck_assert_mem_eq(raw, "raw", 3);
    ck_assert_uint_eq(reader_left(&reader), 0);
    ck_assert_int_eq(reader_finish(&reader), TORC_OK);
    buf_deinit(&buf);
}
END_TEST

START_TEST(empty_input)
{
    struct reader reader;
    reader_init(&reader, (struct bytes){NULL, 0});
    ck_assert_uint_eq(reader_left(&reader), 0);
    ck_assert_int_eq(reader_finish(&reader), TORC_OK);
    ck_assert_uint_eq(read_u8(&reader), 0);
    ck_assert(reader.failed);
    ck_assert_int_eq(reader_finish(&reader), TORC_ECORRUPT);
}
END_TEST

/* One reader of everything; the message cut at every place must fail and read zeros from there. */
static void read_all(struct reader *reader, char text[5], char raw[2])
{
    uint64_t sum = read_u8(reader);
    sum += read_u16(reader);
    sum += read_u32(reader);
    sum += read_u64(reader);
    sum += read_bytes16(reader, 2).size;
    sum += read_bytes32(reader, 3).size;
    read_text16(reader, text, 4);
    read_raw(reader, raw, 2);
    ck_assert_uint_le(sum, 1 + 2 + 3 + 4 + 2 + 3);
}

START_TEST(truncated_anywhere)
{
    struct buf buf = {0};
    write_u8(&buf, 1);
    write_u16(&buf, 2);
    write_u32(&buf, 3);
    write_u64(&buf, 4);
    write_bytes16(&buf, BYTES_LITERAL("ab"));
    write_bytes32(&buf, BYTES_LITERAL("cde"));
    write_bytes16(&buf, BYTES_LITERAL("text"));
    buf_append(&buf, "rw", 2);
    for (size_t size = 0; size <= buf_size(&buf); size++) {
        /* An exact allocation, so that the sanitizer sees a read past the end. */
        char *cut = malloc(size == 0 ? 1 : size);
        memcpy(cut, buf_head(&buf), size);
        struct reader reader;
        reader_init(&reader, (struct bytes){cut, size});
        char text[5] = "yyyy";
        char raw[2] = "zz";
        read_all(&reader, text, raw);
        bool whole = size == buf_size(&buf);
        ck_assert_int_eq(reader_finish(&reader), whole ? TORC_OK : TORC_ECORRUPT);
        ck_assert_mem_eq(raw, whole ? "rw" : "\0\0", 2);
        ck_assert_str_eq(text, size >= buf_size(&buf) - 2 ? "text" : "");
        free(cut);
    }
    buf_deinit(&buf);
}
END_TEST

START_TEST(limits_of_sized_bytes)
{
    struct buf buf = {0};
    write_bytes16(&buf, BYTES_LITERAL("four"));
    write_u8(&buf, 9);
    struct reader reader;
    reader_init(&reader, buf_bytes(&buf));
    struct bytes none = read_bytes16(&reader, 3);
    ck_assert_uint_eq(none.size, 0);
    ck_assert(reader.failed);
    /* Nothing is read behind a failure, even though it is there. */
    ck_assert_uint_eq(reader_left(&reader), 0);
    ck_assert_uint_eq(read_u8(&reader), 0);
    reader_init(&reader, buf_bytes(&buf));
    ck_assert_uint_eq(read_bytes16(&reader, 4).size, 4);
    ck_assert_uint_eq(read_u8(&reader), 9);
    ck_assert_int_eq(reader_finish(&reader), TORC_OK);
    buf_reset(&buf, 0);
    write_u32(&buf, UINT32_MAX);
    reader_init(&reader, buf_bytes(&buf));
    ck_assert_uint_eq(read_bytes32(&reader, SIZE_MAX).size, 0);
    ck_assert_int_eq(reader_finish(&reader), TORC_ECORRUPT);
    buf_deinit(&buf);
}
END_TEST

START_TEST(text_holds_no_zero_bytes)
{
    struct buf buf = {0};
    write_bytes16(&buf, BYTES_LITERAL("a\0b"));
    struct reader reader;
    reader_init(&reader, buf_bytes(&buf));
    char text[8] = "unread";
    read_text16(&reader, text, 7);
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(reader_finish(&reader), TORC_ECORRUPT);
    buf_reset(&buf, 0);
    write_bytes16(&buf, BYTES_LITERAL(""));
    reader_init(&reader, buf_bytes(&buf));
    memcpy(text, "unread", 7);
    read_text16(&reader, text, 7);
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(reader_finish(&reader), TORC_OK);
    buf_deinit(&buf);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("codec");
    TCase *tcase = tcase_create("codec");
    tcase_add_test(tcase, bytes_on_the_wire);
    tcase_add_test(tcase, there_and_back);
    tcase_add_test(tcase, empty_input);
    tcase_add_test(tcase, truncated_anywhere);
    tcase_add_test(tcase, limits_of_sized_bytes);
    tcase_add_test(tcase, text_holds_no_zero_bytes);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
