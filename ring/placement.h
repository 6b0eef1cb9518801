/*
 * Placement: which members own which slot, a pure function of the members and the number of copies.
 * Members lie on a 64-bit circle at PLACEMENT_TOKENS_PER_UNIT tokens for each unit of weight, drawn
 * from XXH3 of the node id and the number of the token; slot s lies at s << 50, so that neighbours
 * mostly share their owners. A slot walks clockwise from its place to the first members that have
 * room, and a member asked by too many keeps the nearest (consistent hashing with bounded loads,
 * Mirrokni, Thorup and Zadimoghaddam 2018; the rounds are ours). A value: no clock, nothing left
 * allocated, no globals, whole numbers only, so that every machine computes the same.
 *
 * Bounds: nobody is primary of more than ceil(1.05 x its share by weight), and the same holds at
 * each replica rank. A member whose share is more than its shares at the ranks before leave it has
 * only what is left as its share, and the others' grow by what it cannot take.
 *
 * What gives way when not everything is possible, in this order: the order of the walk, distinct
 * zones, the bounds (all of them together, by a twentieth at a time). Never: distinct owners, and
 * as many copies as there are members with weight.
 */
#ifndef TORC_RING_PLACEMENT_H
#define TORC_RING_PLACEMENT_H

#include "base/attributes.h"
#include "base/limits.h"
#include "ring/node_id.h"

#include <stddef.h>
#include <stdint.h>

#define PLACEMENT_NONE UINT16_MAX
/*
 * Measured over 30 sets of random ids: primaries moved by adding a node to N equal ones, relative
 * to the least possible (mean / worst), and runs of slots with equal owners at 2 copies, which is
 * what CLUSTER SLOTS has to list:
 *
 *      tokens, slot's place, offsets      add at N=10   add at N=100   runs at N=3    N=10
 *      256 XXH3(slot)  random             1.04 / 1.11   1.36 / 1.47        13 620   16 190
 *      256 s << 50     random             1.04 / 1.10   1.19 / 1.36           510    2 190
 *      512 s << 50     random             1.02 / 1.06   1.15 / 1.26           990    4 030
 *      512 s << 50     golden ratio       1.02 / 1.07   1.13 / 1.20           990    4 030
 */
#define PLACEMENT_TOKENS_PER_UNIT 512
/* Beyond this (2 048 nodes of weight 1) every member gets proportionally fewer. */
#define PLACEMENT_TOKENS_MAX (1u << 20)

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
 * their own each) and the bounds allow it they are of distinct zones.
 * 0, TORC_ENOMEM, or TORC_EINVAL (copies not 1..COPIES_MAX, more than NODES_MAX members, two
 * members of one id).
 */
int placement_build(struct placement *out, const struct placement_member *members, size_t count,
                    unsigned copies) TORC_MUST_USE;

#endif
