#include "node/memory.h"

#include "node/maintenance.h"
#include "node/worker.h"

/* For one write, so that its client does not feel it: evictions, and steps of some hundred
 * nanoseconds each. */
#define EVICTIONS_PER_WRITE 64
#define STEPS_PER_WRITE 1024

enum progress {
    PROGRESS_EVICTED,
    PROGRESS_STEP, /* nothing yet */
    PROGRESS_NONE, /* there is nothing that may be evicted */
};

static unsigned next_filled(const struct node *node, unsigned from)
{
    unsigned a = store_next_filled(node->store, from);
    unsigned b = store_next_filled(node->incoming_store, from);
    return a < b ? a : b;
}

/* Looks at some keys where the evictor's hand is. Others may be faster at the slot: then at none.
 */
static enum progress look(struct worker *worker)
{
    struct node *node = worker->node;
    struct evictor *evictor = &worker->evictor;
    unsigned index = next_filled(node, evictor_slot(evictor));
    if (index == SLOT_COUNT) {
        index = next_filled(node, 0);
    }
    /* All slots without a key that may go: half of them may be copies. */
    if (index == SLOT_COUNT || evictor->fruitless >= 2 * SLOT_COUNT) {
        evictor->fruitless = 0;
        return PROGRESS_NONE;
    }
    evictor_jump(evictor, index);
    struct slot *slot = &node->slots[index];
    slot_lock(slot);
    if (maintenance_may_delete(worker, slot)) {
        evictor_look(evictor, slot_keys(slot), worker->now_wall_ms);
    } else {
        evictor_skip(evictor);
    }
    slot_unlock(slot);
    return PROGRESS_STEP;
}

/* Deletes the best of what was looked at, if it is still that. */
static enum progress take(struct worker *worker)
{
    struct node *node = worker->node;
    struct evictor *evictor = &worker->evictor;
    struct slot *slot = &node->slots[evictor_choose(evictor, node->store, worker->now_wall_ms)];
    slot_lock(slot);
    const struct object *victim = maintenance_may_delete(worker, slot)
                                      ? evictor_claim(evictor, slot_keys(slot), worker->now_wall_ms)
                                      : NULL;
    if (victim != NULL) {
        maintenance_delete(worker, slot, victim);
        stat_add(&worker->stats.evicted, 1);
    }
    slot_unlock(slot);
    if (evictor_due(evictor, node->store)) {
        uint64_t led = atomic_load_explicit(&node->led_share_permille, memory_order_relaxed);
        store_fit_eviction(node->store, node_key_count(node) * led / 1000);
    }
    return victim != NULL ? PROGRESS_EVICTED : PROGRESS_STEP;
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

bool memory_make_room(struct worker *worker)
{
    struct node *node = worker->node;
    const struct config *config = &node->config;
    uint64_t limit = atomic_load_explicit(&config->memory_bytes_max, memory_order_relaxed);
    if (TORC_LIKELY(limit == 0) || within_share(node, limit)) {
        return true;
    }
    enum eviction_policy policy =
        (enum eviction_policy)atomic_load_explicit(&config->eviction, memory_order_relaxed);
    if (policy == EVICTION_NONE || (eviction_only_volatile(policy) && !node_has_expiries(node))) {
        return false;
    }
    struct evictor *evictor = &worker->evictor;
    evictor_begin(evictor, policy);
    unsigned evicted = 0;
    for (unsigned i = 0; i < STEPS_PER_WRITE && evicted < EVICTIONS_PER_WRITE; i++) {
        enum progress progress = evictor_must_look(evictor) ? look(worker) : take(worker);
        if (progress == PROGRESS_NONE) {
            return false;
        }
        if (progress == PROGRESS_EVICTED) {
            evicted++;
            if (within_share(node, limit)) {
                break;
            }
            evictor_begin(evictor, policy);
        }
    }
    /* As long as there is something to evict the account comes down; refuse only when not. */
    return true;
}

void memory_take_stock(struct node *node)
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

void memory_follow_config(struct node *node)
{
    const struct config *config = &node->config;
    bool limited = atomic_load_explicit(&config->memory_bytes_max, memory_order_relaxed) != 0;
    int policy = atomic_load_explicit(&config->eviction, memory_order_relaxed);
    store_set_eviction(node->store, (enum eviction_policy)policy, limited);
}
