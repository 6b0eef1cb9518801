/* Comparing a copy with its primary's, through the stream. */
#include "tests/unit/replication/support/fake_cluster.h"

#include <check.h>
#include <string.h>

#define RUN 77
#define BUDGET (4 * FAKE_SCAN_KEY_BYTES) /* four ranges a slot */

static struct fake_cluster cluster;
static struct view *view; /* nodes 0, 1, 2 up, three copies, epoch 5 */
static uint16_t slot;     /* primary 0, replicas 1 and 2 */

/* Node 0 serves the slot, with some keys; the others follow. */
static void setup(void)
{
    const struct copy_answers nothing = {0};
    fake_cluster_init(&cluster);
    view = fake_view(3, 3, 5);
    fake_seal(view);
    slot = fake_slot(3, 3, 0, 1);
    for (uint16_t i = 0; i < 3; i++) {
        fake_install(&cluster, i, view, slot, false);
    }
    copy_resolve(fake_copy(&cluster, 0, slot), &cluster.nodes[0]->rim, &nothing);
    fake_join(&cluster, 0, slot);
    fake_write(&cluster, 0, slot, 'a', '1');
    fake_write(&cluster, 0, slot, 'f', '2');
    fake_write(&cluster, 0, slot, 'p', '3');
    fake_deliver_all(&cluster);
}

static void teardown(void)
{
    view_release(view);
    fake_cluster_deinit(&cluster);
}

static struct copy *copy_at(uint16_t node)
{
    return fake_copy(&cluster, node, slot);
}

static enum copy_check_result step(struct copy_check *check)
{
    return copy_check(copy_at(0), &cluster.nodes[0]->rim, check, BUDGET);
}

/* Goes through the whole slot; what it came to. */
static struct copy_check check_all(void)
{
    struct copy_check check = {.run = RUN};
    for (unsigned i = 0; i < FAKE_KEYS / 4; i++) {
        ck_assert_int_eq(step(&check), i + 1 < FAKE_KEYS / 4 ? COPY_CHECK_MORE : COPY_CHECK_DONE);
    }
    return check;
}

static void expect(unsigned compared, unsigned differing, unsigned passed)
{
    fake_deliver_all(&cluster);
    ck_assert_uint_eq(cluster.compared, compared);
    ck_assert_uint_eq(cluster.differing, differing);
    ck_assert_uint_eq(cluster.passed, passed);
    cluster.compared = cluster.differing = cluster.passed = 0;
}

START_TEST(equal_copies_compare_equal)
{
    struct copy_check check = check_all();
    ck_assert_uint_eq(check.sent, 8);
    ck_assert_uint_eq(check.unsent, 0);
    ck_assert_uint_eq(check.place.key, 0);
    char kinds[64];
    fake_kinds(&cluster, 0, 1, kinds);
    ck_assert_str_eq(kinds, "BNEEE====");
    struct op_range range;
    uint64_t run;
    ck_assert_int_eq(op_decode_check(cluster.streams[0][1]->ops[6].op.payload, &run, &range), 0);
    ck_assert_uint_eq(run, RUN);
    ck_assert_uint_eq(range.from.key, 4);
    ck_assert_uint_eq(range.to.key, 8);
    ck_assert_uint_eq(range.count, 1);
    expect(8, 0, 0);
}
END_TEST

START_TEST(what_is_written_meanwhile_does_not_matter)
{
    struct copy_check check = {.run = RUN};
    for (char key = 'a'; key < 'a' + 4; key++) {
        fake_write(&cluster, 0, slot, key, '5');
        (void)step(&check);
        fake_write(&cluster, 0, slot, 'a', key);
        fake_write(&cluster, 0, slot, 'p', 0);
    }
    expect(8, 0, 0);
}
END_TEST

START_TEST(the_range_with_the_difference_is_found)
{
    cluster.nodes[1]->data[slot][5] = 'x'; /* another value */
    check_all();
    expect(7, 1, 0);
    cluster.nodes[1]->data[slot][5] = 0; /* missing */
    check_all();
    expect(7, 1, 0);
    cluster.nodes[1]->data[slot][5] = '2';
    cluster.nodes[2]->data[slot][9] = 'x'; /* one too many */
    cluster.nodes[2]->data[slot][0] = 'x';
    check_all();
    expect(6, 2, 0);
}
END_TEST

START_TEST(a_copy_that_lacks_an_effect_differs)
{
    struct copy_check check = {.run = RUN};
    fake_write(&cluster, 0, slot, 'a', '1'); /* the value that it had */
    fake_deliver_all(&cluster);
    copy_at(1)->sequence--;
    (void)step(&check);
    expect(1, 1, 0);
}
END_TEST

START_TEST(who_does_not_follow_compares_nothing)
{
    check_all();
    copy_at(1)->attached = false;
    expect(4, 0, 4);
    copy_at(1)->attached = true;
    copy_at(1)->source = 2;
    check_all();
    expect(4, 0, 4);
    copy_at(1)->source = 0;
    copy_at(1)->generation++; /* attached by another stream */
    check_all();
    expect(4, 0, 4);
    copy_at(1)->generation--;
    /* Under a view that is not installed there yet it follows all the same. */
    struct view *next = fake_next(view);
    fake_seal(next);
    fake_install(&cluster, 0, next, slot, false);
    check_all();
    expect(8, 0, 0);
    /* A new primary that listens to the old one does not: it is to take over. */
    fake_install(&cluster, 0, view, slot, false);
    struct view *later = fake_next(next);
    later->nodes[1].preferred = true;
    fake_seal(later);
    fake_install(&cluster, 1, later, slot, false);
    check_all();
    expect(4, 0, 4);
    view_release(next);
    view_release(later);
}
END_TEST

