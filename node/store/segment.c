#include "node/store/segment.h"

#include "base/error.h"
#include "node/store/allocate.h"

/* Entries that may be in use before the table grows: all of a small one, else seven eighths. */
static size_t fill_limit(size_t capacity)
{
    return capacity <= SEGMENT_DENSE_MAX ? capacity : capacity - capacity / 8;
}

/* Homes of a table: some entries at its end are nobody's home, for those pushed off the last one.
 */
static uint32_t span_for(size_t capacity)
{
    return (uint32_t)(capacity <= SEGMENT_DENSE_MAX ? 1 : capacity - 4 - capacity / 64);
}

size_t segment_capacity_for(size_t count)
{
    return count <= SEGMENT_DENSE_MAX ? count : count + count / 5 + 1;
}

size_t segment_memory(const struct segment *segment)
{
    return store_allocated_size(segment_entries(segment));
}

static void install(struct segment *segment, uint64_t *entries, uint32_t span, size_t capacity)
{
    assert(capacity <= UINT32_MAX);
    /* Relaxed stores, because a prefetch may look at these two without the lock. */
    atomic_store_explicit(&segment->entries, entries, memory_order_relaxed);
    atomic_store_explicit(&segment->span, span, memory_order_relaxed);
    segment->capacity = (uint32_t)capacity;
}

void segment_init(struct segment *segment, unsigned depth)
{
    install(segment, NULL, 0, 0);
    segment->next_expiry_ms = EXPIRY_NONE;
    segment->count = 0;
    segment->depth = (uint8_t)depth;
    segment->pinned = false;
}

void segment_deinit(struct segment *segment)
{
    store_release(segment_entries(segment));
    segment_init(segment, segment->depth);
}

void segment_take(struct segment *from, struct segment *to)
{
    assert(from->depth == to->depth);
    install(to, segment_entries(from), atomic_load_explicit(&from->span, memory_order_relaxed),
            from->capacity);
    to->next_expiry_ms = from->next_expiry_ms;
    to->count = from->count;
    segment_init(from, from->depth);
}

bool segment_free_some(struct segment *segment, struct freeing *freeing)
{
    const uint64_t *entries = segment_entries(segment);
    /* From the end on, which comes down meanwhile. */
    while (segment->capacity > 0 && freeing->budget > 0) {
        size_t at = segment->capacity - 1u;
        if (at >= SEGMENT_PREFETCH_AHEAD) {
            __builtin_prefetch(entry_object(entries[at - SEGMENT_PREFETCH_AHEAD]));
        }
        if (entries[at] != 0 && object_free_some(entry_object(entries[at]), freeing)) {
            return true;
        }
        segment->capacity--;
    }
    if (segment->capacity > 0) {
        return true;
    }
    freeing_release(freeing, segment_entries(segment));
    segment_init(segment, segment->depth);
    return false;
}

struct segment *segment_create(unsigned depth)
{
    struct segment *segment = store_allocate(sizeof(*segment));
    if (segment != NULL) {
        segment_init(segment, depth);
    }
    return segment;
}

void segment_destroy(struct segment *segment)
{
    if (segment != NULL) {
        segment_deinit(segment);
        store_release(segment);
    }
}

bool segment_insert(struct segment *segment, uint64_t hash, struct object *object)
{
    size_t capacity = segment->capacity;
    if (segment->count >= fill_limit(capacity)) {
        return false;
    }
    uint64_t *entries = segment_entries(segment);
    uint64_t tag = segment_tag(segment, hash);
    size_t at = segment_home(segment, tag);
    while (at < capacity && entries[at] != 0 && entry_tag(entries[at]) <= tag) {
        at++;
    }
    size_t gap = at;
    while (gap < capacity && entries[gap] != 0) {
        gap++;
    }
    if (gap >= capacity) {
        return false;
    }
    memmove(&entries[at + 1], &entries[at], (gap - at) * sizeof(entries[0]));
    entries[at] = entry_make(tag, object);
    segment->count++;
    return true;
}

void segment_remove(struct segment *segment, size_t at)
{
    uint64_t *entries = segment_entries(segment);
    size_t end = at + 1;
    while (end < segment->capacity && entries[end] != 0 &&
           segment_home(segment, entry_tag(entries[end])) < end) {
        end++;
    }
    memmove(&entries[at], &entries[at + 1], (end - at - 1) * sizeof(entries[0]));
    entries[end - 1] = 0;
    segment->count--;
}

/* Puts the entries at their homes or, where that is taken, right behind the one before. Without a
 * table it only finds out how far that goes. Returns one past the last place. */
static size_t spread(unsigned depth, const uint64_t *from, size_t length, uint32_t span,
                     uint64_t *entries)
{
    size_t end = 0;
    for (size_t i = 0; i < length; i++) {
        if (from[i] == 0) {
            continue;
        }
        size_t home = home_at_depth(depth, entry_tag(from[i]), span);
        size_t at = home > end ? home : end;
        if (entries != NULL) {
            entries[at] = from[i];
        }
        end = at + 1;
    }
    return end;
}

int segment_rebuild(struct segment *segment, const uint64_t *from, size_t length, size_t count,
                    size_t capacity)
{
    assert(capacity >= count);
    if (capacity == 0) {
        store_release(segment_entries(segment));
        install(segment, NULL, 0, 0);
        segment->count = 0;
        return 0;
    }
    uint64_t *entries = store_allocate(capacity * sizeof(entries[0]));
    if (entries == NULL) {
        return TORC_ENOMEM;
    }
    /* All that the allocator gave is used. */
    capacity = store_allocated_size(entries) / sizeof(entries[0]);
    uint32_t span = span_for(capacity);
    size_t end = spread(segment->depth, from, length, span, NULL);
    if (end > capacity) {
        /* Very many hashes close together, above all at the upper end. It must work all the same.
         */
        store_release(entries);
        entries = store_allocate((end + end / 8) * sizeof(entries[0]));
        if (entries == NULL) {
            return TORC_ENOMEM;
        }
        capacity = store_allocated_size(entries) / sizeof(entries[0]);
    }
    memset(entries, 0, capacity * sizeof(entries[0]));
    spread(segment->depth, from, length, span, entries);
    store_release(segment_entries(segment));
    install(segment, entries, span, capacity);
    segment->count = (uint32_t)count;
    return 0;
}

int segment_grow(struct segment *segment)
{
    size_t step = segment->capacity / 8;
    size_t capacity = segment->capacity + (step < 2 ? 2 : step);
    return segment_rebuild(segment, segment_entries(segment), segment->capacity, segment->count,
                           capacity);
}

int segment_shrink(struct segment *segment)
{
    return segment_rebuild(segment, segment_entries(segment), segment->capacity, segment->count,
                           segment_capacity_for(segment->count));
}
