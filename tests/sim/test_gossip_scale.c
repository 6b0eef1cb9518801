/* Partitions that heal, rumours from the past, and what two hundred members cost. */
#include "ring/gossip_message.h"
#include "tests/sim/gossip_network.h"

#include <check.h>
#include <stdlib.h>

#define BYTES_PER_SECOND_MAX 25000

static struct network *create_converged(size_t node_count, size_t meta_size)
{
    struct network_options options = {
        .seed = network_seed(31),
        .node_count = node_count,
        .meta_size = meta_size,
        .exchange_interval_ms = node_count > 50 ? 30000 : 0,
    };
    struct network *network = network_create(&options);
    network_start_all(network, 20);
    network_check(network,
                  network_run_until(network, network_is_converged, 180000) != NETWORK_NEVER);
    return network;
}

static bool halves_are_apart(const struct network *network)
{
    size_t split = network->options.node_count / 2;
    for (size_t i = 0; i < network->options.node_count; i++) {
        for (size_t j = 0; j < network->options.node_count; j++) {
            bool same_side = (i < split) == (j < split);
            if (!same_side && network_status(network, i, j) != GOSSIP_DEAD) {
                return false;
            }
        }
    }
    return true;
}

static const size_t partition_sizes[] = {4, 10, 50};

START_TEST(halves_of_a_partition_find_each_other)
{
    size_t node_count = partition_sizes[_i];
    struct network *network = create_converged(node_count, 100);
    network_partition(network, node_count / 2);
    network_check(network, network_run_until(network, halves_are_apart, 50000) != NETWORK_NEVER);
    network_heal(network);
    uint64_t taken_ms = network_run_until(network, network_is_converged, 120000);
    network_check(network, taken_ms <= 60000);
    /* Late obituaries may cross over once the network is whole, so some come back twice. */
    network_check(network, network->nodes[0].events[GOSSIP_EVENT_JOINED] >=
                               node_count - 1 + (node_count - node_count / 2));
    network_destroy(network);
}
END_TEST

/* As the control thread does for every member of the view. */
static void introduce_everyone(struct network *network, size_t node)
{
    for (size_t i = 0; i < network->options.node_count; i++) {
        const struct network_node *other = &network->nodes[i];
        int rc = gossip_introduce(network->nodes[node].gossip, &other->id, other->incarnation,
                                  &other->address, (struct bytes){NULL, 0},
                                  network->now_ms + network->nodes[node].clock_offset_ms);
        network_check(network, rc == 0);
    }
}

START_TEST(a_partition_longer_than_memory_heals_by_introduction)
{
    struct network *network = create_converged(10, 100);
    network_partition(network, 5);
    network_run(network, 150000);
    for (size_t i = 5; i < 10; i++) {
        network_check(network, network_status(network, 0, i) == 0);
    }
    network_heal(network);
    introduce_everyone(network, 0);
    introduce_everyone(network, 7);
    network_check(network,
                  network_run_until(network, network_is_converged, 60000) != NETWORK_NEVER);
    network_destroy(network);
}
END_TEST

/* A datagram that a node once sent, or might have, delivered now. */
static void deliver_update(struct network *network, size_t from, size_t to,
                           struct gossip_update update)
{
    struct gossip_message message = {
        .type = GOSSIP_UPDATE,
        .sender = {.id = network->nodes[from].id, .incarnation = network->nodes[from].incarnation},
        .update_count = 1,
        .updates = {update},
    };
    struct buf buf = {0};
    gossip_message_encode(&message, network->nodes[to].cluster_tag, &buf);
    int rc = gossip_receive(network->nodes[to].gossip, &network->nodes[from].address,
                            buf_bytes(&buf), network->now_ms + network->nodes[to].clock_offset_ms);
    network_check(network, rc == 0);
    buf_deinit(&buf);
}

