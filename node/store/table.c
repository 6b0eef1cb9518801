#include "node/store/table.h"

#include "base/error.h"
#include "node/store/allocate.h"

#define CURSOR_SHIFT 16 /* a cursor is the upper 48 bits of a hash: room for a slot beside it */
#define RANDOM_TRIES_MAX 512 /* three or four do; so many fail only where hashes were chosen to */

void table_init(struct table *table)
{
    segment_init(&table->root, 0);
    atomic_init(&table->directory, NULL);
    table->memory = 0;
    atomic_init(&table->count, 0);
    atomic_init(&table->expiry_count, 0);
}

static void release_objects(const struct segment *segment)
{
    const uint64_t *entries = segment_entries(segment);
    for (size_t at = 0; at < segment->capacity; at++) {
        if (entries[at] != 0) {
            object_destroy(entry_object(entries[at]));
        }
    }
}

static void release_directory(struct directory *directory)
{
    size_t slots = (size_t)1 << directory->depth;
    for (size_t slot = 0; slot < slots;) {
        struct segment *segment = directory->slots[slot];
        if (segment == NULL) {
            slot++; /* of a clone that was cut short */
            continue;
        }
        slot += (size_t)1 << (directory->depth - segment->depth);
        release_objects(segment);
        segment_destroy(segment);
    }
    directory_destroy(directory);
}

void table_clear(struct table *table)
{
    struct directory *directory = table_directory(table);
    if (directory != NULL) {
        atomic_store_explicit(&table->directory, NULL, memory_order_relaxed);
        release_directory(directory);
    } else {
        release_objects(&table->root);
        segment_deinit(&table->root);
    }
    atomic_store_explicit(&table->count, 0, memory_order_relaxed);
    atomic_store_explicit(&table->expiry_count, 0, memory_order_relaxed);
    table->memory = 0;
}

/* The first hash behind those with that tag; 0 after the last one. */
static uint64_t tag_end_hash(const struct segment *segment, uint64_t hash, uint64_t tag)
{
    unsigned window = window_of_depth(segment->depth);
    uint64_t above = window == 0 ? 0 : hash >> (64 - window) << (64 - window);
    return above + ((tag + 1) << (ADDRESS_BITS - window));
}

/* Visits the objects of a segment whose hash is not before `hash`, and all of one tag or none. Adds
 * to *seen. Returns the first hash that was not visited, 0 if there is none. */
static uint64_t scan_segment(const struct segment *segment, uint64_t hash, size_t budget,
                             size_t *seen, keyspace_visitor *visit, void *context)
{
    const uint64_t *entries = segment_entries(segment);
    uint64_t first_tag = segment_tag(segment, hash);
    uint64_t last_tag = first_tag;
    for (size_t at = segment_home(segment, first_tag); at < segment->capacity; at++) {
        segment_prefetch_ahead(segment, at);
        uint64_t tag = entry_tag(entries[at]);
        if (entries[at] == 0 || tag < first_tag) {
            continue;
        }
        if (*seen >= budget && tag != last_tag) {
            return tag_end_hash(segment, hash, last_tag);
        }
        visit(context, entry_object(entries[at]));
        ++*seen;
        last_tag = tag;
    }
    return segment_end_hash(segment, hash);
}

uint64_t table_scan(struct table *table, uint64_t cursor, size_t budget, keyspace_visitor *visit,
                    void *context)
{
    if (cursor >= (uint64_t)1 << (64 - CURSOR_SHIFT)) {
        return 0; /* not one of ours */
    }
    /* The tables are in the order of the hash. So whatever their sizes are and were, all that comes
     * before the cursor has been visited and nothing else has to be remembered. */
    uint64_t hash = cursor << CURSOR_SHIFT;
    size_t seen = 0;
    budget = budget == 0 ? 1 : budget;
    do {
        hash = scan_segment(table_segment(table, hash), hash, budget, &seen, visit, context);
    } while (hash != 0 && seen < budget);
    return hash >> CURSOR_SHIFT;
}

