#include "tests/sim/cluster_network.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define POLL_US 5000    /* a channel whose receiver stands still is looked at again */
#define TEAR_US 1500000 /* a connection over a cut link is given up */

void network_init(struct network *network, uint64_t seed)
{
    *network = (struct network){.delay_us_min = 200, .delay_us_max = 3000};
    prng_init(&network->prng, seed);
    for (size_t kind = 0; kind < CHANNEL_KINDS; kind++) {
        for (size_t i = 0; i < NETWORK_NODES_MAX; i++) {
            for (size_t j = 0; j < NETWORK_NODES_MAX; j++) {
                struct channel *channel = &network->channels[kind][i][j];
                channel->tail = &channel->head;
            }
        }
    }
}

static void channel_clear(struct channel *channel, size_t keep)
{
    struct packet **at = &channel->head;
    for (size_t i = 0; i < keep && *at != NULL; i++) {
        at = &(*at)->next;
    }
    struct packet *packet = *at;
    *at = NULL;
    channel->tail = at;
    while (packet != NULL) {
        struct packet *next = packet->next;
        channel->count--;
        channel->bytes -= packet->size;
        free(packet);
        packet = next;
    }
}

void network_deinit(struct network *network)
{
    for (size_t i = 0; i < network->queue_count; i++) {
        free(network->queue[i].packet);
    }
    free(network->queue);
    for (size_t kind = 0; kind < CHANNEL_KINDS; kind++) {
        for (size_t i = 0; i < NETWORK_NODES_MAX; i++) {
            for (size_t j = 0; j < NETWORK_NODES_MAX; j++) {
                channel_clear(&network->channels[kind][i][j], 0);
            }
        }
    }
}

void network_trace(struct network *network, uint64_t value)
{
    /* FNV-1a, eight bytes at a time with a final shift: order and content both count. */
    network->trace_hash = (network->trace_hash ^ value) * 0x100000001b3u;
    network->trace_hash ^= network->trace_hash >> 29;
}

uint64_t network_random(struct network *network, uint64_t low, uint64_t high)
{
    return low + prng_below(&network->prng, high - low + 1);
}

bool network_chance(struct network *network, double probability)
{
    return probability > 0 && prng_unit(&network->prng) < probability;
}

/* ---- events ---- */

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void network_push(struct network *network, struct event event)
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

static struct event pop(struct network *network)
{
    struct event first = network->queue[0];
    struct event last = network->queue[--network->queue_count];
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

bool network_next(struct network *network, uint64_t end_us, struct event *out)
{
    if (network->queue_count == 0 || network->queue[0].at_us >= end_us) {
        return false;
    }
    *out = pop(network);
    network->now_us = out->at_us;
    network_trace(network, out->at_us);
    network_trace(network, (uint64_t)out->kind << 32 | out->index);
    return true;
}

/* ---- packets ---- */

struct packet *network_packet(const struct packet *head, struct bytes data)
{
    struct packet *packet = malloc(sizeof(*packet) + data.size);
    if (packet == NULL) {
        abort();
    }
    *packet = *head;
    packet->next = NULL;
    packet->size = data.size;
    if (data.size > 0) {
        memcpy(packet->data, data.data, data.size);
    }
    return packet;
}

static void trace_packet(struct network *network, const struct packet *packet)
{
    network->packets++;
    network_trace(network,
                  (uint64_t)packet->kind << 48 | (uint64_t)packet->from << 24 | packet->to);
    network_trace(network, packet->size);
    if (packet->kind >= PACKET_REQUEST) {
        return; /* a struct, with holes in it */
    }
    for (size_t at = 0; at + sizeof(uint64_t) <= packet->size; at += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, packet->data + at, sizeof(word));
        network_trace(network, word);
    }
}

static uint64_t delay_of(struct network *network, const struct link *link)
{
    uint64_t delay = network_random(network, network->delay_us_min, network->delay_us_max);
    return delay + (link->slow_us == 0 ? 0 : network_random(network, 0, link->slow_us));
}

static void post(struct network *network, const struct link *link, struct packet *packet)
{
    uint64_t delay = delay_of(network, link);
    delay *= network_chance(network, network->reorder) ? 20 : 1;
    network_push(network, (struct event){.at_us = network->now_us + delay,
                                         .kind = EVENT_PACKET,
                                         .index = packet->to,
                                         .packet = packet});
}

