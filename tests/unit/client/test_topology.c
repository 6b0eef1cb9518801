#include "base/error.h"
#include "client/topology.h"
#include "tests/unit/client/support/made.h"
#include "torc/torc.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static int read_slots(struct topology **out, const char *text)
{
    redisReply *reply = made_reply(text);
    int result = topology_of_slots(out, reply, "sender");
    torc_reply_free(reply);
    return result;
}

#define NODE(host, port) "*3\r\n" host "\r\n:" port "\r\n$2\r\nid\r\n"

START_TEST(of_a_view)
{
    struct view *view = made_view(1, 3, 2, 2);
    struct topology *topology;
    ck_assert_int_eq(topology_of_view(&topology, view), TORC_OK);
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot += 7) {
        uint16_t owners[COPIES_MAX];
        const size_t count = view_owners(view, slot, owners);
        const struct topology_set *set = topology_owners(topology, slot);
        ck_assert_uint_eq(set->count, count);
        ck_assert_int_eq(memcmp(set->nodes, owners, count * sizeof(owners[0])), 0);
        const struct endpoint *direct = &topology->nodes[set->nodes[0]].direct;
        ck_assert_str_eq(direct->host, view->nodes[owners[0]].host);
        ck_assert_uint_eq(direct->port, view->nodes[owners[0]].direct_port);
    }
    view_release(view);
    topology_destroy(topology);
}
END_TEST

START_TEST(of_a_large_view)
{
    struct view *view = made_view(1, 40, 3, 0);
    struct topology *topology;
    ck_assert_int_eq(topology_of_view(&topology, view), TORC_OK);
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot += 31) {
        uint16_t owners[COPIES_MAX];
        ck_assert_uint_eq(topology_owners(topology, slot)->count, view_owners(view, slot, owners));
        ck_assert_uint_eq(topology_owners(topology, slot)->nodes[0], owners[0]);
    }
    view_release(view);
    topology_destroy(topology);
}
END_TEST

START_TEST(any_goes_round_those_that_are_up)
{
    unsigned seen[4] = {0};
    struct view *view = made_view(1, 3, 2, 2);
    struct topology *topology;
    ck_assert_int_eq(topology_of_view(&topology, view), TORC_OK);
    for (size_t turn = SIZE_MAX - 2; turn != 3; turn++) {
        const size_t node = topology_any(topology, turn);
        ck_assert_uint_lt(node, 3);
        seen[topology->nodes[node].any.port - 7000]++;
    }
    ck_assert_uint_gt(seen[1], 0);
    ck_assert_uint_eq(seen[2], 0);
    ck_assert_uint_gt(seen[3], 0);
    view_release(view);
    topology_destroy(topology);
}
END_TEST

START_TEST(knows_the_ports_of_nodes)
{
    static const struct {
        const char *host;
        uint16_t port;
        bool known;
    } cases[] = {{"n2", 7002, true}, {"n2", 8002, true}, {"n2", 8003, false}, {"n4", 7002, false}};
    struct view *view = made_view(1, 3, 2, 0);
    struct topology *topology;
    ck_assert_int_eq(topology_of_view(&topology, view), TORC_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct endpoint endpoint;
        endpoint_set(&endpoint, cases[i].host, cases[i].port);
        ck_assert_int_eq(topology_knows(topology, &endpoint), cases[i].known);
    }
    view_release(view);
    topology_destroy(topology);
}
END_TEST

START_TEST(of_cluster_slots)
{
    struct topology *topology;
    ck_assert_int_eq(read_slots(&topology, "*3\r\n"
                                           "*4\r\n:0\r\n:100\r\n" NODE("$1\r\na", "1")
                                               NODE("$1\r\nb", "2")            /**/
                                "*3\r\n:200\r\n:16383\r\n" NODE("$0\r\n", "3") /**/
                                "*4\r\n:101\r\n:150\r\n" NODE("$-1", "3") NODE("$1\r\na", "1")),
                     TORC_OK);
    ck_assert_int_eq(topology->kind, TOPOLOGY_CLUSTER);
    ck_assert_uint_eq(topology->node_count, 3);
    ck_assert_uint_eq(topology_owners(topology, 100)->count, 2);
    ck_assert_str_eq(topology->nodes[topology_owners(topology, 0)->nodes[0]].direct.host, "a");
    ck_assert_str_eq(topology->nodes[topology_owners(topology, 0)->nodes[1]].direct.host, "b");
    ck_assert_str_eq(topology->nodes[topology_owners(topology, 16383)->nodes[0]].direct.host,
                     "sender");
    ck_assert_uint_eq(topology->nodes[topology_owners(topology, 101)->nodes[0]].direct.port, 3);
    ck_assert_ptr_null(topology_owners(topology, 199));
    /* A replica serves nothing by itself. */
    for (size_t turn = 0; turn < 6; turn++) {
        ck_assert_str_ne(topology->nodes[topology_any(topology, turn)].any.host, "b");
    }
    topology_destroy(topology);
}
END_TEST

START_TEST(what_is_no_cluster_slots)
{
    static const char *const texts[] = {
        "+OK\r\n",
        "*1\r\n:1\r\n",
        "*1\r\n*2\r\n:0\r\n:1\r\n",
        "*1\r\n*3\r\n:0\r\n:16384\r\n" NODE("$1\r\na", "1"),
        "*1\r\n*3\r\n:5\r\n:4\r\n" NODE("$1\r\na", "1"),
        "*1\r\n*3\r\n:-1\r\n:4\r\n" NODE("$1\r\na", "1"),
        "*1\r\n*3\r\n:0\r\n:4\r\n" NODE("$1\r\na", "0"),
        "*1\r\n*3\r\n:0\r\n:4\r\n" NODE("$1\r\na", "65536"),
        "*1\r\n*3\r\n:0\r\n:4\r\n*1\r\n$1\r\na\r\n",
    };
    struct topology *topology = NULL;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ck_assert_msg(read_slots(&topology, texts[i]) == TORC_EPROTOCOL, "took %s", texts[i]);
    }
    ck_assert_int_eq(read_slots(&topology, "*0\r\n"), TORC_EAGAIN);
}
END_TEST

START_TEST(of_one_server)
{
    struct topology *topology;
    struct endpoint server;
    endpoint_set(&server, "alone", 6379);
    ck_assert_int_eq(topology_of_single(&topology, &server), TORC_OK);
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot += 100) {
        ck_assert_uint_eq(topology_owners(topology, slot)->nodes[0], 0);
    }
    ck_assert_uint_eq(topology_any(topology, 77), 0);
    ck_assert(topology_knows(topology, &server));
    topology_destroy(topology);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("topology");
    tcase_add_test(tests, of_a_view);
    tcase_add_test(tests, of_a_large_view);
    tcase_add_test(tests, any_goes_round_those_that_are_up);
    tcase_add_test(tests, knows_the_ports_of_nodes);
    tcase_add_test(tests, of_cluster_slots);
    tcase_add_test(tests, what_is_no_cluster_slots);
    tcase_add_test(tests, of_one_server);
    Suite *suite = suite_create("client/topology");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
