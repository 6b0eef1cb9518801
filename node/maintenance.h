/*
 * What a worker does besides answering: deletes what has expired, and evicts when memory is short.
 * Both are the primary's decisions and travel to the replicas as deletions.
 */
#ifndef TORC_NODE_MAINTENANCE_H
#define TORC_NODE_MAINTENANCE_H

#include "base/attributes.h"

#include <stdbool.h>
#include <stdint.h>

struct worker;

/* Evicts, by the configured policy, until a write that may grow memory is within --memory. False if
 * it is not and nothing more may be evicted. No slot lock held. */
bool maintenance_make_room(struct worker *worker, uint16_t slot) TORC_MUST_USE;
/* Deletes expired keys in this worker's share of the slots, within a budget. */
void maintenance_sweep(struct worker *worker);

#endif
