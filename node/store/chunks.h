/*
 * A large list: packed runs of up to 8 KiB each, and an index of them. Both ends are as cheap to
 * add to as to take from; a place in the middle is found by adding up the counts in the index,
 * which are next to each other, so that half a gigabyte is searched in some tens of
 * microseconds and no chunk is touched but the one that was looked for. Internal to the store; the
 * caller holds the slot's lock, and accounts for `memory`, which changes also where a function
 * fails.
 *
 *      index    |  free  | run, run, run, ... , run |  free  |         24 bytes each
 *                           │    │
 *                           ▼    ▼
 *                       values  values                                see packed.h
 *
 * No run is empty. Runs are blocks of CHUNK_SIZE, less where nothing was added after the next one
 * was begun; a value that is longer has a block of its own.
 */
#ifndef TORC_NODE_STORE_CHUNKS_H
#define TORC_NODE_STORE_CHUNKS_H

#include "base/attributes.h"
#include "node/store/freeing.h"
#include "node/store/packed.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK_SIZE 8192u /* as Redis's list-max-listpack-size -2; a size the allocator has */

struct chunks {
    size_t count;         /* values */
    size_t size;          /* bytes they take in runs */
    size_t memory;        /* bytes allocated, this structure included */
    struct packed *index; /* `capacity` of them; NULL while that is 0 */
    size_t capacity;
    size_t first;  /* the first in use */
    size_t length; /* in use */
};

/* Where a value is, or would be. */
struct chunk_place {
    size_t chunk;    /* counted from `first` */
    uint32_t inside; /* index of the value in its run; the run's count behind the last value */
};

static inline struct packed *chunks_at(const struct chunks *chunks, size_t chunk)
{
    return &chunks->index[chunks->first + chunk];
}

/* Empty; NULL without memory. */
struct chunks *chunks_create(void);
void chunks_destroy(struct chunks *chunks);                            /* NULL is allowed */
bool chunks_free_some(struct chunks *chunks, struct freeing *freeing); /* see freeing.h */
struct chunks *chunks_clone(const struct chunks *chunks);              /* NULL without memory */

/* Of the value with that index; behind the last one for the count. There is a value. */
struct chunk_place chunks_place(const struct chunks *chunks, size_t index);

/* Before the value with that index; behind the last one for the count. The value does not lie in
 * the list. 0 or TORC_ENOMEM (the values are as they were). */
int chunks_insert(struct chunks *chunks, size_t index, struct bytes value) TORC_MUST_USE;
/* Behind the last one, values of a run of at most CHUNK_SIZE. 0 or TORC_ENOMEM (as above). */
int chunks_append_run(struct chunks *chunks, const struct packed *run) TORC_MUST_USE;
/* 0 or TORC_ENOMEM (as above). The index is below the count. */
int chunks_replace(struct chunks *chunks, size_t index, struct bytes value) TORC_MUST_USE;
/* `count` values from that index on; all of them are there. */
void chunks_remove(struct chunks *chunks, size_t index, size_t count);
/* Removes at most `limit` values equal to `value`, the first or the last ones. Returns how many. */
size_t chunks_remove_equal(struct chunks *chunks, struct bytes value, bool last_ones, size_t limit);

#endif
