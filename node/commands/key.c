/*
 * Commands on keys whatever they hold: existence, type, deletion, names.
 */
#include "base/error.h"
#include "node/commands/common.h"
#include "node/commands/handlers.h"
#include "node/resp/number.h"

#include <assert.h>
#include <limits.h>

#define DATABASE_COUNT 16 /* that a client may name; there is one, as in Redis Cluster */

/* DEL and UNLINK. Values are freed at once either way: a string is one allocation, of a list of 100
 * MiB there are some 13 000, but of hashes, sets and sorted sets one for each member: 0.2 s for a
 * million. */
void del_command(struct call *call)
{
    int64_t deleted = 0;
    for (size_t i = 1; i < call->argc; i++) {
        struct bytes key = call->argv[i];
        uint64_t hash = key_argument_hash(call, i, 1);
        if (call_find(call, key, hash) != NULL) {
            bool found = keyspace_delete(call->keys, key, hash);
            assert(found);
            deleted++;
        }
    }
    if (deleted > 0) {
        call_effect_verbatim(call);
    }
    reply_integer(call->reply, deleted);
}

void exists_command(struct call *call)
{
    int64_t count = 0;
    for (size_t i = 1; i < call->argc; i++) {
        count += find_unnoticed(call, call->argv[i], key_argument_hash(call, i, 1)) != NULL;
    }
    reply_integer(call->reply, count);
}

void touch_command(struct call *call)
{
    int64_t count = 0;
    for (size_t i = 1; i < call->argc; i++) {
        struct object *object = find_unnoticed(call, call->argv[i], key_argument_hash(call, i, 1));
        if (object != NULL) {
            keyspace_touch(call->keys, object,
                           call->now_ms); /* also for a connection with NO-TOUCH */
            count++;
        }
    }
    reply_integer(call->reply, count);
}

void type_command(struct call *call)
{
    struct object *object = find_unnoticed(call, call->argv[1], call->hash);
    reply_simple(call->reply, object == NULL ? "none" : object_type_name(object));
}

/* Moves the first key to the second. False after it has replied that there is no memory. */
static bool move_key(struct call *call, uint64_t target_hash)
{
    if (keyspace_rename(call->keys, call->argv[1], call->hash, call->argv[2], target_hash) !=
        TORC_OK) {
        call_reply_no_memory(call);
        return false;
    }
    const struct bytes argv[] = {BYTES_LITERAL("RENAME"), call->argv[1], call->argv[2]};
    call_effect(call, 3, argv);
    return true;
}

void rename_command(struct call *call)
{
    if (call_find(call, call->argv[1], call->hash) == NULL) {
        reply_error(call->reply, "ERR no such key");
        return;
    }
    if (bytes_equal(call->argv[1], call->argv[2]) || move_key(call, key_hash(call->argv[2]))) {
        reply_ok(call->reply);
    }
}

void renamenx_command(struct call *call)
{
    if (call_find(call, call->argv[1], call->hash) == NULL) {
        reply_error(call->reply, "ERR no such key");
        return;
    }
    uint64_t target_hash = key_hash(call->argv[2]);
    if (call_find(call, call->argv[2], target_hash) != NULL) {
        reply_integer(call->reply, 0); /* also when both are the same key */
        return;
    }
    if (move_key(call, target_hash)) {
        reply_integer(call->reply, 1);
    }
}

/* DB 0 is the only one that can be copied to. */
static bool copy_database_ok(struct call *call, size_t index)
{
    int64_t database;
    if (!call_argument_int64(call, index, &database)) {
        return false;
    }
    if (database < INT_MIN || database > INT_MAX) {
        reply_error(call->reply, "ERR value is out of range, value must between %d and %d", INT_MIN,
                    INT_MAX);
        return false;
    }
    if (database < 0 || database >= DATABASE_COUNT) {
        reply_error(call->reply, "ERR DB index is out of range");
        return false;
    }
    return true;
}

static bool copy_options(struct call *call, bool *replace, bool *elsewhere)
{
    *replace = false;
    *elsewhere = false;
    for (size_t i = 3; i < call->argc; i++) {
        if (call_argument_is(call, i, "replace")) {
            *replace = true;
        } else if (call_argument_is(call, i, "db") && i + 1 < call->argc) {
            i++;
            if (!copy_database_ok(call, i)) {
                return false;
            }
            *elsewhere = !bytes_equal(call->argv[i], BYTES_LITERAL("0"));
        } else {
            call_reply_syntax_error(call);
            return false;
        }
    }
    return true;
}

void copy_command(struct call *call)
{
    bool replace, elsewhere;
    if (!copy_options(call, &replace, &elsewhere)) {
        return;
    }
    struct bytes source = call->argv[1];
    struct bytes target = call->argv[2];
    if (elsewhere) {
        reply_error(call->reply, "ERR Copying to another database is not allowed in cluster mode");
        return;
    }
    if (bytes_equal(source, target)) {
        reply_error(call->reply, "ERR source and destination objects are the same");
        return;
    }
    uint64_t target_hash = key_hash(target);
    if (find_unnoticed(call, source, call->hash) == NULL ||
        (call_find(call, target, target_hash) != NULL && !replace)) {
        reply_integer(call->reply, 0);
        return;
    }
    if (keyspace_copy(call->keys, source, call->hash, call->keys, target, target_hash) != TORC_OK) {
        call_reply_no_memory(call);
        return;
    }
    keyspace_touch(call->keys, keyspace_find(call->keys, target, target_hash), call->now_ms);
    call_effect_verbatim(call);
    reply_integer(call->reply, 1);
}
