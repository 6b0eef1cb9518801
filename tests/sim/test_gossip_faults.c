/* Death is found out in bounded time, and nobody is thought dead who is not. */
#include "tests/sim/gossip_network.h"

#include <check.h>
#include <stdlib.h>

#define PERIOD_MS 500
#define SUSPICION_MIN_MS 2000 /* four periods, up to ten members */

/* On a lossy network somebody is always suspected of somebody: it is enough to be known. */
static bool is_acquainted(const struct network *network)
{
    for (size_t i = 0; i < network->options.node_count; i++) {
        if (gossip_member_count(network->nodes[i].gossip) != network->options.node_count) {
            return false;
        }
    }
    return true;
}

static struct network *create_acquainted(struct network_options options)
{
    options.seed = network_seed(21 + options.seed);
    options.meta_size = 100;
    struct network *network = network_create(&options);
    network_start_all(network, 20);
    network_check(network, network_run_until(network, is_acquainted, 120000) != NETWORK_NEVER);
    return network;
}

static bool node_1_dead(const struct network *network)
{
    return network_all_say(network, 1, GOSSIP_DEAD);
}

struct crash_case {
    size_t node_count;
    uint64_t periods_max;
};
/* Longest: not a confirmation, so six times the least suspicion, and the time to be probed. */
static const struct crash_case crash_cases[] = {{2, 8}, {3, 30}, {10, 20}, {50, 25}};

START_TEST(a_crash_is_detected_by_all)
{
    struct network *network =
        create_acquainted((struct network_options){.node_count = crash_cases[_i].node_count});
    network_crash(network, 1);
    uint64_t taken_ms = network_run_until(network, node_1_dead, 60000);
    network_check(network, taken_ms <= crash_cases[_i].periods_max * PERIOD_MS);
    network_run(network, 10000);
    for (size_t i = 0; i < network->options.node_count; i++) {
        network_check(network, i == 1 || network->nodes[i].events[GOSSIP_EVENT_DEAD] == 1);
    }
    network_check(network, network->false_deaths == 0);
    /* After dead_forget_ms nobody remembers. */
    network_run(network, 61000);
    network_check(network, network_all_say(network, 1, (enum gossip_status)0));
    network_destroy(network);
}
END_TEST

/* Each for three minutes of virtual time, from several seeds. */
static const struct network_options hardships[] = {
    {.node_count = 10, .loss = 0.20},
    {.node_count = 50, .loss = 0.20},
    {.node_count = 10, .duplicate = 0.3, .reorder = 0.3},
    {.node_count = 10, .loss = 0.1, .duplicate = 0.2, .reorder = 0.2, .delay_ms_max = 30},
    {.node_count = 10, .delay_ms_min = 50, .delay_ms_max = 90},
};

START_TEST(nobody_dies_of_a_bad_network)
{
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct network_options options = hardships[_i];
        options.seed = seed;
        struct network *network = create_acquainted(options);
        network_run(network, 180000);
        network_check(network, network->false_deaths == 0);
        network_destroy(network);
    }
}
END_TEST

START_TEST(a_crash_is_detected_in_spite_of_loss)
{
    struct network *network =
        create_acquainted((struct network_options){.node_count = 10, .loss = 0.2});
    network_crash(network, 1);
    network_check(network,
                  network_run_until(network, node_1_dead, 60 * PERIOD_MS) != NETWORK_NEVER);
    network_check(network, network->false_deaths == 0);
    network_destroy(network);
}
END_TEST

START_TEST(short_pauses_kill_nobody)
{
    struct network *network = create_acquainted((struct network_options){.node_count = 10});
    for (size_t round = 0; round < 40; round++) {
        size_t node = round % 10;
        network_pause(network, node);
        network_run(network, SUSPICION_MIN_MS - 200);
        network_resume(network, node);
        network_run(network, 2000);
    }
    network_check(network, network->false_deaths == 0);
    network_check(network,
                  network_run_until(network, network_is_converged, 20000) != NETWORK_NEVER);
    network_destroy(network);
}
END_TEST

