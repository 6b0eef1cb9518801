/* Joining, leaving, returning and being removed, on a network that behaves. */
#include "tests/sim/gossip_network.h"

#include <check.h>
#include <stdlib.h>

#define PERIOD_MS 500

static struct network *create(size_t node_count, bool datagrams_only)
{
    struct network_options options = {
        .seed = network_seed(11),
        .node_count = node_count,
        .meta_size = 100,
        .datagrams_only = datagrams_only,
    };
    return network_create(&options);
}

static struct network *create_converged(size_t node_count)
{
    struct network *network = create(node_count, false);
    network_start_all(network, 20);
    network_check(network,
                  network_run_until(network, network_is_converged, 60000) != NETWORK_NEVER);
    return network;
}

static void check_metas(const struct network *network)
{
    for (size_t a = 0; a < network->options.node_count; a++) {
        for (size_t b = 0; b < network->options.node_count; b++) {
            const struct gossip_member *member =
                gossip_find(network->nodes[a].gossip, &network->nodes[b].id);
            network_check(network, member->meta.size == network->options.meta_size);
            network_check(network, member->meta.data[0] == (char)('a' + (int)(b % 26)));
            network_check(network, member->incarnation == network->nodes[b].incarnation);
            network_check(network, member->address.port == network->nodes[b].address.port);
        }
    }
}

static const size_t join_sizes[] = {2, 3, 10, 50};

START_TEST(all_join_through_one_seed)
{
    struct network *network = create(join_sizes[_i], false);
    network_start_all(network, 20);
    uint64_t taken_ms = network_run_until(network, network_is_converged, 120000);
    network_check(network, taken_ms <= 30000);
    check_metas(network);
    /* Everyone was told of everyone else, once. */
    for (size_t i = 0; i < network->options.node_count; i++) {
        network_check(network, network->nodes[i].events[GOSSIP_EVENT_JOINED] ==
                                   network->options.node_count - 1);
    }
    network_check(network, network->false_deaths == 0);
    network_destroy(network);
}
END_TEST

START_TEST(datagrams_alone_suffice_to_join)
{
    struct network *network = create(20, true);
    network_start_all(network, 20);
    network_check(network,
                  network_run_until(network, network_is_converged, 90000) != NETWORK_NEVER);
    check_metas(network);
    network_destroy(network);
}
END_TEST

static bool node_1_knows_node_2(const struct network *network)
{
    return network_status(network, 1, 2) == GOSSIP_ALIVE;
}

/* Node 1 hears nothing while the rumour of node 2 is news, and those two never reach each other. */
START_TEST(a_missed_rumour_is_made_up_for)
{
    struct network *network = create(3, true);
    network_start(network, 0, NETWORK_NOBODY);
    network_start(network, 1, 0);
    network_check(network, network_run_until(network, network_is_converged, 5000) != NETWORK_NEVER);
    network_partition(network, 1);
    network_cut(network, 0, 2, false);
    network_cut(network, 2, 0, false);
    network_cut(network, 1, 2, true);
    network_cut(network, 2, 1, true);
    network_start(network, 2, 0);
    network_run(network, 4000);
    network_check(network, !node_1_knows_node_2(network));
    network_cut(network, 0, 1, false);
    network_cut(network, 1, 0, false);
    network_check(network, network_run_until(network, node_1_knows_node_2, 30000) != NETWORK_NEVER);
    network_destroy(network);
}
END_TEST

START_TEST(same_seed_gives_the_same_run)
{
    uint64_t hashes[3];
    for (size_t i = 0; i < 3; i++) {
        struct network_options options = {
            .seed = i < 2 ? 5 : 6,
            .node_count = 8,
            .loss = 0.1,
            .duplicate = 0.1,
            .reorder = 0.1,
            .meta_size = 20,
        };
        struct network *network = network_create(&options);
        network_start_all(network, 20);
        network_run(network, 5000);
        network_crash(network, 3);
        network_run(network, 20000);
        hashes[i] = network->trace_hash;
        network_destroy(network);
    }
    ck_assert(hashes[0] == hashes[1]);
    ck_assert(hashes[0] != hashes[2]);
}
END_TEST

