#include "client/ring/render.h"
#include "client/ring/render_json.h"
#include "ring/slot.h"
#include "tests/unit/client/support/made.h"
#include "tests/unit/client/support/shown.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct view *view;
static struct summary summary;
static struct buf text;

static void begin(struct view *made)
{
    view = made;
    ck_assert_int_eq(summary_init(&summary, view), 0);
    for (size_t i = 0; i < view->node_count; i++) {
        summary_read_info(&summary, i,
                          BYTES_LITERAL("# Memory\r\nused_memory:123456\r\n# Keyspace\r\n"
                                        "db0:keys=7,expires=0\r\n"));
    }
}

/* Judges and renders; the text is zero-terminated after it. */
static const char *render(bool colour)
{
    ck_assert_int_eq(summary_judge(&summary), 0);
    render_status(&text, &summary, (struct look){.colour = colour});
    return shown_text(&text);
}

static void end(void)
{
    summary_deinit(&summary);
    view_release(view);
    buf_deinit(&text);
}

START_TEST(counts_a_healthy_cluster)
{
    begin(made_view(3, 3, 2, 0));
    uint32_t primaries = 0;
    uint32_t replicas = 0;
    for (size_t i = 0; i < 3; i++) {
        primaries += summary.nodes[i].primaries;
        replicas += summary.nodes[i].replicas;
        ck_assert(summary.nodes[i].info.answers);
        ck_assert_uint_eq(summary.nodes[i].info.keys, 7);
        ck_assert_uint_eq(summary.nodes[i].info.memory_bytes, 123456);
        ck_assert_double_eq_tol(summary.nodes[i].due, SLOT_COUNT / 3.0, 0.01);
    }
    ck_assert_uint_eq(primaries, SLOT_COUNT);
    ck_assert_uint_eq(replicas, SLOT_COUNT);
    const char *shown = render(false);
    ck_assert_uint_eq(summary.warning_count, 0);
    ck_assert_ptr_null(strstr(shown, "warning"));
    ck_assert_ptr_null(strchr(shown, '\033'));
    ck_assert_ptr_nonnull(
        strstr(shown, "cluster made\nepoch 3, copies 2, nodes 3 (3 up), voters 0 (0 up)\n"));
    shown_expect(shown, "01ab0000 n1:7001 ");
    shown_expect(shown, "     7  121k     ?     ?\n");
    shown_expect_fits(shown);
    end();
}
END_TEST

START_TEST(warns_of_a_node_that_is_down)
{
    begin(made_view(3, 3, 2, 2));
    const char *shown = render(false);
    ck_assert_uint_gt(summary.slots_short, 0);
    ck_assert_uint_eq(summary.slots_without_owner, 0);
    ck_assert_ptr_nonnull(strstr(shown, "warning: node 02ab0000 (n2:7002) is down\n"));
    shown_expect(shown, "slots have fewer than 2 copies\n");
    shown_expect_fits(shown);
    end();
}
END_TEST

START_TEST(warns_of_slots_without_owner)
{
    begin(made_view(3, 2, 1, 1));
    const char *shown = render(false);
    ck_assert_uint_gt(summary.slots_without_owner, 8000);
    shown_expect(shown, "slots have no owner that is up\n");
    ck_assert_uint_eq(summary.slots_short, 0);
    end();
}
END_TEST

START_TEST(warns_of_too_few_nodes_for_the_copies)
{
    begin(made_view(1, 1, 2, 0));
    shown_expect(render(false), "16384 slots have fewer than 2 copies\n");
    end();
}
END_TEST

START_TEST(warns_of_imbalance)
{
    begin(made_view(3, 3, 2, 0));
    summary.nodes[0].primaries += 2000;
    const char *shown = render(false);
    ck_assert_uint_eq(summary.warning_count, 1);
    shown_expect(shown, "warning: node 01ab0000 (n1:7001) leads 7");
    end();
}
END_TEST

START_TEST(warns_of_a_node_that_does_not_answer)
{
    begin(made_view(3, 3, 2, 0));
    info_read(&summary.nodes[2].info, BYTES_LITERAL(""));
    const char *shown = render(true);
    ck_assert_ptr_nonnull(strstr(shown, " node 03ab0000 (n3:7003) does not answer\n"));
    shown_expect(shown, "     ?     ?     ?     ?\n");
    shown_expect(shown, "\033[32mup ");
    end();
}
END_TEST

