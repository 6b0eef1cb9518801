/*
 * Placement: which members own which slot, a pure function of the members and the number of copies.
 * Members lie on a 64-bit circle at XXH3(id, k), TOKENS_PER_UNIT tokens for each unit of weight;
 * a slot walks clockwise from its own place and takes the first members that still have room.
 * No member is primary of more than ceil(1.05 x its weighted share) slots, and the same bound
 * holds at each replica rank (consistent hashing with bounded loads, Mirrokni, Thorup and
 * Zadimoghaddam 2018). A value: no clock, no allocation left behind, no globals.
 */
#ifndef TORC_RING_PLACEMENT_H
#define TORC_RING_PLACEMENT_H

#include "base/attributes.h"
#include "base/limits.h"
#include "ring/node_id.h"

#include <stddef.h>
#include <stdint.h>

#define PLACEMENT_NONE UINT16_MAX

struct placement_member {
    struct node_id id;
    uint32_t weight;  /* thousandths (WEIGHT_UNIT); 0 owns nothing */
    const char *zone; /* zero-terminated; "" = none; borrowed for the call */
};

struct placement {
    uint16_t owners[COPIES_MAX][SLOT_COUNT]; /* [rank][slot]: index into the members as given;
                                                PLACEMENT_NONE where there is no such copy */
};

/*
 * Fills *out. `members` must have distinct ids, in any order: the owners, by id, do not depend on
 * the order. Ranks at or past min(copies, members with weight) are PLACEMENT_NONE. The owners of a
 * slot are distinct members; while there are enough zones (members of zone "" count as a zone of
 * their own each) they are of distinct zones.
 * 0, TORC_ENOMEM, or TORC_EINVAL (copies not 1..COPIES_MAX, more than NODES_MAX members).
 */
int placement_build(struct placement *out, const struct placement_member *members, size_t count,
                    unsigned copies) TORC_MUST_USE;

#endif
