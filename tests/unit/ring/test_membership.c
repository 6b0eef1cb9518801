#include "base/prng.h"
#include "tests/unit/ring/support/membership_rig.h"

START_TEST(nothing_to_change_is_no_view)
{
    struct rig rig;
    for (size_t count = 1; count <= 6; count++) {
        rig_init(&rig, count);
        expect_nothing(&rig);
        for (size_t i = 1; i <= count; i++) {
            add_fact(&rig, i, 10, WEIGHT_UNIT); /* what is known already */
        }
        expect_nothing(&rig);
        rig_deinit(&rig);
    }
}
END_TEST

START_TEST(a_silent_node_goes_down)
{
    struct rig rig;
    rig_init(&rig, 3);
    CHANGE_VIEW(&rig, view->nodes[1].preferred = true);
    rig.states[1].silent = true;
    const struct view *next = next_of(&rig);
    ck_assert_int_eq((int)next->nodes[1].status, NODE_DOWN);
    ck_assert_uint_eq(next->nodes[1].last_up, 10);
    ck_assert(!next->nodes[1].lost);
    ck_assert(!next->nodes[1].preferred);
    expect_nothing(&rig);

    /* One that was syncing has not been up since. */
    CHANGE_VIEW(&rig, view->nodes[1].status = NODE_SYNCING);
    rig.states[1].silent = true;
    next = next_of(&rig);
    ck_assert_int_eq((int)next->nodes[1].status, NODE_DOWN);
    ck_assert_uint_eq(next->nodes[1].last_up, 10);
    rig_deinit(&rig);
}
END_TEST

START_TEST(one_that_is_heard_again_syncs)
{
    struct rig rig;
    rig_init(&rig, 3);
    CHANGE_VIEW(&rig, (view->nodes[1].status = NODE_DOWN, view->nodes[1].last_up = 4,
                       view->nodes[1].leaving = true));
    rig.states[1].heard = true;
    rig.states[1].incarnation = 9;
    expect_nothing(&rig); /* an older run */
    rig.states[1].incarnation = 10;
    const struct view *next = next_of(&rig);
    ck_assert_int_eq((int)next->nodes[1].status, NODE_SYNCING);
    ck_assert_uint_eq(next->nodes[1].last_up, 4);
    ck_assert(!next->nodes[1].leaving);
    ck_assert(!next->nodes[1].lost); /* the same run: what it holds, it holds */
    rig_deinit(&rig);
}
END_TEST

START_TEST(one_that_has_caught_up_is_up)
{
    struct rig rig;
    rig_init(&rig, 3);
    CHANGE_VIEW(&rig, (view->nodes[1].status = NODE_SYNCING, view->nodes[1].last_up = 4,
                       view->nodes[1].lost = true));
    rig.states[1].complete_epoch = 9; /* of an earlier view: not this one */
    expect_nothing(&rig);
    rig.states[1].complete_epoch = 11;
    expect_nothing(&rig);
    rig.states[1].complete_epoch = 10;
    rig.states[1].heard = false;
    expect_nothing(&rig);
    rig.states[1].heard = true;
    const struct view *next = next_of(&rig);
    ck_assert_int_eq((int)next->nodes[1].status, NODE_UP);
    ck_assert_uint_eq(next->nodes[1].last_up, 0);
    ck_assert(!next->nodes[1].lost);
    rig_deinit(&rig);
}
END_TEST

START_TEST(one_that_holds_up_writes_has_to_catch_up)
{
    struct rig rig;
    rig_init(&rig, 3);
    CHANGE_VIEW(&rig, view->nodes[1].preferred = true);
    rig.states[1].accused = true;
    const struct view *next = next_of(&rig);
    ck_assert_int_eq((int)next->nodes[1].status, NODE_SYNCING);
    ck_assert_uint_eq(next->nodes[1].last_up, 10);
    ck_assert(!next->nodes[1].preferred);
    rig.states[1].complete_epoch = 10;
    expect_nothing(&rig); /* it is catching up, and in nobody's way */
    rig.states[1].accused = true;
    next = next_of(&rig); /* it is waited for where it had caught up */
    ck_assert_int_eq((int)next->nodes[1].status, NODE_DOWN);
    ck_assert_uint_eq(next->nodes[1].last_up, 10);
    rig_deinit(&rig);
}
END_TEST