START_TEST(long_names_are_cut)
{
    struct view *plain = made_view(3, 3, 2, 0);
    struct view *made = view_clone(plain);
    view_release(plain);
    memset(made->nodes[0].host, 'h', 200);
    memset(made->nodes[1].zone, 'z', ZONE_SIZE_MAX);
    made->nodes[1].weight_current = made->nodes[1].weight_target = 99990;
    ck_assert_int_eq(view_seal(made), 0);
    begin(made);
    summary.nodes[0].info.keys = UINT64_MAX - 1;
    summary.nodes[0].info.memory_bytes = UINT64_MAX - 1;
    const char *shown = render(false);
    shown_expect_fits(shown);
    shown_expect(shown, "hhh~:7001 ");
    shown_expect(shown, " zzz~ ");
    end();
}
END_TEST

/* What a node says that is well, with one thing changed: of two equal fields the last counts. */
static void answer(size_t index, const char *more)
{
    char info[600];
    (void)snprintf(info, sizeof(info),
                   "torc_version:0.1.0\r\nepoch:3\r\nlease_ms_left:900\r\n"
                   "server_time_usec:1700000000000000\r\ninstantaneous_ops_per_sec:1200\r\n"
                   "used_memory:104857600\r\ndb0:keys=1000,expires=0\r\n%s",
                   more);
    summary_read_info(&summary, index, bytes_of(info));
}

static void begin_answered(struct view *made)
{
    begin(made);
    for (size_t i = 0; i < view->node_count; i++) {
        answer(i, "");
    }
}

START_TEST(shows_what_each_node_has)
{
    begin_answered(made_view(3, 3, 2, 0));
    answer(0, "replica0:id=02ab000000000000000000000000000000000000,lag_bytes=2048\r\n"
              "replica1:id=03ab000000000000000000000000000000000000,lag_bytes=0\r\n");
    answer(2, "replica0:id=02ab000000000000000000000000000000000000,lag_bytes=1024\r\n");
    const char *shown = render(false);
    shown_expect(shown, "  keys   mem ops/s   lag\n");
    shown_expect(shown, " 1.0k  100M  1.2k  3.0k\n"); /* node 2, by nodes 1 and 3 */
    shown_expect(shown, " 1.0k  100M  1.2k     0\n");
    shown_expect(shown, " 1.0k  100M  1.2k     ?\n");
    shown_expect(shown, " 3.0k  300M  3.6k\n");
    shown_expect(shown, "most over its due ");
    ck_assert_uint_eq(summary.warning_count, 0);
    ck_assert_double_eq_tol(summary.imbalance.bytes, 0, 1e-9);
    end();
}
END_TEST

START_TEST(warns_of_leases_versions_and_clocks)
{
    begin_answered(made_view(3, 3, 2, 0));
    answer(0, "lease_ms_left:0\r\n");
    answer(1, "torc_version:0.2.0\r\n");
    answer(2, "server_time_usec:1700000002500000\r\n");
    summary.asked_ms = 20;
    const char *shown = render(false);
    ck_assert_uint_eq(summary.warning_count, 3);
    shown_expect(shown, "node 01ab0000 (n1:7001) has no lease: it serves nothing\n");
    shown_expect(shown, "mixed versions: 0.1.0 and 0.2.0\n");
    shown_expect(shown, "node 03ab0000 (n3:7003) has a clock 2.5 s ahead\n");
    shown_expect_fits(shown);
    end();
    /* Asking took so long that the clock may well be right. */
    begin_answered(made_view(3, 3, 2, 0));
    answer(2, "server_time_usec:1700000002500000\r\n");
    summary.asked_ms = 1600;
    (void)render(false);
    ck_assert_uint_eq(summary.warning_count, 0);
    end();
}
END_TEST

