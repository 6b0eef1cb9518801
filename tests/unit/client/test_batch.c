#include "base/error.h"
#include "client/batch.h"
#include "client/limits.h"
#include "tests/unit/client/support/made.h"

#include <check.h>
#include <stdlib.h>

static struct batch batch;

static struct call *add(uint16_t slot, bool readonly, enum call_state state)
{
    const struct bytes argv[] = {BYTES_LITERAL("ANY"), BYTES_LITERAL("k")};
    ck_assert_int_eq(batch_add(&batch, argv, 2), TORC_OK);
    struct call *call = &batch.calls[batch.count - 1];
    call->route = (struct request_route){.slot = slot, .readonly = readonly};
    call->state = state;
    return call;
}

static size_t judge(void)
{
    bool only_moved;
    return batch_judge(&batch, &only_moved);
}

START_TEST(keeps_requests_apart)
{
    const struct bytes get[] = {BYTES_LITERAL("GET"), BYTES_LITERAL("a")};
    const struct bytes ping = BYTES_LITERAL("pinG");
    ck_assert_int_eq(batch_add(&batch, get, 2), TORC_OK);
    ck_assert_int_eq(batch_add(&batch, &ping, 1), TORC_OK);
    ck_assert(
        bytes_equal(batch_request(&batch, 0), BYTES_LITERAL("*2\r\n$3\r\nGET\r\n$1\r\na\r\n")));
    ck_assert(bytes_equal(batch_request(&batch, 1), BYTES_LITERAL("*1\r\n$4\r\npinG\r\n")));
    ck_assert(bytes_equal(batch_name(&batch, 0), get[0]));
    ck_assert(bytes_equal(batch_name(&batch, 1), ping));
    batch_reset(&batch);
    ck_assert_uint_eq(batch.count, 0);
    batch_deinit(&batch);
}
END_TEST

START_TEST(refuses_and_stays_as_it_was)
{
    const struct bytes watch = BYTES_LITERAL("WATCH");
    const struct bytes large[] = {BYTES_LITERAL("GET"), {"", REQUEST_BULK_SIZE_MAX + 1u}};
    ck_assert_int_eq(batch_add(&batch, &watch, 1), TORC_EINVAL);
    ck_assert_int_eq(batch_add(&batch, large, 0), TORC_EINVAL);
    ck_assert_int_eq(batch_add(&batch, large, 2), TORC_ETOOBIG);
    ck_assert_uint_eq(batch.count, 0);
    ck_assert_uint_eq(buf_size(&batch.encoded), 0);
    batch_deinit(&batch);
}
END_TEST

START_TEST(has_a_limit_of_commands)
{
    const struct bytes ping = BYTES_LITERAL("PING");
    for (size_t i = 0; i < PIPELINE_COMMANDS_MAX; i++) {
        ck_assert_int_eq(batch_add(&batch, &ping, 1), TORC_OK);
    }
    size_t size = buf_size(&batch.encoded);
    ck_assert_int_eq(batch_add(&batch, &ping, 1), TORC_ETOOBIG);
    ck_assert_uint_eq(buf_size(&batch.encoded), size);
    ck_assert_uint_eq(batch.count, PIPELINE_COMMANDS_MAX);
    batch_reset(&batch);
    ck_assert_int_eq(batch_add(&batch, &ping, 1), TORC_OK);
    batch_deinit(&batch);
}
END_TEST

START_TEST(has_a_limit_of_bytes)
{
#ifdef TORC_TINY_LIMITS /* else it takes a gigabyte to get there */
    static char block[REQUEST_BULK_SIZE_MAX / 2];
    const struct bytes argv[] = {BYTES_LITERAL("SET"), {block, sizeof(block)}};
    size_t added = 0;
    while (added < 64 && batch_add(&batch, argv, 2) == TORC_OK) {
        added++;
    }
    ck_assert_uint_gt(added, 1);
    ck_assert_uint_lt(added, 64);
    ck_assert_int_eq(batch_add(&batch, argv, 2), TORC_ETOOBIG);
    ck_assert_uint_le(buf_size(&batch.encoded), PIPELINE_SIZE_MAX);
    ck_assert_int_eq(batch_add(&batch, argv, 1), TORC_OK);
    batch_deinit(&batch);
#else
    ck_assert_uint_ge(PIPELINE_SIZE_MAX, REQUEST_BULK_SIZE_MAX);
#endif
}
END_TEST

