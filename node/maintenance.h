/*
 * What a worker does besides answering: deletes what has expired, and evicts when memory is short.
 * Both are the primary's decisions and travel to the replicas as deletions.
 */
#ifndef TORC_NODE_MAINTENANCE_H
#define TORC_NODE_MAINTENANCE_H

#include "base/attributes.h"

#include <stdbool.h>
#include <stdint.h>

struct node;
struct worker;

/*
 * Evicts, by the configured policy, until a write that may grow memory is within --memory. False if
 * it is not and nothing more may be evicted. No slot lock held.
 *
 * --memory is shared between the slots a node leads and those it keeps copies of, by their number:
 * it evicts from what it leads when that exceeds its part. Were it to look at the sum, a node full
 * of other nodes' copies would have to drop all of its own keys.
 */
bool maintenance_make_room(struct worker *worker) TORC_MUST_USE;
/* Takes stock of what the node leads; call every tenth of a second when there is a limit. */
void maintenance_look_at_memory(struct node *node);
/* Frees some of what giant slots held that have left this node or were emptied. True if there is
 * more. Worker 0. */
bool maintenance_free_some(struct node *node);
/* Deletes expired keys in this worker's share of the slots, within a budget. */
void maintenance_sweep(struct worker *worker);

#endif
