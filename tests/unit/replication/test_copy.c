#include "base/error.h"
#include "tests/unit/replication/support/fake_cluster.h"

#include <check.h>
#include <string.h>

static struct fake_cluster cluster;
static struct view *view; /* nodes 0, 1, 2 up, two copies, epoch 5 */
static uint16_t slot;     /* primary 0, replica 1 */

/* Node 0 serves the slot, with key a; node 1 follows. */
static void setup(void)
{
    const struct copy_answers nothing = {.best_peer = COPY_PEER_NONE};
    fake_cluster_init(&cluster);
    view = fake_view(3, 2, 5);
    fake_seal(view);
    slot = fake_slot(3, 2, 0, 1);
    for (uint16_t i = 0; i < 3; i++) {
        fake_install(&cluster, i, view, slot, false);
    }
    copy_resolve(fake_copy(&cluster, 0, slot), &cluster.nodes[0]->rim, &nothing);
    fake_join(&cluster, 0, slot);
    fake_write(&cluster, 0, slot, 'a', '1');
    fake_deliver_all(&cluster);
    fake_expect_equal(&cluster, 0, 1, slot);
}

static void teardown(void)
{
    view_release(view);
    fake_cluster_deinit(&cluster);
}

static struct copy *copy_at(uint16_t node)
{
    return fake_copy(&cluster, node, slot);
}

static enum copy_verdict receive(uint16_t node, uint16_t sender, struct op op)
{
    op.slot = slot;
    uint64_t generation = cluster.streams[0][1]->generation;
    return copy_receive(copy_at(node), &cluster.nodes[node]->rim, &op, sender, generation,
                        cluster.nodes[node]->epoch);
}

static struct op effect(uint64_t epoch, uint64_t sequence)
{
    return (struct op){.kind = OP_EFFECT,
                       .view_epoch = epoch,
                       .epoch = epoch,
                       .sequence = sequence,
                       .payload = BYTES_LITERAL("b2")};
}

static struct view *next_with(uint16_t node, enum node_status status)
{
    struct view *next = fake_next(view);
    next->nodes[node].status = status;
    next->nodes[node].last_up = status == NODE_UP ? 0 : 5;
    fake_seal(next);
    return next;
}

START_TEST(standings_are_ordered)
{
    struct standing incomplete = {false, 9, 9};
    struct standing older = {true, 4, 9};
    struct standing newer = {true, 5, 1};
    struct standing longer = {true, 5, 2};
    ck_assert_int_lt(standing_compare(&incomplete, &older), 0);
    ck_assert_int_gt(standing_compare(&older, &incomplete), 0);
    ck_assert_int_lt(standing_compare(&older, &newer), 0);
    ck_assert_int_lt(standing_compare(&newer, &longer), 0);
    ck_assert_int_gt(standing_compare(&longer, &newer), 0);
    ck_assert_int_eq(standing_compare(&longer, &longer), 0);
}
END_TEST

START_TEST(a_view_gives_the_roles)
{
    ck_assert_int_eq(copy_at(0)->role, COPY_PRIMARY);
    ck_assert_int_eq(copy_at(1)->role, COPY_FOLLOWER);
    ck_assert_int_eq(copy_at(2)->role, COPY_NONE);
    ck_assert_uint_eq(copy_at(1)->leader, 0);
    ck_assert(copy_at(1)->owner);
    ck_assert(copy_at(0)->holds);
    ck_assert(copy_is_ready(copy_at(2)));
    ck_assert_uint_eq(copy_at(0)->member_count, 1);
    ck_assert(fake_member(&cluster, 0, slot, 1)->owner);

    /* One that is placed there and is down, by its own view, goes on waiting for somebody. */
    struct view *next = next_with(1, NODE_DOWN);
    fake_install(&cluster, 1, next, slot, true);
    ck_assert_int_eq(copy_at(1)->role, COPY_FOLLOWER);
    ck_assert(!copy_at(1)->owner);
    ck_assert(!copy_at(1)->may_serve);
    ck_assert(!copy_is_ready(copy_at(1)));
    view_release(next);

    struct view *change = fake_change(view);
    fake_seal(change);
    fake_install(&cluster, 0, change, slot, false);
    fake_install(&cluster, 2, change, slot, false);
    ck_assert_int_eq(copy_at(2)->role, COPY_FOLLOWER); /* to be */
    ck_assert(copy_is_ready(copy_at(2)));              /* it is not needed as yet */
    ck_assert(fake_member(&cluster, 0, slot, 2)->target);
    ck_assert(!fake_member(&cluster, 0, slot, 2)->owner);
    ck_assert(fake_member(&cluster, 0, slot, 1)->target);
    view_release(change);
}
END_TEST