START_TEST(a_restarted_node_has_lost_what_it_held)
{
    struct rig rig;
    rig_init(&rig, 3);
    CHANGE_VIEW(&rig, view->nodes[1].leaving = true);
    rig.states[1].incarnation = 11; /* heard of, and not yet described */
    const struct view *next = next_of(&rig);
    ck_assert_int_eq((int)next->nodes[1].status, NODE_DOWN);
    ck_assert(next->nodes[1].lost);
    ck_assert_uint_eq(next->nodes[1].last_up, 10);
    ck_assert_uint_eq(next->nodes[1].incarnation, 10);
    rig.states[1].incarnation = 11;
    rig.states[1].heard = true;
    expect_nothing(&rig); /* nowhere to reach it as yet */

    add_fact(&rig, 2, 11, WEIGHT_UNIT);
    next = next_of(&rig);
    ck_assert_int_eq((int)next->nodes[1].status, NODE_SYNCING);
    ck_assert(next->nodes[1].lost);
    ck_assert(!next->nodes[1].leaving);
    ck_assert_uint_eq(next->nodes[1].incarnation, 11);
    ck_assert_uint_eq(next->nodes[1].last_up, 10);
    ck_assert_str_eq(next->nodes[1].host, "elsewhere");
    ck_assert_uint_eq(next->nodes[1].bus_port, 17001);
    rig_deinit(&rig);
}
END_TEST

START_TEST(a_description_alone_tells_of_a_restart)
{
    struct rig rig;
    rig_init(&rig, 3);
    add_fact(&rig, 2, 11, WEIGHT_UNIT);
    const struct view *next = next_of(&rig);
    ck_assert_int_eq((int)next->nodes[1].status, NODE_SYNCING);
    ck_assert(next->nodes[1].lost);
    ck_assert_uint_eq(next->nodes[1].last_up, 10);
    rig_deinit(&rig);
}
END_TEST

START_TEST(several_things_at_once)
{
    struct rig rig;
    rig_init(&rig, 6);
    CHANGE_VIEW(&rig, (view->nodes[1].status = NODE_SYNCING, view->nodes[1].last_up = 4,
                       view->nodes[2].status = NODE_DOWN, view->nodes[2].last_up = 4));
    rig.states[0].silent = true;
    rig.states[2].heard = true;
    rig.states[3].accused = true;
    rig.states[4].leaving = true;
    struct node_id sixth = id_of(6);
    rig.input.prefer = &sixth;
    const struct view *next = next_of(&rig);
    ck_assert_int_eq((int)next->nodes[0].status, NODE_DOWN);
    ck_assert_int_eq((int)next->nodes[1].status, NODE_UP);
    ck_assert_int_eq((int)next->nodes[2].status, NODE_SYNCING);
    ck_assert_int_eq((int)next->nodes[3].status, NODE_SYNCING);
    ck_assert(next->nodes[4].leaving);
    ck_assert(next->nodes[5].preferred);
    ck_assert(!view_is_voter(next, &next->nodes[0].id)); /* and the voters follow */
    ck_assert(view_is_voter(next, &next->nodes[5].id));
    rig_deinit(&rig);
}
END_TEST

START_TEST(settled_is_what_everybody_that_is_up_has_carried_out)
{
    struct rig rig;
    rig_init(&rig, 4);
    rig.states[3].silent = true;
    ck_assert_uint_eq(next_of(&rig)->settled_epoch, 10);
    rig.states[0].leaving = true;
    rig.states[1].complete_epoch = 10; /* behind: now is 11 */
    ck_assert_uint_eq(next_of(&rig)->settled_epoch, 10);
    rig.states[1].leaving = true;
    rig.states[3].complete_epoch = 3; /* it is down, and does not count */
    ck_assert_uint_eq(next_of(&rig)->settled_epoch, 12);
    rig_deinit(&rig);
}
END_TEST

START_TEST(preference_goes_to_one_node_that_is_up)
{
    struct rig rig;
    rig_init(&rig, 3);
    struct node_id second = id_of(2);
    struct node_id third = id_of(3);
    struct node_id unknown = id_of(9);
    rig.input.prefer = &unknown;
    expect_nothing(&rig);
    rig.input.prefer = &second;
    ck_assert(next_of(&rig)->nodes[1].preferred);
    expect_nothing(&rig);
    rig.input.prefer = &third;
    const struct view *next = next_of(&rig);
    ck_assert(next->nodes[2].preferred);
    ck_assert(!next->nodes[1].preferred);
    CHANGE_VIEW(&rig, (view->nodes[1].status = NODE_SYNCING, view->nodes[1].last_up = 3));
    rig.states[1].complete_epoch = 0;
    rig.input.prefer = &second;
    expect_nothing(&rig); /* not up */
    CHANGE_VIEW(&rig, (view->nodes[1].status = NODE_UP, view->nodes[1].last_up = 0,
                       view->nodes[0].leaving = true));
    struct node_id first = id_of(1);
    rig.input.prefer = &first;
    expect_nothing(&rig); /* leaving */
    rig_deinit(&rig);
}
END_TEST

