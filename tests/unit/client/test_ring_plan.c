#include "base/error.h"
#include "client/ring/proposal.h"
#include "client/ring/render_json.h"
#include "client/ring/render_plan.h"
#include "tests/unit/client/support/made.h"
#include "tests/unit/client/support/shown.h"
#include "torc/torc.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct view *view;
static struct measure measure;
static struct summary summary;
static struct proposal proposal;
static struct buf text;
static char error[RING_ERROR_SIZE];

/* Every slot has 10 keys, 1 MiB and 2 operations a second. */
static void begin(struct view *made)
{
    view = made;
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        measure.slots[i] =
            (struct slot_measure){.known = true, .keys = 10, .bytes = 1 << 20, .ops = 2};
    }
    measure.has_ops = true;
    ck_assert_int_eq(summary_init(&summary, view), TORC_OK);
}

static int propose(struct change_request request)
{
    const struct proposal_input input = {
        .view = view, .request = &request, .measure = &measure, .summary = &summary};
    return proposal_create(&proposal, &input, error);
}

static void end(void)
{
    proposal_deinit(&proposal);
    summary_deinit(&summary);
    view_release(view);
    buf_deinit(&text);
}

static const char *render(struct look look)
{
    render_plan(&text, &proposal, look);
    return shown_text(&text);
}

static void expect_sums(const struct forecast *forecast)
{
    struct load sum_before = {0};
    struct load sum_after = {0};
    for (size_t i = 0; i < forecast->plan->node_count; i++) {
        sum_before.slots += forecast->before[i].slots;
        sum_before.keys += forecast->before[i].keys;
        sum_after.slots += forecast->after[i].slots;
        sum_after.bytes += forecast->after[i].bytes;
        sum_after.ops += forecast->after[i].ops;
    }
    ck_assert_double_eq(sum_before.slots, SLOT_COUNT);
    ck_assert_double_eq(sum_before.keys, 2.0 * 10 * SLOT_COUNT);
    ck_assert_double_eq(sum_after.slots, SLOT_COUNT);
    ck_assert_double_eq(sum_after.bytes, 2.0 * (1 << 20) * SLOT_COUNT);
    ck_assert_double_eq(sum_after.ops, 2.0 * SLOT_COUNT);
}

START_TEST(a_drain_is_foretold)
{
    begin(made_view(3, 4, 2, 0));
    ck_assert_int_eq(propose((struct change_request){.kind = CHANGE_DRAIN, .node = "02ab"}),
                     TORC_OK);
    const struct forecast *forecast = &proposal.forecast;
    expect_sums(forecast);
    ck_assert_double_eq(forecast->before[1].slots, summary.nodes[1].primaries);
    ck_assert_double_eq(forecast->after[1].slots, 0);
    ck_assert_double_eq(forecast->after[1].bytes, 0);
    /* All that it holds has to be sent, at the least. */
    const uint32_t held = summary.nodes[1].primaries + summary.nodes[1].replicas;
    ck_assert_uint_ge(forecast->copies_least, held);
    ck_assert_uint_ge(forecast->plan->copies_moved, forecast->copies_least);
    ck_assert_uint_lt(forecast->plan->copies_moved, 2 * forecast->copies_least);
    ck_assert_double_eq(forecast->keys_moved, 10.0 * forecast->plan->copies_moved);
    ck_assert_double_eq(forecast->bytes_moved, (double)(1 << 20) * forecast->plan->copies_moved);
    ck_assert_double_lt(forecast->imbalance_after.slots, 0.06);
    end();
}
END_TEST

