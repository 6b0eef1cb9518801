/*
 * Where a walk over all keys stands: a slot, and a place within it as keyspace_scan knows it. As a
 * SCAN cursor it is one number; 0 is both the start and, in a reply, the end. Positions are ordered
 * by slot, then by place, so that the answers of several nodes can be cut at the least of them.
 * Pure.
 */
#ifndef TORC_NODE_COMMANDS_SCAN_CURSOR_H
#define TORC_NODE_COMMANDS_SCAN_CURSOR_H

#include "base/limits.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define SCAN_SLOT_BITS 14
#define SCAN_PLACE_BITS 48 /* of keyspace_scan's cursors */

static_assert(SLOT_COUNT >> SCAN_SLOT_BITS == 1, "a slot needs all of its bits");
static_assert((SLOT_COUNT - 1) >> SCAN_SLOT_BITS == 0, "a slot fits its bits");
static_assert(SCAN_SLOT_BITS + SCAN_PLACE_BITS < 64, "a cursor is also a positive int64");

struct scan_position {
    uint64_t place; /* cursor within the slot; 0 = its beginning */
    uint32_t slot;  /* SLOT_COUNT = past the last one: the walk is over */
};

#define SCAN_END ((struct scan_position){0, SLOT_COUNT})

static inline bool scan_position_lawful(struct scan_position position)
{
    return position.slot < SLOT_COUNT ? position.place >> SCAN_PLACE_BITS == 0
                                      : position.slot == SLOT_COUNT && position.place == 0;
}

static inline uint64_t scan_cursor_encode(struct scan_position position)
{
    assert(scan_position_lawful(position));
    return position.slot == SLOT_COUNT ? 0 : position.place << SCAN_SLOT_BITS | position.slot;
}

/* Any number is a cursor: one that no node has given leads to a place without keys, which is the
 * end of its slot. */
static inline struct scan_position scan_cursor_decode(uint64_t cursor)
{
    struct scan_position position = {cursor >> SCAN_SLOT_BITS, (uint32_t)(cursor % SLOT_COUNT)};
    if (!scan_position_lawful(position)) {
        position.place = 0;
        position.slot++;
    }
    return position;
}

/* < 0, 0, > 0 */
static inline int scan_position_compare(struct scan_position a, struct scan_position b)
{
    if (a.slot != b.slot) {
        return a.slot < b.slot ? -1 : 1;
    }
    return (a.place > b.place) - (a.place < b.place);
}

#endif
