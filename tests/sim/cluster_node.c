#include "tests/sim/cluster_node.h"

#include "base/codec.h"
#include "base/error.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BASE_PORT 10000
#define TICK_US 8000
#define CONSIDER_MS 50
#define EXCHANGE_MS 1000
#define INTRODUCE_MS 3000
#define SOCKET_BUFFER_PACKETS 200
#define CLOCK_OFFSET_MAX_MS 1000000

uint64_t sim_now_ms(const struct sim_node *node)
{
    uint64_t now_us = node->cluster->network.now_us;
    int64_t drift_us = (int64_t)now_us / 1000 * node->clock_drift_ppm / 1000;
    return node->clock_offset_ms + (now_us + (uint64_t)drift_us) / 1000;
}

bool sim_has_lease(const struct sim_node *node)
{
    return node->state == SIM_RUNNING && sim_now_ms(node) < quorum_lease_until_ms(node->quorum);
}

struct sim_node *sim_find(struct cluster *cluster, const struct node_id *id)
{
    size_t index = id->bytes[NODE_ID_SIZE - 1];
    return index < cluster->node_count && node_id_equal(&cluster->nodes[index]->id, id)
               ? cluster->nodes[index]
               : NULL;
}

static struct gossip_address address_of(uint16_t index)
{
    struct gossip_address address = {.port = (uint16_t)(BASE_PORT + index)};
    address.ip[10] = 0xff;
    address.ip[11] = 0xff;
    address.ip[12] = 10;
    return address;
}

struct sim_node *sim_create(struct cluster *cluster)
{
    struct sim_node *node = calloc(1, sizeof(*node));
    if (node == NULL || cluster->node_count == NETWORK_NODES_MAX) {
        abort();
    }
    struct network *network = &cluster->network;
    node->cluster = cluster;
    node->index = (uint16_t)cluster->node_count;
    cluster->nodes[cluster->node_count++] = node;
    node_id_generate(&node->id, &network->prng);
    node->id.bytes[NODE_ID_SIZE - 1] = (uint8_t)node->index;
    node->clock_offset_ms = network_random(network, 0, CLOCK_OFFSET_MAX_MS);
    uint64_t drift_max_ppm = (uint64_t)(cluster->setup.clock_drift * 1e6);
    node->clock_drift_ppm =
        (int64_t)network_random(network, 0, 2 * drift_max_ppm) - (int64_t)drift_max_ppm;
    node->wall_offset_ms = network_random(network, 0, 3000);
    node->weight = WEIGHT_UNIT;
    node->backlog_tail = &node->backlog;
    node->replies_tail = &node->replies;
    return node;
}

static void drop_backlog(struct sim_node *node)
{
    while (node->backlog != NULL) {
        struct packet *packet = node->backlog;
        node->backlog = packet->next;
        free(packet);
    }
    node->backlog_tail = &node->backlog;
    node->backlog_count = 0;
}

/* ---- the process ---- */

static void end_process(struct sim_node *node)
{
    node->run++;
    drop_backlog(node);
    sim_replies_drop(node);
    sim_streams_destroy(node);
    quorum_destroy(node->quorum);
    gossip_destroy(node->gossip);
    takeover_destroy(node->takeover);
    for (size_t slot = 0; slot < SLOT_COUNT; slot++) {
        copy_deinit(&node->copies[slot]);
    }
    store_destroy(node->stores[0]);
    store_destroy(node->stores[1]);
    view_release(node->view);
    buf_deinit(&node->writing);
    buf_deinit(&node->writing_view);
    node->quorum = NULL;
    node->gossip = NULL;
    node->takeover = NULL;
    node->stores[0] = node->stores[1] = NULL;
    node->view = NULL;
    node->write_under_way = false;
    node->leaving = false;
    node->serving = 0;
    node->doomed = 0;
    node->dying = false;
}

void sim_destroy(struct sim_node *node)
{
    end_process(node);
    buf_deinit(&node->disk.view);
    buf_deinit(&node->disk.durable);
    free(node);
}

void sim_write_first(struct sim_node *node, const struct view *view)
{
    buf_reset(&node->disk.view, SIZE_MAX);
    buf_reset(&node->disk.durable, SIZE_MAX);
    view_encode(view, &node->disk.view);
}