START_TEST(a_drained_node_is_added)
{
    struct view *plain = made_view(3, 4, 2, 0);
    struct view *made = view_clone(plain);
    view_release(plain);
    made->nodes[3].weight_current = made->nodes[3].weight_target = 0;
    ck_assert_int_eq(view_seal(made), TORC_OK);
    begin(made);
    ck_assert_int_eq(propose((struct change_request){.kind = CHANGE_ADD, .node = "n4:8004"}),
                     TORC_OK);
    const struct forecast *forecast = &proposal.forecast;
    expect_sums(forecast);
    ck_assert_double_eq(forecast->before[3].bytes, 0);
    ck_assert_double_gt(forecast->after[3].slots, 3500);
    ck_assert_uint_ge(forecast->plan->copies_moved, forecast->copies_least);
    ck_assert_double_eq(forecast->copies_least, forecast->after[3].bytes / (1 << 20));
    const char *shown = render((struct look){.unicode = true});
    shown_expect_fits(shown);
    shown_expect(shown, "add 04ab0000 (n4:7004): weight from 0 to 1\n");
    shown_expect(shown, "   0→1 ");
    shown_expect(shown, "most over its due");
    shown_expect(shown, "primaries  ");
    shown_expect(shown, " to be sent (least possible: ");
    end();
}
END_TEST

START_TEST(time_is_that_of_the_slowest_sender)
{
    begin(made_view(3, 3, 1, 0));
    const struct change_request drain = {.kind = CHANGE_DRAIN, .node = "02ab"};
    ck_assert_int_eq(propose(drain), TORC_OK);
    const double bytes = (double)(1 << 20) * summary.nodes[1].primaries;
    ck_assert(proposal.forecast.rate_assumed);
    ck_assert_double_eq_tol(proposal.forecast.seconds, bytes / RATE_ASSUMED, 1e-6);
    shown_expect(render((struct look){0}), "at 100M bytes/s a node (assumed: there is no limit)\n");
    proposal_deinit(&proposal);
    buf_reset(&text, 0);
    summary.nodes[1].info.rate_limit = 10 << 20;
    summary.nodes[2].info.rate_limit = 1; /* sends nothing */
    ck_assert_int_eq(propose(drain), TORC_OK);
    ck_assert(!proposal.forecast.rate_assumed);
    ck_assert_double_eq_tol(proposal.forecast.seconds, bytes / (10 << 20), 1e-6);
    shown_expect(render((struct look){0}), "at 10.0M bytes/s a node (its limit)\n");
    end();
}
END_TEST

START_TEST(nothing_to_do)
{
    begin(made_view(3, 3, 2, 0));
    ck_assert_int_eq(propose((struct change_request){.kind = CHANGE_ADD, .node = "02ab"}), TORC_OK);
    ck_assert_ptr_null(proposal.next);
    ck_assert_str_eq(render((struct look){0}),
                     "add 02ab: nothing to do, its weight is that already\n");
    json_t *json = render_plan_json(&proposal, "nothing to do");
    ck_assert(json_is_true(json_object_get(json, "nothing_to_do")));
    json_decref(json);
    end();
}
END_TEST

START_TEST(wrong_words)
{
    begin(made_view(3, 3, 2, 0));
    ck_assert_int_eq(propose((struct change_request){.kind = CHANGE_DRAIN, .node = "zz"}),
                     TORC_EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "'zz' is no node"));
    end();
}
END_TEST

START_TEST(bytes_are_rebalanced)
{
    begin(made_view(3, 4, 2, 0));
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owners[COPIES_MAX];
        ck_assert_uint_gt(view_owners(view, (uint16_t)slot, owners), 0);
        measure.slots[slot].bytes *= owners[0] == 0 ? 3 : 1;
        measure.slots[slot].ops = 0;
    }
    ck_assert_int_eq(
        propose((struct change_request){.kind = CHANGE_REBALANCE, .by = BALANCE_BYTES}), TORC_OK);
    ck_assert_ptr_nonnull(proposal.next);
    const struct forecast *forecast = &proposal.forecast;
    ck_assert_double_eq_tol(forecast->imbalance_before.bytes, proposal.rebalance.imbalance_now,
                            1e-9);
    ck_assert_double_eq_tol(forecast->imbalance_after.bytes, proposal.rebalance.imbalance_best,
                            1e-9);
    const char *shown = render((struct look){0});
    shown_expect(shown, "rebalance by bytes: the most over its due from +");
    shown_expect_fits(shown);
    proposal_deinit(&proposal);
    buf_reset(&text, 0);
    ck_assert_int_eq(propose((struct change_request){.kind = CHANGE_REBALANCE, .by = BALANCE_OPS}),
                     TORC_OK);
    ck_assert_ptr_null(proposal.next);
    shown_expect(render((struct look){0}), "rebalance by ops: already even: no node is more ");
    end();
}
END_TEST

