/*
 * Commands that move values between lists, or take them from the first of several.
 */
#include "base/error.h"
#include "node/commands/common.h"
#include "node/commands/handlers.h"
#include "node/commands/list.h"
#include "node/commands/pop_options.h"
#include "node/resp/number.h"

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
    call_effect_verbatim(call);
    reply_bulk(call->reply, value);
}

static void move(struct call *call, enum list_end from, enum list_end to)
{
    bool wrong;
    struct bytes source = call->argv[1];
    struct bytes target = call->argv[2];
    if (call_find_typed(call, source, call->hash, OBJECT_LIST, &wrong) == NULL) {
        if (!wrong) {
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

/* The replicas are told what was taken from where. */
static void effect_pop(struct call *call, struct bytes key, enum list_end end, size_t count)
{
    char text[NUMBER_INT64_SIZE];
    const struct bytes argv[] = {end == LIST_HEAD ? BYTES_LITERAL("LPOP") : BYTES_LITERAL("RPOP"),
                                 key,
                                 {text, format_uint64(text, count)}};
    call_effect(call, 3, argv);
}

void lmpop_command(struct call *call)
{
    struct pop_options options;
    if (!pop_options_parse(call, "left", "right", &options)) {
        return;
    }
    enum list_end end = options.other_end ? LIST_TAIL : LIST_HEAD;
    for (size_t i = 2; i < options.keys_end; i++) {
        bool wrong;
        struct bytes key = call->argv[i];
        uint64_t hash = key_argument_hash(call, i, 2);
        struct object *list = call_find_typed(call, key, hash, OBJECT_LIST, &wrong);
        if (wrong) {
            return;
        }
        if (list != NULL) {
            size_t count = list_count(list);
            count = (uint64_t)options.limit < count ? (size_t)options.limit : count;
            reply_array(call->reply, 2);
            reply_bulk(call->reply, key);
            list_pop_values(call, key, hash, list, end, count);
            effect_pop(call, key, end, count);
            return;
        }
    }
    reply_null_array(call->reply);
}
