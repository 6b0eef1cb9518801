/* Where requests go while a slot changes hands: to who led it, until that one says no. */
#include "node/route.h"

#include "node/slots.h"
#include "support/fake_node.h"

#include <check.h>
#include <stdlib.h>

static struct fake_node *fake;
static struct route *route;
static struct view *views[4]; /* installed one after the other */

/* Statuses of the three nodes; the second one is preferred, or nobody. */
static struct view *view_of(uint64_t epoch, const enum node_status status[FAKE_NODES], bool prefers)
{
    struct fake_view described = {.epoch = epoch, .copies = 3};
    memcpy(described.status, status, sizeof(described.status));
    struct view *sealed = fake_view_create(&described);
    struct view *view = view_clone(sealed);
    view_release(sealed);
    view->nodes[1].preferred = prefers;
    ck_assert_int_eq(view_seal(view), 0);
    return view;
}

static const enum node_status all_up[] = {NODE_UP, NODE_UP, NODE_UP};
static const enum node_status third_down[] = {NODE_UP, NODE_UP, NODE_DOWN};

static void setup(void)
{
    fake = fake_node_create();
    route = malloc(sizeof(*route));
    ck_assert_ptr_nonnull(route);
    route_init(route);
    struct fake_view first = {.epoch = 5, .copies = 3, .status = {NODE_UP, NODE_UP, NODE_UP}};
    ck_assert(fake_node_install(fake, &first)); /* so that the peers are known */
    views[0] = view_of(5, all_up, false);
    views[1] = view_of(6, all_up, true);
    views[2] = view_of(7, third_down, true);
    views[3] = view_of(7, all_up, false);
}

static void teardown(void)
{
    for (size_t i = 0; i < 4; i++) {
        view_release(views[i]);
    }
    free(route);
    fake_node_destroy(fake);
}

static void follow(const struct view *from, const struct view *to)
{
    route_follow_view(route, fake->node.peers, &fake->node.id, from, to);
}

static uint16_t leader(const struct view *view, uint32_t slot)
{
    uint16_t owners[COPIES_MAX];
    ck_assert_uint_gt(view_owners(view, (uint16_t)slot, owners), 0);
    return owners[0];
}

/* True if every slot goes to that node for which the index of its leader by `view` is `who`, and no
 * other goes anywhere but to its leader. */
static void expect_only(const struct view *view, uint16_t who)
{
    size_t found = 0;
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        bool wanted = leader(view, slot) == who;
        ck_assert_uint_eq(route->before[slot], wanted ? fake_peer(fake, who) : PEER_NONE);
        found += wanted;
    }
    ck_assert_uint_gt(found, SLOT_COUNT / 10);
}

static void expect_none(void)
{
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        ck_assert_uint_eq(route->before[slot], PEER_NONE);
    }
}

/* The first node is this one: what it led is served here. */
START_TEST(test_who_led_before_is_asked_first)
{
    follow(NULL, views[0]);
    expect_none();
    follow(views[0], views[1]);
    expect_only(views[0], 2);
}
END_TEST

START_TEST(test_until_it_says_no)
{
    uint16_t slot = 0;
    follow(views[0], views[1]);
    while (route->before[slot] == PEER_NONE) {
        slot++;
    }
    ck_assert(!route_refused(route, slot, fake_peer(fake, 1))); /* another one did */
    ck_assert(!route_refused(route, slot, PEER_NONE));
    ck_assert_uint_eq(route->before[slot], fake_peer(fake, 2));
    ck_assert(route_refused(route, slot, fake_peer(fake, 2)));
    ck_assert_uint_eq(route->before[slot], PEER_NONE);
    ck_assert(!route_refused(route, slot, fake_peer(fake, 2)));
}
END_TEST

START_TEST(test_while_it_is_up)
{
    follow(views[0], views[1]);
    follow(views[1], views[2]);
    expect_none();
}
END_TEST

/* What it has not refused it may still serve under a later view; what it leads again is its own. */
START_TEST(test_over_several_views)
{
    follow(views[0], views[1]);
    struct view *later = view_of(7, all_up, true);
    follow(views[1], later);
    expect_only(views[0], 2);
    view_release(later);
    follow(views[1], views[3]);
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t now = leader(views[3], slot);
        ck_assert_uint_eq(route->before[slot], now == 1   ? PEER_NONE
                                               : now == 2 ? PEER_NONE
                                                          : fake_peer(fake, 1));
    }
    follow(views[3], NULL);
    expect_none();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("route");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_who_led_before_is_asked_first);
    tcase_add_test(tests, test_until_it_says_no);
    tcase_add_test(tests, test_while_it_is_up);
    tcase_add_test(tests, test_over_several_views);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
