/* What a node that is put together in memory reports to the voters, of whom it is none: which slots
 * may move and for how long they take no writes, which replicas hold up writes, and how far it is
 * with its view. */
#include "node/report.h"

#include "base/error.h"
#include "node/take.h"
#include "ring/quorum.h"
#include "ring/quorum_message.h"
#include "support/fake_node.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_MS 100000
#define TOO_SOON_MS 9 /* to look again */
#define MOVES_MS 100  /* late enough, however long a look took */
#define LOOK_MS 1000
#define SLOW_MS (2 * FAKE_LEASE_MS)
#define BATCH_MS 4000

static struct fake_node *fake;
static struct control *control;
static uint64_t now_ms;

static void begin(const struct fake_view *described)
{
    struct view *view = fake_view_create(described);
    struct quorum_options options = {.self = fake_id(FAKE_SELF), .incarnation = 1, .seed = 1};
    ck_assert(fake_node_install(fake, described));
    control->quorum = quorum_create(&options, view, (struct bytes){NULL, 0}, now_ms);
    control->take = take_create(control);
    ck_assert(control->quorum != NULL && control->take != NULL);
    view_release(view);
}

static void setup(void)
{
    fake = fake_node_create();
    control = &fake->control;
    now_ms = START_MS;
}

static void teardown(void)
{
    quorum_destroy(control->quorum);
    take_destroy(control->take);
    fake_node_destroy(fake);
}

static void update(void)
{
    report_update(control, now_ms);
}

static void update_after(uint64_t ms)
{
    now_ms += ms;
    update();
}

/* The last message of that kind that has left for the voter; false = none has. */
static bool told(enum quorum_kind kind, struct quorum_wire *out)
{
    struct quorum_message message;
    bool found = false;
    quorum_tick(control->quorum, now_ms);
    while (quorum_take(control->quorum, &message)) {
        struct quorum_wire wire;
        ck_assert_int_eq(quorum_wire_decode(&wire, buf_bytes(&message.bytes), NULL), TORC_OK);
        if (wire.kind == kind) {
            *out = wire;
            found = true;
        }
        quorum_wire_deinit(&wire);
        buf_deinit(&message.bytes);
    }
    return found;
}

/* ---- how far it is with its view ---- */

static const struct fake_view all_up = {
    .epoch = 5, .copies = 3, .status = {NODE_UP, NODE_UP, NODE_UP}};

START_TEST(test_complete)
{
    struct quorum_wire wire;
    begin(&all_up);
    update();
    ck_assert_uint_eq(control->report.complete_epoch, 0);
    ck_assert_uint_gt(atomic_load(&fake->node.unserved_slots), 0);
    ck_assert(told(QUORUM_LEASE_REQUEST, &wire));
    ck_assert_uint_eq(wire.complete_epoch, 0);
    fake_node_settle(fake);
    update_after(LOOK_MS);
    ck_assert_uint_eq(control->report.complete_epoch, 5);
    ck_assert_uint_eq(atomic_load(&control->ready_epoch), 5);
    ck_assert_uint_eq(atomic_load(&fake->node.unserved_slots), 0);
    ck_assert(told(QUORUM_LEASE_REQUEST, &wire)); /* at once */
    ck_assert_uint_eq(wire.complete_epoch, 5);
}
END_TEST

/* A replica that loses its place makes the node look again, at the latest within a second. */
START_TEST(test_complete_no_more)
{
    begin(&all_up);
    fake_node_settle(fake);
    update();
    ck_assert_uint_eq(control->report.complete_epoch, 5);
    unsigned led = 0;
    while (fake->node.slots[led].copy.role != COPY_PRIMARY) {
        led++;
    }
    struct copy *copy = &fake->node.slots[led].copy;
    copy->stage = COPY_JOINING;
    atomic_store(&fake->worker.refills.due, false);
    update_after(LOOK_MS - 1);
    ck_assert_uint_eq(control->report.complete_epoch, 5);
    update_after(1);
    ck_assert_uint_eq(control->report.complete_epoch, 0);
    ck_assert_uint_eq(atomic_load(&fake->node.unserved_slots), 1);
    ck_assert(atomic_load(&fake->worker.refills.due));
    copy->stage = COPY_SERVING;
    update_after(LOOK_MS);
    ck_assert_uint_eq(control->report.complete_epoch, 5);

    /* A newer view is not carried out because an older one was. */
    struct fake_view next = all_up;
    next.epoch = 6;
    copy->stage = COPY_JOINING;
    ck_assert(fake_node_install(fake, &next));
    report_view_changed(control);
    copy->stage = COPY_JOINING;
    update_after(LOOK_MS);
    ck_assert_uint_eq(control->report.complete_epoch, 5);
    copy->stage = COPY_SERVING;
    update_after(LOOK_MS);
    ck_assert_uint_eq(control->report.complete_epoch, 6);
    next.epoch = 7; /* nothing has to be done for this one */
    ck_assert(fake_node_install(fake, &next));
    report_view_changed(control);
    update_after(LOOK_MS);
    ck_assert_uint_eq(control->report.complete_epoch, 7);
}
END_TEST