START_TEST(a_write_is_not_retried_behind_a_later_one)
{
    add(7, false, CALL_AGAIN);
    add(7, true, CALL_DONE);
    ck_assert_uint_eq(judge(), 0);
    ck_assert_int_eq(batch.calls[0].state, CALL_DONE);
    ck_assert_int_eq(batch.calls[0].error, TORC_EAGAIN);
    ck_assert_uint_eq(batch_first_error(&batch), 0);
    batch_deinit(&batch);
}
END_TEST

START_TEST(a_read_is_not_retried_behind_a_later_write)
{
    add(7, true, CALL_AGAIN);
    add(7, false, CALL_DONE);
    ck_assert_uint_eq(judge(), 0);
    ck_assert_int_eq(batch.calls[0].error, TORC_EAGAIN);
    batch_deinit(&batch);
}
END_TEST

START_TEST(what_cannot_be_seen_is_retried)
{
    add(7, true, CALL_AGAIN); /* behind it only a read */
    add(7, true, CALL_DONE);
    add(8, false, CALL_DONE);
    add(8, false, CALL_AGAIN); /* in order */
    add(9, false, CALL_AGAIN); /* both of them again */
    add(9, false, CALL_AGAIN);
    add(REQUEST_NO_SLOT, false, CALL_AGAIN);
    add(REQUEST_NO_SLOT, false, CALL_DONE);
    ck_assert_uint_eq(judge(), 5);
    ck_assert_uint_eq(batch_first_error(&(struct batch){0}), 0);
    batch_renew(&batch);
    ck_assert_int_eq(batch.calls[0].state, CALL_WAITING);
    ck_assert_int_eq(batch.calls[1].state, CALL_DONE);
    ck_assert_int_eq(batch.calls[6].state, CALL_WAITING);
    batch_deinit(&batch);
}
END_TEST

START_TEST(earlier_rounds_do_not_count)
{
    add(7, false, CALL_AGAIN);
    add(7, false, CALL_AGAIN);
    ck_assert_uint_eq(judge(), 2);
    batch_renew(&batch);
    batch.calls[0].state = CALL_DONE;
    batch.calls[1].state = CALL_AGAIN;
    ck_assert_uint_eq(judge(), 1);
    batch_deinit(&batch);
}
END_TEST

START_TEST(tells_whether_all_were_redirected)
{
    bool only_moved;
    add(7, false, CALL_AGAIN)->redirected = true;
    ck_assert_uint_eq(batch_judge(&batch, &only_moved), 1);
    ck_assert(only_moved);
    add(8, false, CALL_AGAIN);
    ck_assert_uint_eq(batch_judge(&batch, &only_moved), 2);
    ck_assert(!only_moved);
    batch_deinit(&batch);
}
END_TEST

START_TEST(giving_up_leaves_the_last_answer)
{
    add(7, false, CALL_AGAIN)->reply = made_reply("-TRYAGAIN x\r\n");
    add(8, false, CALL_AGAIN)->error = TORC_ECONNECT;
    batch_give_up(&batch);
    ck_assert_int_eq(batch.calls[0].state, CALL_DONE);
    ck_assert_str_eq(batch.calls[0].reply->str, "TRYAGAIN x");
    ck_assert_uint_eq(batch_first_error(&batch), 1);
    batch_deinit(&batch);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("batch");
    tcase_add_test(tests, keeps_requests_apart);
    tcase_add_test(tests, refuses_and_stays_as_it_was);
    tcase_add_test(tests, has_a_limit_of_commands);
    tcase_add_test(tests, has_a_limit_of_bytes);
    tcase_add_test(tests, a_write_is_not_retried_behind_a_later_one);
    tcase_add_test(tests, a_read_is_not_retried_behind_a_later_write);
    tcase_add_test(tests, what_cannot_be_seen_is_retried);
    tcase_add_test(tests, earlier_rounds_do_not_count);
    tcase_add_test(tests, tells_whether_all_were_redirected);
    tcase_add_test(tests, giving_up_leaves_the_last_answer);
    Suite *suite = suite_create("client/batch");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
