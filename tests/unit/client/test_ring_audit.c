#include "client/ring/audit.h"

#include "base/error.h"
#include "client/ring/render_audit.h"
#include "tests/unit/client/support/made.h"
#include "tests/unit/client/support/shown.h"
#include "torc/torc.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct view *view; /* three nodes, two copies, epoch 7 */
static struct audit audit;
static struct buf text; /* of the last reply, or what is shown */

static void setup(void)
{
    view = made_view(7, 3, 2, 0);
    ck_assert_int_eq(audit_init(&audit, view), TORC_OK);
}

static void teardown(void)
{
    audit_deinit(&audit);
    view_release(view);
    buf_deinit(&text);
}

/* The replies of node `index`. */

static void say_view(size_t index, const struct view *known)
{
    struct buf bytes = {0};
    view_encode(known, &bytes);
    redisReply reply = {
        .type = REDIS_REPLY_STRING, .str = buf_head(&bytes), .len = buf_size(&bytes)};
    audit_read_view(&audit, index, &reply);
    buf_deinit(&bytes);
}

/* That it leads what the view says, but for the slots from `less` to `more`: those not at all. */
static void say_slots(size_t index, unsigned less, unsigned more)
{
    unsigned count = 0;
    struct buf rows = {0};
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owners[COPIES_MAX];
        if (view_owners(view, (uint16_t)slot, owners) > 0 && owners[0] == index &&
            (slot < less || slot > more)) {
            buf_append_format(&rows, "*2\r\n:%u\r\n*0\r\n", slot);
            count++;
        }
    }
    buf_reset(&text, SIZE_MAX);
    buf_append_format(&text, "*%u\r\n%.*s", count, (int)buf_size(&rows), buf_head(&rows));
    redisReply *reply = made_reply(shown_text(&text));
    audit_read_slots(&audit, index, reply);
    torc_reply_free(reply);
    buf_deinit(&rows);
}

static void say_all(void)
{
    for (size_t i = 0; i < 3; i++) {
        say_view(i, view);
        say_slots(i, SLOT_COUNT, SLOT_COUNT);
    }
}

static void start_all(void)
{
    for (size_t i = 0; i < 3; i++) {
        redisReply *reply = made_reply(":101\r\n");
        ck_assert(audit_read_start(&audit, i, reply));
        torc_reply_free(reply);
    }
}

static bool say_status(size_t index, unsigned run, bool running, unsigned sent)
{
    char line[300];
    (void)snprintf(line, sizeof(line),
                   "*12\r\n$3\r\nrun\r\n:%u\r\n$7\r\nrunning\r\n:%d\r\n$14\r\nslots-to-check\r\n"
                   ":50\r\n$13\r\nslots-checked\r\n:%d\r\n$11\r\nranges-sent\r\n:%u\r\n"
                   "$10\r\nslots-gone\r\n:1\r\n",
                   run, running, running ? 10 : 49, sent);
    redisReply *reply = made_reply(line);
    const bool answered = audit_read_status(&audit, index, reply);
    torc_reply_free(reply);
    return answered;
}

/* Of what was sent by node `from` in that run; a slot, if there is one, differs. */
static void say_received(size_t index, size_t from, unsigned run, unsigned compared,
                         unsigned passed, int slot)
{
    char id[NODE_ID_TEXT_SIZE];
    char line[400];
    char differing[100] = "*0\r\n";
    node_id_format(&view->nodes[from].id, id);
    if (slot >= 0) {
        (void)snprintf(differing, sizeof(differing), "*1\r\n*2\r\n:%d\r\n$40\r\n%s\r\n", slot, id);
    }
    (void)snprintf(
        line, sizeof(line),
        "*6\r\n$3\r\nrun\r\n:5\r\n$8\r\nreceived\r\n*1\r\n*5\r\n$40\r\n%s\r\n:%u\r\n:%u\r\n"
        ":%u\r\n:%d\r\n$9\r\ndiffering\r\n%s",
        id, run, compared, passed, slot >= 0, differing);
    redisReply *reply = made_reply(line);
    ck_assert_int_eq(audit_read_received(&audit, index, reply), TORC_OK);
    torc_reply_free(reply);
}

static const char *shown(void)
{
    buf_reset(&text, SIZE_MAX);
    render_audit(&text, &audit, 1.5, (struct look){.colour = false});
    shown_expect_fits(shown_text(&text));
    return shown_text(&text);
}

static const char *judge_look(uint64_t since_epoch)
{
    ck_assert_int_eq(audit_judge_look(&audit, since_epoch), TORC_OK);
    return shown();
}

