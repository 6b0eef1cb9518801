/*
 * Unions, intersections and differences of the sets of one slot. Where one is stored the replicas
 * are told the command as it was sent: they hold the same sets.
 */
#include "base/error.h"
#include "node/commands/common.h"
#include "node/commands/handlers.h"
#include "node/commands/members.h"
#include "node/resp/number.h"
#include "node/store/set.h"

#include <stdlib.h>

/* The sets of the arguments first .. end-1, NULL where there is none; the caller frees them. NULL
 * after it has replied with an error. */
static const struct object **find_sets(struct call *call, size_t first, size_t end)
{
    const struct object **sets = calloc(end - first, sizeof(*sets));
    if (sets == NULL) {
        call_reply_no_memory(call);
        return NULL;
    }
    for (size_t i = first; i < end; i++) {
        bool wrong;
        uint64_t hash = key_argument_hash(call, i, (size_t)call->command->first_key);
        /* It stays what it is: finding others deletes none but those. */
        sets[i - first] = find_typed_read(call, call->argv[i], hash, OBJECT_SET, &wrong);
        if (wrong) {
            free(sets);
            return NULL;
        }
    }
    return sets;
}

/* How many members there are is known last, and has to be said first. */
struct result {
    struct buf out;
    struct reply_writer writer; /* to `out` */
    size_t count;
};

static void collect(void *context, struct bytes member, struct bytes value)
{
    (void)value;
    struct result *result = context;
    reply_bulk(&result->writer, member);
    result->count++;
}

static void combine(struct call *call, enum set_operation operation)
{
    const struct object **sets = find_sets(call, 1, call->argc);
    if (sets == NULL) {
        return;
    }
    struct result result = {.writer = {.protocol = call->reply->protocol}};
    result.writer.out = &result.out;
    if (set_combine(operation, sets, call->argc - 1, collect, &result) != 0 || result.out.failed) {
        call_reply_no_memory(call);
    } else {
        reply_set(call->reply, result.count);
        buf_append(call->reply->out, buf_head(&result.out), buf_size(&result.out));
    }
    buf_deinit(&result.out);
    free(sets);
}

void sunion_command(struct call *call)
{
    combine(call, SET_UNION);
}

void sinter_command(struct call *call)
{
    combine(call, SET_INTERSECTION);
}

void sdiff_command(struct call *call)
{
    combine(call, SET_DIFFERENCE);
}

static void store(struct call *call, enum set_operation operation)
{
    const struct object **sets = find_sets(call, 2, call->argc);
    if (sets == NULL) {
        return;
    }
    size_t count;
    struct bytes target = call->argv[1];
    bool existed = call_find(call, target, call->hash) != NULL;
    int error = keyspace_set_combine(call->keys, target, call->hash, operation, sets,
                                     call->argc - 2, &count);
    free(sets);
    if (!member_change_ok(call, "set", error)) {
        return;
    }
    if (count > 0) {
        keyspace_touch(call->keys, keyspace_find(call->keys, target, call->hash), call->now_ms);
        call_effect_verbatim(call);
    } else if (existed) {
        call_effect_delete(call, target);
    }
    reply_integer(call->reply, (int64_t)count);
}

void sunionstore_command(struct call *call)
{
    store(call, SET_UNION);
}

void sinterstore_command(struct call *call)
{
    store(call, SET_INTERSECTION);
}

void sdiffstore_command(struct call *call)
{
    store(call, SET_DIFFERENCE);
}

/* SINTERCARD numkeys key [key ...] [LIMIT limit] */
static bool limit_parse(struct call *call, size_t index, size_t *out)
{
    *out = SIZE_MAX;
    for (; index < call->argc; index += 2) {
        int64_t limit;
        if (!call_argument_is(call, index, "limit") || index + 1 == call->argc) {
            call_reply_syntax_error(call);
            return false;
        }
        if (!parse_int64(call->argv[index + 1], &limit) || limit < 0) {
            reply_error(call->reply, "ERR LIMIT can't be negative");
            return false;
        }
        *out = limit == 0 ? SIZE_MAX : (size_t)limit;
    }
    return true;
}

void sintercard_command(struct call *call)
{
    int64_t keys;
    size_t limit;
    if (!parse_int64(call->argv[1], &keys) || keys < 1) {
        reply_error(call->reply, "ERR numkeys should be greater than 0");
        return;
    }
    if ((uint64_t)keys > call->argc - 2) {
        reply_error(call->reply, "ERR Number of keys can't be greater than number of args");
        return;
    }
    size_t end = 2 + (size_t)keys;
    if (!limit_parse(call, end, &limit)) {
        return;
    }
    const struct object **sets = find_sets(call, 2, end);
    if (sets != NULL) {
        size_t count = set_intersection_count(sets, (size_t)keys, limit);
        reply_integer(call->reply, (int64_t)count);
        free(sets);
    }
}
