/*
 * A packed run: values one behind the other in one block of bytes, each with its size on both
 * sides, so that a run is walked either way. What small containers are, and what large lists are
 * made of. The block is the caller's, and so is the decision how large it may get. Never leaves
 * memory: docs/protocol.md has the form that does. Internal to the store.
 *
 *      value of up to 253 bytes     [size]      bytes      [size]
 *      longer                       [254][u32]  bytes [u32][254]
 *
 *      block    | free | value value value ... | free |
 *               0      start                   end    capacity
 */
#ifndef TORC_NODE_STORE_PACKED_H
#define TORC_NODE_STORE_PACKED_H

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PACKED_SHORT_MAX 253u /* the largest size that is written as one byte */
#define PACKED_LONG 254u      /* stands for one that takes four more */

struct packed {
    char *data;        /* the block */
    uint32_t capacity; /* of the block */
    uint32_t start;    /* offset of the first value */
    uint32_t end;      /* offset behind the last value */
    uint32_t count;    /* values */
};

/* Bytes of a size, on either side of a value. */
static inline size_t packed_mark_size(size_t size)
{
    return size <= PACKED_SHORT_MAX ? 1 : 1 + sizeof(uint32_t);
}

/* Bytes that a value of that size takes in a run. */
static inline size_t packed_entry_size(size_t size)
{
    return size + 2 * packed_mark_size(size);
}

static inline uint32_t packed_used(const struct packed *run)
{
    return run->end - run->start;
}

static inline uint32_t packed_room(const struct packed *run)
{
    return run->capacity - packed_used(run);
}

/* The value at `at`, and where the next one begins. */
static inline const char *packed_read(const char *at, struct bytes *value)
{
    uint32_t size = (unsigned char)*at;
    if (size == PACKED_LONG) {
        memcpy(&size, at + 1, sizeof(size));
        *value = (struct bytes){at + 1 + sizeof(size), size};
        return value->data + size + sizeof(size) + 1;
    }
    *value = (struct bytes){at + 1, size};
    return value->data + size + 1;
}

/* The value that ends at `end`, and where it begins. */
static inline const char *packed_read_back(const char *end, struct bytes *value)
{
    uint32_t size = (unsigned char)end[-1];
    size_t mark = 1;
    if (size == PACKED_LONG) {
        mark += sizeof(size);
        memcpy(&size, end - mark, sizeof(size));
    }
    *value = (struct bytes){end - mark - size, size};
    return value->data - mark;
}

/* Writes a value; returns where the next one goes. There is room for packed_entry_size bytes. */
char *packed_write(char *at, struct bytes value);

/* Offset of the value with that index; the run's end for its count. From the nearer side. */
uint32_t packed_seek(const struct packed *run, uint32_t index);

/* Makes a gap of `size` bytes before the value at that offset, or at the end. The run has that much
 * room; the caller writes whole values into the gap and adds to `count`. */
char *packed_open(struct packed *run, uint32_t offset, uint32_t size);
void packed_insert(struct packed *run, uint32_t offset, struct bytes value);
/* Removes the `count` values between two offsets. */
void packed_remove(struct packed *run, uint32_t from, uint32_t to, uint32_t count);

uint32_t packed_count_equal(const struct packed *run, struct bytes value);
/* Removes values equal to `value`: not the first `skip` of them, and at most `limit`. Returns how
 * many. `value` does not lie in the run. */
uint32_t packed_remove_equal(struct packed *run, struct bytes value, uint32_t skip, size_t limit);

#endif
