#include "node/refills.h"

#include "node/clock.h"
#include "node/node.h"
#include "node/worker.h"

#include <string.h>

#define SLICE_BYTES (64u * 1024)  /* of one slot under its lock */
#define ROUND_BYTES (256u * 1024) /* before clients are looked after again: half a millisecond */
#define ROUND_IDLE_MAX 512        /* slots in a row for which nothing is sent: likewise */

#define LOOK_US 10000        /* at those that wait for something else than bytes */
#define RATE_BURST_US 100000 /* what was not used is saved up for so long */
#define UNBOUNDED 1e18       /* bytes, without a rate */

/* With clients, a round is short, and followed by so many times its length without one. Where cores
 * are as busy as clients make them, all that migrates comes on top of it, at the receiver as well.
 */
#define ROUND_BYTES_ASKED (32u * 1024)
#define REST_FACTOR 45
#define REST_US_MAX 80000 /* however long it took: the process may have been stopped in it */
#define ASKED_US 50000    /* after a command */
#define BACKLOG_MAX_ASKED (48u * 1024)
#define BACKLOG_MAX (1024u * 1024)
#define STARVED_US 100000 /* without room, for clients' own writes fill the streams */

/* ---- sets of places ---- */

static bool set_has(const struct refill_set *set, uint32_t place)
{
    return (set->words[place / 64] >> place % 64 & 1) != 0;
}

static void set_put(struct refill_set *set, uint32_t place, bool in)
{
    if (set_has(set, place) != in) {
        set->words[place / 64] ^= UINT64_C(1) << place % 64;
        set->count = in ? set->count + 1 : set->count - 1;
    }
}

/* The first place of the set from `from` on, round and round. The set is not empty. */
static uint32_t set_next(const struct refill_set *set, uint32_t from)
{
    uint32_t at = from / 64 % (REFILL_PLACES / 64);
    uint64_t word = set->words[at] & ~UINT64_C(0) << from % 64;
    while (word == 0) {
        at = (at + 1) % (REFILL_PLACES / 64);
        word = set->words[at];
    }
    return at * 64 + (uint32_t)__builtin_ctzll(word);
}

static void set_fill(struct refill_set *set, uint32_t count)
{
    memset(set->words, 0, sizeof(set->words));
    memset(set->words, 0xff, count / 64 * sizeof(set->words[0]));
    if (count % 64 != 0) {
        set->words[count / 64] = (UINT64_C(1) << count % 64) - 1;
    }
    set->count = count;
}

void refills_mark(struct node *node, uint16_t slot)
{
    struct refills *refills = &node->workers[slot % node->worker_count]->refills;
    unsigned place = slot / node->worker_count;
    atomic_fetch_or(&refills->marked[place / 64], UINT64_C(1) << place % 64);
    atomic_store(&refills->marked_any, true);
}

/* ---- what may be sent ---- */

/* Counts what this worker's part of --migration-rate allows by now: in fractions, for it may be
 * less than a byte since the last time. */
