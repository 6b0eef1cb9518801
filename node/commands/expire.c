/*
 * Expiry times: set them, read them, remove them. Replicas are told PEXPIREAT with the time itself,
 * or DEL when it has passed already.
 */
#include "base/error.h"
#include "node/command.h"
#include "node/commands/common.h"
#include "node/commands/handlers.h"

#include <assert.h>

enum expire_condition {
    EXPIRE_IF_NONE = 1 << 0,    /* NX */
    EXPIRE_IF_ANY = 1 << 1,     /* XX */
    EXPIRE_IF_LATER = 1 << 2,   /* GT */
    EXPIRE_IF_EARLIER = 1 << 3, /* LT */
};

static bool expire_conditions(struct call *call, unsigned *out)
{
    unsigned flags = 0;
    for (size_t i = 3; i < call->argc; i++) {
        if (call_argument_is(call, i, "nx")) {
            flags |= EXPIRE_IF_NONE;
        } else if (call_argument_is(call, i, "xx")) {
            flags |= EXPIRE_IF_ANY;
        } else if (call_argument_is(call, i, "gt")) {
            flags |= EXPIRE_IF_LATER;
        } else if (call_argument_is(call, i, "lt")) {
            flags |= EXPIRE_IF_EARLIER;
        } else {
            size_t size = call->argv[i].size < 128 ? call->argv[i].size : 128;
            reply_error(call->reply, "ERR Unsupported option %.*s", (int)size,
                        size == 0 ? "" : call->argv[i].data);
            return false;
        }
    }
    if ((flags & EXPIRE_IF_NONE) != 0 && flags != EXPIRE_IF_NONE) {
        reply_error(call->reply,
                    "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if ((flags & EXPIRE_IF_LATER) != 0 && (flags & EXPIRE_IF_EARLIER) != 0) {
        reply_error(call->reply, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    *out = flags;
    return true;
}

/* The time of argument 2 as Unix milliseconds: may lie in the past, even before 1970. */
static bool expire_time(struct call *call, bool seconds, bool relative, int64_t *out)
{
    int64_t time;
    if (!call_argument_int64(call, 2, &time)) {
        return false;
    }
    int64_t base = relative ? (int64_t)call->now_ms : 0;
    if ((seconds && __builtin_mul_overflow(time, 1000, &time)) ||
        __builtin_add_overflow(time, base, &time)) {
        reply_error(call->reply, "ERR invalid expire time in '%s' command", call->command->name);
        return false;
    }
    *out = time;
    return true;
}

/* No expiry counts as the end of time. */
static bool expire_allowed(unsigned conditions, uint64_t present_ms, int64_t time)
{
    int64_t present = present_ms == 0 ? INT64_MAX : (int64_t)present_ms;
    return !((conditions & EXPIRE_IF_NONE) != 0 && present_ms != 0) &&
           !((conditions & EXPIRE_IF_ANY) != 0 && present_ms == 0) &&
           !((conditions & EXPIRE_IF_LATER) != 0 && (present_ms == 0 || time <= present)) &&
           !((conditions & EXPIRE_IF_EARLIER) != 0 && present_ms != 0 && time >= present);
}

static void expire_generic(struct call *call, bool seconds, bool relative)
{
    struct bytes key = call->argv[1];
    unsigned conditions;
    int64_t time;
    if (!expire_conditions(call, &conditions) || !expire_time(call, seconds, relative, &time)) {
        return;
    }
    struct object *object = call_find(call, key, call->hash);
    if (object == NULL ||
        !expire_allowed(conditions, keyspace_expire_at_ms(call->keys, object), time)) {
        reply_integer(call->reply, 0);
        return;
    }
    if (time <= 0 || (!call->applying && object_expired_at((uint64_t)time, call->now_ms))) {
        bool deleted = keyspace_delete(call->keys, key, call->hash);
        assert(deleted);
        call_effect_delete(call, key);
    } else if (keyspace_set_expiry(call->keys, key, call->hash, (uint64_t)time) == TORC_OK) {
        effect_expire_at(call, key, (uint64_t)time);
    } else {
        call_reply_no_memory(call);
        return;
    }
    reply_integer(call->reply, 1);
}

void expire_command(struct call *call)
{
    expire_generic(call, true, true);
}

void pexpire_command(struct call *call)
{
    expire_generic(call, false, true);
}

void expireat_command(struct call *call)
{
    expire_generic(call, true, false);
}

void pexpireat_command(struct call *call)
{
    expire_generic(call, false, false);
}

void persist_command(struct call *call)
{
    struct bytes key = call->argv[1];
    struct object *object = call_find(call, key, call->hash);
    if (object == NULL || keyspace_expire_at_ms(call->keys, object) == 0) {
        reply_integer(call->reply, 0);
        return;
    }
    int result = keyspace_set_expiry(call->keys, key, call->hash, 0);
    assert(result == TORC_OK);
    effect_expire_at(call, key, 0);
    reply_integer(call->reply, 1);
}

static int64_t to_seconds(int64_t ms)
{
    return ms / 1000 + (ms % 1000 >= 500);
}

/* -2 without the key, -1 without an expiry, else how long from now, or when. */
static void reply_expiry(struct call *call, bool seconds, bool relative)
{
    struct object *object = find_unnoticed(call, call->argv[1], call->hash);
    if (object == NULL) {
        reply_integer(call->reply, -2);
        return;
    }
    uint64_t expire_at_ms = keyspace_expire_at_ms(call->keys, object);
    if (expire_at_ms == 0) {
        reply_integer(call->reply, -1);
        return;
    }
    int64_t time = (int64_t)expire_at_ms;
    if (relative) {
        time = expire_at_ms > call->now_ms ? (int64_t)(expire_at_ms - call->now_ms) : 0;
    }
    reply_integer(call->reply, seconds ? to_seconds(time) : time);
}

void ttl_command(struct call *call)
{
    reply_expiry(call, true, true);
}

void pttl_command(struct call *call)
{
    reply_expiry(call, false, true);
}

void expiretime_command(struct call *call)
{
    reply_expiry(call, true, false);
}

void pexpiretime_command(struct call *call)
{
    reply_expiry(call, false, false);
}
