#include "base/error.h"
#include "base/prng.h"
#include "tests/unit/replication/support/fake_cluster.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct fake_cluster cluster;
static struct view *view; /* the first: nodes 0, 1, 2 up, two copies, epoch 5 */
static uint16_t slot;     /* primary 0, replica 1 */

static void setup(void)
{
    fake_cluster_init(&cluster);
    view = fake_view(3, 2, 5);
    fake_seal(view);
    slot = fake_slot(3, 2, 0, 1);
}

static void teardown(void)
{
    view_release(view);
    fake_cluster_deinit(&cluster);
}

static struct copy *primary(void)
{
    return fake_copy(&cluster, 0, slot);
}

static const struct copy_rim *rim(void)
{
    return &cluster.nodes[0]->rim;
}

static void install(const struct view *next)
{
    for (uint16_t i = 0; i < 3; i++) {
        fake_install(&cluster, i, next, slot, false);
    }
}

/* Nobody holds anything: node 0 begins empty and is about to attach node 1. */
static void begin_joining(void)
{
    const struct copy_answers nothing = {.best_peer = COPY_PEER_NONE};
    install(view);
    ck_assert(copy_resolve(primary(), rim(), &nothing));
    ck_assert_int_eq(primary()->stage, COPY_JOINING);
}

static void begin_serving(void)
{
    begin_joining();
    fake_join(&cluster, 0, slot);
    ck_assert(copy_serves(primary()));
    ck_assert(fake_copy(&cluster, 1, slot)->attached);
}

START_TEST(a_primary_serves_once_every_owner_is_attached)
{
    begin_joining();
    cluster.cut[0][1] = true;
    ck_assert(copy_step(primary(), rim(), 1000));
    ck_assert(!copy_serves(primary()));
    ck_assert(!copy_is_ready(primary()));
    cluster.cut[0][1] = false;
    fake_join(&cluster, 0, slot);
    ck_assert(copy_serves(primary()));
    ck_assert(copy_is_ready(primary()));
    ck_assert(copy_is_ready(fake_copy(&cluster, 1, slot)));
    char kinds[64];
    fake_kinds(&cluster, 0, 1, kinds);
    ck_assert_str_eq(kinds, "BN");
    ck_assert_uint_eq(cluster.streams[0][1]->ops[0].op.view_epoch, 5);
}
END_TEST

/* Nothing is begun without bytes; what has begun is urgent until it has ended, and so is what waits
 * to be served. */
START_TEST(what_is_urgent)
{
    begin_serving();
    for (int key = 'a'; key < 'a' + FAKE_KEYS; key++) {
        fake_write(&cluster, 0, slot, (char)key, '1');
    }
    ck_assert(!copy_is_urgent(primary()));
    ck_assert(!copy_is_urgent(fake_copy(&cluster, 1, slot)));
    struct copy_member *member = fake_member(&cluster, 0, slot, 1);
    member->stage = MEMBER_WANTED;
    ck_assert(copy_step(primary(), rim(), 0));
    ck_assert_int_eq(member->stage, MEMBER_WANTED);
    ck_assert(copy_is_urgent(primary())); /* not served without its owner */
    member->owner = false;
    ck_assert(copy_step(primary(), rim(), 0));
    ck_assert(copy_serves(primary()));
    ck_assert(!copy_is_urgent(primary()));
    ck_assert(copy_step(primary(), rim(), FAKE_SCAN_KEY_BYTES));
    ck_assert_int_eq(member->stage, MEMBER_REFILLING);
    ck_assert(copy_is_urgent(primary()));
    fake_join(&cluster, 0, slot);
    ck_assert(!copy_is_urgent(primary()));
    fake_expect_equal(&cluster, 0, 1, slot);
}
END_TEST

START_TEST(effects_reach_a_member_in_the_order_they_were_made)
{
    begin_serving();
    fake_write(&cluster, 0, slot, 'a', '1');
    fake_write(&cluster, 0, slot, 'a', '2');
    fake_write(&cluster, 0, slot, 'b', '3');
    fake_write(&cluster, 0, slot, 'a', 0);
    ck_assert(!fake_is_acked(&cluster, 0, slot));
    const struct replica_stream *stream = cluster.streams[0][1];
    for (size_t i = 0; i < 4; i++) {
        const struct op *op = &stream->ops[stream->count - 4 + i].op;
        ck_assert_uint_eq(op->kind, OP_EFFECT);
        ck_assert_uint_eq(op->sequence, i + 1);
        ck_assert_uint_eq(op->epoch, 5);
        ck_assert_uint_eq(op->slot, slot);
    }
    fake_deliver_all(&cluster);
    ck_assert(fake_is_acked(&cluster, 0, slot));
    fake_expect_equal(&cluster, 0, 1, slot);
    ck_assert_int_eq(cluster.nodes[1]->data[slot][1], '3');
    ck_assert_uint_eq(fake_copy(&cluster, 1, slot)->sequence, 4);
}
END_TEST

