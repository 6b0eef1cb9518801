#include "base/error.h"
#include "client/ring/rebalance.h"
#include "tests/unit/client/support/made.h"

#include <check.h>
#include <stdlib.h>

static double measure[SLOT_COUNT];
static struct rebalance found;

static void find(const struct view *view, bool copies)
{
    const struct rebalance_input input = {.view = view, .measure = measure, .copies = copies};
    ck_assert_int_eq(rebalance_find(&found, &input), TORC_OK);
}

static void fill(double value)
{
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        measure[i] = value;
    }
}

/* Slots that node 0 leads weigh three times as much. */
static void weigh_down(const struct view *view)
{
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owners[COPIES_MAX];
        ck_assert_uint_gt(view_owners(view, (uint16_t)slot, owners), 0);
        measure[slot] = owners[0] == 0 ? 3 : 1;
    }
}

START_TEST(even_slots_are_left_alone)
{
    struct view *view = made_view(3, 3, 2, 0);
    fill(1);
    find(view, false);
    ck_assert_double_lt(found.imbalance_now, 0.05);
    ck_assert(!found.worthwhile || found.imbalance_best <= found.imbalance_now - 0.02);
    rebalance_deinit(&found);
    fill(0);
    find(view, true);
    ck_assert(!found.worthwhile);
    ck_assert_double_eq(found.imbalance_now, 0);
    rebalance_deinit(&found);
    view_release(view);
}
END_TEST

START_TEST(bytes_are_evened_out)
{
    struct view *view = made_view(3, 5, 2, 0);
    weigh_down(view);
    find(view, true);
    ck_assert_double_gt(found.imbalance_now, 0.25);
    ck_assert(found.worthwhile);
    ck_assert_double_lt(found.imbalance_best, 0.05);
    ck_assert_uint_lt(found.weights[0], WEIGHT_UNIT);
    uint32_t sum = 0;
    for (size_t i = 0; i < 5; i++) {
        sum += found.weights[i];
    }
    ck_assert_uint_ge(sum, 5 * WEIGHT_UNIT - 5);
    ck_assert_uint_le(sum, 5 * WEIGHT_UNIT + 5);
    rebalance_deinit(&found);
    find(view, false); /* operations: only who leads counts */
    ck_assert_double_gt(found.imbalance_now, 0.9);
    ck_assert_double_lt(found.imbalance_best, 0.1);
    rebalance_deinit(&found);
    view_release(view);
}
END_TEST

/* The foretold imbalance is what the ring will have, and what is even is not made even again. */
START_TEST(what_is_foretold_comes_true)
{
    struct view *view = made_view(3, 5, 2, 0);
    weigh_down(view);
    find(view, true);
    const double foretold = found.imbalance_best;
    struct view *next = view_clone(view);
    for (size_t i = 0; i < next->node_count; i++) {
        next->nodes[i].weight_current = next->nodes[i].weight_target = found.weights[i];
    }
    ck_assert_int_eq(view_seal(next), TORC_OK);
    rebalance_deinit(&found);
    find(next, true);
    ck_assert_double_eq_tol(found.imbalance_now, foretold, 1e-9);
    ck_assert(!found.worthwhile);
    rebalance_deinit(&found);
    view_release(next);
    view_release(view);
}
END_TEST

START_TEST(intended_weights_are_kept_to)
{
    struct view *plain = made_view(3, 4, 1, 0);
    struct view *view = view_clone(plain);
    view->nodes[0].weight_asked = 2 * WEIGHT_UNIT; /* but has 1 */
    view->nodes[3].weight_current = view->nodes[3].weight_target = 0;
    ck_assert_int_eq(view_seal(view), TORC_OK);
    fill(1);
    find(view, false);
    ck_assert(found.worthwhile);
    ck_assert_uint_gt(found.weights[0], 1900);
    ck_assert_uint_lt(found.weights[0], 2100);
    ck_assert_uint_eq(found.weights[3], 0);
    rebalance_deinit(&found);
    view_release(view);
    view_release(plain);
}
END_TEST

/* One slot has nearly all of it: no weights can help. */
START_TEST(what_cannot_be_mended_is_left_alone)
{
    struct view *view = made_view(3, 3, 1, 0);
    fill(0.0001);
    measure[77] = 1000;
    find(view, false);
    ck_assert(!found.worthwhile);
    ck_assert_double_gt(found.imbalance_now, 1.9);
    rebalance_deinit(&found);
    view_release(view);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("ring_rebalance");
    tcase_add_test(tests, even_slots_are_left_alone);
    tcase_add_test(tests, bytes_are_evened_out);
    tcase_add_test(tests, what_is_foretold_comes_true);
    tcase_add_test(tests, intended_weights_are_kept_to);
    tcase_add_test(tests, what_cannot_be_mended_is_left_alone);
    Suite *suite = suite_create("client/ring_rebalance");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