/* ---- ring changes ---- */

START_TEST(another_weight_begins_a_change_once_the_view_is_settled)
{
    struct rig rig;
    rig_init(&rig, 3);
    CHANGE_VIEW(&rig, view->nodes[0].preferred = true);
    add_fact(&rig, 2, 10, 3 * WEIGHT_UNIT);
    rig.states[2].complete_epoch = 9;
    expect_nothing(&rig);
    rig.states[2].complete_epoch = 10;
    const struct view *next = next_of(&rig);
    ck_assert(next->changing);
    ck_assert_uint_eq(next->nodes[1].weight_target, 3 * WEIGHT_UNIT);
    ck_assert_uint_eq(next->nodes[1].weight_current, WEIGHT_UNIT);
    ck_assert(!next->nodes[0].preferred);
    next = next_of(&rig); /* nobody has ready anything: what stays where it is moves */
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        ck_assert_int_eq(view_slot_moved(next, (uint16_t)slot), stays(next, slot));
    }
    expect_nothing(&rig);
    rig_deinit(&rig);
}
END_TEST

START_TEST(a_joiner_comes_in_with_a_share_to_be)
{
    struct rig rig;
    rig_init(&rig, 2);
    add_fact(&rig, 7, 55, 2 * WEIGHT_UNIT);
    const struct view *next = next_of(&rig);
    ck_assert_uint_eq(next->node_count, 3);
    ck_assert(next->changing);
    ck_assert_int_eq((int)next->nodes[2].status, NODE_UP);
    ck_assert_uint_eq(next->nodes[2].incarnation, 55);
    ck_assert_uint_eq(next->nodes[2].weight_current, 0);
    ck_assert_uint_eq(next->nodes[2].weight_target, 2 * WEIGHT_UNIT);
    ck_assert_str_eq(next->nodes[2].host, "elsewhere");
    ck_assert_uint_eq(next->voter_count, 3);
    rig_deinit(&rig);
}
END_TEST

START_TEST(slots_move_when_their_primary_says_so)
{
    struct rig rig;
    rig_init(&rig, 2);
    add_fact(&rig, 3, 10, WEIGHT_UNIT);
    next_of(&rig);
    uint16_t owners[COPIES_MAX];
    uint16_t moving = 0;
    while (stays(rig.view, moving)) {
        moving++;
    }
    view_owners(rig.view, moving, owners);
    ready_all(&rig);
    rig.states[owners[0]].ready = NULL;
    memset(rig.ready[1 - owners[0]], 0xff, sizeof(rig.ready[0])); /* also what it does not lead */
    const struct view *next = next_of(&rig);
    ck_assert(next->changing);
    ck_assert(!view_slot_moved(next, moving));
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        bool may = next->current->owners[0][slot] != owners[0] || stays(next, slot);
        ck_assert_int_eq(view_slot_moved(next, (uint16_t)slot), may);
    }

    ready_all(&rig);
    next = next_of(&rig);
    ck_assert(next->changing); /* all have moved; it ends once everybody knows */
    rig.states[2].complete_epoch = next->epoch - 1;
    expect_nothing(&rig);
    rig.states[2].complete_epoch = next->epoch;
    next = next_of(&rig);
    ck_assert(!next->changing);
    ck_assert_uint_eq(next->nodes[2].weight_current, WEIGHT_UNIT);
    ck_assert_uint_eq(next->settled_epoch, next->epoch - 1);
    expect_nothing(&rig);
    rig_deinit(&rig);
}
END_TEST

START_TEST(nothing_moves_in_a_view_that_changes_who_is_up)
{
    struct rig rig;
    rig_init(&rig, 3);
    add_fact(&rig, 4, 10, WEIGHT_UNIT);
    next_of(&rig);
    ready_all(&rig);
    rig.states[0].silent = true;
    const struct view *next = next_of(&rig);
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        ck_assert(!view_slot_moved(next, (uint16_t)slot));
    }
    rig_deinit(&rig);
}
END_TEST