static const char *judge_copies(const struct view *now)
{
    ck_assert_int_eq(audit_judge_copies(&audit, now), TORC_OK);
    return shown();
}

/* A slot that node 0 leads, with a replica at node 1. */
static uint16_t slot_of_both(void)
{
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owners[COPIES_MAX];
        view_owners(view, (uint16_t)slot, owners);
        if (owners[0] == 0 && owners[1] == 1) {
            return (uint16_t)slot;
        }
    }
    ck_abort();
    return 0;
}

/* ---- looking ---- */

START_TEST(a_cluster_that_is_well)
{
    say_all();
    ck_assert(audit_agrees(&audit));
    shown_expect(judge_look(7), "cluster made\nepoch 7, copies 2, nodes 3\n");
    shown_expect(shown(), "All is well.\n");
    ck_assert_uint_eq(audit.problem_count, 0);
}
END_TEST

START_TEST(views_that_differ)
{
    struct view *older = made_view(6, 3, 2, 0);
    struct view *other = made_view(7, 3, 3, 0);
    redisReply *error = made_reply("-CLUSTERDOWN no view\r\n");
    say_all();
    say_view(0, older);
    say_view(1, other);
    audit_read_view(&audit, 2, error);
    ck_assert(!audit_agrees(&audit));
    judge_look(7);
    shown_expect(shown(), "problem: node 01ab0000 (n1:7001) has view 6, others 7\n");
    shown_expect(shown(), "problem: node 02ab0000 (n2:7002) has another view 7\n");
    shown_expect(shown(), "problem: node 03ab0000 (n3:7003) does not say what view it has\n");
    ck_assert_uint_eq(audit.problem_count, 3);
    torc_reply_free(error);
    view_release(other);
    view_release(older);
}
END_TEST

START_TEST(while_views_change_only_the_oldest_are_wrong)
{
    struct view *older = made_view(4, 3, 2, 0);
    struct view *recent = made_view(6, 3, 2, 0);
    say_view(0, view);
    say_view(1, recent);
    say_view(2, older);
    judge_look(5); /* nobody leads anything, by what was said, and that counts for nothing */
    ck_assert_uint_eq(audit.problem_count, 1);
    shown_expect(shown(), "problem: node 03ab0000 (n3:7003) has view 4, others 7\n");
    shown_expect(shown(), "note: slots changed hands all the time");
    view_release(recent);
    view_release(older);
}
END_TEST

START_TEST(a_node_that_does_not_answer)
{
    say_all();
    audit_read_view(&audit, 1, NULL);
    memset(audit.leader_count, 0, sizeof(audit.leader_count));
    say_slots(0, SLOT_COUNT, SLOT_COUNT);
    say_slots(2, SLOT_COUNT, SLOT_COUNT);
    ck_assert(audit_agrees(&audit));
    shown_expect(judge_look(7), "problem: node 02ab0000 (n2:7002) does not answer\n");
    ck_assert_uint_eq(audit.problem_count, 1); /* that nobody leads its slots is no other */
}
END_TEST

START_TEST(slots_without_leader_and_with_two)
{
    for (size_t i = 0; i < 3; i++) {
        say_view(i, view);
        say_slots(i, 100, 102);
    }
    redisReply *too = made_reply("*3\r\n*2\r\n:5\r\n*0\r\n*2\r\n:16383\r\n*0\r\n*1\r\n:101\r\n");
    uint16_t owners[COPIES_MAX];
    view_owners(view, 101, owners);
    audit.leader_count[5] = audit.leader_count[16383] = 1;
    audit_read_slots(&audit, (owners[0] + 1u) % 3, too);
    judge_look(7);
    shown_expect(shown(), "problem: 2 slots are led by nobody: 100 102\n");
    shown_expect(shown(), "problem: 2 slots are led by several nodes: 5 16383\n");
    shown_expect(shown(), "problem: 1 slot is led by another node than the view says: 101\n");
    ck_assert_uint_eq(audit.problem_count, 3);
    torc_reply_free(too);
}
END_TEST

START_TEST(copies_that_are_missing)
{
    struct view *less = made_view(8, 3, 2, 3);
    audit_deinit(&audit);
    ck_assert_int_eq(audit_init(&audit, less), TORC_OK);
    say_view(0, less);
    say_view(1, less);
    judge_look(7); /* a view has come since */
    shown_expect(shown(), "problem: node 03ab0000 (n3:7003) is down\n");
    shown_expect(shown(), " slots have fewer copies than agreed: ");
    ck_assert_uint_eq(audit.problem_count, 2);
    view_release(less);
}
END_TEST

