/*
 * The order of a sorted set: by score, and by the bytes of the members where scores are equal. An
 * entry, and a bound, which is a place between entries. Pure values.
 */
#ifndef TORC_NODE_STORE_ZSET_BOUND_H
#define TORC_NODE_STORE_ZSET_BOUND_H

#include "base/bytes.h"

#include <stdbool.h>
#include <string.h>

struct zset_entry {
    struct bytes member;
    double score; /* never NaN; held as 0 if it is -0, which is equal to it */
};

enum zset_bound_kind {
    ZSET_BOUND_ENTRY,  /* by score and member */
    ZSET_BOUND_SCORE,  /* by score alone */
    ZSET_BOUND_MEMBER, /* by member alone: of sets in which all scores are the same */
};

struct zset_bound {
    enum zset_bound_kind kind;
    bool behind; /* what is equal lies before the bound; else behind it */
    struct zset_entry entry;
};

/* < 0, 0, > 0: as memcmp, and what only goes on is greater. */
static inline int member_compare(struct bytes a, struct bytes b)
{
    size_t both = a.size < b.size ? a.size : b.size;
    int compared = both == 0 ? 0 : memcmp(a.data, b.data, both);
    return compared != 0 ? compared : (a.size > b.size) - (a.size < b.size);
}

/* True if the entry lies before the bound. */
static inline bool zset_lies_before(struct zset_entry entry, const struct zset_bound *bound)
{
    if (bound->kind != ZSET_BOUND_MEMBER && entry.score != bound->entry.score) {
        return entry.score < bound->entry.score;
    }
    if (bound->kind == ZSET_BOUND_SCORE) {
        return bound->behind;
    }
    int compared = member_compare(entry.member, bound->entry.member);
    return compared < 0 || (compared == 0 && bound->behind);
}

#endif
