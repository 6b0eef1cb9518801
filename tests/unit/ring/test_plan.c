#include "base/prng.h"
#include "ring/plan.h"

#include <check.h>
#include <string.h>

/* `count` equal nodes, the same ids for the same numbers. */
static struct view *make_view(size_t count)
{
    struct prng prng;
    prng_init(&prng, 1);
    struct view *view = view_create();
    ck_assert_ptr_nonnull(view);
    view->copies = 2;
    for (size_t i = 0; i < count; i++) {
        struct view_node node = {.host = "host",
                                 .status = NODE_UP,
                                 .weight_asked = WEIGHT_UNIT,
                                 .weight_current = WEIGHT_UNIT,
                                 .weight_target = WEIGHT_UNIT};
        node_id_generate(&node.id, &prng);
        ck_assert_int_eq(view_put_node(view, &node), 0);
    }
    return view;
}

static struct view *sealed(struct view *view)
{
    ck_assert_int_eq(view_seal(view), 0);
    return view;
}

static uint32_t count_bits(const struct plan *plan, bool (*test)(const struct plan *, uint16_t))
{
    uint32_t count = 0;
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        count += test(plan, slot) ? 1 : 0;
    }
    return count;
}

/* What must hold in every plan between full views of two copies. */
static void expect_consistent(const struct plan *plan)
{
    uint32_t from[2] = {0, 0};
    uint32_t to[2] = {0, 0};
    uint32_t gained = 0;
    uint32_t lost = 0;
    for (size_t i = 0; i < plan->node_count; i++) {
        const struct plan_node *node = &plan->nodes[i];
        for (size_t rank = 0; rank < 2; rank++) {
            from[rank] += node->slots_from[rank];
            to[rank] += node->slots_to[rank];
        }
        gained += node->copies_gained;
        lost += node->copies_lost;
        ck_assert_uint_eq(node->slots_from[0] + node->slots_from[1] + node->copies_gained,
                          node->slots_to[0] + node->slots_to[1] + node->copies_lost);
        if (i > 0) {
            ck_assert_int_lt(node_id_compare(&plan->nodes[i - 1].id, &node->id), 0);
        }
    }
    for (size_t rank = 0; rank < 2; rank++) {
        ck_assert_uint_eq(from[rank], SLOT_COUNT);
        ck_assert_uint_eq(to[rank], SLOT_COUNT);
    }
    ck_assert_uint_eq(gained, lost);
    ck_assert_uint_eq(gained, plan->copies_moved);
    ck_assert_uint_eq(count_bits(plan, plan_primary_changes), plan->primaries_moved);
    ck_assert_uint_le(count_bits(plan, plan_owner_gains), plan->copies_moved);
    ck_assert_uint_ge(2 * count_bits(plan, plan_owner_gains), plan->copies_moved);
}

START_TEST(nothing_changes_between_a_view_and_itself)
{
    struct view *view = sealed(make_view(5));
    struct plan *plan = plan_create(view, view);
    expect_consistent(plan);
    ck_assert_uint_eq(plan->primaries_moved, 0);
    ck_assert_uint_eq(plan->primaries_least, 0);
    ck_assert_uint_eq(plan->copies_moved, 0);
    ck_assert_uint_eq(plan->node_count, 5);
    for (size_t rank = 0; rank < 2; rank++) {
        ck_assert_double_ge(plan->largest_from[rank], 1.0);
        ck_assert_double_le(plan->largest_from[rank], 1.051);
        ck_assert_double_eq(plan->largest_from[rank], plan->largest_to[rank]);
    }
    ck_assert_double_eq(plan->largest_to[2], 0);
    plan_destroy(plan);
    plan_destroy(NULL);
    view_release(view);
}
END_TEST

START_TEST(adding_a_node_moves_its_share_to_it)
{
    struct view *from = sealed(make_view(9));
    struct view *to = sealed(make_view(10));
    to->epoch = 2;
    struct plan *plan = plan_create(from, to);
    expect_consistent(plan);
    ck_assert_uint_eq(plan->epoch_from, 1);
    ck_assert_uint_eq(plan->epoch_to, 2);
    ck_assert_uint_eq(plan->node_count, 10);
    ck_assert_uint_eq(plan->primaries_least, SLOT_COUNT / 10);
    ck_assert_double_le(plan->primaries_moved, 1.25 * plan->primaries_least);
    size_t joined = 0;
    for (size_t i = 0; i < 10; i++) {
        if (view_find(from, &plan->nodes[i].id) < 0) {
            joined++;
            ck_assert_double_eq(plan->nodes[i].share_from, 0);
            ck_assert_uint_eq(plan->nodes[i].slots_from[0], 0);
            ck_assert_uint_gt(plan->nodes[i].slots_to[0], 0);
            ck_assert_uint_eq(plan->nodes[i].copies_lost, 0);
            ck_assert_uint_eq(plan->nodes[i].copies_gained,
                              plan->nodes[i].slots_to[0] + plan->nodes[i].slots_to[1]);
        }
    }
    ck_assert_uint_eq(joined, 1);
    plan_destroy(plan);

    /* And the way back: at least what it led. */
    plan = plan_create(to, from);
    expect_consistent(plan);
    ck_assert_uint_ge(plan->primaries_moved, plan->primaries_least);
    ck_assert_double_le(plan->primaries_moved, 1.25 * plan->primaries_least);
    plan_destroy(plan);
    view_release(from);
    view_release(to);
}
END_TEST