/* ---- comparing ---- */

START_TEST(runs_are_begun_and_followed)
{
    say_all();
    redisReply *busy = made_reply("-BUSY check 5 is under way\r\n");
    redisReply *older = made_reply("-ERR unknown command 'torc.check'\r\n");
    ck_assert(!audit_read_start(&audit, 0, busy));
    ck_assert(!audit_read_start(&audit, 0, NULL));
    ck_assert(audit_read_start(&audit, 1, older));
    ck_assert(!audit_is_running(&audit));
    start_all();
    ck_assert(audit_is_running(&audit));
    ck_assert(!audit_read_status(&audit, 0, NULL));
    ck_assert(!audit_read_status(&audit, 0, busy));
    uint64_t total;
    ck_assert(say_status(0, 101, true, 4));
    ck_assert(say_status(1, 101, false, 4));
    ck_assert_uint_eq(audit_slots_done(&audit, &total), 10 + 1 + 49 + 1);
    ck_assert_uint_eq(total, 100);
    ck_assert(say_status(0, 101, false, 4));
    ck_assert(audit_is_running(&audit));
    ck_assert(say_status(2, 102, true, 0)); /* another's */
    ck_assert(!audit_is_running(&audit));
    judge_copies(view);
    shown_expect(shown(), "problem: node 02ab0000 (n2:7002) cannot compare: ERR unknown comma\n");
    shown_expect(shown(), "problem: node 03ab0000 (n3:7003) began anew, or another check\n");
    torc_reply_free(older);
    torc_reply_free(busy);
}
END_TEST

static void end_runs(unsigned sent)
{
    say_all();
    start_all();
    ck_assert(say_status(0, 101, false, sent));
    ck_assert(say_status(1, 101, false, 0));
    ck_assert(say_status(2, 101, false, 0));
}

START_TEST(all_that_was_sent_has_to_be_compared)
{
    end_runs(10);
    say_received(1, 0, 101, 5, 0, -1);
    say_received(2, 0, 101, 3, 0, -1);
    judge_copies(view);
    shown_expect(shown(), "problem: node 01ab0000 (n1:7001): ranges not compared: 2\n");
    ck_assert_uint_eq(audit.problem_count, 1);
    shown_expect(shown(), "147 slots, 8 ranges of their copies compared in 1.5 s\n");
    shown_expect(shown(), "note: slots not compared, for they changed hands: 3\n");
}
END_TEST

/* It was sent ranges, and nobody asks it what they came to. */
START_TEST(a_node_that_joins_meanwhile_is_no_problem)
{
    end_runs(10);
    say_received(1, 0, 101, 5, 0, -1);
    struct view *later = made_view(8, 4, 2, 0);
    judge_copies(later);
    ck_assert_uint_eq(audit.problem_count, 0);
    shown_expect(shown(), "note: ranges not compared, or by a node that has joined since: 5\n");
    view_release(later);
}
END_TEST

START_TEST(what_is_passed_over_is_wrong_only_in_a_quiet_cluster)
{
    end_runs(10);
    say_received(1, 0, 101, 8, 2, -1);
    struct view *later = made_view(8, 3, 2, 0);
    judge_copies(later);
    ck_assert_uint_eq(audit.problem_count, 0);
    shown_expect(shown(), "note: ranges not compared, for copies were being filled: 2");
    judge_copies(view);
    ck_assert_uint_eq(audit.problem_count, 1);
    shown_expect(shown(), "problem: ranges not compared, for copies were being filled: 2");
    view_release(later);
}
END_TEST

START_TEST(copies_that_differ)
{
    const uint16_t slot = slot_of_both();
    char expected[100];
    end_runs(10);
    say_received(1, 0, 101, 10, 0, slot);
    judge_copies(view);
    (void)snprintf(expected, sizeof(expected),
                   "problem: slot %u: the replica at 02ab0000 is not what 01ab0000 has\n", slot);
    shown_expect(shown(), expected);
    ck_assert_ptr_null(strstr(shown(), "All is well"));
    ck_assert_uint_eq(audit.problem_count, 1);
    json_t *json = render_audit_json(&audit, 1.5);
    const json_t *differing = json_object_get(json, "differing");
    ck_assert_uint_eq(json_array_size(differing), 1);
    const json_t *one = json_array_get(differing, 0);
    ck_assert_int_eq(json_integer_value(json_object_get(one, "slot")), slot);
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(one, "replica"), "port")),
                     7002);
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(one, "primary"), "port")),
                     7001);
    ck_assert(json_is_false(json_object_get(json, "well")));
    ck_assert_uint_eq(json_array_size(json_object_get(json, "problems")), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(json, "ranges_differing")), 1);
    json_decref(json);
}
END_TEST

