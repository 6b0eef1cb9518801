#include "node/memory.h"

#include "node/allocator.h"
#include "node/clock.h"
#include "node/freeing.h"
#include "node/maintenance.h"
#include "node/worker.h"

#include <stdio.h>
#include <unistd.h>

/* For one write, so that its client does not feel it: evictions, and steps of some hundred
 * nanoseconds each. */
#define EVICTIONS_PER_WRITE 64
#define STEPS_PER_WRITE 1024

/* Of --memory, what keys and values have in any case, whatever the rest of the process takes. */
#define DATA_SHARE_MIN 8 /* an eighth */
/* What the process takes besides is averaged over so many looks, some two seconds: what is freed
 * goes back to the system within that time, and must not look like something that more evictions
 * help against. */
#define OVERHEAD_LOOKS 16
#define OVERHEAD_LOOKS_OVER 4 /* while it takes more than so many percent of what it may */
#define OVER_PERCENT 104
#define NEAR_PERCENT 90     /* of --memory, from which on it is looked at more closely */
#define PRESSED_PERCENT 101 /* from which on keys are moved in haste */

/* Unused bytes in the allocator's pages, in percent of the used ones, from which keys are moved
 * together; and a number of bytes that is not worth it. */
#define COMPACT_PERCENT 8
#define COMPACT_BYTES_MIN (8u * 1024 * 1024)
#define COMPACT_LOOKS 10          /* between two looks at the allocator's statistics */
#define COMPACT_PAUSE 300         /* looks, after a round that has not helped */
#define COMPACT_BUDGET_US 500     /* of a tick's 10 ms */
#define COMPACT_URGENT_PERCENT 20 /* unused, from which on it may take more */
#define COMPACT_URGENT_US 900
#define COMPACT_PRESSED_US 350 /* of a tick of 0.75 ms, while --memory is exceeded */

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

/* Of --memory, what is left for keys and values. */
static uint64_t data_limit(const struct node *node, uint64_t limit)
{
    uint64_t overhead = atomic_load_explicit(&node->memory_overhead, memory_order_relaxed);
    uint64_t least = limit / DATA_SHARE_MIN;
    return limit > least + overhead ? limit - overhead : least;
}

bool memory_is_short(const struct node *node)
{
    uint64_t limit = atomic_load_explicit(&node->config.memory_bytes_max, memory_order_relaxed);
    return limit != 0 && node_memory(node) > data_limit(node, limit);
}

/* Keys and values, without what is taken out of them already and waits to be freed. */
static int64_t kept_memory(const struct node *node)
{
    return (int64_t)node_memory(node) - (int64_t)node_freeing(node);
}

/* Bytes by which what this node leads exceeds its share of --memory: as of the last look at all
 * slots, and what has changed since but for the copies. */
static int64_t above_share(struct node *node, uint64_t limit)
{
    int64_t memory = kept_memory(node);
    int64_t then = (int64_t)atomic_load_explicit(&node->led_seen_at_bytes, memory_order_relaxed);
    int64_t copied = atomic_load_explicit(&node->copied_since_bytes, memory_order_relaxed);
    int64_t led = (int64_t)atomic_load_explicit(&node->led_bytes, memory_order_relaxed);
    uint64_t share = atomic_load_explicit(&node->led_share_permille, memory_order_relaxed);
    return led + memory - then - copied - (int64_t)(data_limit(node, limit) / 1000 * share);
}

/* Moves what is sparse among about a thousand keys; false if there is no more to do. */
static bool compact_some(struct worker *worker)
{
    struct node *node = worker->node;
    if (!atomic_load_explicit(&worker->compacting, memory_order_relaxed)) {
        return false;
    }
    struct slot *slot = &node->slots[worker->compact_slot];
    size_t moved = 0;
    slot_lock(slot);
    worker->compact_cursor = keyspace_compact(slot_keys(slot), worker->compact_cursor, &moved);
    slot_unlock(slot);
    stat_add(&worker->stats.compacted, moved);
    if (worker->compact_cursor == 0) {
        worker->compact_slot += node->worker_count;
    }
    if (worker->compact_slot >= SLOT_COUNT) {
        worker->compact_slot = worker->index;
        atomic_store_explicit(&worker->compacting, false, memory_order_relaxed);
    }
    return true;
}