/* Node 1 is refilled two keys at a time. Writes fall on both sides of the cursor. */
START_TEST(writes_during_a_refill_are_in_it)
{
    begin_joining();
    for (int key = 'a'; key < 'a' + FAKE_KEYS; key++) {
        fake_write(&cluster, 0, slot, (char)key, '1');
    }
    for (unsigned i = 0; i < 3; i++) {
        copy_step(primary(), rim(), 2 * FAKE_SCAN_KEY_BYTES);
        fake_deliver_all(&cluster);
    }
    ck_assert_int_eq(fake_member(&cluster, 0, slot, 1)->stage, MEMBER_REFILLING);
    ck_assert_uint_eq(fake_member(&cluster, 0, slot, 1)->cursor, 6);
    fake_write(&cluster, 0, slot, 'a', '2'); /* sent already */
    fake_write(&cluster, 0, slot, 'b', 0);
    fake_write(&cluster, 0, slot, 'o', '3'); /* not yet */
    fake_write(&cluster, 0, slot, 'p', 0);
    fake_join(&cluster, 0, slot);
    fake_expect_equal(&cluster, 0, 1, slot);
    ck_assert_int_eq(cluster.nodes[1]->data[slot][0], '2');
    ck_assert_int_eq(cluster.nodes[1]->data[slot][1], 0);
    ck_assert_int_eq(cluster.nodes[1]->data[slot][15], 0);
    fake_write(&cluster, 0, slot, 'c', '4'); /* and from here on it gets effects */
    fake_deliver_all(&cluster);
    fake_expect_equal(&cluster, 0, 1, slot);
}
END_TEST

START_TEST(writes_and_batches_in_any_order_make_equal_copies)
{
    const char *given = getenv("TORC_TEST_SEED");
    uint64_t first = given == NULL ? 1 : strtoull(given, NULL, 10);
    uint64_t count = given == NULL ? 300 : 1;
    begin_joining();
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct prng prng;
        prng_init(&prng, seed);
        fake_break_stream(&cluster, 0, 1);
        for (unsigned step = 0; step < 60; step++) {
            uint64_t choice = prng_below(&prng, 10);
            if (choice < 5) {
                fake_write(&cluster, 0, slot, (char)('a' + prng_below(&prng, FAKE_KEYS)),
                           (char)(prng_below(&prng, 3) == 0 ? 0 : '0' + prng_below(&prng, 10)));
            } else if (choice < 8) {
                copy_step(primary(), rim(), prng_below(&prng, 4) * FAKE_SCAN_KEY_BYTES);
            } else {
                fake_deliver(&cluster, 0, 1);
            }
            if (prng_below(&prng, 25) == 0) {
                fake_break_stream(&cluster, 0, 1);
            }
        }
        fake_join(&cluster, 0, slot);
        ck_assert_msg(copy_serves(primary()), "seed %" PRIu64, seed);
        fake_expect_equal(&cluster, 0, 1, slot);
    }
}
END_TEST

START_TEST(a_change_of_any_key_begins_a_refill_anew)
{
    begin_joining();
    fake_write(&cluster, 0, slot, 'a', '1');
    copy_step(primary(), rim(), FAKE_SCAN_KEY_BYTES);
    memset(cluster.nodes[0]->data[slot], 0, FAKE_KEYS);
    copy_publish(primary(), rim(), BYTES_LITERAL("flush"), NULL, 0);
    fake_join(&cluster, 0, slot);
    fake_expect_equal(&cluster, 0, 1, slot);
    char kinds[64];
    fake_kinds(&cluster, 0, 1, kinds);
    ck_assert_str_eq(kinds, "BKBN");
}
END_TEST

