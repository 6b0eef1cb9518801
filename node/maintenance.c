#include "node/maintenance.h"

#include "node/execute.h"
#include "node/worker.h"

#include <stdlib.h>
#include <time.h>

#define FREE_OBJECTS 10000        /* at a time: about a millisecond */
#define EVICTIONS_PER_WRITE 64    /* more at once would be felt by the client that triggers them */
#define EVICTION_SLOTS_SAMPLED 5  /* compared for one victim, as many as Redis samples keys */
#define SWEEP_KEYS_PER_SLOT 64    /* deleted under one slot's lock */
#define SWEEP_SLOTS_PER_TICK 4096 /* looked at; a look at a slot without work costs some 20 ns */
#define SWEEP_BUDGET_NS 1000000   /* of a tick's 10 ms: expiry takes at most a tenth of a core */

/* Expiry and eviction are writes like any other: the primary's, while it has a lease. Slot lock
 * held.
 */
static bool may_delete(const struct worker *worker, const struct slot *slot)
{
    return slot_serves(slot) && worker->has_lease;
}

/* Deletes the object and tells the replicas. Slot lock held, primary. */
static void delete_and_publish(struct worker *worker, struct slot *slot, struct keyspace *keys,
                               const struct object *object)
{
    struct bytes key = object_key(object);
    uint64_t hash = key_hash(key);
    if (slot->copy.member_count > 0) {
        struct bytes argv[] = {BYTES_LITERAL("DEL"), key};
        struct call call = {.effects = &worker->effects};
        call_effect(&call, 2, argv);
    }
    keyspace_delete(keys, key, hash);
    /* The key went with the object; what the members are told ends in it. */
    struct bytes told = buf_bytes(&worker->effects);
    struct bytes gone = {NULL, 0};
    if (told.size > key.size + 2) {
        gone = (struct bytes){told.data + told.size - 2 - key.size, key.size};
    }
    slot_publish(worker, slot, told, &gone, gone.size > 0);
    buf_reset(&worker->effects, WORKER_READ_BUFFER_SIZE);
}

/* The next slot from `from` on, round and round, that this node leads and that has keys; SLOT_COUNT
 * if there is none. */
static unsigned next_filled_slot(struct worker *worker, unsigned from)
{
    struct node *node = worker->node;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &node->slots[(from + i) % SLOT_COUNT];
        slot_lock(slot);
        bool filled = may_delete(worker, slot) && keyspace_count(slot_keys(slot)) > 0;
        slot_unlock(slot);
        if (filled) {
            return slot->copy.index;
        }
    }
    return SLOT_COUNT;
}

/* Evicts the best of what some slots chosen at random would drop; another worker may come first.
 * False: nothing may be dropped. */
static bool evict_one(struct worker *worker, enum eviction_policy policy)
{
    struct node *node = worker->node;
    struct slot *chosen = NULL;
    uint64_t chosen_idle_ms = 0;
    for (unsigned i = 0; i < EVICTION_SLOTS_SAMPLED; i++) {
        unsigned index = next_filled_slot(worker, (unsigned)prng_below(&worker->prng, SLOT_COUNT));
        if (index == SLOT_COUNT) {
            return false;
        }
        struct slot *slot = &node->slots[index];
        slot_lock(slot);
        const struct object *victim =
            may_delete(worker, slot)
                ? keyspace_evict_pick(slot_keys(slot), policy, worker->now_wall_ms, &worker->prng)
                : NULL;
        if (victim != NULL) {
            uint64_t idle_ms = object_idle_ms(victim, worker->now_wall_ms);
            if (chosen == NULL || idle_ms > chosen_idle_ms) {
                chosen = slot;
                chosen_idle_ms = idle_ms;
            }
        }
        slot_unlock(slot);
    }
    if (chosen == NULL) {
        return false;
    }
    slot_lock(chosen);
    struct object *victim =
        may_delete(worker, chosen)
            ? keyspace_evict_pick(slot_keys(chosen), policy, worker->now_wall_ms, &worker->prng)
            : NULL;
    if (victim != NULL) {
        delete_and_publish(worker, chosen, slot_keys(chosen), victim);
        stat_add(&worker->stats.evicted, 1);
    }
    slot_unlock(chosen);
    return true;
}

/* True while what this node leads fits its share of --memory: as of the last look at all slots, and
 * what has changed since but for the copies. */
