/* Views: installing them, looking whether another is called for, reports, takeovers. */
#include "base/codec.h"
#include "base/error.h"
#include "tests/sim/cluster_node.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ASK_LIMIT_MS 500 /* for an answer to a takeover's request */
#define REPORT_MS 20
#define LOOK_MS 1000
#define SLOW_LEASES 2 /* without an acknowledgement */

/* ---- installing ---- */

static int own_index(const struct sim_node *node, const struct view *view)
{
    int index = view_find(view, &node->id);
    return index >= 0 && view->nodes[index].incarnation == node->incarnation ? index : -1;
}

static enum node_status status_of(const struct view *view, int index)
{
    return index < 0 ? NODE_DOWN : view->nodes[index].status;
}

/* Up, or syncing since a view that follows the last one installed. */
static bool goes_on(const struct view *before, enum node_status was, const struct view *next,
                    enum node_status is)
{
    return is == NODE_UP || (is == NODE_SYNCING && before != NULL && was == NODE_SYNCING &&
                             next->epoch == before->epoch + 1);
}

/* Nobody waits for a node that is down or gone, that has started anew, or that a view took out of
 * those that hold everything. */
static bool must_end(const struct sim_node *node, const struct replica_stream *stream,
                     const struct view *next)
{
    const struct node_id *id = &node->cluster->nodes[stream->peer]->id;
    int is = view_find(next, id);
    int was = node->view == NULL ? -1 : view_find(node->view, id);
    return is < 0 || next->nodes[is].status == NODE_DOWN ||
           next->nodes[is].incarnation != stream->incarnation ||
           (next->nodes[is].status != NODE_UP && was >= 0 &&
            node->view->nodes[was].status == NODE_UP);
}

static void renew_streams(struct sim_node *node, const struct view *next)
{
    for (uint16_t peer = 0; peer < (uint16_t)node->cluster->node_count; peer++) {
        struct replica_stream *stream = node->streams[peer];
        if (stream != NULL && must_end(node, stream, next)) {
            sim_stream_end(node, peer);
        }
    }
}

static void open_streams(struct sim_node *node, const struct view *next)
{
    for (size_t i = 0; i < next->node_count; i++) {
        const struct sim_node *peer = sim_find(node->cluster, &next->nodes[i].id);
        if (peer != NULL && peer != node && next->nodes[i].status != NODE_DOWN &&
            node->streams[peer->index] == NULL) {
            sim_stream_open(node, peer->index, next->nodes[i].incarnation);
        }
    }
}

static void install(struct sim_node *node, const struct view *next)
{
    uint16_t peers[NETWORK_NODES_MAX];
    int self = own_index(node, next);
    int before = node->view == NULL ? -1 : own_index(node, node->view);
    enum node_status was = node->view == NULL ? NODE_DOWN : status_of(node->view, before);
    enum node_status is = status_of(next, self);
    for (size_t i = 0; i < next->node_count; i++) {
        const struct sim_node *peer = sim_find(node->cluster, &next->nodes[i].id);
        assert(peer != NULL && i < NETWORK_NODES_MAX);
        peers[i] = peer->index;
    }
    struct copy_view installed = {
        .view = next,
        .self = self,
        .peers = peers,
        .demoted = !goes_on(node->view, was, next, is),
        .like = node->view != NULL && view_is_like(node->view, next) ? node->view : NULL};
    check_view(node->cluster, node, next);
    if (installed.demoted) {
        node->term++; /* what was executed before must not be answered any more */
    }
    renew_streams(node, next);
    open_streams(node, next);
    for (size_t slot = 0; slot < SLOT_COUNT; slot++) {
        if (copy_install(&node->copies[slot], &node->rim, &installed) != TORC_OK) {
            abort();
        }
    }
    if (takeover_begin(node->takeover, &installed) != TORC_OK) {
        abort();
    }
    memset(node->asking, 0, sizeof(node->asking));
    view_release(node->view);
    node->view = view_retain(next);
    node->in_view = self >= 0;
    node->report_ms = 0;
    node->look_ms = 0;
    node->cluster->seen.installs++;
    gossip_set_epoch(node->gossip, next->epoch);
    sim_receive_held(node);
}

