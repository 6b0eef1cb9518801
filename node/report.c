#include "node/report.h"

#include "base/error.h"
#include "node/clock.h"
#include "node/control.h"
#include "node/gossip_driver.h"
#include "node/node.h"
#include "node/peers.h"
#include "node/roles.h"
#include "node/take.h"
#include "node/worker.h"
#include "ring/quorum.h"

#include <string.h>

#define LOOK_PERIOD_MS 1000 /* once all is well */
#define READY_PERIOD_MS 10  /* while slots are to move */
#define BATCH_WAIT_MS 200
#define SLOW_PERIOD_MS 100
#define PAUSED_AT_ONCE_MAX 4096 /* slots: fewer wait for the same view */
#define PAUSE_LIMIT_MS 1000     /* without a view that moves the slots they take writes again */
#define REST_MS 200
#define SLOW_LEASES                                                                                \
    2 /* without an acknowledgement: TCP may need more than one under heavy loss                   \
       */

/* ---- has the view been carried out? ---- */

static void look(struct control *control, uint64_t now_ms)
{
    struct node *node = control->node;
    struct report *report = &control->report;
    uint64_t epoch = atomic_load(&node->epoch);
    bool complete = report->complete_epoch == epoch;
    if (complete && now_ms < report->look_at_ms) {
        return;
    }
    report->look_at_ms = now_ms + LOOK_PERIOD_MS;
    struct roles_state state = roles_look(node);
    atomic_store(&node->unserved_slots, state.unserved);
    if (complete && state.unready > 0) {
        report->complete_epoch = 0; /* a replica lost its place in a stream */
        for (unsigned i = 0; i < node->worker_count; i++) {
            atomic_store(&node->workers[i]->refills_due, true);
        }
    } else if (!complete && state.unready == 0) {
        report->complete_epoch = epoch;
        atomic_store(&control->ready_epoch, epoch);
        log_info(&node->log, "view %llu is carried out", (unsigned long long)epoch);
    }
}

/* ---- which slots may move? ---- */

struct drain_count {
    uint32_t waiting; /* slots that are still to move */
    uint32_t ready;   /* whose new owners have caught up */
    size_t paused;    /* with keys in them: hardly anybody writes to an empty one */
};

/* Only this thread gives roles, so it need not lock a slot to see that it stays. */
static bool is_to_move(const struct slot *slot)
{
    return slot->copy.movable;
}

static struct drain_count count_ready(struct control *control)
{
    struct drain_count count = {0};
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &control->node->slots[i];
        if (is_to_move(slot)) {
            slot_lock(slot);
            count.ready += copy_can_drain(&slot->copy, &control->rim.copies);
            slot_unlock(slot);
            count.waiting++;
        }
    }
    return count;
}

/* Pauses the slot if it is ready; true if it may move. */
static bool drain_slot(struct control *control, struct slot *slot, struct drain_count *count)
{
    slot_lock(slot);
    bool empty = keyspace_count(slot_keys(slot)) == 0;
    bool may_pause = empty || count->paused < PAUSED_AT_ONCE_MAX;
    bool drained = copy_drain(&slot->copy, &control->rim.copies, may_pause);
    if (slot->copy.paused && slot->paused_us == 0) {
        slot->paused_us = clock_monotonic_us();
    }
    count->paused += slot->copy.paused && !empty;
    slot_unlock(slot);
    return drained;
}

static void drain_slots(struct control *control)
{
    struct report *report = &control->report;
    struct drain_count count = {0};
    report->any_drained = false;
    memset(report->drained, 0, sizeof(report->drained));
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &control->node->slots[i];
        if (is_to_move(slot) && drain_slot(control, slot, &count)) {
            report->drained[i / 8] |= (uint8_t)(1u << (i % 8));
            report->any_drained = true;
        }
    }
}

static void resume_all(struct node *node)
{
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        slot_lock(&node->slots[i]);
        copy_resume(&node->slots[i].copy);
        slot_end_pause(node, &node->slots[i]);
        slot_unlock(&node->slots[i]);
    }
    for (unsigned i = 0; i < node->worker_count; i++) {
        atomic_store(&node->workers[i]->view_came, true);
        worker_wake(node->workers[i]);
    }
}

/* Whether it is time to pause those that are ready. A view costs every node some milliseconds, so
 * they wait a little for others to go along. */
static bool is_batch_due(struct control *control, uint64_t now_ms)
{
    struct report *report = &control->report;
    if (now_ms < report->drain_at_ms || now_ms < report->rest_until_ms) {
        return false;
    }
    report->drain_at_ms = now_ms + READY_PERIOD_MS;
    struct drain_count count = count_ready(control);
    atomic_store(&control->node->moves.slots_waiting, count.waiting);
    if (count.ready == 0) {
        report->ready_since_ms = 0;
        return false;
    }
    if (report->ready_since_ms == 0) {
        report->ready_since_ms = now_ms;
    }
    return count.ready == count.waiting || now_ms >= report->ready_since_ms + BATCH_WAIT_MS;
}