static void start_gossip(struct sim_node *node)
{
    struct buf meta = {0};
    write_u32(&meta, node->weight);
    struct gossip_options options = {.self = node->id,
                                     .incarnation = node->incarnation,
                                     .address = address_of(node->index),
                                     .cluster_tag = 1,
                                     .meta = buf_bytes(&meta),
                                     .seed = prng_next(&node->cluster->network.prng)};
    node->gossip = gossip_create(&options, sim_now_ms(node));
    buf_deinit(&meta);
}

static struct copy *lock_copy(void *context, uint16_t slot)
{
    struct sim_node *node = context;
    return &node->copies[slot];
}

static void unlock_copy(void *context, uint16_t slot)
{
    (void)context;
    (void)slot;
}

static void start_data(struct sim_node *node)
{
    enum variant variant = node->cluster->variant;
    sim_rim_init(node);
    node->takeover_rim = (struct takeover_rim){.context = node,
                                               .lock = lock_copy,
                                               .unlock = unlock_copy,
                                               .copies = &node->rim,
                                               .break_ask_nobody = variant == VARIANT_ASK_NOBODY,
                                               .break_go_on = variant == VARIANT_GO_ON};
    node->takeover = takeover_create(&node->takeover_rim);
    node->stores[0] = store_create();
    node->stores[1] = store_create();
    if (node->takeover == NULL || node->stores[0] == NULL || node->stores[1] == NULL) {
        abort();
    }
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        copy_init(&node->copies[slot], slot);
        node->copies[slot].complete = variant == VARIANT_EMPTY_IS_COMPLETE && node->incarnation > 1;
        node->checks[slot] = (struct copy_check){0};
        node->keys[slot] = store_keyspace(node->stores[0], slot);
        node->incoming[slot] = store_keyspace(node->stores[1], slot);
    }
}

static void schedule_tick(struct sim_node *node)
{
    struct network *network = &node->cluster->network;
    network_push(network, (struct event){.at_us = network->now_us + TICK_US +
                                                  network_random(network, 0, 2000),
                                         .kind = EVENT_TICK,
                                         .index = node->index,
                                         .number = node->run});
}

void sim_start(struct sim_node *node)
{
    struct cluster *cluster = node->cluster;
    enum variant variant = cluster->variant;
    assert(node->state == SIM_STOPPED);
    bool reuse = variant == VARIANT_INCARNATION_REUSED && node->disk.incarnation > 0;
    node->disk.incarnation += reuse ? 0 : 1;
    node->incarnation = node->disk.incarnation;
    node->state = SIM_RUNNING;
    node->run++;
    node->term = 1;
    node->stale_now_ms = 0;
    node->complete_epoch = node->look_ms = 0;
    node->ask_view_ms = node->consider_ms = node->report_ms = 0;
    node->exchange_ms = node->introduce_ms = node->expire_ms = 0;
    node->last_generation = 0;
    memset(node->asking, 0, sizeof(node->asking));
    struct view *view = NULL;
    if (view_decode(&view, buf_bytes(&node->disk.view), NULL) != TORC_OK) {
        abort();
    }
    struct quorum_options options = {.self = node->id,
                                     .incarnation = node->incarnation,
                                     .seed = prng_next(&cluster->network.prng),
                                     .replace_after_ms = cluster->setup.replace_after_ms,
                                     .break_lease_wait = variant == VARIANT_LEASE_WAIT,
                                     .break_promise_not_kept = variant == VARIANT_PROMISE_NOT_KEPT,
                                     .break_renew_after_accept =
                                         variant == VARIANT_RENEW_AFTER_ACCEPT};
    node->quorum = quorum_create(&options, view, buf_bytes(&node->disk.durable), sim_now_ms(node));
    if (node->quorum == NULL) {
        abort();
    }
    view_release(view);
    start_gossip(node);
    start_data(node);
    schedule_tick(node);
    cluster_note(cluster, "node %u starts, incarnation %llu, epoch %llu", node->index,
                 (unsigned long long)node->incarnation,
                 (unsigned long long)quorum_view(node->quorum)->epoch);
}