bool memory_make_room(struct worker *worker)
{
    struct node *node = worker->node;
    const struct config *config = &node->config;
    uint64_t limit = atomic_load_explicit(&config->memory_bytes_max, memory_order_relaxed);
    if (TORC_LIKELY(limit == 0)) {
        return true;
    }
    int64_t above = above_share(node, limit);
    size_t freeing = node_freeing(node);
    if (above + (int64_t)freeing < 0) {
        return true;
    }
    if (freeing > 0) {
        freeing_make_room(worker);
    }
    /* What waits to be freed is no reason to evict: no key would make it go sooner. */
    if (above < 0) {
        return true;
    }
    enum eviction_policy policy =
        (enum eviction_policy)atomic_load_explicit(&config->eviction, memory_order_relaxed);
    if (policy == EVICTION_NONE || (eviction_only_volatile(policy) && !node_has_expiries(node))) {
        return false;
    }
    if (atomic_load_explicit(&node->compact_pressed, memory_order_relaxed)) {
        /* What is evicted is of use only when pages become empty. Ticks are too seldom for that
         * while each write has to evict several keys: so it takes part in moving them as well. */
        (void)compact_some(worker);
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
            if (above_share(node, limit) < 0) {
                break;
            }
            evictor_begin(evictor, policy);
        }
    }
    /* As long as there is something to evict the account comes down; refuse only when not. */
    return true;
}

void memory_keep_within(struct worker *worker)
{
    (void)!memory_make_room(worker); /* where nothing may be evicted, writes are refused */
}

static uint64_t share_permille(size_t led_slots, size_t copied_slots)
{
    size_t all = led_slots + copied_slots;
    return all == 0 ? 1000 : led_slots * 1000 / all;
}

void memory_slots_assigned(struct node *node, size_t led_slots, size_t copied_slots)
{
    uint64_t share = share_permille(led_slots, copied_slots);
    if (share > atomic_load_explicit(&node->led_share_permille, memory_order_relaxed)) {
        atomic_store_explicit(&node->led_share_permille, share, memory_order_relaxed);
    }
}

void memory_take_stock(struct node *node)
{
    uint64_t led = store_eviction_memory(node->store); /* only of what it leads it notes anything */
    size_t led_slots = 0;
    size_t copied_slots = 0;
    int64_t kept = kept_memory(node);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &node->slots[i];
        slot_lock(slot);
        led += slot->copy.role == COPY_PRIMARY ? keyspace_memory(slot_keys(slot)) : 0;
        led_slots += slot->copy.role == COPY_PRIMARY;
        copied_slots += slot->copy.role == COPY_FOLLOWER;
        slot_unlock(slot);
    }
    atomic_store_explicit(&node->led_share_permille, share_permille(led_slots, copied_slots),
                          memory_order_relaxed);
    atomic_store_explicit(&node->led_bytes, led, memory_order_relaxed);
    atomic_store_explicit(&node->copied_since_bytes, 0, memory_order_relaxed);
    atomic_store_explicit(&node->led_seen_at_bytes, (uint64_t)kept, memory_order_relaxed);
}

uint64_t memory_resident_bytes(void)
{
    unsigned long long total = 0;
    unsigned long long resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) {
        return 0;
    }
    if (fscanf(file, "%llu %llu", &total, &resident) != 2) {
        resident = 0;
    }
    fclose(file);
    long page = sysconf(_SC_PAGESIZE);
    return page < 0 ? 0 : resident * (uint64_t)page;
}

