#include "node/far.h"

#include "base/error.h"
#include "node/clock.h"
#include "node/command.h"
#include "node/operation.h"
#include "node/peers.h"
#include "node/session.h"
#include "node/tracking.h"
#include "node/worker.h"
#include "ring/slot.h"

#include <stdlib.h>

#define ASK_PERIOD_MS 500
#define ANSWER_LIMIT_MS 1500 /* silent for longer, it may have lost its slots unheard */

struct far_peer {
    struct link_request request; /* the question whether it is there */
    struct worker *worker;
    uint16_t peer;
    bool asking;
    uint64_t ask_at_ms; /* monotonic */
    struct tracked *keys;
};

void far_deinit(struct far *far)
{
    for (size_t i = 0; i < NODES_MAX; i++) {
        struct far_peer *peer = far->peers[i];
        if (peer != NULL) {
            struct tracked_key *key;
            while ((key = tracked_take_any(&peer->keys, 0)) != NULL) {
                tracked_key_free(key);
            }
            free(peer);
        }
    }
}

static struct far_peer *far_peer_of(struct worker *worker, uint16_t peer)
{
    struct far *far = &worker->far;
    if (far->peers[peer] == NULL) {
        struct far_peer *made = calloc(1, sizeof(*made));
        if (made != NULL) {
            made->worker = worker;
            made->peer = peer;
            far->count++;
        }
        far->peers[peer] = made;
    }
    return far->peers[peer];
}

void far_answered(const struct operation *operation, const struct session *session, bool noted,
                  const struct bytes *argv, size_t argc)
{
    struct worker *worker = operation->worker;
    uint64_t term = atomic_load(&worker->node->term);
    /* Without a lease this node may not hear of a view that gives the slot to another one. */
    bool kept = noted && far_stamp(&worker->far, operation->slot) == operation->told_before &&
                worker_may_answer(worker, term);
    struct far_peer *peer = kept ? far_peer_of(worker, operation->target_sent) : NULL;
    if (peer == NULL) {
        tracking_forget_at_once(worker, session, operation->command, argv, argc);
    } else {
        tracking_note_keys(worker, &peer->keys, session, operation->command, argv, argc);
    }
}

void far_told(struct worker *worker, uint16_t index, const struct frame *frame)
{
    if (frame->slot == FRAME_NO_SLOT) {
        far_lost(worker, index);
        return;
    }
    struct far_peer *peer = worker->far.peers[index];
    worker->far.told[frame->slot]++;
    if (peer != NULL) {
        tracking_tell_taken(worker,
                            tracked_take(&peer->keys, frame->payload, key_hash(frame->payload)));
    }
}

void far_lost(struct worker *worker, uint16_t index)
{
    struct far_peer *peer = worker->far.peers[index];
    struct tracked_key *taken = NULL;
    struct tracked_key *key;
    worker->far.told_all++;
    while (peer != NULL && (key = tracked_take_any(&peer->keys, 0)) != NULL) {
        key->next = taken;
        taken = key;
    }
    tracking_tell_taken(worker, taken);
}

struct misplacing {
    struct worker *worker;
    uint16_t peer;
};

/* True if the peer does not lead the key's slot by the present view. */
static bool is_misplaced(void *context, const struct tracked_key *key)
{
    const struct misplacing *misplacing = context;
    const struct worker *worker = misplacing->worker;
    uint16_t owners[COPIES_MAX];
    uint16_t slot = slot_of_key(tracked_key_bytes(key));
    const struct peer *peer = peers_at(worker->node->peers, misplacing->peer);
    return view_owners(worker->view, slot, owners) == 0 ||
           !node_id_equal(&worker->view->nodes[owners[0]].id, &peer->id);
}

void far_follow_view(struct worker *worker)
{
    size_t count = worker->far.count == 0 || worker->view == NULL
                       ? 0
                       : atomic_load_explicit(&worker->node->peers->count, memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
        struct far_peer *peer = worker->far.peers[i];
        if (peer != NULL) {
            struct misplacing misplacing = {worker, (uint16_t)i};
            tracking_tell_taken(worker, tracked_take_where(&peer->keys, is_misplaced, &misplacing));
        }
    }
}

static void on_answer(struct link_request *request, int result, const struct frame *frame)
{
    (void)frame;
    struct far_peer *peer =
        (struct far_peer *)((char *)request - offsetof(struct far_peer, request));
    peer->asking = false;
    if (result != TORC_OK) {
        far_lost(peer->worker, peer->peer);
    }
}

static void ask(struct far_peer *peer, uint64_t now_ms)
{
    struct link *link = worker_link(peer->worker, peer->peer);
    peer->ask_at_ms = now_ms + ASK_PERIOD_MS;
    peer->request.deadline_ms = now_ms + ANSWER_LIMIT_MS;
    peer->request.done = on_answer;
    peer->asking =
        link != NULL && link_send(link, &peer->request, FRAME_NO_SLOT, 0, (struct bytes){NULL, 0},
                                  BYTES_LITERAL("*1\r\n$4\r\nPING\r\n")) == TORC_OK;
    if (!peer->asking) {
        far_lost(peer->worker, peer->peer);
    }
}

void far_tick(struct worker *worker, uint64_t now_ms)
{
    size_t count = worker->far.count == 0
                       ? 0
                       : atomic_load_explicit(&worker->node->peers->count, memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
        struct far_peer *peer = worker->far.peers[i];
        if (peer != NULL && peer->keys != NULL && !peer->asking && now_ms >= peer->ask_at_ms) {
            ask(peer, now_ms);
        }
    }
}

bool far_forget_any(struct worker *worker)
{
    size_t count = worker->far.count == 0
                       ? 0
                       : atomic_load_explicit(&worker->node->peers->count, memory_order_acquire);
    uint64_t seed = prng_next(&worker->prng);
    for (size_t i = 0; i < count; i++) {
        struct far_peer *peer = worker->far.peers[(i + seed) % count];
        if (peer != NULL && peer->keys != NULL) {
            tracking_tell_taken(worker, tracked_take_any(&peer->keys, seed >> 16));
            return true;
        }
    }
    return false;
}
