#include "base/error.h"
#include "client/routing.h"
#include "tests/unit/client/support/made.h"

#include <check.h>
#include <string.h>

static struct routing routing;

/* Judges the view, which is let go of, and adopts it if it is newer. */
static void offer(struct view *view, enum routing_verdict expected)
{
    struct topology *topology;
    ck_assert_int_eq(topology_of_view(&topology, view), TORC_OK);
    view_release(view);
    ck_assert_int_eq(routing_judge(&routing, topology), expected);
    if (expected == ROUTING_NEWER) {
        routing_adopt(&routing, topology);
    } else {
        topology_destroy(topology);
    }
}

static void setup(void)
{
    memset(&routing, 0, sizeof(routing));
}

static void moved(uint16_t slot, const char *host)
{
    struct endpoint endpoint;
    endpoint_set(&endpoint, host, 1);
    routing_moved(&routing, slot, &endpoint);
}

START_TEST(only_newer_views_of_the_same_cluster_are_newer)
{
    setup();
    offer(made_view(5, 3, 2, 0), ROUTING_NEWER);
    offer(made_view(5, 2, 2, 0), ROUTING_SAME);
    offer(made_view(4, 2, 2, 0), ROUTING_OLDER);
    offer(made_view_of_cluster(1, 9), ROUTING_FOREIGN);
    offer(made_view(6, 2, 2, 0), ROUTING_NEWER);
    ck_assert_uint_eq(routing.topology->node_count, 2);
    routing_deinit(&routing);
}
END_TEST

START_TEST(another_kind_of_server_is_foreign)
{
    struct topology *single;
    struct endpoint server;
    setup();
    offer(made_view(5, 3, 2, 0), ROUTING_NEWER);
    endpoint_set(&server, "plain", 6379);
    ck_assert_int_eq(topology_of_single(&single, &server), TORC_OK);
    ck_assert_int_eq(routing_judge(&routing, single), ROUTING_FOREIGN);
    routing_adopt(&routing, single);
    offer(made_view(6, 2, 2, 0), ROUTING_FOREIGN);
    routing_deinit(&routing);
}
END_TEST

START_TEST(moved_counts_until_the_next_view)
{
    setup();
    offer(made_view(1, 3, 2, 0), ROUTING_NEWER);
    ck_assert_ptr_null(routing_exception(&routing, 17));
    moved(17, "new");
    ck_assert_str_eq(routing_exception(&routing, 17)->host, "new");
    ck_assert_ptr_null(routing_exception(&routing, 18));
    offer(made_view(2, 3, 2, 0), ROUTING_NEWER);
    ck_assert_ptr_null(routing_exception(&routing, 17));
    routing_deinit(&routing);
}
END_TEST

START_TEST(the_last_moved_of_a_slot_counts)
{
    setup();
    moved(17, "one");
    moved(17, "two");
    ck_assert_str_eq(routing_exception(&routing, 17)->host, "two");
    ck_assert_uint_eq(routing.exception_count, 1);
}
END_TEST

START_TEST(distrust_forgets_that_node_alone)
{
    struct endpoint bad;
    setup();
    for (uint16_t slot = 0; slot < 10; slot++) {
        moved(slot, slot % 2 == 0 ? "bad" : "good");
    }
    endpoint_set(&bad, "bad", 1);
    routing_distrust(&routing, &bad);
    ck_assert_uint_eq(routing.exception_count, 5);
    ck_assert_str_eq(routing_exception(&routing, 1)->host, "good");
    ck_assert_ptr_null(routing_exception(&routing, 0));
}
END_TEST

START_TEST(the_oldest_exception_gives_way)
{
    setup();
    for (uint16_t slot = 0; slot <= ROUTING_EXCEPTIONS_MAX; slot++) {
        moved(slot, "x");
    }
    ck_assert_uint_eq(routing.exception_count, ROUTING_EXCEPTIONS_MAX);
    ck_assert_ptr_null(routing_exception(&routing, 0));
    ck_assert_ptr_nonnull(routing_exception(&routing, 1));
    ck_assert_ptr_nonnull(routing_exception(&routing, ROUTING_EXCEPTIONS_MAX));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("routing");
    tcase_add_test(tests, only_newer_views_of_the_same_cluster_are_newer);
    tcase_add_test(tests, another_kind_of_server_is_foreign);
    tcase_add_test(tests, moved_counts_until_the_next_view);
    tcase_add_test(tests, the_last_moved_of_a_slot_counts);
    tcase_add_test(tests, distrust_forgets_that_node_alone);
    tcase_add_test(tests, the_oldest_exception_gives_way);
    Suite *suite = suite_create("client/routing");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
