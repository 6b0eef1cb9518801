/*
 * Which keys of one slot are kept by clients that want to hear when they change: for each key the
 * watchers that have read it. It knows nothing of clients, only that watchers are told apart by
 * where they are kept and by a number. Made when the first key is noted, gone with the last one, so
 * that a slot of which nobody keeps anything costs a pointer. Whoever calls holds the slot's lock.
 *
 *      tracked ─► key ─► watchers, by place: one at each place, the newest
 *
 * A key is noted once for each watcher and taken out as a whole, when it changes: whoever wants to
 * hear of the next change reads it again. Watchers that are gone are not taken out; their place is
 * given to others in time, so that a key has no more watchers than there are places.
 */
#ifndef TORC_NODE_TRACKED_H
#define TORC_NODE_TRACKED_H

#include "base/attributes.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tracked;

struct watcher {
    void *place; /* what it is to whoever noted it; never freed while it may be noted */
    uint64_t id; /* of the one that is at the place now; grows */
};

/* A key that was taken out; the caller's to free. */
struct tracked_key {
    struct tracked_key *next; /* the table's; in a list of what was taken out, the list's */
    uint64_t hash;
    struct watcher *watchers; /* owned */
    uint32_t count, capacity;
    size_t key_size;
    char key[];
};

static inline struct bytes tracked_key_bytes(const struct tracked_key *key)
{
    return (struct bytes){key->key, key->key_size};
}
void tracked_key_free(struct tracked_key *key);

/* What a noting has changed. */
struct tracked_growth {
    bool key;  /* there was no such key */
    bool item; /* the key has one watcher more */
};

/* Notes that the watcher keeps the key. `hash` is its key_hash. Makes *tracked when it is NULL. 0,
 * or TORC_ENOMEM (nothing noted). The key is copied. */
int tracked_note(struct tracked **tracked, struct bytes key, uint64_t hash, struct watcher watcher,
                 struct tracked_growth *growth) TORC_MUST_USE;
/* Takes a key out; NULL when nobody keeps it. *tracked is NULL when it was the last one. */
struct tracked_key *tracked_take(struct tracked **tracked, struct bytes key, uint64_t hash);
/* Takes any key out, another one for another `seed`; NULL when there is none. */
struct tracked_key *tracked_take_any(struct tracked **tracked, uint64_t seed);
/* Takes out all of which `where` says so: a list by `next`. */
struct tracked_key *tracked_take_where(struct tracked **tracked,
                                       bool (*where)(void *context, const struct tracked_key *key),
                                       void *context);
size_t tracked_count(const struct tracked *tracked);

#endif