START_TEST(what_is_not_ours_is_dropped_once_the_move_is_settled)
{
    struct view *moved = fake_change(view);
    view_set_slot_moved(moved, slot);
    fake_seal(moved);
    fake_install(&cluster, 0, moved, slot, false);
    ck_assert_int_eq(copy_at(0)->role, COPY_NONE);
    ck_assert(copy_at(0)->complete);
    struct view *later = fake_next(moved);
    later->settled_epoch = 5;
    fake_seal(later);
    fake_install(&cluster, 0, later, slot, false);
    ck_assert_int_eq(cluster.nodes[0]->data[slot][0], '1'); /* the move is of epoch 6 */
    struct view *settled = fake_next(later);
    settled->settled_epoch = 6;
    fake_seal(settled);
    fake_install(&cluster, 0, settled, slot, false);
    ck_assert_int_eq(cluster.nodes[0]->data[slot][0], 0);
    ck_assert(!copy_at(0)->complete);
    ck_assert_uint_eq(copy_at(0)->sequence, 0);
    view_release(moved);
    view_release(later);
    view_release(settled);
}
END_TEST

START_TEST(effects_are_taken_in_order_from_the_source_alone)
{
    ck_assert_int_eq(receive(1, 2, effect(5, 2)), COPY_SKIPPED); /* not the one it listens to */
    ck_assert_int_eq(receive(1, 0, effect(5, 1)), COPY_APPLIED); /* sent again */
    ck_assert_int_eq(cluster.nodes[1]->data[slot][1], 0);
    ck_assert_int_eq(receive(1, 0, effect(5, 2)), COPY_APPLIED);
    ck_assert_int_eq(cluster.nodes[1]->data[slot][1], '2');
    ck_assert_int_eq(receive(1, 0, effect(5, 4)), COPY_SKIPPED); /* 3 is missing */
    ck_assert(!copy_at(1)->attached);
    ck_assert_int_eq(receive(1, 0, effect(5, 3)), COPY_SKIPPED);
    ck_assert_uint_eq(copy_at(1)->sequence, 2);
}
END_TEST

START_TEST(unlawful_operations_break_the_stream)
{
    struct op op = effect(5, 2);
    op.payload = BYTES_LITERAL("?");
    ck_assert_int_eq(receive(1, 0, op), COPY_BROKEN);
    ck_assert_uint_eq(copy_at(1)->sequence, 1);
    ck_assert_int_eq(receive(1, 0, (struct op){.kind = OP_REFILL_BEGIN, .view_epoch = 5}),
                     COPY_APPLIED);
    ck_assert_int_eq(
        receive(
            1, 0,
            (struct op){.kind = OP_REFILL_KEY, .view_epoch = 5, .payload = BYTES_LITERAL("short")}),
        COPY_BROKEN);
    ck_assert_int_eq(receive(1, 0,
                             (struct op){.kind = OP_REFILL_DROP,
                                         .view_epoch = 5,
                                         .payload = BYTES_LITERAL("unknown")}),
                     COPY_BROKEN);
}
END_TEST

