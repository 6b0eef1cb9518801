/*
 * Commands that remove members of sorted sets. What was removed by a range follows from the range;
 * of what was popped the replicas are told the members.
 */
#include "base/limits.h"
#include "node/commands/common.h"
#include "node/commands/handlers.h"
#include "node/commands/pop_options.h"
#include "node/commands/timeout.h"
#include "node/commands/zset.h"

#include <assert.h>

#define EFFECT_MEMBERS_MAX 128 /* of one ZREM: what a page holds */

static_assert(2 + EFFECT_MEMBERS_MAX <= REQUEST_ARGUMENTS_MAX, "an effect is a request");

void zrem_command(struct call *call)
{
    bool wrong;
    struct object *zset = zset_find(call, &wrong);
    int64_t removed = 0;
    if (wrong) {
        return;
    }
    if (zset != NULL) {
        keyspace_touch(call->keys, zset, call->now_ms);
    }
    for (size_t i = 2; i < call->argc && zset != NULL; i++) {
        if (keyspace_zset_remove(call->keys, call->argv[1], call->hash, call->argv[i])) {
            removed++;
            zset = keyspace_find(call->keys, call->argv[1], call->hash);
        }
    }
    if (removed > 0) {
        call_effect_verbatim(call);
    }
    reply_integer(call->reply, removed);
}

static void remove_range(struct call *call, enum zset_range_kind kind)
{
    struct zset_range range = {.kind = kind};
    bool wrong;
    if (!zset_range_parse(call, 2, &range)) {
        return;
    }
    struct object *zset = zset_find(call, &wrong);
    if (wrong) {
        return;
    }
    struct zset_span span = {0, 0};
    if (zset != NULL) {
        span = zset_range_in(&range, zset);
    }
    if (span.count > 0) {
        zset_remove_span(call, call->argv[1], call->hash, zset, span);
        call_effect_verbatim(call);
    }
    reply_integer(call->reply, (int64_t)span.count);
}

void zremrangebyrank_command(struct call *call)
{
    remove_range(call, ZSET_BY_RANK);
}

void zremrangebyscore_command(struct call *call)
{
    remove_range(call, ZSET_BY_SCORE);
}

void zremrangebylex_command(struct call *call)
{
    remove_range(call, ZSET_BY_MEMBER);
}

/* ---- popping ---- */

/* ZREM key member [member ...], more than once where there are many. */
static void effect_remove(struct call *call, struct bytes key, const struct object *zset,
                          struct zset_span span)
{
    struct bytes argv[2 + EFFECT_MEMBERS_MAX];
    struct zset_cursor cursor;
    zset_cursor_init(&cursor, zset, span.rank, false);
    argv[0] = BYTES_LITERAL("ZREM");
    argv[1] = key;
    size_t argc = 2;
    for (size_t i = 0; i < span.count; i++) {
        struct zset_entry entry = {{NULL, 0}, 0};
        bool found = zset_next(&cursor, &entry);
        assert(found);
        argv[argc++] = entry.member;
        if (argc == 2 + EFFECT_MEMBERS_MAX || i + 1 == span.count) {
            call_effect(call, argc, argv);
            argc = 2;
        }
    }
}

/* Replies the entries nearest to an end, which are there, and removes them. */
static void pop_entries(struct call *call, struct bytes key, uint64_t hash, struct object *zset,
                        bool greatest, size_t count, enum zset_reply how)
{
    size_t all = zset_count(zset);
    struct zset_span span = {greatest ? all - count : 0, count};
    zset_reply_entries(call, zset, greatest ? all - 1 : 0, count, greatest, how);
    effect_remove(call, key, zset, span);
    zset_remove_span(call, key, hash, zset, span);
}

static size_t at_most(uint64_t limit, size_t count)
{
    return limit < count ? (size_t)limit : count;
}

static void pop(struct call *call, bool greatest)
{
    bool several = call->argc == 3;
    int64_t limit = 1;
    if (call->argc > 3) {
        call_reply_syntax_error(call);
        return;
    }
    if (several && !pop_limit_parse(call, &limit)) {
        return;
    }
    bool wrong;
    struct object *zset = zset_find(call, &wrong);
    if (wrong) {
        return;
    }
    if (zset == NULL || limit == 0) {
        reply_array(call->reply, 0);
        return;
    }
    pop_entries(call, call->argv[1], call->hash, zset, greatest,
                at_most((uint64_t)limit, zset_count(zset)),
                several ? zset_reply_scored(call, true) : ZSET_REPLY_FLAT);
}

void zpopmin_command(struct call *call)
{
    pop(call, false);
}

void zpopmax_command(struct call *call)
{
    pop(call, true);
}

/* False if none of the sorted sets has any, and nothing was replied. */
static bool pop_first(struct call *call, const struct pop_options *options)
{
    for (size_t i = options->keys; i < options->keys_end; i++) {
        bool wrong;
        struct bytes key = call->argv[i];
        uint64_t hash = key_argument_hash(call, i, options->keys);
        struct object *zset = call_find_typed(call, key, hash, OBJECT_ZSET, &wrong);
        if (wrong) {
            return true;
        }
        if (zset != NULL) {
            reply_array(call->reply, 2);
            reply_bulk(call->reply, key);
            pop_entries(call, key, hash, zset, options->other_end,
                        at_most((uint64_t)options->limit, zset_count(zset)), ZSET_REPLY_PAIRS);
            return true;
        }
    }
    return false;
}

void zmpop_command(struct call *call)
{
    struct pop_options options;
    if (pop_options_parse(call, "min", "max", &options) && !pop_first(call, &options)) {
        reply_null_array(call->reply);
    }
}

/* ---- popping, or waiting ---- */

void bzmpop_command(struct call *call)
{
    struct pop_options options;
    if (pop_options_parse(call, "min", "max", &options) && timeout_ok(call) &&
        !pop_first(call, &options)) {
        call_wait(call, options.keys, options.keys_end - options.keys, OBJECT_ZSET);
    }
}

/* Replies key, member and score, and removes the member. */
static void pop_with_key(struct call *call, struct bytes key, uint64_t hash, struct object *zset,
                         bool greatest)
{
    struct zset_span span = {greatest ? zset_count(zset) - 1 : 0, 1};
    struct zset_cursor cursor;
    struct zset_entry entry = {{NULL, 0}, 0};
    zset_cursor_init(&cursor, zset, span.rank, false);
    bool found = zset_next(&cursor, &entry);
    assert(found);
    reply_array(call->reply, 3);
    reply_bulk(call->reply, key);
    zset_reply_entry(call, entry, ZSET_REPLY_FLAT);
    effect_remove(call, key, zset, span);
    zset_remove_span(call, key, hash, zset, span);
}

static void pop_or_wait(struct call *call, bool greatest)
{
    size_t keys_end = call->argc - 1;
    if (!timeout_ok(call)) {
        return;
    }
    for (size_t i = 1; i < keys_end; i++) {
        bool wrong;
        struct bytes key = call->argv[i];
        uint64_t hash = key_argument_hash(call, i, 1);
        struct object *zset = call_find_typed(call, key, hash, OBJECT_ZSET, &wrong);
        if (wrong) {
            return;
        }
        if (zset != NULL) {
            pop_with_key(call, key, hash, zset, greatest);
            return;
        }
    }
    call_wait(call, 1, keys_end - 1, OBJECT_ZSET);
}

void bzpopmin_command(struct call *call)
{
    pop_or_wait(call, false);
}

void bzpopmax_command(struct call *call)
{
    pop_or_wait(call, true);
}
