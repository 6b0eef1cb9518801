/* Walks over the objects of a keyspace: by cursor, by chance, and by the time they expire. */
#include "node/store/keyspace.h"

#define CURSOR_SHIFT 16 /* a cursor is the upper 48 bits of a hash: room for a slot beside it */
#define RANDOM_TRIES_MAX 512 /* three or four do; so many fail only where hashes were chosen to */
#define EVICTION_SAMPLES 8
#define EXPIRY_LOOK_MAX 4096 /* objects one sweep may look at: some tens of microseconds */
#define PREFETCH_AHEAD 8     /* entries ahead of the one being looked at */

static void prefetch_ahead(const struct segment *segment, size_t at)
{
    if (at + PREFETCH_AHEAD < segment->capacity) {
        __builtin_prefetch(segment_object(segment, at + PREFETCH_AHEAD));
    }
}

/* The first hash that belongs to the segment of `hash`. */
static uint64_t segment_first_hash(const struct segment *segment, uint64_t hash)
{
    return segment->depth == 0 ? 0 : hash >> (64 - segment->depth) << (64 - segment->depth);
}

/* The first hash behind the segment; 0 after the last one. */
static uint64_t segment_end_hash(const struct segment *segment, uint64_t hash)
{
    return segment->depth == 0
               ? 0
               : segment_first_hash(segment, hash) + ((uint64_t)1 << (64 - segment->depth));
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
        prefetch_ahead(segment, at);
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

uint64_t keyspace_scan(struct keyspace *keys, uint64_t cursor, size_t budget,
                       keyspace_visitor *visit, void *context)
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
        hash = scan_segment(keyspace_segment(keys, hash), hash, budget, &seen, visit, context);
    } while (hash != 0 && seen < budget);
    return hash >> CURSOR_SHIFT;
}

