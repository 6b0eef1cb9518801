#include "node/roles.h"

#include "base/error.h"
#include "node/blocking.h"
#include "node/clock.h"
#include "node/memory.h"
#include "node/node.h"
#include "node/peers.h"
#include "node/refills.h"
#include "node/tracking.h"
#include "node/worker.h"

#include <assert.h>
#include <stdlib.h>

/* Peer of each of the view's nodes, PEER_NONE for ourselves. */
static void map_peers(struct node *node, const struct view *view, uint16_t *peers)
{
    for (size_t i = 0; i < view->node_count; i++) {
        peers[i] = PEER_NONE;
        if (!node_id_equal(&view->nodes[i].id, &node->id)) {
            struct peer *peer = peers_get(node->peers, &view->nodes[i].id);
            peers[i] = peer == NULL ? PEER_NONE : peer->index;
        }
    }
}

static enum node_status status_of(const struct view *view, const struct node_id *id)
{
    int index = view == NULL ? -1 : view_find(view, id);
    return index < 0 ? NODE_DOWN : view->nodes[index].status;
}

/* Whether this node may have missed effects: see copy_view.demoted. */
static bool is_demoted(const struct node *node, const struct view *before, const struct view *view,
                       int self)
{
    if (self < 0 || before == NULL) {
        return true;
    }
    if (view->nodes[self].status == NODE_UP) {
        return false;
    }
    return view->nodes[self].status != NODE_SYNCING ||
           status_of(before, &node->id) != NODE_SYNCING || view->epoch != before->epoch + 1;
}

void roles_slot_stopped(struct node *node, struct slot *slot)
{
    if (slot->copy.role != COPY_PRIMARY) {
        slot->left_epoch = slot->copy.epoch;
    }
    if (slot->waiters != NULL) {
        blocking_put_out(slot);
    }
    if (tracking_is_due(node, slot)) {
        tracking_slot_lost(node, slot);
    }
}

struct assigned {
    size_t led, copied;
    size_t unserved; /* led, and not served yet */
};

static void note_movable(struct moves *moves, const struct copy *copy)
{
    uint64_t bit = UINT64_C(1) << copy->index % 64;
    uint64_t *word = &moves->movable[copy->index / 64];
    *word = copy->movable ? *word | bit : *word & ~bit;
}

static void assign_slot(struct node *node, const struct slot_rim *rim,
                        const struct copy_view *installed, struct slot *slot,
                        struct assigned *assigned)
{
    slot_lock(slot);
    bool served = slot_serves(slot);
    int result = copy_install(&slot->copy, &rim->copies, installed);
    if (!slot_serves(slot) && (served || slot->waiters != NULL)) {
        roles_slot_stopped(node, slot);
    }
    if (installed->demoted) {
        slot->left_epoch = 0;
    }
    bool led = slot->copy.role == COPY_PRIMARY;
    assigned->led += led;
    assigned->copied += slot->copy.role == COPY_FOLLOWER;
    assigned->unserved += led && !slot_serves(slot);
    if (led && !slot->copy.untouched) {
        refills_mark(node, slot->copy.index);
    }
    note_movable(&node->moves, &slot->copy);
    slot_unlock(slot);
    if (result != TORC_OK) {
        log_error(&node->log, "out of memory for a view: stopping");
        abort(); /* half of the slots would live under another view */
    }
}

static void assign_slots(struct node *node, const struct slot_rim *rim,
                         const struct copy_view *installed)
{
    struct assigned assigned = {0};
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        assign_slot(node, rim, installed, &node->slots[i], &assigned);
    }
    atomic_store(&node->unserved_slots, assigned.unserved);
    memory_slots_assigned(node, assigned.led, assigned.copied);
}

/* Nobody waits for a node that is down or gone, that has started anew, or that a view took out of
 * those that hold everything. */
static bool must_end(const struct node *node, const struct peer *peer, const struct view *view)
{
    int index = view_find(view, &peer->id);
    return index < 0 || view->nodes[index].status == NODE_DOWN ||
           view->nodes[index].incarnation != peer->incarnation ||
           (view->nodes[index].status != NODE_UP && status_of(node->view, &peer->id) == NODE_UP);
}

static void mark_streams(struct node *node, const struct view *view)
{
    size_t count = atomic_load(&node->peers->count);
    for (size_t i = 0; i < count; i++) {
        struct peer *peer = peers_at(node->peers, (uint16_t)i);
        int index = view_find(view, &peer->id);
        pthread_mutex_lock(&peer->lock);
        bool gone = must_end(node, peer, view);
        peer->incarnation = index < 0 ? 0 : view->nodes[index].incarnation;
        pthread_mutex_unlock(&peer->lock);
        for (unsigned shard = 0; gone && shard < node->worker_count; shard++) {
            struct replica_stream *stream = atomic_load(&peer->streams[shard]);
            if (stream != NULL) {
                atomic_store(&stream->closing, true);
            }
        }
    }
}

static void renew_streams(struct node *node, const struct view *view)
{
    size_t count = atomic_load(&node->peers->count);
    for (size_t i = 0; i < count; i++) {
        struct peer *peer = peers_at(node->peers, (uint16_t)i);
        struct replica_stream *stream = atomic_load(&peer->streams[0]);
        if (stream != NULL && atomic_load(&stream->closing)) {
            peer_close_streams(node->peers, peer, node->worker_count);
        }
        int index = view_find(view, &peer->id);
        bool wanted = index >= 0 && view->nodes[index].status != NODE_DOWN &&
                      !node_id_equal(&peer->id, &node->id);
        if (wanted && peer_open_streams(node->peers, peer, node->worker_count) != TORC_OK) {
            log_error(&node->log, "out of memory for replication streams: stopping");
            abort();
        }
    }
}

bool roles_install(struct node *node, const struct slot_rim *rim, const struct view *view,
                   uint16_t *peers)
{
    if (view->epoch <= atomic_load(&node->epoch)) {
        return false;
    }
    map_peers(node, view, peers);
    int self = view_find(view, &node->id);
    if (self >= 0 && view->nodes[self].incarnation != node->incarnation) {
        self = -1; /* the view speaks of an earlier run, whose data is gone */
    }
    struct copy_view installed = {
        .view = view,
        .self = self,
        .peers = peers,
        .demoted = is_demoted(node, node->view, view, self),
        .like = node->view != NULL && view_is_like(node->view, view) ? node->view : NULL,
    };
    if (installed.demoted) {
        atomic_fetch_add(&node->term,
                         1); /* what was executed before must not be answered any more */
    }
    mark_streams(node, view);
    atomic_store(&node->moves.stopped_us, clock_monotonic_us());
    assign_slots(node, rim, &installed);
    renew_streams(node, view);
    pthread_mutex_lock(&node->view_lock);
    const struct view *before = node->view;
    node->view = view_retain(view);
    atomic_store_explicit(&node->epoch, view->epoch, memory_order_release);
    pthread_mutex_unlock(&node->view_lock);
    view_release(before);
    for (unsigned i = 0; i < node->worker_count; i++) {
        atomic_store(&node->workers[i]->view_came, true);
        worker_wake(node->workers[i]);
    }
    return true;
}

struct roles_state roles_look(struct node *node)
{
    struct roles_state state = {0};
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &node->slots[i];
        slot_lock(slot);
        state.unready += !copy_is_ready(&slot->copy);
        state.unserved += slot->copy.role == COPY_PRIMARY && !slot_serves(slot);
        slot_unlock(slot);
    }
    return state;
}
