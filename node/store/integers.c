#include "node/store/integers.h"

#include <assert.h>
#include <string.h>

uint8_t integer_width(int64_t value)
{
    if (value >= INT16_MIN && value <= INT16_MAX) {
        return sizeof(int16_t);
    }
    return value >= INT32_MIN && value <= INT32_MAX ? sizeof(int32_t) : sizeof(int64_t);
}

int64_t integers_at(const struct integers *integers, uint32_t index)
{
    const char *at = integers->data + (size_t)index * integers->width;
    int16_t value16;
    int32_t value32;
    int64_t value64;
    switch (integers->width) {
    case sizeof(value16): memcpy(&value16, at, sizeof(value16)); return value16;
    case sizeof(value32): memcpy(&value32, at, sizeof(value32)); return value32;
    default: memcpy(&value64, at, sizeof(value64)); return value64;
    }
}

static void write_at(struct integers *integers, uint32_t index, int64_t value)
{
    char *at = integers->data + (size_t)index * integers->width;
    int16_t value16 = (int16_t)value;
    int32_t value32 = (int32_t)value;
    switch (integers->width) {
    case sizeof(value16): memcpy(at, &value16, sizeof(value16)); break;
    case sizeof(value32): memcpy(at, &value32, sizeof(value32)); break;
    default: memcpy(at, &value, sizeof(value)); break;
    }
}

bool integers_find(const struct integers *integers, int64_t value, uint32_t *index)
{
    uint32_t low = 0;
    uint32_t high = integers->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (integers_at(integers, middle) < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *index = low;
    return low < integers->count && integers_at(integers, low) == value;
}

void integers_widen(struct integers *integers, uint8_t width)
{
    assert(width >= integers->width);
    struct integers wider = {integers->data, integers->count, width};
    /* From the end: what is written never reaches what is still to be read. */
    for (uint32_t i = integers->count; i > 0; i--) {
        write_at(&wider, i - 1, integers_at(integers, i - 1));
    }
    integers->width = width;
}

void integers_insert(struct integers *integers, uint32_t index, int64_t value)
{
    assert(integer_width(value) <= integers->width);
    char *at = integers->data + (size_t)index * integers->width;
    memmove(at + integers->width, at, (size_t)(integers->count - index) * integers->width);
    integers->count++;
    write_at(integers, index, value);
}

void integers_remove(struct integers *integers, uint32_t index)
{
    char *at = integers->data + (size_t)index * integers->width;
    integers->count--;
    memmove(at, at + integers->width, (size_t)(integers->count - index) * integers->width);
}