static bool last_left(const struct network *network)
{
    return network_all_say(network, network->options.node_count - 1, GOSSIP_LEFT);
}

START_TEST(a_leaving_member_is_not_mourned)
{
    struct network *network = create_converged(10);
    network_leave(network, 9);
    network_check(network, network_run_until(network, last_left, 10 * PERIOD_MS) != NETWORK_NEVER);
    network_run(network, 30000);
    for (size_t i = 0; i < 9; i++) {
        network_check(network, network->nodes[i].events[GOSSIP_EVENT_LEFT] == 1);
        network_check(network, network->nodes[i].events[GOSSIP_EVENT_DEAD] == 0);
    }
    network_run(network, 60000);
    network_check(network, network_all_say(network, 9, (enum gossip_status)0));
    network_destroy(network);
}
END_TEST

START_TEST(a_member_comes_back_after_leaving_or_dying)
{
    for (int leaves = 0; leaves < 2; leaves++) {
        struct network *network = create_converged(10);
        if (leaves != 0) {
            network_leave(network, 9);
        } else {
            network_crash(network, 9);
        }
        network_check(network,
                      network_run_until(network, network_is_converged, 30000) != NETWORK_NEVER);
        uint64_t joined = network->nodes[4].events[GOSSIP_EVENT_JOINED];
        network_start(network, 9, 2);
        network_check(network,
                      network_run_until(network, network_is_converged, 20000) != NETWORK_NEVER);
        network_check(network, network->nodes[4].events[GOSSIP_EVENT_JOINED] == joined + 1);
        check_metas(network);
        network_destroy(network);
    }
}
END_TEST

START_TEST(a_quick_restart_is_an_update)
{
    struct network *network = create_converged(10);
    network_crash(network, 9);
    network_run(network, 100);
    network_start(network, 9, 2);
    network_run(network, 20000);
    network_check(network, network_is_converged(network));
    for (size_t i = 0; i < 9; i++) {
        network_check(network, network->nodes[i].events[GOSSIP_EVENT_DEAD] == 0);
        network_check(network, network->nodes[i].events[GOSSIP_EVENT_UPDATED] >= 1);
    }
    check_metas(network);
    network_destroy(network);
}
END_TEST

START_TEST(a_removed_node_stays_out)
{
    struct network *network = create_converged(10);
    network_forget(network, 9);
    network_run(network, 60000);
    network_check(network, network_all_say(network, 9, (enum gossip_status)0));
    network_check(network, gossip_counters(network->nodes[0].gossip)->refused_forgotten > 0);
    network_exchange(network, 9, 0);
    network_check(network, network_all_say(network, 9, (enum gossip_status)0));
    /* What it thinks of the others does not disturb them. */
    for (size_t i = 0; i < 9; i++) {
        network_check(network, network->nodes[i].events[GOSSIP_EVENT_DEAD] == 0);
        network_check(network, network->nodes[i].events[GOSSIP_EVENT_SUSPECT] == 0);
    }
    /* As a new process it may ask to join again. */
    network_crash(network, 9);
    network_start(network, 9, 0);
    network_check(network,
                  network_run_until(network, network_is_converged, 20000) != NETWORK_NEVER);
    network_destroy(network);
}
END_TEST

static bool epoch_is_known(const struct network *network)
{
    for (size_t i = 0; i < network->options.node_count; i++) {
        if (gossip_find(network->nodes[i].gossip, &network->nodes[i].id)->epoch != 7) {
            return false;
        }
    }
    return true;
}

