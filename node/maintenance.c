#include "node/maintenance.h"

#include "node/clock.h"
#include "node/execute.h"
#include "node/tracking.h"
#include "node/worker.h"

#include <stdlib.h>

#define SWEEP_KEYS_PER_SLOT 64    /* deleted under one slot's lock */
#define SWEEP_SLOTS_PER_TICK 4096 /* looked at; a look at a slot without work costs some 20 ns */
#define SWEEP_BUDGET_US 350       /* of a tick: so long a command may have to wait for it */

bool maintenance_may_delete(const struct worker *worker, const struct slot *slot)
{
    return slot_serves(slot) && worker->has_lease;
}

void maintenance_delete(struct worker *worker, struct slot *slot, const struct object *object)
{
    struct keyspace *keys = slot_keys(slot);
    struct bytes key = object_key(object);
    uint64_t hash = key_hash(key);
    if (slot->copy.member_count > 0) {
        struct bytes argv[] = {BYTES_LITERAL("DEL"), key};
        struct call call = {.effects = &worker->effects};
        call_effect(&call, 2, argv);
    }
    if (TORC_UNLIKELY(tracking_is_due(worker->node, slot))) {
        tracking_key_gone(worker, slot, key, hash);
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

struct sweep {
    struct worker *worker;
    struct slot *slot;
};

static void sweep_object(void *context, struct keyspace *keys, struct object *object)
{
    struct sweep *sweep = context;
    (void)keys;
    maintenance_delete(sweep->worker, sweep->slot, object);
    stat_add(&sweep->worker->stats.expired, 1);
}

bool maintenance_sweep(struct worker *worker)
{
    struct node *node = worker->node;
    if (!node_has_expiries(node)) {
        return false;
    }
    uint64_t started = clock_monotonic_us();
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
        uint64_t soonest =
            maintenance_may_delete(worker, slot) ? keyspace_next_expiry_ms(slot_keys(slot)) : 0;
        if (soonest != 0 && soonest <= worker->now_wall_ms) {
            size_t found = keyspace_expired(slot_keys(slot), worker->now_wall_ms,
                                            SWEEP_KEYS_PER_SLOT, sweep_object, &sweep);
            if (found == SWEEP_KEYS_PER_SLOT && slot_index >= node->worker_count) {
                worker->sweep_slot = (uint16_t)(slot_index - node->worker_count);
            }
        }
        slot_unlock(slot);
        if (soonest != 0 && clock_monotonic_us() - started > SWEEP_BUDGET_US) {
            return true;
        }
    }
    return false;
}
