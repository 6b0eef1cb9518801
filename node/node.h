/*
 * One node: what its threads share. Each field group says who may touch it.
 */
#ifndef TORC_NODE_NODE_H
#define TORC_NODE_NODE_H

#include "base/log.h"
#include "node/check.h"
#include "node/command.h"
#include "node/config.h"
#include "node/moves.h"
#include "node/session.h"
#include "node/slots.h"
#include "node/store/store.h"
#include "node/tracking.h"
#include "ring/gossip.h"
#include "ring/view.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct cluster_text;
struct control;
struct peers;
struct worker;

/* Counters of one worker; written by it alone, read by INFO: relaxed. */
struct worker_stats {
    _Atomic uint64_t connections_accepted, connections_rejected;
    _Atomic uint64_t commands, commands_proxied, commands_from_peers;
    _Atomic uint64_t bytes_in, bytes_out;
    _Atomic uint64_t hits, misses;
    _Atomic uint64_t expired, evicted, compacted;
    _Atomic uint64_t error_replies, protocol_errors, moved_replies;
    _Atomic uint64_t effects_sent, effects_applied, effects_refused;
    _Atomic uint64_t refill_bytes, refill_keys; /* sent of slots that move or are refilled */
    _Atomic uint64_t check_ranges_sent, check_ranges_compared, check_ranges_differing;
};

/* One writer each, so an add needs no locked instruction. */
static inline void stat_add(_Atomic uint64_t *counter, uint64_t amount)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}
static inline uint64_t stat_read(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* See memory_watch. */
struct memory_watch {
    uint64_t moved_before; /* keys, at the beginning of the round of compaction under way */
    unsigned looks, pause, rounds;
};

struct node {
    /* constant after start */
    struct config config; /* but for its atomics */
    struct log log;
    struct node_id id;
    uint64_t incarnation;
    char announce[HOST_SIZE_MAX + 1];
    struct command_table *commands;
    struct store *store;
    struct store *incoming_store; /* where refills build copies: see slots.h */
    struct worker **workers;
    unsigned worker_count;
    struct control *control;
    uint64_t started_ms; /* wall clock */

    /* own locks inside */
    struct session_registry sessions;
    struct peers *peers;
    struct slot *slots; /* SLOT_COUNT of them */
    struct moves moves;
    struct check check;
    struct tracking tracking;
    struct cluster_text *cluster_text; /* see commands/cluster_text.h */

    /* worker 0 */
    struct memory_watch memory_watch;

    /* view_lock for the pointer; the view itself is immutable */
    pthread_mutex_t view_lock;
    const struct view *view; /* NULL until the node has joined or founded */
    _Atomic uint64_t epoch;  /* of it; 0 before */

    /* gossip_lock: the control thread drives it, workers read members */
    pthread_mutex_t gossip_lock;
    struct gossip *gossip; /* NULL until the node has joined or founded */

    /* any thread */
    _Atomic uint64_t pause_until_ms; /* CLIENT PAUSE; wall clock; 0 = not paused */
    _Atomic bool pause_writes_only;
    _Atomic bool stopping;
    _Atomic uint32_t blocked_clients;
    _Atomic uint32_t waiting_commands;      /* in the queues of its slots: see blocking.h */
    _Atomic uint64_t led_bytes;             /* of the slots it leads, at the last look */
    _Atomic uint64_t led_seen_at_bytes;     /* keys and values at that look */
    _Atomic int64_t copied_since_bytes;     /* growth since then of the slots it keeps copies of */
    _Atomic uint64_t led_share_permille;    /* of --memory, for the slots it leads */
    _Atomic bool compact_pressed;           /* keys are moved with ticks as short as they get */
    _Atomic uint64_t compact_budget_us;     /* of a worker's tick */
    _Atomic uint64_t memory_overhead;       /* resident bytes besides keys and values, averaged */
    _Atomic uint32_t operations_per_second; /* commands in the last second */
    _Atomic size_t unserved_slots;          /* that this node leads and has not taken over yet */
    /* The control thread writes these two. A reply leaves only before the lease ends, and only if
     * the term is that in which it was executed: it grows whenever the node may have been deposed.
     */
    _Atomic uint64_t lease_until_ms; /* clock_lease_ms */
    _Atomic uint64_t term;
    _Atomic bool leaving; /* hands its slots over, then stops */
};

/* The stores are two halves of one: a slot's keys are in either. Any thread. */
static inline size_t node_memory(const struct node *node)
{
    return store_memory(node->store) + store_memory(node->incoming_store) +
           store_eviction_memory(node->store);
}
static inline size_t node_key_count(const struct node *node)
{
    return store_key_count(node->store) + store_key_count(node->incoming_store);
}
static inline size_t node_expiry_count(const struct node *node)
{
    return store_expiry_count(node->store) + store_expiry_count(node->incoming_store);
}
static inline bool node_has_expiries(const struct node *node)
{
    return store_has_expiries(node->store) || store_has_expiries(node->incoming_store);
}

/* The present view, retained: release it after use. NULL before the node has joined. Any thread. */
const struct view *node_view(struct node *node);

/* Sums one counter over the workers: NODE_STAT(node, commands). */
uint64_t node_stat_sum(const struct node *node, size_t stats_offset);
#define NODE_STAT(node, field) node_stat_sum((node), offsetof(struct worker_stats, field))
/* Zeroes every counter (CONFIG RESETSTAT). */
void node_stats_reset(struct node *node);
/* The worker's node, session-independent: for handlers. */
struct node *worker_node(struct worker *worker);
unsigned worker_index(const struct worker *worker);
/* The command being executed writes so many replies more than one. */
void worker_expect_replies(struct worker *worker, unsigned more);
struct worker_stats *worker_stats(struct worker *worker);
/* Makes worker `index` look at kill_wanted and pauses soon. Any thread. */
void node_wake_worker(struct node *node, unsigned index);
/* Stops the node at once. Any thread. */
void node_stop(struct node *node);
/* Has the node hand over what it leads, then stop (SIGTERM, SHUTDOWN). Any thread. */
void node_leave(struct node *node);

#endif
