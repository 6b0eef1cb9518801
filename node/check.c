#include "node/check.h"

#include "base/error.h"
#include "node/clock.h"
#include "node/node.h"
#include "node/peers.h"
#include "node/worker.h"

#include <string.h>

#define STEP_US 250              /* of a worker in a tick of 10 ms */
#define RANGE_BYTES (16u * 1024) /* of a slot under its lock: some hundred small keys */
#define ACKS_LIMIT_MS 10000      /* a replica that nobody waits for may be out of reach */
#define RUN_SHIFT 24             /* runs of one incarnation */
#define LOGGED_MAX 16            /* slots a run; TORC.CHECK STATUS has them all */

void check_init(struct check *check)
{
    memset(check, 0, sizeof(*check));
    pthread_mutex_init(&check->lock, NULL);
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        check->differing_from[slot] = CHECK_PEER_NONE;
    }
}

void check_deinit(struct check *check)
{
    pthread_mutex_destroy(&check->lock);
}

bool check_is_running(const struct check *check)
{
    return atomic_load(&check->workers_left) > 0;
}

/* ---- beginning ---- */

static uint64_t note_led_slots(struct node *node)
{
    struct check *check = &node->check;
    uint64_t count = 0;
    memset(check->led, 0, sizeof(check->led));
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        slot_lock(&node->slots[i]);
        bool led = node->slots[i].copy.role == COPY_PRIMARY;
        slot_unlock(&node->slots[i]);
        check->led[i / 8] |= (uint8_t)(led << (i % 8));
        count += led;
    }
    return count;
}

int check_start(struct node *node, uint64_t *run)
{
    struct check *check = &node->check;
    int result = TORC_EAGAIN;
    pthread_mutex_lock(&check->lock);
    if (!check_is_running(check)) {
        result = TORC_OK;
        atomic_store(&check->slots_to_check, note_led_slots(node));
        atomic_store(&check->slots_checked, 0);
        atomic_store(&check->slots_gone, 0);
        atomic_store(&check->ranges_sent, 0);
        atomic_store(&check->ranges_unsent, 0);
        atomic_store(&check->workers_left, node->worker_count);
        atomic_store(&check->run, node->incarnation << RUN_SHIFT | ++check->run_count);
    }
    *run = atomic_load(&check->run);
    pthread_mutex_unlock(&check->lock);
    for (unsigned i = 0; i < node->worker_count && result == TORC_OK; i++) {
        worker_wake(node->workers[i]); /* so that it ticks more often */
    }
    return result;
}

/* ---- a worker's part ---- */

bool check_is_due(const struct worker *worker)
{
    return atomic_load_explicit(&worker->node->check.run, memory_order_acquire) !=
           worker->check.ended;
}

static enum copy_check_result step_slot(struct worker *worker)
{
    struct check *check = &worker->node->check;
    struct check_walk *walk = &worker->check;
    struct slot *slot = &worker->node->slots[walk->slot];
    struct copy_check before = walk->copy;
    slot_lock(slot);
    enum copy_check_result result =
        copy_check(&slot->copy, &worker->rim.copies, &walk->copy, RANGE_BYTES);
    slot_unlock(slot);
    uint64_t sent = walk->copy.sent - before.sent;
    atomic_fetch_add(&check->ranges_sent, sent);
    atomic_fetch_add(&check->ranges_unsent, walk->copy.unsent - before.unsent);
    stat_add(&worker->stats.check_ranges_sent, sent);
    return result;
}

