/* Attaching members at a node that is put together in memory: how much is sent at once, and when it
 * rests: for clients, for streams that are full, for --migration-rate. Where that depends on the
 * time, the times in `struct refills` are set far ahead or to 0. */
#include "base/error.h"
#include "node/clock.h"
#include "node/refills.h"
#include "support/refill_fixture.h"

#include <check.h>

/* ---- clients come first ---- */

START_TEST(while_clients_ask_a_round_is_short_and_then_it_rests)
{
    begin(2, NODE_UP, NODE_SYNCING);
    fill_first(30, 2);
    uint64_t sent = step_asked();
    ck_assert_uint_ge(sent, ROUND_BYTES_ASKED);
    ck_assert_uint_le(sent, ROUND_BYTES_ASKED + FILLED_BYTES);
    ck_assert(!refills->again);
    fake_acknowledge(fake_stream(fake, 2));
    look(false); /* or members would be told that they are waited for */
    refills->rest_until_us = FAR_US;
    ck_assert_uint_eq(step_asked(), 0);
    ck_assert(!refills->again);
    stat_add(&worker->stats.commands_from_peers, 1);
    refills->asked_until_us = 0;
    ck_assert_uint_eq(step(), 0); /* they ask as well */
    refills->rest_until_us = 0;
    sent = step_asked();
    ck_assert_uint_ge(sent, ROUND_BYTES_ASKED);
    ck_assert_uint_le(sent, ROUND_BYTES_ASKED + FILLED_BYTES);
}
END_TEST

START_TEST(a_refill_that_has_begun_does_not_rest)
{
    begin(2, NODE_UP, NODE_SYNCING);
    uint16_t slot = next_lacking(0, 2);
    fill(slot, 120);
    ck_assert_uint_ge(step_asked(), ROUND_BYTES_ASKED);
    ck_assert(is_in(&refills->urgent, slot));
    ck_assert(refills->again);
    unsigned steps = 0;
    while (is_in(&refills->urgent, slot)) {
        refills->rest_until_us = FAR_US;
        ck_assert_uint_ge(step_asked(), 1);
        ck_assert_uint_lt(++steps, 120 * KEY_BYTES / ROUND_BYTES_ASKED);
    }
    ck_assert_int_eq(find_member(slot, 2)->stage, MEMBER_FOLLOWING);
    refills->rest_until_us = FAR_US;
    ck_assert_uint_eq(step_asked(), 0); /* the others do */
    ck_assert_uint_eq(told(2, ANY_SLOT).begins, 1);
}
END_TEST

START_TEST(while_clients_ask_little_is_put_into_a_stream)
{
    begin(2, NODE_UP, NODE_SYNCING);
    fill_first(30, 2);
    struct replica_stream *stream = fake_stream(fake, 2);
    uint64_t sent;
    do {
        refills->rest_until_us = 0;
        sent = step_asked();
        refills->sent_us = FAR_US;
    } while (sent > 0);
    ck_assert_uint_ge(atomic_load(&stream->backlog_size), BACKLOG_ASKED);
    ck_assert_uint_le(atomic_load(&stream->backlog_size), BACKLOG_ASKED + FILLED_BYTES);
    ck_assert_uint_eq(refills_backlog_max(worker), BACKLOG_MAX); /* of clients' writes */
    refills->rest_until_us = 0;
    refills->sent_us = 0; /* for long: it is clients' own writes that fill the stream */
    worker->acks_arrived = true;
    ck_assert_uint_ge(step_asked(), ROUND_BYTES_ASKED);
}
END_TEST

/* A scan that takes so long, once. */
static uint64_t scan_us;
static uint64_t (*scan)(void *context, uint16_t slot, uint64_t cursor, size_t budget,
                        copy_key_visitor *visit, void *visitor_context);

static uint64_t scan_slowly(void *context, uint16_t slot, uint64_t cursor, size_t budget,
                            copy_key_visitor *visit, void *visitor_context)
{
    uint64_t until_us = clock_monotonic_us() + scan_us;
    while (clock_monotonic_us() < until_us) {
    }
    scan_us = 0;
    return scan(context, slot, cursor, budget, visit, visitor_context);
}

