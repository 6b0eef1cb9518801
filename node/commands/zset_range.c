/*
 * Ranges of sorted sets, by rank, score or member: returned, counted, and stored under another key.
 */
#include "base/error.h"
#include "node/commands/handlers.h"
#include "node/commands/zset.h"

/* What a command leaves to its options. */
enum range_option {
    RANGE_KIND = 1 << 0,      /* BYSCORE and BYLEX */
    RANGE_DIRECTION = 1 << 1, /* REV */
    RANGE_SCORES = 1 << 2,    /* WITHSCORES */
};

struct range_options {
    struct zset_range range;
    bool with_scores;
    int64_t offset;
    int64_t limit; /* < 0 = none */
};

/* LIMIT offset count, at argument `index`. */
static bool parse_limit(struct call *call, size_t index, struct range_options *out)
{
    return call_argument_int64(call, index + 1, &out->offset) &&
           call_argument_int64(call, index + 2, &out->limit);
}

/* The options behind the two ends, from argument `index` on. */
static bool parse_words(struct call *call, size_t index, unsigned open, struct range_options *out)
{
    bool kind_told = false;
    for (size_t i = index; i < call->argc; i++) {
        bool kind_open = (open & RANGE_KIND) != 0 && !kind_told;
        if ((open & RANGE_SCORES) != 0 && call_argument_is(call, i, "withscores")) {
            out->with_scores = true;
        } else if (call_argument_is(call, i, "limit") && i + 2 < call->argc) {
            if (!parse_limit(call, i, out)) {
                return false;
            }
            i += 2;
        } else if ((open & RANGE_DIRECTION) != 0 && !out->range.down &&
                   call_argument_is(call, i, "rev")) {
            out->range.down = true;
        } else if (kind_open && call_argument_is(call, i, "bylex")) {
            out->range.kind = ZSET_BY_MEMBER;
            kind_told = true;
        } else if (kind_open && call_argument_is(call, i, "byscore")) {
            out->range.kind = ZSET_BY_SCORE;
            kind_told = true;
        } else {
            call_reply_syntax_error(call);
            return false;
        }
    }
    return true;
}

/* Ends at argument `index` and the next, options behind them. */
static bool range_options_parse(struct call *call, size_t index, unsigned open,
                                struct range_options *out)
{
    out->limit = -1;
    if (!parse_words(call, index + 2, open, out)) {
        return false;
    }
    if (out->limit != -1 && out->range.kind == ZSET_BY_RANK) {
        reply_error(call->reply, "ERR syntax error, LIMIT is only supported in combination with "
                                 "either BYSCORE or BYLEX");
        return false;
    }
    if (out->with_scores && out->range.kind == ZSET_BY_MEMBER) {
        reply_error(call->reply,
                    "ERR syntax error, WITHSCORES not supported in combination with BYLEX");
        return false;
    }
    return zset_range_parse(call, index, &out->range);
}

/* The part of a span that the limit leaves; of ranks there is none. */
static struct zset_span limited(const struct range_options *options, struct zset_span span)
{
    if (options->range.kind == ZSET_BY_RANK) {
        return span;
    }
    if (options->offset < 0 || (uint64_t)options->offset >= span.count) {
        return (struct zset_span){0, 0};
    }
    size_t count = span.count - (size_t)options->offset;
    bool cut = options->limit >= 0 && (uint64_t)options->limit < count;
    size_t kept = cut ? (size_t)options->limit : count;
    size_t skipped = options->range.down ? count - kept : (size_t)options->offset;
    return (struct zset_span){span.rank + skipped, kept};
}

static void reply_range(struct call *call, enum zset_range_kind kind, bool down, unsigned open)
{
    struct range_options options = {.range = {.kind = kind, .down = down}};
    bool wrong;
    if (!range_options_parse(call, 2, open, &options)) {
        return;
    }
    const struct object *zset = zset_find_read(call, &wrong);
    if (wrong) {
        return;
    }
    struct zset_span span = {0, 0};
    if (zset != NULL) {
        span = limited(&options, zset_range_in(&options.range, zset));
    }
    if (span.count == 0) {
        reply_array(call->reply, 0);
        return;
    }
    bool from_top = options.range.down;
    zset_reply_entries(call, zset, from_top ? span.rank + span.count - 1 : span.rank, span.count,
                       from_top, zset_reply_scored(call, options.with_scores));
}

void zrange_command(struct call *call)
{
    reply_range(call, ZSET_BY_RANK, false, RANGE_KIND | RANGE_DIRECTION | RANGE_SCORES);
}

void zrangebylex_command(struct call *call)
{
    reply_range(call, ZSET_BY_MEMBER, false, RANGE_SCORES);
}

void zrangebyscore_command(struct call *call)
{
    reply_range(call, ZSET_BY_SCORE, false, RANGE_SCORES);
}

void zrevrange_command(struct call *call)
{
    reply_range(call, ZSET_BY_RANK, true, RANGE_SCORES);
}

void zrevrangebylex_command(struct call *call)
{
    reply_range(call, ZSET_BY_MEMBER, true, RANGE_SCORES);
}

void zrevrangebyscore_command(struct call *call)
{
    reply_range(call, ZSET_BY_SCORE, true, RANGE_SCORES);
}

/* ---- storing ---- */

/* Entries of a set, which are there, into a result. 0, TORC_ETOOBIG, TORC_ENOMEM. */
static int gather_span(const struct object *zset, struct zset_span span, struct zset_large *result)
{
    struct zset_cursor cursor;
    struct zset_entry entry;
    if (span.count == 0) {
        return 0; /* there may be no set */
    }
    zset_cursor_init(&cursor, zset, span.rank, false);
    for (size_t i = 0; i < span.count && zset_next(&cursor, &entry); i++) {
        int error = zset_large_put(result, entry);
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

void zrangestore_command(struct call *call)
{
    struct range_options options = {.range = {.kind = ZSET_BY_RANK}};
    bool wrong;
    if (!range_options_parse(call, 3, RANGE_KIND | RANGE_DIRECTION, &options)) {
        return;
    }
    struct bytes source = call->argv[2];
    const struct object *zset =
        call_find_typed(call, source, key_hash(source), OBJECT_ZSET, &wrong);
    if (wrong) {
        return;
    }
    struct zset_span span = {0, 0};
    if (zset != NULL) {
        span = limited(&options, zset_range_in(&options.range, zset));
    }
    struct zset_large *result = zset_large_create();
    int error = result == NULL ? TORC_ENOMEM : gather_span(zset, span, result);
    if (zset_change_ok(call, error)) {
        zset_reply_stored(call, result);
    } else {
        zset_large_destroy(result);
    }
}

/* ---- counting ---- */

static void count_range(struct call *call, enum zset_range_kind kind)
{
    struct zset_range range = {.kind = kind};
    bool wrong;
    if (!zset_range_parse(call, 2, &range)) {
        return;
    }
    const struct object *zset = zset_find_read(call, &wrong);
    if (!wrong) {
        reply_integer(call->reply, zset == NULL ? 0 : (int64_t)zset_range_in(&range, zset).count);
    }
}

void zcount_command(struct call *call)
{
    count_range(call, ZSET_BY_SCORE);
}

void zlexcount_command(struct call *call)
{
    count_range(call, ZSET_BY_MEMBER);
}