START_TEST(another_stream_of_the_same_sender_is_not_the_one)
{
    struct op op = effect(5, 2);
    op.slot = slot;
    ck_assert_int_eq(copy_receive(copy_at(1), &cluster.nodes[1]->rim, &op, 0,
                                  cluster.streams[0][1]->generation + 1, 5),
                     COPY_SKIPPED);
}
END_TEST

START_TEST(what_is_held_stays_until_the_end_of_a_refill)
{
    ck_assert_int_eq(receive(1, 0, (struct op){.kind = OP_REFILL_BEGIN, .view_epoch = 5}),
                     COPY_APPLIED);
    ck_assert_int_eq(cluster.nodes[1]->data[slot][0], '1');
    ck_assert(copy_at(1)->complete);
    ck_assert(!copy_is_ready(copy_at(1)));
    ck_assert_int_eq(receive(1, 0, effect(5, 2)), COPY_SKIPPED); /* not while it is refilled */
    ck_assert_int_eq(
        receive(1, 0,
                (struct op){.kind = OP_REFILL_END, .view_epoch = 5, .epoch = 5, .sequence = 9}),
        COPY_APPLIED);
    ck_assert_int_eq(cluster.nodes[1]->data[slot][0], 0);
    ck_assert_uint_eq(copy_at(1)->sequence, 9);
    ck_assert(!copy_is_ready(copy_at(1))); /* not waited for yet */
    ck_assert_int_eq(receive(1, 0, (struct op){.kind = OP_CONFIRM, .view_epoch = 5}), COPY_APPLIED);
    ck_assert(copy_is_ready(copy_at(1)));
    ck_assert_int_eq(receive(1, 0, (struct op){.kind = OP_REFILL_END, .view_epoch = 5}),
                     COPY_SKIPPED); /* an end without a begin */
}
END_TEST

START_TEST(a_keep_counts_only_when_it_is_true)
{
    struct op keep = {
        .kind = OP_REFILL_END, .flags = OP_FLAG_KEEP, .view_epoch = 5, .epoch = 5, .sequence = 2};
    copy_at(1)->attached = false;
    ck_assert_int_eq(receive(1, 0, keep), COPY_SKIPPED);
    ck_assert(!copy_at(1)->attached);
    keep.sequence = 1;
    ck_assert_int_eq(receive(1, 2, keep), COPY_SKIPPED); /* of somebody who does not lead */
    ck_assert_int_eq(receive(1, 0, keep), COPY_APPLIED);
    ck_assert(copy_at(1)->attached);
    copy_at(1)->complete = false;
    ck_assert_int_eq(receive(1, 0, keep), COPY_SKIPPED);
}
END_TEST

START_TEST(what_belongs_to_a_later_view_waits_for_it)
{
    ck_assert_int_eq(receive(1, 2, effect(6, 2)), COPY_LATER);
    ck_assert_int_eq(receive(1, 2, (struct op){.kind = OP_REFILL_BEGIN, .view_epoch = 6}),
                     COPY_LATER);
    ck_assert_int_eq(receive(1, 0, (struct op){.kind = OP_REFILL_BEGIN, .view_epoch = 6}),
                     COPY_LATER);
    ck_assert(copy_at(1)->attached);
    ck_assert_int_eq(receive(1, 2, (struct op){.kind = OP_REFILL_BEGIN, .view_epoch = 5}),
                     COPY_SKIPPED);
}
END_TEST

/* ---- when somebody else leads ---- */

static struct view *prefer(uint16_t node)
{
    struct view *next = fake_next(view);
    next->nodes[node].preferred = true;
    fake_seal(next);
    return next;
}

