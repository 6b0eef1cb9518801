/* Attaching members at a node that is put together in memory: which slots are looked at, what is
 * sent of them, and when they are done with. */
#include "node/refills.h"

#include "base/error.h"
#include "node/roles.h"
#include "support/refill_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- which slots ---- */

START_TEST(a_view_says_which_slots_to_look_at)
{
    install(1, 2, NODE_UP, NODE_UP);
    size_t led = count_led();
    ck_assert_uint_gt(led, SLOT_COUNT / 4);
    ck_assert_uint_eq(step(), 0); /* none is taken over yet */
    ck_assert_uint_eq(refills->pending.count, led);
    ck_assert_uint_eq(refills->waiting.count, led);
    ck_assert_uint_eq(refills->urgent.count, 0);
    ck_assert_uint_eq(fake_marked(fake), 0);

    uint16_t slot = next_lacking(SLOT_COUNT / 2, 1);
    resolve(slot);
    fill(slot, KEYS);
    look(false);
    ck_assert_uint_gt(step(), KEYS * KEY_BYTES);
    expect_told(1, slot, (struct told){.begins = 1, .keys = KEYS, .ends = 1});
    ck_assert_uint_eq(refills->pending.count, led - 1);
    ck_assert_uint_eq(refills->waiting.count, led - 1);
    ck_assert(!is_in(&refills->pending, slot));
    ck_assert(copy_serves(copy_of(slot)));
    ck_assert(atomic_load(&worker->view_came)); /* somebody may have waited for it */
    ck_assert_uint_eq(moves_summarize(&fake->node.moves).pauses, 1);
}
END_TEST

START_TEST(when_due_all_slots_are_looked_at)
{
    begin(2, NODE_UP, NODE_SYNCING);
    size_t lacking = count_below(2, MEMBER_ATTACHED);
    ck_assert_uint_gt(lacking, SLOT_COUNT / 8);
    ck_assert_uint_lt(lacking, count_led()); /* the others have the second node */
    ck_assert_uint_eq(fake_marked(fake), count_led());
    ck_assert(!refills_wanted(refills));
    ck_assert_uint_eq(step(), 0);
    ck_assert_uint_eq(refills->pending.count, 0);
    atomic_store(&refills->due, true);
    ck_assert(refills_wanted(refills));
    refills->rest_until_us = FAR_US;
    ck_assert_uint_eq(step_asked(), 0);
    ck_assert(!atomic_load(&refills->due));
    ck_assert_uint_eq(refills->pending.count, lacking);
    ck_assert_uint_eq(refills->waiting.count, 0); /* for bytes, and for nothing else */
    uint16_t peer = fake_peer(fake, 2);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        lacking -= is_in(&refills->pending, i) && member_of(copy_of(i), peer) != NULL;
    }
    ck_assert_uint_eq(lacking, 0);
}
END_TEST

/* ---- what is sent ---- */

START_TEST(a_slot_is_sent_whole_and_then_its_member_confirmed)
{
    enum { MANY = 120 };
    bool seen[MANY] = {false};
    begin(2, NODE_UP, NODE_SYNCING);
    uint16_t slot = next_lacking(0, 2);
    fill(slot, MANY);
    fill(next_lacking(slot + 1u, 2), MANY);
    size_t lacking = count_below(2, MEMBER_ATTACHED);
    ck_assert_uint_lt(step(), MANY * KEY_BYTES);
    ck_assert_uint_eq(refills->urgent.count, 1); /* one after the other */
    run();
    ck_assert_uint_eq(stat_read(&worker->stats.refill_keys), 2 * MANY);
    ck_assert_uint_eq(stat_read(&worker->stats.refill_bytes), worker->rim.appended_bytes);

    struct told count = {0};
    struct op op;
    while (fake_next_op(fake_stream(fake, 2), &op)) {
        if (op.slot != slot) {
            continue;
        }
        ck_assert_uint_eq(count.ends, 0); /* the end is the last of it */
        count.begins += op.kind == OP_REFILL_BEGIN;
        count.ends += op.kind == OP_REFILL_END;
        if (op.kind == OP_REFILL_KEY) {
            struct bytes key;
            struct bytes dump;
            uint64_t expire_at_ms;
            ck_assert_int_eq(op_decode_refill_key(op.payload, &key, &expire_at_ms, &dump), TORC_OK);
            char text[8];
            snprintf(text, sizeof(text), "%.*s", (int)key.size, key.data);
            unsigned long number = strtoul(text, NULL, 10);
            ck_assert_uint_lt(number, MANY);
            ck_assert(!seen[number]);
            seen[number] = true;
            count.keys++;
        }
    }
    ck_assert_uint_eq(count.begins, 1);
    ck_assert_uint_eq(count.keys, MANY);
    ck_assert_uint_eq(count.ends, 1);

    look(false);
    ck_assert_uint_eq(step(), 0);
    ck_assert_uint_eq(refills->pending.count, lacking); /* nobody has acknowledged anything */
    ck_assert_uint_eq(refills->waiting.count, lacking);
    fake_acknowledge(fake_stream(fake, 2));
    worker->acks_arrived = true;
    run();
    expect_told(2, slot, (struct told){.confirms = 1});
    ck_assert_uint_eq(count_below(2, MEMBER_ATTACHED), 0);
    ck_assert_uint_eq(refills->pending.count + refills->waiting.count + refills->urgent.count, 0);
    ck_assert(!refills_wanted(refills));
    ck_assert_uint_eq(stat_read(&worker->stats.refill_bytes), worker->rim.appended_bytes);
}
END_TEST

