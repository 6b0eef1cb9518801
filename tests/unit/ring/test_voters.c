#include "base/prng.h"
#include "ring/voters.h"

#include <check.h>
#include <inttypes.h>
#include <string.h>

static struct node_id id_of(uint8_t number)
{
    return (struct node_id){{number, 1}};
}

/* Nodes 1 .. count, all up, without zones or, if there are any, in zones a, b .. in turn. */
static struct view *make_view(uint8_t count, unsigned zones)
{
    struct view *view = view_create();
    for (uint8_t i = 1; i <= count; i++) {
        struct view_node node = {.id = id_of(i), .host = "host", .status = NODE_UP};
        node.zone[0] = (char)(zones == 0 ? 0 : 'a' + (i - 1u) % zones);
        ck_assert_int_eq(view_put_node(view, &node), 0);
    }
    return view;
}

/* The numbers of the voters, as bits. */
static uint32_t voters_of(const struct view *view)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < view->voter_count; i++) {
        uint32_t bit = 1u << view->voters[i].bytes[0];
        ck_assert_uint_eq(bits & bit, 0);
        ck_assert_int_ge(view_find(view, &view->voters[i]), 0);
        bits |= bit;
    }
    return bits;
}

#define BITS(a, b, c) (1u << (a) | 1u << (b) | 1u << (c))

START_TEST(as_many_as_there_are_nodes_for)
{
    static const size_t expected[] = {0, 1, 1, 3, 3, 5, 5, 5};
    for (uint8_t count = 1; count < 8; count++) {
        struct view *view = make_view(count, 0);
        ck_assert(voters_choose(view));
        ck_assert_uint_eq(view->voter_count, expected[count]);
        ck_assert(!voters_choose(view));
        view_release(view);
    }
}
END_TEST

START_TEST(they_are_spread_over_the_zones)
{
    struct view *view = make_view(9, 3);
    voters_choose(view);
    unsigned load[3] = {0};
    for (size_t i = 0; i < view->voter_count; i++) {
        load[view->nodes[view_find(view, &view->voters[i])].zone[0] - 'a']++;
    }
    ck_assert_uint_eq(view->voter_count, 5);
    ck_assert_uint_le(load[0], 2);
    ck_assert_uint_le(load[1], 2);
    ck_assert_uint_le(load[2], 2);
    view_release(view);

    view = make_view(4, 0);
    for (size_t i = 0; i < 4; i++) {
        view->nodes[i].zone[0] = i < 3 ? 'a' : 'b'; /* zeros follow */
    }
    view->voter_count = 3;
    for (uint8_t i = 0; i < 3; i++) {
        view->voters[i] = id_of((uint8_t)(i + 1)); /* all in one zone, when node 4 comes */
    }
    ck_assert(voters_choose(view));
    ck_assert_uint_ne(voters_of(view) & 1u << 4, 0);
    ck_assert_uint_eq(view->voter_count, 3);
    ck_assert(!voters_choose(view));
    view_release(view);
}
END_TEST

static struct view *make_three_of(uint8_t count)
{
    struct view *view = make_view(count, 0);
    view->voter_count = 3;
    for (uint8_t i = 0; i < 3; i++) {
        view->voters[i] = id_of((uint8_t)(i + 1));
    }
    return view;
}

START_TEST(a_weak_voter_gives_way_when_another_can_take_its_place)
{
    for (int weakness = 0; weakness < 3; weakness++) {
        struct view *view = make_three_of(4);
        view->nodes[1].status = weakness == 0 ? NODE_DOWN : NODE_UP;
        view->nodes[1].leaving = weakness == 1;
        view->nodes[1].removing = weakness == 2;
        ck_assert(voters_choose(view));
        ck_assert_uint_eq(voters_of(view), BITS(1, 3, 4));
        ck_assert(!voters_choose(view));
        view_release(view);
    }
}
END_TEST

START_TEST(a_weak_voter_stays_without_another)
{
    struct view *view = make_three_of(3);
    view->nodes[1].status = NODE_DOWN;
    ck_assert(!voters_choose(view));
    ck_assert_uint_eq(voters_of(view), BITS(1, 2, 3));
    view_release(view);

    /* Who is syncing, leaving or being removed is no candidate. */
    for (int unfit = 0; unfit < 4; unfit++) {
        view = make_three_of(4);
        view->nodes[1].status = NODE_DOWN;
        view->nodes[3].status = unfit == 0 ? NODE_SYNCING : unfit == 1 ? NODE_DOWN : NODE_UP;
        view->nodes[3].leaving = unfit == 2;
        view->nodes[3].removing = unfit == 3;
        ck_assert(!voters_choose(view));
        view_release(view);
    }
}
END_TEST