/* As the control thread does: whoever is told of a newer epoch fetches that view. */
static bool fetch_epochs(const struct network *network)
{
    for (size_t i = 0; i < network->options.node_count; i++) {
        if (network->nodes[i].events[GOSSIP_EVENT_EPOCH] > 0) {
            gossip_set_epoch(network->nodes[i].gossip, 7);
        }
    }
    return epoch_is_known(network);
}

START_TEST(an_epoch_spreads)
{
    struct network *network = create_converged(50);
    gossip_set_epoch(network->nodes[17].gossip, 7);
    uint64_t taken_ms = network_run_until(network, fetch_epochs, 30000);
    network_check(network, taken_ms <= 15 * PERIOD_MS);
    network_destroy(network);
}
END_TEST

START_TEST(an_epoch_is_told_once_for_each_member)
{
    struct network *network = create_converged(3);
    gossip_set_epoch(network->nodes[0].gossip, 7);
    gossip_set_epoch(network->nodes[1].gossip, 7);
    network_run(network, 20000);
    network_check(network, network->nodes[2].events[GOSSIP_EVENT_EPOCH] == 2);
    network_check(network, network->nodes[0].events[GOSSIP_EVENT_EPOCH] == 0);
    network_destroy(network);
}
END_TEST

START_TEST(clusters_of_different_tags_do_not_mix)
{
    struct network *network = create(4, false);
    network->nodes[2].cluster_tag++;
    network->nodes[3].cluster_tag++;
    network_start(network, 0, NETWORK_NOBODY);
    network_start(network, 2, NETWORK_NOBODY);
    network_start(network, 1, 0);
    network_start(network, 3, 2);
    /* And by a mistake of the operator, the other cluster's node as a further seed. */
    int rc = gossip_introduce(network->nodes[3].gossip, &network->nodes[0].id, 0,
                              &network->nodes[0].address, (struct bytes){NULL, 0},
                              network->now_ms + network->nodes[3].clock_offset_ms);
    network_check(network, rc == 0);
    network_run(network, 90000);
    network_check(network, gossip_counters(network->nodes[0].gossip)->refused_cluster > 0);
    network_check(network, gossip_member_count(network->nodes[0].gossip) == 2);
    network_check(network, gossip_member_count(network->nodes[2].gossip) == 2);
    network_check(network, network_status(network, 2, 0) == 0);
    network_check(network, network->nodes[3].events[GOSSIP_EVENT_JOINED] == 1);
    network_destroy(network);
}
END_TEST

START_TEST(changed_meta_reaches_everyone)
{
    struct network *network = create_converged(10);
    network_check(network, gossip_set_meta(network->nodes[3].gossip, bytes_of("new")) == 0);
    network_run(network, 10000);
    for (size_t i = 0; i < 10; i++) {
        const struct gossip_member *member =
            gossip_find(network->nodes[i].gossip, &network->nodes[3].id);
        network_check(network, bytes_equal(member->meta, bytes_of("new")));
        network_check(network, i == 3 || network->nodes[i].events[GOSSIP_EVENT_UPDATED] == 1);
    }
    network_destroy(network);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gossip_join");
    TCase *tests = tcase_create("join");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, all_join_through_one_seed, 0,
                        (int)(sizeof(join_sizes) / sizeof(join_sizes[0])));
    tcase_add_test(tests, datagrams_alone_suffice_to_join);
    tcase_add_test(tests, a_missed_rumour_is_made_up_for);
    tcase_add_test(tests, same_seed_gives_the_same_run);
    tcase_add_test(tests, a_leaving_member_is_not_mourned);
    tcase_add_test(tests, a_member_comes_back_after_leaving_or_dying);
    tcase_add_test(tests, a_quick_restart_is_an_update);
    tcase_add_test(tests, a_removed_node_stays_out);
    tcase_add_test(tests, an_epoch_spreads);
    tcase_add_test(tests, an_epoch_is_told_once_for_each_member);
    tcase_add_test(tests, clusters_of_different_tags_do_not_mix);
    tcase_add_test(tests, changed_meta_reaches_everyone);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
