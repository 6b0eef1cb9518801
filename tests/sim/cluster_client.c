/* Clients: each asks for one thing at a time, of any node, follows hints, gives up, and goes on. */
#include "ring/slot.h"
#include "tests/sim/check_history.h"
#include "tests/sim/cluster_node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_LIMIT_US 700000 /* an attempt without an answer is of unknown outcome */
#define GIVE_UP_US 1500000     /* an operation that nobody takes */
#define RETRY_US 10000
#define THINK_US 120000

struct bytes cluster_key(unsigned key, char text[24])
{
    int size =
        snprintf(text, 24, "k%u{t%u}", key % CLUSTER_KEYS_PER_TAG, key / CLUSTER_KEYS_PER_TAG);
    return (struct bytes){text, (size_t)size};
}

uint16_t cluster_slot(unsigned key)
{
    char text[24];
    return slot_of_key(cluster_key(key, text));
}

static void wake(struct cluster *cluster, uint32_t client, uint64_t delay_us)
{
    struct cluster_client *self = &cluster->clients[client];
    network_push(&cluster->network, (struct event){.at_us = cluster->network.now_us + delay_us,
                                                   .kind = EVENT_CLIENT,
                                                   .index = client,
                                                   .number = self->attempt});
}

void cluster_clients_start(struct cluster *cluster)
{
    cluster->loading = true;
    for (uint32_t i = 0; i < cluster->setup.clients; i++) {
        wake(cluster, i, network_random(&cluster->network, 0, THINK_US));
    }
}

void cluster_clients_destroy(struct cluster *cluster)
{
    for (size_t i = 0; i < CLUSTER_CLIENTS_MAX; i++) {
        free((char *)(uintptr_t)cluster->clients[i].request.data);
    }
}

bool cluster_clients_idle(const struct cluster *cluster)
{
    for (size_t i = 0; i < CLUSTER_CLIENTS_MAX; i++) {
        if (cluster->clients[i].state != CLIENT_IDLE) {
            return false;
        }
    }
    return true;
}

static uint16_t any_node(struct cluster *cluster)
{
    return (uint16_t)network_random(&cluster->network, 0, cluster->node_count - 1);
}

/* What was last seen of a key, so that a compare-and-set now and then finds what it expects. */
static int64_t last_seen(const struct cluster *cluster, unsigned key)
{
    const struct history *history = cluster->history;
    for (size_t i = history->counts[key]; i > 0; i--) {
        const struct operation *operation = &history->operations[key][i - 1];
        if (operation->outcome != OUTCOME_DONE) {
            continue;
        }
        int64_t result;
        return operation->kind == OPERATION_CAS
                   ? operation->result
                   : operation_apply(operation, operation->result, &result);
    }
    return VALUE_ABSENT;
}

static uint8_t draw_kind(struct cluster *cluster)
{
    static const uint8_t kinds[] = {OPERATION_GET,  OPERATION_GET, OPERATION_GET, OPERATION_SET,
                                    OPERATION_SET,  OPERATION_SET, OPERATION_DEL, OPERATION_INCR,
                                    OPERATION_INCR, OPERATION_CAS};
    return kinds[network_random(&cluster->network, 0, sizeof(kinds) - 1)];
}

/* At first every key gets a value, so that copies have something to send. */
static bool draw_first(const struct cluster *cluster, struct sim_request *request)
{
    uint64_t key = (request->number - 1) * cluster->setup.clients + request->client;
    if (key >= CLUSTER_KEYS) {
        return false;
    }
    request->kind = OPERATION_SET;
    request->key = (unsigned)key;
    request->padding = 50;
    return true;
}

static struct sim_request draw(struct cluster *cluster, uint32_t client)
{
    struct network *network = &cluster->network;
    unsigned tags = network_chance(network, 0.6) ? 4 : CLUSTER_TAGS;
    unsigned tag = (unsigned)network_random(network, 0, tags - 1);
    bool hot = network_chance(network, 0.75);
    unsigned in_tag =
        (unsigned)network_random(network, hot ? 0 : 2, hot ? 1 : CLUSTER_KEYS_PER_TAG - 1);
    unsigned key = tag * CLUSTER_KEYS_PER_TAG + in_tag;
    struct sim_request request = {.client = client,
                                  .number = ++cluster->clients[client].number,
                                  .kind = draw_kind(cluster),
                                  .key = key,
                                  .key_count = 1,
                                  .argument = cluster->last_value += 1000,
                                  .expected = last_seen(cluster, key)};
    if (draw_first(cluster, &request)) {
        return request;
    }
    if (!hot && network_chance(network, 0.5)) {
        request.kind = OPERATION_SET;
    }
    bool sets = request.kind == OPERATION_SET || request.kind == OPERATION_CAS;
    if (sets && network_chance(network, 0.1)) {
        request.padding = (uint32_t)network_random(network, 100, 6000);
    }
    if (request.kind == OPERATION_SET && network_chance(network, 0.1)) {
        request.ttl_ms = network_random(network, 50, 4000);
    }
    if (request.kind == OPERATION_SET && in_tag == 0 && network_chance(network, 0.3)) {
        request.key_count = 2;
    }
    return request;
}