START_TEST(a_new_primary_hears_the_old_one_until_it_has_resolved)
{
    struct view *next = prefer(1);
    fake_install(&cluster, 1, next, slot, false);
    ck_assert_int_eq(copy_at(1)->role, COPY_PRIMARY);
    ck_assert_int_eq(copy_at(1)->stage, COPY_ASKING);
    fake_write(&cluster, 0, slot, 'c', '3'); /* the old one does not know yet */
    fake_deliver_all(&cluster);
    ck_assert(fake_is_acked(&cluster, 0, slot));
    ck_assert_int_eq(cluster.nodes[1]->data[slot][2], '3');
    struct standing theirs = copy_standing(copy_at(0));
    struct copy_answers answers = {
        .best = theirs, .best_peer = 0, .least = theirs, .source = theirs, .may_wait = true};
    ck_assert(copy_resolve(copy_at(1), &cluster.nodes[1]->rim, &answers));
    ck_assert_int_eq(copy_at(1)->stage, COPY_JOINING);
    fake_write(&cluster, 0, slot, 'c', '4'); /* too late */
    fake_deliver_all(&cluster);
    ck_assert(!fake_is_acked(&cluster, 0, slot));
    ck_assert_int_eq(cluster.nodes[1]->data[slot][2], '3');
    fake_install(&cluster, 0, next, slot, false);
    copy_yield(copy_at(0));
    ck_assert_int_eq(copy_at(0)->role, COPY_FOLLOWER);
    fake_join(&cluster, 1, slot);
    ck_assert(copy_serves(copy_at(1)));
    fake_expect_equal(&cluster, 0, 1, slot);
    view_release(next);
}
END_TEST

/* By the view another leads: it serves until that one asks, and only what the owners get. */
START_TEST(an_old_primary_acts_until_it_is_asked)
{
    struct view *next = prefer(1);
    fake_install(&cluster, 0, next, slot, false);
    ck_assert(copy_at(0)->acting);
    ck_assert(copy_serves(copy_at(0)));
    ck_assert(!copy_is_ready(copy_at(0)));
    ck_assert_uint_eq(copy_at(0)->leader, 1);
    fake_install(&cluster, 1, next, slot, false);
    ck_assert(!copy_serves(copy_at(1)));
    fake_write(&cluster, 0, slot, 'c', '3');
    fake_deliver_all(&cluster);
    ck_assert(fake_is_acked(&cluster, 0, slot));
    ck_assert_int_eq(cluster.nodes[1]->data[slot][2], '3');
    ck_assert(copy_yield(copy_at(0)));
    ck_assert(!copy_yield(copy_at(0)));
    ck_assert(!copy_serves(copy_at(0)));
    ck_assert_int_eq(copy_at(0)->role, COPY_FOLLOWER);
    ck_assert_uint_eq(copy_at(0)->source, 1);
    ck_assert_uint_eq(copy_at(0)->member_count, 0);
    view_release(next);
}
END_TEST

/* The slot has moved away: what is left there is kept until the new owners are known to have it. */
START_TEST(one_that_owns_nothing_acts_as_well)
{
    struct view *change = fake_change(view);
    fake_seal(change);
    for (uint16_t i = 0; i < 3; i++) {
        fake_install(&cluster, i, change, slot, false);
    }
    fake_join(&cluster, 0, slot);
    fake_deliver_all(&cluster);
    copy_step(copy_at(0), &cluster.nodes[0]->rim, 1000);
    fake_deliver_all(&cluster);
    ck_assert(copy_can_move(copy_at(0), &cluster.nodes[0]->rim));
    struct view *moved = fake_next(change);
    view_set_slot_moved(moved, slot);
    fake_seal(moved);
    fake_install(&cluster, 0, moved, slot, false);
    ck_assert(copy_serves(copy_at(0)));
    ck_assert_uint_eq(copy_at(0)->member_count, 2);
    ck_assert(fake_member(&cluster, 0, slot, 1)->owner);
    ck_assert(fake_member(&cluster, 0, slot, 2)->owner);
    fake_write(&cluster, 0, slot, 'c', '3');
    fake_deliver_all(&cluster);
    ck_assert(fake_is_acked(&cluster, 0, slot));
    ck_assert_int_eq(cluster.nodes[2]->data[slot][2], '3');
    /* An owner that is lost cannot be attached again by who acts. */
    fake_break_stream(&cluster, 0, 2);
    ck_assert(!copy_step(copy_at(0), &cluster.nodes[0]->rim, 1000));
    ck_assert(!copy_serves(copy_at(0)));
    ck_assert(copy_yield(copy_at(0)));
    ck_assert_int_eq(copy_at(0)->role, COPY_NONE);
    ck_assert_uint_eq(copy_at(0)->none_since, moved->epoch);
    ck_assert(copy_at(0)->complete);
    view_release(change);
    view_release(moved);
}
END_TEST

