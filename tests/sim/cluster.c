#include "tests/sim/cluster.h"

#include "ring/voters.h"
#include "tests/sim/check_history.h"
#include "tests/sim/cluster_node.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_US 1000000
#define LINES_MAX 1000
#define SETTLE_US 1000000
#define HEAL_LIMIT_US 30000000
#define WISH_US 600000

static const char *const variant_names[VARIANT_COUNT] = {
    [VARIANT_NONE] = "none",
    [VARIANT_LEASE_WAIT] = "lease-wait",
    [VARIANT_PROMISE_NOT_KEPT] = "promise-not-kept",
    [VARIANT_RENEW_AFTER_ACCEPT] = "renew-after-accept",
    [VARIANT_SERVE_BEFORE_JOINED] = "serve-before-joined",
    [VARIANT_ATTACH_EARLY] = "attach-early",
    [VARIANT_WRONG_CURSOR_SIDE] = "wrong-cursor-side",
    [VARIANT_MOVE_EARLY] = "move-early",
    [VARIANT_OLD_EPOCH] = "old-epoch",
    [VARIANT_ASK_NOBODY] = "ask-nobody",
    [VARIANT_GO_ON] = "go-on",
    [VARIANT_LEASE_NOT_CHECKED] = "lease-not-checked",
    [VARIANT_REPLY_FIRST] = "reply-first",
    [VARIANT_INCARNATION_REUSED] = "incarnation-reused",
    [VARIANT_EMPTY_IS_COMPLETE] = "empty-is-complete",
    [VARIANT_EXPIRY_AT_REPLICA] = "expiry-at-replica",
    [VARIANT_MADE_AGAIN] = "made-again",
    [VARIANT_NAMES_STAY] = "names-stay",
};

const char *variant_name(enum variant variant)
{
    return variant_names[variant];
}

enum variant variant_find(const char *name)
{
    int found = 0;
    while (found < VARIANT_COUNT && strcmp(variant_names[found], name) != 0) {
        found++;
    }
    return (enum variant)found;
}

/* ---- notes and failures ---- */

static char *format_line(const struct cluster *cluster, const char *format, va_list arguments)
{
    char text[900];
    int size = snprintf(text, sizeof(text), "%10.3f  ", (double)cluster->network.now_us / 1000.0);
    vsnprintf(text + size, sizeof(text) - (size_t)size, format, arguments);
    return strdup(text);
}

void cluster_note(struct cluster *cluster, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *line = format_line(cluster, format, arguments);
    va_end(arguments);
    if (cluster->verbose) {
        fprintf(stderr, "%s\n", line);
    }
    char **at = &cluster->lines[cluster->line_count++ % LINES_MAX];
    free(*at);
    *at = line;
}

void cluster_fail(struct cluster *cluster, const char *format, ...)
{
    va_list arguments;
    if (cluster->failure != NULL) {
        return;
    }
    va_start(arguments, format);
    cluster->failure = format_line(cluster, format, arguments);
    va_end(arguments);
}

void cluster_print_lines(const struct cluster *cluster)
{
    size_t first = cluster->line_count > LINES_MAX ? cluster->line_count - LINES_MAX : 0;
    for (size_t i = first; i < cluster->line_count && !cluster->verbose; i++) {
        printf("%s\n", cluster->lines[i % LINES_MAX]);
    }
}

/* ---- life ---- */