START_TEST(a_member_that_skips_its_attachment_is_attached_anew)
{
    install(1, 2, NODE_UP, NODE_UP);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        resolve(i);
    }
    run();
    ck_assert(!refills_wanted(refills));
    ck_assert_uint_eq(count_below(1, MEMBER_ATTACHED), 0);
    struct replica_stream *stream = fake_stream(fake, 1);
    unsigned slot = 0;
    const struct copy_member *member = find_member(0, 1);
    while (member == NULL || member->attached_at != stream->stream.appended) {
        ck_assert_uint_lt(++slot, SLOT_COUNT);
        member = find_member(slot, 1);
    }
    fill((uint16_t)slot, KEYS);
    (void)told(1, ANY_SLOT);
    fake_skip_last(stream, member->attached_at);
    fake_acknowledge(stream);
    ck_assert_uint_eq(step(), 0); /* nobody has said so */
    atomic_store(&refills->due, true);
    ck_assert_uint_gt(step(), KEYS * KEY_BYTES);
    expect_told(1, ANY_SLOT, (struct told){.begins = 1, .keys = KEYS, .ends = 1});
    ck_assert_int_eq(member->stage, MEMBER_ATTACHED);
    ck_assert(copy_serves(copy_of(slot)));
    ck_assert(!refills_wanted(refills));
}
END_TEST

START_TEST(members_whose_stream_has_ended_wait_for_another)
{
    install(1, 2, NODE_UP, NODE_UP);
    settle();
    struct replica_stream *before = fake_stream(fake, 1);
    size_t with_it = count_below(1, MEMBER_ATTACHED + 1);
    ck_assert_uint_gt(with_it, SLOT_COUNT / 8);
    atomic_store(&before->closing, true);
    atomic_store(&refills->due, true);
    run();
    ck_assert_uint_eq(told(1, ANY_SLOT).begins, 0);
    ck_assert_uint_eq(count_below(1, MEMBER_REFILLING), with_it);
    ck_assert_uint_eq(refills->pending.count, with_it);
    ck_assert_uint_eq(refills->waiting.count, with_it);
    ck_assert_uint_eq(refills->urgent.count, with_it); /* they are not served without it */

    struct peer *peer = peers_at(fake->node.peers, fake_peer(fake, 1));
    peer_close_streams(fake->node.peers, peer, 1);
    ck_assert_int_eq(peer_open_streams(fake->node.peers, peer, 1), TORC_OK);
    ck_assert_ptr_ne(fake_stream(fake, 1), before);
    look(false);
    ck_assert_uint_eq(step(), 0);
    look(true); /* as it is from time to time */
    ck_assert_uint_gt(step(), 0);
    run();
    struct told found = told(1, ANY_SLOT);
    ck_assert_uint_eq(found.begins, with_it);
    ck_assert_uint_eq(found.ends, with_it);
    ck_assert_uint_eq(count_below(1, MEMBER_ATTACHED), 0);
    ck_assert_uint_eq(roles_look(&fake->node).unserved, 0);
    ck_assert(!refills_wanted(refills));
}
END_TEST

/* ---- several workers ---- */

#define WORKERS 3

static struct worker *workers[WORKERS];

static void add_workers(void)
{
    workers[0] = worker;
    for (unsigned i = 1; i < WORKERS; i++) {
        workers[i] = calloc(1, sizeof(*workers[i]));
        ck_assert_ptr_nonnull(workers[i]);
        workers[i]->node = &fake->node;
        workers[i]->index = i;
        atomic_store(&workers[i]->woken, true); /* its loop does not run */
        slot_rim_init(&workers[i]->rim, &fake->node, workers[i]);
    }
    fake->node.workers = workers;
    fake->node.worker_count = WORKERS;
}

static void remove_workers(void)
{
    for (unsigned i = 1; i < WORKERS; i++) {
        free(workers[i]);
    }
}

/* The slots that are pending are those of that worker that this node leads. */
static void expect_share(unsigned index)
{
    const struct refill_set *pending = &workers[index]->refills.pending;
    size_t led = 0;
    size_t found = 0;
    for (unsigned slot = index; slot < SLOT_COUNT; slot += WORKERS) {
        bool leads = copy_of(slot)->role == COPY_PRIMARY;
        led += leads;
        found += leads && is_in(pending, slot / WORKERS);
    }
    ck_assert_uint_gt(led, SLOT_COUNT / 4 / WORKERS);
    ck_assert_uint_eq(found, led);
    ck_assert_uint_eq(pending->count, led);
}

START_TEST(each_worker_looks_at_its_share)
{
    add_workers();
    install(1, 2, NODE_UP, NODE_UP);
    copy_of(SLOT_COUNT - 1)->role = COPY_PRIMARY; /* in any case */
    refills_mark(&fake->node, SLOT_COUNT - 1);
    for (unsigned i = 0; i < WORKERS; i++) {
        refills_step(workers[i]);
        expect_share(i);
        memset(&workers[i]->refills.pending, 0, sizeof(workers[i]->refills.pending));
        memset(&workers[i]->refills.waiting, 0, sizeof(workers[i]->refills.waiting));
        atomic_store(&workers[i]->refills.due, true);
        refills_step(workers[i]);
        expect_share(i);
    }
    remove_workers();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("refills");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, refills_setup, refills_teardown);
    tcase_add_test(tests, a_view_says_which_slots_to_look_at);
    tcase_add_test(tests, when_due_all_slots_are_looked_at);
    tcase_add_test(tests, a_slot_is_sent_whole_and_then_its_member_confirmed);
    tcase_add_test(tests, a_member_that_skips_its_attachment_is_attached_anew);
    tcase_add_test(tests, members_whose_stream_has_ended_wait_for_another);
    tcase_add_test(tests, each_worker_looks_at_its_share);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
