/*
 * How a sorted set lies in memory, for those that make whole ones: zset.c and the dump. Internal to
 * the store.
 */
#ifndef TORC_NODE_STORE_ZSET_FORM_H
#define TORC_NODE_STORE_ZSET_FORM_H

#include "base/codec.h"
#include "node/store/keyspace.h"
#include "node/store/packed.h"
#include "node/store/zset_large.h"

/* Makes the key hold a small set of that run, whatever it held before. 0 or TORC_ENOMEM (nothing
 * changed). */
int zset_put_small(struct keyspace *keys, struct bytes key, uint64_t hash, uint64_t expire_at_ms,
                   const struct packed *run) TORC_MUST_USE;

/* The payload of a dump, docs/protocol.md. */
void zset_dump(const struct object *zset, struct buf *out);
/* Reads it to the end. 0, TORC_ECORRUPT, TORC_ENOMEM; on failure nothing changed. */
int zset_restore(struct keyspace *keys, struct bytes key, uint64_t hash, struct reader *payload,
                 uint64_t expire_at_ms) TORC_MUST_USE;

/* True if what ZADD's options say lets a member have that score; `before` is the one it has. */
static inline bool zset_takes(unsigned conditions, bool present, double before, double score)
{
    if (!present) {
        return (conditions & ZSET_PRESENT) == 0;
    }
    return (conditions & ZSET_ABSENT) == 0 && score != before &&
           ((conditions & ZSET_GREATER) == 0 || score > before) &&
           ((conditions & ZSET_LESS) == 0 || score < before);
}

#endif
