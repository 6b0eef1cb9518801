/* Runs of TORC.CHECK at a node that is put together in memory. */
#include "node/check.h"

#include "base/error.h"
#include "support/fake_node.h"

#include <check.h>
#include <stdio.h>

#define NOW_MS 1000
#define LONG_MS 10000 /* acknowledgements are waited for so long */
#define STEPS_MAX 1000

static struct fake_node *fake;
static struct check *check;
static uint16_t led; /* a slot that the node leads */

static void setup(void)
{
    fake = fake_node_create();
    check = &fake->node.check;
    struct fake_view view = {.epoch = 1, .status = {NODE_UP, NODE_UP, NODE_UP}};
    ck_assert(fake_node_install(fake, &view));
    fake_node_settle(fake);
    led = 0;
    while (fake->node.slots[led].copy.role != COPY_PRIMARY) {
        led++;
    }
}

static void teardown(void)
{
    fake_node_destroy(fake);
}

static void start(void)
{
    uint64_t run;
    ck_assert_int_eq(check_start(&fake->node, &run), TORC_OK);
}

/* Until all slots are done and acknowledgements are waited for, or for nothing. */
static void walk(void)
{
    unsigned steps = 0;
    do {
        check_step(&fake->worker, NOW_MS);
    } while (fake->worker.check.acks_until_ms == 0 && ++steps < STEPS_MAX);
    ck_assert_uint_ne(fake->worker.check.acks_until_ms, 0);
}

static void acknowledge(void)
{
    for (size_t i = 1; i < FAKE_NODES; i++) {
        fake_acknowledge(fake_stream(fake, i));
    }
}

static void finish(void)
{
    walk();
    acknowledge();
    check_step(&fake->worker, NOW_MS);
    ck_assert(!check_is_running(check));
    ck_assert(!check_is_due(&fake->worker));
}

/* How many checks were appended to the streams; and how many were of that slot. */
static uint64_t count_checks(uint16_t slot, uint64_t *of_slot)
{
    uint64_t count = 0;
    *of_slot = 0;
    for (size_t i = 1; i < FAKE_NODES; i++) {
        struct op op;
        while (fake_next_op(fake_stream(fake, i), &op)) {
            ck_assert_int_eq(op.kind, OP_CHECK);
            count++;
            *of_slot += op.slot == slot;
        }
    }
    return count;
}

START_TEST(a_run_goes_through_all_slots_that_are_led)
{
    uint64_t run;
    uint64_t other;
    ck_assert(!check_is_due(&fake->worker));
    for (unsigned i = 0; i < 6000; i++) {
        char key[32];
        snprintf(key, sizeof(key), "key:%u", i);
        fake_set(fake, led, key, "value", 0);
    }
    fake->node.incarnation = 3;
    ck_assert_int_eq(check_start(&fake->node, &run), TORC_OK);
    ck_assert_uint_eq(run, (UINT64_C(3) << 24) + 1);
    ck_assert_int_eq(check_start(&fake->node, &other), TORC_EAGAIN);
    ck_assert_uint_eq(other, run);
    ck_assert(check_is_due(&fake->worker));
    walk();
    ck_assert(check_is_running(check));
    uint64_t slots = atomic_load(&check->slots_to_check);
    ck_assert_uint_ge(slots, SLOT_COUNT / 4);
    ck_assert_uint_eq(atomic_load(&check->slots_checked), slots);
    ck_assert_uint_eq(atomic_load(&check->slots_gone), 0);
    ck_assert_uint_eq(atomic_load(&check->ranges_unsent), 0);
    uint64_t ranges;
    uint64_t sent = count_checks(led, &ranges);
    ck_assert_uint_ge(ranges, 4); /* no more than about 16 KiB under the lock */
    ck_assert_uint_eq(sent, slots - 1 + ranges);
    ck_assert_uint_eq(atomic_load(&check->ranges_sent), sent);
    ck_assert_uint_eq(stat_read(&fake->worker.stats.check_ranges_sent), sent);
    acknowledge();
    check_step(&fake->worker, NOW_MS);
    ck_assert(!check_is_running(check));
    ck_assert_int_eq(check_start(&fake->node, &other), TORC_OK);
    ck_assert_uint_eq(other, run + 1);
    finish();
    ck_assert_uint_eq(atomic_load(&check->ranges_sent), sent); /* counted anew */
}
END_TEST

START_TEST(a_run_ends_when_all_is_acknowledged)
{
    start();
    walk();
    check_step(&fake->worker, NOW_MS + LONG_MS - 1);
    ck_assert(check_is_running(check));
    fake_acknowledge(fake_stream(fake, 1));
    check_step(&fake->worker, NOW_MS + LONG_MS - 1);
    ck_assert(check_is_running(check)); /* the third node has not */
    atomic_store(&fake_stream(fake, 2)->closing, true);
    check_step(&fake->worker, NOW_MS + LONG_MS - 1);
    ck_assert(!check_is_running(check)); /* and is waited for no more */
}
END_TEST

START_TEST(a_run_ends_without_those_who_never_answer)
{
    start();
    walk();
    check_step(&fake->worker, NOW_MS + LONG_MS);
    ck_assert(!check_is_running(check));
}
END_TEST

