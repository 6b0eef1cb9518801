#include "client/hiredis_has.h"
#include "client/limits.h"
#include "client/reply.h"
#include "tests/unit/client/support/made.h"
#include "torc/torc.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

START_TEST(every_type)
{
    redisReader *reader = reply_reader_create();
    const char text[] = "*7\r\n+OK\r\n-ERR x\r\n:-7\r\n$3\r\na\0b\r\n$-1\r\n*0\r\n$0\r\n\r\n";
    void *parsed = NULL;
    ck_assert_int_eq(redisReaderFeed(reader, text, sizeof(text) - 1), REDIS_OK);
    ck_assert_int_eq(redisReaderGetReply(reader, &parsed), REDIS_OK);
    redisReply *reply = parsed;
    ck_assert_ptr_nonnull(reply);
    ck_assert_int_eq(reply->type, REDIS_REPLY_ARRAY);
    ck_assert_uint_eq(reply->elements, 7);
    ck_assert_int_eq(reply->element[0]->type, REDIS_REPLY_STATUS);
    ck_assert_str_eq(reply->element[0]->str, "OK");
    ck_assert_int_eq(reply->element[1]->type, REDIS_REPLY_ERROR);
    ck_assert_int_eq(reply->element[2]->type, REDIS_REPLY_INTEGER);
    ck_assert_int_eq(reply->element[2]->integer, -7);
    ck_assert_int_eq(reply->element[3]->type, REDIS_REPLY_STRING);
    ck_assert(bytes_equal(reply_bytes(reply->element[3]), BYTES_LITERAL("a\0b")));
    ck_assert_int_eq(reply->element[4]->type, REDIS_REPLY_NIL);
    ck_assert_uint_eq(reply_bytes(reply->element[4]).size, 0);
    ck_assert_int_eq(reply->element[5]->type, REDIS_REPLY_ARRAY);
    ck_assert_uint_eq(reply->element[5]->elements, 0);
    ck_assert_str_eq(reply->element[6]->str, "");
    torc_reply_free(reply);
    redisReaderFree(reader);
}
END_TEST

START_TEST(nested_and_long)
{
    char text[64 * 1024];
    size_t size = (size_t)sprintf(text, "*2\r\n*1000\r\n");
    for (int i = 0; i < 1000; i++) {
        size += (size_t)sprintf(text + size, "*2\r\n:%d\r\n$1\r\n%d\r\n", i, i % 10);
    }
    (void)sprintf(text + size, "+end\r\n");
    redisReply *reply = made_reply(text);
    ck_assert_uint_eq(reply->elements, 2);
    ck_assert_uint_eq(reply->element[0]->elements, 1000);
    for (int i = 0; i < 1000; i++) {
        const redisReply *pair = reply->element[0]->element[i];
        ck_assert_uint_eq(pair->elements, 2);
        ck_assert_int_eq(pair->element[0]->integer, i);
        ck_assert_int_eq(pair->element[1]->str[0], '0' + i % 10);
    }
    ck_assert_str_eq(reply->element[1]->str, "end");
    torc_reply_free(reply);
}
END_TEST

START_TEST(an_announced_array_costs_nothing)
{
    /* Two thousand million members announced: hiredis's own functions would ask for 16 GiB. */
    const char text[] = "*2000000000\r\n:1\r\n";
    void *parsed = NULL;
    redisReader *reader = reply_reader_create();
    ck_assert_int_eq(redisReaderFeed(reader, text, sizeof(text) - 1), REDIS_OK);
    ck_assert_int_eq(redisReaderGetReply(reader, &parsed), REDIS_OK);
    ck_assert_ptr_null(parsed);
    ck_assert_uint_eq(((redisReply *)reader->reply)->elements, 1);
    redisReaderFree(reader);
}
END_TEST