START_TEST(it_rests_for_as_long_as_the_round_took_and_not_for_ever)
{
    begin(2, NODE_UP, NODE_SYNCING);
    fill_first(30, 2);
    scan = worker->rim.copies.data_scan;
    worker->rim.copies.data_scan = scan_slowly;
    scan_us = 1000;
    uint64_t before_us = clock_monotonic_us();
    ck_assert_uint_gt(step_asked(), 0);
    ck_assert_uint_ge(refills->sent_us, before_us + 1000);
    uint64_t rest_us = refills->rest_until_us - refills->sent_us;
    ck_assert_uint_ge(rest_us, REST_FACTOR * UINT64_C(1000));
    ck_assert_uint_le(rest_us, REST_FACTOR * (refills->sent_us - before_us));
    ck_assert_uint_le(rest_us, REST_US_MAX);
    scan_us = REST_US_MAX / REST_FACTOR + 100;
    refills->rest_until_us = 0;
    ck_assert_uint_gt(step_asked(), 0);
    ck_assert_uint_eq(refills->rest_until_us, refills->sent_us + REST_US_MAX);
}
END_TEST

START_TEST(without_clients_it_does_not_rest)
{
    begin(2, NODE_UP, NODE_SYNCING);
    fill_first(200, 2);
    fill(next_lacking(0, 2), 120); /* what is left of this one leaves less for others */
    uint64_t most = ROUND_BYTES + SLICE_BYTES;
    for (unsigned i = 0; i < 3; i++) {
        refills->rest_until_us = FAR_US;
        uint64_t sent = step();
        ck_assert_uint_ge(sent, ROUND_BYTES);
        ck_assert_uint_le(sent, most);
        ck_assert(refills->again);
        most = ROUND_BYTES + FILLED_BYTES;
    }
    struct replica_stream *stream = fake_stream(fake, 2);
    refills->rest_until_us = FAR_US;
    run(); /* until the stream is full */
    ck_assert_uint_ge(atomic_load(&stream->backlog_size), BACKLOG_MAX);
    ck_assert_uint_le(atomic_load(&stream->backlog_size), BACKLOG_MAX + FILLED_BYTES);
    ck_assert_uint_gt(count_below(2, MEMBER_REFILLING), 0);
    while (count_below(2, MEMBER_REFILLING) > 0) {
        fake_acknowledge(stream);
        worker->acks_arrived = true;
        refills->rest_until_us = FAR_US;
        ck_assert_uint_gt(step(), 0);
    }
    ck_assert_uint_eq(stat_read(&worker->stats.refill_keys), 199 * KEYS + 120);
}
END_TEST

/* ---- streams that are full ---- */

static unsigned times_asked; /* whether the second node's stream has room */
static bool (*has_room)(void *context, struct replica_stream *stream);

static bool ask_for_room(void *context, struct replica_stream *stream)
{
    times_asked += stream == fake_stream(fake, 1);
    return has_room(context, stream);
}

START_TEST(slots_of_a_peer_without_room_do_not_hold_up_others)
{
    begin(2, NODE_SYNCING, NODE_SYNCING);
    size_t second = count_below(1, MEMBER_ATTACHED);
    size_t third = count_below(2, MEMBER_ATTACHED);
    ck_assert_uint_gt(second, 2 * ROUND_IDLE_MAX);
    fill_first(20, 1);
    fill_first(20, 2);
    has_room = worker->rim.copies.stream_has_room;
    worker->rim.copies.stream_has_room = ask_for_room;
    set_backlog(1, BACKLOG_MAX);
    unsigned steps = run();
    ck_assert_uint_eq(told(2, ANY_SLOT).ends, third);
    ck_assert_uint_eq(told(1, ANY_SLOT).begins, 0);
    ck_assert_uint_eq(count_below(1, MEMBER_REFILLING), second);
    ck_assert_uint_le(times_asked, steps); /* and not for each slot */
    ck_assert_uint_gt(times_asked, 0);

    set_backlog(1, 0);
    look(false);
    ck_assert_uint_eq(step(), 0); /* nothing tells that there is room */
    worker->acks_arrived = true;
    run();
    ck_assert_uint_eq(told(1, ANY_SLOT).ends, second);
    ck_assert_uint_eq(count_below(1, MEMBER_FOLLOWING), 0);
}
END_TEST

START_TEST(a_round_in_which_nothing_can_be_sent_is_short)
{
    begin(3, NODE_SYNCING, NODE_SYNCING); /* each slot lacks both */
    set_backlog(1, BACKLOG_MAX);
    set_backlog(2, BACKLOG_MAX);
    has_room = worker->rim.copies.stream_has_room;
    worker->rim.copies.stream_has_room = ask_for_room;
    unsigned steps = 0;
    do {
        times_asked = 0;
        look(false);
        ck_assert_uint_eq(step(), 0);
        ck_assert_uint_eq(times_asked, ROUND_IDLE_MAX);
        steps++;
    } while (refills->again);
    ck_assert_uint_eq(steps, SLOT_COUNT / ROUND_IDLE_MAX);
    ck_assert_uint_eq(refills->pending.count, SLOT_COUNT);
    set_backlog(2, 0);
    worker->acks_arrived = true;
    ck_assert_uint_gt(step(), 0); /* one of them has room */
    ck_assert_uint_gt(told(2, ANY_SLOT).begins, 0);
}
END_TEST