/* The object at or after a random place: not quite uniform, but always found. */
static struct object *random_nearby(struct table *table, struct prng *prng)
{
    uint64_t hash = prng_next(prng);
    for (;;) {
        const struct segment *segment = table_segment(table, hash);
        size_t start = segment->capacity == 0 ? 0 : (size_t)prng_below(prng, segment->capacity);
        for (size_t i = 0; i < segment->capacity; i++) {
            uint64_t entry = segment_entries(segment)[(start + i) % segment->capacity];
            if (entry != 0) {
                return entry_object(entry);
            }
        }
        hash = segment_end_hash(segment, hash);
    }
}

struct object *table_random(struct table *table, struct prng *prng)
{
    if (table_count(table) == 0) {
        return NULL;
    }
    const struct directory *directory = table_directory(table);
    for (int i = 0; i < RANDOM_TRIES_MAX; i++) {
        /* Every place of every table must be as likely as any other. A segment of depth d is drawn
         * with probability 2^-d, so the range its place is drawn from must be in proportion. */
        const struct segment *segment = &table->root;
        uint64_t range = segment->capacity;
        if (directory != NULL) {
            segment = directory_segment(directory, prng_next(prng));
            range = (uint64_t)directory->capacity_max << (directory->depth - segment->depth);
        }
        uint64_t at = prng_below(prng, range);
        if (at < segment->capacity && segment_entries(segment)[at] != 0) {
            return segment_object(segment, (size_t)at);
        }
    }
    return random_nearby(table, prng);
}

/* Puts copies of the objects of a segment into an empty one of the same depth. Adds to *memory what
 * they and the new entries take. 0 or TORC_ENOMEM, and then the segment may hold some of them. */
static int clone_segment(struct segment *segment, const struct segment *from, uint64_t *memory)
{
    int result = segment_rebuild(segment, segment_entries(from), from->capacity, from->count,
                                 segment_capacity_for(from->count));
    if (result != 0) {
        return result;
    }
    uint64_t *entries = segment_entries(segment);
    bool failed = false;
    for (size_t at = 0; at < segment->capacity; at++) {
        segment_prefetch_ahead(segment, at);
        if (entries[at] == 0) {
            continue;
        }
        struct object *copy = failed ? NULL : object_clone(entry_object(entries[at]));
        failed = copy == NULL;
        *memory += failed ? 0 : object_memory(copy);
        entries[at] = failed ? 0 : entry_make(entry_tag(entries[at]), copy);
    }
    *memory += segment_memory(segment);
    return failed ? TORC_ENOMEM : 0;
}

static int clone_segments(struct directory *directory, const struct directory *from,
                          uint64_t *memory)
{
    size_t slots = (size_t)1 << from->depth;
    for (size_t slot = 0; slot < slots;) {
        const struct segment *source = from->slots[slot];
        struct segment *segment = segment_create(source->depth);
        if (segment == NULL) {
            return TORC_ENOMEM;
        }
        int result = clone_segment(segment, source, memory);
        *memory += store_allocated_size(segment);
        directory->segments_at[segment->depth]++;
        directory_place(directory, segment, (uint64_t)slot << (64 - from->depth));
        if (result != 0) {
            return result;
        }
        slot += (size_t)1 << (from->depth - source->depth);
    }
    return 0;
}

static int clone_all(struct table *table, const struct table *from)
{
    const struct directory *source = table_directory(from);
    if (source == NULL) {
        return clone_segment(&table->root, &from->root, &table->memory);
    }
    struct directory *directory = directory_create(source->depth, NULL);
    if (directory == NULL) {
        return TORC_ENOMEM;
    }
    for (size_t slot = 0; slot < (size_t)1 << source->depth; slot++) {
        directory->slots[slot] = NULL;
    }
    atomic_store_explicit(&table->directory, directory, memory_order_relaxed);
    table->memory += store_allocated_size(directory);
    return clone_segments(directory, source, &table->memory);
}

int table_clone(struct table *table, const struct table *from)
{
    int result = clone_all(table, from);
    if (result != 0) {
        table_clear(table);
        return result;
    }
    table_count_objects(table, (uint32_t)table_count(from));
    return 0;
}
