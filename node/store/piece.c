#include "node/store/piece.h"

#include "base/codec.h"
#include "base/error.h"
#include "node/store/hash.h"
#include "node/store/list.h"
#include "node/store/object.h"
#include "node/store/set.h"
#include "node/store/zset.h"

#include <math.h>
#include <string.h>

bool object_is_big(const struct object *object)
{
    return object_memory(object) >= PIECE_OBJECT_MIN;
}

static size_t element_count(const struct object *object)
{
    switch (object_type(object)) {
    case OBJECT_STRING: return object_string_size(object);
    case OBJECT_LIST: return list_count(object);
    case OBJECT_HASH: return hash_count(object);
    case OBJECT_SET: return set_count(object);
    case OBJECT_ZSET: return zset_count(object);
    }
    return 0;
}

size_t object_elements_within(const struct object *object, size_t budget)
{
    size_t count = element_count(object);
    size_t each = object_memory(object) / (count == 0 ? 1 : count) + 1;
    return budget / each + 1;
}

/* ---- taking pieces ---- */

static uint64_t string_piece(const struct object *object, uint64_t cursor, size_t budget,
                             struct buf *out)
{
    char scratch[OBJECT_SCRATCH_SIZE];
    struct bytes text = object_string(object, scratch);
    size_t from = cursor < text.size ? (size_t)cursor : text.size;
    size_t size = text.size - from < budget ? text.size - from : budget;
    buf_append(out, text.data + from, size);
    return from + size < text.size ? from + size : 0;
}

static uint64_t list_piece(const struct object *object, uint64_t cursor, size_t budget,
                           struct buf *out)
{
    struct list_cursor walk;
    struct bytes value;
    size_t before = buf_size(out);
    list_cursor_init(&walk, object, (size_t)cursor, LIST_TAIL);
    while (buf_size(out) - before < budget && list_next(&walk, &value)) {
        write_bytes32(out, value);
        cursor++;
    }
    return cursor < list_count(object) ? cursor : 0;
}

static void write_member(void *context, struct bytes member, struct bytes value)
{
    struct buf *out = context;
    write_bytes32(out, member);
    write_bytes32(out, value);
}

static void write_only_member(void *context, struct bytes member, struct bytes value)
{
    (void)value;
    write_bytes32(context, member);
}

static void write_scored(void *context, struct bytes member, struct bytes held)
{
    double score = zset_held_score(held);
    uint64_t bits;
    memcpy(&bits, &score, sizeof(bits));
    write_bytes32(context, member);
    write_u64(context, bits);
}

uint64_t object_piece(const struct object *object, uint64_t cursor, size_t budget, struct buf *out)
{
    write_u8(out, (uint8_t)object_type(object));
    size_t elements = object_elements_within(object, budget);
    switch (object_type(object)) {
    case OBJECT_STRING: return string_piece(object, cursor, budget, out);
    case OBJECT_LIST: return list_piece(object, cursor, budget, out);
    case OBJECT_HASH: return hash_scan(object, cursor, elements, write_member, out);
    case OBJECT_SET: return set_scan(object, cursor, elements, write_only_member, out);
    case OBJECT_ZSET: return zset_scan(object, cursor, elements, write_scored, out);
    }
    return 0;
}

/* ---- adding them ---- */

static int add_to_string(struct keyspace *keys, struct bytes key, uint64_t hash,
                         struct reader *piece)
{
    struct object *object = keyspace_find(keys, key, hash);
    size_t before = object == NULL ? 0 : object_string_size(object);
    size_t size = reader_left(piece);
    char *data = NULL;
    int result = keyspace_resize_string(keys, key, hash, before + size, &data);
    if (result == TORC_OK) {
        read_raw(piece, data + before, size);
    }
    return result;
}

static int add_to_list(struct keyspace *keys, struct bytes key, uint64_t hash, struct reader *piece)
{
    int result = TORC_OK;
    while (reader_left(piece) > 0 && !piece->failed && result == TORC_OK) {
        struct bytes value = read_bytes32(piece, OBJECT_SIZE_MAX);
        result = piece->failed ? TORC_OK
                               : keyspace_list_push(keys, key, hash, LIST_TAIL, &value, 1, NULL);
    }
    return result;
}

static int add_to_hash(struct keyspace *keys, struct bytes key, uint64_t hash, struct reader *piece)
{
    int result = TORC_OK;
    while (reader_left(piece) > 0 && !piece->failed && result == TORC_OK) {
        bool added;
        struct bytes field = read_bytes32(piece, OBJECT_SIZE_MAX);
        struct bytes value = read_bytes32(piece, OBJECT_SIZE_MAX);
        result = piece->failed ? TORC_OK
                               : keyspace_hash_set(keys, key, hash, field, value, &added, NULL);
    }
    return result;
}

static int add_to_set(struct keyspace *keys, struct bytes key, uint64_t hash, struct reader *piece)
{
    int result = TORC_OK;
    while (reader_left(piece) > 0 && !piece->failed && result == TORC_OK) {
        bool added;
        struct bytes member = read_bytes32(piece, OBJECT_SIZE_MAX);
        result = piece->failed ? TORC_OK : keyspace_set_add(keys, key, hash, member, &added, NULL);
    }
    return result;
}

static int add_to_zset(struct keyspace *keys, struct bytes key, uint64_t hash, struct reader *piece)
{
    int result = TORC_OK;
    while (reader_left(piece) > 0 && !piece->failed && result == TORC_OK) {
        struct zset_entry entry = {.member = read_bytes32(piece, OBJECT_SIZE_MAX)};
        struct zset_change change = {.entries = &entry, .count = 1};
        uint64_t bits = read_u64(piece);
        memcpy(&entry.score, &bits, sizeof(entry.score));
        if (isnan(entry.score)) {
            piece->failed = true;
        }
        result = piece->failed ? TORC_OK : keyspace_zset_add(keys, key, hash, &change, NULL);
    }
    return result;
}

static int add_elements(struct keyspace *keys, struct bytes key, uint64_t hash, uint8_t type,
                        struct reader *piece)
{
    switch (type) {
    case OBJECT_STRING: return add_to_string(keys, key, hash, piece);
    case OBJECT_LIST: return add_to_list(keys, key, hash, piece);
    case OBJECT_HASH: return add_to_hash(keys, key, hash, piece);
    case OBJECT_SET: return add_to_set(keys, key, hash, piece);
    case OBJECT_ZSET: return add_to_zset(keys, key, hash, piece);
    default: return TORC_ECORRUPT;
    }
}

int keyspace_add_piece(struct keyspace *keys, struct bytes key, uint64_t hash, struct bytes piece,
                       uint64_t expire_at_ms, bool first)
{
    struct reader reader;
    reader_init(&reader, piece);
    uint8_t type = read_u8(&reader);
    if (first) {
        keyspace_delete(keys, key, hash);
    }
    int result = reader.failed ? TORC_ECORRUPT : add_elements(keys, key, hash, type, &reader);
    if (result == TORC_OK) {
        result = reader_finish(&reader);
    }
    struct object *object = keyspace_find(keys, key, hash);
    if (result == TORC_OK && object != NULL &&
        keyspace_expire_at_ms(keys, object) != expire_at_ms) {
        result = keyspace_set_expiry(keys, key, hash, expire_at_ms);
    }
    return result == TORC_ETYPE || result == TORC_ETOOBIG ? TORC_ECORRUPT : result;
}
