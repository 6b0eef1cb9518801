#include "node/store/packed.h"

#include <assert.h>

char *packed_write(char *at, struct bytes value)
{
    size_t mark = packed_mark_size(value.size);
    char *end = at + mark + value.size;
    if (mark == 1) {
        *at = (char)value.size;
        *end = (char)value.size;
    } else {
        assert(value.size <= UINT32_MAX);
        uint32_t size = (uint32_t)value.size;
        *at = (char)PACKED_LONG;
        memcpy(at + 1, &size, sizeof(size));
        memcpy(end, &size, sizeof(size));
        end[sizeof(size)] = (char)PACKED_LONG;
    }
    if (value.size > 0) {
        memcpy(at + mark, value.data, value.size);
    }
    return end + mark;
}

uint32_t packed_seek(const struct packed *run, uint32_t index)
{
    assert(index <= run->count);
    struct bytes value;
    const char *at;
    if (index <= run->count / 2) {
        at = run->data + run->start;
        for (uint32_t i = 0; i < index; i++) {
            at = packed_read(at, &value);
        }
    } else {
        at = run->data + run->end;
        for (uint32_t i = run->count; i > index; i--) {
            at = packed_read_back(at, &value);
        }
    }
    return (uint32_t)(at - run->data);
}

/* The part of the run before `offset` goes to `start`, and the rest to `rest`. */
static void spread(struct packed *run, uint32_t offset, uint32_t start, uint32_t rest)
{
    uint32_t before = offset - run->start;
    uint32_t behind = run->end - offset;
    /* Both may move the same way: the one that is ahead goes first. */
    if (start > run->start) {
        memmove(run->data + rest, run->data + offset, behind);
        memmove(run->data + start, run->data + run->start, before);
    } else {
        memmove(run->data + start, run->data + run->start, before);
        memmove(run->data + rest, run->data + offset, behind);
    }
    run->start = start;
    run->end = rest + behind;
}

char *packed_open(struct packed *run, uint32_t offset, uint32_t size)
{
    assert(packed_room(run) >= size);
    uint32_t before = offset - run->start;
    uint32_t behind = run->end - offset;
    uint32_t start = run->start;
    bool near_start = before <= behind;
    if (near_start && start >= size) {
        start -= size;
    } else if (near_start || run->capacity - run->end < size) {
        /* No room at the end that is near. What is left goes to both, so that a run which is added
         * to at one end and taken from at the other is moved as a whole only once in a while. */
        start = (packed_room(run) - size) / 2;
    }
    spread(run, offset, start, start + before + size);
    return run->data + start + before;
}

void packed_insert(struct packed *run, uint32_t offset, struct bytes value)
{
    packed_write(packed_open(run, offset, (uint32_t)packed_entry_size(value.size)), value);
    run->count++;
}

void packed_remove(struct packed *run, uint32_t from, uint32_t to, uint32_t count)
{
    assert(count <= run->count);
    uint32_t before = from - run->start;
    uint32_t behind = run->end - to;
    if (before < behind) {
        memmove(run->data + to - before, run->data + run->start, before);
        run->start += to - from;
    } else {
        memmove(run->data + from, run->data + to, behind);
        run->end -= to - from;
    }
    run->count -= count;
}

uint32_t packed_count_equal(const struct packed *run, struct bytes value)
{
    const char *at = run->data + run->start;
    uint32_t found = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        struct bytes here;
        at = packed_read(at, &here);
        found += bytes_equal(here, value) ? 1 : 0;
    }
    return found;
}

uint32_t packed_remove_equal(struct packed *run, struct bytes value, uint32_t skip, size_t limit)
{
    const char *at = run->data + run->start;
    const char *end = run->data + run->end;
    char *kept = run->data + run->start;
    uint32_t removed = 0;
    while (at < end && removed < limit) {
        struct bytes here;
        const char *next = packed_read(at, &here);
        bool equal = bytes_equal(here, value);
        if (equal && skip == 0) {
            removed++;
        } else {
            skip -= equal ? 1 : 0;
            /* Nothing has to move before the first one is gone. */
            if (kept != at) {
                memmove(kept, at, (size_t)(next - at));
            }
            kept += next - at;
        }
        at = next;
    }
    if (removed > 0) {
        memmove(kept, at, (size_t)(end - at));
        run->end -= (uint32_t)(at - kept);
        run->count -= removed;
    }
    return removed;
}
