/*
 * Sorted sets: unique members, each with a score, in the order of zset_bound.h, under one key of a
 * keyspace. One of up to 128 members of up to 64 bytes lies in its object as one packed run; a
 * larger one keeps a table and a tree outside, see zset_large.h. A sorted set is never empty:
 * removing the last member deletes the key. As everything in the store it is pure, and the caller
 * holds the slot's lock.
 *
 *      small    object { header | key | count u16 | packed run }       OBJECT ENCODING listpack
 *               run: entries by rank, see zset_run.h
 *      large    object { header | key | pointer } ──► zset_large       OBJECT ENCODING skiplist
 *
 * A rank is a place in the order, counted from 0. Everything that can run out of memory leaves the
 * set as it was when it does. Members passed in do not lie in the set that is changed, except where
 * it is said.
 */
#ifndef TORC_NODE_STORE_ZSET_H
#define TORC_NODE_STORE_ZSET_H

#include "base/prng.h"
#include "node/store/store.h"
#include "node/store/zset_bound.h"

/* ---- reading: of an object that is a sorted set ---- */

size_t zset_count(const struct object *zset);
/* False if the member is absent. */
bool zset_score(const struct object *zset, struct bytes member, double *score);
bool zset_rank(const struct object *zset, struct bytes member, size_t *rank, double *score);
/* Entries that lie before the bound. */
size_t zset_count_before(const struct object *zset, const struct zset_bound *bound);

struct zset_large;
struct order_leaf;

/* A walk over the entries, either way. Borrowed from the set: until its next change. */
struct zset_cursor {
    const char *at; /* of a small set: the next pair begins here, or ends, walking down */
    const char *limit;
    const struct order_leaf *leaf; /* of a large one */
    uint32_t index;
    bool large;
    bool down; /* towards rank 0 */
};

/* The first one to come has that rank; none comes if there is no such rank. */
void zset_cursor_init(struct zset_cursor *cursor, const struct object *zset, size_t rank,
                      bool down);
/* False behind the last entry. */
bool zset_next(struct zset_cursor *cursor, struct zset_entry *entry);

/* As keyspace_scan; a small set is visited at once. The value of a member is its score as it is
 * held, which zset_held_score reads. */
uint64_t zset_scan(const struct object *zset, uint64_t cursor, size_t budget, member_visitor *visit,
                   void *context);
/* Visits one, any member as likely. */
void zset_random(const struct object *zset, struct prng *prng, member_visitor *visit,
                 void *context);
double zset_held_score(struct bytes score);

/* ---- changing ---- */

/* Which entries to take, as the options of ZADD. */
enum zset_condition {
    ZSET_ABSENT = 1 << 0,  /* only members that are absent */
    ZSET_PRESENT = 1 << 1, /* only members that are there */
    ZSET_GREATER = 1 << 2, /* of those that are there only to a greater score */
    ZSET_LESS = 1 << 3,    /* to a lesser one */
};

struct zset_change {
    const struct zset_entry *entries;
    size_t count;        /* at least 1 */
    unsigned conditions; /* enum zset_condition */
    bool *taken;         /* out, unless NULL: of each entry, whether it changed something */
    size_t added;        /* out: members that were absent */
    size_t updated;      /* out: changes of a score */
};

/* Adds members and changes scores, one entry after the other; creates the set. *out, which may be
 * NULL, is the set, NULL if there is none. 0, TORC_ETYPE, TORC_ETOOBIG (beyond CONTAINER_SIZE_MAX),
 * TORC_ENOMEM. */
int keyspace_zset_add(struct keyspace *keys, struct bytes key, uint64_t hash,
                      struct zset_change *change, struct object **out) TORC_MUST_USE;

/* For the rest the key holds a sorted set. */

/* False if the member is absent. */
bool keyspace_zset_remove(struct keyspace *keys, struct bytes key, uint64_t hash,
                          struct bytes member);
/* `count` entries from that rank on, all of them there. */
void keyspace_zset_remove_ranks(struct keyspace *keys, struct bytes key, uint64_t hash, size_t rank,
                                size_t count);

/* ---- results: a sorted set without a key ---- */

/* Empty; NULL without memory. Entries are put into it in any order, and then it is arranged. */
struct zset_large *zset_large_create(void);
void zset_large_destroy(struct zset_large *set); /* NULL is allowed */
size_t zset_large_count(const struct zset_large *set);
/* False if the member is absent. */
bool zset_large_score(const struct zset_large *set, struct bytes member, double *score);
/* Before it is arranged: another score for a member that is there, or a new member. 0,
 * TORC_ETOOBIG, TORC_ENOMEM (nothing changed). */
int zset_large_put(struct zset_large *set, struct zset_entry entry) TORC_MUST_USE;
/* Puts everything into order. 0 or TORC_ENOMEM (nothing changed). */
int zset_large_arrange(struct zset_large *set) TORC_MUST_USE;
/* As zset_cursor_init, of a set that is arranged. */
void zset_cursor_init_large(struct zset_cursor *cursor, const struct zset_large *set, size_t rank,
                            bool down);
/* Makes the key hold the set, which is arranged and not empty, without an expiry, whatever it held
 * before. The set is moved on success. *out may be NULL. 0 or TORC_ENOMEM (nothing changed). */
int keyspace_zset_store(struct keyspace *keys, struct bytes key, uint64_t hash,
                        struct zset_large *set, struct object **out) TORC_MUST_USE;

#endif