static void draw_setup(struct cluster *cluster)
{
    static const uint32_t leases_ms[] = {300, 500, 500, 1000, 2000};
    struct network *network = &cluster->network;
    struct cluster_setup *setup = &cluster->setup;
    setup->copies = network_chance(network, 0.5) ? 2 : network_chance(network, 0.8) ? 3 : 1;
    setup->nodes = (unsigned)network_random(network, 3, 6);
    setup->clients = (unsigned)network_random(network, 3, CLUSTER_CLIENTS_MAX);
    setup->lease_ms = leases_ms[network_random(network, 0, 4)];
    setup->replace_after_ms =
        network_chance(network, 0.5) ? 0 : network_random(network, 1000, 6000);
    setup->fault_gap_ms = network_random(network, 100, 900);
    setup->faulty_ms = network_random(network, 4000, 14000);
    setup->churn = network_chance(network, 0.6);
    setup->wild = network_chance(network, 0.15);
    setup->clock_drift = network_chance(network, 0.7) ? 0.01 : 0;
    setup->step_budget = (size_t)network_random(network, 1, 1500);
    network->loss = network_chance(network, 0.5) ? 0 : 0.1 * prng_unit(&network->prng);
    network->duplicate = network_chance(network, 0.5) ? 0 : 0.05;
    network->reorder = network_chance(network, 0.5) ? 0 : 0.05;
    network->delay_us_max = network_chance(network, 0.7) ? 2000 : 12000;
}

static struct view *first_view(struct cluster *cluster)
{
    struct view *view = view_create();
    if (view == NULL) {
        abort();
    }
    node_id_generate(&view->cluster_id, &cluster->network.prng);
    snprintf(view->cluster_name, sizeof(view->cluster_name), "sim");
    view->copies = (uint8_t)cluster->setup.copies;
    view->lease_ms = cluster->setup.lease_ms;
    for (size_t i = 0; i < cluster->node_count; i++) {
        struct view_node node = {.id = cluster->nodes[i]->id,
                                 .incarnation = 1,
                                 .host = "10.0.0.1",
                                 .client_port = 1,
                                 .direct_port = 2,
                                 .http_port = 3,
                                 .bus_port = (uint16_t)(10000 + i),
                                 .status = NODE_UP,
                                 .weight_asked = WEIGHT_UNIT,
                                 .weight_current = WEIGHT_UNIT,
                                 .weight_target = WEIGHT_UNIT};
        if (view_put_node(view, &node) != 0) {
            abort();
        }
    }
    voters_choose(view);
    if (view_seal(view) != 0) {
        abort();
    }
    return view;
}

struct cluster *cluster_create(uint64_t seed, enum variant variant, bool verbose)
{
    struct cluster *cluster = calloc(1, sizeof(*cluster));
    if (cluster == NULL) {
        abort();
    }
    cluster->seed = seed;
    cluster->variant = variant;
    cluster->verbose = verbose;
    cluster->lines = calloc(LINES_MAX, sizeof(*cluster->lines));
    network_init(&cluster->network, seed);
    cluster->network.now_us = START_US;
    cluster->history = history_create();
    draw_setup(cluster);
    for (unsigned i = 0; i < cluster->setup.nodes; i++) {
        sim_create(cluster);
    }
    struct view *view = first_view(cluster);
    for (unsigned i = 0; i < cluster->setup.nodes; i++) {
        sim_write_first(cluster->nodes[i], view);
        sim_start(cluster->nodes[i]);
    }
    view_release(view);
    return cluster;
}

void cluster_destroy(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->node_count; i++) {
        sim_destroy(cluster->nodes[i]);
    }
    for (size_t i = 0; i < CLUSTER_VIEWS_MAX; i++) {
        view_release(cluster->views[i]);
    }
    for (size_t i = 0; i < LINES_MAX; i++) {
        free(cluster->lines[i]);
    }
    cluster_clients_destroy(cluster);
    history_destroy(cluster->history);
    network_deinit(&cluster->network);
    free(cluster->lines);
    free(cluster->failure);
    free(cluster);
}

/* ---- running ---- */

static void arrive_packet(struct cluster *cluster, struct packet *packet)
{
    if (packet->kind == PACKET_REPLY) {
        cluster_client_reply(cluster, packet);
        free(packet);
    } else {
        sim_packet(cluster->nodes[packet->to], packet);
    }
}

