/*
 * Commands that work on a part of a string.
 */
#include "base/error.h"
#include "node/commands/common.h"
#include "node/commands/handlers.h"

#include <assert.h>

void append_command(struct call *call)
{
    struct bytes key = call->argv[1];
    struct bytes value = call->argv[2];
    bool wrong;
    struct object *object = call_find_string(call, key, call->hash, &wrong);
    if (wrong) {
        return;
    }
    size_t size = object == NULL ? 0 : object_string_size(object);
    if (object != NULL && !string_size_ok(call, size, value.size)) {
        return;
    }
    int error;
    if (object == NULL) {
        error = keyspace_set_string(call->keys, key, call->hash, value, 0, &object);
        if (error == TORC_OK) {
            keyspace_touch(call->keys, object, call->now_ms);
        }
    } else {
        char *data;
        keyspace_touch(call->keys, object, call->now_ms);
        error = keyspace_resize_string(call->keys, key, call->hash, size + value.size, &data);
        if (error == TORC_OK && value.size > 0) {
            memcpy(data + size, value.data, value.size);
        }
    }
    if (error != TORC_OK) {
        call_reply_no_memory(call);
        return;
    }
    call_effect_verbatim(call);
    reply_integer(call->reply, (int64_t)(size + value.size));
}

/* Writes value at `offset` into the string of the first key, which is `size` bytes long now. */
static void setrange_apply(struct call *call, size_t size, size_t offset, struct bytes value)
{
    struct bytes key = call->argv[1];
    size_t end = offset + value.size;
    if (end < size) {
        end = size;
    }
    char *data;
    if (keyspace_resize_string(call->keys, key, call->hash, end, &data) != TORC_OK) {
        call_reply_no_memory(call);
        return;
    }
    memcpy(data + offset, value.data, value.size);
    keyspace_touch(call->keys, keyspace_find(call->keys, key, call->hash), call->now_ms);
    call_effect_verbatim(call);
    reply_integer(call->reply, (int64_t)end);
}

void setrange_command(struct call *call)
{
    struct bytes value = call->argv[3];
    int64_t offset;
    if (!call_argument_int64(call, 2, &offset)) {
        return;
    }
    if (offset < 0) {
        reply_error(call->reply, "ERR offset is out of range");
        return;
    }
    bool wrong;
    struct object *object = call_find_string(call, call->argv[1], call->hash, &wrong);
    if (wrong) {
        return;
    }
    size_t size = object == NULL ? 0 : object_string_size(object);
    if (value.size == 0) {
        reply_integer(call->reply, (int64_t)size);
    } else if (string_size_ok(call, (uint64_t)offset, value.size)) {
        setrange_apply(call, size, (size_t)offset, value);
    }
}

/* The part of a text between two places, both included; negative ones count from the end. */
static struct bytes text_range(struct bytes text, int64_t start, int64_t end)
{
    int64_t size = (int64_t)text.size;
    struct bytes empty = {text.data, 0};
    if (start < 0 && end < 0 && start > end) {
        return empty;
    }
    if (start < 0) {
        start = start < -size ? 0 : start + size;
    }
    if (end < 0) {
        end = end < -size ? 0 : end + size;
    }
    if (end >= size) {
        end = size - 1;
    }
    if (size == 0 || start > end) {
        return empty;
    }
    return (struct bytes){text.data + start, (size_t)(end - start + 1)};
}

void getrange_command(struct call *call)
{
    int64_t start, end;
    if (!call_argument_int64(call, 2, &start) || !call_argument_int64(call, 3, &end)) {
        return;
    }
    bool wrong;
    struct object *object = find_string_read(call, call->argv[1], call->hash, &wrong);
    if (wrong) {
        return;
    }
    char scratch[OBJECT_SCRATCH_SIZE];
    struct bytes text = object == NULL ? (struct bytes){"", 0} : object_string(object, scratch);
    reply_bulk(call->reply, text_range(text, start, end));
}
