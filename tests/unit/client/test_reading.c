/* Which owner of a slot a command that reads is sent to, by policy. */
#include "client/dispatch.h"
#include "client/reading.h"
#include "tests/unit/client/support/made.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define NODES 4

static struct torc handle;
static struct call *call;
static const struct topology_set *owners;

static void set_up(void)
{
    struct topology *topology;
    struct view *view = made_view(5, NODES, 3, 0);
    const struct bytes argv[] = {BYTES_LITERAL("GET"), BYTES_LITERAL("k")};
    memset(&handle, 0, sizeof(handle));
    handle.options.connections_per_node = 1;
    handle.options.read_from = TORC_READ_PRIMARY;
    ck_assert_int_eq(topology_of_view(&topology, view), 0);
    view_release(view);
    ck_assert_int_eq(dispatch_adopt(&handle, topology), 0);
    call = call_create(argv, 2, 0);
    call->route = (struct request_route){.slot = 7629, .readonly = true};
    owners = topology_owners(topology, 7629);
    ck_assert_uint_eq(owners->count, 3);
}

static void tear_down(void)
{
    call_release(call);
    nodes_deinit(&handle.nodes);
    routing_deinit(&handle.routing);
    free(handle.direct);
    free(handle.any);
    free(handle.replicas);
}

/* The place among the owners, 0 is the primary, that the next reading goes to. */
static uint16_t next_place(void)
{
    const struct node *node = reading_node(&handle, call);
    uint16_t place = 0;
    while (node != NULL &&
           endpoint_compare(&handle.routing.topology->nodes[owners->nodes[place]].direct,
                            &node->endpoint) != 0) {
        place++;
        ck_assert_uint_lt(place, owners->count);
    }
    ck_assert(node == NULL || node->use == (place == 0 ? NODE_SHARED : NODE_REPLICA));
    return place;
}

/* How often each is asked in so many turns. */
static void count(enum torc_read_from from, unsigned turns, unsigned counts[3])
{
    call->read_from = from;
    memset(counts, 0, 3 * sizeof(unsigned));
    for (unsigned i = 0; i < turns; i++) {
        counts[next_place()]++;
    }
}

START_TEST(only_what_reads_one_slot_may_go_elsewhere)
{
    ck_assert(!reading_from_replicas(&handle, call));
    call->read_from = TORC_READ_REPLICA;
    ck_assert(reading_from_replicas(&handle, call));
    call->read_from = TORC_READ_DEFAULT;
    handle.options.read_from = TORC_READ_ROUND_ROBIN;
    ck_assert(reading_from_replicas(&handle, call));
    call->route.readonly = false;
    ck_assert(!reading_from_replicas(&handle, call));
    call->route = (struct request_route){.slot = REQUEST_NO_SLOT, .readonly = true};
    ck_assert(!reading_from_replicas(&handle, call));
}
END_TEST

START_TEST(turns_are_even)
{
    unsigned counts[3];
    count(TORC_READ_ROUND_ROBIN, 30, counts);
    ck_assert(counts[0] == 10 && counts[1] == 10 && counts[2] == 10);
    count(TORC_READ_REPLICA, 30, counts);
    ck_assert(counts[0] == 0 && counts[1] == 15 && counts[2] == 15);
}
END_TEST

START_TEST(the_zone_is_kept_to_and_the_primary_is_the_last_resort)
{
    unsigned counts[3];
    struct topology_node *nodes = handle.routing.topology->nodes;
    (void)strcpy(handle.options.zone, "b");
    count(TORC_READ_NEAREST, 6, counts);
    ck_assert_uint_eq(counts[0], 6);
    (void)strcpy(nodes[owners->nodes[2]].zone, "b");
    count(TORC_READ_NEAREST, 6, counts);
    ck_assert_uint_eq(counts[2], 6);
    (void)strcpy(nodes[owners->nodes[0]].zone, "b");
    count(TORC_READ_NEAREST, 6, counts);
    ck_assert(counts[0] == 3 && counts[1] == 0 && counts[2] == 3);
}
END_TEST

START_TEST(the_one_with_the_least_to_do_is_asked)
{
    unsigned counts[3];
    /* All with nothing to do: in turn, which makes the nodes. */
    count(TORC_READ_LEAST_OUTSTANDING, 30, counts);
    ck_assert(counts[0] == 10 && counts[1] == 10 && counts[2] == 10);
    handle.direct[owners->nodes[0]]->outstanding = 2;
    handle.replicas[owners->nodes[1]]->outstanding = 1;
    handle.replicas[owners->nodes[2]]->outstanding = 3;
    count(TORC_READ_LEAST_OUTSTANDING, 30, counts);
    ck_assert_uint_eq(counts[1], 30);
    handle.direct[owners->nodes[0]]->outstanding = 1;
    count(TORC_READ_LEAST_OUTSTANDING, 30, counts);
    ck_assert(counts[0] > 0 && counts[1] > 0 && counts[2] == 0);
}
END_TEST

START_TEST(a_second_attempt_goes_to_the_primary)
{
    unsigned counts[3];
    call->retried = true;
    count(TORC_READ_REPLICA, 4, counts);
    ck_assert_uint_eq(counts[0], 4);
    call->retried = false;
    call->doubtful = true;
    count(TORC_READ_REPLICA, 4, counts);
    ck_assert_uint_eq(counts[0], 4);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("reading");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, only_what_reads_one_slot_may_go_elsewhere);
    tcase_add_test(tests, turns_are_even);
    tcase_add_test(tests, the_zone_is_kept_to_and_the_primary_is_the_last_resort);
    tcase_add_test(tests, the_one_with_the_least_to_do_is_asked);
    tcase_add_test(tests, a_second_attempt_goes_to_the_primary);
    Suite *suite = suite_create("client/reading");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
