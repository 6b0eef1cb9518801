/*
 * What the allocator says of itself: jemalloc, if the program is linked with it. Any thread.
 */
#ifndef TORC_NODE_ALLOCATOR_H
#define TORC_NODE_ALLOCATOR_H

#include <stdbool.h>
#include <stdint.h>

struct allocator_stats {
    uint64_t allocated; /* bytes given out */
    uint64_t active;    /* of the pages that they are in, but for those that nobody touches */
};

/* Whether it says anything. */
bool allocator_is_known(void);
/* False: this allocator does not say. Some hundred microseconds. */
bool allocator_stats(struct allocator_stats *stats);
/* Has it give unused pages back at once. */
void allocator_purge(void);

#endif