START_TEST(test_leaving)
{
    struct quorum_wire wire;
    begin(&all_up);
    update();
    ck_assert(told(QUORUM_LEASE_REQUEST, &wire));
    ck_assert(!wire.leaving);
    atomic_store(&fake->node.leaving, true);
    update_after(1);
    ck_assert(told(QUORUM_LEASE_REQUEST, &wire));
    ck_assert(wire.leaving);
}
END_TEST

/* ---- which slots may move ---- */

static const struct fake_view joining = {
    .epoch = 5, .copies = 2, .status = {NODE_UP, NODE_UP, NODE_UP}, .joining = true};

static bool is_movable(unsigned slot)
{
    return fake->node.slots[slot].copy.role == COPY_PRIMARY && fake->node.slots[slot].copy.movable;
}

static bool is_ready(unsigned slot)
{
    return (control->report.ready[slot / 8] & 1u << slot % 8) != 0;
}

static unsigned first_movable(void)
{
    unsigned slot = 0;
    while (!is_movable(slot)) {
        slot++;
    }
    return slot;
}

static void publish(unsigned slot)
{
    copy_publish(&fake->node.slots[slot].copy, &fake->worker.rim.copies, bytes_of("?"), NULL, 0);
}

START_TEST(test_slots_may_move)
{
    struct quorum_wire wire;
    begin(&joining);
    update(); /* nothing is taken over yet */
    ck_assert(!control->report.any_ready);
    fake_node_settle(fake);
    update_after(TOO_SOON_MS); /* too soon to look again */
    ck_assert(!control->report.any_ready);
    update_after(MOVES_MS);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        ck_assert_int_eq(is_ready(i), is_movable(i));
    }
    ck_assert(told(QUORUM_REPORT, &wire));
    ck_assert(wire.has_ready);
    ck_assert_mem_eq(wire.ready, control->report.ready, sizeof(wire.ready));
    publish(first_movable()); /* writes go on, and need not be acknowledged for the slot to move */
    update_after(MOVES_MS);
    ck_assert(is_ready(first_movable()));
}
END_TEST

/* Those that are ready wait for others to go along with, but not for long. */
START_TEST(test_slots_go_together)
{
    struct quorum_wire wire;
    begin(&joining);
    fake_node_settle(fake);
    unsigned late = first_movable();
    struct copy *copy = &fake->node.slots[late].copy;
    copy->members[copy->member_count - 1].stage = MEMBER_WANTED;
    copy->members[copy->member_count - 1].target = true;
    update();
    ck_assert(!control->report.any_ready);
    update_after(BATCH_MS - 1);
    ck_assert(!control->report.any_ready);
    update_after(MOVES_MS);
    ck_assert(control->report.any_ready);
    ck_assert(!is_ready(late));
    ck_assert(is_ready(late + 1) || !is_movable(late + 1));
    ck_assert(told(QUORUM_REPORT, &wire));
    report_view_changed(control); /* what was said counted under the view before */
    ck_assert(!control->report.any_ready);
    update();
    ck_assert(!control->report.any_ready); /* and they wait anew */
    ck_assert_uint_gt(atomic_load(&fake->node.moves.slots_waiting), 0);
}
END_TEST

START_TEST(test_nothing_moves)
{
    struct quorum_wire wire;
    begin(&all_up);
    fake_node_settle(fake);
    for (unsigned i = 0; i < 20; i++) {
        update_after(MOVES_MS);
    }
    ck_assert(!control->report.any_ready);
    ck_assert(!told(QUORUM_REPORT, &wire));
}
END_TEST

/* ---- who holds up writes ---- */

static void write_something(void)
{
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct copy *copy = &fake->node.slots[i].copy;
        if (copy->role == COPY_PRIMARY) {
            copy_publish(copy, &fake->worker.rim.copies, bytes_of("?"), NULL, 0);
            return;
        }
    }
}