START_TEST(what_an_older_run_found_does_not_count)
{
    end_runs(10);
    say_received(1, 0, 100, 10, 0, slot_of_both());
    judge_copies(view);
    ck_assert_uint_eq(audit.differing_count, 0);
    ck_assert_uint_eq(audit_totals(&audit).ranges_compared, 0);
}
END_TEST

START_TEST(a_copy_that_is_none_any_more_is_not_named)
{
    end_runs(10);
    say_received(1, 0, 101, 10, 0, slot_of_both());
    struct view *later = made_view(8, 3, 2, 2); /* node 1 is down */
    judge_copies(later);
    ck_assert_uint_eq(audit.problem_count, 0);
    shown_expect(shown(), "note: replicas that differed, and have been given up since: 1\n");
    view_release(later);
}
END_TEST

START_TEST(many_copies_that_differ_are_counted)
{
    end_runs(1000);
    unsigned said = 0;
    for (unsigned slot = 0; slot < SLOT_COUNT && said < AUDIT_NAMED_MAX + 3; slot++) {
        uint16_t owners[COPIES_MAX];
        view_owners(view, (uint16_t)slot, owners);
        if (owners[0] == 0) {
            say_received(owners[1], 0, 101, 50, 0, (int)slot);
            said++;
        }
    }
    judge_copies(view);
    shown_expect(shown(), "problem: replicas that differ besides these: 3\n");
    ck_assert_uint_eq(audit.differing_count, AUDIT_NAMED_MAX + 3);
}
END_TEST

START_TEST(nonsense_is_harmless)
{
    static const char *const lines[] = {
        "*0\r\n", ":1\r\n", "*2\r\n$3\r\nrun\r\n:1\r\n",
        "*6\r\n$3\r\nrun\r\n:1\r\n$8\r\nreceived\r\n:1\r\n$9\r\ndiffering\r\n$1\r\nx\r\n",
        ("*6\r\n$3\r\nrun\r\n:1\r\n$8\r\nreceived\r\n*2\r\n*1\r\n:1\r\n:1\r\n$9\r\ndiffering\r\n"
         "*3\r\n:1\r\n*2\r\n:99999\r\n$1\r\nx\r\n*2\r\n:1\r\n:1\r\n")};
    end_runs(0);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        redisReply *reply = made_reply(lines[i]);
        audit_read_view(&audit, 0, reply);
        audit_read_slots(&audit, 0, reply);
        (void)audit_read_start(&audit, 0, reply);
        (void)audit_read_status(&audit, 0, reply);
        ck_assert_int_eq(audit_read_received(&audit, 0, reply), TORC_OK);
        torc_reply_free(reply);
    }
    ck_assert_uint_eq(audit.differing_count, 0);
}
END_TEST

START_TEST(progress_is_shown)
{
    say_all();
    start_all();
    ck_assert(say_status(0, 101, true, 0));
    buf_reset(&text, SIZE_MAX);
    render_audit_progress(&text, &audit, (struct look){.colour = false});
    shown_expect(shown_text(&text), " 22% 11/50 slots");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ring_audit");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_cluster_that_is_well);
    tcase_add_test(tests, views_that_differ);
    tcase_add_test(tests, while_views_change_only_the_oldest_are_wrong);
    tcase_add_test(tests, a_node_that_does_not_answer);
    tcase_add_test(tests, slots_without_leader_and_with_two);
    tcase_add_test(tests, copies_that_are_missing);
    tcase_add_test(tests, runs_are_begun_and_followed);
    tcase_add_test(tests, all_that_was_sent_has_to_be_compared);
    tcase_add_test(tests, a_node_that_joins_meanwhile_is_no_problem);
    tcase_add_test(tests, what_is_passed_over_is_wrong_only_in_a_quiet_cluster);
    tcase_add_test(tests, copies_that_differ);
    tcase_add_test(tests, what_an_older_run_found_does_not_count);
    tcase_add_test(tests, a_copy_that_is_none_any_more_is_not_named);
    tcase_add_test(tests, many_copies_that_differ_are_counted);
    tcase_add_test(tests, nonsense_is_harmless);
    tcase_add_test(tests, progress_is_shown);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
