/*
 * ZADD and ZINCRBY. The replicas are told the scores that came of it, of the members that changed:
 * adding up elsewhere, or looking again whether a condition holds, could come out differently.
 */
#include "base/error.h"
#include "node/commands/handlers.h"
#include "node/commands/zset.h"
#include "node/resp/number.h"

#include <math.h>
#include <stdlib.h>

struct add_options {
    size_t first; /* argument of the first score */
    unsigned conditions;
    bool count_changes; /* CH: the reply counts what was updated too */
    bool increment;     /* INCR */
};

static bool add_options_lawful(struct call *call, const struct add_options *options)
{
    unsigned conditions = options->conditions;
    size_t arguments = call->argc - options->first;
    bool greater = (conditions & ZSET_GREATER) != 0;
    bool less = (conditions & ZSET_LESS) != 0;
    bool absent = (conditions & ZSET_ABSENT) != 0;
    if (arguments == 0 || arguments % 2 != 0) {
        call_reply_syntax_error(call);
    } else if (absent && (conditions & ZSET_PRESENT) != 0) {
        reply_error(call->reply, "ERR XX and NX options at the same time are not compatible");
    } else if ((greater && less) || (absent && (greater || less))) {
        reply_error(call->reply,
                    "ERR GT, LT, and/or NX options at the same time are not compatible");
    } else if (options->increment && arguments > 2) {
        reply_error(call->reply, "ERR INCR option supports a single increment-element pair");
    } else {
        return true;
    }
    return false;
}

/* ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...] */
static bool add_options_parse(struct call *call, struct add_options *out)
{
    *out = (struct add_options){.first = 2};
    for (; out->first < call->argc; out->first++) {
        if (call_argument_is(call, out->first, "nx")) {
            out->conditions |= ZSET_ABSENT;
        } else if (call_argument_is(call, out->first, "xx")) {
            out->conditions |= ZSET_PRESENT;
        } else if (call_argument_is(call, out->first, "gt")) {
            out->conditions |= ZSET_GREATER;
        } else if (call_argument_is(call, out->first, "lt")) {
            out->conditions |= ZSET_LESS;
        } else if (call_argument_is(call, out->first, "ch")) {
            out->count_changes = true;
        } else if (call_argument_is(call, out->first, "incr")) {
            out->increment = true;
        } else {
            break;
        }
    }
    return add_options_lawful(call, out);
}

/* ---- several scores ---- */

/* What one ZADD needs room for. */
struct additions {
    struct zset_entry *entries;
    bool *taken;
    struct bytes *effect; /* its arguments */
    size_t count;
};

/* 0 or TORC_ENOMEM. */
static int additions_init(struct additions *additions, size_t count)
{
    *additions = (struct additions){.entries = calloc(count, sizeof(*additions->entries)),
                                    .taken = calloc(count, sizeof(*additions->taken)),
                                    .effect = calloc(2 + 2 * count, sizeof(*additions->effect)),
                                    .count = count};
    bool all = additions->entries != NULL && additions->taken != NULL && additions->effect != NULL;
    return all ? 0 : TORC_ENOMEM;
}

static void additions_deinit(struct additions *additions)
{
    free(additions->entries);
    free(additions->taken);
    free(additions->effect);
}

/* Scores and members as they were sent, but only those that changed something. */
static void effect_add(struct call *call, const struct additions *additions, size_t first)
{
    struct bytes *argv = additions->effect;
    size_t argc = 2;
    argv[0] = BYTES_LITERAL("ZADD");
    argv[1] = call->argv[1];
    for (size_t i = 0; i < additions->count; i++) {
        if (additions->taken[i]) {
            argv[argc++] = call->argv[first + 2 * i];
            argv[argc++] = call->argv[first + 2 * i + 1];
        }
    }
    call_effect(call, argc, argv);
}

static void add_entries(struct call *call, const struct add_options *options,
                        struct additions *additions)
{
    for (size_t i = 0; i < additions->count; i++) {
        size_t at = options->first + 2 * i;
        if (!zset_score_parse(call, at, &additions->entries[i].score)) {
            return;
        }
        additions->entries[i].member = call->argv[at + 1];
    }
    bool wrong;
    struct object *zset = zset_find(call, &wrong);
    if (wrong) {
        return;
    }
    struct zset_change change = {.entries = additions->entries,
                                 .count = additions->count,
                                 .conditions = options->conditions,
                                 .taken = additions->taken};
    if (!zset_change_ok(call,
                        keyspace_zset_add(call->keys, call->argv[1], call->hash, &change, &zset))) {
        return;
    }
    if (zset != NULL) {
        keyspace_touch(call->keys, zset, call->now_ms);
    }
    size_t changes = change.added + change.updated;
    if (changes > 0) {
        effect_add(call, additions, options->first);
    }
    reply_integer(call->reply, (int64_t)(options->count_changes ? changes : change.added));
}

static void add_several(struct call *call, const struct add_options *options)
{
    struct additions additions;
    if (additions_init(&additions, (call->argc - options->first) / 2) == 0) {
        add_entries(call, options, &additions);
    } else {
        call_reply_no_memory(call);
    }
    additions_deinit(&additions);
}

/* ---- increments ---- */

/* True unless what the member has is against it: NX and XX. */
static bool presence_wanted(unsigned conditions, bool present)
{
    return (conditions & (present ? ZSET_ABSENT : ZSET_PRESENT)) == 0;
}

/* True unless the new score is: GT and LT, for which the same one will not do. */
static bool score_wanted(unsigned conditions, double before, double score)
{
    return ((conditions & ZSET_GREATER) == 0 || score > before) &&
           ((conditions & ZSET_LESS) == 0 || score < before);
}

static void effect_score(struct call *call, struct bytes member, double score)
{
    char text[NUMBER_DOUBLE_SIZE];
    const struct bytes argv[] = {
        BYTES_LITERAL("ZADD"), call->argv[1], {text, format_double(text, score)}, member};
    call_effect(call, 4, argv);
}

/* The increment stands at argument `first`, the member behind it. */
static void increment(struct call *call, size_t first, unsigned conditions)
{
    struct zset_entry entry = {.member = call->argv[first + 1]};
    double amount;
    bool wrong;
    if (!zset_score_parse(call, first, &amount)) {
        return;
    }
    struct object *zset = zset_find(call, &wrong);
    if (wrong) {
        return;
    }
    double before = 0;
    bool present = zset != NULL && zset_score(zset, entry.member, &before);
    entry.score = present ? before + amount : amount;
    if (!presence_wanted(conditions, present)) {
        reply_null(call->reply);
        return;
    }
    if (isnan(entry.score)) {
        reply_error(call->reply, "ERR resulting score is not a number (NaN)");
        return;
    }
    if (present && !score_wanted(conditions, before, entry.score)) {
        reply_null(call->reply);
        return;
    }
    struct zset_change change = {.entries = &entry, .count = 1};
    if (!zset_change_ok(call,
                        keyspace_zset_add(call->keys, call->argv[1], call->hash, &change, &zset))) {
        return;
    }
    keyspace_touch(call->keys, zset, call->now_ms);
    if (change.added + change.updated > 0) {
        effect_score(call, entry.member, entry.score);
    }
    reply_double(call->reply, entry.score);
}

void zadd_command(struct call *call)
{
    struct add_options options;
    if (!add_options_parse(call, &options)) {
        return;
    }
    if (options.increment) {
        increment(call, options.first, options.conditions);
    } else {
        add_several(call, &options);
    }
}

void zincrby_command(struct call *call)
{
    increment(call, 2, 0);
}
