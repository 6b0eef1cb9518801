/* How a table grows and shrinks: by steps of a segment, by splits and by merges. */
#include "base/error.h"
#include "node/store/allocate.h"
#include "node/store/table.h"

/* Two neighbours with no more keys than this between them become one: far from what would make it
 * split again. */
#define MERGED_COUNT_MAX (SEGMENT_COUNT_MAX / 4)

/* Two segments about to take the place of one, or one of two. Nothing of it is visible yet. */
struct halves {
    struct segment *low;
    struct segment *high;
};

static int64_t allocated(const void *block)
{
    return (int64_t)store_allocated_size(block);
}

static int64_t segment_total(const struct segment *segment)
{
    return allocated(segment) + (int64_t)segment_memory(segment);
}

static void account(struct table *table, int64_t delta)
{
    assert(delta >= 0 || (uint64_t)-delta <= table->memory);
    table->memory += (uint64_t)delta;
}

static void set_directory(struct table *table, struct directory *directory)
{
    atomic_store_explicit(&table->directory, directory, memory_order_relaxed);
}

/* A run of nothing yet, with room for so many entries. Entries NULL without memory, else to be
 * released. */
static struct entry_run create_run(size_t capacity, unsigned expiry_size)
{
    uint64_t *entries = store_allocate((capacity + 1) * (sizeof(entries[0]) + expiry_size));
    return (struct entry_run){entries, entries_expiries(entries, capacity, expiry_size), 0};
}

/* Some of a run, from an entry on. */
static struct entry_run part_of_run(const struct entry_run *run, size_t from, size_t length)
{
    struct expiries expiries = run->expiries;
    expiries.bytes += from * expiries.size;
    return (struct entry_run){run->entries + from, expiries, length};
}

/* Adds the entries of a segment to a run, without the gaps. */
static void pack(const struct segment *segment, struct entry_run *run)
{
    const uint64_t *entries = segment_entries(segment);
    for (size_t at = 0; at < segment->capacity; at++) {
        if (entries[at] != 0) {
            run->entries[run->length] = entries[at];
            expiries_set(run->expiries, run->length++, segment_expire_at_ms(segment, at));
        }
    }
}

/* Gives the entries the tags of a depth whose window has moved on, and orders them by those. They
 * are nearly in order, since the old tag was the beginning of the new: insertion sort is linear
 * here. */
static void retag_deeper(struct entry_run *run, unsigned depth)
{
    uint64_t *entries = run->entries;
    for (size_t i = 0; i < run->length; i++) {
        if (i + SEGMENT_PREFETCH_AHEAD < run->length) {
            __builtin_prefetch(entry_object(entries[i + SEGMENT_PREFETCH_AHEAD]));
        }
        struct object *object = entry_object(entries[i]);
        uint64_t entry = entry_make(tag_at_depth(depth, key_hash(object_key(object))), object);
        uint64_t expire_at_ms = expiries_get(run->expiries, i);
        size_t at = i;
        for (; at > 0 && entries[at - 1] > entry; at--) {
            entries[at] = entries[at - 1];
        }
        entries[at] = entry;
        expiries_move(run->expiries, at + 1, at, i - at);
        expiries_set(run->expiries, at, expire_at_ms);
    }
}

/* The other way round the tag is known without the objects: what all had in common comes back. */
static void retag_shallower(uint64_t *entries, size_t count, unsigned depth, uint64_t hash)
{
    uint64_t common = hash << depth >> (64 - WINDOW_STEP);
    for (size_t i = 0; i < count; i++) {
        uint64_t tag = common << (TAG_BITS - WINDOW_STEP) | entry_tag(entries[i]) >> WINDOW_STEP;
        entries[i] = entry_make(tag, entry_object(entries[i]));
    }
}