static void attempt(struct cluster *cluster, uint32_t client)
{
    struct cluster_client *self = &cluster->clients[client];
    struct sim_request *request = (void *)(uintptr_t)self->request.data;
    request->attempt = ++self->attempt;
    struct packet head = {.to = self->target, .kind = PACKET_REQUEST};
    network_trace(&cluster->network, (uint64_t)request->argument);
    network_trace(&cluster->network, (uint64_t)request->kind << 32 | request->key);
    network_client(&cluster->network, network_packet(&head, self->request));
    wake(cluster, client, ANSWER_LIMIT_US);
}

static void begin(struct cluster *cluster, uint32_t client)
{
    struct cluster_client *self = &cluster->clients[client];
    if (!cluster->loading) {
        return;
    }
    if (self->request.data == NULL) {
        void *made = calloc(1, sizeof(struct sim_request));
        self->request = (struct bytes){made, sizeof(struct sim_request)};
    }
    struct sim_request *request = (void *)(uintptr_t)self->request.data;
    *request = draw(cluster, client);
    uint64_t now_us = cluster->network.now_us;
    for (unsigned i = 0; i < request->key_count; i++) {
        struct operation operation = {.kind = request->kind,
                                      .argument = request->argument + i,
                                      .expected = request->expected,
                                      .invoked_us = now_us};
        self->operations[i] = history_begin(cluster->history, request->key + i, &operation);
    }
    self->state = CLIENT_WAITING;
    self->maybe = false;
    self->begun_us = now_us;
    self->give_up_us = now_us + GIVE_UP_US;
    if (network_chance(&cluster->network, request->kind == OPERATION_GET ? 0.5 : 0.1)) {
        self->target = any_node(cluster);
    }
    attempt(cluster, client);
}

static void finish(struct cluster *cluster, uint32_t client, enum operation_outcome outcome,
                   int64_t result)
{
    struct cluster_client *self = &cluster->clients[client];
    const struct sim_request *request = (const void *)self->request.data;
    /* With a slot its memory of what was made is lost as well: made again, it may be made twice. */
    bool twice = self->maybe && cluster->lost_us[cluster_slot(request->key)] >= self->begun_us;
    outcome = twice ? OUTCOME_UNKNOWN : outcome;
    for (unsigned i = 0; i < request->key_count; i++) {
        if (twice) {
            struct operation again =
                cluster->history->operations[request->key + i][self->operations[i]];
            size_t index = history_begin(cluster->history, request->key + i, &again);
            history_end(cluster->history, request->key + i, index, OUTCOME_UNKNOWN, 0, 0);
        }
        history_end(cluster->history, request->key + i, self->operations[i], outcome, result,
                    cluster->network.now_us);
    }
    self->done += outcome == OUTCOME_DONE;
    self->failed += outcome == OUTCOME_FAILED;
    self->unknown += outcome == OUTCOME_UNKNOWN;
    cluster->seen.unknown += outcome == OUTCOME_UNKNOWN;
    self->state = CLIENT_IDLE;
    self->attempt++;
    if (outcome != OUTCOME_DONE) {
        self->target = any_node(cluster);
    }
    /* Now and then many at once. */
    bool burst = network_chance(&cluster->network, 0.5);
    wake(cluster, client, burst ? 100 : network_random(&cluster->network, 1000, THINK_US));
}

/* No answer, or one that tells nothing: every write has a name, so it may be asked for again. */
static void ask_again(struct cluster *cluster, uint32_t client)
{
    struct cluster_client *self = &cluster->clients[client];
    self->maybe = true;
    if (cluster->network.now_us > self->give_up_us) {
        finish(cluster, client, OUTCOME_UNKNOWN, 0);
        return;
    }
    self->attempt++;
    self->target = NETWORK_NODES_MAX;
    wake(cluster, client, RETRY_US);
}

void cluster_client_event(struct cluster *cluster, uint32_t client, uint64_t number)
{
    struct cluster_client *self = &cluster->clients[client];
    if (number != self->attempt) {
        return;
    }
    if (self->state == CLIENT_IDLE) {
        begin(cluster, client);
    } else if (self->target == NETWORK_NODES_MAX) { /* a pause before the next attempt */
        self->target = any_node(cluster);
        attempt(cluster, client);
    } else {
        ask_again(cluster, client);
    }
}

void cluster_client_reply(struct cluster *cluster, const struct packet *packet)
{
    struct cluster_client *self = &cluster->clients[packet->to];
    const struct sim_answer *answer = (const void *)packet->data;
    if (self->state != CLIENT_WAITING || answer->attempt != self->attempt) {
        return;
    }
    switch ((enum reply_status)answer->status) {
    case REPLY_DONE:
        network_trace(&cluster->network, (uint64_t)answer->result);
        finish(cluster, packet->to, OUTCOME_DONE, answer->result);
        return;
    case REPLY_UNCERTAIN: ask_again(cluster, packet->to); return;
    case REPLY_ELSEWHERE: break;
    }
    if (cluster->network.now_us > self->give_up_us) {
        finish(cluster, packet->to, self->maybe ? OUTCOME_UNKNOWN : OUTCOME_FAILED, 0);
        return;
    }
    self->attempt++;
    if (answer->hint < cluster->node_count && answer->hint != packet->from) {
        self->target = answer->hint;
        attempt(cluster, packet->to);
    } else {
        self->target = NETWORK_NODES_MAX;
        wake(cluster, packet->to, RETRY_US);
    }
}