static void set_backlogs(uint64_t size)
{
    for (size_t i = 1; i < FAKE_NODES; i++) {
        atomic_store(&fake_stream(fake, i)->backlog_size, size);
    }
}

START_TEST(a_slot_that_went_elsewhere_is_counted)
{
    start();
    set_backlogs(100u << 20);
    check_step(&fake->worker, NOW_MS); /* in the midst of it */
    set_backlogs(0);
    fake->worker.check.copy.place = (struct op_place){5, 7};
    fake->node.slots[led].copy.role = COPY_FOLLOWER;
    walk();
    for (size_t i = 1; i < FAKE_NODES; i++) {
        struct op op;
        struct op_range range;
        uint64_t run;
        ck_assert(fake_next_op(fake_stream(fake, i), &op));
        ck_assert_int_eq(op_decode_check(op.payload, &run, &range), TORC_OK);
        ck_assert_uint_eq(range.from.key + range.from.part, 0); /* of another slot */
    }
    ck_assert_uint_eq(atomic_load(&check->slots_gone), 1);
    ck_assert_uint_eq(atomic_load(&check->slots_checked) + 1, atomic_load(&check->slots_to_check));
    fake->node.slots[led].copy.role = COPY_PRIMARY;
}
END_TEST

START_TEST(a_slot_waits_for_room)
{
    start();
    set_backlogs(100u << 20);
    for (unsigned i = 0; i < 10; i++) {
        check_step(&fake->worker, NOW_MS);
    }
    ck_assert_uint_eq(atomic_load(&check->slots_checked), 0);
    ck_assert_uint_eq(fake->worker.check.slot, led);
    set_backlogs(0);
    finish();
    ck_assert_uint_eq(atomic_load(&check->slots_checked), atomic_load(&check->slots_to_check));
}
END_TEST

/* ---- as a replica ---- */

static void note(size_t from, uint64_t run, uint16_t slot, enum copy_verdict verdict)
{
    const struct op_range range = {0};
    struct buf payload = {0};
    op_encode_check(&payload, run, &range);
    const struct op op = {.kind = OP_CHECK, .slot = slot, .payload = buf_bytes(&payload)};
    check_note(&fake->worker, peers_at(fake->node.peers, fake_peer(fake, from)), &op, verdict);
    buf_deinit(&payload);
}

static void expect(size_t from, uint64_t run, uint64_t compared, uint64_t passed,
                   uint64_t differing)
{
    const struct check_received *received = &check->received[fake_peer(fake, from)];
    ck_assert_uint_eq(received->run, run);
    ck_assert_uint_eq(received->compared, compared);
    ck_assert_uint_eq(received->passed, passed);
    ck_assert_uint_eq(received->differing, differing);
}

START_TEST(what_was_found_is_counted_by_sender_and_run)
{
    note(1, 5, 7, COPY_APPLIED);
    note(1, 5, 7, COPY_DIFFERS);
    note(1, 5, 7, COPY_DIFFERS); /* another range of it */
    note(1, 5, 8, COPY_PASSED);
    note(2, 3, 9, COPY_DIFFERS);
    expect(1, 5, 3, 1, 2);
    expect(2, 3, 1, 0, 1);
    ck_assert_uint_eq(check->differing_from[7], fake_peer(fake, 1));
    ck_assert_uint_eq(check->differing_from[8], CHECK_PEER_NONE);
    ck_assert_uint_eq(check->differing_from[9], fake_peer(fake, 2));
    ck_assert_uint_eq(check->received[fake_peer(fake, 1)].logged, 1); /* once a slot */
    ck_assert_uint_eq(stat_read(&fake->worker.stats.check_ranges_compared), 4);
    ck_assert_uint_eq(stat_read(&fake->worker.stats.check_ranges_differing), 3);
}
END_TEST

START_TEST(a_newer_run_replaces_what_an_older_one_found)
{
    note(1, 5, 7, COPY_DIFFERS);
    note(2, 5, 8, COPY_DIFFERS);
    note(1, 6, 9, COPY_APPLIED);
    expect(1, 6, 1, 0, 0);
    ck_assert_uint_eq(check->differing_from[7], CHECK_PEER_NONE);
    ck_assert_uint_eq(check->differing_from[8], fake_peer(fake, 2)); /* another's */
    note(1, 5, 7, COPY_DIFFERS);                                     /* late */
    expect(1, 6, 1, 0, 0);
    ck_assert_uint_eq(check->differing_from[7], CHECK_PEER_NONE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("check");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_run_goes_through_all_slots_that_are_led);
    tcase_add_test(tests, a_run_ends_when_all_is_acknowledged);
    tcase_add_test(tests, a_run_ends_without_those_who_never_answer);
    tcase_add_test(tests, a_slot_that_went_elsewhere_is_counted);
    tcase_add_test(tests, a_slot_waits_for_room);
    tcase_add_test(tests, what_was_found_is_counted_by_sender_and_run);
    tcase_add_test(tests, a_newer_run_replaces_what_an_older_one_found);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
