#include "node/refills.h"

#include "node/clock.h"
#include "node/node.h"
#include "node/worker.h"

#include <string.h>

#define SLICE_BYTES (64u * 1024)  /* of one slot under its lock */
#define IDLE_SLOTS_MAX 64         /* in a row, after others: the streams are full */
#define ROUND_BYTES (256u * 1024) /* before clients are looked after again: half a millisecond */

#define LOOK_US 50000        /* at members that need no bytes, while none may be sent */
#define STUCK_LOOK_US 10000  /* at all, while streams are full and nothing is acknowledged */
#define RATE_BURST_US 100000 /* what was not used is saved up for so long */

/* With clients, a round is followed by so many times its length without one. Where cores are as
 * busy as clients make them, all that migrates comes on top of it, at the receiver as well. */
#define REST_FACTOR 14
#define ASKED_US 50000 /* after a command */
#define BACKLOG_MAX_ASKED (128u * 1024)
#define BACKLOG_MAX (1024u * 1024)

/* Counts what this worker's part of --migration-rate allows by now. */
static void count_allowance(struct worker *worker, uint64_t now_us)
{
    struct refills *refills = &worker->refills;
    uint64_t rate = stat_read(&worker->node->config.migration_rate) / worker->node->worker_count;
    uint64_t passed_us = now_us - refills->allowed_us;
    passed_us = passed_us < RATE_BURST_US ? passed_us : RATE_BURST_US;
    int64_t most = (int64_t)(rate / (1000000 / RATE_BURST_US)) + 1;
    int64_t allowance = refills->allowance + (int64_t)((double)rate * (double)passed_us / 1e6);
    refills->allowance = rate == 0 ? INT64_MAX / 2 : allowance < most ? allowance : most;
    refills->allowed_us = now_us;
}

static bool is_asked(struct worker *worker, uint64_t now_us)
{
    struct refills *refills = &worker->refills;
    uint64_t commands =
        stat_read(&worker->stats.commands) + stat_read(&worker->stats.commands_from_peers);
    if (commands != refills->commands_seen) {
        refills->commands_seen = commands;
        refills->asked_until_us = now_us + ASKED_US;
    }
    return now_us < refills->asked_until_us;
}

size_t refills_backlog_max(const struct worker *worker)
{
    return worker != NULL && worker->refills.holds_back ? BACKLOG_MAX_ASKED : BACKLOG_MAX;
}

/* True if the slot has members that are still to be attached. */
static bool step_slot(struct worker *worker, struct slot *slot)
{
    struct slot_rim *rim = &worker->rim;
    slot_lock(slot);
    bool served = slot_serves(slot);
    uint64_t bytes = rim->appended_bytes;
    uint64_t keys = rim->appended_keys;
    bool pending = slot->copy.role == COPY_PRIMARY &&
                   copy_step(&slot->copy, &rim->copies, worker->refills.may_send ? SLICE_BYTES : 0);
    if (!served && slot_serves(slot)) {
        atomic_store(&worker->view_came, true); /* somebody may have waited for this */
        moves_note_taken(&worker->node->moves, clock_monotonic_us());
    }
    slot_unlock(slot);
    bytes = rim->appended_bytes - bytes;
    if (bytes > 0) {
        stat_add(&worker->stats.refill_bytes, bytes);
        stat_add(&worker->stats.refill_keys, rim->appended_keys - keys);
        worker->refills.allowance -= (int64_t)bytes;
        worker->refills.may_send = worker->refills.allowance > 0;
    }
    return pending;
}

/* The place of the next pending slot from `from` on, round and round; REFILL_PLACES if there is
 * none. */
static uint32_t next_pending(const struct refills *refills, uint32_t from)
{
    const uint64_t *words = refills->pending;
    uint64_t word = words[from / 64] & ~UINT64_C(0) << from % 64;
    for (uint32_t i = 0; i <= REFILL_PLACES / 64; i++) {
        uint32_t at = (from / 64 + i) % (REFILL_PLACES / 64);
        word = i == 0 ? word : words[at];
        if (word != 0) {
            return at * 64 + (uint32_t)__builtin_ctzll(word);
        }
    }
    return REFILL_PLACES;
}

/* Goes on with the pending slots, as far as there is room in the streams. */
static void step_pending(struct worker *worker)
{
    struct refills *refills = &worker->refills;
    struct node *node = worker->node;
    const uint64_t begin = worker->rim.appended_bytes;
    uint32_t first_pending = REFILL_PLACES;
    uint32_t idle = 0; /* slots in a row for which nothing was sent */
    uint32_t at = next_pending(refills, refills->place);
    while (at < REFILL_PLACES) {
        uint64_t before = worker->rim.appended_bytes;
        uint32_t index = at * node->worker_count + worker->index;
        if (index < SLOT_COUNT && step_slot(worker, &node->slots[index])) {
            first_pending = first_pending < REFILL_PLACES ? first_pending : at;
        } else {
            refills->pending[at / 64] &= ~(UINT64_C(1) << at % 64);
        }
        at = next_pending(refills, (at + 1) % REFILL_PLACES);
        uint64_t now = worker->rim.appended_bytes;
        idle = now == before ? idle + 1 : 0;
        bool full = now - begin >= SLICE_BYTES && idle >= IDLE_SLOTS_MAX;
        if (now - begin >= ROUND_BYTES || full || at == first_pending) {
            break;
        }
    }
    refills->place = first_pending < REFILL_PLACES ? first_pending : at % REFILL_PLACES;
    refills->go_on = at < REFILL_PLACES; /* at the next acknowledgement, or tick */
}

void refills_step(struct worker *worker)
{
    struct refills *refills = &worker->refills;
    bool due = atomic_exchange(&refills->due, false);
    if (due) {
        memset(refills->pending, 0xff, sizeof(refills->pending));
        refills->go_on = true;
    }
    if (!refills->go_on) {
        return;
    }
    uint64_t now_us = clock_monotonic_us();
    count_allowance(worker, now_us);
    bool asked = is_asked(worker, now_us);
    bool rests = asked && now_us < refills->rest_until_us;
    refills->may_send = refills->allowance > 0 && !rests;
    bool waits = refills->may_send ? refills->stuck && !worker->acks_arrived : true;
    if (waits && now_us < refills->look_at_us && !due && !atomic_load(&worker->view_came)) {
        return;
    }
    uint64_t sent = worker->rim.appended_bytes;
    refills->look_at_us = now_us + (refills->may_send ? STUCK_LOOK_US : LOOK_US);
    refills->holds_back = asked;
    step_pending(worker);
    refills->holds_back = false;
    refills->stuck = worker->rim.appended_bytes == sent;
    if (!refills->stuck) {
        uint64_t end_us = clock_monotonic_us();
        refills->rest_until_us = end_us + (end_us - now_us) * REST_FACTOR;
    }
}
