/* Who owns, leads, holds and learns a slot: what a view says beyond where the ring places it. */
#include "base/error.h"
#include "ring/view.h"

#include <check.h>
#include <string.h>

#define SLOT 7

static struct node_id id_of(uint8_t number)
{
    return (struct node_id){{number, 1, 2, 3}};
}

/* Unsealed: nodes 1 .. count, all up, of equal weight. */
static struct view *make_view(uint8_t count, uint8_t copies)
{
    struct view *view = view_create();
    view->epoch = 20;
    view->copies = copies;
    for (uint8_t i = 1; i <= count; i++) {
        struct view_node node = {.id = id_of(i),
                                 .host = "host",
                                 .status = NODE_UP,
                                 .weight_current = WEIGHT_UNIT,
                                 .weight_target = WEIGHT_UNIT};
        ck_assert_int_eq(view_put_node(view, &node), 0);
    }
    return view;
}

static void seal(struct view *view)
{
    ck_assert_int_eq(view_seal(view), 0);
}

/* Where SLOT is placed in a view of so many nodes: indexes, in the ring's order. */
static size_t placed_in(uint8_t count, uint8_t copies, uint16_t out[COPIES_MAX])
{
    struct view *view = make_view(count, copies);
    seal(view);
    size_t placed = view_owners_placed(view, SLOT, out);
    view_release(view);
    ck_assert_uint_eq(placed, copies);
    return placed;
}

static void expect_list(const uint16_t *nodes, size_t count, const uint16_t *expected,
                        size_t expected_count)
{
    ck_assert_uint_eq(count, expected_count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq(nodes[i], expected[i]);
    }
}

#define EXPECT(function, view, ...)                                                                \
    do {                                                                                           \
        const uint16_t expected_[] = {__VA_ARGS__};                                                \
        uint16_t got_[VIEW_LEARNERS_MAX];                                                          \
        size_t count_ = function(view, SLOT, got_);                                                \
        expect_list(got_, count_, expected_, sizeof(expected_) / sizeof(expected_[0]));            \
    } while (0)

#define EXPECT_NONE(function, view)                                                                \
    do {                                                                                           \
        uint16_t got_[VIEW_LEARNERS_MAX];                                                          \
        ck_assert_uint_eq(function(view, SLOT, got_), 0);                                          \
    } while (0)

static void not_up(struct view *view, uint16_t node, enum node_status status, uint64_t last_up,
                   bool lost)
{
    view->nodes[node].status = status;
    view->nodes[node].last_up = last_up;
    view->nodes[node].lost = lost;
}

START_TEST(a_preferred_node_leads_and_leaving_ones_come_last)
{
    uint16_t at[COPIES_MAX];
    placed_in(5, 4, at);
    struct view *view = make_view(5, 4);
    view->nodes[at[0]].leaving = true;
    view->nodes[at[2]].preferred = true;
    seal(view);
    EXPECT(view_owners, view, at[2], at[1], at[3], at[0]);
    EXPECT(view_holders, view, at[2], at[1], at[3], at[0]);
    EXPECT(view_owners_placed, view, at[0], at[1], at[2], at[3]);
    view_release(view);

    view = make_view(5, 4);
    view->nodes[at[1]].leaving = true;
    view->nodes[at[2]].preferred = true;
    not_up(view, at[2], NODE_SYNCING, 3, false); /* preferred, but not up */
    not_up(view, at[0], NODE_DOWN, 4, false);
    seal(view);
    EXPECT(view_owners, view, at[3], at[1]);
    EXPECT(view_learners, view, at[2]);
    view_release(view);
}
END_TEST

START_TEST(a_leaving_node_leads_what_nobody_else_has)
{
    uint16_t at[COPIES_MAX];
    placed_in(4, 2, at);
    struct view *view = make_view(4, 2);
    view->nodes[at[0]].leaving = true;
    not_up(view, at[1], NODE_DOWN, 4, false);
    seal(view);
    EXPECT(view_owners, view, at[0]);
    view_release(view);
}
END_TEST