void network_datagram(struct network *network, struct packet *packet)
{
    const struct link *link = &network->links[packet->from][packet->to];
    trace_packet(network, packet);
    if (link->cut > 0 || network_chance(network, network->loss + link->loss)) {
        free(packet);
        return;
    }
    if (network_chance(network, network->duplicate)) {
        post(network, link, network_packet(packet, (struct bytes){packet->data, packet->size}));
    }
    post(network, link, packet);
}

void network_client(struct network *network, struct packet *packet)
{
    static const struct link plain;
    trace_packet(network, packet);
    if (network_chance(network, 0.004)) {
        free(packet);
        return;
    }
    uint64_t delay = delay_of(network, &plain);
    network_push(network, (struct event){.at_us = network->now_us + delay,
                                         .kind = EVENT_PACKET,
                                         .index = packet->to,
                                         .packet = packet});
}

/* ---- channels ---- */

static uint32_t index_of(enum channel_kind kind, uint16_t from, uint16_t to)
{
    return ((uint32_t)kind * NETWORK_NODES_MAX + from) * NETWORK_NODES_MAX + to;
}

uint16_t network_channel_to(uint32_t index)
{
    return (uint16_t)(index % NETWORK_NODES_MAX);
}

uint16_t network_channel_from(uint32_t index)
{
    return (uint16_t)(index / NETWORK_NODES_MAX % NETWORK_NODES_MAX);
}

enum channel_kind network_channel_kind(uint32_t index)
{
    return (enum channel_kind)(index / NETWORK_NODES_MAX / NETWORK_NODES_MAX);
}

static struct channel *channel_at(struct network *network, uint32_t index)
{
    return &network->channels[network_channel_kind(index)][network_channel_from(index)]
                             [network_channel_to(index)];
}

static void schedule(struct network *network, uint32_t index, uint64_t at_us)
{
    struct channel *channel = channel_at(network, index);
    if (!channel->scheduled) {
        channel->scheduled = true;
        network_push(network,
                     (struct event){.at_us = at_us, .kind = EVENT_CHANNEL, .index = index});
    }
}

void network_send(struct network *network, enum channel_kind kind, struct packet *packet)
{
    uint32_t index = index_of(kind, packet->from, packet->to);
    struct channel *channel = channel_at(network, index);
    trace_packet(network, packet);
    packet->ready_us =
        network->now_us + delay_of(network, &network->links[packet->from][packet->to]);
    *channel->tail = packet;
    channel->tail = &packet->next;
    channel->count++;
    channel->bytes += packet->size;
    if (channel->bytes > network->channel_bytes_max) {
        network->channel_bytes_max = channel->bytes;
    }
    if (channel->count > network->channel_count_max) {
        network->channel_count_max = channel->count;
    }
    schedule(network, index, packet->ready_us);
}

struct packet *network_arrive(struct network *network, uint32_t index, bool ready, bool *torn)
{
    struct channel *channel = channel_at(network, index);
    const struct link *link =
        &network->links[network_channel_from(index)][network_channel_to(index)];
    channel->scheduled = false;
    *torn = false;
    if (channel->head == NULL) {
        return NULL;
    }
    if (channel->head->ready_us > network->now_us) {
        schedule(network, index, channel->head->ready_us);
        return NULL;
    }
    if (link->cut > 0 && network->now_us > channel->head->ready_us + TEAR_US) {
        channel_clear(channel, 0);
        *torn = true;
        return NULL;
    }
    if (link->cut > 0 || !ready) {
        schedule(network, index, network->now_us + POLL_US);
        return NULL;
    }
    struct packet *packet = channel->head;
    channel->head = packet->next;
    if (channel->head == NULL) {
        channel->tail = &channel->head;
    } else {
        uint64_t ready_us = channel->head->ready_us;
        schedule(network, index, ready_us > network->now_us ? ready_us : network->now_us);
    }
    channel->count--;
    channel->bytes -= packet->size;
    return packet;
}

void network_tear(struct network *network, enum channel_kind kind, uint16_t from, uint16_t to,
                  double share)
{
    struct channel *channel = &network->channels[kind][from][to];
    channel_clear(channel, (size_t)((double)channel->count * share));
}

size_t network_under_way(const struct network *network, enum channel_kind kind, uint16_t from,
                         uint16_t to)
{
    return network->channels[kind][from][to].bytes;
}