START_TEST(slots_that_are_lost_to_all_their_owners_move_by_themselves)
{
    struct rig rig;
    rig_init(&rig, 3);
    add_fact(&rig, 4, 10, WEIGHT_UNIT);
    next_of(&rig);
    CHANGE_VIEW(&rig, (view->voters[0] = id_of(3), view->voter_count = 1));
    for (size_t i = 0; i < 2; i++) {
        CHANGE_VIEW(&rig, (view->nodes[i].status = NODE_DOWN, view->nodes[i].last_up = 5));
    }
    next_of(&rig);        /* what stays where it is */
    expect_nothing(&rig); /* somebody may come back */
    for (size_t i = 0; i < 2; i++) {
        CHANGE_VIEW(&rig, view->nodes[i].lost = true);
    }
    const struct view *next = next_of(&rig);
    size_t moved = 0;
    size_t wrong = 0;
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        bool gone = next->current->owners[0][slot] != 2 && next->current->owners[1][slot] != 2;
        moved += gone;
        wrong += view_slot_moved(next, (uint16_t)slot) != (gone || stays(next, slot));
    }
    ck_assert_uint_gt(moved, 0);
    ck_assert_uint_eq(wrong, 0);
    rig_deinit(&rig);
}
END_TEST

START_TEST(a_node_down_for_long_is_replaced)
{
    struct rig rig;
    rig_init(&rig, 4);
    CHANGE_VIEW(&rig, (view->nodes[3].status = NODE_DOWN, view->nodes[3].last_up = 5));
    rig.states[3].down_ms = 1000000;
    expect_nothing(&rig); /* never, unless it is asked for */
    rig.input.replace_after_ms = 5000;
    rig.states[3].down_ms = 4999;
    expect_nothing(&rig);
    rig.states[3].down_ms = 5000;
    const struct view *next = next_of(&rig);
    ck_assert(next->nodes[3].lost);
    ck_assert(!next->changing);
    rig.states[3].down_ms = 5001;
    next = next_of(&rig);
    ck_assert(next->changing);
    ck_assert_uint_eq(next->nodes[3].weight_target, 0);
    ck_assert_uint_eq(next->nodes[3].weight_current, WEIGHT_UNIT);
    rig_deinit(&rig);
}
END_TEST

/* All slots are ready at once, and everybody carries out every view, until nothing is left to do.
 */
static unsigned settle(struct rig *rig)
{
    unsigned views = 0;
    while (true) {
        ready_all(rig);
        struct view *next = membership_next(&rig->input);
        if (next == NULL) {
            return views;
        }
        ck_assert_int_eq(view_seal(next), 0);
        view_release(rig->view);
        rig->view = next;
        refresh(rig);
        for (size_t i = 0; i < next->node_count; i++) {
            rig->states[i].down_ms = next->nodes[i].status == NODE_DOWN ? 10000 : 0;
        }
        ck_assert_uint_lt(++views, 20);
    }
}

START_TEST(a_node_that_is_forgotten_is_removed_and_stays_away)
{
    struct rig rig;
    rig_init(&rig, 4);
    struct node_id second = id_of(2);
    rig.input.forget = &second;
    expect_nothing(&rig); /* it is up */
    CHANGE_VIEW(&rig, (view->nodes[1].status = NODE_DOWN, view->nodes[1].last_up = 5));
    const struct view *next = next_of(&rig);
    ck_assert(next->nodes[1].removing);
    ck_assert(next->nodes[1].lost);
    ck_assert(!view_is_voter(next, &second));
    rig.input.forget = NULL;
    unsigned views = settle(&rig);
    ck_assert_uint_ge(views, 3); /* begin, move, finish, remove */
    ck_assert_int_eq(view_find(rig.view, &second), -1);
    ck_assert_uint_eq(rig.view->node_count, 3);
    ck_assert(view_was_removed(rig.view, &second));
    ck_assert(!rig.view->changing);
    add_fact(&rig, 2, 99, WEIGHT_UNIT);
    expect_nothing(&rig);
    rig_deinit(&rig);
}
END_TEST

START_TEST(a_leaving_node_leads_no_more_and_is_replaced_where_it_is_alone)
{
    struct rig rig;
    rig_init(&rig, 3);
    rig.states[0].leaving = true;
    const struct view *next = next_of(&rig);
    ck_assert(next->nodes[0].leaving);
    ck_assert(!next->changing);
    rig.states[0].leaving = true;
    expect_nothing(&rig); /* others have all it has */

    CHANGE_VIEW(&rig, (view->nodes[1].status = NODE_DOWN, view->nodes[1].last_up = 5));
    rig.states[0].leaving = true;
    next = next_of(&rig);
    ck_assert(next->changing);
    ck_assert_uint_eq(next->nodes[0].weight_target, 0);
    settle(&rig);
    ck_assert_uint_eq(rig.view->nodes[0].weight_current, 0);
    rig_deinit(&rig);

    rig_init(&rig, 1); /* with nobody to take its place it just leaves */
    rig.states[0].leaving = true;
    next_of(&rig);
    rig.states[0].leaving = true;
    expect_nothing(&rig);
    rig_deinit(&rig);
}
END_TEST

