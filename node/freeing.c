#include "node/freeing.h"

#include "node/clock.h"
#include "node/memory.h"
#include "node/worker.h"

#define STEP_BLOCKS 256u /* some 50 us */
#define TICK_US 500      /* of a tick: so long a command may have to wait for it */
#define WRITE_US 1000
#define KEEP_UP_US (250u * 1000)
#define BEHIND_BYTES (128u * 1024 * 1024)

static void free_for(struct worker *worker, uint64_t started_us, uint64_t budget_us)
{
    struct node *node = worker->node;
    uint64_t now_us = started_us;
    while (now_us - started_us < budget_us &&
           store_free_some(node->store, STEP_BLOCKS) +
                   store_free_some(node->incoming_store, STEP_BLOCKS) >
               0) {
        now_us = clock_monotonic_us();
    }
    worker->freed_at_us = now_us;
}

bool freeing_is_behind(const struct node *node)
{
    size_t waiting = node_freeing(node);
    return waiting > BEHIND_BYTES || (waiting > 0 && memory_is_short(node));
}

void freeing_tick(struct worker *worker)
{
    if (node_freeing(worker->node) > 0) {
        free_for(worker, clock_monotonic_us(), TICK_US);
    }
}

void freeing_make_room(struct worker *worker)
{
    uint64_t now_us = clock_monotonic_us();
    uint64_t since_us = now_us - worker->freed_at_us;
    free_for(worker, now_us, since_us < WRITE_US ? since_us : WRITE_US);
}

void freeing_keep_up(struct worker *worker, uint64_t busy_us)
{
    free_for(worker, clock_monotonic_us(), busy_us < KEEP_UP_US ? busy_us : KEEP_UP_US);
}