START_TEST(an_old_primary_stops_at_once_when_it_cannot_act)
{
    struct view *next = prefer(1);
    struct view *later = fake_next(next);
    fake_seal(later);
    fake_install(&cluster, 0, later, slot, false); /* it has missed one */
    ck_assert(!copy_at(0)->acting && copy_at(0)->role == COPY_FOLLOWER);
    view_release(later);
    teardown();
    setup();
    fake_break_stream(&cluster, 0, 1); /* an owner does not get what it would do */
    view_release(next);
    next = prefer(1);
    fake_install(&cluster, 0, next, slot, false);
    ck_assert(!copy_at(0)->acting && copy_at(0)->role == COPY_FOLLOWER);
    view_release(next);
    teardown();
    setup();
    next = prefer(1);
    fake_install(&cluster, 0, next, slot, true); /* it may have missed effects */
    ck_assert(!copy_at(0)->acting && copy_at(0)->role == COPY_FOLLOWER);
    view_release(next);
}
END_TEST

/* It has listened all the time, and is waited for. */
START_TEST(one_that_was_to_lead_and_never_asked_follows_as_before)
{
    struct view *next = prefer(1);
    fake_install(&cluster, 0, next, slot, false);
    fake_install(&cluster, 1, next, slot, false);
    struct view *back = fake_next(next);
    back->nodes[1].preferred = false;
    fake_seal(back);
    fake_install(&cluster, 0, back, slot, false);
    fake_install(&cluster, 1, back, slot, false);
    ck_assert(copy_serves(copy_at(0)));
    ck_assert(!copy_at(0)->acting);
    ck_assert(copy_is_ready(copy_at(0)));
    ck_assert(copy_is_ready(copy_at(1)));
    fake_write(&cluster, 0, slot, 'c', '3');
    fake_deliver_all(&cluster);
    ck_assert(fake_is_acked(&cluster, 0, slot));
    fake_expect_equal(&cluster, 0, 1, slot);
    view_release(next);
    view_release(back);
}
END_TEST

START_TEST(nobody_hears_an_old_primary_that_is_not_up)
{
    struct view *next = next_with(0, NODE_DOWN);
    fake_write(&cluster, 0, slot, 'c', '3');
    fake_install(&cluster, 1, next, slot, false);
    fake_deliver_all(&cluster);
    ck_assert(!fake_is_acked(&cluster, 0, slot));
    ck_assert_int_eq(cluster.nodes[1]->data[slot][2], 0);
    view_release(next);
}
END_TEST

START_TEST(a_new_primary_waits_for_what_is_on_its_way_or_sends_for_it)
{
    struct view *next = prefer(1);
    struct standing more = {true, 5, 7};
    fake_install(&cluster, 1, next, slot, false);
    struct copy_answers answers = {
        .best = more, .best_peer = 0, .least = more, .source = more, .may_wait = true};
    ck_assert(!copy_resolve(copy_at(1), &cluster.nodes[1]->rim, &answers));
    ck_assert_int_eq(copy_at(1)->stage, COPY_ASKING);
    answers.may_wait = false;
    ck_assert(copy_resolve(copy_at(1), &cluster.nodes[1]->rim, &answers));
    ck_assert_int_eq(copy_at(1)->stage, COPY_FETCHING);
    ck_assert_int_eq(receive(1, 0, effect(5, 2)), COPY_SKIPPED);
    ck_assert_int_eq(receive(1, 2, (struct op){.kind = OP_REFILL_BEGIN, .view_epoch = 6}),
                     COPY_SKIPPED); /* not whom it sent for */
    ck_assert_int_eq(receive(1, 0, (struct op){.kind = OP_REFILL_BEGIN, .view_epoch = 6}),
                     COPY_APPLIED);
    ck_assert_int_eq(
        receive(1, 0,
                (struct op){.kind = OP_REFILL_END, .view_epoch = 6, .epoch = 5, .sequence = 7}),
        COPY_APPLIED);
    ck_assert_int_eq(copy_at(1)->stage, COPY_JOINING);
    ck_assert_uint_eq(copy_at(1)->sequence, 7);
    view_release(next);
}
END_TEST

