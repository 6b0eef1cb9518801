/*
 * Commands that read strings, and those that read and then change what becomes of the key.
 */
#include "base/error.h"
#include "node/commands/common.h"
#include "node/commands/handlers.h"
#include "node/commands/string_options.h"

#include <assert.h>

void get_command(struct call *call)
{
    bool wrong;
    struct object *object = find_string_read(call, call->argv[1], call->hash, &wrong);
    if (TORC_LIKELY(object != NULL)) {
        reply_object_string(call, object);
    } else if (!wrong) {
        reply_null(call->reply);
    }
}

void mget_command(struct call *call)
{
    reply_array(call->reply, call->argc - 1);
    for (size_t i = 1; i < call->argc; i++) {
        struct object *object = call_find_read(call, call->argv[i], key_argument_hash(call, i, 1));
        if (object == NULL || object_type(object) != OBJECT_STRING) {
            reply_null(call->reply);
        } else {
            reply_object_string(call, object);
        }
    }
}

void strlen_command(struct call *call)
{
    bool wrong;
    struct object *object = find_string_read(call, call->argv[1], call->hash, &wrong);
    if (!wrong) {
        reply_integer(call->reply, object == NULL ? 0 : (int64_t)object_string_size(object));
    }
}

void getdel_command(struct call *call)
{
    struct bytes key = call->argv[1];
    bool wrong;
    struct object *object = find_string_read(call, key, call->hash, &wrong);
    if (object == NULL) {
        if (!wrong) {
            reply_null(call->reply);
        }
        return;
    }
    reply_object_string(call, object);
    bool deleted = keyspace_delete(call->keys, key, call->hash);
    assert(deleted);
    call_effect_delete(call, key);
}

/* Gives the found key its new expiry. False after it has replied that there is no memory. */
static bool getex_apply(struct call *call, const struct object *object, unsigned flags,
                        uint64_t expire_at_ms)
{
    struct bytes key = call->argv[1];
    if ((flags & STRING_EXPIRY) != 0 && !call->applying &&
        object_expired_at(expire_at_ms, call->now_ms)) {
        bool deleted = keyspace_delete(call->keys, key, call->hash);
        assert(deleted);
        call_effect_delete(call, key);
        return true;
    }
    bool changes = (flags & STRING_EXPIRY) != 0 || ((flags & STRING_REMOVE_EXPIRY) != 0 &&
                                                    keyspace_expire_at_ms(call->keys, object) != 0);
    if (!changes) {
        return true;
    }
    if (keyspace_set_expiry(call->keys, key, call->hash, expire_at_ms) != TORC_OK) {
        return false;
    }
    effect_expire_at(call, key, expire_at_ms);
    return true;
}

void getex_command(struct call *call)
{
    struct string_options options;
    if (!string_options_parse(call, 2, STRING_EXPIRY | STRING_REMOVE_EXPIRY, &options)) {
        return;
    }
    bool wrong;
    struct object *object = find_string_read(call, call->argv[1], call->hash, &wrong);
    if (object == NULL) {
        if (!wrong) {
            reply_null(call->reply);
        }
        return;
    }
    uint64_t expire_at_ms = 0;
    if (options.expiry_index != 0 &&
        !string_expiry_parse(call, options.expiry_index, options.flags, &expire_at_ms)) {
        return;
    }
    size_t mark = reply_mark(call);
    reply_object_string(call, object);
    if (!getex_apply(call, object, options.flags, expire_at_ms)) {
        reply_undo(call, mark);
        call_reply_no_memory(call);
    }
}
