/*
 * What a worker does besides answering: deletes what has expired. What is evicted when memory is
 * short goes the same way: see memory.h. Both are the primary's decisions and travel to the
 * replicas as deletions.
 */
#ifndef TORC_NODE_MAINTENANCE_H
#define TORC_NODE_MAINTENANCE_H

#include "base/attributes.h"

#include <stdbool.h>

struct object;
struct slot;
struct worker;

/* Expiry and eviction are writes like any other: the primary's, while it has a lease. Slot lock
 * held. */
bool maintenance_may_delete(const struct worker *worker, const struct slot *slot) TORC_MUST_USE;
/* Deletes an object of the slot and tells the replicas. Slot lock held, primary. */
void maintenance_delete(struct worker *worker, struct slot *slot, const struct object *object);
/* Deletes expired keys in this worker's share of the slots, within a budget. True if that was used
 * up: then there is most likely more. */
bool maintenance_sweep(struct worker *worker);

#endif