/* ---- --migration-rate ---- */

static void set_rate(uint64_t rate)
{
    atomic_store(&fake->node.config.migration_rate, rate);
}

START_TEST(the_rate_bounds_what_is_sent_of_slots_that_are_served)
{
    begin(2, NODE_UP, NODE_SYNCING);
    uint16_t big = next_lacking(0, 2);
    uint16_t unserved = next_lacking(big + 1, 2);
    fill(big, 60);
    fill(unserved, 120);
    set_rate(1000);
    uint64_t sent = step();
    ck_assert_uint_ge(sent, SLICE_BYTES);
    ck_assert_uint_le(sent, SLICE_BYTES + FILLED_BYTES);
    ck_assert_uint_eq(told(2, ANY_SLOT).begins, 1);
    ck_assert(is_in(&refills->urgent, big));
    ck_assert_uint_eq(step(), 0); /* for a minute */
    ck_assert(!refills->again);
    ck_assert_int_eq(find_member(big, 2)->stage, MEMBER_REFILLING);

    struct copy *copy = copy_of(unserved);
    copy->stage = COPY_JOINING; /* for want of that one */
    copy->members[0].owner = true;
    refills_mark(&fake->node, unserved);
    run();
    expect_told(2, ANY_SLOT, (struct told){.begins = 1, .keys = 120, .ends = 1});
    ck_assert(copy_serves(copy));
    ck_assert_int_eq(find_member(big, 2)->stage, MEMBER_REFILLING);

    refills->allowance = 1; /* after that minute */
    worker->acks_arrived = true;
    sent = step();
    ck_assert_uint_ge(sent, SLICE_BYTES);
    ck_assert_uint_le(sent, SLICE_BYTES + FILLED_BYTES);
    set_rate(0);
    run();
    ck_assert_uint_eq(count_below(2, MEMBER_FOLLOWING), 0);
}
END_TEST

START_TEST(a_low_rate_is_kept_however_often_it_is_looked_at)
{
    begin(2, NODE_UP, NODE_SYNCING);
    refills->rest_until_us = FAR_US;
    ck_assert_uint_eq(step_asked(), 0); /* there is something to send, and it is not time to */
    set_rate(1000);
    refills->allowance = -1000;
    uint64_t began_us = refills->allowed_us = clock_monotonic_us();
    while (refills->allowed_us < began_us + 20000) {
        ck_assert_uint_eq(step_asked(), 0);
    }
    ck_assert(refills->allowance > -1000 + 19);
    ck_assert(refills->allowance < 0);
}
END_TEST

/* Exact, for what is not used is saved up for a tenth of a second, and no longer. */
START_TEST(each_worker_has_its_part_of_the_rate)
{
    begin(2, NODE_UP, NODE_SYNCING);
    refills->rest_until_us = FAR_US;
    set_rate(1000000);
    refills->allowance = -1000000;
    ck_assert_uint_eq(step_asked(), 0);
    ck_assert(refills->allowance > -900000.5 && refills->allowance < -899999.5);
    fake->node.worker_count = 4;
    refills->allowed_us = 0;
    ck_assert_uint_eq(step_asked(), 0);
    ck_assert(refills->allowance > -875000.5 && refills->allowance < -874999.5);
    set_rate(1); /* and not none for each */
    refills->allowed_us = 0;
    ck_assert_uint_eq(step_asked(), 0);
    ck_assert(refills->allowance < 0);
    fake->node.worker_count = 1;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("refill_rounds");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, refills_setup, refills_teardown);
    tcase_add_test(tests, while_clients_ask_a_round_is_short_and_then_it_rests);
    tcase_add_test(tests, a_refill_that_has_begun_does_not_rest);
    tcase_add_test(tests, while_clients_ask_little_is_put_into_a_stream);
    tcase_add_test(tests, it_rests_for_as_long_as_the_round_took_and_not_for_ever);
    tcase_add_test(tests, without_clients_it_does_not_rest);
    tcase_add_test(tests, slots_of_a_peer_without_room_do_not_hold_up_others);
    tcase_add_test(tests, a_round_in_which_nothing_can_be_sent_is_short);
    tcase_add_test(tests, the_rate_bounds_what_is_sent_of_slots_that_are_served);
    tcase_add_test(tests, a_low_rate_is_kept_however_often_it_is_looked_at);
    tcase_add_test(tests, each_worker_has_its_part_of_the_rate);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
