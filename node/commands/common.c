#include "node/commands/common.h"

#include "base/limits.h"
#include "node/resp/number.h"

struct object *find_typed_read(struct call *call, struct bytes key, uint64_t hash,
                               enum object_type type, bool *wrong)
{
    *wrong = false;
    struct object *object = call_find_read(call, key, hash);
    if (object != NULL && object_type(object) != type) {
        *wrong = true;
        call_reply_wrong_type(call);
        return NULL;
    }
    return object;
}

struct object *find_unnoticed(struct call *call, struct bytes key, uint64_t hash)
{
    struct object *object = call_find(call, key, hash);
    if (object == NULL) {
        call->misses++;
    } else {
        call->hits++;
    }
    return object;
}

void effect_set(struct call *call, struct bytes key, struct bytes value, uint64_t expire_at_ms)
{
    char text[NUMBER_INT64_SIZE];
    struct bytes argv[] = {BYTES_LITERAL("SET"), key, value, BYTES_LITERAL("PXAT"), {text, 0}};
    if (expire_at_ms == 0) {
        call_effect(call, 3, argv);
        return;
    }
    argv[4].size = format_uint64(text, expire_at_ms);
    call_effect(call, 5, argv);
}

void effect_expire_at(struct call *call, struct bytes key, uint64_t expire_at_ms)
{
    if (expire_at_ms == 0) {
        const struct bytes argv[] = {BYTES_LITERAL("PERSIST"), key};
        call_effect(call, 2, argv);
        return;
    }
    char text[NUMBER_INT64_SIZE];
    const struct bytes argv[] = {
        BYTES_LITERAL("PEXPIREAT"), key, {text, format_uint64(text, expire_at_ms)}};
    call_effect(call, 3, argv);
}

void reply_object_string(struct call *call, const struct object *object)
{
    char scratch[OBJECT_SCRATCH_SIZE];
    reply_bulk(call->reply, object_string(object, scratch));
}

bool string_size_ok(struct call *call, uint64_t size, uint64_t more)
{
    if (size <= REQUEST_BULK_SIZE_MAX && more <= REQUEST_BULK_SIZE_MAX - size) {
        return true;
    }
    reply_error(call->reply, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    return false;
}