void sim_crash(struct sim_node *node)
{
    struct cluster *cluster = node->cluster;
    end_process(node);
    node->state = SIM_STOPPED;
    cluster->seen.crashes++;
    for (uint16_t peer = 0; peer < (uint16_t)cluster->node_count; peer++) {
        /* The machine's kernel ends its connections. What it has sent may still arrive. */
        for (size_t kind = 0; kind < CHANNEL_KINDS; kind++) {
            network_tear(&cluster->network, (enum channel_kind)kind, peer, node->index, 0);
            network_tear(&cluster->network, (enum channel_kind)kind, node->index, peer,
                         prng_unit(&cluster->network.prng));
        }
        if (cluster->nodes[peer]->quorum != NULL && peer != node->index) {
            sim_stream_broken(cluster->nodes[peer], node->index);
        }
    }
    cluster_note(cluster, "node %u is gone, memory lost", node->index);
    check_losses(cluster);
}

void sim_pause(struct sim_node *node)
{
    assert(node->state == SIM_RUNNING);
    node->state = SIM_PAUSED;
    node->stale_now_ms = sim_now_ms(node);
    cluster_note(node->cluster, "node %u stands still", node->index);
}

/* ---- what leaves it ---- */

static bool may_send(struct sim_node *node)
{
    if (node->doomed > 0 && --node->doomed == 0) {
        node->dying = true;
    }
    return !node->dying;
}

void sim_send(struct sim_node *node, enum channel_kind channel, struct packet head,
              struct bytes data)
{
    if (!may_send(node) || head.to == node->index) {
        return;
    }
    head.from = node->index;
    network_send(&node->cluster->network, channel, network_packet(&head, data));
}

static void send_gossip(struct sim_node *node)
{
    struct gossip_event event;
    struct gossip_datagram datagram;
    while (gossip_take_event(node->gossip, &event)) {
        const struct sim_node *other = sim_find(node->cluster, &event.id);
        if (event.kind == GOSSIP_EVENT_EPOCH && other != NULL) {
            sim_ask_view(node, other->index);
        }
    }
    while (gossip_take_datagram(node->gossip, &datagram)) {
        struct packet head = {.from = node->index,
                              .to = (uint16_t)(datagram.to.port - BASE_PORT),
                              .kind = PACKET_GOSSIP};
        if (may_send(node)) {
            network_datagram(
                &node->cluster->network,
                network_packet(&head, (struct bytes){(const char *)datagram.data, datagram.size}));
        }
    }
}

static void send_quorum(struct sim_node *node)
{
    struct quorum_message message;
    while (quorum_take(node->quorum, &message)) {
        const struct sim_node *to = sim_find(node->cluster, &message.to);
        struct packet head = {.from = node->index, .kind = PACKET_QUORUM};
        if (to != NULL && to != node) {
            head.to = to->index;
            if (!message.datagram) {
                sim_send(node, CHANNEL_CONTROL, head, buf_bytes(&message.bytes));
            } else if (may_send(node)) {
                network_datagram(&node->cluster->network,
                                 network_packet(&head, buf_bytes(&message.bytes)));
            }
        }
        buf_deinit(&message.bytes);
    }
}

/* ---- the disk ---- */

static void encode_state(struct sim_node *node, struct buf *durable, struct buf *view)
{
    buf_reset(durable, SIZE_MAX);
    buf_reset(view, SIZE_MAX);
    quorum_encode(node->quorum, durable);
    view_encode(quorum_view(node->quorum), view);
}

static void begin_write(struct sim_node *node)
{
    struct network *network = &node->cluster->network;
    if (node->write_under_way || !quorum_must_write(node->quorum)) {
        return;
    }
    encode_state(node, &node->writing, &node->writing_view);
    node->write_under_way = true;
    uint64_t delay_us = network_chance(network, 0.05) ? network_random(network, 5000, 200000)
                                                      : network_random(network, 100, 4000);
    network_push(network, (struct event){.at_us = network->now_us + delay_us,
                                         .kind = EVENT_WRITTEN,
                                         .index = node->index,
                                         .number = node->run});
}

static void settle(struct sim_node *node);

