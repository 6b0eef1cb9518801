/*
 * What a keyspace and a store are made of. Internal to the store; the public face is store.h.
 *
 *      keyspace ── root (a segment)                                  up to about a thousand keys
 *      keyspace ── directory ── segment, segment, segment, ...       more: see directory.h
 */
#ifndef TORC_NODE_STORE_KEYSPACE_H
#define TORC_NODE_STORE_KEYSPACE_H

#include "base/limits.h"
#include "node/store/directory.h"
#include "node/store/segment.h"
#include "node/store/store.h"

#include <stdalign.h>
#include <stdatomic.h>

#define CACHE_LINE 64

/* One cache line, so that two slots never share one and a lookup reads only one. */
struct keyspace {
    /* slot lock; entries and span are also read by a prefetch without it */
    alignas(CACHE_LINE) struct segment root; /* unused while there is a directory */
    _Atomic(struct directory *) directory;
    uint64_t memory; /* bytes in objects and tables */
    /* written under the slot lock, read by anyone */
    _Atomic uint32_t count;
    _Atomic uint32_t expiry_count;
    /* slot lock */
    int32_t pending; /* bytes of `memory` that the store's total does not know of yet */
    uint16_t slot;
};
static_assert(sizeof(struct keyspace) == CACHE_LINE, "one line a keyspace");

struct store {
    alignas(CACHE_LINE) _Atomic size_t memory; /* any thread; see keyspace_account */
    _Atomic uint32_t expiring; /* any thread; keyspaces with an expiry in them: seldom changes */
    struct keyspace keyspaces[SLOT_COUNT];
};

static inline struct directory *keyspace_directory(const struct keyspace *keys)
{
    return atomic_load_explicit(&keys->directory, memory_order_relaxed);
}

/* The segment that a key of that hash is in, or would be. */
static inline struct segment *keyspace_segment(struct keyspace *keys, uint64_t hash)
{
    struct directory *directory = keyspace_directory(keys);
    return TORC_LIKELY(directory == NULL) ? &keys->root : directory_segment(directory, hash);
}

/* Where a key is. Good until the next change of the table. */
struct place {
    struct segment *segment;
    size_t at; /* SEGMENT_NOT_FOUND if the key is absent */
};

static inline struct place keyspace_place(struct keyspace *keys, struct bytes key, uint64_t hash)
{
    struct segment *segment = keyspace_segment(keys, hash);
    return (struct place){segment, segment_find(segment, key, hash)};
}

/* The object there; NULL if the key is absent. */
static inline struct object *place_object(struct place place)
{
    return place.at == SEGMENT_NOT_FOUND ? NULL : segment_object(place.segment, place.at);
}

/* Makes the key of the draft hold what the draft says, replacing what was there. *out may be NULL.
 * 0 or TORC_ENOMEM (nothing changed; what the draft keeps outside is still the caller's). */
int keyspace_put(struct keyspace *keys, uint64_t hash, const struct object_draft *draft,
                 struct object **out) TORC_MUST_USE;
/* Sets the size of a text or packed value, keeping its beginning, zero-filling what is new; `slack`
 * bytes more are allocated where it has to move to grow. 0 or TORC_ENOMEM (nothing changed). */
int keyspace_resize_at(struct keyspace *keys, struct place place, size_t size,
                       size_t slack) TORC_MUST_USE;
/* The same for a smaller size, where failing is no choice: without memory it stays where it is. */
void keyspace_shrink_at(struct keyspace *keys, struct place place, size_t size);
/* Replaces the value at a place by another of the same type, keeping key, expiry and last access.
 * `value` NULL: left for the caller to write. 0 or TORC_ENOMEM (nothing changed). */
int keyspace_replace_at(struct keyspace *keys, struct place place, enum object_encoding encoding,
                        struct bytes value) TORC_MUST_USE;

/* Adds to the memory of the keyspace and, in lumps, to that of the store. */
void keyspace_account(struct keyspace *keys, int64_t delta);

/* Adds to the number of objects that have an expiry. */
void keyspace_count_expiries(struct keyspace *keys, int64_t delta);

/* Makes room for one more key of that hash. 0 or TORC_ENOMEM (no key moved or lost). */
int keyspace_make_room(struct keyspace *keys, uint64_t hash) TORC_MUST_USE;
/* Gives back what deletions around that hash made superfluous. */
void keyspace_give_room(struct keyspace *keys, uint64_t hash);

/* States that an object of that hash expires then: pulls the hints down where they are later. */
void keyspace_expect_expiry(struct keyspace *keys, uint64_t hash, uint64_t expire_at_ms);
/* Sets the hint of the segment after a walk has found the truth. */
void keyspace_set_hint(struct keyspace *keys, uint64_t hash, uint64_t next_expiry_ms);

#endif