/* Fills both halves from the old segment. 0 or TORC_ENOMEM. */
static int divide(const struct segment *old, const struct halves *halves)
{
    unsigned depth = halves->low->depth;
    struct entry_run packed = create_run(old->count, old->expiry_size);
    if (packed.entries == NULL) {
        return TORC_ENOMEM;
    }
    pack(old, &packed);
    /* The bit that tells the halves apart is in the old tags, which are in order. */
    unsigned shift = TAG_BITS - 1 - (old->depth - window_of_depth(old->depth));
    size_t low_count = 0;
    while (low_count < packed.length && (entry_tag(packed.entries[low_count]) >> shift & 1) == 0) {
        low_count++;
    }
    struct entry_run low = part_of_run(&packed, 0, low_count);
    struct entry_run high = part_of_run(&packed, low_count, packed.length - low_count);
    if (window_of_depth(depth) != window_of_depth(old->depth)) {
        retag_deeper(&low, depth);
        retag_deeper(&high, depth);
    }
    int result = segment_rebuild(halves->low, &low, low.length, segment_capacity_for(low.length));
    if (result == 0) {
        result =
            segment_rebuild(halves->high, &high, high.length, segment_capacity_for(high.length));
    }
    store_release(packed.entries);
    return result;
}

/* Puts both halves where `old` was, which is freed. */
static void commit_split(struct table *table, struct segment *old, const struct halves *halves,
                         uint64_t hash)
{
    struct directory *directory = table_directory(table);
    unsigned depth = halves->low->depth;
    uint64_t half = (uint64_t)1 << (64 - depth);
    halves->low->next_expiry_ms = old->next_expiry_ms;
    halves->high->next_expiry_ms = old->next_expiry_ms;
    directory->segments_at[depth] += 2;
    directory_place(directory, halves->low, hash & ~half);
    directory_place(directory, halves->high, hash | half);
    int64_t delta = segment_total(halves->low) + segment_total(halves->high);
    if (old == &table->root) {
        delta -= (int64_t)segment_memory(old);
        segment_deinit(old);
    } else {
        directory->segments_at[depth - 1]--;
        delta -= segment_total(old);
        segment_destroy(old);
    }
    account(table, delta);
}

static int split(struct table *table, struct segment *old, uint64_t hash)
{
    struct directory *directory = table_directory(table);
    unsigned depth = old->depth + 1u;
    struct halves halves = {segment_create(depth), segment_create(depth)};
    if (halves.low == NULL || halves.high == NULL || divide(old, &halves) != 0) {
        goto err;
    }
    if (directory == NULL || directory->depth < depth) {
        struct directory *larger = directory_create(depth, directory);
        if (larger == NULL) {
            goto err;
        }
        set_directory(table, larger);
        account(table, allocated(larger) - allocated(directory));
        directory_destroy(directory);
    }
    commit_split(table, old, &halves, hash);
    return 0;
err:
    segment_destroy(halves.low);
    segment_destroy(halves.high);
    return TORC_ENOMEM;
}

/* Hashes chosen to agree in many bits must not make the directory grow without bounds: it may have
 * sixteen times the slots that well-spread keys would need. */
static bool may_split(const struct table *table, const struct segment *segment)
{
    size_t fair = table_count(table) / SEGMENT_COUNT_MAX + 1;
    return segment->count >= SEGMENT_COUNT_MAX && segment->depth < DIRECTORY_DEPTH_MAX &&
           (size_t)1 << segment->depth <= 16 * fair;
}

/* The table of a segment was remade, which held that much memory before. */
static void note_remade(struct table *table, const struct segment *segment, size_t before)
{
    account(table, (int64_t)segment_memory(segment) - (int64_t)before);
    struct directory *directory = table_directory(table);
    if (directory != NULL && segment->capacity > directory->capacity_max) {
        directory->capacity_max = segment->capacity;
    }
}

int table_make_room_for_expiry(struct table *table, uint64_t hash, uint64_t expire_at_ms)
{
    struct segment *segment = table_segment(table, hash);
    size_t before = segment_memory(segment);
    int result = segment_widen(segment, expire_at_ms);
    if (result == 0) {
        note_remade(table, segment, before);
    }
    return result;
}

int table_make_room(struct table *table, uint64_t hash, uint64_t expire_at_ms)
{
    struct segment *segment = table_segment(table, hash);
    if (!segment_fits_expiry(segment, expire_at_ms)) {
        return table_make_room_for_expiry(table, hash, expire_at_ms);
    }
    if (may_split(table, segment) && split(table, segment, hash) == 0) {
        return 0;
    }
    size_t before = segment_memory(segment);
    int result = segment_grow(segment, expire_at_ms);
    if (result == 0) {
        note_remade(table, segment, before);
    }
    return result;
}