void sim_written_event(struct sim_node *node, uint64_t run)
{
    struct network *network = &node->cluster->network;
    if (run != node->run) {
        return;
    }
    if (node->state == SIM_PAUSED || node->disk_full > 0) {
        network_push(network, (struct event){.at_us = network->now_us + 20000,
                                             .kind = EVENT_WRITTEN,
                                             .index = node->index,
                                             .number = run});
        return;
    }
    struct buf durable = {0};
    struct buf view = {0};
    buf_reset(&node->disk.durable, SIZE_MAX);
    buf_reset(&node->disk.view, SIZE_MAX);
    buf_append(&node->disk.durable, buf_head(&node->writing), buf_size(&node->writing));
    buf_append(&node->disk.view, buf_head(&node->writing_view), buf_size(&node->writing_view));
    encode_state(node, &durable, &view);
    node->write_under_way = false;
    /* What changed meanwhile has to be written as well. */
    if (bytes_equal(buf_bytes(&durable), buf_bytes(&node->writing)) &&
        bytes_equal(buf_bytes(&view), buf_bytes(&node->writing_view))) {
        quorum_written(node->quorum);
    }
    buf_deinit(&durable);
    buf_deinit(&view);
    settle(node);
}

/* ---- events ---- */

/* Whatever came in: what follows from it. */
static void settle(struct sim_node *node)
{
    sim_install_newer(node);
    begin_write(node);
    send_quorum(node);
    send_gossip(node);
    sim_streams_send(node);
    sim_replies(node);
    node->serving = 0;
    for (size_t slot = 0; slot < SLOT_COUNT; slot++) {
        node->serving |= (uint64_t)copy_serves(&node->copies[slot]) << slot;
    }
    check_primary(node->cluster, node);
    if (node->dying) {
        sim_crash(node);
    }
}

static void exchange_gossip(struct sim_node *node, uint64_t now_ms)
{
    struct cluster *cluster = node->cluster;
    uint16_t other = (uint16_t)network_random(&cluster->network, 0, cluster->node_count - 1);
    node->exchange_ms = now_ms + EXCHANGE_MS;
    if (other != node->index && cluster->nodes[other]->state != SIM_GONE) {
        struct buf state = {0};
        gossip_encode_state(node->gossip, &state);
        sim_send(node, CHANNEL_CONTROL,
                 (struct packet){.to = other, .kind = PACKET_GOSSIP_STATE, .number = 1},
                 buf_bytes(&state));
        buf_deinit(&state);
    }
}

static void introduce(struct sim_node *node, uint64_t now_ms)
{
    struct cluster *cluster = node->cluster;
    node->introduce_ms = now_ms + INTRODUCE_MS;
    for (uint16_t i = 0; i < (uint16_t)cluster->node_count; i++) {
        struct gossip_address address = address_of(i);
        if (i != node->index && cluster->nodes[i]->state != SIM_GONE) {
            (void)!gossip_introduce(node->gossip, &cluster->nodes[i]->id, 0, &address,
                                    (struct bytes){NULL, 0}, now_ms);
        }
    }
}

/* Serves nothing any more: says so, and ends. */
static void leave(struct sim_node *node)
{
    quorum_leave(node->quorum, sim_now_ms(node));
    gossip_leave(node->gossip, sim_now_ms(node));
    send_quorum(node);
    send_gossip(node);
    end_process(node);
    node->state = SIM_GONE;
    cluster_note(node->cluster, "node %u has left", node->index);
    check_losses(node->cluster);
}

static void tick(struct sim_node *node)
{
    uint64_t now_ms = sim_now_ms(node);
    struct node_id ahead;
    if (now_ms >= node->introduce_ms) {
        introduce(node, now_ms);
    }
    if (now_ms >= node->exchange_ms) {
        exchange_gossip(node, now_ms);
    }
    if (now_ms >= gossip_next_ms(node->gossip)) {
        gossip_tick(node->gossip, now_ms);
    }
    quorum_tick(node->quorum, now_ms);
    if (now_ms >= node->consider_ms) {
        node->consider_ms = now_ms + CONSIDER_MS;
        sim_consider(node);
    }
    if (quorum_behind(node->quorum, &ahead) && now_ms >= node->ask_view_ms) {
        const struct sim_node *who = sim_find(node->cluster, &ahead);
        node->ask_view_ms = now_ms + 100;
        if (who != NULL) {
            sim_ask_view(node, who->index);
        }
    }
    sim_install_newer(node);
    sim_receive_held(node);
    sim_takeovers(node);
    sim_report(node);
    sim_expire(node);
    settle(node);
    bool handed_over = node->leaving && node->reply_count == 0 && sim_leads_nothing(node);
    bool removed = node->view != NULL && view_was_removed(node->view, &node->id);
    if (handed_over || removed) {
        leave(node);
    }
}