/* The slot has moved: the source is no owner any more, and its last writes are under way to both.
 */
START_TEST(a_new_primary_waits_for_the_source_and_for_the_others)
{
    struct view *next = prefer(1);
    fake_install(&cluster, 1, next, slot, false);
    struct standing ours = copy_standing(copy_at(1));
    struct standing final = {true, ours.effect_epoch, ours.sequence + 1};
    struct copy_answers answers = {
        .best = ours, .best_peer = 2, .least = ours, .source = final, .may_wait = true};
    ck_assert(!copy_resolve(copy_at(1), &cluster.nodes[1]->rim, &answers));
    fake_write(&cluster, 0, slot, 'c', '3');
    fake_deliver_all(&cluster);
    ck_assert(
        !copy_resolve(copy_at(1), &cluster.nodes[1]->rim, &answers)); /* the other one lacks it */
    answers.best = answers.least = final;
    ck_assert(copy_resolve(copy_at(1), &cluster.nodes[1]->rim, &answers));
    ck_assert_int_eq(copy_at(1)->stage, COPY_JOINING);
    ck_assert_int_eq(cluster.nodes[1]->data[slot][2], '3');
    view_release(next);
}
END_TEST

START_TEST(nothing_more_comes_of_a_source_that_has_less)
{
    struct view *next = prefer(1);
    fake_install(&cluster, 1, next, slot, false);
    struct standing ours = copy_standing(copy_at(1));
    struct standing more = {true, ours.effect_epoch, ours.sequence + 5};
    struct copy_answers answers = {
        .best = more, .best_peer = 2, .least = ours, .source = ours, .may_wait = true};
    ck_assert(copy_resolve(copy_at(1), &cluster.nodes[1]->rim, &answers));
    ck_assert_int_eq(copy_at(1)->stage, COPY_FETCHING);
    ck_assert_uint_eq(copy_at(1)->source, 2);
    view_release(next);
}
END_TEST

START_TEST(what_counts_for_nothing_is_forgotten)
{
    /* Both were lost when they were last up: node 1 is back, and what it holds is void. */
    struct view *next = fake_next(view);
    for (size_t i = 0; i < 2; i++) {
        next->nodes[i].status = i == 0 ? NODE_DOWN : NODE_SYNCING;
        next->nodes[i].last_up = 5;
        next->nodes[i].lost = true;
    }
    fake_seal(next);
    const struct copy_answers nothing = {.best_peer = COPY_PEER_NONE};
    fake_install(&cluster, 1, next, slot, true);
    ck_assert_int_eq(copy_at(1)->role, COPY_PRIMARY);
    ck_assert(!copy_at(1)->holds);
    ck_assert(copy_resolve(copy_at(1), &cluster.nodes[1]->rim, &nothing));
    ck_assert_int_eq(cluster.nodes[1]->data[slot][0], 0);
    ck_assert(copy_at(1)->complete);
    ck_assert_uint_eq(copy_at(1)->sequence, 0);
    view_release(next);
}
END_TEST

