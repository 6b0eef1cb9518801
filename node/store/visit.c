/* Walks over the objects of a keyspace by the time they expire. */
#include "node/store/keyspace.h"

#define EXPIRY_LOOK_MAX 4096 /* objects one sweep may look at: some tens of microseconds */
#define SWEEP_BATCH 32u      /* objects that are pulled before the first of them is visited */

void keyspace_set_hint(struct keyspace *keys, uint64_t hash, uint64_t next_expiry_ms)
{
    struct segment *segment = table_segment(&keys->table, hash);
    segment->next_expiry_ms = next_expiry_ms;
    if (segment != &keys->table.root) {
        directory_update_soonest(table_directory(&keys->table), segment, hash);
    }
}

void keyspace_expect_expiry(struct keyspace *keys, uint64_t hash, uint64_t expire_at_ms)
{
    if (expire_at_ms < table_segment(&keys->table, hash)->next_expiry_ms) {
        keyspace_set_hint(keys, hash, expire_at_ms);
    }
}

uint64_t keyspace_next_expiry_ms(const struct keyspace *keys)
{
    const struct directory *directory = table_directory(&keys->table);
    uint64_t next = directory == NULL ? keys->table.root.next_expiry_ms : directory->soonest[1];
    return next == EXPIRY_NONE ? 0 : next;
}

/* Finds a segment with a hint not later than the limit whose hashes are not before *hash, and moves
 * *hash to it. NULL if there is none. */
static struct segment *next_due(struct keyspace *keys, uint64_t *hash, uint64_t limit_ms)
{
    const struct directory *directory = table_directory(&keys->table);
    if (directory == NULL) {
        return *hash == 0 && keys->table.root.next_expiry_ms <= limit_ms ? &keys->table.root : NULL;
    }
    size_t slot =
        directory_next_due(directory, (size_t)(*hash >> (64 - directory->depth)), limit_ms);
    if (slot == SIZE_MAX) {
        return NULL;
    }
    *hash = (uint64_t)slot << (64 - directory->depth);
    return directory->slots[slot];
}

struct sweep {
    struct keyspace *keys;
    uint64_t now_ms;
    size_t budget;
    size_t visited;
    size_t looked; /* at objects */
    keyspace_expirer *visit;
    void *context;
};

/* Some objects of a segment whose time has come. */
struct batch {
    struct object *objects[SWEEP_BATCH];
    size_t count;
};

/* Gathers up to so many of the due from a place on and pulls them; lowers *soonest_ms to when the
 * others expire. Returns the place of the first that was not looked at. */
static size_t gather_due(const struct segment *segment, size_t at, uint64_t now_ms,
                         size_t count_max, struct batch *batch, uint64_t *soonest_ms)
{
    uint64_t soonest_last_ms = EXPIRY_NONE;
    batch->count = 0;
    for (; at < segment->capacity; at++) {
        /* When it is there for the last time. Of what never expires, 0, that is the end of time. */
        uint64_t last_ms = segment_expire_at_ms(segment, at) - 1;
        if (TORC_LIKELY(last_ms >= now_ms)) {
            soonest_last_ms = last_ms < soonest_last_ms ? last_ms : soonest_last_ms;
            continue;
        }
        if (batch->count == count_max) {
            break;
        }
        struct object *object = segment_object(segment, at);
        __builtin_prefetch(object);
        batch->objects[batch->count++] = object;
    }
    if (soonest_last_ms < *soonest_ms) {
        *soonest_ms = soonest_last_ms + 1;
    }
    return at;
}

/* Visits the expired of one segment. Sets its hint to what it found, if it got to the end and all
 * of them were deleted. */
static void sweep_segment(struct sweep *sweep, struct segment *segment, uint64_t hash)
{
    uint64_t soonest_ms = EXPIRY_NONE;
    size_t at = 0;
    size_t kept = 0;
    bool ended = false;
    struct batch batch;
    sweep->looked += segment->count;
    segment->pinned = true;
    do {
        size_t left = sweep->budget - sweep->visited;
        uint32_t count = segment->count;
        at = gather_due(segment, at, sweep->now_ms, left < SWEEP_BATCH ? left : SWEEP_BATCH, &batch,
                        &soonest_ms);
        ended = at == segment->capacity;
        for (size_t i = 0; i < batch.count; i++) {
            sweep->visit(sweep->context, sweep->keys, batch.objects[i]);
        }
        sweep->visited += batch.count;
        uint32_t deleted = count - segment->count;
        kept += batch.count - deleted;
        /* What stood behind the deleted has moved, by one place for each of them at most. */
        at -= deleted;
    } while (!ended && batch.count > 0);
    segment->pinned = false;
    if (ended && kept == 0) {
        keyspace_set_hint(sweep->keys, hash, soonest_ms);
    }
    keyspace_give_room(sweep->keys, hash);
}

size_t keyspace_expired(struct keyspace *keys, uint64_t now_ms, size_t budget,
                        keyspace_expirer *visit, void *context)
{
    struct sweep sweep = {
        .keys = keys, .now_ms = now_ms, .budget = budget, .visit = visit, .context = context};
    uint64_t hash = 0;
    bool ended = false;
    while (!ended && sweep.visited < budget && sweep.looked < EXPIRY_LOOK_MAX) {
        struct segment *segment = next_due(keys, &hash, now_ms);
        if (segment == NULL) {
            break;
        }
        uint8_t depth = segment->depth;
        uint64_t end = segment_end_hash(segment, hash);
        sweep_segment(&sweep, segment, hash);
        /* Deletions may have made it one with a neighbour, which then is looked at as well. */
        segment = table_segment(&keys->table, hash);
        bool merged = segment->depth < depth;
        hash = merged ? segment_first_hash(segment, hash) : end;
        ended = !merged && end == 0;
    }
    return sweep.visited;
}
