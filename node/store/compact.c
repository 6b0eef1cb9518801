/*
 * Moving a keyspace's objects and tables out of pages that are nearly empty. What large containers
 * keep outside of their objects stays where it is.
 */
#include "node/store/allocate.h"
#include "node/store/keyspace.h"
#include "node/store/sparse.h"

struct compaction {
    size_t moved;  /* objects */
    int64_t delta; /* bytes: a block may be larger where it is now */
};

/* Moves a block; NULL if it stays. */
static void *move(struct compaction *compaction, void *block)
{
    size_t before = store_allocated_size(block);
    void *moved = sparse_move(block);
    if (moved != NULL) {
        compaction->delta += (int64_t)store_allocated_size(moved) - (int64_t)before;
    }
    return moved;
}

/* Moves the sparse ones of some objects, whose entries are at those places. */
static void move_objects(struct compaction *compaction, uint64_t *entries, const size_t *places,
                         void *const *objects, unsigned count)
{
    for (uint32_t sparse = sparse_blocks(objects, count); sparse != 0; sparse &= sparse - 1) {
        unsigned i = (unsigned)__builtin_ctz(sparse);
        struct object *object = move(compaction, objects[i]);
        if (object != NULL) {
            uint64_t *entry = &entries[places[i]];
            *entry = entry_make(entry_tag(*entry), object);
            compaction->moved++;
        }
    }
}

static void compact_segment(struct compaction *compaction, struct segment *segment)
{
    void *table = segment_entries(segment);
    void *moved = table != NULL && sparse_blocks(&table, 1) != 0 ? move(compaction, table) : NULL;
    if (moved != NULL) {
        /* A prefetch may look at it without the lock. */
        atomic_store_explicit(&segment->entries, moved, memory_order_relaxed);
    }
    uint64_t *entries = segment_entries(segment);
    size_t places[SPARSE_BLOCKS_MAX];
    void *objects[SPARSE_BLOCKS_MAX];
    unsigned count = 0;
    for (size_t at = 0; at < segment->capacity; at++) {
        if (entries[at] == 0) {
            continue;
        }
        places[count] = at;
        objects[count++] = entry_object(entries[at]);
        if (count == SPARSE_BLOCKS_MAX) {
            move_objects(compaction, entries, places, objects, count);
            count = 0;
        }
    }
    move_objects(compaction, entries, places, objects, count);
}

uint64_t keyspace_compact(struct keyspace *keys, uint64_t cursor, size_t *moved)
{
    uint64_t hash = cursor << TABLE_CURSOR_SHIFT;
    struct segment *segment = table_segment(&keys->table, hash);
    struct compaction compaction = {0};
    compact_segment(&compaction, segment);
    *moved += compaction.moved;
    keyspace_account(keys, compaction.delta);
    return table_cursor(segment_end_hash(segment, hash));
}