static void arrive_channel(struct cluster *cluster, uint32_t index)
{
    struct sim_node *to = cluster->nodes[network_channel_to(index)];
    struct sim_node *from = cluster->nodes[network_channel_from(index)];
    bool torn = false;
    struct packet *packet =
        network_arrive(&cluster->network, index, to->state != SIM_PAUSED, &torn);
    enum channel_kind kind = network_channel_kind(index);
    if (torn && kind == CHANNEL_STREAM && from->quorum != NULL) {
        sim_stream_broken(from, to->index);
    } else if (torn && kind == CHANNEL_ACKS && to->quorum != NULL) {
        sim_stream_broken(to, from->index);
    }
    if (packet != NULL) {
        sim_packet(to, packet);
    }
}

static void run_until(struct cluster *cluster, uint64_t end_us)
{
    struct event event;
    while (cluster->failure == NULL && network_next(&cluster->network, end_us, &event)) {
        switch ((enum event_kind)event.kind) {
        case EVENT_PACKET: arrive_packet(cluster, event.packet); break;
        case EVENT_CHANNEL: arrive_channel(cluster, event.index); break;
        case EVENT_TICK: sim_tick_event(cluster->nodes[event.index], event.number); break;
        case EVENT_WRITTEN: sim_written_event(cluster->nodes[event.index], event.number); break;
        case EVENT_CLIENT: cluster_client_event(cluster, event.index, event.number); break;
        case EVENT_FAULT: cluster_fault_event(cluster); break;
        case EVENT_MEND: cluster_mend_event(cluster, event.index, event.number); break;
        case EVENT_STRIKE:
            cluster_strike_event(cluster, (uint16_t)event.index, event.number);
            break;
        }
    }
    cluster->network.now_us = end_us;
}

static void wait_healed(struct cluster *cluster)
{
    char why[160] = "nothing was looked at";
    uint64_t limit_us = cluster->network.now_us + HEAL_LIMIT_US + 4000 * cluster->setup.lease_ms;
    uint64_t wish_us = 0;
    while (cluster->failure == NULL && why[0] != '\0') {
        if (cluster->network.now_us >= limit_us) {
            check_describe(cluster);
            cluster_fail(cluster, "healing: after %.1f s without faults %s",
                         (double)HEAL_LIMIT_US / 1e6, why);
            return;
        }
        if (cluster->network.now_us >= wish_us) {
            wish_us = cluster->network.now_us + WISH_US;
            cluster_forget_gone(cluster);
        }
        run_until(cluster, cluster->network.now_us + 100000);
        check_healed(cluster, why, sizeof(why));
        if (!cluster_clients_idle(cluster)) {
            snprintf(why, sizeof(why), "clients still wait");
        }
    }
}

/* Reads every key where it is served. */
static void read_all(struct cluster *cluster)
{
    struct operation operation = {.kind = OPERATION_GET, .invoked_us = cluster->network.now_us};
    for (unsigned key = 0; key < CLUSTER_KEYS; key++) {
        for (size_t i = 0; i < cluster->node_count; i++) {
            const struct sim_node *node = cluster->nodes[i];
            if (node->state == SIM_RUNNING && copy_serves(&node->copies[cluster_slot(key)])) {
                size_t index = history_begin(cluster->history, key, &operation);
                history_end(cluster->history, key, index, OUTCOME_DONE, sim_value(node, key),
                            cluster->network.now_us + 1);
            }
        }
    }
}

bool cluster_run(struct cluster *cluster)
{
    cluster_clients_start(cluster);
    run_until(cluster, START_US + SETTLE_US);
    cluster_faults_begin(cluster);
    run_until(cluster, START_US + SETTLE_US + cluster->setup.faulty_ms * 1000);
    cluster_heal(cluster);
    run_until(cluster, cluster->network.now_us + SETTLE_US);
    cluster->loading = false;
    wait_healed(cluster);
    if (cluster->failure == NULL) {
        check_equal(cluster);
        check_bounds(cluster);
        read_all(cluster);
        check_durable(cluster);
        check_history(cluster);
    }
    return cluster->failure == NULL;
}

const struct sim_node *sim_any_running(const struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->node_count; i++) {
        if (cluster->nodes[i]->state == SIM_RUNNING) {
            return cluster->nodes[i];
        }
    }
    return NULL;
}