/* The object at or after a random place: not quite uniform, but always found. */
static struct object *random_nearby(struct keyspace *keys, struct prng *prng)
{
    uint64_t hash = prng_next(prng);
    for (;;) {
        const struct segment *segment = keyspace_segment(keys, hash);
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

struct object *keyspace_random(struct keyspace *keys, struct prng *prng)
{
    if (keyspace_count(keys) == 0) {
        return NULL;
    }
    const struct directory *directory = keyspace_directory(keys);
    for (int i = 0; i < RANDOM_TRIES_MAX; i++) {
        /* Every place of every table must be as likely as any other. A segment of depth d is drawn
         * with probability 2^-d, so the range its place is drawn from must be in proportion. */
        const struct segment *segment = &keys->root;
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
    return random_nearby(keys, prng);
}

void keyspace_set_hint(struct keyspace *keys, uint64_t hash, uint64_t next_expiry_ms)
{
    struct segment *segment = keyspace_segment(keys, hash);
    segment->next_expiry_ms = next_expiry_ms;
    if (segment != &keys->root) {
        directory_update_soonest(keyspace_directory(keys), segment, hash);
    }
}

void keyspace_expect_expiry(struct keyspace *keys, uint64_t hash, uint64_t expire_at_ms)
{
    if (expire_at_ms < keyspace_segment(keys, hash)->next_expiry_ms) {
        keyspace_set_hint(keys, hash, expire_at_ms);
    }
}

uint64_t keyspace_next_expiry_ms(const struct keyspace *keys)
{
    const struct directory *directory = keyspace_directory(keys);
    uint64_t next = directory == NULL ? keys->root.next_expiry_ms : directory->soonest[1];
    return next == EXPIRY_NONE ? 0 : next;
}

/* Finds a segment with a hint not later than the limit whose hashes are not before *hash, and moves
 * *hash to it. NULL if there is none. */
static struct segment *next_due(struct keyspace *keys, uint64_t *hash, uint64_t limit_ms)
{
    const struct directory *directory = keyspace_directory(keys);
    if (directory == NULL) {
        return *hash == 0 && keys->root.next_expiry_ms <= limit_ms ? &keys->root : NULL;
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

/* Visits the expired of one segment and sets its hint to what it found, if it got to the end. */
static void sweep_segment(struct sweep *sweep, struct segment *segment, uint64_t hash)
{
    uint64_t soonest_ms = EXPIRY_NONE;
    size_t at = 0;
    sweep->looked += segment->count;
    segment->pinned = true;
    while (at < segment->capacity) {
        prefetch_ahead(segment, at);
        struct object *object = segment_object(segment, at);
        uint64_t expire_at_ms = object == NULL ? 0 : object_expire_at_ms(object);
        uint32_t count = segment->count;
        if (object_expired_at(expire_at_ms, sweep->now_ms)) {
            if (sweep->visited == sweep->budget) {
                break;
            }
            sweep->visited++;
            sweep->visit(sweep->context, sweep->keys, object);
        }
        if (segment->count == count) {
            soonest_ms = expire_at_ms != 0 && expire_at_ms < soonest_ms ? expire_at_ms : soonest_ms;
            at++;
        }
        /* Otherwise it was deleted, and what stood behind it may have moved to its place. */
    }
    segment->pinned = false;
    if (at >= segment->capacity) {
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
        segment = keyspace_segment(keys, hash);
        bool merged = segment->depth < depth;
        hash = merged ? segment_first_hash(segment, hash) : end;
        ended = !merged && end == 0;
    }
    return sweep.visited;
}

/* The soonest to expire of the segment whose hint is the soonest. */
static struct object *soonest_to_expire(struct keyspace *keys)
{
    uint64_t next_ms = keyspace_next_expiry_ms(keys);
    while (next_ms != 0) {
        uint64_t hash = 0;
        const struct segment *segment = next_due(keys, &hash, next_ms);
        assert(segment != NULL);
        struct object *soonest = NULL;
        uint64_t soonest_ms = EXPIRY_NONE;
        for (size_t at = 0; at < segment->capacity; at++) {
            prefetch_ahead(segment, at);
            struct object *object = segment_object(segment, at);
            uint64_t expire_at_ms = object == NULL ? 0 : object_expire_at_ms(object);
            if (expire_at_ms != 0 && expire_at_ms <= soonest_ms) {
                soonest = object;
                soonest_ms = expire_at_ms;
            }
        }
        keyspace_set_hint(keys, hash, soonest_ms);
        if (soonest != NULL) {
            return soonest;
        }
        next_ms = keyspace_next_expiry_ms(keys);
    }
    return NULL;
}

static struct object *pick_longest_idle(struct keyspace *keys, uint64_t now_ms, struct prng *prng)
{
    struct object *picked = keyspace_random(keys, prng);
    for (int i = 1; picked != NULL && i < EVICTION_SAMPLES; i++) {
        struct object *object = keyspace_random(keys, prng);
        if (object_idle_ms(object, now_ms) > object_idle_ms(picked, now_ms)) {
            picked = object;
        }
    }
    return picked;
}

static struct object *pick_soonest_expiry(struct keyspace *keys, struct prng *prng)
{
    struct object *picked = NULL;
    for (int i = 0; keyspace_expiry_count(keys) > 0 && i < EVICTION_SAMPLES; i++) {
        struct object *object = keyspace_random(keys, prng);
        uint64_t expire_at_ms = object_expire_at_ms(object);
        if (expire_at_ms != 0 && (picked == NULL || expire_at_ms < object_expire_at_ms(picked))) {
            picked = object;
        }
    }
    return picked == NULL && keyspace_expiry_count(keys) > 0 ? soonest_to_expire(keys) : picked;
}

struct object *keyspace_evict_pick(struct keyspace *keys, enum eviction_policy policy,
                                   uint64_t now_ms, struct prng *prng)
{
    switch (policy) {
    case EVICTION_NONE: break;
    case EVICTION_LRU: return pick_longest_idle(keys, now_ms, prng);
    case EVICTION_TTL: return pick_soonest_expiry(keys, prng);
    case EVICTION_RANDOM: return keyspace_random(keys, prng);
    }
    return NULL;
}