START_TEST(what_worries_is_said)
{
    begin(made_view(3, 3, 2, 3));
    measure.slots[5].known = false;
    ck_assert_int_eq(propose((struct change_request){
                         .kind = CHANGE_WEIGHT, .node = "02ab", .has_weight = true, .weight = 0}),
                     TORC_OK);
    const char *shown = render((struct look){0});
    shown_expect(shown, "warning: node 03ab0000 is down: what only it has cannot be sent\n");
    shown_expect(shown, "warning: nobody says what is in 1 slots: they count as empty\n");
    shown_expect_fits(shown);
    proposal_deinit(&proposal);
    buf_reset(&text, 0);
    summary_deinit(&summary);
    view_release(view);
    begin(made_view(3, 2, 2, 0));
    ck_assert_int_eq(propose((struct change_request){.kind = CHANGE_REMOVE, .node = "02ab"}),
                     TORC_OK);
    shown = render((struct look){.colour = true});
    shown_expect(shown, "weight from 1 to 0, then out of the cluster\n");
    shown_expect(shown, " 1 node is left with weight: slots will have fewer than 2 copies\n");
    shown_expect_fits(shown);
    end();
}
END_TEST

START_TEST(without_ops_there_is_no_such_column)
{
    begin(made_view(3, 3, 2, 0));
    measure.has_ops = false;
    ck_assert_int_eq(propose((struct change_request){.kind = CHANGE_DRAIN, .node = "02ab"}),
                     TORC_OK);
    ck_assert_ptr_null(strstr(render((struct look){0}), "ops/s"));
    json_t *json = render_plan_json(&proposal, "planned");
    const json_t *node = json_array_get(json_object_get(json, "nodes"), 0);
    ck_assert(json_is_null(json_object_get(json_object_get(node, "before"), "ops_per_second")));
    json_decref(json);
    end();
}
END_TEST

START_TEST(a_plan_as_json)
{
    begin(made_view(3, 3, 2, 0));
    ck_assert_int_eq(propose((struct change_request){.kind = CHANGE_REMOVE, .node = "02ab"}),
                     TORC_OK);
    json_t *json = render_plan_json(&proposal, "begun");
    ck_assert_ptr_nonnull(json);
    ck_assert_str_eq(json_string_value(json_object_get(json, "change")), "remove");
    ck_assert_str_eq(json_string_value(json_object_get(json, "outcome")), "begun");
    ck_assert_int_eq(json_integer_value(json_object_get(json, "copies_moved")),
                     proposal.forecast.plan->copies_moved);
    const json_t *node = json_array_get(json_object_get(json, "nodes"), 1);
    ck_assert(json_is_true(json_object_get(node, "remove")));
    ck_assert_double_eq(json_real_value(json_object_get(json_object_get(node, "before"), "weight")),
                        1);
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(node, "after"), "slots")),
                     0);
    json_decref(json);
    end();
}
END_TEST

static void expect_words(const char *const *expected, size_t count)
{
    struct buf words = {0};
    size_t found = 0;
    proposal_encode(&proposal, &words, &found);
    ck_assert_uint_eq(found, count);
    const char *word = buf_head(&words);
    for (size_t i = 0; i < count; i++) {
        ck_assert_str_eq(word, expected[i]);
        word += strlen(word) + 1;
    }
    ck_assert(word == buf_tail(&words));
    buf_deinit(&words);
}

