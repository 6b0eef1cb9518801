#include "client/ring/render.h"
#include "client/ring/render_json.h"
#include "ring/slot.h"
#include "tests/unit/client/support/made.h"

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
        summary_read_info(&summary.nodes[i],
                          BYTES_LITERAL("# Memory\r\nused_memory:123456\r\n# Keyspace\r\n"
                                        "db0:keys=7,expires=0\r\n"));
    }
}

/* Judges and renders; the text is zero-terminated after it. */
static const char *render(bool colour)
{
    ck_assert_int_eq(summary_judge(&summary), 0);
    render_status(&text, &summary, colour);
    buf_append(&text, "", 1);
    ck_assert(!text.failed);
    return buf_head(&text);
}

static void end(void)
{
    summary_deinit(&summary);
    view_release(view);
    buf_deinit(&text);
}

static void expect_width(const char *lines)
{
    size_t column = 0;
    for (; *lines != '\0'; lines++) {
        column = *lines == '\n' ? 0 : column + 1;
        ck_assert_msg(column <= RENDER_WIDTH, "a line has more than %d columns", RENDER_WIDTH);
    }
}

START_TEST(counts_a_healthy_cluster)
{
    begin(made_view(3, 3, 2, 0));
    uint32_t primaries = 0;
    uint32_t replicas = 0;
    for (size_t i = 0; i < 3; i++) {
        primaries += summary.nodes[i].primaries;
        replicas += summary.nodes[i].replicas;
        ck_assert(summary.nodes[i].answers);
        ck_assert_uint_eq(summary.nodes[i].keys, 7);
        ck_assert_uint_eq(summary.nodes[i].memory_bytes, 123456);
        ck_assert_double_eq_tol(summary.nodes[i].due, SLOT_COUNT / 3.0, 0.01);
    }
    ck_assert_uint_eq(primaries, SLOT_COUNT);
    ck_assert_uint_eq(replicas, SLOT_COUNT);
    const char *shown = render(false);
    ck_assert_uint_eq(summary.warning_count, 0);
    ck_assert_ptr_null(strstr(shown, "warning"));
    ck_assert_ptr_null(strchr(shown, '\033'));
    ck_assert_ptr_nonnull(strstr(shown, "cluster made\nepoch 3, copies 2, nodes 3 (3 up)\n"));
    ck_assert_ptr_nonnull(strstr(shown, "01ab0000 n1:7001 "));
    ck_assert_ptr_nonnull(strstr(shown, "     7  121k\n"));
    expect_width(shown);
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
    ck_assert_ptr_nonnull(strstr(shown, "slots have fewer than 2 copies\n"));
    expect_width(shown);
    end();
}
END_TEST

START_TEST(warns_of_slots_without_owner)
{
    begin(made_view(3, 2, 1, 1));
    const char *shown = render(false);
    ck_assert_uint_gt(summary.slots_without_owner, 8000);
    ck_assert_ptr_nonnull(strstr(shown, "slots have no owner that is up\n"));
    ck_assert_uint_eq(summary.slots_short, 0);
    end();
}
END_TEST

START_TEST(warns_of_too_few_nodes_for_the_copies)
{
    begin(made_view(1, 1, 2, 0));
    ck_assert_ptr_nonnull(strstr(render(false), "16384 slots have fewer than 2 copies\n"));
    end();
}
END_TEST

START_TEST(warns_of_imbalance)
{
    begin(made_view(3, 3, 2, 0));
    summary.nodes[0].primaries += 2000;
    const char *shown = render(false);
    ck_assert_uint_eq(summary.warning_count, 1);
    ck_assert_ptr_nonnull(strstr(shown, "warning: node 01ab0000 leads "));
    end();
}
END_TEST

