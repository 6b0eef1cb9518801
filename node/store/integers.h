/*
 * Integers in ascending order in a block of bytes, all of them as wide as the widest needs: what a
 * small set of integers is. The block is the caller's, who sees to its room. Internal to the store.
 */
#ifndef TORC_NODE_STORE_INTEGERS_H
#define TORC_NODE_STORE_INTEGERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct integers {
    char *data; /* need not be aligned; in the machine's order of bytes */
    uint32_t count;
    uint8_t width; /* bytes of each: 2, 4 or 8 */
};

static inline size_t integers_size(const struct integers *integers)
{
    return (size_t)integers->count * integers->width;
}

/* Bytes that the integer needs: 2, 4 or 8. */
uint8_t integer_width(int64_t value);
int64_t integers_at(const struct integers *integers, uint32_t index);
/* True if it is there. *index: where it is, or where it belongs. */
bool integers_find(const struct integers *integers, int64_t value, uint32_t *index);

/* Makes all of them wider, in place: the block has the room. */
void integers_widen(struct integers *integers, uint8_t width);
/* At the index that integers_find gave, no wider than the others; the block has the room. */
void integers_insert(struct integers *integers, uint32_t index, int64_t value);
void integers_remove(struct integers *integers, uint32_t index);

#endif