START_TEST(old_rumours_raise_nobody_from_the_dead)
{
    struct network *network = create_converged(10, 100);
    struct gossip_update rumour = {
        .status = GOSSIP_ALIVE,
        .id = network->nodes[9].id,
        .incarnation = network->nodes[9].incarnation,
        .address = network->nodes[9].address,
    };
    network_crash(network, 9);
    network_check(network,
                  network_run_until(network, network_is_converged, 40000) != NETWORK_NEVER);
    for (size_t i = 0; i < 9; i++) {
        deliver_update(network, (i + 1) % 9, i, rumour);
    }
    rumour.incarnation--;
    rumour.refutation = 1000;
    deliver_update(network, 1, 0, rumour);
    network_run(network, 10000);
    network_check(network, network_all_say(network, 9, GOSSIP_DEAD));
    for (size_t i = 0; i < 9; i++) {
        network_check(network, network->nodes[i].events[GOSSIP_EVENT_JOINED] == 9);
    }
    network_destroy(network);
}
END_TEST

START_TEST(a_death_believed_by_one_side_is_a_suspicion_to_the_other)
{
    struct network *network = create_converged(5, 100);
    struct gossip_update rumour = {
        .status = GOSSIP_DEAD,
        .id = network->nodes[4].id,
        .incarnation = network->nodes[4].incarnation,
    };
    deliver_update(network, 1, 0, rumour);
    network_check(network, network_status(network, 0, 4) == GOSSIP_DEAD);
    network_check(network, network_exchange(network, 0, 2));
    network_check(network, network_status(network, 2, 4) == GOSSIP_SUSPECT);
    network_check(network,
                  network_run_until(network, network_is_converged, 20000) != NETWORK_NEVER);
    network_destroy(network);
}
END_TEST

START_TEST(the_cost_of_a_member_is_bounded)
{
    const size_t node_count = 200;
    const uint64_t window_ms = 5000;
    double mean;
    double worst;
    struct network *network = create_converged(node_count, 200);
    network_run(network, 90000); /* until the last rumour of the start is spent */
    network_reset_bytes(network);
    network_run(network, 20000);
    network_byte_rates(network, 20000, &mean, &worst);
    network_check(network, mean < 5000);
    network_check(network, worst < BYTES_PER_SECOND_MAX);
    network_check(network, network->false_deaths == 0);
    for (size_t i = node_count / 2; i < node_count; i++) {
        network_crash(network, i);
    }
    bool converged = false;
    for (uint64_t at_ms = 0; at_ms < 60000; at_ms += window_ms) {
        network_reset_bytes(network);
        network_run(network, window_ms);
        network_byte_rates(network, window_ms, &mean, &worst);
        network_check(network, worst < BYTES_PER_SECOND_MAX);
        converged = converged || network_is_converged(network);
        network_check(network, converged || at_ms < 40000);
    }
    network_check(network, network->false_deaths == 0);
    network_check(network, network->datagram_size_max <= GOSSIP_PLAIN_SIZE_MAX);
    /* And it was filled: the limit is one, not an accident. */
    network_check(network, network->datagram_size_max > GOSSIP_PLAIN_SIZE_MAX - 100);
    network_destroy(network);
}
END_TEST

START_TEST(the_largest_metas_fit)
{
    struct network *network = create_converged(20, GOSSIP_META_SIZE_MAX);
    network_check(network, network->datagram_size_max <= GOSSIP_PLAIN_SIZE_MAX);
    network_destroy(network);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gossip_scale");
    TCase *tests = tcase_create("scale");
    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, halves_of_a_partition_find_each_other, 0,
                        (int)(sizeof(partition_sizes) / sizeof(partition_sizes[0])));
    tcase_add_test(tests, a_partition_longer_than_memory_heals_by_introduction);
    tcase_add_test(tests, old_rumours_raise_nobody_from_the_dead);
    tcase_add_test(tests, a_death_believed_by_one_side_is_a_suspicion_to_the_other);
    tcase_add_test(tests, the_cost_of_a_member_is_bounded);
    tcase_add_test(tests, the_largest_metas_fit);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