static void drain(struct control *control, uint64_t now_ms)
{
    struct report *report = &control->report;
    if (!quorum_view(control->quorum)->changing) {
        atomic_store(&control->node->moves.slots_waiting, 0);
        return;
    }
    if (report->paused_ms == 0 && !is_batch_due(control, now_ms)) {
        return;
    }
    if (report->paused_ms == 0) {
        report->paused_ms = now_ms;
    } else if (now_ms >= report->paused_ms + PAUSE_LIMIT_MS) {
        /* Whatever keeps the view from coming, clients shall not wait for it any longer. */
        report->paused_ms = 0;
        report->any_drained = false;
        report->rest_until_ms = now_ms + REST_MS;
        resume_all(control->node);
        return;
    }
    drain_slots(control);
}

/* ---- who holds up writes? ---- */

/* True if the peer has had something to acknowledge or to answer for some leases, and has not. */
static bool is_slow(struct control *control, struct peer *peer, uint64_t now_ms)
{
    struct node *node = control->node;
    struct peer_progress *progress = &control->report.progress[peer->index];
    uint64_t acked = 0;
    uint64_t backlog = 0;
    for (unsigned shard = 0; shard < node->worker_count; shard++) {
        const struct replica_stream *stream = atomic_load(&peer->streams[shard]);
        if (stream != NULL) {
            acked += atomic_load_explicit(&stream->acked, memory_order_relaxed);
            backlog += atomic_load_explicit(&stream->backlog_size, memory_order_relaxed);
        }
    }
    bool waits = backlog > 0 || take_waits_for(control->take, peer->index);
    if (!waits || acked != progress->acked || progress->since_ms == 0) {
        progress->since_ms = now_ms;
    }
    progress->acked = acked;
    return now_ms >=
           progress->since_ms + SLOW_LEASES * (uint64_t)quorum_view(control->quorum)->lease_ms;
}

/* True if writes wait for the peer: for one that is up they may at any time, for one that is
 * syncing once it has caught up somewhere. */
static bool is_waited_for(struct node *node, enum node_status status, uint16_t peer)
{
    bool waited_for = status == NODE_UP;
    for (unsigned i = 0; i < SLOT_COUNT && !waited_for && status == NODE_SYNCING; i++) {
        struct slot *slot = &node->slots[i];
        slot_lock(slot);
        for (unsigned j = 0; j < slot->copy.member_count; j++) {
            const struct copy_member *member = &slot->copy.members[j];
            waited_for = waited_for || (member->peer == peer && member->stage == MEMBER_ATTACHED);
        }
        slot_unlock(slot);
    }
    return waited_for;
}

static void find_slow(struct control *control, uint64_t now_ms)
{
    struct node *node = control->node;
    struct report *report = &control->report;
    if (now_ms < report->slow_at_ms) {
        return;
    }
    report->slow_at_ms = now_ms + SLOW_PERIOD_MS;
    report->slow_count = 0;
    const struct view *view = quorum_view(control->quorum);
    for (size_t i = 0; i < view->node_count; i++) {
        struct peer *peer = peers_find(node->peers, &view->nodes[i].id);
        if (peer != NULL && !node_id_equal(&peer->id, &node->id) &&
            is_slow(control, peer, now_ms) &&
            is_waited_for(node, view->nodes[i].status, peer->index) &&
            report->slow_count < REPORT_SLOW_MAX) {
            report->slow[report->slow_count++] = peer->id;
        }
    }
}

/* ---- all of it ---- */

void report_update(struct control *control, uint64_t now_ms)
{
    struct report *report = &control->report;
    look(control, now_ms);
    drain(control, now_ms);
    find_slow(control, now_ms);
    struct quorum_report told = {.complete_epoch = report->complete_epoch,
                                 .drained = report->any_drained ? report->drained : NULL,
                                 .slow = report->slow,
                                 .slow_count = report->slow_count,
                                 .leaving = atomic_load(&control->node->leaving)};
    if (quorum_set_report(control->quorum, &told) != TORC_OK) {
        log_warning(&control->node->log, "out of memory for a report");
    }
}

void report_view_changed(struct control *control)
{
    struct report *report = &control->report;
    report->look_at_ms = 0;
    report->any_drained = false;
    report->paused_ms = 0; /* the view has resumed every slot that stays */
    report->ready_since_ms = 0;
}