START_TEST(warns_of_a_node_that_does_not_answer)
{
    begin(made_view(3, 3, 2, 0));
    summary.nodes[2].answers = false;
    const char *shown = render(true);
    ck_assert_ptr_nonnull(strstr(shown, " node 03ab0000 (n3:7003) does not answer\n"));
    ck_assert_ptr_nonnull(strstr(shown, "     ?     ?\n"));
    ck_assert_ptr_nonnull(strstr(shown, "\033[32mup "));
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
    made->nodes[1].weight_current = made->nodes[1].weight_target = 99999;
    ck_assert_int_eq(view_seal(made), 0);
    begin(made);
    summary.nodes[0].keys = UINT64_MAX;
    summary.nodes[0].memory_bytes = UINT64_MAX;
    const char *shown = render(false);
    expect_width(shown);
    ck_assert_ptr_nonnull(strstr(shown, "hhh~:7001 "));
    ck_assert_ptr_nonnull(strstr(shown, " zzz~ "));
    end();
}
END_TEST

START_TEST(info_without_numbers_is_no_answer)
{
    struct node_summary node = {0};
    summary_read_info(&node, BYTES_LITERAL("-ERR"));
    summary_read_info(&node, BYTES_LITERAL("xused_memory:5\r\nused_memory:\r\n"));
    summary_read_info(&node, (struct bytes){NULL, 0});
    ck_assert(!node.answers);
    summary_read_info(&node, BYTES_LITERAL("used_memory:5"));
    ck_assert(node.answers);
    ck_assert_uint_eq(node.keys, 0);
}
END_TEST

START_TEST(short_numbers)
{
    static const struct {
        uint64_t number;
        unsigned step;
        const char *shown;
    } cases[] = {
        {0, 1000, "0"},         {999, 1000, "999"},      {1000, 1000, "1.0k"},
        {99949, 1000, "99.9k"}, {99999, 1000, "100k"},   {999499, 1000, "999k"},
        {999500, 1000, "1.0M"}, {1048576, 1024, "1.0M"}, {UINT64_MAX, 1000, "18.4E"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char shown[RENDER_SHORT_SIZE];
        render_short_number(shown, cases[i].number, cases[i].step);
        ck_assert_str_eq(shown, cases[i].shown);
    }
}
END_TEST

START_TEST(slots_of_keys)
{
    char *keys[] = {"foo", "a\xff\n", "0123456789012345678901234567890123456789"};
    begin(made_view(3, 3, 2, 0));
    render_slots(&text, view, keys, 3);
    buf_append(&text, "", 1);
    const char *shown = buf_head(&text);
    uint16_t owners[COPIES_MAX];
    char line[128];
    ck_assert_uint_eq(view_owners(view, 12182, owners), 2);
    /* Node i of a made view listens at "n<i+1>:700<i+1>". */
    (void)snprintf(line, sizeof(line), "12182 n%u:700%u               n%u:700%u\n", owners[0] + 1u,
                   owners[0] + 1u, owners[1] + 1u, owners[1] + 1u);
    ck_assert_ptr_nonnull(strstr(shown, line));
    ck_assert_ptr_nonnull(strstr(shown, "a\\xff\\x0a "));
    ck_assert_ptr_nonnull(strstr(shown, "012345678901234567890123456~ "));
    expect_width(shown);
    end();
}
END_TEST

START_TEST(json_of_the_status)
{
    begin(made_view(3, 3, 2, 2));
    summary.nodes[1].answers = false;
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
    TCase *tests = tcase_create("ring_render");
    tcase_add_test(tests, counts_a_healthy_cluster);
    tcase_add_test(tests, warns_of_a_node_that_is_down);
    tcase_add_test(tests, warns_of_slots_without_owner);
    tcase_add_test(tests, warns_of_too_few_nodes_for_the_copies);
    tcase_add_test(tests, warns_of_imbalance);
    tcase_add_test(tests, warns_of_a_node_that_does_not_answer);
    tcase_add_test(tests, long_names_are_cut);
    tcase_add_test(tests, info_without_numbers_is_no_answer);
    tcase_add_test(tests, short_numbers);
    tcase_add_test(tests, slots_of_keys);
    tcase_add_test(tests, json_of_the_status);
    tcase_add_test(tests, json_of_slots);
    Suite *suite = suite_create("client/ring_render");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
