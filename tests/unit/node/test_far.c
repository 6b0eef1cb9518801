/* What was read at other nodes, on both sides, of a node that is put together in memory. */
#include "node/far.h"

#include "base/error.h"
#include "node/clock.h"
#include "node/invalidation.h"
#include "node/operation.h"
#include "node/request_text.h"
#include "node/tracking.h"
#include "ring/slot.h"
#include "support/fake_node.h"

#include <check.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OTHER 1 /* index of the node that is asked */

static struct fake_node *fake;
static struct worker *worker;
static struct bus_connection *bus;
static struct session session;
static char key[16];
static struct bytes words[2];

static void install(uint64_t epoch, enum node_status other)
{
    struct fake_view view = {.epoch = epoch, .copies = 3, .status = {NODE_UP, other, NODE_UP}};
    ck_assert(fake_node_install(fake, &view));
    fake_node_settle(fake);
    worker_follow_view(worker);
}

/* A key that the node of that index leads. */
static void choose_key(size_t index)
{
    uint16_t owners[COPIES_MAX];
    struct node_id id = fake_id(index);
    unsigned number = 0;
    do {
        snprintf(key, sizeof(key), "key%u", number++);
        ck_assert_uint_gt(view_owners(worker->view, slot_of_key(bytes_of(key)), owners), 0);
    } while (!node_id_equal(&worker->view->nodes[owners[0]].id, &id));
    words[0] = bytes_of("GET");
    words[1] = bytes_of(key);
}

static void setup(void)
{
    const struct tracking_options options = {0};
    fake = fake_node_create();
    worker = &fake->worker;
    fake_give_lease(fake);
    bus = fake_bus_open(fake);
    bus->number = (UINT64_C(1) << 48) + 1;
    bus->session.id = bus->number;
    ck_assert_int_eq(clients_init(&worker->clients), TORC_OK);
    install(5, NODE_UP);
    choose_key(OTHER);
    session = (struct session){.id = 7, .access = ACCESS_ANY, .protocol = 2};
    ck_assert_int_eq(tracking_begin(&fake->node, &session, &options), TORC_OK);
}

static void teardown(void)
{
    tracking_end(&fake->node, &session);
    bus_connection_close(bus);
    invalidation_discard(worker);
    if (worker->links[fake_peer(fake, OTHER)] != NULL) {
        link_deinit(worker->links[fake_peer(fake, OTHER)]);
        free(worker->links[fake_peer(fake, OTHER)]);
    }
    far_deinit(&worker->far);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        tracking_drop(&fake->node, &fake->node.slots[i]);
    }
    tracking_deinit(&fake->node.tracking);
    clients_deinit(&worker->clients);
    ev_loop_destroy(worker->loop);
    worker->loop = NULL;
    fake_node_destroy(fake);
}

static uint64_t noted(void)
{
    return atomic_load(&fake->node.tracking.keys);
}

/* Whether something was posted for a client; what was is taken away. */
static bool was_told(void)
{
    bool told = !mailbox_is_empty(&worker->invalidations);
    invalidation_discard(worker);
    return told;
}

static struct operation sent(void)
{
    return (struct operation){.worker = worker,
                              .command = command_find(fake->node.commands, bytes_of("get")),
                              .slot = slot_of_key(bytes_of(key)),
                              .target_sent = fake_peer(fake, OTHER),
                              .told_before = far_stamp(&worker->far, slot_of_key(bytes_of(key)))};
}

static void read_key(void)
{
    struct operation operation = sent();
    far_answered(&operation, &session, true, words, 2);
    ck_assert_uint_eq(noted(), 1);
    ck_assert(!was_told());
}

static void tell(const char *changed)
{
    struct frame frame = {.kind = FRAME_TOLD, .slot = FRAME_NO_SLOT, .payload = {NULL, 0}};
    if (changed != NULL) {
        frame.payload = bytes_of(changed);
        frame.slot = slot_of_key(frame.payload);
    }
    far_told(worker, fake_peer(fake, OTHER), &frame);
}

START_TEST(test_told_once)
{
    read_key();
    tell("another");
    ck_assert(!was_told());
    tell(key);
    ck_assert(was_told());
    ck_assert_uint_eq(noted(), 0);
    tell(key);
    ck_assert(!was_told());
    read_key();
    tell(NULL);
    ck_assert(was_told());
    ck_assert_uint_eq(noted(), 0);
}
END_TEST

