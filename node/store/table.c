#include "node/store/table.h"

#include "base/error.h"
#include "node/store/allocate.h"

#define RANDOM_TRIES_MAX 512 /* three or four do; so many fail only where hashes were chosen to */

void table_init(struct table *table)
{
    segment_init(&table->root, 0);
    atomic_init(&table->directory, NULL);
    table->memory = 0;
    atomic_init(&table->count, 0);
    atomic_init(&table->expiry_count, 0);
}

static bool directory_free_some(struct directory *directory, struct freeing *freeing)
{
    size_t slots = (size_t)1 << directory->depth;
    while (directory->freed < slots && freeing->budget > 0) {
        struct segment *segment = directory->slots[directory->freed];
        if (segment == NULL) {
            directory->freed++; /* of a clone that was cut short */
            continue;
        }
        if (segment_free_some(segment, freeing)) {
            return true;
        }
        directory->freed += (size_t)1 << (directory->depth - segment->depth);
        freeing_release(freeing, segment);
    }
    if (directory->freed < slots) {
        return true;
    }
    freeing_release(freeing, directory);
    return false;
}

/* Says so; what it held is gone. */
static void set_empty(struct table *table)
{
    /* A prefetch may look at it without the lock. */
    atomic_store_explicit(&table->directory, NULL, memory_order_relaxed);
    atomic_store_explicit(&table->count, 0, memory_order_relaxed);
    atomic_store_explicit(&table->expiry_count, 0, memory_order_relaxed);
    table->memory = 0;
}

bool table_free_some(struct table *table, struct freeing *freeing)
{
    struct directory *directory = table_directory(table);
    if (directory != NULL ? directory_free_some(directory, freeing)
                          : segment_free_some(&table->root, freeing)) {
        return true;
    }
    set_empty(table);
    return false;
}

void table_take(struct table *from, struct table *to)
{
    segment_take(&from->root, &to->root);
    atomic_store_explicit(&to->directory, table_directory(from), memory_order_relaxed);
    table_count_objects(to, (uint32_t)table_count(from));
    to->memory = from->memory;
    set_empty(from);
}

void table_clear(struct table *table)
{
    struct freeing all = FREEING_ALL;
    (void)table_free_some(table, &all);
}

/* The first hash behind those with that tag; 0 after the last one. */
static uint64_t tag_end_hash(const struct segment *segment, uint64_t hash, uint64_t tag)
{
    unsigned window = window_of_depth(segment->depth);
    uint64_t above = window == 0 ? 0 : hash >> (64 - window) << (64 - window);
    return above + ((tag + 1) << (ADDRESS_BITS - window));
}

struct scan {
    size_t budget;
    size_t used; /* of it */
    bool bytes;  /* is what it counts, else objects */
    keyspace_visitor *visit;
    void *context;
};

/* Visits the objects of a segment whose hash is not before `hash`, and all of one tag or none.
 * Returns the first hash that was not visited, 0 if there is none. */
static uint64_t scan_segment(const struct segment *segment, uint64_t hash, struct scan *scan)
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
        if (scan->used >= scan->budget && tag != last_tag) {
            return tag_end_hash(segment, hash, last_tag);
        }
        const struct object *object = entry_object(entries[at]);
        scan->visit(scan->context, object);
        scan->used += scan->bytes ? object_memory(object) : 1;
        last_tag = tag;
    }
    return segment_end_hash(segment, hash);
}

static uint64_t scan_table(struct table *table, uint64_t cursor, struct scan *scan)
{
    if (cursor >= (uint64_t)1 << (64 - TABLE_CURSOR_SHIFT)) {
        return 0; /* not one of ours */
    }
    /* The tables are in the order of the hash. So whatever their sizes are and were, all that comes
     * before the cursor has been visited and nothing else has to be remembered. */
    uint64_t hash = cursor << TABLE_CURSOR_SHIFT;
    scan->budget = scan->budget == 0 ? 1 : scan->budget;
    do {
        hash = scan_segment(table_segment(table, hash), hash, scan);
    } while (hash != 0 && scan->used < scan->budget);
    return table_cursor(hash);
}

uint64_t table_scan(struct table *table, uint64_t cursor, size_t budget, keyspace_visitor *visit,
                    void *context)
{
    struct scan scan = {.budget = budget, .visit = visit, .context = context};
    return scan_table(table, cursor, &scan);
}

uint64_t table_scan_bytes(struct table *table, uint64_t cursor, size_t budget,
                          keyspace_visitor *visit, void *context)
{
    struct scan scan = {.budget = budget, .bytes = true, .visit = visit, .context = context};
    return scan_table(table, cursor, &scan);
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
    struct entry_run run = segment_run(from);
    int result = segment_rebuild(segment, &run, from->count, segment_capacity_for(from->count));
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
