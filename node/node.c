#include "node/node.h"

#include "base/error.h"
#include "node/control.h"
#include "node/worker.h"

#include <stdlib.h>

const struct view *node_view(struct node *node)
{
    pthread_mutex_lock(&node->view_lock);
    const struct view *view = node->view == NULL ? NULL : view_retain(node->view);
    pthread_mutex_unlock(&node->view_lock);
    return view;
}

uint64_t node_stat_sum(const struct node *node, size_t stats_offset)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < node->worker_count; i++) {
        const char *stats = (const char *)&node->workers[i]->stats;
        sum += stat_read((const _Atomic uint64_t *)(const void *)(stats + stats_offset));
    }
    return sum;
}

void node_stats_reset(struct node *node)
{
    for (unsigned i = 0; i < node->worker_count; i++) {
        struct worker_stats *stats = &node->workers[i]->stats;
        _Atomic uint64_t *counters = (_Atomic uint64_t *)stats;
        for (size_t at = 0; at < sizeof(*stats) / sizeof(*counters); at++) {
            atomic_store_explicit(&counters[at], 0, memory_order_relaxed);
        }
    }
}

void node_wake_worker(struct node *node, unsigned index)
{
    atomic_store(&node->workers[index]->look_at_clients, true);
    worker_wake(node->workers[index]);
}

void node_stop(struct node *node)
{
    if (atomic_exchange(&node->stopping, true)) {
        return;
    }
    for (unsigned i = 0; i < node->worker_count; i++) {
        worker_wake(node->workers[i]);
    }
    control_wake(node->control);
}

void node_leave(struct node *node)
{
    if (atomic_load(&node->epoch) == 0) {
        node_stop(node); /* it has not joined: there is nothing to hand over */
    } else if (!atomic_exchange(&node->leaving, true)) {
        control_wake(node->control);
    }
}