START_TEST(the_dead_give_way_before_the_leaving)
{
    for (size_t dead = 0; dead < 3; dead++) {
        struct view *view = make_three_of(4);
        view->nodes[dead].status = NODE_DOWN;
        view->nodes[(dead + 1) % 3].leaving = true;
        ck_assert(voters_choose(view));
        ck_assert_uint_eq(voters_of(view) & 2u << dead, 0);
        view_release(view);
    }
}
END_TEST

START_TEST(a_syncing_voter_stays)
{
    struct view *view = make_three_of(4);
    view->nodes[1].status = NODE_SYNCING;
    ck_assert(!voters_choose(view));
    view_release(view);
}
END_TEST

/* Down is not given up: three that can lose one are not made one that can lose none. */
START_TEST(fewer_voters_only_when_nodes_are_given_up)
{
    struct view *view = make_three_of(3);
    view->nodes[1].status = NODE_DOWN;
    view->nodes[1].lost = true;
    ck_assert(voters_choose(view));
    ck_assert_uint_eq(view->voter_count, 1);
    ck_assert_uint_eq(voters_of(view) & 1u << 2, 0); /* the dead one is not who is left */
    ck_assert(!voters_choose(view));
    view_release(view);

    view = make_view(5, 0);
    voters_choose(view);
    view->nodes[0].status = view->nodes[1].status = NODE_DOWN;
    ck_assert(!voters_choose(view));
    view->nodes[0].lost = true;
    ck_assert(voters_choose(view));
    ck_assert_uint_eq(view->voter_count, 3);
    ck_assert_uint_eq(voters_of(view) & 1u << 1, 0);
    view_release(view);
}
END_TEST

START_TEST(two_weak_ones_are_replaced_at_once)
{
    struct view *view = make_view(9, 0);
    voters_choose(view);
    uint32_t before = voters_of(view);
    ck_assert_uint_eq(before, 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5);
    view->nodes[0].status = view->nodes[4].status = NODE_DOWN;
    ck_assert(voters_choose(view));
    ck_assert_uint_eq(voters_of(view), 1u << 2 | 1u << 3 | 1u << 4 | 1u << 6 | 1u << 7);
    view_release(view);
}
END_TEST

/* Whatever the nodes are: chosen again from what was chosen, nothing changes after a few steps; all
 * voters are nodes, an odd number of them, and at most as many as there are reasons for. */
START_TEST(choices_come_to_rest)
{
    struct prng prng;
    prng_init(&prng, 1);
    for (unsigned round = 0; round < 3000; round++) {
        struct view *view = make_view((uint8_t)(1 + prng_below(&prng, 12)), 0);
        for (int change = 0; change < 4; change++) {
            for (size_t i = 0; i < view->node_count; i++) {
                struct view_node *node = &view->nodes[i];
                node->status = (enum node_status)(1 + prng_below(&prng, 3));
                node->leaving = prng_below(&prng, 5) == 0;
                node->removing = prng_below(&prng, 8) == 0;
                node->lost = node->status != NODE_UP && prng_below(&prng, 3) == 0;
                node->zone[0] = (char)(prng_below(&prng, 2) == 0 ? 'a' + prng_below(&prng, 3) : 0);
            }
            unsigned steps = 0;
            while (voters_choose(view)) {
                ck_assert_msg(++steps < 8, "round %u", round);
            }
            voters_of(view);
            ck_assert_uint_le(view->voter_count, VOTERS_MAX);
            ck_assert(view->voter_count == 0 || view->voter_count % 2 == 1);
        }
        view_release(view);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("voters");
    TCase *tcase = tcase_create("voters");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, as_many_as_there_are_nodes_for);
    tcase_add_test(tcase, they_are_spread_over_the_zones);
    tcase_add_test(tcase, a_weak_voter_gives_way_when_another_can_take_its_place);
    tcase_add_test(tcase, a_weak_voter_stays_without_another);
    tcase_add_test(tcase, the_dead_give_way_before_the_leaving);
    tcase_add_test(tcase, a_syncing_voter_stays);
    tcase_add_test(tcase, fewer_voters_only_when_nodes_are_given_up);
    tcase_add_test(tcase, two_weak_ones_are_replaced_at_once);
    tcase_add_test(tcase, choices_come_to_rest);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