START_TEST(what_is_sent)
{
    char tag[17];
    begin(made_view(3, 3, 2, 0));
    (void)snprintf(tag, sizeof(tag), "%016llx", (unsigned long long)view_ring_tag(view));
    ck_assert_int_eq(
        propose((struct change_request){
            .kind = CHANGE_WEIGHT, .node = "02ab", .has_weight = true, .weight = 1500}),
        TORC_OK);
    expect_words(
        (const char *const[]){"CHANGE", tag, "02ab000000000000000000000000000000000000", "1500"},
        4);
    proposal_deinit(&proposal);
    ck_assert_int_eq(propose((struct change_request){.kind = CHANGE_REMOVE, .node = "03ab"}),
                     TORC_OK);
    expect_words(
        (const char *const[]){"CHANGE", tag, "03ab000000000000000000000000000000000000", "remove"},
        4);
    end();
}
END_TEST

START_TEST(slot_stats_are_read)
{
    static struct measure read;
    static struct measure before;
    redisReply *reply = made_reply("*3\r\n"
                                   "*2\r\n:7\r\n*6\r\n$9\r\nkey-count\r\n:3\r\n"
                                   "$12\r\nmemory-bytes\r\n:400\r\n$8\r\ncommands\r\n:50\r\n"
                                   "*2\r\n:16384\r\n*0\r\n"
                                   "*2\r\n:16383\r\n*2\r\n$7\r\nunknown\r\n+what\r\n");
    measure_read(&read, reply);
    torc_reply_free(reply);
    ck_assert(read.slots[7].known);
    ck_assert_uint_eq(read.slots[7].keys, 3);
    ck_assert_uint_eq(read.slots[7].bytes, 400);
    ck_assert_uint_eq(read.slots[7].commands, 50);
    ck_assert(read.slots[16383].known);
    ck_assert_uint_eq(measure_unknown(&read), SLOT_COUNT - 2);
    before = read;
    before.slots[7].commands = 10;
    measure_set_ops(&read, &before, 2);
    ck_assert_double_eq(read.slots[7].ops, 20);
    before.slots[7].commands = 60; /* it has changed hands */
    measure_set_ops(&read, &before, 2);
    ck_assert_double_eq(read.slots[7].ops, 0);
}
END_TEST

START_TEST(what_is_no_slot_stats_is_passed_over)
{
    static struct measure read;
    static const char *const replies[] = {"-ERR unknown subcommand\r\n",
                                          ":5\r\n",
                                          "*1\r\n:5\r\n",
                                          "*1\r\n*1\r\n:5\r\n",
                                          "*1\r\n*2\r\n:5\r\n:5\r\n",
                                          "*1\r\n*2\r\n:5\r\n*1\r\n+a\r\n",
                                          "*1\r\n*2\r\n:-1\r\n*0\r\n"};
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        redisReply *reply = made_reply(replies[i]);
        measure_read(&read, reply);
        torc_reply_free(reply);
    }
    ck_assert_uint_eq(measure_unknown(&read), SLOT_COUNT);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("ring_plan");
    tcase_add_test(tests, a_drain_is_foretold);
    tcase_add_test(tests, a_drained_node_is_added);
    tcase_add_test(tests, time_is_that_of_the_slowest_sender);
    tcase_add_test(tests, nothing_to_do);
    tcase_add_test(tests, wrong_words);
    tcase_add_test(tests, bytes_are_rebalanced);
    tcase_add_test(tests, what_worries_is_said);
    tcase_add_test(tests, without_ops_there_is_no_such_column);
    tcase_add_test(tests, a_plan_as_json);
    tcase_add_test(tests, what_is_sent);
    tcase_add_test(tests, slot_stats_are_read);
    tcase_add_test(tests, what_is_no_slot_stats_is_passed_over);
    Suite *suite = suite_create("client/ring_plan");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