START_TEST(the_bits_say_which_slots)
{
    struct view *from = sealed(make_view(3));
    struct view *to = sealed(make_view(4));
    struct plan *plan = plan_create(from, to);
    size_t wrong = 0;
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t a[COPIES_MAX];
        uint16_t b[COPIES_MAX];
        view_owners_placed(from, slot, a);
        view_owners_placed(to, slot, b);
        const struct node_id *before[2] = {&from->nodes[a[0]].id, &from->nodes[a[1]].id};
        const struct node_id *after[2] = {&to->nodes[b[0]].id, &to->nodes[b[1]].id};
        bool changes = !node_id_equal(before[0], after[0]);
        bool gains = false;
        for (size_t i = 0; i < 2; i++) {
            gains = gains ||
                    (!node_id_equal(after[i], before[0]) && !node_id_equal(after[i], before[1]));
        }
        wrong += plan_primary_changes(plan, slot) == changes ? 0 : 1;
        wrong += plan_owner_gains(plan, slot) == gains ? 0 : 1;
    }
    ck_assert_uint_eq(wrong, 0);
    plan_destroy(plan);
    view_release(from);
    view_release(to);
}
END_TEST

START_TEST(a_changing_view_is_planned_to_its_target)
{
    struct view *from = sealed(make_view(6));
    struct view *to = view_clone(from);
    to->changing = true;
    to->nodes[2].weight_target = 0;
    to->nodes[4].weight_target = 2 * WEIGHT_UNIT;
    sealed(to);
    struct plan *plan = plan_create(from, to);
    expect_consistent(plan);
    ck_assert_uint_eq(plan->nodes[2].slots_to[0], 0);
    ck_assert_double_eq(plan->nodes[2].share_to, 0);
    ck_assert_uint_eq(plan->nodes[2].copies_gained, 0);
    ck_assert_uint_gt(plan->nodes[4].slots_to[0], plan->nodes[4].slots_from[0] * 3 / 2);
    ck_assert_uint_ge(plan->primaries_least, SLOT_COUNT / 6 * 9 / 10);
    ck_assert_uint_ge(plan->primaries_moved, plan->primaries_least);
    uint32_t whole = plan->primaries_moved;
    plan_destroy(plan);

    /* Half of the slots have moved: what is left is less, and with all moved it is nothing. */
    struct view *half = view_clone(to);
    for (unsigned slot = 0; slot < SLOT_COUNT / 2; slot++) {
        view_set_slot_moved(half, (uint16_t)slot);
    }
    sealed(half);
    plan = plan_create(half, half);
    expect_consistent(plan);
    ck_assert_uint_gt(plan->primaries_moved, 0);
    ck_assert_uint_lt(plan->primaries_moved, whole);
    ck_assert(!plan_primary_changes(plan, 0));
    plan_destroy(plan);

    struct view *done = view_clone(half);
    memset(done->moved, 0xff, sizeof(done->moved));
    sealed(done);
    plan = plan_create(done, done);
    expect_consistent(plan);
    ck_assert_uint_eq(plan->primaries_moved, 0);
    ck_assert_uint_eq(plan->primaries_least, 0);
    plan_destroy(plan);
    view_release(done);
    view_release(half);
    view_release(to);
    view_release(from);
}
END_TEST

START_TEST(status_does_not_matter_and_copies_do)
{
    struct view *from = sealed(make_view(4));
    struct view *to = view_clone(from);
    to->nodes[0].status = NODE_DOWN;
    sealed(to);
    struct plan *plan = plan_create(from, to);
    ck_assert_uint_eq(plan->primaries_moved, 0);
    plan_destroy(plan);
    view_release(to);

    to = view_clone(from);
    to->copies = 3;
    sealed(to);
    plan = plan_create(from, to);
    ck_assert_uint_eq(plan->primaries_moved, 0);
    ck_assert_uint_ge(plan->copies_moved, SLOT_COUNT);
    ck_assert_uint_eq(count_bits(plan, plan_owner_gains), SLOT_COUNT);
    plan_destroy(plan);
    view_release(to);
    view_release(from);
}
END_TEST

START_TEST(from_nothing_every_slot_gets_its_owners)
{
    struct view *from = sealed(make_view(0));
    struct view *to = sealed(make_view(3));
    struct plan *plan = plan_create(from, to);
    ck_assert_uint_eq(plan->primaries_moved, SLOT_COUNT);
    ck_assert_uint_eq(plan->primaries_least, SLOT_COUNT);
    ck_assert_uint_eq(plan->copies_moved, 2 * SLOT_COUNT);
    plan_destroy(plan);
    view_release(to);
    view_release(from);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan");
    TCase *tcase = tcase_create("plan");
    tcase_add_test(tcase, nothing_changes_between_a_view_and_itself);
    tcase_add_test(tcase, adding_a_node_moves_its_share_to_it);
    tcase_add_test(tcase, the_bits_say_which_slots);
    tcase_add_test(tcase, a_changing_view_is_planned_to_its_target);
    tcase_add_test(tcase, status_does_not_matter_and_copies_do);
    tcase_add_test(tcase, from_nothing_every_slot_gets_its_owners);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
