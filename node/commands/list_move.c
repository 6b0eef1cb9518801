/*
 * Commands that move values between lists, or take them from the first of several; and those that
 * wait until there is something to move or take. The replicas are told what was done, never to
 * wait.
 */
#include "base/error.h"
#include "node/command.h"
#include "node/commands/common.h"
#include "node/commands/handlers.h"
#include "node/commands/list.h"
#include "node/commands/pop_options.h"
#include "node/commands/timeout.h"
#include "node/resp/number.h"

#include <assert.h>

static bool is_blocking(const struct call *call)
{
    return (call->command->flags & COMMAND_BLOCKING) != 0;
}

/* Of one that waits: the same without its timeout, which is the last argument, under the name of
 * the command that does not. */
static void effect_move(struct call *call)
{
    struct bytes argv[5];
    if (!is_blocking(call)) {
        call_effect_verbatim(call);
        return;
    }
    size_t argc = call->argc - 1;
    assert(argc <= sizeof(argv) / sizeof(argv[0]));
    memcpy(argv, call->argv, argc * sizeof(argv[0]));
    argv[0] = argc == 5 ? BYTES_LITERAL("LMOVE") : BYTES_LITERAL("RPOPLPUSH");
    call_effect(call, argc, argv);
}

/* Moves the value at an end of the first key's list to an end of the second's. The value is added
 * before it is removed: adding may fail, removing may not. */
static void move_value(struct call *call, enum list_end from, enum list_end to, struct bytes value)
{
    struct bytes source = call->argv[1];
    struct bytes target = call->argv[2];
    struct object *list;
    if (!list_change_ok(
            call, keyspace_list_push(call->keys, target, key_hash(target), to, &value, 1, &list))) {
        return;
    }
    keyspace_touch(call->keys, list, call->now_ms);
    list = keyspace_find(call->keys, source, call->hash);
    keyspace_touch(call->keys, list, call->now_ms);
    size_t index = from == LIST_HEAD ? 0 : list_count(list) - 1;
    keyspace_list_remove(call->keys, source, call->hash, index, 1);
    effect_move(call);
    reply_bulk(call->reply, value);
}

static void move(struct call *call, enum list_end from, enum list_end to)
{
    bool wrong;
    struct bytes source = call->argv[1];
    struct bytes target = call->argv[2];
    if (call_find_typed(call, source, call->hash, OBJECT_LIST, &wrong) == NULL) {
        if (!wrong && is_blocking(call)) {
            call_wait(call, 1, 1, OBJECT_LIST);
        } else if (!wrong) {
            reply_null(call->reply);
        }
        return;
    }
    call_find_typed(call, target, key_hash(target), OBJECT_LIST, &wrong);
    if (wrong) {
        return;
    }
    /* Finding the target may have deleted it, which ends what the first find returned. And the
     * value has to outlive the change of its list, when that is the target too. */
    struct bytes value = list_value_at_end(keyspace_find(call->keys, source, call->hash), from);
    struct buf copy = {0};
    buf_append(&copy, value.data, value.size);
    if (copy.failed) {
        call_reply_no_memory(call);
    } else {
        move_value(call, from, to, buf_bytes(&copy));
    }
    buf_deinit(&copy);
}

void lmove_command(struct call *call)
{
    enum list_end from, to;
    if (list_end_parse(call, 3, &from) && list_end_parse(call, 4, &to)) {
        move(call, from, to);
    }
}

void rpoplpush_command(struct call *call)
{
    move(call, LIST_TAIL, LIST_HEAD);
}

void blmove_command(struct call *call)
{
    enum list_end from, to;
    if (list_end_parse(call, 3, &from) && list_end_parse(call, 4, &to) && timeout_ok(call)) {
        move(call, from, to);
    }
}

void brpoplpush_command(struct call *call)
{
    if (timeout_ok(call)) {
        move(call, LIST_TAIL, LIST_HEAD);
    }
}

/* The replicas are told what was taken from where. */
static void effect_pop(struct call *call, struct bytes key, enum list_end end, size_t count)
{
    char text[NUMBER_INT64_SIZE];
    const struct bytes argv[] = {end == LIST_HEAD ? BYTES_LITERAL("LPOP") : BYTES_LITERAL("RPOP"),
                                 key,
                                 {text, format_uint64(text, count)}};
    call_effect(call, 3, argv);
}

/* False if none of the lists has any, and nothing was replied. */
static bool pop_first(struct call *call, const struct pop_options *options)
{
    enum list_end end = options->other_end ? LIST_TAIL : LIST_HEAD;
    for (size_t i = options->keys; i < options->keys_end; i++) {
        bool wrong;
        struct bytes key = call->argv[i];
        uint64_t hash = key_argument_hash(call, i, options->keys);
        struct object *list = call_find_typed(call, key, hash, OBJECT_LIST, &wrong);
        if (wrong) {
            return true;
        }
        if (list != NULL) {
            size_t count = list_count(list);
            count = (uint64_t)options->limit < count ? (size_t)options->limit : count;
            reply_array(call->reply, 2);
            reply_bulk(call->reply, key);
            list_pop_values(call, key, hash, list, end, count);
            effect_pop(call, key, end, count);
            return true;
        }
    }
    return false;
}

void lmpop_command(struct call *call)
{
    struct pop_options options;
    if (pop_options_parse(call, "left", "right", &options) && !pop_first(call, &options)) {
        reply_null_array(call->reply);
    }
}

void blmpop_command(struct call *call)
{
    struct pop_options options;
    if (pop_options_parse(call, "left", "right", &options) && timeout_ok(call) &&
        !pop_first(call, &options)) {
        call_wait(call, options.keys, options.keys_end - options.keys, OBJECT_LIST);
    }
}

static void pop_or_wait(struct call *call, enum list_end end)
{
    size_t keys_end = call->argc - 1;
    if (!timeout_ok(call)) {
        return;
    }
    for (size_t i = 1; i < keys_end; i++) {
        bool wrong;
        struct bytes key = call->argv[i];
        uint64_t hash = key_argument_hash(call, i, 1);
        struct object *list = call_find_typed(call, key, hash, OBJECT_LIST, &wrong);
        if (wrong) {
            return;
        }
        if (list != NULL) {
            const struct bytes effect[] = {
                end == LIST_HEAD ? BYTES_LITERAL("LPOP") : BYTES_LITERAL("RPOP"), key};
            reply_array(call->reply, 2);
            reply_bulk(call->reply, key);
            list_pop_value(call, key, hash, list, end);
            call_effect(call, 2, effect);
            return;
        }
    }
    call_wait(call, 1, keys_end - 1, OBJECT_LIST);
}

void blpop_command(struct call *call)
{
    pop_or_wait(call, LIST_HEAD);
}

void brpop_command(struct call *call)
{
    pop_or_wait(call, LIST_TAIL);
}