void sim_install_newer(struct sim_node *node)
{
    const struct view *view = quorum_view(node->quorum);
    while (node->view == NULL || view->epoch > node->view->epoch) {
        install(node, view);
        view = quorum_view(node->quorum);
    }
}

void sim_ask_view(struct sim_node *node, uint16_t from)
{
    sim_send(node, CHANNEL_CONTROL, (struct packet){.to = from, .kind = PACKET_VIEW_ASK},
             (struct bytes){NULL, 0});
}

/* ---- considering ---- */

static int by_id(const void *a, const void *b)
{
    const struct member_fact *x = a;
    const struct member_fact *y = b;
    return node_id_compare(&x->node.id, &y->node.id);
}

void sim_consider(struct sim_node *node)
{
    struct member_fact facts[NETWORK_NODES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < gossip_member_count(node->gossip); i++) {
        const struct gossip_member *member = gossip_member_at(node->gossip, i);
        bool alive = member->status == GOSSIP_ALIVE || member->status == GOSSIP_SUSPECT;
        if (!alive || member->meta.size != sizeof(uint32_t)) {
            continue;
        }
        struct reader reader;
        reader_init(&reader, member->meta);
        struct view_node fact = {.id = member->id,
                                 .incarnation = member->incarnation,
                                 .host = "10.0.0.1",
                                 .client_port = 1,
                                 .direct_port = 2,
                                 .http_port = 3,
                                 .bus_port = member->address.port,
                                 .weight_asked = read_u32(&reader)};
        facts[count++] = (struct member_fact){.node = fact};
    }
    qsort(facts, count, sizeof(facts[0]), by_id);
    quorum_consider(node->quorum, facts, count, sim_now_ms(node));
}

void sim_wish(struct sim_node *node, const struct quorum_wish *wish, uint64_t limit_ms)
{
    if (quorum_wish(node->quorum, wish, sim_now_ms(node) + limit_ms) != TORC_OK) {
        abort();
    }
}

/* ---- reports ---- */

static void look_at_moves(struct sim_node *node, uint8_t *ready, bool *any)
{
    for (size_t slot = 0; slot < SLOT_COUNT; slot++) {
        if (copy_can_move(&node->copies[slot], &node->rim)) {
            ready[slot / 8] |= (uint8_t)(1u << (slot % 8));
            *any = true;
        }
    }
}

/* True if writes wait for the peer: for one that is up they may at any time, for one that is
 * syncing once it has caught up somewhere. */
static bool is_waited_for(const struct sim_node *node, uint16_t peer)
{
    int index = view_find(node->view, &node->cluster->nodes[peer]->id);
    enum node_status status = status_of(node->view, index);
    bool waited_for = status == NODE_UP;
    for (size_t slot = 0; slot < SLOT_COUNT && status == NODE_SYNCING; slot++) {
        const struct copy *copy = &node->copies[slot];
        for (size_t i = 0; i < copy->member_count; i++) {
            waited_for = waited_for || (copy->members[i].peer == peer &&
                                        copy->members[i].stage == MEMBER_ATTACHED);
        }
    }
    return waited_for;
}

/* Peers without which this node serves nothing, or answers nothing, and that do not answer. */
static size_t list_slow(struct sim_node *node, struct node_id *out)
{
    uint64_t now_ms = sim_now_ms(node);
    uint64_t limit_ms = SLOW_LEASES * (uint64_t)node->view->lease_ms;
    size_t count = 0;
    for (uint16_t peer = 0; peer < (uint16_t)node->cluster->node_count; peer++) {
        struct replica_stream *stream = node->streams[peer];
        if (stream == NULL) {
            continue;
        }
        bool waits = stream->stream.acked < stream->stream.appended ||
                     takeover_waits_for(node->takeover, peer);
        if (!waits || stream->stream.acked != stream->progress) {
            stream->progress = stream->stream.acked;
            stream->progress_ms = now_ms;
        }
        if (now_ms >= stream->progress_ms + limit_ms && is_waited_for(node, peer)) {
            out[count++] = node->cluster->nodes[peer]->id;
        }
    }
    return count;
}