void sim_tick_event(struct sim_node *node, uint64_t run)
{
    if (run != node->run) {
        return;
    }
    if (node->state == SIM_RUNNING) {
        tick(node);
    }
    if (run == node->run) {
        schedule_tick(node);
    }
}

static void merge_gossip(struct sim_node *node, const struct packet *packet)
{
    (void)!gossip_merge_state(node->gossip, (struct bytes){packet->data, packet->size},
                              sim_now_ms(node));
    if (packet->number == 1) {
        struct buf state = {0};
        gossip_encode_state(node->gossip, &state);
        sim_send(node, CHANNEL_CONTROL,
                 (struct packet){.to = packet->from, .kind = PACKET_GOSSIP_STATE},
                 buf_bytes(&state));
        buf_deinit(&state);
    }
}

static void take_view(struct sim_node *node, struct bytes bytes)
{
    struct view *view = NULL;
    if (view_decode(&view, bytes, quorum_view(node->quorum)) != TORC_OK) {
        cluster_fail(node->cluster, "views: node %u cannot decode a view", node->index);
        return;
    }
    quorum_offer(node->quorum, view, sim_now_ms(node));
    view_release(view);
}

static void give_view(struct sim_node *node, uint16_t to)
{
    struct buf bytes = {0};
    view_encode(quorum_view(node->quorum), &bytes);
    sim_send(node, CHANNEL_CONTROL, (struct packet){.to = to, .kind = PACKET_VIEW},
             buf_bytes(&bytes));
    buf_deinit(&bytes);
}

static void take_quorum(struct sim_node *node, struct bytes bytes)
{
    int result = quorum_receive(node->quorum, bytes, sim_now_ms(node));
    if (result != TORC_OK) {
        cluster_fail(node->cluster, "quorum: node %u refuses a message: %s", node->index,
                     torc_strerror(result));
    }
}

static void handle(struct sim_node *node, const struct packet *packet)
{
    struct bytes data = {packet->data, packet->size};
    struct gossip_address from = address_of(packet->from);
    switch ((enum packet_kind)packet->kind) {
    case PACKET_GOSSIP: gossip_receive(node->gossip, &from, data, sim_now_ms(node)); break;
    case PACKET_GOSSIP_STATE: merge_gossip(node, packet); break;
    case PACKET_QUORUM: take_quorum(node, data); break;
    case PACKET_VIEW_ASK: give_view(node, packet->from); break;
    case PACKET_VIEW: take_view(node, data); break;
    case PACKET_TAKEOVER: sim_takeover_request(node, packet); break;
    case PACKET_ANSWER: sim_takeover_answer(node, packet); break;
    case PACKET_HELLO:
    case PACKET_DATA:
    case PACKET_WELCOME:
    case PACKET_ACKS: sim_stream_packet(node, packet); break;
    case PACKET_REQUEST: sim_request(node, packet); break;
    case PACKET_REPLY: break;
    }
}

void sim_packet(struct sim_node *node, struct packet *packet)
{
    if (node->state == SIM_PAUSED && node->backlog_count < SOCKET_BUFFER_PACKETS) {
        *node->backlog_tail = packet;
        node->backlog_tail = &packet->next;
        packet->next = NULL;
        node->backlog_count++;
        return;
    }
    if (node->state == SIM_RUNNING) {
        sim_install_newer(node);
        handle(node, packet);
        settle(node);
    }
    free(packet);
}

void sim_resume(struct sim_node *node)
{
    assert(node->state == SIM_PAUSED);
    node->state = SIM_RUNNING;
    cluster_note(node->cluster, "node %u goes on", node->index);
    struct packet *packet = node->backlog;
    node->backlog = NULL;
    drop_backlog(node);
    /* Now the timers run before the sockets are read; now it was stopped in the middle of a batch,
     * and goes on with what it took to be the time. */
    if (network_chance(&node->cluster->network, 0.5)) {
        node->stale_now_ms = 0;
        tick(node);
    }
    while (packet != NULL) {
        struct packet *next = packet->next;
        sim_packet(node, packet);
        packet = next;
    }
    node->stale_now_ms = 0;
}
