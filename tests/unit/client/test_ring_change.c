#include "base/error.h"
#include "client/ring/change.h"
#include "client/ring/node_name.h"
#include "tests/unit/client/support/made.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static char error[RING_ERROR_SIZE];

static struct view *edit(const struct view *view)
{
    struct view *clone = view_clone(view);
    ck_assert_ptr_nonnull(clone);
    clone->epoch++;
    return clone;
}

static struct view *seal(struct view *view)
{
    ck_assert_int_eq(view_seal(view), TORC_OK);
    return view;
}

/* Node i has id 0iab00..., host "ni", client port 700i and direct port 800i. */
static void expect_node(const struct view *view, const char *name, size_t index)
{
    size_t found = 99;
    ck_assert_msg(node_name_find(view, name, &found, error) == TORC_OK, "%s: %s", name, error);
    ck_assert_uint_eq(found, index);
}

static void expect_none(const struct view *view, const char *name, int code, const char *text)
{
    size_t found = 99;
    ck_assert_int_eq(node_name_find(view, name, &found, error), code);
    ck_assert_msg(strstr(error, text) != NULL, "%s", error);
}

START_TEST(names_of_nodes)
{
    struct view *view = made_view(3, 3, 2, 0);
    expect_node(view, "02ab000000000000000000000000000000000000", 1);
    expect_node(view, "02ab", 1);
    expect_node(view, "03AB0", 2);
    expect_node(view, "n1:7001", 0);
    expect_node(view, "N3:8003", 2);
    expect_node(view, "n2:9002", 1);
    expect_node(view, "n2:17002", 1);
    expect_none(view, "n2:7001", TORC_ENOTFOUND, "listens at 'n2:7001'");
    expect_none(view, "n2:", TORC_EINVAL, "is no host:port");
    expect_none(view, "02a", TORC_EINVAL, "its first 4 or more characters");
    expect_none(view, "node", TORC_EINVAL, "is no node");
    expect_none(view, "02ab0000000000000000000000000000000000000", TORC_EINVAL, "is no node");
    expect_none(view, "ffff", TORC_ENOTFOUND, "begins with 'ffff'");
    view_release(view);
}
END_TEST

START_TEST(a_beginning_of_two_ids_names_neither)
{
    struct view *plain = made_view(3, 3, 2, 0);
    struct view *view = edit(plain);
    struct view_node twin = view->nodes[1];
    twin.id.bytes[19] = 1;
    ck_assert_int_eq(view_put_node(view, &twin), TORC_OK);
    (void)seal(view);
    expect_none(view, "02ab0", TORC_ENOTFOUND, "2 nodes have an id that begins with '02ab0'");
    expect_node(view, "02ab000000000000000000000000000000000001", 2);
    view_release(view);
    view_release(plain);
}
END_TEST

static int create(struct change *change, const struct view *view, enum change_kind kind,
                  const char *node, int weight)
{
    const struct change_request request = {.kind = kind,
                                           .node = node,
                                           .has_weight = weight >= 0,
                                           .weight = weight >= 0 ? (uint32_t)weight : 0};
    return change_create(change, view, &request, error);
}

static void expect_step(const struct view *view, enum change_kind kind, int weight,
                        struct change_step expected)
{
    struct change change;
    ck_assert_msg(create(&change, view, kind, "02ab", weight) == TORC_OK, "%s", error);
    ck_assert_uint_eq(change.step_count, 1);
    ck_assert(node_id_equal(&change.steps[0].id, &view->nodes[1].id));
    ck_assert_uint_eq(change.steps[0].weight_before, view->nodes[1].weight_current);
    ck_assert_uint_eq(change.steps[0].weight, expected.weight);
    ck_assert_int_eq(change.steps[0].remove, expected.remove);
    change_deinit(&change);
}

static void expect_nothing(const struct view *view, enum change_kind kind, int weight)
{
    struct change change;
    ck_assert_msg(create(&change, view, kind, "02ab", weight) == TORC_OK, "%s", error);
    ck_assert_uint_eq(change.step_count, 0);
    change_deinit(&change);
}

static void expect_refusal(const struct view *view, enum change_kind kind, int weight,
                           const char *text)
{
    struct change change;
    ck_assert_int_eq(create(&change, view, kind, "02ab", weight), TORC_EINVAL);
    ck_assert_msg(strstr(error, text) != NULL, "%s", error);
    ck_assert_ptr_null(change.steps);
}

START_TEST(what_the_words_mean)
{
    struct view *plain = made_view(3, 3, 2, 0);
    expect_step(plain, CHANGE_WEIGHT, 2500, (struct change_step){.weight = 2500});
    expect_step(plain, CHANGE_DRAIN, -1, (struct change_step){.weight = 0});
    expect_step(plain, CHANGE_REMOVE, -1, (struct change_step){.remove = true});
    expect_nothing(plain, CHANGE_WEIGHT, 1000);
    expect_nothing(plain, CHANGE_ADD, -1);
    expect_nothing(plain, CHANGE_ADD, 1000);
    expect_refusal(plain, CHANGE_ADD, 2000, "has weight 1 already; to change it: weight NODE W");
    struct view *drained = edit(plain);
    drained->nodes[1].weight_current = drained->nodes[1].weight_target = 0;
    drained->nodes[1].weight_asked = 1500;
    (void)seal(drained);
    expect_step(drained, CHANGE_ADD, -1, (struct change_step){.weight = 1500});
    expect_step(drained, CHANGE_ADD, 300, (struct change_step){.weight = 300});
    expect_step(drained, CHANGE_REMOVE, -1, (struct change_step){.remove = true});
    expect_refusal(drained, CHANGE_ADD, 0, "weight 0 is no share");
    expect_nothing(drained, CHANGE_DRAIN, -1);
    struct view *witness = edit(drained);
    witness->nodes[1].weight_asked = 0;
    (void)seal(witness);
    expect_refusal(witness, CHANGE_ADD, -1, "say which it is to have");
    view_release(witness);
    view_release(drained);
    view_release(plain);
}
END_TEST

