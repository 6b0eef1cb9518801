/* Refills with keys that are sent in pieces: see the fake cluster for what is big in it. */
#include "tests/unit/replication/support/fake_cluster.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct fake_cluster cluster;
static struct view *view;
static struct view *next; /* node 2 is to have what node 0 has */
static uint16_t slot;

static struct copy *primary(void)
{
    return fake_copy(&cluster, 0, slot);
}

static void step(void)
{
    copy_step(primary(), &cluster.nodes[0]->rim, FAKE_SCAN_KEY_BYTES);
}

/* Node 0 serves, with node 1 as its replica. */
static void setup(void)
{
    const struct copy_answers nothing = {.best_peer = COPY_PEER_NONE};
    fake_cluster_init(&cluster);
    view = fake_view(3, 2, 5);
    fake_seal(view);
    slot = fake_slot(3, 2, 0, 1);
    next = fake_change(view);
    fake_seal(next);
    for (uint16_t i = 0; i < 3; i++) {
        fake_install(&cluster, i, view, slot, false);
    }
    ck_assert(copy_resolve(primary(), &cluster.nodes[0]->rim, &nothing));
    fake_join(&cluster, 0, slot);
}

static void teardown(void)
{
    view_release(next);
    view_release(view);
    fake_cluster_deinit(&cluster);
}

/* Node 2's refill begins, with one look at the data. */
static void begin_refill(void)
{
    for (uint16_t i = 0; i < 3; i++) {
        fake_install(&cluster, i, next, slot, false);
    }
    step();
}

static void write(char key, char value)
{
    fake_write(&cluster, 0, slot, key, value);
}

static void expect(const char *kinds)
{
    char all[64];
    fake_join(&cluster, 0, slot);
    fake_kinds(&cluster, 0, 2, all);
    ck_assert_str_eq(all, kinds);
    fake_expect_equal(&cluster, 0, 2, slot);
    ck_assert_int_eq(fake_member(&cluster, 0, slot, 2)->stage, MEMBER_ATTACHED);
    ck_assert_ptr_null(fake_member(&cluster, 0, slot, 2)->pieces);
}

START_TEST(a_big_key_goes_in_pieces)
{
    write('a', 'A');
    write('b', '1');
    begin_refill();
    ck_assert_int_eq(pieces_next(fake_member(&cluster, 0, slot, 2)->pieces)->stage, PIECES_WAITING);
    expect("BPPKNC");
}
END_TEST

START_TEST(what_is_done_to_it_meanwhile_is_told_or_comes_with_the_rest)
{
    write('a', 'A');
    begin_refill();
    step();
    ck_assert_int_eq(pieces_next(fake_member(&cluster, 0, slot, 2)->pieces)->stage, PIECES_ACTIVE);
    write('a', 'B');
    write('a', 'S');
    expect("BPTPNC");
}
END_TEST

START_TEST(what_makes_no_sense_for_a_part_begins_it_anew)
{
    write('a', 'A');
    begin_refill();
    write('a', 'B'); /* before its first piece: nothing to be told */
    step();
    write('a', 'x');
    write('a', 'C');
    expect("BPPPNC");
    ck_assert_int_eq(cluster.nodes[2]->data[slot][0], 'C');
}
END_TEST

START_TEST(once_all_of_it_was_sent_everything_is_told)
{
    write('a', 'A');
    write('b', '1');
    begin_refill();
    step();
    step();
    ck_assert_ptr_null(pieces_next(fake_member(&cluster, 0, slot, 2)->pieces));
    write('a', 'x'); /* also what makes it small, */
    write('a', 0);   /* or an end of it */
    write('a', 'y');
    expect("BPPTTTKNC");
    ck_assert_int_eq(cluster.nodes[2]->data[slot][0], 'y');
}
END_TEST

START_TEST(one_that_is_gone_before_its_time_or_small_is_sent_as_any_other)
{
    write('a', 'A');
    write('b', 'B');
    begin_refill();
    step();
    write('a', 0);
    step();
    ck_assert_ptr_null(
        pieces_find(fake_member(&cluster, 0, slot, 2)->pieces, (struct bytes){"a", 1}));
    write('b', '2');
    expect("BPDKKNC");
    ck_assert_int_eq(cluster.nodes[2]->data[slot][0], 0);
    ck_assert_int_eq(cluster.nodes[2]->data[slot][1], '2');
}
END_TEST

START_TEST(one_that_becomes_big_goes_in_pieces)
{
    write('a', '1');
    write('b', '1');
    begin_refill();
    write('a', 'A');
    expect("BKPPKNC");
}
END_TEST

/* Several commands, or a command on several keys: what it changed cannot be told. */
START_TEST(other_effects_begin_it_anew)
{
    write('a', 'A');
    begin_refill();
    step();
    struct bytes keys[] = {{"b", 1}, {"a", 1}};
    cluster.nodes[0]->data[slot][0] = 'B';
    copy_publish(primary(), &cluster.nodes[0]->rim, (struct bytes){"aBb", 3}, keys, 2);
    step();
    char kinds[64];
    fake_kinds(&cluster, 0, 2, kinds);
    ck_assert_str_eq(kinds, "BPDP");
    step();
    fake_kinds(&cluster, 0, 2, kinds);
    ck_assert_str_eq(kinds, "BPDPP");
}
END_TEST

START_TEST(another_view_goes_on_where_it_was)
{
    write('a', 'A');
    begin_refill();
    step();
    struct view *later = fake_next(next);
    later->settled_epoch = 5;
    fake_seal(later);
    for (uint16_t i = 0; i < 3; i++) {
        fake_install(&cluster, i, later, slot, false);
    }
    expect("BPPNC");
    view_release(later);
}
END_TEST

/* Or a growing list would be sent as often as something is put into it. */
START_TEST(one_that_is_not_small_is_sent_once_for_its_changes)
{
    write('a', '1');
    write('b', '1');
    begin_refill(); /* as far as a */
    write('d', '1');
    write('d', '2'); /* small: whole each time */
    write('c', FAKE_NOT_SMALL);
    write('c', 'y');
    write('c', FAKE_NOT_SMALL);
    expect("BKKKKTTKKKNC");
}
END_TEST

START_TEST(a_refill_that_begins_anew_forgets_them)
{
    write('a', 'A');
    begin_refill();
    step();
    copy_publish(primary(), &cluster.nodes[0]->rim, (struct bytes){"a-", 2}, NULL, 0); /* any key */
    cluster.nodes[0]->data[slot][0] = 0;
    ck_assert_ptr_null(fake_member(&cluster, 0, slot, 2)->pieces);
    char kinds[64];
    fake_kinds(&cluster, 0, 2, kinds);
    ck_assert_str_eq(kinds, "BPB");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("copy_pieces");
    TCase *tcase = tcase_create("copy_pieces");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_big_key_goes_in_pieces);
    tcase_add_test(tcase, what_is_done_to_it_meanwhile_is_told_or_comes_with_the_rest);
    tcase_add_test(tcase, what_makes_no_sense_for_a_part_begins_it_anew);
    tcase_add_test(tcase, once_all_of_it_was_sent_everything_is_told);
    tcase_add_test(tcase, one_that_is_gone_before_its_time_or_small_is_sent_as_any_other);
    tcase_add_test(tcase, one_that_becomes_big_goes_in_pieces);
    tcase_add_test(tcase, other_effects_begin_it_anew);
    tcase_add_test(tcase, another_view_goes_on_where_it_was);
    tcase_add_test(tcase, one_that_is_not_small_is_sent_once_for_its_changes);
    tcase_add_test(tcase, a_refill_that_begins_anew_forgets_them);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
