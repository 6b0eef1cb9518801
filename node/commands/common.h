/*
 * What the handlers of keys share: effects in their deterministic form, the hash of an argument
 * that is a key, and taking a half-written reply back.
 */
#ifndef TORC_NODE_COMMANDS_COMMON_H
#define TORC_NODE_COMMANDS_COMMON_H

#include "node/call.h"

/* The hash of the key at argument `index`; the first key's was computed by the dispatcher. */
static inline uint64_t key_argument_hash(const struct call *call, size_t index, size_t first_key)
{
    return index == first_key ? call->hash : key_hash(call->argv[index]);
}

/* call_find_typed that counts a hit or miss and notes the access: for commands that read. */
struct object *find_typed_read(struct call *call, struct bytes key, uint64_t hash,
                               enum object_type type, bool *wrong);
static inline struct object *find_string_read(struct call *call, struct bytes key, uint64_t hash,
                                              bool *wrong)
{
    return find_typed_read(call, key, hash, OBJECT_STRING, wrong);
}
/* Counts a hit or miss but notes no access: for commands that only look at a key. */
struct object *find_unnoticed(struct call *call, struct bytes key, uint64_t hash);

/* SET key value [PXAT expire_at_ms]; 0 = no expiry. */
void effect_set(struct call *call, struct bytes key, struct bytes value, uint64_t expire_at_ms);
/* PEXPIREAT key expire_at_ms, or PERSIST key for 0. */
void effect_expire_at(struct call *call, struct bytes key, uint64_t expire_at_ms);

void reply_object_string(struct call *call, const struct object *object);

/* A point of the reply to come back to, when what was promised after it cannot be kept. */
static inline size_t reply_mark(const struct call *call)
{
    return buf_size(call->reply->out);
}
static inline void reply_undo(struct call *call, size_t mark)
{
    struct buf *out = call->reply->out;
    if (!out->failed) {
        out->end = out->start + mark;
    }
}

/* True if a string of `size` bytes that grows by `more` stays within the limit; else replies. */
bool string_size_ok(struct call *call, uint64_t size, uint64_t more) TORC_MUST_USE;

#endif
