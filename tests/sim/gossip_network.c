#include "tests/sim/gossip_network.h"

#include "base/error.h"

#include <assert.h>
#include <stdlib.h>

#define CLUSTER_TAG 0x746f7263u
#define BASE_PORT 10000
#define START_MS 1000
#define CLOCK_OFFSET_MAX_MS 1000000
#define SOCKET_BUFFER_PACKETS 150
#define CONDITION_STEP_MS 50

uint64_t network_seed(uint64_t fallback)
{
    const char *text = getenv("TORC_SIM_SEED");
    return text == NULL ? fallback : strtoull(text, NULL, 0);
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void trace(struct network *network, uint64_t value)
{
    /* FNV-1a, eight bytes at a time with a final shift: order and content both count. */
    network->trace_hash = (network->trace_hash ^ value) * 0x100000001b3u;
    network->trace_hash ^= network->trace_hash >> 29;
}

static bool is_before(const struct network_event *a, const struct network_event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void queue_push(struct network *network, struct network_event event)
{
    event.order = network->order++;
    if (network->queue_count == network->queue_capacity) {
        network->queue_capacity = network->queue_capacity == 0 ? 256 : 2 * network->queue_capacity;
        network->queue = realloc(network->queue, network->queue_capacity * sizeof(*network->queue));
        if (network->queue == NULL) {
            abort();
        }
    }
    size_t at = network->queue_count++;
    while (at > 0 && is_before(&event, &network->queue[(at - 1) / 2])) {
        network->queue[at] = network->queue[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    network->queue[at] = event;
}

static struct network_event queue_pop(struct network *network)
{
    struct network_event first = network->queue[0];
    struct network_event last = network->queue[--network->queue_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= network->queue_count) {
            break;
        }
        if (child + 1 < network->queue_count &&
            is_before(&network->queue[child + 1], &network->queue[child])) {
            child++;
        }
        if (!is_before(&network->queue[child], &last)) {
            break;
        }
        network->queue[at] = network->queue[child];
        at = child;
    }
    network->queue[at] = last;
    return first;
}

struct network *network_create(const struct network_options *options)
{
    struct network *network = allocate(1, sizeof(*network));
    network->options = *options;
    if (options->delay_ms_max == 0) {
        network->options.delay_ms_min = 1;
        network->options.delay_ms_max = 10;
    }
    prng_init(&network->prng, options->seed);
    network->now_ms = START_MS;
    network->nodes = allocate(options->node_count, sizeof(*network->nodes));
    network->cut = allocate(options->node_count * options->node_count, sizeof(*network->cut));
    network->next_exchange_ms = options->exchange_interval_ms == 0 ? NETWORK_NEVER : START_MS;
    for (size_t i = 0; i < options->node_count; i++) {
        struct network_node *node = &network->nodes[i];
        node_id_generate(&node->id, &network->prng);
        node->id.bytes[NODE_ID_SIZE - 2] = (uint8_t)(i >> 8);
        node->id.bytes[NODE_ID_SIZE - 1] = (uint8_t)i;
        node->address.ip[10] = 0xff;
        node->address.ip[11] = 0xff;
        node->address.ip[12] = 10;
        node->address.port = (uint16_t)(BASE_PORT + i);
        node->cluster_tag = CLUSTER_TAG;
        node->clock_offset_ms = prng_below(&network->prng, CLOCK_OFFSET_MAX_MS);
        node->backlog_tail = &node->backlog;
    }
    return network;
}

static void drop_backlog(struct network_node *node)
{
    while (node->backlog != NULL) {
        struct network_packet *packet = node->backlog;
        node->backlog = packet->next;
        free(packet);
    }
    node->backlog_tail = &node->backlog;
    node->backlog_count = 0;
}

void network_destroy(struct network *network)
{
    for (size_t i = 0; i < network->options.node_count; i++) {
        gossip_destroy(network->nodes[i].gossip);
        drop_backlog(&network->nodes[i]);
    }
    for (size_t i = 0; i < network->queue_count; i++) {
        free(network->queue[i].packet);
    }
    free(network->queue);
    free(network->nodes);
    free(network->cut);
    free(network);
}

static bool *cut_of(const struct network *network, size_t from, size_t to)
{
    return &network->cut[from * network->options.node_count + to];
}

static void post(struct network *network, size_t from, size_t to,
                 const struct gossip_datagram *datagram)
{
    struct network_packet *packet = malloc(sizeof(*packet) + datagram->size);
    if (packet == NULL) {
        abort();
    }
    *packet = (struct network_packet){.from = from, .to = to, .size = datagram->size};
    memcpy(packet->data, datagram->data, datagram->size);
    uint64_t spread = network->options.delay_ms_max - network->options.delay_ms_min + 1;
    uint64_t delay = network->options.delay_ms_min + prng_below(&network->prng, spread);
    if (prng_unit(&network->prng) < network->options.reorder) {
        delay *= 10;
    }
    queue_push(network, (struct network_event){.at_ms = network->now_ms + delay, .packet = packet});
}

static void send_datagram(struct network *network, size_t from,
                          const struct gossip_datagram *datagram)
{
    size_t to = (size_t)datagram->to.port - BASE_PORT;
    assert(to < network->options.node_count);
    network->nodes[from].bytes_sent += datagram->size + NETWORK_PACKET_OVERHEAD;
    network->datagrams++;
    if (datagram->size > network->datagram_size_max) {
        network->datagram_size_max = datagram->size;
    }
    trace(network, network->now_ms);
    trace(network, from << 32 | to);
    for (size_t i = 0; i < datagram->size; i++) {
        trace(network, datagram->data[i]);
    }
    if (*cut_of(network, from, to) || prng_unit(&network->prng) < network->options.loss) {
        return;
    }
    post(network, from, to, datagram);
    if (prng_unit(&network->prng) < network->options.duplicate) {
        post(network, from, to, datagram);
    }
}

/* The last two bytes of an id are its index here. */
static size_t index_of(const struct network *network, const struct node_id *id)
{
    size_t index = (size_t)id->bytes[NODE_ID_SIZE - 2] << 8 | id->bytes[NODE_ID_SIZE - 1];
    assert(index < network->options.node_count);
    return index;
}

/* Takes all that a node has to say and sets its next wake-up. */
static void drain(struct network *network, size_t index)
{
    struct network_node *node = &network->nodes[index];
    struct gossip_event event;
    while (gossip_take_event(node->gossip, &event)) {
        node->events[event.kind]++;
        trace(network, (uint64_t)event.kind << 8 | event.id.bytes[0]);
        if (event.kind == GOSSIP_EVENT_DEAD) {
            size_t subject = index_of(network, &event.id);
            network->false_deaths += network->nodes[subject].state != NETWORK_STOPPED;
        }
    }
    struct gossip_datagram datagram;
    while (gossip_take_datagram(node->gossip, &datagram)) {
        send_datagram(network, index, &datagram);
    }
    uint64_t next_ms = gossip_next_ms(node->gossip);
    if (next_ms == UINT64_MAX) {
        return;
    }
    uint64_t local_ms = network->now_ms + node->clock_offset_ms;
    uint64_t wake_ms = next_ms <= local_ms ? network->now_ms : next_ms - node->clock_offset_ms;
    if (wake_ms != node->wake_ms) {
        node->wake_ms = wake_ms;
        queue_push(network, (struct network_event){.at_ms = wake_ms, .node = index});
    }
}

static uint64_t local_time(const struct network *network, size_t node)
{
    return network->now_ms + network->nodes[node].clock_offset_ms;
}

void network_start(struct network *network, size_t index, size_t seed_node)
{
    struct network_node *node = &network->nodes[index];
    char meta[GOSSIP_META_SIZE_MAX];
    assert(node->state == NETWORK_STOPPED && network->options.meta_size <= sizeof(meta));
    memset(meta, 'a' + (int)(index % 26), sizeof(meta));
    node->incarnation++;
    struct gossip_options options = {
        .self = node->id,
        .incarnation = node->incarnation,
        .address = node->address,
        .cluster_tag = node->cluster_tag,
        .meta = {meta, network->options.meta_size},
        .seed = prng_next(&network->prng),
        .dead_forget_ms = network->options.dead_forget_ms,
    };
    gossip_destroy(node->gossip);
    node->gossip = gossip_create(&options, local_time(network, index));
    if (node->gossip == NULL) {
        abort();
    }
    node->state = NETWORK_RUNNING;
    node->wake_ms = NETWORK_NEVER;
    memset(node->events, 0, sizeof(node->events));
    if (seed_node != NETWORK_NOBODY) {
        /* As after a DNS name and a port: the incarnation and the meta are not known. */
        const struct network_node *seed = &network->nodes[seed_node];
        int rc = gossip_introduce(node->gossip, &seed->id, 0, &seed->address,
                                  (struct bytes){NULL, 0}, local_time(network, index));
        assert(rc == TORC_OK);
        if (!network->options.datagrams_only) {
            network_exchange(network, index, seed_node);
        }
    }
    drain(network, index);
}

void network_start_all(struct network *network, uint64_t gap_ms)
{
    network_start(network, 0, NETWORK_NOBODY);
    for (size_t i = 1; i < network->options.node_count; i++) {
        network_run(network, gap_ms);
        network_start(network, i, 0);
    }
}

void network_crash(struct network *network, size_t index)
{
    struct network_node *node = &network->nodes[index];
    gossip_destroy(node->gossip);
    node->gossip = NULL;
    node->state = NETWORK_STOPPED;
    drop_backlog(node);
}

void network_pause(struct network *network, size_t node)
{
    assert(network->nodes[node].state == NETWORK_RUNNING);
    network->nodes[node].state = NETWORK_PAUSED;
}

static void deliver(struct network *network, const struct network_packet *packet)
{
    struct network_node *node = &network->nodes[packet->to];
    node->bytes_received += packet->size + NETWORK_PACKET_OVERHEAD;
    gossip_receive(node->gossip, &network->nodes[packet->from].address,
                   (struct bytes){(const char *)packet->data, packet->size},
                   local_time(network, packet->to));
    drain(network, packet->to);
}

void network_resume(struct network *network, size_t index)
{
    struct network_node *node = &network->nodes[index];
    assert(node->state == NETWORK_PAUSED);
    node->state = NETWORK_RUNNING;
    /* The timers run before the socket is read, as unkindly as a real loop may do it. */
    gossip_tick(node->gossip, local_time(network, index));
    drain(network, index);
    for (struct network_packet *packet = node->backlog; packet != NULL; packet = packet->next) {
        deliver(network, packet);
    }
    drop_backlog(node);
}

void network_leave(struct network *network, size_t index)
{
    struct network_node *node = &network->nodes[index];
    gossip_leave(node->gossip, local_time(network, index));
    drain(network, index);
    network_crash(network, index);
}

void network_forget(struct network *network, size_t node)
{
    for (size_t i = 0; i < network->options.node_count; i++) {
        if (i != node && network->nodes[i].gossip != NULL) {
            gossip_forget(network->nodes[i].gossip, &network->nodes[node].id);
        }
    }
}

bool network_exchange(struct network *network, size_t a, size_t b)
{
    struct buf states[2] = {{0}, {0}};
    const size_t ends[2] = {a, b};
    if (network->nodes[a].state != NETWORK_RUNNING || network->nodes[b].state != NETWORK_RUNNING ||
        *cut_of(network, a, b) || *cut_of(network, b, a)) {
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        gossip_encode_state(network->nodes[ends[i]].gossip, &states[i]);
        assert(!states[i].failed);
    }
    for (size_t i = 0; i < 2; i++) {
        int rc = gossip_merge_state(network->nodes[ends[i]].gossip, buf_bytes(&states[1 - i]),
                                    local_time(network, ends[i]));
        assert(rc == TORC_OK || rc == TORC_ESTALE || rc == TORC_EINVAL);
        drain(network, ends[i]);
    }
    buf_deinit(&states[0]);
    buf_deinit(&states[1]);
    return true;
}

void network_cut(struct network *network, size_t from, size_t to, bool cut)
{
    *cut_of(network, from, to) = cut;
}

void network_partition(struct network *network, size_t split)
{
    for (size_t a = 0; a < split; a++) {
        for (size_t b = split; b < network->options.node_count; b++) {
            network_cut(network, a, b, true);
            network_cut(network, b, a, true);
        }
    }
}

void network_heal(struct network *network)
{
    size_t count = network->options.node_count;
    memset(network->cut, 0, count * count * sizeof(*network->cut));
}

static void arrive(struct network *network, struct network_packet *packet)
{
    struct network_node *node = &network->nodes[packet->to];
    if (node->state == NETWORK_PAUSED && node->backlog_count < SOCKET_BUFFER_PACKETS) {
        *node->backlog_tail = packet;
        node->backlog_tail = &packet->next;
        node->backlog_count++;
        return;
    }
    if (node->state == NETWORK_RUNNING) {
        deliver(network, packet);
    }
    free(packet);
}

static void exchange_at_random(struct network *network)
{
    size_t count = network->options.node_count;
    size_t a = (size_t)prng_below(&network->prng, count);
    size_t b = (size_t)prng_below(&network->prng, count);
    if (a != b) {
        network_exchange(network, a, b);
    }
    /* One of all nodes at a time, so that each has its turn once in an interval on average. */
    network->next_exchange_ms += network->options.exchange_interval_ms / count + 1;
}

void network_run(struct network *network, uint64_t duration_ms)
{
    uint64_t end_ms = network->now_ms + duration_ms;
    for (;;) {
        uint64_t at_ms = network->queue_count == 0 ? NETWORK_NEVER : network->queue[0].at_ms;
        if (network->next_exchange_ms <= end_ms && network->next_exchange_ms <= at_ms) {
            network->now_ms = network->next_exchange_ms;
            exchange_at_random(network);
            continue;
        }
        if (at_ms > end_ms) {
            break;
        }
        struct network_event event = queue_pop(network);
        struct network_node *node = &network->nodes[event.node];
        network->now_ms = event.at_ms;
        if (event.packet != NULL) {
            /* A popped event is in the queue no more, which the analyzer cannot follow. */
            // NOLINTNEXTLINE(clang-analyzer-unix.Malloc)
            arrive(network, event.packet);
        } else if (node->state == NETWORK_RUNNING && node->wake_ms == event.at_ms) {
            node->wake_ms = NETWORK_NEVER;
            gossip_tick(node->gossip, local_time(network, event.node));
            drain(network, event.node);
        }
    }
    network->now_ms = end_ms;
}

uint64_t network_run_until(struct network *network, bool (*condition)(const struct network *),
                           uint64_t limit_ms)
{
    for (uint64_t taken_ms = 0; taken_ms <= limit_ms; taken_ms += CONDITION_STEP_MS) {
        if (condition(network)) {
            return taken_ms;
        }
        network_run(network, CONDITION_STEP_MS);
    }
    return NETWORK_NEVER;
}