/* Fills `merged`, which is one depth less, from both. 0 or TORC_ENOMEM. */
static int unite(const struct halves *halves, struct segment *merged, uint64_t low_hash)
{
    unsigned depth = merged->depth;
    size_t count = halves->low->count + halves->high->count;
    uint8_t low_size = halves->low->expiry_size;
    uint8_t high_size = halves->high->expiry_size;
    struct entry_run packed = create_run(count, low_size > high_size ? low_size : high_size);
    if (packed.entries == NULL) {
        return TORC_ENOMEM;
    }
    pack(halves->low, &packed);
    size_t low_count = packed.length;
    pack(halves->high, &packed);
    if (window_of_depth(depth) != window_of_depth(halves->low->depth)) {
        uint64_t high_hash = low_hash | (uint64_t)1 << (63 - depth);
        unsigned window = window_of_depth(depth);
        retag_shallower(packed.entries, low_count, window, low_hash);
        retag_shallower(packed.entries + low_count, count - low_count, window, high_hash);
    }
    int result = segment_rebuild(merged, &packed, count, segment_capacity_for(count));
    store_release(packed.entries);
    return result;
}

/* After the deepest segments have gone. Without memory the larger directory serves as well. */
static void lower_directory(struct table *table)
{
    struct directory *directory = table_directory(table);
    unsigned depth = directory->depth;
    while (directory->segments_at[depth] == 0) {
        depth--;
    }
    struct directory *smaller =
        depth < directory->depth ? directory_create(depth, directory) : NULL;
    if (smaller != NULL) {
        set_directory(table, smaller);
        account(table, allocated(smaller) - allocated(directory));
        directory_destroy(directory);
    }
}

/* Puts `merged` where both halves were, which are freed. */
static void commit_merge(struct table *table, const struct halves *halves, struct segment *merged,
                         uint64_t low_hash)
{
    struct directory *directory = table_directory(table);
    unsigned depth = merged->depth;
    uint64_t low_ms = halves->low->next_expiry_ms;
    uint64_t high_ms = halves->high->next_expiry_ms;
    merged->next_expiry_ms = low_ms < high_ms ? low_ms : high_ms;
    int64_t delta = -(segment_total(halves->low) + segment_total(halves->high));
    if (merged == &table->root) {
        delta += (int64_t)segment_memory(merged) - allocated(directory);
        set_directory(table, NULL);
        directory_destroy(directory);
    } else {
        halves->high->next_expiry_ms = EXPIRY_NONE;
        directory_update_soonest(directory, halves->high, low_hash | (uint64_t)1 << (63 - depth));
        directory->segments_at[depth + 1] -= 2;
        directory->segments_at[depth]++;
        directory_place(directory, merged, low_hash);
        delta += segment_total(merged);
    }
    segment_destroy(halves->low);
    segment_destroy(halves->high);
    account(table, delta);
}

/* Makes one of the segment of that hash and its neighbour, if both are small. True if it did. */
static bool merge(struct table *table, uint64_t hash)
{
    struct directory *directory = table_directory(table);
    if (directory == NULL) {
        return false;
    }
    unsigned depth = directory_segment(directory, hash)->depth;
    uint64_t half = (uint64_t)1 << (64 - depth);
    uint64_t low_hash = hash & ~half;
    struct halves halves = {directory_segment(directory, low_hash),
                            directory_segment(directory, hash | half)};
    if (halves.low->depth != halves.high->depth || halves.low->pinned || halves.high->pinned ||
        halves.low->count + halves.high->count > MERGED_COUNT_MAX) {
        return false;
    }
    struct segment *merged = depth == 1 ? &table->root : segment_create(depth - 1);
    if (merged == NULL) {
        return false;
    }
    if (unite(&halves, merged, low_hash) != 0) {
        if (merged != &table->root) {
            segment_destroy(merged);
        }
        return false;
    }
    commit_merge(table, &halves, merged, low_hash);
    return true;
}

void table_give_room(struct table *table, uint64_t hash)
{
    if (!table_is_wasteful(table, hash)) {
        return;
    }
    struct segment *segment = table_segment(table, hash);
    int64_t before = (int64_t)segment_memory(segment);
    if (segment_shrink(segment) != 0) {
        return; /* a table that is too large is still a table */
    }
    account(table, (int64_t)segment_memory(segment) - before);
    bool merged = false;
    while (merge(table, hash)) {
        merged = true;
    }
    if (merged && table_directory(table) != NULL) {
        lower_directory(table);
    }
}