/* A new primary knows by the answers that node 1 holds the same. */
START_TEST(who_holds_the_same_is_attached_by_a_word)
{
    begin_serving();
    fake_write(&cluster, 0, slot, 'a', '1');
    fake_deliver_all(&cluster);
    fake_break_stream(&cluster, 0, 1);
    struct copy_member *member = fake_member(&cluster, 0, slot, 1);
    member->stage = MEMBER_WANTED;
    member->stream = NULL;
    copy_note_equal(primary(), 1);
    copy_note_equal(primary(), 7); /* nobody */
    fake_join(&cluster, 0, slot);
    char kinds[64];
    fake_kinds(&cluster, 0, 1, kinds);
    ck_assert_str_eq(kinds, "N");
    ck_assert_uint_eq(cluster.streams[0][1]->ops[0].op.flags, OP_FLAG_KEEP | OP_FLAG_CONFIRM);
    fake_write(&cluster, 0, slot, 'b', '2');
    fake_deliver_all(&cluster);
    fake_expect_equal(&cluster, 0, 1, slot);
}
END_TEST

START_TEST(what_was_equal_is_not_after_a_write)
{
    begin_serving();
    fake_break_stream(&cluster, 0, 1);
    cluster.cut[0][1] = true;
    copy_step(primary(), rim(), 1000);
    ck_assert(!copy_serves(primary()));
    copy_note_equal(primary(), 1);
    fake_write(&cluster, 0, slot, 'b', '2');
    cluster.cut[0][1] = false;
    fake_join(&cluster, 0, slot);
    char kinds[64];
    fake_kinds(&cluster, 0, 1, kinds);
    ck_assert_str_eq(kinds, "BKN");
    fake_expect_equal(&cluster, 0, 1, slot);
}
END_TEST

START_TEST(a_member_that_lost_its_place_is_refilled_and_not_served_without)
{
    begin_serving();
    fake_write(&cluster, 0, slot, 'a', '1');
    fake_copy(&cluster, 1, slot)->attached = false; /* it takes nothing more, and says so */
    fake_deliver_all(&cluster);
    ck_assert(!fake_is_acked(&cluster, 0, slot));
    fake_write(&cluster, 0, slot, 'b', '1');
    fake_deliver_all(&cluster);
    copy_step(primary(), rim(), 0);
    ck_assert(!copy_serves(primary()));
    fake_join(&cluster, 0, slot);
    ck_assert(copy_serves(primary()));
    fake_expect_equal(&cluster, 0, 1, slot);
}
END_TEST

START_TEST(a_member_whose_word_was_wrong_is_refilled)
{
    begin_joining();
    fake_write(&cluster, 0, slot, 'a', '1');
    copy_note_equal(primary(), 1); /* it is not */
    fake_join(&cluster, 0, slot);
    char kinds[64];
    fake_kinds(&cluster, 0, 1, kinds);
    ck_assert_str_eq(kinds, "NBKN");
    ck_assert(copy_serves(primary()));
    fake_expect_equal(&cluster, 0, 1, slot);
}
END_TEST

START_TEST(a_lost_stream_of_an_owner_stops_the_serving)
{
    begin_serving();
    fake_break_stream(&cluster, 0, 1);
    cluster.cut[0][1] = true;
    ck_assert(copy_step(primary(), rim(), 1000));
    ck_assert_int_eq(primary()->stage, COPY_JOINING);
    cluster.cut[0][1] = false;
    fake_join(&cluster, 0, slot);
    ck_assert(copy_serves(primary()));
}
END_TEST

START_TEST(a_refill_waits_for_room)
{
    begin_serving();
    fake_write(&cluster, 0, slot, 'a', '1');
    fake_deliver_all(&cluster);
    cluster.streams[0][1]->full = true;
    fake_write(&cluster, 0, slot, 'b', '1'); /* effects do not wait: replies wait for them */
    fake_deliver_all(&cluster);
    fake_expect_equal(&cluster, 0, 1, slot);
    fake_member(&cluster, 0, slot, 1)->stage = MEMBER_WANTED;
    size_t count = cluster.streams[0][1]->count;
    ck_assert(copy_step(primary(), rim(), 1000));
    ck_assert_uint_eq(cluster.streams[0][1]->count, count);
    cluster.streams[0][1]->full = false;
    fake_join(&cluster, 0, slot);
    ck_assert(copy_serves(primary()));
}
END_TEST

