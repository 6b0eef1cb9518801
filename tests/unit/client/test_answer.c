#include "client/answer.h"
#include "tests/unit/client/support/made.h"
#include "torc/torc.h"

#include <check.h>

static struct answer answer_to(const char *text)
{
    struct answer answer;
    redisReply *reply = made_reply(text);
    answer_read(&answer, reply, "sender");
    torc_reply_free(reply);
    return answer;
}

START_TEST(most_replies_are_final)
{
    const char *const texts[] = {"+OK\r\n",
                                 "$-1\r\n",
                                 ":1\r\n",
                                 "$10\r\nMOVED 1 a:\r\n",
                                 "-ERR no\r\n",
                                 "-WRONGTYPE x\r\n",
                                 "-MOVEDX 1 a:1\r\n",
                                 "-CROSSSLOT x\r\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ck_assert_int_eq(answer_to(texts[i]).kind, ANSWER_FINAL);
    }
}
END_TEST

START_TEST(moved)
{
    struct answer answer = answer_to("-MOVED 16383 n7:8001\r\n");
    ck_assert_int_eq(answer.kind, ANSWER_MOVED);
    ck_assert_uint_eq(answer.slot, 16383);
    ck_assert_str_eq(answer.owner.host, "n7");
    ck_assert_uint_eq(answer.owner.port, 8001);
}
END_TEST

START_TEST(moved_to_the_same_host_and_to_ipv6)
{
    ck_assert_str_eq(answer_to("-MOVED 0 :8001\r\n").owner.host, "sender");
    struct answer answer = answer_to("-MOVED 0 ::1:8001\r\n");
    ck_assert_str_eq(answer.owner.host, "::1");
    ck_assert_uint_eq(answer.owner.port, 8001);
}
END_TEST

START_TEST(ask)
{
    struct answer answer = answer_to("-ASK 7 n7:8001\r\n");
    ck_assert_int_eq(answer.kind, ANSWER_ASK);
    ck_assert_uint_eq(answer.slot, 7);
    ck_assert_str_eq(answer.owner.host, "n7");
    ck_assert_int_eq(answer_to("-ASK 7\r\n").kind, ANSWER_FINAL);
}
END_TEST

START_TEST(malformed_moved_is_final)
{
    const char *const texts[] = {
        "-MOVED \r\n",    "-MOVED 1\r\n",     "-MOVED 16384 a:1\r\n",    "-MOVED x a:1\r\n",
        "-MOVED 1 a\r\n", "-MOVED 1 a:0\r\n", "-MOVED 99999999 a:1\r\n", "-MOVED  a:1\r\n",
        "-MOVED\r\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ck_assert_msg(answer_to(texts[i]).kind == ANSWER_FINAL, "took %s", texts[i]);
    }
}
END_TEST

START_TEST(what_can_be_tried_again)
{
    ck_assert_int_eq(answer_to("-TRYAGAIN a replica is behind\r\n").kind, ANSWER_LATER);
    ck_assert_int_eq(answer_to("-CLUSTERDOWN slot 1 has no owner that is up\r\n").kind,
                     ANSWER_LATER);
}
END_TEST

START_TEST(what_may_have_been_executed)
{
    ck_assert_int_eq(
        answer_to("-UNCERTAIN no acknowledgement in time; a write may or may not be kept\r\n").kind,
        ANSWER_UNKNOWN);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("answer");
    tcase_add_test(tests, most_replies_are_final);
    tcase_add_test(tests, moved);
    tcase_add_test(tests, moved_to_the_same_host_and_to_ipv6);
    tcase_add_test(tests, ask);
    tcase_add_test(tests, malformed_moved_is_final);
    tcase_add_test(tests, what_can_be_tried_again);
    tcase_add_test(tests, what_may_have_been_executed);
    Suite *suite = suite_create("client/answer");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
