/*
 * The bytes of one object: a key, its value and what is known about both, in a single allocation.
 * Internal to the store; the public face is store.h. The caller holds the slot's lock.
 *
 *      kind   clock   lengths      key        value
 *      1      3       2,3,5 or 8   key_size   value_size
 *
 * A key of up to 255 bytes with a value of up to 255 costs six bytes beside them. A container that
 * has outgrown its object keeps a structure outside of it, and the value is the pointer to that.
 * Whether an object expires is in the kind, and when it does is beside its entry: see segment.h.
 */
#ifndef TORC_NODE_STORE_OBJECT_H
#define TORC_NODE_STORE_OBJECT_H

#include "node/store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define OBJECT_SIZE_MAX UINT32_MAX /* of a key, and of a value: what a length field holds */

enum object_encoding {
    ENCODING_TEXT = 0,
    ENCODING_INTEGER =
        1, /* value: two's complement, little-endian, 1 to 8 bytes, no more than needed */
    ENCODING_EDITED = 2,  /* text that was resized in place and may have slack behind it */
    ENCODING_PACKED = 2,  /* the same bytes as far as this file goes, of a small container */
    ENCODING_OUTSIDE = 3, /* value: a pointer to what the container's type keeps, see container.h */
};

struct freeing;

struct object {
    uint8_t kind;     /* type: bits 0-2, encoding: 3-4, expires: 5, width of lengths: 6-7 */
    uint8_t clock[3]; /* what is noted of accesses: see eviction.h; little-endian, 0 = none yet */
    uint8_t rest[];
};

#define OBJECT_HEAD_SIZE 4
#define OBJECT_KIND_EXPIRES 0x20u

/* How the two lengths are written; the figure is in the kind. */
enum object_width {
    WIDTH_KEY8_VALUE8 = 0,
    WIDTH_KEY8_VALUE16 = 1,
    WIDTH_KEY8_VALUE32 = 2,
    WIDTH_KEY32_VALUE32 = 3,
};

/* What an object shall be. Everything in it is borrowed for the call. */
struct object_draft {
    enum object_type type;
    enum object_encoding encoding;
    struct bytes key;
    struct bytes value; /* data NULL: the bytes are left for the caller to write */
    size_t slack;       /* bytes to allocate beyond the value */
};

static inline enum object_width object_width(const struct object *object)
{
    return (enum object_width)(object->kind >> 6);
}

static inline enum object_encoding object_encoding(const struct object *object)
{
    return (enum object_encoding)((object->kind >> 3) & 3);
}

/* The value is a pointer, which need not be aligned, to what belongs to the object. */
static inline bool object_is_outside(const struct object *object)
{
    return object_encoding(object) == ENCODING_OUTSIDE;
}

static inline bool object_expires(const struct object *object)
{
    return (object->kind & OBJECT_KIND_EXPIRES) != 0;
}

/* For who keeps the time: segment_set_expiry. */
static inline void object_set_expires(struct object *object, bool expires)
{
    object->kind =
        (uint8_t)((object->kind & ~OBJECT_KIND_EXPIRES) | (expires ? OBJECT_KIND_EXPIRES : 0u));
}

/* Bytes of both lengths together, by width: 2, 3, 5, 8, one in each nibble. */
static inline size_t object_lengths_size(enum object_width width)
{
    return (0x8532u >> (4 * (unsigned)width)) & 0xfu;
}

static inline size_t object_key_size(const struct object *object)
{
    if (TORC_LIKELY(object_width(object) != WIDTH_KEY32_VALUE32)) {
        return object->rest[0];
    }
    uint32_t size;
    memcpy(&size, object->rest, sizeof(size));
    return size;
}

static inline const char *object_key_data(const struct object *object)
{
    return (const char *)object->rest + object_lengths_size(object_width(object));
}

/* Keys are short: a call to memcmp would cost more than the comparison. Whole words, the last of
 * which overlaps the one before it. */
static inline bool object_bytes_same(const char *a, const char *b, size_t size)
{
    if (size >= sizeof(uint64_t)) {
        uint64_t x, y;
        for (size_t at = 0; at < size - sizeof(x); at += sizeof(x)) {
            memcpy(&x, a + at, sizeof(x));
            memcpy(&y, b + at, sizeof(y));
            if (x != y) {
                return false;
            }
        }
        memcpy(&x, a + size - sizeof(x), sizeof(x));
        memcpy(&y, b + size - sizeof(y), sizeof(y));
        return x == y;
    }
    for (size_t at = 0; at < size; at++) {
        if (a[at] != b[at]) {
            return false;
        }
    }
    return true;
}

static inline bool object_has_key(const struct object *object, struct bytes key)
{
    return object_key_size(object) == key.size &&
           object_bytes_same(object_key_data(object), key.data, key.size);
}

/* The value as it is stored: text, or the bytes of an integer. */
struct bytes object_value(const struct object *object);
char *object_value_data(struct object *object);
void *object_outside(const struct object *object);          /* ENCODING_OUTSIDE only */
int64_t object_stored_integer(const struct object *object); /* ENCODING_INTEGER only */

/* NULL without memory. The access clock starts at zero, and it does not expire. */
struct object *object_create(const struct object_draft *draft);
/* Of one that keeps nothing outside and does not expire. NULL without memory. */
struct object *object_clone(const struct object *object);
/* Frees it with what it keeps outside. Where another object has taken that over, store_release is
 * what frees the rest. */
void object_destroy(struct object *object);
/* The same some at a time: see freeing.h. */
bool object_free_some(struct object *object, struct freeing *freeing);
/* Turns the object into the draft, whose key is the object's own, where it stands, and says so;
 * false (nothing changed) if it does not fit or would waste too much, or if one of them is no
 * string. draft->value may lie inside it. */
bool object_overwrite(struct object *object, const struct object_draft *draft);
/* Sets the size of a text value in place, zero-filling what is new; false (nothing changed) if the
 * lengths or the allocation have no room for it. */
bool object_resize(struct object *object, size_t size);
/* Makes it smaller in place, whatever that wastes. */
void object_truncate(struct object *object, size_t size);
/* The same with a larger allocation; NULL (nothing changed) without memory, else the object, moved.
 * The lengths must have room: object_width_for of the new size is the object's own. */
struct object *object_enlarge(struct object *object, size_t size, size_t slack);
void object_copy_clock(struct object *to, const struct object *from);

enum object_width object_width_for(size_t key_size, size_t value_size);
/* Writes an integer in as few bytes as hold it; returns how many. */
size_t object_pack_integer(int64_t value, char out[8]);
int64_t object_unpack_integer(struct bytes packed);

#endif