START_TEST(endless_nesting_is_an_error)
{
    void *parsed = NULL;
    redisReader *reader = reply_reader_create();
    int result = REDIS_OK;
    for (int depth = 1; result == REDIS_OK && depth <= REPLY_DEPTH_MAX + 1; depth++) {
        ck_assert_int_eq(redisReaderFeed(reader, "*1\r\n", 4), REDIS_OK);
        result = redisReaderGetReply(reader, &parsed);
        ck_assert_ptr_null(parsed);
    }
    ck_assert_int_eq(result, REDIS_ERR);
    redisReaderFree(reader);
}
END_TEST

#if HIREDIS_HAS_RESP3
START_TEST(every_type_of_resp3)
{
    redisReply *reply = made_reply("*9\r\n%1\r\n+k\r\n:1\r\n~2\r\n:1\r\n:2\r\n,-1.50\r\n#t\r\n_\r\n"
                                   "(12345678901234567890\r\n=6\r\ntxt:ab\r\n,inf\r\n"
                                   ">2\r\n$10\r\ninvalidate\r\n_\r\n");
    ck_assert_uint_eq(reply->elements, 9);
    redisReply **element = reply->element;
    ck_assert_int_eq(element[0]->type, REDIS_REPLY_MAP);
    ck_assert_uint_eq(element[0]->elements, 2);
    ck_assert_str_eq(element[0]->element[0]->str, "k");
    ck_assert_int_eq(element[1]->type, REDIS_REPLY_SET);
    ck_assert_int_eq(element[1]->element[1]->integer, 2);
    ck_assert_int_eq(element[2]->type, REDIS_REPLY_DOUBLE);
    ck_assert(element[2]->dval == -1.5);
    ck_assert_str_eq(element[2]->str, "-1.50");
    ck_assert_int_eq(element[3]->type, REDIS_REPLY_BOOL);
    ck_assert_int_eq(element[3]->integer, 1);
    ck_assert_int_eq(element[4]->type, REDIS_REPLY_NIL);
    ck_assert_int_eq(element[5]->type, REDIS_REPLY_BIGNUM);
    ck_assert_str_eq(element[5]->str, "12345678901234567890");
    ck_assert_int_eq(element[6]->type, REDIS_REPLY_VERB);
    ck_assert_str_eq(element[6]->str, "ab");
    ck_assert_str_eq(element[6]->vtype, "txt");
    ck_assert_str_eq(element[7]->str, "inf");
    ck_assert_int_eq(element[8]->type, REDIS_REPLY_PUSH);
    ck_assert_str_eq(element[8]->element[0]->str, "invalidate");
    ck_assert_int_eq(element[8]->element[1]->type, REDIS_REPLY_NIL);
    torc_reply_free(reply);
}
END_TEST
#endif

START_TEST(garbage_is_an_error)
{
    const char *const texts[] = {"HTTP/1.1 200 OK\r\n", "*x\r\n", "$x\r\n", "*1\r\n?\r\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        void *parsed = NULL;
        redisReader *reader = reply_reader_create();
        ck_assert_int_eq(redisReaderFeed(reader, texts[i], strlen(texts[i])), REDIS_OK);
        ck_assert_msg(redisReaderGetReply(reader, &parsed) == REDIS_ERR, "took %s", texts[i]);
        redisReaderFree(reader);
    }
}
END_TEST

START_TEST(null_may_be_freed)
{
    torc_reply_free(NULL);
    struct torc_value value = {NULL, 0};
    torc_value_free(&value);
    torc_value_free(NULL);
    ck_assert_ptr_null(value.data);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("reply");
    tcase_add_test(tests, every_type);
    tcase_add_test(tests, nested_and_long);
    tcase_add_test(tests, an_announced_array_costs_nothing);
    tcase_add_test(tests, endless_nesting_is_an_error);
#if HIREDIS_HAS_RESP3
    tcase_add_test(tests, every_type_of_resp3);
#endif
    tcase_add_test(tests, garbage_is_an_error);
    tcase_add_test(tests, null_may_be_freed);
    Suite *suite = suite_create("client/reply");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
