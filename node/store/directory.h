/*
 * The pieces of a giant: segments found by the high bits of the hash (extendible hashing, Fagin,
 * Nievergelt, Pippenger and Strong 1979). A full segment is split in two, so that a table of ten
 * million keys grows a few kilobytes at a time; two emptied neighbours become one again. Internal
 * to the store; the caller holds the slot's lock.
 *
 *      high bits   000  001  010  011  100  101  110  111      depth 3
 *      slots        A    B    C    C    D    D    D    D       A, B: depth 3; C: 2; D: 1
 *      soonest      a    b    c    -    d    -    -    -       and the smaller of two above, to the
 * root
 */
#ifndef TORC_NODE_STORE_DIRECTORY_H
#define TORC_NODE_STORE_DIRECTORY_H

#include "node/store/segment.h"

#include <stddef.h>
#include <stdint.h>

#define DIRECTORY_DEPTH_MAX                                                                        \
    28 /* the window of a tag then ends within the upper 48 bits of the hash */
#define SEGMENT_COUNT_MAX 1024 /* a segment of more entries is split, which takes some 30 us */

static_assert(DIRECTORY_DEPTH_MAX + TAG_BITS <= 48, "a cursor has 48 bits");

struct directory {
    uint8_t depth;                                 /* 2^depth slots */
    uint32_t capacity_max;                         /* no segment has more entries */
    uint32_t segments_at[DIRECTORY_DEPTH_MAX + 1]; /* how many have that depth */
    uint64_t *soonest;       /* a heap-shaped tree of minima: root 1, leaves at 2^depth */
    size_t freed;            /* while it is freed: slots before this one are done with */
    struct segment *slots[]; /* a segment of lesser depth stands in several, side by side */
};

static inline struct segment *directory_segment(const struct directory *directory, uint64_t hash)
{
    return directory->slots[hash >> (64 - directory->depth)];
}

/* First slot of a segment that holds that hash. */
static inline size_t directory_first_slot(const struct directory *directory,
                                          const struct segment *segment, uint64_t hash)
{
    size_t slot = (size_t)(hash >> (64 - directory->depth));
    return slot & ~(((size_t)1 << (directory->depth - segment->depth)) - 1);
}

/* A directory of that depth with the segments of `from`, which is left alone, or with none when
 * that is NULL. No segment may be deeper than `depth`. NULL without memory. */
struct directory *directory_create(unsigned depth, const struct directory *from);
void directory_destroy(struct directory *directory); /* itself, not the segments */
/* Puts the segment into all its slots and the tree. */
void directory_place(struct directory *directory, struct segment *segment, uint64_t hash);
/* Tells the tree of the segment's hint. */
void directory_update_soonest(struct directory *directory, const struct segment *segment,
                              uint64_t hash);
/* First slot at or after `from` whose segment has a hint not later than `limit_ms`; SIZE_MAX if
 * none. */
size_t directory_next_due(const struct directory *directory, size_t from, uint64_t limit_ms);

#endif