/* None of a slot's owners is up: `a` and `b` are the first and the second in place. */
struct outage {
    enum node_status a_status;
    uint64_t a_last;
    bool a_lost;
    enum node_status b_status;
    uint64_t b_last;
    bool b_lost;
    int leader; /* 0 = a, 1 = b, -1 = nobody */
    int holders[2];
    size_t holder_count;
};

static const struct outage outages[] = {
    /* The last that went down has everything. */
    {NODE_SYNCING, 9, false, NODE_SYNCING, 8, false, 0, {0}, 1},
    {NODE_SYNCING, 8, false, NODE_SYNCING, 9, false, 1, {1}, 1},
    /* Both went down at once: either has everything, and the first in place leads. */
    {NODE_SYNCING, 9, false, NODE_SYNCING, 9, false, 0, {0, 1}, 2},
    {NODE_DOWN, 9, false, NODE_SYNCING, 9, false, 1, {1}, 1},
    {NODE_SYNCING, 9, true, NODE_SYNCING, 9, false, 1, {1}, 1},
    {NODE_DOWN, 9, true, NODE_SYNCING, 9, false, 1, {1}, 1},
    /* Whoever has it is still down: nobody leads, for who is back has less. */
    {NODE_SYNCING, 8, false, NODE_DOWN, 9, false, -1, {0}, 0},
    {NODE_SYNCING, 0, false, NODE_DOWN, 9, false, -1, {0}, 0},
    {NODE_SYNCING, 9, true, NODE_DOWN, 9, false, -1, {0}, 0},
    {NODE_DOWN, 9, false, NODE_DOWN, 9, false, -1, {0}, 0},
    /* It is lost: the first that is back begins empty, and what it still has counts for nothing. */
    {NODE_SYNCING, 9, true, NODE_SYNCING, 8, false, 0, {0}, 0},
    {NODE_SYNCING, 8, false, NODE_SYNCING, 9, true, 0, {0}, 0},
    {NODE_DOWN, 9, true, NODE_SYNCING, 8, false, 1, {0}, 0},
    {NODE_DOWN, 9, true, NODE_SYNCING, 9, true, 1, {0}, 0},
    {NODE_SYNCING, 0, false, NODE_SYNCING, 0, false, 0, {0}, 0},
    {NODE_DOWN, 9, true, NODE_DOWN, 8, false, -1, {0}, 0},
};

START_TEST(without_an_owner_that_is_up_the_last_holder_leads)
{
    const struct outage *outage = &outages[_i];
    uint16_t at[COPIES_MAX];
    placed_in(4, 2, at);
    struct view *view = make_view(4, 2);
    not_up(view, at[0], outage->a_status, outage->a_last, outage->a_lost);
    not_up(view, at[1], outage->b_status, outage->b_last, outage->b_lost);
    seal(view);
    uint16_t nodes[VIEW_LEARNERS_MAX];
    size_t count = view_owners(view, SLOT, nodes);
    ck_assert_uint_eq(count, outage->leader < 0 ? 0 : 1);
    if (outage->leader >= 0) {
        ck_assert_uint_eq(nodes[0], at[outage->leader]);
    }
    count = view_holders(view, SLOT, nodes);
    ck_assert_uint_eq(count, outage->holder_count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq(nodes[i], at[outage->holders[i]]);
    }
    /* Who is back and does not lead is sent the slot by whoever does. */
    count = view_learners(view, SLOT, nodes);
    int other = 1 - outage->leader;
    bool back = outage->leader >= 0 && view->nodes[at[other]].status == NODE_SYNCING;
    ck_assert_uint_eq(count, back ? 1 : 0);
    if (back) {
        ck_assert_uint_eq(nodes[0], at[other]);
    }
    view_release(view);
}
END_TEST