START_TEST(somebody_has_to_be_left)
{
    struct view *plain = made_view(3, 3, 2, 1); /* node 1 is down */
    struct view *view = edit(plain);
    view->nodes[2].weight_current = view->nodes[2].weight_target = 0;
    (void)seal(view);
    expect_refusal(view, CHANGE_DRAIN, -1, "drain: nobody would be left to hold the slots");
    expect_refusal(view, CHANGE_REMOVE, -1, "remove: nobody would be left");
    expect_refusal(view, CHANGE_WEIGHT, 0, "weight: nobody would be left");
    expect_step(view, CHANGE_WEIGHT, 1, (struct change_step){.weight = 1});
    view_release(view);
    struct view *removing = edit(plain);
    removing->nodes[1].removing = true;
    (void)seal(removing);
    expect_refusal(removing, CHANGE_DRAIN, -1, "the node is being removed");
    view_release(removing);
    view_release(plain);
}
END_TEST

START_TEST(how_far_it_has_come)
{
    struct view *before = made_view(3, 3, 2, 0);
    struct change change;
    ck_assert_int_eq(create(&change, before, CHANGE_WEIGHT, "02ab", 2000), TORC_OK);
    ck_assert_int_eq(change_look(&change, before, before), CHANGE_WAITING);

    struct view *begun = change_apply(&change, before);
    ck_assert_ptr_nonnull(begun);
    ck_assert_uint_eq(begun->epoch, 4);
    ck_assert(begun->changing);
    ck_assert_int_eq(change_look(&change, before, begun), CHANGE_BEGUN);

    struct view *done = edit(begun);
    view_finish_change(done);
    (void)seal(done);
    ck_assert_int_eq(change_look(&change, before, done), CHANGE_DONE);
    ck_assert(change_came_to_its_end(begun, done));
    ck_assert(!change_came_to_its_end(begun, before));

    struct view *back = edit(begun);
    view_turn_back(back);
    back->turned_back = true;
    (void)seal(back);
    ck_assert_int_eq(change_look(&change, before, back), CHANGE_FOREIGN);
    ck_assert(change_came_to_its_end(back, before));

    /* Somebody else was first; or asked for something of their own in the same view. */
    struct view *foreign = edit(before);
    foreign->changing = true;
    foreign->nodes[0].weight_target = 500;
    ck_assert_int_eq(change_look(&change, before, seal(foreign)), CHANGE_FOREIGN);
    struct view *both = edit(before);
    both->changing = true;
    both->nodes[0].weight_target = 500;
    both->nodes[1].weight_target = 2000;
    ck_assert_int_eq(change_look(&change, before, seal(both)), CHANGE_BEGUN);
    view_release(both);
    view_release(foreign);
    view_release(back);
    view_release(done);
    view_release(begun);
    change_deinit(&change);
    view_release(before);
}
END_TEST

START_TEST(a_removal_is_more_than_a_weight)
{
    struct view *before = made_view(3, 3, 2, 0);
    struct change change;
    ck_assert_int_eq(create(&change, before, CHANGE_REMOVE, "02ab", -1), TORC_OK);
    struct view *drained = change_apply(&change, before);
    ck_assert_int_eq(change_look(&change, before, drained), CHANGE_FOREIGN);
    struct view *removing = edit(drained);
    removing->nodes[1].removing = true;
    ck_assert_int_eq(change_look(&change, before, seal(removing)), CHANGE_BEGUN);
    struct view *gone = edit(before);
    ck_assert(view_remove_node(gone, &before->nodes[1].id));
    ck_assert_int_eq(change_look(&change, before, seal(gone)), CHANGE_DONE);
    ck_assert(change_came_to_its_end(removing, gone));
    view_release(gone);
    view_release(removing);
    view_release(drained);
    change_deinit(&change);
    view_release(before);
}
END_TEST

START_TEST(many_weights)
{
    struct view *before = made_view(3, 3, 2, 0);
    const uint32_t weights[] = {1000, 900, 1100};
    struct change change;
    ck_assert_int_eq(change_of_weights(&change, before, weights), TORC_OK);
    ck_assert_uint_eq(change.step_count, 2);
    ck_assert_uint_eq(change.steps[1].weight, 1100);
    struct view *next = change_apply(&change, before);
    ck_assert_uint_eq(next->nodes[0].weight_target, 1000);
    ck_assert_uint_eq(next->nodes[1].weight_target, 900);
    view_release(next);
    change_deinit(&change);
    view_release(before);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("ring_change");
    tcase_add_test(tests, names_of_nodes);
    tcase_add_test(tests, a_beginning_of_two_ids_names_neither);
    tcase_add_test(tests, what_the_words_mean);
    tcase_add_test(tests, somebody_has_to_be_left);
    tcase_add_test(tests, how_far_it_has_come);
    tcase_add_test(tests, a_removal_is_more_than_a_weight);
    tcase_add_test(tests, many_weights);
    Suite *suite = suite_create("client/ring_change");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
