/* The portable form of a value. Normative: docs/protocol.md. */
#include "base/codec.h"
#include "base/error.h"
#include "node/store/hash_form.h"
#include "node/store/list_form.h"
#include "node/store/object.h"
#include "node/store/set_form.h"
#include "node/store/zset_form.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define DUMP_VERSION 1
#define DUMP_CHECKSUM_SIZE 8

/* Numbers of the format, not of the program: they never change. */
enum dump_form {
    DUMP_TEXT = 0,
    DUMP_INTEGER = 1,
};

static uint64_t checksum(const char *data, size_t size)
{
    return XXH3_64bits(data, size);
}

static void string_dump(const struct object *object, struct buf *out)
{
    if (object_encoding(object) == ENCODING_INTEGER) {
        write_u8(out, DUMP_INTEGER);
        write_u64(out, (uint64_t)object_stored_integer(object));
    } else {
        write_u8(out, DUMP_TEXT);
        write_bytes32(out, object_value(object));
    }
}

void object_dump(const struct object *object, struct buf *out)
{
    size_t before = buf_size(out);
    write_u8(out, DUMP_VERSION);
    write_u8(out, (uint8_t)object_type(object));
    switch (object_type(object)) {
    case OBJECT_STRING: string_dump(object, out); break;
    case OBJECT_LIST: list_dump(object, out); break;
    case OBJECT_HASH: hash_dump(object, out); break;
    case OBJECT_SET: set_dump(object, out); break;
    case OBJECT_ZSET: zset_dump(object, out); break;
    }
    if (!out->failed) {
        size_t size = buf_size(out) - before;
        write_u64(out, checksum(buf_tail(out) - size, size));
    }
}

/* Splits off the checksum. 0, TORC_ECORRUPT, TORC_EVERSION. */
static int check_frame(struct bytes dump, struct bytes *body)
{
    if (dump.size <= DUMP_CHECKSUM_SIZE) {
        return TORC_ECORRUPT;
    }
    *body = (struct bytes){dump.data, dump.size - DUMP_CHECKSUM_SIZE};
    struct reader reader;
    reader_init(&reader, (struct bytes){dump.data + body->size, DUMP_CHECKSUM_SIZE});
    if (read_u64(&reader) != checksum(body->data, body->size)) {
        return TORC_ECORRUPT;
    }
    return (uint8_t)body->data[0] == DUMP_VERSION ? 0 : TORC_EVERSION;
}

static int string_restore(struct keyspace *keys, struct bytes key, uint64_t hash,
                          struct reader *payload, uint64_t expire_at_ms)
{
    uint8_t form = read_u8(payload);
    if (form == DUMP_INTEGER) {
        uint64_t value = read_u64(payload);
        int result = reader_finish(payload);
        return result != 0
                   ? result
                   : keyspace_set_integer(keys, key, hash, (int64_t)value, expire_at_ms, NULL);
    }
    if (form != DUMP_TEXT) {
        return TORC_ECORRUPT;
    }
    struct bytes text = read_bytes32(payload, OBJECT_SIZE_MAX);
    int result = reader_finish(payload);
    return result != 0 ? result : keyspace_set_string(keys, key, hash, text, expire_at_ms, NULL);
}

int keyspace_restore(struct keyspace *keys, struct bytes key, uint64_t hash, struct bytes dump,
                     uint64_t expire_at_ms)
{
    struct bytes body;
    int result = check_frame(dump, &body);
    if (result != 0) {
        return result;
    }
    struct reader reader;
    reader_init(&reader, body);
    read_u8(&reader); /* the version */
    switch (read_u8(&reader)) {
    case OBJECT_STRING: return string_restore(keys, key, hash, &reader, expire_at_ms);
    case OBJECT_LIST: return list_restore(keys, key, hash, &reader, expire_at_ms);
    case OBJECT_HASH: return hash_restore(keys, key, hash, &reader, expire_at_ms);
    case OBJECT_SET: return set_restore(keys, key, hash, &reader, expire_at_ms);
    case OBJECT_ZSET: return zset_restore(keys, key, hash, &reader, expire_at_ms);
    default: return TORC_ECORRUPT;
    }
}
