/*
 * A sorted set that lies in no object: what a large one keeps outside of its own, and what results
 * are gathered in. A member and its score are one object, found by the member in a table and by its
 * place in a tree. Internal to the store; the caller holds the slot's lock, and accounts for
 * zset_large_memory, which changes also where a function fails.
 *
 *      zset_large ── table ──► object { header | member | score }
 *                 └─ order ── leaf ──┘
 */
#ifndef TORC_NODE_STORE_ZSET_LARGE_H
#define TORC_NODE_STORE_ZSET_LARGE_H

#include "node/store/order.h"
#include "node/store/table.h"
#include "node/store/zset.h"

struct zset_large {
    struct table table;
    struct order order; /* empty while results are gathered */
    size_t size;        /* bytes of members and scores in a dump */
};

/* What an entry adds to `size`, at most. */
size_t zset_entry_size(struct bytes member);

/* Bytes allocated, the structure included. Constant time. */
size_t zset_large_memory(const struct zset_large *set);
struct zset_large *zset_large_clone(const struct zset_large *set); /* NULL without memory */
bool zset_large_free_some(struct zset_large *set, struct freeing *freeing); /* see freeing.h */

/* NULL if it is absent. */
struct object *zset_large_find(const struct zset_large *set, struct bytes member);
/* Rank of a member that is there. */
size_t zset_large_rank(const struct zset_large *set, const struct object *member);

/* Behind the last one: a member that is absent and greater. 0 or TORC_ENOMEM (nothing changed). */
int zset_large_append(struct zset_large *set, struct zset_entry entry) TORC_MUST_USE;
/* See keyspace_zset_add. 0, TORC_ETOOBIG, TORC_ENOMEM (the set is as it was). */
int zset_large_add(struct zset_large *set, struct zset_change *change) TORC_MUST_USE;
/* The entry of that rank, which is there. */
void zset_large_remove(struct zset_large *set, size_t rank);

#endif