START_TEST(one_that_is_up_leads_whatever_the_others_were)
{
    uint16_t at[COPIES_MAX];
    placed_in(4, 3, at);
    struct view *view = make_view(4, 3);
    not_up(view, at[0], NODE_SYNCING, 19, false);
    not_up(view, at[1], NODE_DOWN, 18, false);
    seal(view);
    EXPECT(view_owners, view, at[2]);
    EXPECT(view_holders, view, at[2]);
    EXPECT(view_learners, view, at[0]);
    view_release(view);
}
END_TEST

/* Node 5 has weight 0 so far; the target ring gives everything to it and to node 4. */
static struct view *make_change(void)
{
    struct view *view = make_view(5, 2);
    view->changing = true;
    view->nodes[4].weight_current = 0;
    for (size_t i = 0; i < 3; i++) {
        view->nodes[i].weight_target = 0;
    }
    return view;
}

START_TEST(while_the_ring_changes_the_new_owners_learn)
{
    struct view *view = make_change();
    struct view *next = view_clone(view);
    uint16_t targets[COPIES_MAX];
    uint16_t owners[COPIES_MAX];
    uint16_t learners[VIEW_LEARNERS_MAX];
    seal(view);
    ck_assert_uint_eq(view_owners_target(view, SLOT, targets), 2);
    ck_assert_uint_ne(targets[0], targets[1]);
    size_t owner_count = view_owners(view, SLOT, owners);
    ck_assert_uint_eq(owner_count, 2);
    size_t count = view_learners(view, SLOT, learners);
    size_t expected = 0;
    for (size_t i = 0; i < 2; i++) {
        ck_assert_uint_ge(targets[i], 3);
        if (targets[i] != owners[0] && targets[i] != owners[1]) {
            ck_assert_uint_eq(learners[expected++], targets[i]);
        }
    }
    ck_assert_uint_ge(expected, 1);
    ck_assert_uint_eq(count, expected);

    /* Moved: they are the owners, and there is nothing to learn any more. */
    view_set_slot_moved(next, SLOT);
    seal(next);
    EXPECT(view_owners, next, targets[0], targets[1]);
    EXPECT_NONE(view_learners, next);
    view_release(view);
    view_release(next);
}
END_TEST

START_TEST(a_new_owner_that_is_down_learns_nothing)
{
    struct view *view = make_change();
    not_up(view, 4, NODE_DOWN, 3, false);
    seal(view);
    uint16_t learners[VIEW_LEARNERS_MAX];
    size_t count = view_learners(view, SLOT, learners);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_ne(learners[i], 4);
    }
    EXPECT(view_owners_target, view, view->target->owners[0][SLOT],
           view->target->owners[1][SLOT]); /* whatever their status */
    view_release(view);
}
END_TEST

START_TEST(there_is_no_target_unless_the_ring_changes)
{
    struct view *view = make_view(3, 2);
    seal(view);
    EXPECT_NONE(view_owners_target, view);
    EXPECT_NONE(view_learners, view);
    view_release(view);
}
END_TEST

START_TEST(a_change_ends_with_the_target_as_the_ring)
{
    struct view *view = make_change();
    memset(view->moved, 0xff, sizeof(view->moved));
    seal(view);
    struct view *next = view_clone(view);
    next->epoch++;
    view_finish_change(next);
    ck_assert(!next->changing);
    ck_assert_uint_eq(next->nodes[0].weight_current, 0);
    ck_assert_uint_eq(next->nodes[4].weight_current, WEIGHT_UNIT);
    seal(next);
    ck_assert_ptr_null(next->target);
    ck_assert(!view_slot_moved(next, SLOT));
    size_t wrong = 0;
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t before[COPIES_MAX];
        uint16_t after[COPIES_MAX];
        size_t count = view_owners(view, (uint16_t)slot, before);
        wrong += view_owners(next, (uint16_t)slot, after) != count ||
                 memcmp(before, after, count * sizeof(before[0])) != 0;
    }
    ck_assert_uint_eq(wrong, 0);
    view_release(view);
    view_release(next);
}
END_TEST

