#include "node/store/object.h"

#include "node/store/allocate.h"
#include "node/store/container.h"
#include "node/store/freeing.h"
#include "node/store/integer.h"
#include "node/store/set_form.h"

#include <assert.h>

#define EMBEDDED_SIZE_MAX 44u /* up to which Redis calls a string "embstr" */

static size_t round_up(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static size_t object_offset_of_key(enum object_width width)
{
    return OBJECT_HEAD_SIZE + object_lengths_size(width);
}

static size_t object_value_size(const struct object *object)
{
    const uint8_t *at = object->rest;
    uint16_t size16;
    uint32_t size32;
    switch (object_width(object)) {
    case WIDTH_KEY8_VALUE8: return at[1];
    case WIDTH_KEY8_VALUE16: memcpy(&size16, at + 1, sizeof(size16)); return size16;
    case WIDTH_KEY8_VALUE32: memcpy(&size32, at + 1, sizeof(size32)); return size32;
    case WIDTH_KEY32_VALUE32: break;
    }
    memcpy(&size32, at + 4, sizeof(size32));
    return size32;
}

static void write_value_size(struct object *object, size_t size)
{
    uint8_t *at = object->rest;
    uint16_t size16 = (uint16_t)size;
    uint32_t size32 = (uint32_t)size;
    switch (object_width(object)) {
    case WIDTH_KEY8_VALUE8: at[1] = (uint8_t)size; break;
    case WIDTH_KEY8_VALUE16: memcpy(at + 1, &size16, sizeof(size16)); break;
    case WIDTH_KEY8_VALUE32: memcpy(at + 1, &size32, sizeof(size32)); break;
    case WIDTH_KEY32_VALUE32: memcpy(at + 4, &size32, sizeof(size32)); break;
    }
}

static void write_key_size(struct object *object, size_t size)
{
    uint32_t size32 = (uint32_t)size;
    if (object_width(object) == WIDTH_KEY32_VALUE32) {
        memcpy(object->rest, &size32, sizeof(size32));
    } else {
        object->rest[0] = (uint8_t)size;
    }
}

static void write_encoding(struct object *object, enum object_encoding encoding)
{
    object->kind = (uint8_t)((object->kind & ~(3u << 3)) | (unsigned)encoding << 3);
}

enum object_width object_width_for(size_t key_size, size_t value_size)
{
    assert(key_size <= OBJECT_SIZE_MAX);
    assert(value_size <= OBJECT_SIZE_MAX);
    if (key_size > UINT8_MAX) {
        return WIDTH_KEY32_VALUE32;
    }
    if (value_size > UINT16_MAX) {
        return WIDTH_KEY8_VALUE32;
    }
    return value_size > UINT8_MAX ? WIDTH_KEY8_VALUE16 : WIDTH_KEY8_VALUE8;
}

struct object *object_create(const struct object_draft *draft)
{
    enum object_width width = object_width_for(draft->key.size, draft->value.size);
    size_t offset = object_offset_of_key(width);
    struct object *object =
        store_allocate(round_up(offset + draft->key.size + draft->value.size + draft->slack));
    if (object == NULL) {
        return NULL;
    }
    object->kind =
        (uint8_t)((unsigned)draft->type | (unsigned)draft->encoding << 3 | (unsigned)width << 6);
    memset(object->clock, 0, sizeof(object->clock));
    write_key_size(object, draft->key.size);
    write_value_size(object, draft->value.size);
    char *at = (char *)object + offset;
    if (draft->key.size > 0) {
        memcpy(at, draft->key.data, draft->key.size);
    }
    if (draft->value.size > 0 && draft->value.data != NULL) {
        memcpy(at + draft->key.size, draft->value.data, draft->value.size);
    }
    return object;
}

struct object *object_clone(const struct object *object)
{
    size_t size = round_up(object_offset_of_key(object_width(object)) + object_key_size(object) +
                           object_value_size(object));
    struct object *clone = store_allocate(size);
    if (clone != NULL) {
        memcpy(clone, object, size);
    }
    return clone;
}

void object_destroy(struct object *object)
{
    if (TORC_UNLIKELY(object_is_outside(object))) {
        container_destroy(object_type(object), object_outside(object));
    }
    store_release(object);
}

bool object_free_some(struct object *object, struct freeing *freeing)
{
    if (TORC_UNLIKELY(object_is_outside(object)) &&
        container_free_some(object_type(object), object_outside(object), freeing)) {
        return true;
    }
    freeing_release(freeing, object);
    return false;
}

bool object_overwrite(struct object *object, const struct object_draft *draft)
{
    size_t key_size = object_key_size(object);
    /* Types begin at 1, which is a string's: the bits of both are its own only if both are one. */
    if (((unsigned)object_type(object) | (unsigned)draft->type) != OBJECT_STRING ||
        object_width_for(key_size, draft->value.size) != object_width(object)) {
        return false;
    }
    size_t offset = object_offset_of_key(object_width(object));
    size_t wanted = round_up(offset + key_size + draft->value.size);
    if (wanted != round_up(offset + key_size + object_value_size(object))) {
        /* Another size: in place only while less than a quarter of the allocation lies idle. */
        size_t allocated = store_allocated_size(object);
        if (wanted > allocated || wanted < allocated - allocated / 4) {
            return false;
        }
    }
    if (draft->value.size > 0) {
        memmove((char *)object + offset + key_size, draft->value.data, draft->value.size);
    }
    write_value_size(object, draft->value.size);
    write_encoding(object, draft->encoding);
    return true;
}

bool object_resize(struct object *object, size_t size)
{
    size_t key_size = object_key_size(object);
    size_t old_size = object_value_size(object);
    if (object_width_for(key_size, size) != object_width(object)) {
        return false;
    }
    size_t offset = object_offset_of_key(object_width(object));
    size_t allocated = store_allocated_size(object);
    if (offset + key_size + size > allocated ||
        (size < old_size && round_up(offset + key_size + size) < allocated / 2)) {
        return false;
    }
    if (size > old_size) {
        memset(object_value_data(object) + old_size, 0, size - old_size);
    }
    write_value_size(object, size);
    write_encoding(object, ENCODING_EDITED);
    return true;
}

void object_truncate(struct object *object, size_t size)
{
    assert(size <= object_value_size(object));
    write_value_size(object, size);
}

struct object *object_enlarge(struct object *object, size_t size, size_t slack)
{
    size_t head = object_offset_of_key(object_width(object)) + object_key_size(object);
    struct object *moved = store_reallocate(object, round_up(head + size + slack));
    if (moved == NULL) {
        return NULL;
    }
    bool resized = object_resize(moved, size);
    assert(resized);
    return moved;
}

void object_copy_clock(struct object *to, const struct object *from)
{
    memcpy(to->clock, from->clock, sizeof(to->clock));
}

size_t object_pack_integer(int64_t value, char out[8])
{
    /* Bytes from the top that only repeat the sign are not written. */
    uint64_t magnitude = value < 0 ? ~(uint64_t)value : (uint64_t)value;
    size_t size = 1;
    while (size < 8 && magnitude >> (8 * size - 1) != 0) {
        size++;
    }
    for (size_t i = 0; i < size; i++) {
        out[i] = (char)((uint64_t)value >> (8 * i));
    }
    return size;
}

int64_t object_unpack_integer(struct bytes packed)
{
    assert(packed.size >= 1 && packed.size <= 8);
    uint64_t value = (uint64_t)(int64_t)(signed char)packed.data[packed.size - 1];
    for (size_t i = packed.size - 1; i > 0; i--) {
        value = value << 8 | (unsigned char)packed.data[i - 1];
    }
    return (int64_t)value;
}

int64_t object_stored_integer(const struct object *object)
{
    return object_unpack_integer(object_value(object));
}

struct bytes object_value(const struct object *object)
{
    return (struct bytes){object_key_data(object) + object_key_size(object),
                          object_value_size(object)};
}

char *object_value_data(struct object *object)
{
    return (char *)object + object_offset_of_key(object_width(object)) + object_key_size(object);
}

void *object_outside(const struct object *object)
{
    assert(object_is_outside(object));
    void *outside;
    memcpy((void *)&outside, object_value(object).data, sizeof(outside));
    return outside;
}

enum object_type object_type(const struct object *object)
{
    return (enum object_type)(object->kind & 7);
}

const char *object_type_name(const struct object *object)
{
    switch (object_type(object)) {
    case OBJECT_STRING: return "string";
    case OBJECT_LIST: return "list";
    case OBJECT_HASH: return "hash";
    case OBJECT_SET: return "set";
    case OBJECT_ZSET: return "zset";
    }
    return "unknown";
}

static const char *string_encoding_name(const struct object *object)
{
    switch (object_encoding(object)) {
    case ENCODING_INTEGER: return "int";
    case ENCODING_EDITED: return "raw";
    case ENCODING_OUTSIDE:
    case ENCODING_TEXT: break;
    }
    return object_value_size(object) <= EMBEDDED_SIZE_MAX ? "embstr" : "raw";
}

const char *object_encoding_name(const struct object *object)
{
    switch (object_type(object)) {
    case OBJECT_STRING: break;
    case OBJECT_LIST: return object_is_outside(object) ? "quicklist" : "listpack";
    case OBJECT_HASH: return object_is_outside(object) ? "hashtable" : "listpack";
    case OBJECT_SET:
        return set_is_integers(object)     ? "intset"
               : object_is_outside(object) ? "hashtable"
                                           : "listpack";
    case OBJECT_ZSET: return object_is_outside(object) ? "skiplist" : "listpack";
    }
    return string_encoding_name(object);
}

struct bytes object_key(const struct object *object)
{
    return (struct bytes){object_key_data(object), object_key_size(object)};
}

size_t object_memory(const struct object *object)
{
    size_t memory = store_allocated_size(object);
    if (TORC_UNLIKELY(object_is_outside(object))) {
        memory += container_memory(object_type(object), object_outside(object));
    }
    return memory;
}

struct bytes object_string(const struct object *object, char scratch[OBJECT_SCRATCH_SIZE])
{
    if (object_encoding(object) != ENCODING_INTEGER) {
        return object_value(object);
    }
    return (struct bytes){scratch, integer_format(object_stored_integer(object), scratch)};
}

size_t object_string_size(const struct object *object)
{
    char scratch[OBJECT_SCRATCH_SIZE];
    return object_string(object, scratch).size;
}

bool object_integer(const struct object *object, int64_t *out)
{
    if (object_encoding(object) != ENCODING_INTEGER) {
        return integer_parse(object_value(object), out);
    }
    *out = object_stored_integer(object);
    return true;
}