/* `stats` NULL: far from the limit. */
static void watch_overhead(struct node *node, int64_t resident, int64_t limit,
                           const struct allocator_stats *stats)
{
    int64_t above = resident - (int64_t)node_memory(node);
    int64_t overhead = (int64_t)atomic_load_explicit(&node->memory_overhead, memory_order_relaxed);
    if (stats != NULL) {
        /* More evictions make more of it; moving keys takes it away. */
        int64_t unused = (int64_t)stats->active - (int64_t)stats->allocated;
        int64_t stays = (int64_t)stats->allocated / 100 * COMPACT_PERCENT;
        above -= unused > stays ? unused - stays : 0;
    }
    above = above < 0 ? 0 : above;
    int64_t looks =
        limit != 0 && resident > limit / 100 * OVER_PERCENT ? OVERHEAD_LOOKS_OVER : OVERHEAD_LOOKS;
    overhead += overhead == 0 ? above : (above - overhead) / looks;
    atomic_store_explicit(&node->memory_overhead, (uint64_t)overhead, memory_order_relaxed);
}

static bool compaction_goes_on(const struct node *node)
{
    bool any = false;
    for (unsigned i = 0; i < node->worker_count; i++) {
        any = any || atomic_load_explicit(&node->workers[i]->compacting, memory_order_relaxed);
    }
    return any;
}

/* Begins a round of moving keys when that may help, and the last one did. */
static void watch_fragmentation(struct node *node, bool pressed,
                                const struct allocator_stats *stats)
{
    struct memory_watch *watch = &node->memory_watch;
    watch->pause = watch->pause > watch->looks ? watch->pause - watch->looks : 0;
    watch->looks = 0;
    uint64_t unused = stats->active > stats->allocated ? stats->active - stats->allocated : 0;
    bool urgent = unused * 100 > stats->allocated * COMPACT_URGENT_PERCENT;
    atomic_store_explicit(&node->compact_pressed, pressed, memory_order_relaxed);
    atomic_store_explicit(&node->compact_budget_us,
                          pressed  ? COMPACT_PRESSED_US
                          : urgent ? COMPACT_URGENT_US
                                   : COMPACT_BUDGET_US,
                          memory_order_relaxed);
    bool wanted = unused > COMPACT_BYTES_MIN && unused * 100 > stats->allocated * COMPACT_PERCENT;
    if (!wanted || watch->pause > 0 || compaction_goes_on(node)) {
        return;
    }
    /* What is unused grows for other reasons while keys are moved: whether that is of use shows in
     * how many there were to move. */
    uint64_t moved = NODE_STAT(node, compacted);
    bool useful =
        watch->rounds++ == 0 || (moved - watch->moved_before) * 100 > node_key_count(node);
    watch->moved_before = moved;
    if (!useful) {
        watch->pause = COMPACT_PAUSE;
        watch->rounds = 0;
        return;
    }
    for (unsigned i = 0; i < node->worker_count; i++) {
        atomic_store_explicit(&node->workers[i]->compacting, true, memory_order_relaxed);
    }
}

void memory_watch(struct node *node)
{
    if (!allocator_is_known()) {
        return;
    }
    int64_t resident = (int64_t)memory_resident_bytes();
    int64_t limit =
        (int64_t)atomic_load_explicit(&node->config.memory_bytes_max, memory_order_relaxed);
    bool near = limit != 0 && resident > limit / 100 * NEAR_PERCENT;
    bool pressed = limit != 0 && resident > limit / 100 * PRESSED_PERCENT;
    bool due = ++node->memory_watch.looks >= COMPACT_LOOKS || pressed;
    struct allocator_stats stats;
    bool known = (near || due) && allocator_stats(&stats);
    watch_overhead(node, resident, limit, near && known ? &stats : NULL);
    if (due && known) {
        watch_fragmentation(node, pressed, &stats);
    }
}

void memory_compact(struct worker *worker)
{
    uint64_t started = clock_monotonic_us();
    uint64_t budget_us =
        atomic_load_explicit(&worker->node->compact_budget_us, memory_order_relaxed);
    while (compact_some(worker) && clock_monotonic_us() - started < budget_us) {
    }
}

void memory_follow_config(struct node *node)
{
    const struct config *config = &node->config;
    bool limited = atomic_load_explicit(&config->memory_bytes_max, memory_order_relaxed) != 0;
    int policy = atomic_load_explicit(&config->eviction, memory_order_relaxed);
    store_set_eviction(node->store, (enum eviction_policy)policy, limited);
}
