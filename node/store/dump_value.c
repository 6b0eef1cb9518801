#include "node/store/dump_value.h"

#include "node/store/store.h"

#include <assert.h>
#include <stdlib.h>

/* Numbers of the format: they are not bound to those of a packed run. */
#define DUMP_SHORT_MAX 253u
#define DUMP_LONG 254u

void dump_write_value(struct buf *out, struct bytes value)
{
    if (value.size <= DUMP_SHORT_MAX) {
        write_u8(out, (uint8_t)value.size);
        buf_append(out, value.data, value.size);
    } else {
        write_u8(out, DUMP_LONG);
        write_bytes32(out, value);
    }
}

struct bytes dump_read_value(struct reader *payload)
{
    uint8_t size = read_u8(payload);
    if (size == DUMP_LONG) {
        struct bytes value = read_bytes32(payload, UINT32_MAX);
        if (value.size <= DUMP_SHORT_MAX) {
            payload->failed = true; /* one value has one form */
        }
        return value;
    }
    if (size > DUMP_LONG || size > reader_left(payload)) {
        payload->failed = true;
        return (struct bytes){NULL, 0};
    }
    struct bytes value = {(const char *)payload->at, size};
    payload->at += size;
    return value;
}

static struct bytes read_step(struct reader *payload, uint32_t step)
{
    struct bytes value = dump_read_value(payload);
    for (uint32_t i = 1; i < step; i++) {
        dump_read_value(payload);
    }
    return value;
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

bool dump_values_distinct(struct reader payload, uint32_t count, uint32_t step)
{
    assert(count <= DUMP_DISTINCT_MAX);
    uint64_t hashes[DUMP_DISTINCT_MAX];
    struct reader reader = payload;
    for (uint32_t i = 0; i < count; i++) {
        hashes[i] = key_hash(read_step(&reader, step));
    }
    qsort(hashes, count, sizeof(hashes[0]), compare_hashes);
    bool alike = false;
    for (uint32_t i = 1; i < count; i++) {
        alike = alike || hashes[i - 1] == hashes[i];
    }
    if (!alike) {
        return true;
    }
    /* Hashes may agree where values do not: made to, if ever. */
    for (uint32_t i = 0; i < count; i++) {
        struct bytes value = read_step(&payload, step);
        reader = payload;
        for (uint32_t j = i + 1; j < count; j++) {
            if (bytes_equal(read_step(&reader, step), value)) {
                return false;
            }
        }
    }
    return true;
}
