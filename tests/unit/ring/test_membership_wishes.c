/* Changes of the ring that somebody asks for. */
#include "tests/unit/ring/support/membership_rig.h"

/* What torc-ring asks for; one node. */
static void wish_weight(struct rig *rig, struct ring_wish *wish, size_t number, uint32_t weight,
                        bool remove)
{
    struct ring_wish_node node = {id_of(number), weight, remove};
    *wish = (struct ring_wish){.tag = view_ring_tag(rig->view)};
    ck_assert_int_eq(ring_wish_add(wish, &node), TORC_OK);
    rig->input.ring = wish;
}

/* Until nothing is to be done any more; whoever leads a slot says that it may move. */
static const struct view *run_to_the_end(struct rig *rig)
{
    struct view *next;
    ready_all(rig);
    while ((next = membership_next(&rig->input)) != NULL) {
        ck_assert_int_eq(view_seal(next), 0);
        view_release(rig->view);
        rig->view = next;
        refresh(rig);
        ready_all(rig);
    }
    return rig->view;
}

START_TEST(a_wish_for_another_weight_is_granted_once_and_lasts)
{
    struct rig rig;
    struct ring_wish wish;
    rig_init(&rig, 3);
    add_fact(&rig, 1, 10, WEIGHT_UNIT); /* it still asks for what it always did */
    wish_weight(&rig, &wish, 1, 3 * WEIGHT_UNIT, false);
    const struct view *view = run_to_the_end(&rig);
    ck_assert_uint_eq(view->nodes[0].weight_current, 3 * WEIGHT_UNIT);
    ck_assert(!view->changing);
    rig.facts[0].node.weight_asked = 2 * WEIGHT_UNIT; /* its operator starts it with another */
    view = run_to_the_end(&rig);
    ck_assert_uint_eq(view->nodes[0].weight_current, 2 * WEIGHT_UNIT);
    ring_wish_deinit(&wish);
    rig_deinit(&rig);
}
END_TEST

START_TEST(a_joiner_that_waits_gets_its_share_when_somebody_says_so)
{
    struct rig rig;
    struct ring_wish wish;
    rig_init(&rig, 2);
    add_fact(&rig, 3, 10, 2 * WEIGHT_UNIT);
    rig.facts[0].waits = true;
    const struct view *view = run_to_the_end(&rig);
    ck_assert_uint_eq(view->node_count, 3);
    ck_assert_uint_eq(view->nodes[2].weight_current, 0);
    ck_assert_uint_eq(view->nodes[2].weight_asked, 2 * WEIGHT_UNIT);
    ck_assert_uint_eq(view->epoch, 11); /* nothing had to move */
    wish_weight(&rig, &wish, 3, view->nodes[2].weight_asked, false);
    view = run_to_the_end(&rig);
    ck_assert_uint_eq(view->nodes[2].weight_current, 2 * WEIGHT_UNIT);
    ring_wish_deinit(&wish);
    rig_deinit(&rig);
}
END_TEST

/* It held what it owned, and holds nothing any more: it must not own that again. */
START_TEST(one_that_starts_anew_while_it_is_removed_stays_syncing)
{
    struct rig rig;
    rig_init(&rig, 3);
    CHANGE_VIEW(&rig, {
        view->nodes[0].removing = view->nodes[0].lost = true;
        view->nodes[0].status = NODE_SYNCING;
        view->changing = true;
        view->nodes[0].weight_target = 0;
    });
    const struct view *next = next_of(&rig);
    ck_assert_int_eq((int)next->nodes[0].status, NODE_SYNCING);
    ck_assert(next->nodes[0].lost);
    rig_deinit(&rig);
}
END_TEST

START_TEST(a_live_node_is_removed_once_it_owns_nothing)
{
    struct rig rig;
    struct ring_wish wish;
    uint16_t owners[COPIES_MAX];
    rig_init(&rig, 3);
    wish_weight(&rig, &wish, 1, 0, true);
    const struct view *view = next_of(&rig);
    ck_assert(view->changing);
    ck_assert(view->nodes[0].removing);
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) { /* it leads what it led */
        ck_assert_uint_eq(view_owners(view, (uint16_t)slot, owners), 2);
        ck_assert_uint_eq(owners[0], view->current->owners[0][slot]);
    }
    view = run_to_the_end(&rig);
    ck_assert_uint_eq(view->node_count, 2);
    ck_assert(view_was_removed(view, &wish.nodes[0].id));
    ck_assert(!view_is_voter(view, &wish.nodes[0].id));
    ck_assert_uint_eq(view->voter_count, 1);
    ring_wish_deinit(&wish);
    rig_deinit(&rig);
}
END_TEST

START_TEST(a_change_is_turned_back)
{
    struct rig rig;
    struct ring_wish wish;
    rig_init(&rig, 3);
    wish_weight(&rig, &wish, 1, 0, true);
    next_of(&rig);
    ready_all(&rig);
    for (size_t i = 1; i < 3; i++) {
        rig.states[i].ready = NULL;
    }
    const struct view *view = next_of(&rig); /* what the first leads has moved */
    size_t moved = 0;
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        moved += view_slot_moved(view, (uint16_t)slot);
    }
    ck_assert_uint_gt(moved, 0);
    ring_wish_deinit(&wish);
    wish = (struct ring_wish){.tag = view_ring_tag(view), .cancel = true};
    view = next_of(&rig);
    ck_assert(view->turned_back);
    ck_assert(!view->nodes[0].removing);
    ck_assert_uint_eq(view->nodes[0].weight_target, WEIGHT_UNIT);
    ck_assert_int_eq(ring_wish_check(&wish, view), TORC_EEXIST);
    view = run_to_the_end(&rig);
    ck_assert(!view->changing);
    ck_assert(!view->turned_back);
    ck_assert_uint_eq(view->node_count, 3);
    ck_assert_uint_eq(view->nodes[0].weight_current, WEIGHT_UNIT);
    rig_deinit(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("membership_wishes");
    TCase *tcase = tcase_create("membership_wishes");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_wish_for_another_weight_is_granted_once_and_lasts);
    tcase_add_test(tcase, a_joiner_that_waits_gets_its_share_when_somebody_says_so);
    tcase_add_test(tcase, one_that_starts_anew_while_it_is_removed_stays_syncing);
    tcase_add_test(tcase, a_live_node_is_removed_once_it_owns_nothing);
    tcase_add_test(tcase, a_change_is_turned_back);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