START_TEST(a_node_that_is_not_up_leads_and_does_not_serve)
{
    struct view *next = fake_next(view);
    next->nodes[0].status = NODE_SYNCING;
    next->nodes[1].status = NODE_SYNCING;
    next->nodes[0].last_up = next->nodes[1].last_up = 5;
    fake_seal(next);
    const struct copy_answers nothing = {.best_peer = COPY_PEER_NONE};
    install(next);
    ck_assert(copy_resolve(primary(), rim(), &nothing));
    fake_join(&cluster, 0, slot);
    ck_assert(!copy_serves(primary()));
    ck_assert(copy_is_ready(primary()));
    ck_assert(copy_is_ready(fake_copy(&cluster, 1, slot)));
    view_release(next);
}
END_TEST

/* ---- views that change who is fed ---- */

START_TEST(a_primary_that_stays_goes_on_without_asking)
{
    begin_serving();
    struct view *next = fake_next(view);
    next->nodes[2].status = NODE_DOWN;
    next->nodes[2].last_up = 5;
    fake_seal(next);
    size_t count = cluster.streams[0][1]->count;
    install(next);
    ck_assert(copy_serves(primary()));
    fake_join(&cluster, 0, slot);
    ck_assert_uint_eq(cluster.streams[0][1]->count, count); /* and sends nothing again */
    fake_write(&cluster, 0, slot, 'a', '1');
    ck_assert_uint_eq(primary()->effect_epoch, 6);
    fake_deliver_all(&cluster);
    fake_expect_equal(&cluster, 0, 1, slot);
    view_release(next);
}
END_TEST

START_TEST(without_its_replica_a_primary_serves_alone_and_feeds_it_again_when_it_syncs)
{
    begin_serving();
    struct view *down = fake_next(view);
    down->nodes[1].status = NODE_DOWN;
    down->nodes[1].last_up = 5;
    fake_seal(down);
    fake_install(&cluster, 0, down, slot, false);
    ck_assert_uint_eq(primary()->member_count, 0);
    ck_assert(copy_serves(primary()));
    fake_write(&cluster, 0, slot, 'a', '1');

    struct view *back = fake_next(down);
    back->nodes[1].status = NODE_SYNCING;
    fake_seal(back);
    fake_install(&cluster, 0, back, slot, false);
    fake_install(&cluster, 1, back, slot, true);
    ck_assert(copy_serves(primary())); /* while it is fed */
    ck_assert(!copy_is_ready(fake_copy(&cluster, 1, slot)));
    fake_join(&cluster, 0, slot);
    ck_assert(copy_is_ready(fake_copy(&cluster, 1, slot)));
    fake_expect_equal(&cluster, 0, 1, slot);
    view_release(down);
    view_release(back);
}
END_TEST

/* It was accused, say: it counts no more as one that has everything, by its own view. Nothing is
 * written, so that nothing is refused either. */
START_TEST(an_owner_that_is_demoted_is_attached_anew_whoever_hears_first)
{
    for (int first = 0; first < 2; first++) {
        begin_serving();
        struct view *next = fake_next(view);
        next->nodes[1].status = NODE_SYNCING;
        next->nodes[1].last_up = 5;
        fake_seal(next);
        if (first == 0) {
            fake_install(&cluster, 0, next, slot, false);
            fake_join(&cluster, 0, slot);
            fake_install(&cluster, 1, next, slot, true);
        } else {
            fake_install(&cluster, 1, next, slot, true);
            ck_assert(!copy_is_ready(fake_copy(&cluster, 1, slot)));
            fake_join(&cluster, 0, slot);
            fake_install(&cluster, 0, next, slot, false);
        }
        fake_join(&cluster, 0, slot);
        ck_assert_msg(copy_is_ready(fake_copy(&cluster, 1, slot)), "%d", first);
        fake_expect_equal(&cluster, 0, 1, slot);
        view_release(next);
        teardown();
        setup();
    }
}
END_TEST

/* ---- moving ---- */

/* Node 2 is to have what node 0 has; the slot of the tests goes to 2 and 1, or 1 and 2. */
static struct view *make_change(void)
{
    struct view *next = fake_change(view);
    fake_seal(next);
    return next;
}

START_TEST(a_slot_may_move_once_its_new_owners_have_all_of_it)
{
    begin_serving();
    fake_write(&cluster, 0, slot, 'a', '1');
    struct view *next = make_change();
    install(next);
    ck_assert(primary()->movable);
    ck_assert(copy_serves(primary()));
    ck_assert(!copy_can_move(primary(), rim())); /* not while node 2 is refilled */
    copy_step(primary(), rim(), 1000);
    copy_step(primary(), rim(), 1000);
    ck_assert(!copy_can_move(primary(), rim())); /* sent, and not acknowledged */
    fake_join(&cluster, 0, slot);
    fake_write(&cluster, 0, slot, 'b', '1');
    ck_assert(copy_can_move(primary(), rim())); /* what is under way follows */
    ck_assert(copy_serves(primary()));
    fake_deliver_all(&cluster);
    fake_expect_equal(&cluster, 0, 2, slot);
    view_release(next);
}
END_TEST

