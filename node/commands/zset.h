/*
 * What the handlers of sorted sets share: finding, replying entries, and the ranges that commands
 * name by rank, by score or by member.
 */
#ifndef TORC_NODE_COMMANDS_ZSET_H
#define TORC_NODE_COMMANDS_ZSET_H

#include "node/call.h"
#include "node/store/zset.h"

/* The sorted set of the first key, to be changed; *wrong after it has replied WRONGTYPE. */
struct object *zset_find(struct call *call, bool *wrong);
/* The same, to be read. */
struct object *zset_find_read(struct call *call, bool *wrong);

/* True if a change went well; else replies why not. */
bool zset_change_ok(struct call *call, int error) TORC_MUST_USE;

/* Parses a score, or an increment; else replies that it is no float. */
bool zset_score_parse(struct call *call, size_t index, double *out) TORC_MUST_USE;

/* How entries stand in a reply. */
enum zset_reply {
    ZSET_REPLY_MEMBERS, /* members alone */
    ZSET_REPLY_FLAT,    /* member, score, member, score, ... */
    ZSET_REPLY_PAIRS,   /* an array for each member with its score */
};
/* With scores: flat in RESP2, in pairs in RESP3. */
enum zset_reply zset_reply_scored(const struct call *call, bool with_scores);
void zset_reply_header(struct call *call, size_t count, enum zset_reply how);
void zset_reply_entry(struct call *call, struct zset_entry entry, enum zset_reply how);
/* An array of `count` entries from that rank on, which are there, upwards or down. */
void zset_reply_entries(struct call *call, const struct object *zset, size_t rank, size_t count,
                        bool down, enum zset_reply how);

/* The same of a whole result. */
void zset_reply_large(struct call *call, const struct zset_large *set, enum zset_reply how);

/* Arranges a result and makes the first key hold it, or nothing if it is empty; replies how many
 * entries it has, and tells the replicas. Destroys it, or gives it away. */
void zset_reply_stored(struct call *call, struct zset_large *set);

enum zset_range_kind { ZSET_BY_RANK, ZSET_BY_SCORE, ZSET_BY_MEMBER };

/* One end of a range. */
struct zset_limit {
    enum { LIMIT_LEAST, LIMIT_BOUND, LIMIT_GREATEST } place;
    struct zset_bound bound;
};

/* A range as it was asked for. */
struct zset_range {
    enum zset_range_kind kind;
    bool down;           /* ranks are counted from the greatest, and entries come from there */
    int64_t first, last; /* ranks, both in it; a negative one counts from the end */
    struct zset_limit least, greatest; /* of what is in it */
};

/* What a range is in a set. */
struct zset_span {
    size_t rank; /* of its least entry */
    size_t count;
};

/* Reads the ends at arguments `index` and `index` + 1: with `down` the greater one comes first.
 * False after it has replied. Borrows from call->argv. */
bool zset_range_parse(struct call *call, size_t index, struct zset_range *range) TORC_MUST_USE;
struct zset_span zset_range_in(const struct zset_range *range, const struct object *zset);

/* Removes entries, which are there, and notes the access. The effect is the caller's to tell. */
void zset_remove_span(struct call *call, struct bytes key, uint64_t hash, struct object *zset,
                      struct zset_span span);

#endif