START_TEST(a_member_that_slept_accuses_nobody)
{
    struct network *network = create_acquainted((struct network_options){.node_count = 10});
    network_pause(network, 1);
    network_run(network, 45000);
    network_check(network, network_all_say(network, 1, GOSSIP_DEAD));
    uint64_t false_deaths = network->false_deaths;
    network_resume(network, 1);
    network_check(network,
                  network_run_until(network, network_is_converged, 30000) != NETWORK_NEVER);
    network_check(network, network->nodes[1].events[GOSSIP_EVENT_DEAD] == 0);
    network_check(network, network->false_deaths == false_deaths);
    network_check(network, network->nodes[5].events[GOSSIP_EVENT_JOINED] == 10);
    network_destroy(network);
}
END_TEST

START_TEST(one_way_loss_between_a_pair_is_bridged)
{
    struct network *network = create_acquainted((struct network_options){.node_count = 5});
    network_cut(network, 0, 1, true);
    network_run(network, 120000);
    network_check(network, network->false_deaths == 0);
    uint64_t suspicions = 0;
    for (size_t i = 0; i < 5; i++) {
        suspicions += gossip_counters(network->nodes[i].gossip)->suspicions;
    }
    /* The helpers reach it: it is not even suspected. */
    network_check(network, suspicions == 0);
    network_destroy(network);
}
END_TEST

static bool node_1_suspect_somewhere(const struct network *network)
{
    for (size_t i = 0; i < network->options.node_count; i++) {
        if (i != 1 && network_status(network, i, 1) == GOSSIP_SUSPECT) {
            return true;
        }
    }
    return false;
}

START_TEST(a_false_suspicion_is_withdrawn)
{
    struct network *network = create_acquainted((struct network_options){.node_count = 10});
    network_pause(network, 1);
    network_check(network,
                  network_run_until(network, node_1_suspect_somewhere, 30000) != NETWORK_NEVER);
    network_resume(network, 1);
    uint64_t taken_ms = network_run_until(network, network_is_converged, 30000);
    network_check(network, taken_ms <= 8 * PERIOD_MS);
    network_check(network, gossip_counters(network->nodes[1].gossip)->refutations >= 1);
    network_check(network, network->nodes[1].events[GOSSIP_EVENT_DEAD] == 0);
    network_check(network, network->false_deaths == 0);
    const struct gossip_member *member =
        gossip_find(network->nodes[5].gossip, &network->nodes[1].id);
    network_check(network, member->refutation >= 1);
    network_destroy(network);
}
END_TEST

START_TEST(a_cut_off_member_blames_itself_first)
{
    struct network *network = create_acquainted((struct network_options){.node_count = 10});
    for (size_t i = 0; i < 10; i++) {
        network_cut(network, i, 4, true);
    }
    network_run(network, 5000);
    /* It hears nothing: Lifeguard's multiplier slows it down. Nobody else is at fault. */
    network_check(network, gossip_local_health(network->nodes[4].gossip) >= 2);
    network_check(network, gossip_local_health(network->nodes[5].gossip) <= 2);
    network_heal(network);
    network_run(network, 60000);
    network_check(network, network_is_converged(network));
    network_check(network, gossip_local_health(network->nodes[4].gossip) == 0);
    network_destroy(network);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gossip_faults");
    TCase *tests = tcase_create("faults");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, a_crash_is_detected_by_all, 0,
                        (int)(sizeof(crash_cases) / sizeof(crash_cases[0])));
    tcase_add_loop_test(tests, nobody_dies_of_a_bad_network, 0,
                        (int)(sizeof(hardships) / sizeof(hardships[0])));
    tcase_add_test(tests, a_crash_is_detected_in_spite_of_loss);
    tcase_add_test(tests, short_pauses_kill_nobody);
    tcase_add_test(tests, a_member_that_slept_accuses_nobody);
    tcase_add_test(tests, one_way_loss_between_a_pair_is_bridged);
    tcase_add_test(tests, a_false_suspicion_is_withdrawn);
    tcase_add_test(tests, a_cut_off_member_blames_itself_first);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
