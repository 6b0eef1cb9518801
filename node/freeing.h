/*
 * When what is big is freed. Taken out of its slot it costs nobody a delay any more (see
 * store_free_some); it goes some at a time, with every worker's help: half a millisecond of each
 * tick, and more while memory is short or a lot waits.
 */
#ifndef TORC_NODE_FREEING_H
#define TORC_NODE_FREEING_H

#include "node/node.h"

#include <stdbool.h>

struct worker;

/* Bytes of node_memory that wait to be freed. Any thread. */
static inline size_t node_freeing(const struct node *node)
{
    return store_freeing(node->store) + store_freeing(node->incoming_store);
}
/* True while it is hurried with: much waits, or memory is short. Any thread. */
bool freeing_is_behind(const struct node *node);
/* At each tick of a worker. No slot lock held, as with the others. */
void freeing_tick(struct worker *worker);
/* Before a write while memory is short: a millisecond at most, and no more than half of the time
 * where many writes come one after the other. */
void freeing_make_room(struct worker *worker);
/* Before a worker sleeps that has been busy for so long, while it is behind: frees for as long, so
 * that nobody makes work of that kind faster than it is done. */
void freeing_keep_up(struct worker *worker, uint64_t busy_us);

#endif
