/*
 * What a keyspace and a store are made of: a table of objects for each slot, and their memory added
 * up. Internal to the store; the public face is store.h.
 */
#ifndef TORC_NODE_STORE_KEYSPACE_H
#define TORC_NODE_STORE_KEYSPACE_H

#include "base/limits.h"
#include "node/store/eviction.h"
#include "node/store/store.h"
#include "node/store/table.h"

#include <stdalign.h>

#define CACHE_LINE 64
#define FILLED_WORDS ((SLOT_COUNT + 63) / 64)

/* One cache line, so that two slots never share one and a lookup reads only one. */
struct keyspace {
    alignas(CACHE_LINE) struct table table;
    /* slot lock */
    int32_t pending; /* bytes of the table's memory that the store's total does not know of yet */
    uint16_t slot;
};
static_assert(sizeof(struct keyspace) == CACHE_LINE, "one line a keyspace");

struct store {
    alignas(CACHE_LINE) _Atomic size_t memory; /* any thread; see keyspace_account */
    _Atomic size_t freeing;                    /* any thread; of that, bytes of `remains` */
    _Atomic(struct remains *) remains;         /* any thread; see remains.h */
    _Atomic uint32_t expiring; /* any thread; keyspaces with an expiry in them: seldom changes */
    _Atomic uint64_t filled[FILLED_WORDS]; /* any thread; a bit for each keyspace that has keys */
    struct eviction *eviction;             /* constant; its own, or that of another store */
    alignas(CACHE_LINE) struct eviction own_eviction;
    struct keyspace keyspaces[SLOT_COUNT];
};

static inline struct store *keyspace_store(struct keyspace *keys)
{
    return (struct store *)(void *)((char *)(keys - keys->slot) -
                                    offsetof(struct store, keyspaces));
}

static inline struct place keyspace_place(struct keyspace *keys, struct bytes key, uint64_t hash)
{
    return table_place(&keys->table, key, hash);
}

/* Makes the key of the draft hold what the draft says, and expire then (0 = never), replacing what
 * was there. *out may be NULL. 0 or TORC_ENOMEM (nothing changed; what the draft keeps outside is
 * still the caller's). */
int keyspace_put(struct keyspace *keys, uint64_t hash, const struct object_draft *draft,
                 uint64_t expire_at_ms, struct object **out) TORC_MUST_USE;
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
/* Tells the store, in lumps, by how much the table's memory has changed since it was `before`. */
void keyspace_settle(struct keyspace *keys, uint64_t before);

/* After keys came or went: says whether there are any. */
void keyspace_note_filled(struct keyspace *keys);

/* Adds to the number of objects that have an expiry. */
void keyspace_count_expiries(struct keyspace *keys, int64_t delta);

/* Gives back what deletions around that hash made superfluous. */
static inline void keyspace_give_room(struct keyspace *keys, uint64_t hash)
{
    if (TORC_UNLIKELY(table_is_wasteful(&keys->table, hash))) {
        uint64_t before = keys->table.memory;
        table_give_room(&keys->table, hash);
        keyspace_settle(keys, before);
    }
}

/* States that an object of that hash expires then: pulls the hints down where they are later. */
void keyspace_expect_expiry(struct keyspace *keys, uint64_t hash, uint64_t expire_at_ms);
/* Sets the hint of the segment after a walk has found the truth. */
void keyspace_set_hint(struct keyspace *keys, uint64_t hash, uint64_t next_expiry_ms);

#endif
