/*
 * The working table of one placement: members in the order of their ids, how many slots each has
 * and may have at each rank, and the walk along the tokens. One owner; it lives as long as one
 * placement_build. Not for use outside placement.
 */
#ifndef TORC_RING_PLACEMENT_TABLE_H
#define TORC_RING_PLACEMENT_TABLE_H

#include "base/attributes.h"
#include "base/limits.h"
#include "ring/placement.h"
#include "ring/placement_tokens.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_NO_WALK UINT32_MAX /* a cursor: the walk found nobody */

struct table {
    size_t member_count;                   /* those with weight */
    unsigned zone_count;                   /* distinct zones among them */
    uint32_t weight[NODES_MAX];            /* [member], thousandths */
    uint16_t zone[NODES_MAX];              /* [member], number of its zone */
    uint16_t given[NODES_MAX];             /* [member], its index as the caller gave it */
    uint32_t load[COPIES_MAX][NODES_MAX];  /* slots it owns at a rank */
    uint32_t bound[COPIES_MAX][NODES_MAX]; /* slots it may own at a rank */
    uint16_t (*owners)[SLOT_COUNT];        /* [rank][slot]: member; the caller's, borrowed */
    uint32_t cursor[SLOT_COUNT]; /* where each slot's walk has come to, or TABLE_NO_WALK */
    uint32_t asked[NODES_MAX];   /* scratch of a round */
    uint32_t room[NODES_MAX];    /* scratch of a round */
    struct tokens tokens;
};

/* What a walk looks for: a member that may be owner number `rank` of `slot` beside owners
 * 0 .. rank - 1, and has room at `room_rank`. */
struct walk {
    uint16_t slot;
    unsigned rank;
    unsigned room_rank;
    bool zones;        /* only members in another zone than the owners before `rank` */
    uint64_t distance; /* out: how far along the circle it was found */
};

/* 0, TORC_ENOMEM, or TORC_EINVAL when two members have one id. */
int table_create(struct table **out, const struct placement_member *members, size_t count,
                 uint16_t (*owners)[SLOT_COUNT]) TORC_MUST_USE;
void table_destroy(struct table *table);

/* Sets the bounds of all ranks from the weights. */
void table_set_bounds(struct table *table, unsigned copies);
void table_raise_bounds(struct table *table, unsigned rank);
/* Puts every cursor back to the place of its slot. */
void table_rewind(struct table *table);

/* Walks clockwise from *cursor; leaves it at what was found. PLACEMENT_NONE when nobody fits. */
uint16_t table_walk(const struct table *table, struct walk *walk, uint32_t *cursor);
bool table_fits(const struct table *table, const struct walk *walk, uint16_t member);

static inline uint32_t table_room(const struct table *table, unsigned rank, uint16_t member)
{
    uint32_t load = table->load[rank][member];
    uint32_t bound = table->bound[rank][member];
    return bound > load ? bound - load : 0;
}

static inline void table_assign(struct table *table, unsigned rank, uint16_t slot, uint16_t member)
{
    uint16_t before = table->owners[rank][slot];
    if (before != PLACEMENT_NONE) {
        table->load[rank][before]--;
    }
    table->owners[rank][slot] = member;
    table->load[rank][member]++;
}

#endif
