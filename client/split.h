/*
 * Sorts a list of keys into groups of one slot each, so that every group can travel as one command,
 * and remembers where each came from. Pure.
 *
 *      keys    a b c d e          slots 7 3 7 9 3
 *      items   b e | a c | d      groups of slots 3, 7, 9; within a group as given
 */
#ifndef TORC_CLIENT_SPLIT_H
#define TORC_CLIENT_SPLIT_H

#include "base/attributes.h"
#include "torc/torc.h"

#include <stddef.h>
#include <stdint.h>

struct split_item {
    size_t index; /* of the key, as given */
    uint16_t slot;
};

struct split {
    struct split_item *items; /* owned; by slot, then by index */
    size_t count;
};

/* Key i is `stride` * i bytes after the first: keys may lie inside of pairs. *out is the caller's
 * to deinit. 0 or TORC_ENOMEM. */
int split_by_slot(struct split *out, const struct torc_bytes *first, size_t stride,
                  size_t count) TORC_MUST_USE;
void split_deinit(struct split *split);

/* One past the last item of the group that begins at `first`. */
size_t split_group_end(const struct split *split, size_t first);

#endif