/* What may not be kept is told to have changed at once. */
START_TEST(test_not_kept)
{
    struct operation operation = sent();
    far_answered(&operation, &session, false, words, 2); /* the other node has not noted it */
    ck_assert(was_told());
    tell(key); /* it has overtaken the answer */
    far_answered(&operation, &session, true, words, 2);
    ck_assert(was_told());
    operation = sent();
    tell(NULL);
    far_answered(&operation, &session, true, words, 2);
    ck_assert(was_told());
    operation = sent();
    atomic_store(&fake->node.lease_until_ms, 0);
    far_answered(&operation, &session, true, words, 2);
    ck_assert(was_told());
    ck_assert_uint_eq(noted(), 0);
}
END_TEST

START_TEST(test_another_node_leads_it)
{
    read_key();
    install(6, NODE_UP);
    ck_assert(!was_told());
    ck_assert_uint_eq(noted(), 1);
    install(7, NODE_DOWN);
    ck_assert(was_told());
    ck_assert_uint_eq(noted(), 0);
}
END_TEST

/* It is asked whether it is there, and cannot be. */
START_TEST(test_silence)
{
    far_tick(worker, clock_monotonic_ms());
    ck_assert_ptr_null(worker->links[fake_peer(fake, OTHER)]); /* about nothing it is not asked */
    read_key();
    far_tick(worker, clock_monotonic_ms());
    ck_assert(was_told());
    ck_assert_uint_eq(noted(), 0);
}
END_TEST

START_TEST(test_forget_any)
{
    ck_assert(!far_forget_any(worker));
    read_key();
    ck_assert(far_forget_any(worker));
    ck_assert(was_told());
    ck_assert(!far_forget_any(worker));
}
END_TEST

/* ---- the node that is asked ---- */

/* The next frame that it sent. */
static struct frame next_frame(void)
{
    struct frame frame;
    size_t consumed = 0;
    ck_assert_int_eq(frame_decode(buf_bytes(&bus->out), &frame, &consumed), TORC_OK);
    buf_consume(&bus->out, consumed);
    return frame;
}

static void ask(uint8_t flags)
{
    struct buf payload = {0};
    request_append(&payload, 2, words);
    struct frame frame = {FRAME_REQUEST, flags, slot_of_key(words[1]), 3, buf_bytes(&payload)};
    frame_encode(&bus->in, &frame);
    buf_deinit(&payload);
    bus->held = true; /* as if it had waited for a view: it is looked at */
    worker->bus_held++;
    bus_connections_tick(worker, clock_monotonic_ms());
}

static void change(void)
{
    struct slot *slot = &fake->node.slots[slot_of_key(words[1])];
    slot_lock(slot);
    tracking_key_gone(worker, slot, words[1], key_hash(words[1]));
    slot_unlock(slot);
    invalidation_collect(worker);
}

START_TEST(test_notes_for_a_peer)
{
    choose_key(FAKE_SELF);
    ask(0);
    ck_assert_uint_eq(next_frame().flags, RESPONSE_DONE);
    ck_assert_uint_eq(noted(), 0);
    ask(FRAME_FLAG_TRACKED);
    ck_assert_uint_eq(next_frame().flags, RESPONSE_NOTED);
    ck_assert_uint_eq(noted(), 1);
    change();
    struct frame frame = next_frame();
    ck_assert_uint_eq(frame.kind, FRAME_TOLD);
    ck_assert_uint_eq(frame.slot, slot_of_key(words[1]));
    ck_assert(bytes_equal(frame.payload, words[1]));
    change();
    ck_assert_uint_eq(buf_size(&bus->out), 0);
}
END_TEST

START_TEST(test_lease_ends_with_peers_alone)
{
    choose_key(FAKE_SELF);
    tracking_end(&fake->node, &session);
    ask(FRAME_FLAG_TRACKED);
    ck_assert_uint_eq(next_frame().flags, RESPONSE_NOTED);
    atomic_store(&fake->node.lease_until_ms, 0);
    tracking_follow_lease(&fake->node, worker);
    tracking_follow_lease(&fake->node, worker); /* it is told once */
    invalidation_collect(worker);
    struct frame frame = next_frame();
    ck_assert_uint_eq(frame.kind, FRAME_TOLD);
    ck_assert_uint_eq(frame.slot, FRAME_NO_SLOT);
    ck_assert_uint_eq(buf_size(&bus->out), 0);
    ck_assert_uint_eq(noted(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("far");
    TCase *tests = tcase_create("far");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_told_once);
    tcase_add_test(tests, test_not_kept);
    tcase_add_test(tests, test_another_node_leads_it);
    tcase_add_test(tests, test_silence);
    tcase_add_test(tests, test_forget_any);
    tcase_add_test(tests, test_notes_for_a_peer);
    tcase_add_test(tests, test_lease_ends_with_peers_alone);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
