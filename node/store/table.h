/*
 * A table of objects, found by their keys: what a keyspace is, and what lies inside a large hash,
 * set or sorted set. It grows and shrinks by bounded steps, however many objects it holds. Internal
 * to the store; the caller holds the slot's lock.
 *
 *      table ── root (a segment)                                  up to about a thousand objects
 *      table ── directory ── segment, segment, segment, ...       more: see directory.h
 *
 * Every function that takes a hash takes key_hash of the object's key. What a failing function has
 * done to the table besides is only to its room; `memory` is right all the same.
 */
#ifndef TORC_NODE_STORE_TABLE_H
#define TORC_NODE_STORE_TABLE_H

#include "node/store/directory.h"
#include "node/store/freeing.h"
#include "node/store/segment.h"

#include <stdatomic.h>

/* A cursor is the upper 48 bits of a hash: room for a slot beside it. */
#define TABLE_CURSOR_SHIFT 16
#define TABLE_CURSOR_MAX (UINT64_MAX >> TABLE_CURSOR_SHIFT)

/* Where a scan comes across a key of that hash. */
static inline uint64_t table_cursor(uint64_t hash)
{
    return hash >> TABLE_CURSOR_SHIFT;
}

struct table {
    /* entries and span are also read by a prefetch without the lock */
    struct segment root; /* unused while there is a directory */
    _Atomic(struct directory *) directory;
    uint64_t memory; /* bytes in objects and tables, without this structure */
    /* written under the slot lock, read by anyone */
    _Atomic uint32_t count;
    _Atomic uint32_t expiry_count; /* objects with an expiry: for who puts such in, to keep */
};

static inline struct directory *table_directory(const struct table *table)
{
    return atomic_load_explicit(&table->directory, memory_order_relaxed);
}

static inline size_t table_count(const struct table *table)
{
    return atomic_load_explicit(&table->count, memory_order_relaxed);
}

/* The segment that a key of that hash is in, or would be. */
static inline struct segment *table_segment(struct table *table, uint64_t hash)
{
    struct directory *directory = table_directory(table);
    return TORC_LIKELY(directory == NULL) ? &table->root : directory_segment(directory, hash);
}

/* Where a key is. Good until the next change of the table. */
struct place {
    struct segment *segment;
    size_t at; /* SEGMENT_NOT_FOUND if the key is absent */
};

static inline struct place table_place(struct table *table, struct bytes key, uint64_t hash)
{
    struct segment *segment = table_segment(table, hash);
    return (struct place){segment, segment_find(segment, key, hash)};
}

/* The object there; NULL if the key is absent. */
static inline struct object *place_object(struct place place)
{
    return place.at == SEGMENT_NOT_FOUND ? NULL : segment_object(place.segment, place.at);
}

/* When the object there expires; 0 = never. */
static inline uint64_t place_expire_at_ms(struct place place)
{
    return segment_expire_at_ms(place.segment, place.at);
}

/* Makes room for one more key of that hash, which expires then. 0 or TORC_ENOMEM (no key moved or
 * lost). */
int table_make_room(struct table *table, uint64_t hash, uint64_t expire_at_ms) TORC_MUST_USE;
/* Makes room for such an expiry of the keys around that hash. Places are no longer good. 0 or
 * TORC_ENOMEM (nothing changed). */
int table_make_room_for_expiry(struct table *table, uint64_t hash,
                               uint64_t expire_at_ms) TORC_MUST_USE;
/* True if deletions around that hash left so much room that table_give_room has something to do. */
static inline bool table_is_wasteful(struct table *table, uint64_t hash)
{
    const struct segment *segment = table_segment(table, hash);
    return !segment->pinned && segment_is_wasteful(segment);
}
/* Gives back what deletions around that hash made superfluous. */
void table_give_room(struct table *table, uint64_t hash);

static inline void table_count_objects(struct table *table, uint32_t delta)
{
    /* One writer, the holder of the slot's lock: no need for a locked instruction. */
    uint32_t count = atomic_load_explicit(&table->count, memory_order_relaxed);
    atomic_store_explicit(&table->count, count + delta, memory_order_relaxed);
}

/* Adds an object whose key is not there, which expires then, 0 = never; it is moved on success. 0
 * or TORC_ENOMEM. */
static inline int table_insert(struct table *table, uint64_t hash, struct object *object,
                               uint64_t expire_at_ms)
{
    while (!segment_insert(table_segment(table, hash), hash, object, expire_at_ms)) {
        int result = table_make_room(table, hash, expire_at_ms);
        if (result != 0) {
            return result;
        }
    }
    table_count_objects(table, 1);
    table->memory += object_memory(object);
    return 0;
}

/* Puts another object of the same key in the place of one, whose expiry it inherits, and which is
 * returned and the caller's from then on. */
static inline struct object *table_exchange(struct table *table, struct place place,
                                            struct object *object)
{
    uint64_t *entry = &segment_entries(place.segment)[place.at];
    struct object *old = entry_object(*entry);
    *entry = entry_make(entry_tag(*entry), object);
    object_set_expires(object, object_expires(old));
    table->memory += object_memory(object) - object_memory(old);
    return old;
}

/* Takes an object out, which is returned and the caller's from then on. Gives no room back. */
static inline struct object *table_remove(struct table *table, struct place place)
{
    struct object *object = place_object(place);
    segment_remove(place.segment, place.at);
    table_count_objects(table, (uint32_t)-1);
    table->memory -= object_memory(object);
    return object;
}

void table_init(struct table *table);
/* Destroys all objects; the table is as after table_init. */
void table_clear(struct table *table);
/* Fills an empty table with copies of what another holds, which are strings without expiry. 0 or
 * TORC_ENOMEM (still empty). */
int table_clone(struct table *table, const struct table *from) TORC_MUST_USE;

/* Moves all that a table holds to another, which is empty. */
void table_take(struct table *from, struct table *to);
/* Some of what it holds, see freeing.h; at the end it is as after table_init. */
bool table_free_some(struct table *table, struct freeing *freeing);

/* See keyspace_scan and keyspace_random in store.h. */
uint64_t table_scan(struct table *table, uint64_t cursor, size_t budget, keyspace_visitor *visit,
                    void *context);
uint64_t table_scan_bytes(struct table *table, uint64_t cursor, size_t budget,
                          keyspace_visitor *visit, void *context);
struct object *table_random(struct table *table, struct prng *prng);

#endif