static bool within_share(struct node *node, uint64_t limit)
{
    int64_t memory = (int64_t)node_memory(node);
    int64_t then = (int64_t)atomic_load_explicit(&node->led_seen_at_bytes, memory_order_relaxed);
    int64_t copied = atomic_load_explicit(&node->copied_since_bytes, memory_order_relaxed);
    int64_t led = (int64_t)atomic_load_explicit(&node->led_bytes, memory_order_relaxed);
    uint64_t share = atomic_load_explicit(&node->led_share_permille, memory_order_relaxed);
    return led + memory - then - copied < (int64_t)(limit / 1000 * share);
}

bool maintenance_make_room(struct worker *worker)
{
    struct node *node = worker->node;
    const struct config *config = &node->config;
    uint64_t limit = atomic_load_explicit(&config->memory_bytes_max, memory_order_relaxed);
    if (TORC_LIKELY(limit == 0) || within_share(node, limit)) {
        return true;
    }
    enum eviction_policy policy =
        (enum eviction_policy)atomic_load_explicit(&config->eviction, memory_order_relaxed);
    if (policy == EVICTION_NONE) {
        return false;
    }
    /* As long as there is something to evict the account comes down; refuse only when not. */
    bool possible = true;
    for (unsigned i = 0; i < EVICTIONS_PER_WRITE && possible && !within_share(node, limit); i++) {
        possible = evict_one(worker, policy);
    }
    return possible;
}

bool maintenance_free_some(struct node *node)
{
    bool more = store_free_some(node->store, FREE_OBJECTS);
    return store_free_some(node->incoming_store, FREE_OBJECTS) || more;
}

void maintenance_look_at_memory(struct node *node)
{
    uint64_t led = 0;
    uint64_t led_slots = 0;
    uint64_t copied_slots = 0;
    uint64_t memory = node_memory(node);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &node->slots[i];
        slot_lock(slot);
        led += slot->copy.role == COPY_PRIMARY ? keyspace_memory(slot_keys(slot)) : 0;
        led_slots += slot->copy.role == COPY_PRIMARY;
        copied_slots += slot->copy.role == COPY_FOLLOWER;
        slot_unlock(slot);
    }
    uint64_t all = led_slots + copied_slots;
    atomic_store_explicit(&node->led_bytes, led, memory_order_relaxed);
    atomic_store_explicit(&node->copied_since_bytes, 0, memory_order_relaxed);
    atomic_store_explicit(&node->led_seen_at_bytes, memory, memory_order_relaxed);
    atomic_store_explicit(&node->led_share_permille, all == 0 ? 1000 : led_slots * 1000 / all,
                          memory_order_relaxed);
}

struct sweep {
    struct worker *worker;
    struct slot *slot;
};

static void sweep_object(void *context, struct keyspace *keys, struct object *object)
{
    struct sweep *sweep = context;
    delete_and_publish(sweep->worker, sweep->slot, keys, object);
    stat_add(&sweep->worker->stats.expired, 1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void maintenance_sweep(struct worker *worker)
{
    struct node *node = worker->node;
    if (!node_has_expiries(node)) {
        return;
    }
    uint64_t started = now_ns();
    for (unsigned looked = 0; looked < SWEEP_SLOTS_PER_TICK; looked++) {
        unsigned slot_index = (worker->sweep_slot + node->worker_count) % SLOT_COUNT;
        /* Each worker keeps to the slots that are its own modulo the number of workers. */
        if (slot_index % node->worker_count != worker->index) {
            slot_index = worker->index;
        }
        worker->sweep_slot = (uint16_t)slot_index;
        struct slot *slot = &node->slots[slot_index];
        struct sweep sweep = {worker, slot};
        slot_lock(slot);
        uint64_t soonest = may_delete(worker, slot) ? keyspace_next_expiry_ms(slot_keys(slot)) : 0;
        if (soonest != 0 && soonest <= worker->now_wall_ms) {
            size_t found = keyspace_expired(slot_keys(slot), worker->now_wall_ms,
                                            SWEEP_KEYS_PER_SLOT, sweep_object, &sweep);
            if (found == SWEEP_KEYS_PER_SLOT && slot_index >= node->worker_count) {
                worker->sweep_slot = (uint16_t)(slot_index - node->worker_count);
            }
        }
        slot_unlock(slot);
        if (soonest != 0 && now_ns() - started > SWEEP_BUDGET_NS) {
            return;
        }
    }
}
