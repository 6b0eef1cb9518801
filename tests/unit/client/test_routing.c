#include "client/routing.h"
#include "tests/unit/client/support/made.h"

#include <check.h>
#include <string.h>

static struct routing routing;

static void offer(struct view *view, enum routing_verdict expected)
{
    ck_assert_int_eq(routing_offer(&routing, view), expected);
    view_release(view);
}

static void setup(void)
{
    routing_init(&routing);
}

static struct endpoint owner_of(uint16_t slot)
{
    struct endpoint endpoint;
    ck_assert(routing_owner(&routing, slot, &endpoint));
    return endpoint;
}

START_TEST(without_a_view_nothing_is_known)
{
    struct endpoint endpoint;
    setup();
    ck_assert(!routing_owner(&routing, 0, &endpoint));
    ck_assert(!routing_any(&routing, 5, &endpoint));
    endpoint_set(&endpoint, "n1", 8001);
    ck_assert(!routing_knows(&routing, &endpoint));
    routing_deinit(&routing);
}
END_TEST

START_TEST(owners_are_the_primaries_direct_ports)
{
    setup();
    offer(made_view(1, 3, 2, 0), ROUTING_ADOPTED);
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot += 7) {
        uint16_t owners[COPIES_MAX];
        ck_assert_uint_eq(view_owners(routing.view, slot, owners), 2);
        const struct view_node *node = &routing.view->nodes[owners[0]];
        ck_assert_str_eq(owner_of(slot).host, node->host);
        ck_assert_uint_eq(owner_of(slot).port, node->direct_port);
    }
    routing_deinit(&routing);
}
END_TEST

START_TEST(only_newer_views_of_the_same_cluster_are_adopted)
{
    setup();
    offer(made_view(5, 3, 2, 0), ROUTING_ADOPTED);
    offer(made_view(5, 2, 2, 0), ROUTING_SAME);
    ck_assert_uint_eq(routing.view->node_count, 3);
    offer(made_view(4, 2, 2, 0), ROUTING_OLDER);
    ck_assert_uint_eq(routing.view->epoch, 5);
    offer(made_view_of_cluster(1, 9), ROUTING_FOREIGN);
    ck_assert_uint_eq(routing.view->epoch, 5);
    offer(made_view(6, 2, 2, 0), ROUTING_ADOPTED);
    ck_assert_uint_eq(routing.view->node_count, 2);
    routing_deinit(&routing);
}
END_TEST

START_TEST(adopt_takes_a_foreign_view)
{
    setup();
    struct view *foreign = made_view_of_cluster(1, 1);
    offer(made_view(5, 3, 2, 0), ROUTING_ADOPTED);
    routing_adopt(&routing, foreign);
    view_release(foreign);
    ck_assert_uint_eq(routing.view->epoch, 1);
    routing_deinit(&routing);
}
END_TEST

START_TEST(moved_counts_until_the_next_view)
{
    struct endpoint elsewhere;
    endpoint_set(&elsewhere, "new", 1);
    setup();
    offer(made_view(1, 3, 2, 0), ROUTING_ADOPTED);
    struct endpoint before = owner_of(17);
    routing_moved(&routing, 17, &elsewhere);
    ck_assert_str_eq(owner_of(17).host, "new");
    ck_assert_str_ne(owner_of(18).host, "new");
    offer(made_view(1, 3, 2, 0), ROUTING_SAME);
    ck_assert_str_eq(owner_of(17).host, "new");
    offer(made_view(2, 3, 2, 0), ROUTING_ADOPTED);
    ck_assert_str_eq(owner_of(17).host, before.host);
    routing_deinit(&routing);
}
END_TEST

