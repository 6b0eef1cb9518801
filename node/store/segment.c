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
    segment->expiry_size = 0;
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
    to->expiry_size = from->expiry_size;
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

/* Of the entry that was put at a place, to which those up to a gap have made room. */
static void insert_expiry(struct segment *segment, size_t at, size_t gap, uint64_t expire_at_ms)
{
    expiries_move(segment_expiries(segment), at + 1, at, gap - at);
    segment_set_expiry(segment, at, expire_at_ms);
}

bool segment_insert(struct segment *segment, uint64_t hash, struct object *object,
                    uint64_t expire_at_ms)
{
    size_t capacity = segment->capacity;
    if (segment->count >= fill_limit(capacity) || !segment_fits_expiry(segment, expire_at_ms)) {
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
    if (TORC_UNLIKELY(segment->expiry_size != 0)) {
        insert_expiry(segment, at, gap, expire_at_ms);
    }
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
    struct expiries expiries = segment_expiries(segment);
    memmove(&entries[at], &entries[at + 1], (end - at - 1) * sizeof(entries[0]));
    expiries_move(expiries, at, at + 1, end - at - 1);
    entries[end - 1] = 0;
    expiries_set(expiries, end - 1, 0);
    segment->count--;
}

/* Puts the entries at their homes or, where that is taken, right behind the one before. Without a
 * table it only finds out how far that goes. Returns one past the last place. */
static size_t spread(unsigned depth, const struct entry_run *from, uint32_t span, uint64_t *entries)
{
    const uint64_t *source = from->entries;
    size_t length = from->length;
    size_t end = 0;
    for (size_t i = 0; i < length; i++) {
        if (source[i] == 0) {
            continue;
        }
        size_t home = home_at_depth(depth, entry_tag(source[i]), span);
        size_t at = home > end ? home : end;
        if (entries != NULL) {
            entries[at] = source[i];
        }
        end = at + 1;
    }
    return end;
}

/* Puts the expiries beside the entries, which have been spread. */
static void spread_expiries(const struct entry_run *from, const struct entry_run *to)
{
    size_t at = 0;
    for (size_t i = 0; i < from->length; i++) {
        if (from->entries[i] != 0) {
            while (to->entries[at] == 0) {
                at++;
            }
            expiries_set(to->expiries, at++, expiries_get(from->expiries, i));
        }
    }
}

/* A table of at least that many entries, of as many as the allocator gave room for, without
 * anything in them. Entries NULL without memory. */
static struct entry_run create_table(size_t capacity, unsigned expiry_size)
{
    size_t each = sizeof(uint64_t) + expiry_size;
    uint64_t *entries = store_allocate(capacity * each);
    size_t length = store_allocated_size(entries) / each;
    return (struct entry_run){entries, entries_expiries(entries, length, expiry_size), length};
}

static int rebuild(struct segment *segment, const struct entry_run *from, size_t count,
                   size_t capacity, unsigned expiry_size)
{
    assert(capacity >= count);
    struct entry_run to = {NULL, {NULL, expiry_size}, 0};
    uint32_t span = 0;
    if (capacity > 0) {
        to = create_table(capacity, expiry_size);
        if (to.entries == NULL) {
            return TORC_ENOMEM;
        }
        span = span_for(to.length);
        size_t end = spread(segment->depth, from, span, NULL);
        if (end > to.length) {
            /* Very many hashes close together, above all at the upper end. It must work all the
             * same. */
            store_release(to.entries);
            to = create_table(end + end / 8, expiry_size);
            if (to.entries == NULL) {
                return TORC_ENOMEM;
            }
        }
        memset(to.entries, 0, to.length * (sizeof(to.entries[0]) + expiry_size));
        spread(segment->depth, from, span, to.entries);
        if (from->expiries.size != 0 && expiry_size != 0) {
            spread_expiries(from, &to);
        }
    }
    store_release(segment_entries(segment));
    install(segment, to.entries, span, to.length);
    segment->count = (uint32_t)count;
    segment->expiry_size = (uint8_t)expiry_size;
    return 0;
}

int segment_rebuild(struct segment *segment, const struct entry_run *from, size_t count,
                    size_t capacity)
{
    return rebuild(segment, from, count, capacity,
                   expiries_size_needed(from->expiries, from->length));
}

/* The same with what it holds, and with room for one more expiry. */
static int rebuild_for(struct segment *segment, size_t capacity, uint64_t expire_at_ms)
{
    struct entry_run from = segment_run(segment);
    unsigned size = expiry_size_for(expire_at_ms);
    if (size < segment->expiry_size) {
        unsigned needed = expiries_size_needed(from.expiries, from.length);
        size = needed > size ? needed : size;
    }
    return rebuild(segment, &from, segment->count, capacity, size);
}

int segment_grow(struct segment *segment, uint64_t expire_at_ms)
{
    size_t step = segment->capacity / 8;
    return rebuild_for(segment, segment->capacity + (step < 2 ? 2 : step), expire_at_ms);
}

int segment_widen(struct segment *segment, uint64_t expire_at_ms)
{
    return rebuild_for(segment, segment->capacity, expire_at_ms);
}

int segment_shrink(struct segment *segment)
{
    struct entry_run from = segment_run(segment);
    return segment_rebuild(segment, &from, segment->count, segment_capacity_for(segment->count));
}
