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

#define WELL_PERIOD_MS 1000 /* once all is well */
#define LOOK_PERIOD_MS 10   /* while something is to come; more if a look takes long, */
#define LOOK_PERIOD_MS_MAX 100
#define LOOK_TIME_PART 50     /* so that it takes one part in so many of the time */
#define REFILLING_REST_MS 200 /* as long as it is not to be expected that all slots may move */
#define BATCH_WAIT_MS 4000    /* for which slots that may move wait for others */
#define SLOW_PERIOD_MS 100
#define SLOW_LEASES 2 /* not acknowledged: TCP may need more than one under heavy loss */

/* How long to wait after a look at all slots. */
static uint64_t rest_after(uint64_t began_us)
{
    uint64_t rest_ms = (clock_monotonic_us() - began_us) * LOOK_TIME_PART / 1000;
    rest_ms = rest_ms < LOOK_PERIOD_MS ? LOOK_PERIOD_MS : rest_ms;
    return rest_ms < LOOK_PERIOD_MS_MAX ? rest_ms : LOOK_PERIOD_MS_MAX;
}

/* ---- has the view been carried out? ---- */

static void look(struct control *control, uint64_t now_ms)
{
    struct node *node = control->node;
    struct report *report = &control->report;
    uint64_t epoch = atomic_load(&node->epoch);
    bool complete = report->complete_epoch == epoch;
    if (now_ms < report->look_at_ms) {
        return;
    }
    uint64_t began_us = clock_monotonic_us();
    struct roles_state state = roles_look(node);
    report->look_at_ms = now_ms + rest_after(began_us);
    atomic_store(&node->unserved_slots, state.unserved);
    if (complete && state.unready > 0) {
        report->complete_epoch = 0; /* a replica lost its place in a stream */
        for (unsigned i = 0; i < node->worker_count; i++) {
            atomic_store(&node->workers[i]->refills.due, true);
        }
    } else if (!complete && state.unready == 0) {
        report->complete_epoch = epoch;
        atomic_store(&control->ready_epoch, epoch);
        log_info(&node->log, "view %llu is carried out", (unsigned long long)epoch);
    }
    if (report->complete_epoch == epoch) {
        report->look_at_ms = now_ms + WELL_PERIOD_MS;
    }
}

/* ---- which slots may move? ---- */

struct move_count {
    uint32_t waiting; /* slots that are still to move */
    uint32_t ready;   /* whose new owners have caught up */
};

static struct move_count look_at_moves(struct control *control)
{
    struct move_count count = {0};
    uint8_t *ready = control->report.ready;
    memset(ready, 0, sizeof(control->report.ready));
    for (unsigned i = 0; i < SLOT_COUNT / 64; i++) {
        for (uint64_t left = control->node->moves.movable[i]; left != 0; left &= left - 1) {
            unsigned at = i * 64 + (unsigned)__builtin_ctzll(left);
            struct slot *slot = &control->node->slots[at];
            slot_lock(slot);
            bool can_move = copy_can_move(&slot->copy, &control->rim.copies);
            slot_unlock(slot);
            ready[at / 8] |= (uint8_t)(can_move << (at % 8));
            count.ready += can_move;
            count.waiting++;
        }
    }
    return count;
}

/* True while workers have slots for which something is still to be sent, or to be waited for. */
static bool is_refilling(const struct node *node)
{
    uint32_t left = 0;
    for (unsigned i = 0; i < node->worker_count; i++) {
        left |= atomic_load_explicit(&node->workers[i]->refills.left, memory_order_relaxed);
    }
    return left > 0;
}

/* Says which slots may move. Each view costs every node some milliseconds, so those that are ready
 * wait for a while for others to go along. */
static void update_moves(struct control *control, uint64_t now_ms)
{
    struct report *report = &control->report;
    if (!quorum_view(control->quorum)->changing) {
        atomic_store(&control->node->moves.slots_waiting, 0);
        report->any_ready = false;
        return;
    }
    uint64_t due_ms = report->moves_at_ms + (is_refilling(control->node) ? REFILLING_REST_MS : 0);
    if (now_ms < due_ms) {
        return;
    }
    uint64_t began_us = clock_monotonic_us();
    struct move_count count = look_at_moves(control);
    report->moves_at_ms = now_ms + rest_after(began_us);
    atomic_store(&control->node->moves.slots_waiting, count.waiting);
    if (count.ready == 0 || report->ready_since_ms == 0) {
        report->ready_since_ms = count.ready == 0 ? 0 : now_ms;
    }
    report->any_ready = count.ready > 0 && (count.ready == count.waiting ||
                                            now_ms >= report->ready_since_ms + BATCH_WAIT_MS);
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
    update_moves(control, now_ms);
    find_slow(control, now_ms);
    struct quorum_report told = {.complete_epoch = report->complete_epoch,
                                 .ready = report->any_ready ? report->ready : NULL,
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
    report->any_ready = false;
    report->moves_at_ms = 0;
    report->ready_since_ms = 0;
}