START_TEST(the_last_moved_of_a_slot_counts)
{
    struct endpoint elsewhere;
    setup();
    endpoint_set(&elsewhere, "one", 1);
    routing_moved(&routing, 17, &elsewhere);
    endpoint_set(&elsewhere, "two", 2);
    routing_moved(&routing, 17, &elsewhere);
    ck_assert_str_eq(owner_of(17).host, "two");
    ck_assert_uint_eq(routing.exception_count, 1);
    routing_distrust(&routing, &elsewhere);
    ck_assert_uint_eq(routing.exception_count, 0);
}
END_TEST

START_TEST(distrust_forgets_that_node_alone)
{
    struct endpoint bad;
    struct endpoint good;
    setup();
    endpoint_set(&bad, "bad", 1);
    endpoint_set(&good, "good", 1);
    for (uint16_t slot = 0; slot < 10; slot++) {
        routing_moved(&routing, slot, slot % 2 == 0 ? &bad : &good);
    }
    routing_distrust(&routing, &bad);
    ck_assert_uint_eq(routing.exception_count, 5);
    ck_assert_str_eq(owner_of(1).host, "good");
    ck_assert(!routing_owner(&routing, 0, &good));
}
END_TEST

START_TEST(the_oldest_exception_gives_way)
{
    struct endpoint elsewhere;
    setup();
    endpoint_set(&elsewhere, "x", 1);
    for (uint16_t slot = 0; slot <= ROUTING_EXCEPTIONS_MAX; slot++) {
        routing_moved(&routing, slot, &elsewhere);
    }
    ck_assert_uint_eq(routing.exception_count, ROUTING_EXCEPTIONS_MAX);
    ck_assert(!routing_owner(&routing, 0, &elsewhere));
    ck_assert(routing_owner(&routing, 1, &elsewhere));
    ck_assert(routing_owner(&routing, ROUTING_EXCEPTIONS_MAX, &elsewhere));
}
END_TEST

START_TEST(any_goes_round_those_that_are_up)
{
    unsigned seen[4] = {0};
    setup();
    offer(made_view(1, 3, 2, 2), ROUTING_ADOPTED);
    for (size_t turn = SIZE_MAX - 2; turn != 3; turn++) {
        struct endpoint endpoint;
        ck_assert(routing_any(&routing, turn, &endpoint));
        ck_assert_uint_ge(endpoint.port, 7001);
        ck_assert_uint_le(endpoint.port, 7003);
        seen[endpoint.port - 7000]++;
    }
    ck_assert_uint_gt(seen[1], 0);
    ck_assert_uint_eq(seen[2], 0);
    ck_assert_uint_gt(seen[3], 0);
    routing_deinit(&routing);
}
END_TEST

START_TEST(knows_the_ports_of_nodes)
{
    struct endpoint endpoint;
    setup();
    offer(made_view(1, 3, 2, 0), ROUTING_ADOPTED);
    endpoint_set(&endpoint, "n2", 7002);
    ck_assert(routing_knows(&routing, &endpoint));
    endpoint_set(&endpoint, "n2", 8002);
    ck_assert(routing_knows(&routing, &endpoint));
    endpoint_set(&endpoint, "n2", 8003);
    ck_assert(!routing_knows(&routing, &endpoint));
    endpoint_set(&endpoint, "n4", 7002);
    ck_assert(!routing_knows(&routing, &endpoint));
    routing_deinit(&routing);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("routing");
    tcase_add_test(tests, without_a_view_nothing_is_known);
    tcase_add_test(tests, owners_are_the_primaries_direct_ports);
    tcase_add_test(tests, only_newer_views_of_the_same_cluster_are_adopted);
    tcase_add_test(tests, adopt_takes_a_foreign_view);
    tcase_add_test(tests, moved_counts_until_the_next_view);
    tcase_add_test(tests, the_last_moved_of_a_slot_counts);
    tcase_add_test(tests, distrust_forgets_that_node_alone);
    tcase_add_test(tests, the_oldest_exception_gives_way);
    tcase_add_test(tests, any_goes_round_those_that_are_up);
    tcase_add_test(tests, knows_the_ports_of_nodes);
    Suite *suite = suite_create("client/routing");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
