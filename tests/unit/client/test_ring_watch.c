#include "base/error.h"
#include "client/ring/progress.h"
#include "client/ring/render_json.h"
#include "client/ring/render_watch.h"
#include "tests/unit/client/support/made.h"
#include "tests/unit/client/support/shown.h"

#include <check.h>
#include <string.h>

#define MIB (1024.0 * 1024)

static struct progress progress;
static struct measure measure;
static struct view *settled;
static struct view *view;

/* Node 3 of three is being drained; every slot has 1 MiB. */
static void begin(void)
{
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        measure.slots[i] = (struct slot_measure){.known = true, .keys = 1, .bytes = 1 << 20};
    }
    settled = made_view(3, 3, 1, 0);
    view = view_clone(settled);
    view->changing = true;
    view->nodes[2].weight_target = 0;
    ck_assert_int_eq(view_seal(view), TORC_OK);
    progress_begin(&progress, &measure);
}

static void end(void)
{
    view_release(view);
    view_release(settled);
}

/* The next view, in which the first `count` slots are where they are to be. */
static void move(unsigned count)
{
    struct view *next = view_clone(view);
    next->epoch++;
    for (unsigned slot = 0; slot < count; slot++) {
        view_set_slot_moved(next, (uint16_t)slot);
    }
    ck_assert_int_eq(view_seal(next), TORC_OK);
    view_release(view);
    view = next;
}

/* Node 3 has sent so much by then. */
static void step(const struct view *seen, uint64_t now_ms, uint64_t sent_bytes)
{
    struct summary summary;
    ck_assert_int_eq(summary_init(&summary, seen), TORC_OK);
    summary.nodes[2].info.sent_bytes = sent_bytes;
    summary.nodes[0].info.pause_us_max = 900;
    summary.nodes[2].info.pause_us_max = 2100;
    summary.nodes[2].info.pause_us_p99 = 800;
    const struct progress_look look = {.view = seen, .summary = &summary, .now_ms = now_ms};
    progress_step(&progress, &look);
    summary_deinit(&summary);
}

static void expect_shown(struct look look, const char *part)
{
    struct buf text = {0};
    render_progress(&text, &progress, look);
    const char *shown = shown_text(&text);
    shown_expect(shown, part);
    shown_expect_fits(shown);
    buf_deinit(&text);
}

START_TEST(rate_and_time_left)
{
    begin();
    const uint64_t already = 7 << 20; /* before this change */
    step(view, 1000, already);
    const uint32_t total = progress.slots.slots_total;
    ck_assert_uint_gt(total, 5000);
    ck_assert_double_eq(progress.bytes_total, total * MIB);
    ck_assert_double_eq(progress.bytes_done, 0);
    ck_assert_double_lt(progress.seconds_left, 0);
    expect_shown((struct look){0}, "....................   0% 0/");
    /* 500 MiB are sent in five seconds, and no slot has moved yet. */
    step(view, 6000, already + (500 << 20));
    ck_assert_double_eq_tol(progress.bytes_per_second, 100 * MIB, 1);
    ck_assert_double_eq_tol(progress.bytes_done, 500 * MIB, 1);
    ck_assert_double_eq_tol(progress.seconds_left, (total - 500) / 100.0, 0.01);
    ck_assert_double_eq_tol(progress.fraction, 500.0 / total, 1e-6);
    expect_shown((struct look){.unicode = true, .colour = true}, "% 0/");
    expect_shown((struct look){0}, " 100M/s ");
    expect_shown((struct look){0}, " left");
    end();
}
END_TEST

START_TEST(slots_that_have_moved_count_whole)
{
    begin();
    step(view, 1000, 0);
    move(SLOT_COUNT / 2);
    step(view, 2000, 1 << 20);
    ck_assert_uint_gt(progress.slots.slots_moved, 2000);
    ck_assert_double_eq(progress.bytes_done, progress.slots.slots_moved * MIB);
    move(SLOT_COUNT);
    step(view, 3000, 2 << 20);
    ck_assert_double_eq(progress.fraction, 1);
    ck_assert_double_eq(progress.seconds_left, 0);
    expect_shown((struct look){0}, "#################### 100%");
    end();
}
END_TEST

/* What was sent before somebody looked counts as done as far as it has moved. */
START_TEST(looked_at_in_the_middle)
{
    begin();
    move(SLOT_COUNT / 2);
    step(view, 1000, UINT64_C(5) << 40);
    ck_assert_double_eq(progress.bytes_done, progress.slots.slots_moved * MIB);
    step(view, 2000, (UINT64_C(5) << 40) + (10 << 20));
    ck_assert_double_eq_tol(progress.bytes_done, (progress.slots.slots_moved + 10) * MIB, 1);
    end();
}
END_TEST

START_TEST(nodes_that_say_nothing)
{
    begin();
    step(view, 1000, INFO_UNKNOWN);
    move(SLOT_COUNT / 2);
    step(view, 3000, INFO_UNKNOWN);
    ck_assert(!progress.bytes_known);
    const struct change_progress *slots = &progress.slots;
    ck_assert_double_eq_tol(progress.fraction, (double)slots->slots_moved / slots->slots_total,
                            1e-9);
    const double rate = slots->slots_moved / 2.0;
    ck_assert_double_eq_tol(progress.seconds_left, (slots->slots_total - slots->slots_moved) / rate,
                            1e-6);
    json_t *json = render_progress_json(&progress);
    ck_assert(json_is_null(json_object_get(json, "bytes_total")));
    ck_assert(json_is_true(json_object_get(json, "changing")));
    json_decref(json);
    end();
}
END_TEST

START_TEST(turned_back)
{
    begin();
    move(SLOT_COUNT / 4);
    step(view, 1000, 100 << 20);
    const uint32_t moved = progress.slots.slots_moved;
    struct view *back = view_clone(view);
    view_turn_back(back);
    back->epoch++;
    back->turned_back = true;
    ck_assert_int_eq(view_seal(back), TORC_OK);
    step(back, 2000, 101 << 20);
    ck_assert(progress.turned_back);
    ck_assert_uint_eq(progress.slots.slots_moved, progress.slots.slots_total - moved);
    expect_shown((struct look){0}, " back");
    view_release(back);
    end();
}
END_TEST

START_TEST(the_end)
{
    struct buf text = {0};
    begin();
    step(view, 1000, 0);
    step(settled, 9000, 1);
    ck_assert(!progress.changing);
    ck_assert_uint_gt(progress.slots.slots_total, 5000); /* what it was about */
    render_end(&text, &progress, 8);
    const char *shown = shown_text(&text);
    shown_expect(shown, "The change is done: ");
    shown_expect(shown, "\n2.1 ms at most, 99 % of them 0.8 ms.\n");
    shown_expect_fits(shown);
    buf_reset(&text, 0);
    progress.turned_back = true;
    render_end(&text, &progress, 8);
    shown_expect(shown_text(&text), "The change was turned back: ");
    buf_deinit(&text);
    end();
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("ring_watch");
    tcase_add_test(tests, rate_and_time_left);
    tcase_add_test(tests, slots_that_have_moved_count_whole);
    tcase_add_test(tests, looked_at_in_the_middle);
    tcase_add_test(tests, nodes_that_say_nothing);
    tcase_add_test(tests, turned_back);
    tcase_add_test(tests, the_end);
    Suite *suite = suite_create("client/ring_watch");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