static void count_allowance(struct worker *worker, uint64_t now_us)
{
    struct refills *refills = &worker->refills;
    double rate = (double)stat_read(&worker->node->config.migration_rate) /
                  (double)worker->node->worker_count;
    uint64_t passed_us = now_us - refills->allowed_us;
    passed_us = passed_us < RATE_BURST_US ? passed_us : RATE_BURST_US;
    double most = rate * RATE_BURST_US / 1e6 + 1;
    double allowance = refills->allowance + rate * (double)passed_us / 1e6;
    refills->allowance = rate == 0 ? UNBOUNDED : allowance < most ? allowance : most;
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

/* ---- going on ---- */

/* Goes on with one slot, with a slice of bytes if `may_send`. Returns how many were sent. */
static uint64_t step_slot(struct worker *worker, uint32_t place, bool may_send)
{
    struct refills *refills = &worker->refills;
    struct slot_rim *rim = &worker->rim;
    struct slot *slot = &worker->node->slots[place * worker->node->worker_count + worker->index];
    slot_lock(slot);
    bool served = slot_serves(slot);
    uint64_t bytes = rim->appended_bytes;
    uint64_t keys = rim->appended_keys;
    may_send = may_send && (refills->allowance > 0 || !served);
    bool taken_over = slot->copy.role != COPY_PRIMARY || slot->copy.stage >= COPY_JOINING;
    bool pending = copy_step(&slot->copy, &rim->copies, may_send ? SLICE_BYTES : 0) || !taken_over;
    bool urgent = pending && copy_is_urgent(&slot->copy);
    bool waiting = pending && (!taken_over || copy_awaits(&slot->copy));
    uint16_t lacking = pending && !waiting ? copy_lacking(&slot->copy) : COPY_PEER_NONE;
    if (!served && slot_serves(slot)) {
        atomic_store(&worker->view_came, true); /* somebody may have waited for this */
        moves_note_taken(&worker->node->moves, clock_monotonic_us());
    }
    slot_unlock(slot);
    set_put(&refills->pending, place, pending);
    set_put(&refills->urgent, place, urgent);
    set_put(&refills->waiting, place, waiting);
    refills->lacking[place] = lacking;
    bytes = rim->appended_bytes - bytes;
    if (bytes > 0) {
        stat_add(&worker->stats.refill_bytes, bytes);
        stat_add(&worker->stats.refill_keys, rim->appended_keys - keys);
        refills->allowance -= (double)bytes;
    } else if (may_send && lacking != COPY_PEER_NONE) {
        refills->without_room[lacking / 64] |= UINT64_C(1) << lacking % 64;
    }
    return bytes;
}

/* Whether members have acknowledged what they wait for, and which slots are urgent. */
static void look_at(struct worker *worker, const struct refill_set *set)
{
    for (uint32_t i = 0; set->count > 0 && i < REFILL_PLACES / 64; i++) {
        for (uint64_t left = set->words[i]; left != 0; left &= left - 1) {
            (void)step_slot(worker, i * 64 + (uint32_t)__builtin_ctzll(left), false);
        }
    }
}

static void look_at_marked(struct worker *worker)
{
    for (uint32_t i = 0; i < REFILL_PLACES / 64; i++) {
        for (uint64_t left = atomic_exchange(&worker->refills.marked[i], 0); left != 0;
             left &= left - 1) {
            (void)step_slot(worker, i * 64 + (uint32_t)__builtin_ctzll(left), false);
        }
    }
}

/* Slots that may have members to attach, says somebody else. True if there were any. */
static bool take_in(struct worker *worker)
{
    struct refills *refills = &worker->refills;
    bool due = atomic_exchange(&refills->due, false);
    bool marked = atomic_exchange(&refills->marked_any, false);
    if (due) {
        unsigned workers = worker->node->worker_count;
        set_fill(&refills->pending, (SLOT_COUNT - worker->index + workers - 1) / workers);
        look_at(worker, &refills->pending);
    } else if (marked) {
        look_at_marked(worker);
    }
    return due || marked;
}

/* Nothing can be sent for the slot in this round: others have shown that. */
static bool has_no_room(const struct refills *refills, uint32_t place)
{
    uint16_t peer = refills->lacking[place];
    return peer != COPY_PEER_NONE && (refills->without_room[peer / 64] >> peer % 64 & 1) != 0;
}

static bool has_turn(const struct refill_set *set)
{
    return set->idle < set->count;
}

/* Sends what the slots of a set need, one after the other, each until it is done or its streams are
 * full. Returns how many bytes; about `limit` at most. */
static uint64_t send_some(struct worker *worker, struct refill_set *set, uint64_t limit)
{
    struct refills *refills = &worker->refills;
    uint64_t sent = 0;
    uint32_t idle = 0; /* of this call */
    memset(refills->without_room, 0, sizeof(refills->without_room));
    while (has_turn(set) && sent < limit && idle < ROUND_IDLE_MAX) {
        uint32_t place = set_next(set, set->place);
        if (has_no_room(refills, place)) {
            set->idle++;
            set->place = (place + 1) % REFILL_PLACES;
            continue;
        }
        uint64_t bytes = step_slot(worker, place, true);
        sent += bytes;
        idle = bytes > 0 ? 0 : idle + 1;
        set->idle = bytes > 0 ? 0 : set->idle + 1;
        bool goes_on = bytes > 0 && set_has(&refills->urgent, place);
        set->place = goes_on ? place : (place + 1) % REFILL_PLACES;
    }
    return sent;
}

void refills_step(struct worker *worker)
{
    struct refills *refills = &worker->refills;
    refills->again = false;
    if (!refills_wanted(refills)) {
        return;
    }
    uint64_t now_us = clock_monotonic_us();
    bool looks = take_in(worker);
    if (looks) {
        refills->sent_us = now_us;
    }
    count_allowance(worker, now_us);
    bool asked = is_asked(worker, now_us);
    bool may_begin = refills->allowance > 0 && !(asked && now_us < refills->rest_until_us);
    if (now_us >= refills->look_at_us || atomic_load(&worker->view_came)) {
        look_at(worker, &refills->waiting);
        refills->look_at_us = now_us + LOOK_US;
        looks = true;
    }
    if (looks || worker->acks_arrived) {
        refills->urgent.idle = refills->pending.idle = 0;
    }
    uint64_t limit = asked ? ROUND_BYTES_ASKED : ROUND_BYTES;
    uint64_t sent = send_some(worker, &refills->urgent, limit);
    if (may_begin && sent < limit) {
        refills->holds_back = asked && now_us < refills->sent_us + STARVED_US;
        sent += send_some(worker, &refills->pending, limit - sent);
        refills->holds_back = false;
    }
    if (sent > 0) {
        refills->sent_us = clock_monotonic_us();
        uint64_t rest_us = (refills->sent_us - now_us) * REST_FACTOR;
        refills->rest_until_us = refills->sent_us + (rest_us < REST_US_MAX ? rest_us : REST_US_MAX);
    }
    atomic_store_explicit(&refills->left, refills->pending.count, memory_order_relaxed);
    refills->again = has_turn(&refills->urgent) ||
                     (has_turn(&refills->pending) && (!asked || sent == 0) && may_begin);
}
