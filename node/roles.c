#include "node/roles.h"

#include "base/error.h"
#include "node/node.h"
#include "node/peers.h"
#include "node/worker.h"

#include <assert.h>
#include <stdlib.h>

/* What one slot's owners are, seen from this node. */
struct assignment {
    enum slot_role role;
    uint16_t primary; /* peer index; PEER_NONE = nobody, or we ourselves */
    bool missed;      /* we were not counted as a replica, or missed a view: we may lack effects */
};

/* Peer index of each of the view's nodes, PEER_NONE for ourselves. */
static uint16_t *map_peers(struct node *node, const struct view *view)
{
    uint16_t *peers = calloc(view->node_count, sizeof(*peers));
    for (size_t i = 0; peers != NULL && i < view->node_count; i++) {
        peers[i] = PEER_NONE;
        if (!node_id_equal(&view->nodes[i].id, &node->id)) {
            struct peer *peer = peers_get(node->peers, &view->nodes[i].id);
            peers[i] = peer == NULL ? PEER_NONE : peer->index;
        }
    }
    return peers;
}

static struct assignment assign(const struct view *view, int self, const uint16_t *peers,
                                uint16_t slot)
{
    struct assignment result = {.role = SLOT_NONE, .primary = PEER_NONE};
    uint16_t up[COPIES_MAX];
    uint16_t placed[COPIES_MAX];
    size_t up_count = view_owners(view, slot, up);
    size_t placed_count = view_owners_placed(view, slot, placed);
    if (up_count > 0 && up[0] == self) {
        result.role = SLOT_PRIMARY;
        return result;
    }
    result.primary = up_count > 0 ? peers[up[0]] : PEER_NONE;
    for (size_t i = 0; i < placed_count; i++) {
        if (placed[i] == self && up_count > 0) {
            result.role = SLOT_REPLICA;
        }
    }
    return result;
}

/* Keeps the streams that go on. Replicas of the view before are kept as well: until the new ones
 * have taken the slot over, what is acknowledged must be held by more than us. */
static void keep_streams(struct slot *slot)
{
    uint8_t kept = 0;
    for (uint8_t i = 0; i < slot->replica_count; i++) {
        if (!atomic_load(&slot->replicas[i]->closing)) {
            slot->replicas[kept] = slot->replicas[i];
            slot->positions[kept] = slot->positions[i];
            kept++;
        }
    }
    slot->replica_count = kept;
}

/* Slot lock held. */
static void apply(struct slot *slot, const struct assignment *assignment, uint64_t epoch)
{
    enum slot_role before = (enum slot_role)slot->role;
    slot->role = (uint8_t)assignment->role;
    slot->epoch = epoch;
    slot->leader = assignment->primary;
    if (assignment->role == SLOT_NONE) {
        slot->replica_count = 0;
        slot->need_take = false;
        slot->receiving = false;
        return;
    }
    if (assignment->role == SLOT_PRIMARY) {
        keep_streams(slot);
        if (before != SLOT_PRIMARY) {
            /* Who led it before must first have stopped; take.c finds out, and keeps listening to
             * it meanwhile. */
            slot->need_take = true;
            slot->replica_count = 0;
        }
        return;
    }
    slot->replica_count = 0;
    if (before != SLOT_REPLICA || slot->source != assignment->primary || assignment->missed) {
        /* Until the new primary asks what we hold we go on listening to the old one. */
        slot->need_take = true;
        slot->receiving = false;
    }
}

static void assign_slots(struct node *node, const struct view *view, const uint16_t *peers)
{
    size_t unserved = 0;
    int self = view_find(view, &node->id);
    if (self >= 0 && view->nodes[self].incarnation != node->incarnation) {
        self = -1; /* the view speaks of an earlier run, whose data is gone */
    }
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &node->slots[i];
        struct assignment assignment = assign(view, self, peers, (uint16_t)i);
        slot_lock(slot);
        assignment.missed =
            view->epoch != slot->epoch + 1 || (self >= 0 && view->nodes[self].status != NODE_UP);
        apply(slot, &assignment, view->epoch);
        unserved += slot->role == SLOT_PRIMARY && slot->need_take;
        slot_unlock(slot);
    }
    atomic_store(&node->unserved_slots, unserved);
}

/* Streams to nodes that are gone, or that have started anew, end; nobody waits for those. */
static void mark_streams(struct node *node, const struct view *view)
{
    size_t count = atomic_load(&node->peers->count);
    for (size_t i = 0; i < count; i++) {
        struct peer *peer = peers_at(node->peers, (uint16_t)i);
        int index = view_find(view, &peer->id);
        pthread_mutex_lock(&peer->lock);
        bool gone = index < 0 || view->nodes[index].status == NODE_DOWN ||
                    view->nodes[index].incarnation != peer->incarnation;
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

/* Slot lock held. */
static void drop_former(struct node *node, const struct view *view, struct slot *slot)
{
    uint16_t placed[COPIES_MAX];
    size_t placed_count = view_owners_placed(view, slot->index, placed);
    uint8_t kept = 0;
    for (uint8_t i = 0; i < slot->replica_count; i++) {
        const struct peer *peer = peers_at(node->peers, slot->replicas[i]->peer);
        bool owner = false;
        for (size_t j = 0; j < placed_count; j++) {
            owner = owner || node_id_equal(&view->nodes[placed[j]].id, &peer->id);
        }
        if (owner) {
            slot->replicas[kept] = slot->replicas[i];
            slot->positions[kept] = slot->positions[i];
            kept++;
        }
    }
    slot->replica_count = kept;
}

void roles_drop_former(struct node *node, const struct view *view)
{
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &node->slots[i];
        uint16_t owners[COPIES_MAX];
        bool owned = view_owners(view, (uint16_t)i, owners) > 0;
        slot_lock(slot);
        if (slot->epoch != view->epoch) {
            slot_unlock(slot);
            return;
        }
        if (slot->role == SLOT_PRIMARY) {
            drop_former(node, view, slot);
        } else if (slot->role == SLOT_NONE && owned &&
                   (slot->complete || keyspace_count(slot->keys) > 0)) {
            keyspace_clear(slot->keys);
            slot->complete = false;
            slot->source = PEER_NONE;
            slot->sequence = 0;
            slot->effect_epoch = 0;
        }
        slot_unlock(slot);
    }
}

bool roles_install(struct node *node, const struct view *view)
{
    if (view->epoch <= atomic_load(&node->epoch)) {
        return false;
    }
    uint16_t *peers = map_peers(node, view);
    if (peers == NULL) {
        log_error(&node->log, "out of memory for a view");
        return false;
    }
    mark_streams(node, view);
    assign_slots(node, view, peers);
    renew_streams(node, view);
    free(peers);
    pthread_mutex_lock(&node->view_lock);
    const struct view *before = node->view;
    node->view = view_retain(view);
    atomic_store_explicit(&node->epoch, view->epoch, memory_order_release);
    pthread_mutex_unlock(&node->view_lock);
    view_release(before);
    for (unsigned i = 0; i < node->worker_count; i++) {
        worker_wake(node->workers[i]);
    }
    return true;
}

size_t roles_missing(struct node *node)
{
    size_t missing = 0;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &node->slots[i];
        slot_lock(slot);
        missing += slot->role != SLOT_NONE && slot->need_take;
        slot_unlock(slot);
    }
    return missing;
}
