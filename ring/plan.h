/*
 * A plan: what a change of the ring moves, before it is made. A pure difference of two sealed
 * views by what they place, whatever the status of the nodes. One owner.
 *
 *      from:  what the first view places now (its moved slots where the target has them)
 *      to:    what the second view places in the end (its target ring, if it has one)
 *
 * So plan_create(view, next) with `next` a changing clone of `view` is the whole change, and
 * plan_create(view, view) of a changing view is what is left of it.
 */
#ifndef TORC_RING_PLAN_H
#define TORC_RING_PLAN_H

#include "base/limits.h"
#include "ring/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One node of either view; slot counts by rank, 0 = primary. */
struct plan_node {
    struct node_id id;
    double share_from; /* primaries due to it by weight, in slots */
    double share_to;
    uint32_t slots_from[COPIES_MAX];
    uint32_t slots_to[COPIES_MAX];
    uint32_t copies_gained; /* slots whose data it has to be sent */
    uint32_t copies_lost;
};

struct plan {
    uint64_t epoch_from;
    uint64_t epoch_to;
    struct plan_node *nodes; /* sorted by id */
    size_t node_count;

    uint32_t primaries_moved; /* slots whose primary changes */
    uint32_t primaries_least; /* the least possible: what leaving nodes lead, what the share of
                                 the others shrinks by, and slots that had no primary */
    uint32_t copies_moved;    /* (slot, node) pairs of new owners: slot data to be sent */
    double largest_from[COPIES_MAX]; /* by rank: the most slots of a node relative to its share */
    double largest_to[COPIES_MAX];

    uint8_t primary_changes[SLOT_COUNT / 8]; /* bit s % 8 of byte s / 8 */
    uint8_t owner_gains[SLOT_COUNT / 8];     /* somebody becomes an owner who was none */
};

/* Both views sealed. NULL without memory. */
struct plan *plan_create(const struct view *from, const struct view *to);
void plan_destroy(struct plan *plan); /* NULL is allowed */

bool plan_primary_changes(const struct plan *plan, uint16_t slot);
bool plan_owner_gains(const struct plan *plan, uint16_t slot);

#endif
