/*
 * What placement does for slots that its greedy rounds left without an owner at a rank, because
 * everybody who may own them is full. Not for use outside placement.
 */
#ifndef TORC_RING_PLACEMENT_REPAIR_H
#define TORC_RING_PLACEMENT_REPAIR_H

#include "ring/placement_table.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Finds owners at `rank` for slots that have none, by trading within the bounds; with `zones` it
 * keeps the owners of a slot in distinct zones. Returns how many slots got their owner.
 */
size_t repair_rank(struct table *table, unsigned rank, bool zones);

#endif