/* True if that was the last slot. */
static bool walk_slots(struct worker *worker)
{
    struct check *check = &worker->node->check;
    struct check_walk *walk = &worker->check;
    uint64_t until_us = clock_monotonic_us() + STEP_US;
    while (walk->slot < SLOT_COUNT) {
        bool led = (check->led[walk->slot / 8] >> (walk->slot % 8) & 1) != 0;
        enum copy_check_result result = led ? step_slot(worker) : COPY_CHECK_DONE;
        if (result == COPY_CHECK_LATER) {
            return false;
        }
        if (result != COPY_CHECK_MORE) {
            atomic_fetch_add(&check->slots_checked, led && result == COPY_CHECK_DONE);
            atomic_fetch_add(&check->slots_gone, result == COPY_CHECK_GONE);
            walk->slot += worker->node->worker_count;
            walk->copy.place = (struct op_place){0};
        }
        if (led && clock_monotonic_us() >= until_us) {
            break;
        }
    }
    return walk->slot >= SLOT_COUNT;
}

/* Everybody has seen the last check. A stream that has ended is waited for by nobody. */
static bool all_acknowledged(const struct worker *worker)
{
    struct peers *peers = worker->node->peers;
    size_t count = atomic_load_explicit(&peers->count, memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
        const struct replica_stream *stream =
            atomic_load(&peers_at(peers, (uint16_t)i)->streams[worker->index]);
        if (stream != NULL && !atomic_load(&stream->closing) &&
            atomic_load_explicit(&stream->acked, memory_order_acquire) < stream->checked) {
            return false;
        }
    }
    return true;
}

void check_step(struct worker *worker, uint64_t now_ms)
{
    struct check *check = &worker->node->check;
    struct check_walk *walk = &worker->check;
    if (!check_is_due(worker)) {
        return;
    }
    uint64_t run = atomic_load(&check->run);
    if (walk->begun != run) {
        *walk = (struct check_walk){
            .begun = run, .ended = walk->ended, .slot = worker->index, .copy = {.run = run}};
    }
    if (walk->acks_until_ms == 0 && walk_slots(worker)) {
        walk->acks_until_ms = now_ms + ACKS_LIMIT_MS;
    }
    if (walk->acks_until_ms != 0 && (all_acknowledged(worker) || now_ms >= walk->acks_until_ms)) {
        walk->ended = run;
        atomic_fetch_sub(&check->workers_left, 1);
    }
}

/* ---- a replica's part ---- */

/* Lock held. A newer run of the peer: what was found before counts no more. */
static void begin_received(struct check *check, uint16_t peer, uint64_t run)
{
    check->received[peer] = (struct check_received){.run = run};
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        if (check->differing_from[slot] == peer) {
            check->differing_from[slot] = CHECK_PEER_NONE;
        }
    }
}

/* Lock held. True if that is to be logged. */
static bool note_difference(struct check *check, uint16_t peer, uint16_t slot)
{
    check->received[peer].differing++;
    if (check->differing_from[slot] == peer) {
        return false;
    }
    check->differing_from[slot] = peer;
    return check->received[peer].logged++ < LOGGED_MAX;
}

void check_note(struct worker *worker, const struct peer *peer, const struct op *op,
                enum copy_verdict verdict)
{
    struct check *check = &worker->node->check;
    struct check_received *received = &check->received[peer->index];
    uint64_t run;
    struct op_range range;
    bool log = false;
    if (op_decode_check(op->payload, &run, &range) != TORC_OK) {
        return; /* then there is no such verdict */
    }
    pthread_mutex_lock(&check->lock);
    if (run > received->run) {
        begin_received(check, peer->index, run);
    }
    if (run == received->run) {
        received->compared += verdict != COPY_PASSED;
        received->passed += verdict == COPY_PASSED;
        log = verdict == COPY_DIFFERS && note_difference(check, peer->index, op->slot);
    }
    pthread_mutex_unlock(&check->lock);
    stat_add(&worker->stats.check_ranges_compared, verdict != COPY_PASSED);
    stat_add(&worker->stats.check_ranges_differing, verdict == COPY_DIFFERS);
    if (log) {
        char id[NODE_ID_TEXT_SIZE];
        node_id_format(&peer->id, id);
        log_error(&worker->node->log, "slot %u is not what its primary %.8s has (check %llu)",
                  op->slot, id, (unsigned long long)run);
    }
}
