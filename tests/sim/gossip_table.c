/*
 * Prints how gossip behaves as the cluster grows: a table for docs/benchmarks.md. Not a test.
 *   gossip_table [NODES...]      default 10 100 1000
 */
#include "tests/sim/gossip_network.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LIMIT_MS 300000
#define STEADY_MS 20000
#define QUIET_MS 240000 /* until the rumours of the start are spent */
#define META_SIZE 100
#define TROUBLE_MS 60000 /* under loss, and then with slow nodes */
#define LOSS 0.05
#define SLOW_NODES 10 /* fewer in a small cluster: a third of it */
#define SLOW_PERIOD_MS 2000
#define SLOW_STOPPED_MS 1000 /* of each period, as if starved of processor time */

static bool all_dead_gone(const struct network *network)
{
    return network_is_converged(network);
}

static void print_time(uint64_t ms)
{
    if (ms == NETWORK_NEVER) {
        printf("%10s", "never");
    } else {
        printf("%10.1f", (double)ms / 1000.0);
    }
}

/* Runs to the end of the condition; the highest byte rates of any five seconds on the way. */
static uint64_t watch(struct network *network, double *mean, double *worst)
{
    const uint64_t window_ms = 5000;
    uint64_t taken = NETWORK_NEVER;
    *mean = 0;
    *worst = 0;
    for (uint64_t at = 0; at < LIMIT_MS && taken == NETWORK_NEVER; at += window_ms) {
        double window_mean;
        double window_worst;
        network_reset_bytes(network);
        uint64_t part = network_run_until(network, all_dead_gone, window_ms - 50);
        taken = part == NETWORK_NEVER ? NETWORK_NEVER : at + part;
        if (part == NETWORK_NEVER) {
            network_byte_rates(network, window_ms, &window_mean, &window_worst);
            *mean = window_mean > *mean ? window_mean : *mean;
            *worst = window_worst > *worst ? window_worst : *worst;
        }
    }
    return taken;
}

/* Deaths declared of nodes that live, while a twentieth of all datagrams is lost. */
static uint64_t false_under_loss(struct network *network)
{
    uint64_t before = network->false_deaths;
    network->options.loss = LOSS;
    network_run(network, TROUBLE_MS);
    network->options.loss = 0;
    return network->false_deaths - before;
}

/* The same while some nodes run half of the time. */
static uint64_t false_with_slow(struct network *network, size_t node_count)
{
    uint64_t before = network->false_deaths;
    size_t slow = node_count / 3 < SLOW_NODES ? node_count / 3 : SLOW_NODES;
    for (uint64_t at = 0; at < TROUBLE_MS; at += SLOW_PERIOD_MS) {
        for (size_t i = 0; i < slow; i++) {
            network_pause(network, i + 1);
        }
        network_run(network, SLOW_STOPPED_MS);
        for (size_t i = 0; i < slow; i++) {
            network_resume(network, i + 1);
        }
        network_run(network, SLOW_PERIOD_MS - SLOW_STOPPED_MS);
    }
    return network->false_deaths - before;
}

static void row(size_t node_count)
{
    struct network_options options = {
        .seed = network_seed(1),
        .node_count = node_count,
        .meta_size = META_SIZE,
        .exchange_interval_ms = 30000,
    };
    struct network *network = network_create(&options);
    double mean;
    double worst;
    network_start_all(network, 10);
    printf("%6zu", node_count);
    print_time(watch(network, &mean, &worst));
    network_run(network, QUIET_MS);
    network_reset_bytes(network);
    network_run(network, STEADY_MS);
    network_byte_rates(network, STEADY_MS, &mean, &worst);
    printf("%10.0f%10.0f", mean, worst);
    printf("%8" PRIu64, false_under_loss(network));
    printf("%8" PRIu64, false_with_slow(network, node_count));

    network_crash(network, node_count - 1);
    print_time(watch(network, &mean, &worst));
    network_run(network, 60000);
    for (size_t i = node_count / 2; i + 1 < node_count; i++) {
        network_crash(network, i);
    }
    print_time(watch(network, &mean, &worst));
    printf("%10.0f%10.0f\n", mean, worst);
    fflush(stdout);
    network_destroy(network);
}

int main(int argc, char **argv)
{
    static const size_t defaults[] = {10, 100, 1000};
    printf("%6s%10s%10s%10s%8s%8s%10s%10s%10s%10s\n", "nodes", "join s", "steady", "worst B/s",
           "loss 5%", "slow 10", "one dead", "half dead", "B/s then", "worst B/s");
    for (size_t i = 0; argc < 2 && i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        row(defaults[i]);
    }
    for (int i = 1; i < argc; i++) {
        row((size_t)strtoul(argv[i], NULL, 10));
    }
    return 0;
}