START_TEST(warns_of_bytes_only_where_there_are_many)
{
    begin_answered(made_view(3, 3, 2, 0));
    answer(0, "used_memory:300000000\r\n");
    shown_expect(render(false), "node 01ab0000 (n1:7001) holds 286M bytes, due are ");
    ck_assert_uint_eq(summary.warning_count, 1);
    ck_assert_double_gt(summary.imbalance.bytes, 0.5);
    end();
    begin_answered(made_view(3, 3, 2, 0));
    for (size_t i = 0; i < 3; i++) {
        answer(i, i == 0 ? "used_memory:3000\r\n" : "used_memory:1000\r\n");
    }
    (void)render(false);
    ck_assert_uint_eq(summary.warning_count, 0);
    ck_assert_double_gt(summary.imbalance.bytes, 0.5);
    end();
}
END_TEST

/* Weights that rebalance has chosen are no imbalance of bytes, and weights that were asked for
 * neither. */
START_TEST(due_is_the_weight_in_the_ring_or_the_one_asked_for)
{
    for (int chosen = 0; chosen < 2; chosen++) {
        struct view *plain = made_view(3, 3, 1, 0);
        struct view *made = view_clone(plain);
        view_release(plain);
        made->nodes[0].weight_current = made->nodes[0].weight_target = 2 * WEIGHT_UNIT;
        made->nodes[0].weight_asked = WEIGHT_UNIT;
        ck_assert_int_eq(view_seal(made), 0);
        begin_answered(made);
        answer(0, chosen ? "used_memory:104857600\r\n" : "used_memory:209715200\r\n");
        (void)render(false);
        ck_assert_uint_eq(summary.warning_count, 0);
        ck_assert_double_eq_tol(summary.imbalance.bytes, 0, 1e-9);
        end();
    }
}
END_TEST

START_TEST(many_warnings_of_one_kind_are_counted)
{
    begin(made_view(3, 12, 2, 0));
    for (size_t i = 0; i < 9; i++) {
        info_read(&summary.nodes[i].info, BYTES_LITERAL(""));
    }
    const char *shown = render(false);
    ck_assert_uint_eq(summary.warning_count, 6);
    shown_expect(shown, "(n5:7005) does not answer\nwarning: 4 more do not answer\n");
    end();
}
END_TEST

START_TEST(many_nodes_fit_and_are_in_order)
{
    struct view *plain = made_view(3, 100, 3, 7);
    struct view *made = view_clone(plain);
    view_release(plain);
    for (size_t i = 0; i < made->node_count; i++) {
        (void)snprintf(made->nodes[i].host, sizeof(made->nodes[i].host), "192.168.100.%zu",
                       200 - i);
        (void)snprintf(made->nodes[i].zone, sizeof(made->nodes[i].zone), "zone-%zu", 12 - i / 10);
    }
    ck_assert_int_eq(view_seal(made), 0);
    begin_answered(made);
    for (int unicode = 0; unicode < 2; unicode++) {
        ck_assert_int_eq(summary_judge(&summary), 0);
        render_status(&text, &summary, (struct look){.unicode = unicode != 0});
        const char *shown = shown_text(&text);
        shown_expect_fits(shown);
        const char *third = strstr(shown, "zone-3");
        ck_assert_ptr_nonnull(third);
        ck_assert(third < strstr(shown, "zone-12")); /* as numbers */
        ck_assert(strstr(shown, "100.101:") < strstr(shown, "100.110:"));
        ck_assert_ptr_nonnull(strstr(shown, unicode ? "███" : "###"));
        buf_reset(&text, 0);
    }
    end();
}
END_TEST

START_TEST(a_change_under_way_is_shown)
{
    struct view *plain = made_view(3, 3, 2, 0);
    struct view *made = view_clone(plain);
    view_release(plain);
    made->changing = true;
    made->nodes[2].weight_target = 0;
    made->nodes[2].removing = true;
    for (uint16_t slot = 0; slot < 8000; slot++) {
        view_set_slot_moved(made, slot);
    }
    ck_assert_int_eq(view_seal(made), 0);
    begin_answered(made);
    const char *shown = render(false);
    char line[100];
    (void)snprintf(line, sizeof(line), "a change is under way: %u of %u slots have moved",
                   summary.progress.slots_moved, summary.progress.slots_total);
    shown_expect(shown, line);
    shown_expect(shown, " removing ");
    ck_assert_uint_gt(summary.progress.slots_moved, 4000);
    ck_assert_uint_lt(summary.progress.slots_moved, summary.progress.slots_total);
    ck_assert_uint_lt(summary.progress.slots_total, SLOT_COUNT);
    ck_assert_uint_eq(summary.warning_count, 0); /* it is there to change the balance */
    shown_expect_fits(shown);
    end();
}
END_TEST