START_TEST(half_a_refill_is_dropped_with_its_sender)
{
    ck_assert_int_eq(receive(1, 0, (struct op){.kind = OP_REFILL_BEGIN, .view_epoch = 5}),
                     COPY_APPLIED);
    struct view *next = prefer(1);
    fake_install(&cluster, 1, next, slot, false);
    const struct copy_answers nothing = {.best_peer = COPY_PEER_NONE};
    ck_assert(copy_resolve(copy_at(1), &cluster.nodes[1]->rim, &nothing));
    ck_assert(!copy_at(1)->receiving);
    ck_assert_int_eq(cluster.nodes[1]->data[slot][0], '1');
    view_release(next);
}
END_TEST

START_TEST(a_demoted_copy_is_no_more_attached)
{
    struct view *next = next_with(1, NODE_SYNCING);
    fake_install(&cluster, 1, next, slot, true);
    ck_assert(!copy_at(1)->attached);
    ck_assert(!copy_is_ready(copy_at(1)));
    /* The primary of the older view need not wait for it, nor does it get its hopes up. */
    ck_assert_int_eq(receive(1, 0, effect(5, 2)), COPY_APPLIED);
    ck_assert_uint_eq(copy_at(1)->sequence, 1);
    ck_assert_int_eq(receive(1, 0, effect(6, 2)), COPY_SKIPPED);
    ck_assert_int_eq(receive(1, 2, effect(5, 2)), COPY_SKIPPED);
    view_release(next);
}
END_TEST

/* A view reaches one slot after another, and the node's epoch last of all. */
START_TEST(a_demoted_copy_holds_nobody_up_while_its_node_installs_the_view)
{
    struct view *next = next_with(1, NODE_DOWN);
    fake_install(&cluster, 1, next, slot, true);
    cluster.nodes[1]->epoch = 5;
    ck_assert_int_eq(receive(1, 0, effect(5, 2)), COPY_APPLIED);
    ck_assert_uint_eq(copy_at(1)->sequence, 1);
    ck_assert_int_eq(receive(1, 0, effect(6, 2)), COPY_LATER);
    ck_assert_int_eq(receive(1, 2, effect(5, 2)), COPY_SKIPPED);
    view_release(next);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("copy");
    TCase *tcase = tcase_create("copy");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, standings_are_ordered);
    tcase_add_test(tcase, a_view_gives_the_roles);
    tcase_add_test(tcase, what_is_not_ours_is_dropped_once_the_move_is_settled);
    tcase_add_test(tcase, effects_are_taken_in_order_from_the_source_alone);
    tcase_add_test(tcase, unlawful_operations_break_the_stream);
    tcase_add_test(tcase, another_stream_of_the_same_sender_is_not_the_one);
    tcase_add_test(tcase, what_is_held_stays_until_the_end_of_a_refill);
    tcase_add_test(tcase, a_keep_counts_only_when_it_is_true);
    tcase_add_test(tcase, what_belongs_to_a_later_view_waits_for_it);
    tcase_add_test(tcase, a_new_primary_hears_the_old_one_until_it_has_resolved);
    tcase_add_test(tcase, an_old_primary_acts_until_it_is_asked);
    tcase_add_test(tcase, one_that_owns_nothing_acts_as_well);
    tcase_add_test(tcase, an_old_primary_stops_at_once_when_it_cannot_act);
    tcase_add_test(tcase, one_that_was_to_lead_and_never_asked_follows_as_before);
    tcase_add_test(tcase, nobody_hears_an_old_primary_that_is_not_up);
    tcase_add_test(tcase, a_new_primary_waits_for_what_is_on_its_way_or_sends_for_it);
    tcase_add_test(tcase, a_new_primary_waits_for_the_source_and_for_the_others);
    tcase_add_test(tcase, nothing_more_comes_of_a_source_that_has_less);
    tcase_add_test(tcase, what_counts_for_nothing_is_forgotten);
    tcase_add_test(tcase, half_a_refill_is_dropped_with_its_sender);
    tcase_add_test(tcase, a_demoted_copy_is_no_more_attached);
    tcase_add_test(tcase, a_demoted_copy_holds_nobody_up_while_its_node_installs_the_view);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
