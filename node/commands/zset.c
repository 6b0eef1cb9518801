#include "node/commands/zset.h"

#include "base/error.h"
#include "node/commands/common.h"
#include "node/commands/members.h"
#include "node/resp/number.h"

#include <assert.h>

struct object *zset_find(struct call *call, bool *wrong)
{
    return call_find_typed(call, call->argv[1], call->hash, OBJECT_ZSET, wrong);
}

struct object *zset_find_read(struct call *call, bool *wrong)
{
    return find_typed_read(call, call->argv[1], call->hash, OBJECT_ZSET, wrong);
}

bool zset_change_ok(struct call *call, int error)
{
    return member_change_ok(call, "sorted set", error);
}

bool zset_score_parse(struct call *call, size_t index, double *out)
{
    if (parse_double(call->argv[index], out)) {
        return true;
    }
    reply_error(call->reply, "ERR value is not a valid float");
    return false;
}

/* ---- replies ---- */

enum zset_reply zset_reply_scored(const struct call *call, bool with_scores)
{
    if (!with_scores) {
        return ZSET_REPLY_MEMBERS;
    }
    return call->reply->protocol >= 3 ? ZSET_REPLY_PAIRS : ZSET_REPLY_FLAT;
}

void zset_reply_header(struct call *call, size_t count, enum zset_reply how)
{
    reply_array(call->reply, how == ZSET_REPLY_FLAT ? 2 * count : count);
}

void zset_reply_entry(struct call *call, struct zset_entry entry, enum zset_reply how)
{
    if (how == ZSET_REPLY_PAIRS) {
        reply_array(call->reply, 2);
    }
    reply_bulk(call->reply, entry.member);
    if (how != ZSET_REPLY_MEMBERS) {
        reply_double(call->reply, entry.score);
    }
}

void zset_reply_entries(struct call *call, const struct object *zset, size_t rank, size_t count,
                        bool down, enum zset_reply how)
{
    struct zset_cursor cursor;
    zset_reply_header(call, count, how);
    zset_cursor_init(&cursor, zset, rank, down);
    for (size_t i = 0; i < count; i++) {
        struct zset_entry entry = {{NULL, 0}, 0};
        bool found = zset_next(&cursor, &entry);
        assert(found);
        zset_reply_entry(call, entry, how);
    }
}

void zset_reply_large(struct call *call, const struct zset_large *set, enum zset_reply how)
{
    struct zset_cursor cursor;
    struct zset_entry entry;
    zset_reply_header(call, zset_large_count(set), how);
    zset_cursor_init_large(&cursor, set, 0, false);
    while (zset_next(&cursor, &entry)) {
        zset_reply_entry(call, entry, how);
    }
}

void zset_reply_stored(struct call *call, struct zset_large *set)
{
    struct bytes key = call->argv[1];
    size_t count = zset_large_count(set);
    struct object *zset = call_find(call, key, call->hash);
    if (count == 0) {
        zset_large_destroy(set);
        if (zset != NULL) {
            bool deleted = keyspace_delete(call->keys, key, call->hash);
            assert(deleted);
            call_effect_delete(call, key);
        }
        reply_integer(call->reply, 0);
        return;
    }
    int error = zset_large_arrange(set);
    if (error == TORC_OK) {
        error = keyspace_zset_store(call->keys, key, call->hash, set, &zset);
    }
    if (!zset_change_ok(call, error)) {
        zset_large_destroy(set);
        return;
    }
    keyspace_touch(call->keys, zset, call->now_ms);
    call_effect_verbatim(call);
    reply_integer(call->reply, (int64_t)count);
}

/* ---- ranges ---- */

/* "1.5", "(1.5", "-inf": a score that is in the range, or behind a bracket one that is just not. */
static bool score_limit_parse(struct bytes text, bool greatest, struct zset_limit *out)
{
    bool open = text.size > 0 && text.data[0] == '(';
    if (open) {
        text.data++;
        text.size--;
    }
    *out = (struct zset_limit){.place = LIMIT_BOUND,
                               .bound = {.kind = ZSET_BOUND_SCORE, .behind = open != greatest}};
    return parse_double(text, &out->bound.entry.score);
}

/* "[member", "(member", "-" for the least there can be, "+" for the greatest. */
static bool member_limit_parse(struct bytes text, bool greatest, struct zset_limit *out)
{
    char first = text.size > 0 ? text.data[0] : '\0';
    *out = (struct zset_limit){
        .place = LIMIT_BOUND,
        .bound = {.kind = ZSET_BOUND_MEMBER, .behind = (first == '(') != greatest}};
    if (first == '-' || first == '+') {
        out->place = first == '-' ? LIMIT_LEAST : LIMIT_GREATEST;
        return text.size == 1;
    }
    if (first != '[' && first != '(') {
        return false;
    }
    out->bound.entry.member = (struct bytes){text.data + 1, text.size - 1};
    return true;
}

bool zset_range_parse(struct call *call, size_t index, struct zset_range *range)
{
    struct bytes least = call->argv[index + (range->down ? 1 : 0)];
    struct bytes greatest = call->argv[index + (range->down ? 0 : 1)];
    switch (range->kind) {
    case ZSET_BY_RANK: break;
    case ZSET_BY_SCORE:
        if (!score_limit_parse(least, false, &range->least) ||
            !score_limit_parse(greatest, true, &range->greatest)) {
            reply_error(call->reply, "ERR min or max is not a float");
            return false;
        }
        return true;
    case ZSET_BY_MEMBER:
        if (!member_limit_parse(least, false, &range->least) ||
            !member_limit_parse(greatest, true, &range->greatest)) {
            reply_error(call->reply, "ERR min or max not valid string range item");
            return false;
        }
        return true;
    }
    return call_argument_int64(call, index, &range->first) &&
           call_argument_int64(call, index + 1, &range->last);
}

static struct zset_span rank_span(const struct zset_range *range, size_t count)
{
    int64_t length = (int64_t)count;
    int64_t first = range->first < 0 ? range->first + length : range->first;
    int64_t last = range->last < 0 ? range->last + length : range->last;
    first = first < 0 ? 0 : first;
    last = last >= length ? length - 1 : last;
    if (first > last) {
        return (struct zset_span){0, 0};
    }
    size_t rank = range->down ? count - 1 - (size_t)last : (size_t)first;
    return (struct zset_span){rank, (size_t)(last - first) + 1};
}

static size_t limit_rank(const struct zset_limit *limit, const struct object *zset)
{
    switch (limit->place) {
    case LIMIT_LEAST: return 0;
    case LIMIT_GREATEST: return zset_count(zset);
    case LIMIT_BOUND: break;
    }
    return zset_count_before(zset, &limit->bound);
}

struct zset_span zset_range_in(const struct zset_range *range, const struct object *zset)
{
    if (range->kind == ZSET_BY_RANK) {
        return rank_span(range, zset_count(zset));
    }
    size_t first = limit_rank(&range->least, zset);
    size_t behind = limit_rank(&range->greatest, zset);
    return (struct zset_span){first, behind > first ? behind - first : 0};
}

void zset_remove_span(struct call *call, struct bytes key, uint64_t hash, struct object *zset,
                      struct zset_span span)
{
    keyspace_touch(call->keys, zset, call->now_ms);
    keyspace_zset_remove_ranks(call->keys, key, hash, span.rank, span.count);
}
