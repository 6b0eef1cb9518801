#include "node/maintenance.h"

#include "node/execute.h"
#include "node/worker.h"

#include <stdlib.h>
#include <time.h>

#define EVICTIONS_PER_WRITE 64    /* more at once would be felt by the client that triggers them */
#define EVICTION_SLOT_TRIES 256   /* slots looked at for one victim */
#define SWEEP_KEYS_PER_SLOT 64    /* deleted under one slot's lock */
#define SWEEP_SLOTS_PER_TICK 4096 /* looked at; a look at a slot without work costs some 20 ns */
#define SWEEP_BUDGET_NS 1000000   /* of a tick's 10 ms: expiry takes at most a tenth of a core */

/* Deletes the object and tells the replicas. Slot lock held, primary. */
static void delete_and_publish(struct worker *worker, struct slot *slot, struct keyspace *keys,
                               const struct object *object)
{
    struct bytes key = object_key(object);
    uint64_t hash = key_hash(key);
    if (slot->replica_count > 0) {
        struct bytes argv[] = {BYTES_LITERAL("DEL"), key};
        struct call call = {.effects = &worker->effects};
        call_effect(&call, 2, argv);
    }
    slot_publish(worker, slot, buf_bytes(&worker->effects));
    buf_reset(&worker->effects, WORKER_READ_BUFFER_SIZE);
    keyspace_delete(keys, key, hash);
}

static bool evict_one(struct worker *worker, uint16_t slot_index, enum eviction_policy policy)
{
    struct slot *slot = &worker->node->slots[slot_index];
    slot_lock(slot);
    struct object *victim = NULL;
    if (slot_serves(slot) && keyspace_count(slot->keys) > 0) {
        victim = keyspace_evict_pick(slot->keys, policy, worker->now_wall_ms, &worker->prng);
    }
    if (victim != NULL) {
        delete_and_publish(worker, slot, slot->keys, victim);
        stat_add(&worker->stats.evicted, 1);
    }
    slot_unlock(slot);
    return victim != NULL;
}

bool maintenance_make_room(struct worker *worker, uint16_t slot)
{
    const struct config *config = &worker->node->config;
    uint64_t limit = atomic_load_explicit(&config->memory_bytes_max, memory_order_relaxed);
    if (TORC_LIKELY(limit == 0 || store_memory(worker->node->store) < limit)) {
        return true;
    }
    enum eviction_policy policy =
        (enum eviction_policy)atomic_load_explicit(&config->eviction, memory_order_relaxed);
    if (policy == EVICTION_NONE) {
        return false;
    }
    unsigned evicted = 0;
    for (unsigned tries = 0; tries < EVICTION_SLOT_TRIES && evicted < EVICTIONS_PER_WRITE;
         tries++) {
        uint16_t victim_slot = (uint16_t)prng_below(&worker->prng, SLOT_COUNT);
        if (evict_one(worker, tries == EVICTION_SLOT_TRIES - 1 ? slot : victim_slot, policy)) {
            evicted++;
            if (store_memory(worker->node->store) < limit) {
                return true;
            }
        }
    }
    /* As long as there was something to evict the account comes down; refuse only when not. */
    return evicted > 0;
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
    if (!store_has_expiries(node->store)) {
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
        uint64_t soonest = slot_serves(slot) ? keyspace_next_expiry_ms(slot->keys) : 0;
        if (soonest != 0 && soonest <= worker->now_wall_ms) {
            size_t found = keyspace_expired(slot->keys, worker->now_wall_ms, SWEEP_KEYS_PER_SLOT,
                                            sweep_object, &sweep);
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
