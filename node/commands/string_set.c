/*
 * Commands that set whole strings. Whatever the conditions and relative times were, the replicas
 * are told SET with an absolute expiry.
 */
#include "base/error.h"
#include "node/command.h"
#include "node/command_errors.h"
#include "node/commands/common.h"
#include "node/commands/handlers.h"
#include "node/commands/string_options.h"

#define SET_OPTIONS                                                                                \
    (STRING_IF_ABSENT | STRING_IF_PRESENT | STRING_RETURN_OLD | STRING_KEEP_EXPIRY | STRING_EXPIRY)

/* Sets the first key, notes the access and tells the replicas. False without memory. */
static bool store_string(struct call *call, struct bytes value, uint64_t expire_at_ms)
{
    struct object *object;
    if (keyspace_set_string(call->keys, call->argv[1], call->hash, value, expire_at_ms, &object) !=
        TORC_OK) {
        return false;
    }
    keyspace_touch(call->keys, object, call->now_ms);
    effect_set(call, call->argv[1], value, expire_at_ms);
    return true;
}

static void set_always(struct call *call, struct bytes value, uint64_t expire_at_ms)
{
    if (TORC_LIKELY(store_string(call, value, expire_at_ms))) {
        reply_ok(call->reply);
    } else {
        call_reply_no_memory(call);
    }
}

/* SET with options that depend on what is there already. */
static void set_conditional(struct call *call, unsigned flags, uint64_t expire_at_ms)
{
    struct bytes key = call->argv[1];
    size_t mark = reply_mark(call);
    struct object *old;
    if ((flags & STRING_RETURN_OLD) != 0) {
        bool wrong;
        old = find_string_read(call, key, call->hash, &wrong);
        if (wrong) {
            return;
        }
        if (old != NULL) {
            reply_object_string(call, old);
        } else {
            reply_null(call->reply);
        }
    } else {
        old = call_find(call, key, call->hash);
    }
    if (old != NULL ? (flags & STRING_IF_ABSENT) != 0 : (flags & STRING_IF_PRESENT) != 0) {
        if ((flags & STRING_RETURN_OLD) == 0) {
            reply_null(call->reply);
        }
        return;
    }
    if ((flags & STRING_KEEP_EXPIRY) != 0 && old != NULL) {
        expire_at_ms = keyspace_expire_at_ms(call->keys, old);
    }
    if (!store_string(call, call->argv[2], expire_at_ms)) {
        reply_undo(call, mark);
        call_reply_no_memory(call);
    } else if ((flags & STRING_RETURN_OLD) == 0) {
        reply_ok(call->reply);
    }
}

void set_command(struct call *call)
{
    if (TORC_LIKELY(call->argc == 3)) {
        set_always(call, call->argv[2], 0);
        return;
    }
    struct string_options options;
    uint64_t expire_at_ms = 0;
    if (!string_options_parse(call, 3, SET_OPTIONS, &options) ||
        (options.expiry_index != 0 &&
         !string_expiry_parse(call, options.expiry_index, options.flags, &expire_at_ms))) {
        return;
    }
    if ((options.flags & ~(unsigned)STRING_EXPIRY) != 0) {
        set_conditional(call, options.flags, expire_at_ms);
    } else {
        set_always(call, call->argv[2], expire_at_ms);
    }
}

void setnx_command(struct call *call)
{
    if (call_find(call, call->argv[1], call->hash) != NULL) {
        reply_integer(call->reply, 0);
    } else if (store_string(call, call->argv[2], 0)) {
        reply_integer(call->reply, 1);
    } else {
        call_reply_no_memory(call);
    }
}

static void set_with_time(struct call *call, unsigned flag)
{
    uint64_t expire_at_ms;
    if (string_expiry_parse(call, 2, flag, &expire_at_ms)) {
        set_always(call, call->argv[3], expire_at_ms);
    }
}

void setex_command(struct call *call)
{
    set_with_time(call, STRING_EX);
}

void psetex_command(struct call *call)
{
    set_with_time(call, STRING_PX);
}

void getset_command(struct call *call)
{
    set_conditional(call, STRING_RETURN_OLD, 0);
}

/* Sets all pairs and tells the replicas; of those that were set, when memory ends half-way. Then
 * it is false, and it has replied so. */
static bool set_pairs(struct call *call)
{
    size_t done = 1;
    for (; done < call->argc; done += 2) {
        struct object *object;
        if (keyspace_set_string(call->keys, call->argv[done], key_argument_hash(call, done, 1),
                                call->argv[done + 1], 0, &object) != TORC_OK) {
            break;
        }
        keyspace_touch(call->keys, object, call->now_ms);
    }
    if (done > 1) {
        call_effect(call, done, call->argv);
    }
    if (done < call->argc) {
        call_reply_no_memory(call);
        return false;
    }
    return true;
}

void mset_command(struct call *call)
{
    if (call->argc % 2 == 0) {
        reply_wrong_arity(call->reply, call->command);
    } else if (set_pairs(call)) {
        reply_ok(call->reply);
    }
}

void msetnx_command(struct call *call)
{
    if (call->argc % 2 == 0) {
        reply_wrong_arity(call->reply, call->command);
        return;
    }
    for (size_t i = 1; i < call->argc; i += 2) {
        if (call_find(call, call->argv[i], key_argument_hash(call, i, 1)) != NULL) {
            reply_integer(call->reply, 0);
            return;
        }
    }
    if (set_pairs(call)) {
        reply_integer(call->reply, 1);
    }
}