/* Whether the view has been carried out here; once it has, that is looked at seldom. */
static uint64_t complete_epoch(struct sim_node *node, uint64_t now_ms)
{
    bool complete = node->in_view && takeover_tick(node->takeover, now_ms) == 0;
    for (size_t slot = 0; slot < SLOT_COUNT; slot++) {
        copy_step(&node->copies[slot], &node->rim, node->cluster->setup.step_budget);
        complete = complete && copy_is_ready(&node->copies[slot]);
    }
    if (node->cluster->variant == VARIANT_EMPTY_IS_COMPLETE && node->incarnation > 1) {
        return node->view->epoch;
    }
    if (node->complete_epoch != node->view->epoch || now_ms >= node->look_ms) {
        node->look_ms = now_ms + LOOK_MS;
        node->complete_epoch = complete ? node->view->epoch : 0;
    }
    return node->complete_epoch;
}

void sim_report(struct sim_node *node)
{
    uint8_t ready[SLOT_COUNT / 8] = {0};
    struct node_id slow[NETWORK_NODES_MAX];
    uint64_t now_ms = sim_now_ms(node);
    bool any_ready = false;
    if (now_ms < node->report_ms) {
        return;
    }
    node->report_ms = now_ms + REPORT_MS;
    uint64_t complete = complete_epoch(node, now_ms);
    if (node->cluster->comparing) {
        check_compare(node);
    }
    look_at_moves(node, ready, &any_ready);
    struct quorum_report report = {.complete_epoch = complete,
                                   .ready = any_ready ? ready : NULL,
                                   .slow = slow,
                                   .slow_count = list_slow(node, slow),
                                   .leaving = node->leaving};
    if (quorum_set_report(node->quorum, &report) != TORC_OK) {
        abort();
    }
}

bool sim_leads_nothing(const struct sim_node *node)
{
    int self = own_index(node, node->view);
    for (uint16_t slot = 0; slot < SLOT_COUNT && self >= 0; slot++) {
        uint16_t owners[COPIES_MAX];
        if (view_owners(node->view, slot, owners) > 0 && owners[0] == self) {
            return false;
        }
    }
    return self < 0 || node->view->nodes[self].leaving;
}

/* ---- takeovers ---- */

void sim_takeovers(struct sim_node *node)
{
    uint64_t now_ms = sim_now_ms(node);
    for (uint16_t peer = 0; peer < (uint16_t)node->cluster->node_count; peer++) {
        struct sim_asking *asking = &node->asking[peer];
        if (asking->number != 0 && now_ms > asking->asked_ms + ASK_LIMIT_MS) {
            asking->number = 0;
            takeover_answered(node->takeover, peer, asking->epoch, (struct bytes){NULL, 0}, now_ms);
        }
        struct buf request = {0};
        if (asking->number == 0 &&
            takeover_request(node->takeover, peer, now_ms, &request) != TAKEOVER_NOTHING) {
            asking->number = ++node->last_request;
            asking->epoch = takeover_epoch(node->takeover);
            asking->asked_ms = now_ms;
            sim_send(node, CHANNEL_CONTROL,
                     (struct packet){.to = peer, .kind = PACKET_TAKEOVER, .number = asking->number},
                     buf_bytes(&request));
            node->cluster->seen.takeovers++;
        }
        buf_deinit(&request);
    }
    takeover_tick(node->takeover, now_ms);
}

void sim_takeover_request(struct sim_node *node, const struct packet *packet)
{
    struct buf answer = {0};
    int result = takeover_serve(&node->takeover_rim, packet->from, node->view->epoch,
                                (struct bytes){packet->data, packet->size}, &answer);
    if (result != TORC_OK) {
        buf_reset(&answer, 0);
    }
    sim_send(node, CHANNEL_CONTROL,
             (struct packet){.to = packet->from,
                             .kind = PACKET_ANSWER,
                             .number = packet->number,
                             .first = node->view->epoch,
                             .second = result == TORC_OK},
             buf_bytes(&answer));
    buf_deinit(&answer);
}

void sim_takeover_answer(struct sim_node *node, const struct packet *packet)
{
    struct sim_asking *asking = &node->asking[packet->from];
    if (asking->number != packet->number) {
        return;
    }
    asking->number = 0;
    bool answered = packet->second == 1 && packet->first == asking->epoch;
    takeover_answered(node->takeover, packet->from, asking->epoch,
                      (struct bytes){answered ? packet->data : NULL, packet->size},
                      sim_now_ms(node));
    sim_takeovers(node);
}