START_TEST(a_slot_does_not_move_to_who_may_come_back)
{
    for (int lost = 0; lost < 2; lost++) {
        begin_serving();
        struct view *change = make_change();
        struct view *next = fake_next(change);
        next->nodes[2].status = NODE_DOWN;
        next->nodes[2].last_up = 5;
        next->nodes[2].lost = lost == 1;
        fake_seal(next);
        install(next);
        ck_assert_int_eq(primary()->movable, lost == 1); /* then to node 1 alone */
        fake_join(&cluster, 0, slot);
        ck_assert_int_eq(copy_can_move(primary(), rim()), lost == 1);
        view_release(next);
        view_release(change);
        teardown();
        setup();
    }
}
END_TEST

START_TEST(a_slot_that_is_not_to_move_cannot)
{
    begin_serving();
    ck_assert(!copy_can_move(primary(), rim()));
}
END_TEST

/* ---- the whole, to a primary that holds less ---- */

START_TEST(the_whole_is_sent_at_once_by_who_does_not_lead)
{
    begin_serving();
    fake_write(&cluster, 0, slot, 'a', '1');
    fake_write(&cluster, 0, slot, 'p', '2');
    fake_deliver_all(&cluster);
    ck_assert(!copy_send_whole(primary(), rim(), 2)); /* it leads */
    struct copy *holder = fake_copy(&cluster, 1, slot);
    const struct copy_rim *from = &cluster.nodes[1]->rim;
    cluster.cut[1][2] = true;
    ck_assert(!copy_send_whole(holder, from, 2));
    cluster.cut[1][2] = false;
    holder->complete = false;
    ck_assert(!copy_send_whole(holder, from, 2));
    holder->complete = true;
    ck_assert(copy_send_whole(holder, from, 2));
    char kinds[64];
    fake_kinds(&cluster, 1, 2, kinds);
    ck_assert_str_eq(kinds, "BKKN");
    const struct op *end = &cluster.streams[1][2]->ops[3].op;
    ck_assert_uint_eq(end->sequence, 2);
    ck_assert_uint_eq(end->epoch, 5);
    ck_assert_uint_eq(end->flags, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("copy_primary");
    TCase *tcase = tcase_create("copy_primary");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_primary_serves_once_every_owner_is_attached);
    tcase_add_test(tcase, what_is_urgent);
    tcase_add_test(tcase, effects_reach_a_member_in_the_order_they_were_made);
    tcase_add_test(tcase, writes_during_a_refill_are_in_it);
    tcase_add_test(tcase, writes_and_batches_in_any_order_make_equal_copies);
    tcase_add_test(tcase, a_change_of_any_key_begins_a_refill_anew);
    tcase_add_test(tcase, who_holds_the_same_is_attached_by_a_word);
    tcase_add_test(tcase, what_was_equal_is_not_after_a_write);
    tcase_add_test(tcase, a_member_that_lost_its_place_is_refilled_and_not_served_without);
    tcase_add_test(tcase, a_member_whose_word_was_wrong_is_refilled);
    tcase_add_test(tcase, a_lost_stream_of_an_owner_stops_the_serving);
    tcase_add_test(tcase, a_refill_waits_for_room);
    tcase_add_test(tcase, a_node_that_is_not_up_leads_and_does_not_serve);
    tcase_add_test(tcase, a_primary_that_stays_goes_on_without_asking);
    tcase_add_test(tcase,
                   without_its_replica_a_primary_serves_alone_and_feeds_it_again_when_it_syncs);
    tcase_add_test(tcase, an_owner_that_is_demoted_is_attached_anew_whoever_hears_first);
    tcase_add_test(tcase, a_slot_may_move_once_its_new_owners_have_all_of_it);
    tcase_add_test(tcase, a_slot_does_not_move_to_who_may_come_back);
    tcase_add_test(tcase, a_slot_that_is_not_to_move_cannot);
    tcase_add_test(tcase, the_whole_is_sent_at_once_by_who_does_not_lead);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