/* The end of a connection may have a part of a stream sent twice. */
START_TEST(a_check_that_comes_again_is_passed_over)
{
    struct copy_check check = {.run = RUN};
    (void)step(&check);
    fake_write(&cluster, 0, slot, 'a', '7');
    fake_deliver_all(&cluster);
    struct replica_stream *stream = cluster.streams[0][1];
    stream->delivered -= 2; /* the check, and the effect behind it */
    expect(2, 0, 1);
    ck_assert(fake_is_acked(&cluster, 0, slot));
}
END_TEST

START_TEST(nothing_waits_for_a_check)
{
    uint64_t position = fake_member(&cluster, 0, slot, 1)->position;
    check_all();
    ck_assert_uint_eq(fake_member(&cluster, 0, slot, 1)->position, position);
    ck_assert(fake_is_acked(&cluster, 0, slot));
    /* That an effect was skipped is seen, though a check came behind it. */
    copy_at(1)->attached = false;
    fake_write(&cluster, 0, slot, 'b', '1');
    check_all();
    fake_deliver_all(&cluster);
    (void)copy_step(copy_at(0), &cluster.nodes[0]->rim, 0);
    ck_assert_int_eq(fake_member(&cluster, 0, slot, 1)->stage, MEMBER_WANTED);
    ck_assert_int_eq(fake_member(&cluster, 0, slot, 2)->stage, MEMBER_ATTACHED);
}
END_TEST

START_TEST(who_is_being_filled_is_not_asked)
{
    fake_member(&cluster, 0, slot, 1)->stage = MEMBER_REFILLING;
    struct copy_check check = check_all();
    ck_assert_uint_eq(check.sent, 4);
    ck_assert_uint_eq(check.unsent, 4);
    expect(4, 0, 0);
    fake_member(&cluster, 0, slot, 1)->stage = MEMBER_ATTACHED;
    fake_break_stream(&cluster, 0, 1);
    check = check_all();
    ck_assert_uint_eq(check.sent, 4);
    ck_assert_uint_eq(check.unsent, 4);
    /* And without anybody who could compare the slot is not even read. */
    fake_member(&cluster, 0, slot, 1)->stage = MEMBER_WANTED;
    fake_member(&cluster, 0, slot, 2)->stage = MEMBER_WANTED;
    check = (struct copy_check){.run = RUN};
    ck_assert_int_eq(step(&check), COPY_CHECK_DONE);
    ck_assert_uint_eq(check.sent, 0);
    ck_assert_uint_eq(check.unsent, 2);
}
END_TEST

START_TEST(a_stream_without_room_is_waited_for)
{
    struct copy_check check = {.run = RUN};
    (void)step(&check);
    cluster.streams[0][2]->full = true;
    ck_assert_int_eq(step(&check), COPY_CHECK_LATER);
    ck_assert_uint_eq(check.place.key, 4);
    ck_assert_uint_eq(check.sent, 2);
    /* But not that to one that nobody waits for. */
    fake_member(&cluster, 0, slot, 2)->stage = MEMBER_FOLLOWING;
    ck_assert_int_eq(step(&check), COPY_CHECK_MORE);
    ck_assert_uint_eq(check.sent, 3);
    ck_assert_uint_eq(check.unsent, 1);
}
END_TEST

START_TEST(only_who_leads_checks)
{
    struct copy_check check = {.run = RUN};
    ck_assert_int_eq(copy_check(copy_at(1), &cluster.nodes[1]->rim, &check, BUDGET),
                     COPY_CHECK_GONE);
    copy_at(0)->stage = COPY_ASKING;
    ck_assert_int_eq(step(&check), COPY_CHECK_GONE);
    expect(0, 0, 0);
}
END_TEST

START_TEST(a_check_that_is_none_breaks_the_stream)
{
    struct op op = {.kind = OP_CHECK, .slot = slot, .payload = BYTES_LITERAL("short")};
    ck_assert_int_eq(copy_receive(copy_at(1), &cluster.nodes[1]->rim, &op, 0, 1, 5), COPY_BROKEN);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("copy_check");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, equal_copies_compare_equal);
    tcase_add_test(tests, what_is_written_meanwhile_does_not_matter);
    tcase_add_test(tests, the_range_with_the_difference_is_found);
    tcase_add_test(tests, a_copy_that_lacks_an_effect_differs);
    tcase_add_test(tests, who_does_not_follow_compares_nothing);
    tcase_add_test(tests, a_check_that_comes_again_is_passed_over);
    tcase_add_test(tests, nothing_waits_for_a_check);
    tcase_add_test(tests, who_is_being_filled_is_not_asked);
    tcase_add_test(tests, a_stream_without_room_is_waited_for);
    tcase_add_test(tests, only_who_leads_checks);
    tcase_add_test(tests, a_check_that_is_none_breaks_the_stream);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