START_TEST(views_that_place_alike_share_what_was_computed)
{
    struct view *view = make_change();
    seal(view);
    struct view *next = view_clone(view);
    next->epoch++;
    not_up(next, 0, NODE_DOWN, 20, false);
    seal(next);
    ck_assert_ptr_eq(next->current, view->current);
    ck_assert_ptr_eq(next->target, view->target);
    struct view *done = view_clone(next);
    memset(done->moved, 0xff, sizeof(done->moved));
    view_finish_change(done);
    seal(done);
    ck_assert_ptr_eq(done->current, view->target); /* the target has become current */
    view_release(view);
    view_release(next);
    uint16_t owners[COPIES_MAX]; /* it lives as long as anybody has it */
    ck_assert_uint_eq(view_owners(done, SLOT, owners), 2);

    struct view *other = view_clone(done);
    other->nodes[1].weight_current = other->nodes[1].weight_target = 1;
    seal(other);
    ck_assert_ptr_ne(other->current, done->current);
    struct view *zoned = view_clone(done);
    strcpy(zoned->nodes[3].zone, "z");
    seal(zoned);
    ck_assert_ptr_ne(zoned->current, done->current);
    struct view *copied = view_clone(done);
    copied->copies = 1;
    seal(copied);
    ck_assert_uint_eq(view_owners(copied, SLOT, owners), 1);
    view_release(other);
    view_release(zoned);
    view_release(copied);
    view_release(done);
}
END_TEST

START_TEST(an_unsealed_clone_gives_back_what_it_shares)
{
    struct view *view = make_change();
    seal(view);
    struct view *clone = view_clone(view);
    view_release(view);
    clone->copies = COPIES_MAX + 1;
    ck_assert_int_eq(view_seal(clone), TORC_EINVAL);
    view_release(clone); /* the leak checker looks on */
}
END_TEST

START_TEST(removed_nodes_are_remembered_up_to_a_limit)
{
    struct view *view = make_view(1, 1);
    struct node_id first = {{9, 9, 0, 0}};
    for (unsigned i = 0; i < REMOVED_MAX; i++) {
        struct node_id gone = {{9, 9, (uint8_t)(i >> 8), (uint8_t)i}};
        ck_assert_int_eq(view_note_removed(view, &gone), 0);
        ck_assert_int_eq(view_note_removed(view, &gone), 0); /* once */
    }
    ck_assert_uint_eq(view->removed_count, REMOVED_MAX);
    ck_assert(view_was_removed(view, &first));
    ck_assert(!view_was_removed(view, &(struct node_id){{10}}));
    ck_assert_int_eq(view_note_removed(view, &(struct node_id){{10}}), 0);
    ck_assert_uint_eq(view->removed_count, REMOVED_MAX);
    ck_assert(view_was_removed(view, &(struct node_id){{10}}));
    ck_assert(!view_was_removed(view, &first)); /* the oldest */
    ck_assert(view_was_removed(view, &(struct node_id){{9, 9, 0, 1}}));
    struct view *clone = view_clone(view);
    ck_assert(view_was_removed(clone, &(struct node_id){{10}}));
    view_release(clone);
    view_release(view);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("view_owners");
    TCase *tcase = tcase_create("view_owners");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_preferred_node_leads_and_leaving_ones_come_last);
    tcase_add_test(tcase, a_leaving_node_leads_what_nobody_else_has);
    tcase_add_loop_test(tcase, without_an_owner_that_is_up_the_last_holder_leads, 0,
                        sizeof(outages) / sizeof(outages[0]));
    tcase_add_test(tcase, one_that_is_up_leads_whatever_the_others_were);
    tcase_add_test(tcase, while_the_ring_changes_the_new_owners_learn);
    tcase_add_test(tcase, a_new_owner_that_is_down_learns_nothing);
    tcase_add_test(tcase, there_is_no_target_unless_the_ring_changes);
    tcase_add_test(tcase, a_change_ends_with_the_target_as_the_ring);
    tcase_add_test(tcase, views_that_place_alike_share_what_was_computed);
    tcase_add_test(tcase, an_unsealed_clone_gives_back_what_it_shares);
    tcase_add_test(tcase, removed_nodes_are_remembered_up_to_a_limit);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