static bool is_slow(size_t index)
{
    struct node_id id = fake_id(index);
    for (size_t i = 0; i < control->report.slow_count; i++) {
        if (node_id_equal(&control->report.slow[i], &id)) {
            return true;
        }
    }
    return false;
}

START_TEST(test_slow)
{
    struct quorum_wire wire;
    begin(&all_up);
    fake_node_settle(fake);
    update(); /* nobody owes anything */
    update_after(10 * SLOW_MS);
    ck_assert_uint_eq(control->report.slow_count, 0);
    write_something();
    fake_acknowledge(fake_stream(fake, 1));
    update_after(100);
    update_after(SLOW_MS - 100 - 1);
    ck_assert_uint_eq(control->report.slow_count, 0);
    update_after(100 + 1);
    ck_assert_uint_eq(control->report.slow_count, 1);
    ck_assert(is_slow(2));
    ck_assert(told(QUORUM_REPORT, &wire));
    ck_assert_uint_eq(wire.slow_count, 1);
    ck_assert(node_id_equal(&wire.slow[0], &control->report.slow[0]));
    ck_assert(!wire.has_ready);
    fake_acknowledge(fake_stream(fake, 2));
    update_after(100);
    ck_assert_uint_eq(control->report.slow_count, 0);
    ck_assert(told(QUORUM_REPORT, &wire));
    ck_assert_uint_eq(wire.slow_count, 0);
}
END_TEST

/* As long as it goes on acknowledging it is not slow, however much it owes. */
START_TEST(test_slow_but_going_on)
{
    begin(&all_up);
    fake_node_settle(fake);
    update();
    struct replica_stream *stream = fake_stream(fake, 2);
    write_something();
    fake_acknowledge(fake_stream(fake, 1));
    for (unsigned i = 0; i < 10; i++) {
        update_after(SLOW_MS / 2);
        ck_assert(!is_slow(2));
        fake_acknowledge(stream);
        write_something();
        fake_acknowledge(fake_stream(fake, 1));
    }
    update_after(100);
    update_after(SLOW_MS);
    ck_assert(is_slow(2));
}
END_TEST

/* Nobody waits for one that is syncing, until it has caught up somewhere. */
START_TEST(test_slow_while_syncing)
{
    begin(&(struct fake_view){.epoch = 5, .copies = 3, .status = {NODE_UP, NODE_UP, NODE_SYNCING}});
    const struct copy_answers nothing = {.best_peer = PEER_NONE};
    unsigned led = 0;
    while (fake->node.slots[led].copy.role != COPY_PRIMARY) {
        led++;
    }
    struct copy *copy = &fake->node.slots[led].copy;
    ck_assert(copy_resolve(copy, &fake->worker.rim.copies, &nothing));
    for (unsigned round = 0; round < 3; round++) {
        copy_step(copy, &fake->worker.rim.copies, 1000);
        fake_acknowledge(fake_stream(fake, 1));
    }
    update();
    update_after(SLOW_MS + 100);
    ck_assert(!is_slow(2)); /* its refill is under way */
    for (unsigned round = 0; round < 3; round++) {
        fake_acknowledge(fake_stream(fake, 2));
        copy_step(copy, &fake->worker.rim.copies, 1000);
    }
    fake_acknowledge(fake_stream(fake, 2));
    update_after(100);
    copy_publish(copy, &fake->worker.rim.copies, bytes_of("?"), NULL, 0);
    fake_acknowledge(fake_stream(fake, 1));
    update_after(100);
    update_after(SLOW_MS);
    ck_assert(is_slow(2));
    ck_assert(!is_slow(1));
}
END_TEST

/* One that does not answer what it holds keeps slots from being served just as well. */
START_TEST(test_slow_to_answer)
{
    begin(&all_up);
    struct copy_view installed = {.view = fake->node.view,
                                  .self = view_find(fake->node.view, &fake->node.id),
                                  .peers = control->peers_of_view};
    take_restart(control->take, &installed);
    update();
    update_after(SLOW_MS);
    ck_assert(is_slow(1) && is_slow(2));
    ck_assert_uint_eq(control->report.slow_count, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("report");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_complete);
    tcase_add_test(tests, test_complete_no_more);
    tcase_add_test(tests, test_leaving);
    tcase_add_test(tests, test_slots_may_move);
    tcase_add_test(tests, test_slots_go_together);
    tcase_add_test(tests, test_nothing_moves);
    tcase_add_test(tests, test_slow);
    tcase_add_test(tests, test_slow_but_going_on);
    tcase_add_test(tests, test_slow_while_syncing);
    tcase_add_test(tests, test_slow_to_answer);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
