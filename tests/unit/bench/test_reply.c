#include "base/error.h"
#include "bench/reply.h"

#include <check.h>
#include <string.h>

static void feed(struct reply_reader *reader, const char *text)
{
    ck_assert_int_eq(reply_reader_feed(reader, bytes_of(text)), TORC_OK);
}

static const struct reply *next(struct reply_reader *reader)
{
    const struct reply *reply = NULL;
    ck_assert_int_eq(reply_reader_next(reader, &reply), TORC_OK);
    return reply;
}

static void expect(struct reply_reader *reader, enum reply_kind kind, size_t size)
{
    const struct reply *reply = next(reader);
    ck_assert_ptr_nonnull(reply);
    ck_assert_int_eq(reply->kind, kind);
    ck_assert_uint_eq(reply->size, size);
}

static const char every_kind[] = "+OK\r\n$5\r\nhello\r\n$-1\r\n:42\r\n$0\r\n\r\n-ERR no\r\n"
                                 "*3\r\n$1\r\na\r\n$-1\r\n*1\r\n:1\r\n*-1\r\n*0\r\n+last\r\n";

static void expect_every_kind(struct reply_reader *reader)
{
    expect(reader, REPLY_VALUE, 2);
    expect(reader, REPLY_VALUE, 5);
    expect(reader, REPLY_NIL, 0);
    expect(reader, REPLY_VALUE, 0);
    expect(reader, REPLY_VALUE, 0);
    expect(reader, REPLY_ERROR, 0);
    ck_assert_str_eq(reader->reply.error, "ERR no");
    expect(reader, REPLY_VALUE, 0);
    expect(reader, REPLY_NIL, 0);
    expect(reader, REPLY_VALUE, 0);
    expect(reader, REPLY_VALUE, 4);
    ck_assert_ptr_null(next(reader));
}

START_TEST(every_kind_is_told)
{
    struct reply_reader reader;
    ck_assert_int_eq(reply_reader_init(&reader), TORC_OK);
    feed(&reader, every_kind);
    expect_every_kind(&reader);
    reply_reader_deinit(&reader);
}
END_TEST

START_TEST(split_anywhere_it_is_the_same)
{
    for (size_t split = 1; split < sizeof(every_kind) - 1; split++) {
        struct reply_reader whole;
        struct reply_reader halves;
        size_t seen = 0;
        size_t size = sizeof(every_kind) - 1;
        ck_assert_int_eq(reply_reader_init(&whole), TORC_OK);
        ck_assert_int_eq(reply_reader_init(&halves), TORC_OK);
        feed(&whole, every_kind);
        for (int half = 0; half < 2; half++) {
            struct bytes bytes = half == 0 ? (struct bytes){every_kind, split}
                                           : (struct bytes){every_kind + split, size - split};
            ck_assert_int_eq(reply_reader_feed(&halves, bytes), TORC_OK);
            for (const struct reply *reply = next(&halves); reply != NULL; reply = next(&halves)) {
                expect(&whole, reply->kind, reply->size);
                seen++;
            }
        }
        ck_assert_uint_eq(seen, 10);
        reply_reader_deinit(&whole);
        reply_reader_deinit(&halves);
    }
}
END_TEST

START_TEST(long_error_is_cut)
{
    struct reply_reader reader;
    char text[400];
    memset(text, 'e', sizeof(text));
    text[0] = '-';
    memcpy(text + sizeof(text) - 3, "\r\n", 3);
    ck_assert_int_eq(reply_reader_init(&reader), TORC_OK);
    feed(&reader, text);
    expect(&reader, REPLY_ERROR, 0);
    ck_assert_uint_eq(strlen(reader.reply.error), REPLY_ERROR_SIZE_MAX);
    reply_reader_deinit(&reader);
}
END_TEST

START_TEST(nested_error_is_no_error)
{
    struct reply_reader reader;
    ck_assert_int_eq(reply_reader_init(&reader), TORC_OK);
    feed(&reader, "*2\r\n-ERR inner\r\n$-1\r\n");
    expect(&reader, REPLY_VALUE, 0);
    reply_reader_deinit(&reader);
}
END_TEST

START_TEST(other_protocols_are_refused)
{
    struct reply_reader reader;
    const struct reply *reply = NULL;
    ck_assert_int_eq(reply_reader_init(&reader), TORC_OK);
    feed(&reader, "HTTP/1.1 200 OK\r\n");
    ck_assert_int_eq(reply_reader_next(&reader, &reply), TORC_EPROTOCOL);
    ck_assert_int_eq(reply_reader_reset(&reader), TORC_OK);
    feed(&reader, "+fine\r\n");
    expect(&reader, REPLY_VALUE, 4);
    reply_reader_deinit(&reader);
}
END_TEST

START_TEST(reset_forgets_half_a_reply)
{
    struct reply_reader reader;
    ck_assert_int_eq(reply_reader_init(&reader), TORC_OK);
    feed(&reader, "*2\r\n$5\r\nhe");
    ck_assert_ptr_null(next(&reader));
    ck_assert_int_eq(reply_reader_reset(&reader), TORC_OK);
    feed(&reader, "$-1\r\n");
    expect(&reader, REPLY_NIL, 0);
    reply_reader_deinit(&reader);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reply");
    TCase *tcase = tcase_create("reply");
    tcase_add_test(tcase, every_kind_is_told);
    tcase_add_test(tcase, split_anywhere_it_is_the_same);
    tcase_add_test(tcase, long_error_is_cut);
    tcase_add_test(tcase, nested_error_is_no_error);
    tcase_add_test(tcase, other_protocols_are_refused);
    tcase_add_test(tcase, reset_forgets_half_a_reply);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