/* ---- no endless sequence of views ---- */

static void shake(struct rig *rig, struct prng *prng)
{
    for (size_t i = 0; i < rig->view->node_count; i++) {
        struct member_state *state = &rig->states[i];
        state->silent = prng_below(prng, 4) == 0;
        state->heard = prng_below(prng, 3) != 0;
        state->accused = prng_below(prng, 6) == 0;
        state->leaving = prng_below(prng, 8) == 0;
        state->incarnation += prng_below(prng, 8) == 0;
        state->down_ms = prng_below(prng, 2) * 10000;
        state->complete_epoch -= prng_below(prng, 3) == 0;
    }
}

START_TEST(facts_that_stay_the_same_lead_to_a_view_that_stays)
{
    const char *given = getenv("TORC_TEST_SEED");
    uint64_t first = given == NULL ? 1 : strtoull(given, NULL, 10);
    for (uint64_t seed = first; seed < first + (given == NULL ? 12 : 1); seed++) {
        struct rig rig;
        struct prng prng;
        prng_init(&prng, seed);
        rig_init(&rig, 1 + (size_t)prng_below(&prng, 6));
        rig.input.replace_after_ms = prng_below(&prng, 2) * 5000;
        for (size_t number = 1; number <= 7; number++) {
            if (prng_below(&prng, 3) > 0) {
                add_fact(&rig, number, 10 + prng_below(&prng, 2),
                         (uint32_t)(prng_below(&prng, 3) * WEIGHT_UNIT));
            }
        }
        struct node_id wish = id_of(1 + (size_t)prng_below(&prng, 6));
        for (unsigned step = 0; step < 6; step++) {
            rig.input.prefer = prng_below(&prng, 4) == 0 ? &wish : NULL;
            rig.input.forget = prng_below(&prng, 4) == 0 ? &wish : NULL;
            shake(&rig, &prng);
            struct view *next = membership_next(&rig.input);
            if (next != NULL) {
                ck_assert_msg(view_seal(next) == 0, "unlawful, seed %" PRIu64, seed);
                view_release(rig.view);
                rig.view = next;
                refresh(&rig);
            }
        }
        rig.input.prefer = rig.input.forget = NULL;
        unsigned views = settle(&rig);
        ck_assert_msg(views < 20, "seed %" PRIu64, seed);
        rig_deinit(&rig);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("membership");
    TCase *tcase = tcase_create("membership");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, nothing_to_change_is_no_view);
    tcase_add_test(tcase, a_silent_node_goes_down);
    tcase_add_test(tcase, one_that_is_heard_again_syncs);
    tcase_add_test(tcase, one_that_has_caught_up_is_up);
    tcase_add_test(tcase, one_that_holds_up_writes_has_to_catch_up);
    tcase_add_test(tcase, a_restarted_node_has_lost_what_it_held);
    tcase_add_test(tcase, a_description_alone_tells_of_a_restart);
    tcase_add_test(tcase, several_things_at_once);
    tcase_add_test(tcase, settled_is_what_everybody_that_is_up_has_carried_out);
    tcase_add_test(tcase, preference_goes_to_one_node_that_is_up);
    tcase_add_test(tcase, another_weight_begins_a_change_once_the_view_is_settled);
    tcase_add_test(tcase, a_joiner_comes_in_with_a_share_to_be);
    tcase_add_test(tcase, slots_move_when_their_primary_says_so);
    tcase_add_test(tcase, nothing_moves_in_a_view_that_changes_who_is_up);
    tcase_add_test(tcase, slots_that_are_lost_to_all_their_owners_move_by_themselves);
    tcase_add_test(tcase, a_node_down_for_long_is_replaced);
    tcase_add_test(tcase, a_node_that_is_forgotten_is_removed_and_stays_away);
    tcase_add_test(tcase, a_leaving_node_leads_no_more_and_is_replaced_where_it_is_alone);
    tcase_add_test(tcase, facts_that_stay_the_same_lead_to_a_view_that_stays);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