START_TEST(slots_of_keys)
{
    char *keys[] = {"foo", "a\xff\n", "0123456789012345678901234567890123456789"};
    begin(made_view(3, 3, 2, 0));
    render_slots(&text, view, keys, 3);
    const char *shown = shown_text(&text);
    uint16_t owners[COPIES_MAX];
    char line[128];
    ck_assert_uint_eq(view_owners(view, 12182, owners), 2);
    /* Node i of a made view listens at "n<i+1>:700<i+1>". */
    (void)snprintf(line, sizeof(line), "12182 n%u:700%u               n%u:700%u\n", owners[0] + 1u,
                   owners[0] + 1u, owners[1] + 1u, owners[1] + 1u);
    shown_expect(shown, line);
    shown_expect(shown, "a\\xff\\x0a ");
    shown_expect(shown, "012345678901234567890123456~ ");
    shown_expect_fits(shown);
    end();
}
END_TEST

START_TEST(json_of_the_status)
{
    begin(made_view(3, 3, 2, 2));
    info_read(&summary.nodes[1].info, BYTES_LITERAL(""));
    ck_assert_int_eq(summary_judge(&summary), 0);
    json_t *json = render_status_json(&summary);
    ck_assert_ptr_nonnull(json);
    ck_assert_str_eq(json_string_value(json_object_get(json, "cluster")), "made");
    ck_assert_int_eq(json_integer_value(json_object_get(json, "epoch")), 3);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "nodes")), 3);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "warnings")), summary.warning_count);
    const json_t *node = json_array_get(json_object_get(json, "nodes"), 1);
    ck_assert_str_eq(json_string_value(json_object_get(node, "status")), "down");
    ck_assert(json_is_null(json_object_get(node, "keys")));
    node = json_array_get(json_object_get(json, "nodes"), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(node, "memory_bytes")), 123456);
    ck_assert_int_eq(json_integer_value(json_object_get(node, "direct_port")), 8001);
    json_decref(json);
    end();
}
END_TEST

START_TEST(json_of_slots)
{
    char *keys[] = {"foo", "\xff"};
    begin(made_view(3, 3, 2, 0));
    json_t *json = render_slots_json(view, keys, 2);
    ck_assert_uint_eq(json_array_size(json), 2);
    const json_t *foo = json_array_get(json, 0);
    ck_assert_int_eq(json_integer_value(json_object_get(foo, "slot")), 12182);
    ck_assert(json_is_object(json_object_get(foo, "primary")));
    ck_assert_uint_eq(json_array_size(json_object_get(foo, "replicas")), 1);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(json, 1), "key")), "\\xff");
    json_decref(json);
    end();
    begin(made_view(3, 1, 1, 1));
    json = render_slots_json(view, keys, 1);
    ck_assert(json_is_null(json_object_get(json_array_get(json, 0), "primary")));
    json_decref(json);
    end();
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("ring_status");
    tcase_add_test(tests, counts_a_healthy_cluster);
    tcase_add_test(tests, warns_of_a_node_that_is_down);
    tcase_add_test(tests, warns_of_slots_without_owner);
    tcase_add_test(tests, warns_of_too_few_nodes_for_the_copies);
    tcase_add_test(tests, warns_of_imbalance);
    tcase_add_test(tests, warns_of_a_node_that_does_not_answer);
    tcase_add_test(tests, long_names_are_cut);
    tcase_add_test(tests, shows_what_each_node_has);
    tcase_add_test(tests, warns_of_leases_versions_and_clocks);
    tcase_add_test(tests, warns_of_bytes_only_where_there_are_many);
    tcase_add_test(tests, due_is_the_weight_in_the_ring_or_the_one_asked_for);
    tcase_add_test(tests, many_warnings_of_one_kind_are_counted);
    tcase_add_test(tests, many_nodes_fit_and_are_in_order);
    tcase_add_test(tests, a_change_under_way_is_shown);
    tcase_add_test(tests, slots_of_keys);
    tcase_add_test(tests, json_of_the_status);
    tcase_add_test(tests, json_of_slots);
    Suite *suite = suite_create("client/ring_status");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
