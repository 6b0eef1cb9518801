#include "node/store/keyspace.h"

#include "base/error.h"
#include "node/store/allocate.h"
#include "node/store/container.h"
#include "node/store/integer.h"
#include "node/store/remains.h"

/* A string that grows gets as much again, and from a mebibyte on an eighth: either way a byte is
 * copied a bounded number of times however often the string is appended to. */
#define SLACK_DOUBLING_MAX (1024u * 1024)

/* An object of that hash expired (or not, or was not there) and now does so then; 0 = never, or it
 * is gone. */
static void note_expiry(struct keyspace *keys, uint64_t hash, bool expired, uint64_t expire_at_ms)
{
    int delta = (expire_at_ms != 0) - (expired ? 1 : 0);
    if (delta != 0) {
        keyspace_count_expiries(keys, delta);
    }
    if (expire_at_ms != 0) {
        keyspace_expect_expiry(keys, hash, expire_at_ms);
    }
}

/* Makes room for such an expiry of a key. Places are no longer good. 0 or TORC_ENOMEM (nothing
 * changed). */
static int make_room_for_expiry(struct keyspace *keys, uint64_t hash, uint64_t expire_at_ms)
{
    uint64_t before = keys->table.memory;
    int result = table_make_room_for_expiry(&keys->table, hash, expire_at_ms);
    keyspace_settle(keys, before);
    return result;
}

/* Has the object at a place, where there is room for it, expire then; 0 = never. */
static void set_expiry_at(struct keyspace *keys, struct place place, uint64_t hash,
                          uint64_t expire_at_ms)
{
    bool expired = object_expires(segment_object(place.segment, place.at));
    segment_set_expiry(place.segment, place.at, expire_at_ms);
    note_expiry(keys, hash, expired, expire_at_ms);
}

/* Puts another object in the place of one, whose expiry it inherits, and which is returned and the
 * caller's from then on. */
static struct object *exchange_at(struct keyspace *keys, struct place place, struct object *object)
{
    uint64_t before = keys->table.memory;
    struct object *old = table_exchange(&keys->table, place, object);
    keyspace_settle(keys, before);
    return old;
}

/* Takes an object out, which is returned and the caller's from then on. */
static struct object *remove_at(struct keyspace *keys, struct place place, uint64_t hash)
{
    note_expiry(keys, hash, object_expires(place_object(place)), 0);
    uint64_t before = keys->table.memory;
    struct object *object = table_remove(&keys->table, place);
    keyspace_settle(keys, before);
    if (TORC_UNLIKELY(keyspace_count(keys) == 0)) {
        keyspace_note_filled(keys);
    }
    return object;
}

/* Frees what was taken out; what is big later, see remains.h. */
static void dispose(struct keyspace *keys, struct object *object)
{
    if (TORC_UNLIKELY(object_may_remain(object))) {
        store_leave_object(keyspace_store(keys), object);
    } else {
        store_release(object);
    }
}

static int insert(struct keyspace *keys, uint64_t hash, struct object *object,
                  uint64_t expire_at_ms)
{
    uint64_t before = keys->table.memory;
    int result = table_insert(&keys->table, hash, object, expire_at_ms);
    keyspace_settle(keys, before);
    if (result != 0) {
        return result;
    }
    note_expiry(keys, hash, false, expire_at_ms);
    if (TORC_UNLIKELY(keyspace_count(keys) == 1)) {
        keyspace_note_filled(keys);
    }
    return 0;
}

int keyspace_put(struct keyspace *keys, uint64_t hash, const struct object_draft *draft,
                 uint64_t expire_at_ms, struct object **out)
{
    struct place place = keyspace_place(keys, draft->key, hash);
    if (TORC_UNLIKELY(!segment_fits_expiry(place.segment, expire_at_ms))) {
        int result = make_room_for_expiry(keys, hash, expire_at_ms);
        if (result != 0) {
            return result;
        }
        place = keyspace_place(keys, draft->key, hash);
    }
    struct object *old = place_object(place);
    struct object *object = old;
    if (old == NULL || !object_overwrite(old, draft)) {
        object = object_create(draft);
        if (object == NULL) {
            return TORC_ENOMEM;
        }
        if (old != NULL) {
            object_copy_clock(object, old);
            dispose(keys, exchange_at(keys, place, object));
        } else {
            int result = insert(keys, hash, object, expire_at_ms);
            if (result != 0) {
                store_release(object);
                return result;
            }
        }
    }
    if (old != NULL && (expire_at_ms != 0 || object_expires(object))) {
        set_expiry_at(keys, place, hash, expire_at_ms);
    }
    if (out != NULL) {
        *out = object;
    }
    return 0;
}

struct object *keyspace_find(struct keyspace *keys, struct bytes key, uint64_t hash)
{
    return place_object(keyspace_place(keys, key, hash));
}

struct object *keyspace_find_with_expiry(struct keyspace *keys, struct bytes key, uint64_t hash,
                                         uint64_t *expire_at_ms)
{
    struct place place = keyspace_place(keys, key, hash);
    struct object *object = place_object(place);
    *expire_at_ms = object == NULL || !object_expires(object) ? 0 : place_expire_at_ms(place);
    return object;
}

uint64_t keyspace_expire_at_ms(struct keyspace *keys, const struct object *object)
{
    if (!object_expires(object)) {
        return 0;
    }
    uint64_t hash = key_hash(object_key(object));
    const struct segment *segment = table_segment(&keys->table, hash);
    return segment_expire_at_ms(segment, segment_find_object(segment, object, hash));
}

void keyspace_prefetch(const struct keyspace *keys, uint64_t hash)
{
    /* The directory of a giant may be freed while we look: not without the lock. */
    if (table_directory(&keys->table) == NULL) {
        const struct segment *root = &keys->table.root;
        uint32_t span = atomic_load_explicit(&root->span, memory_order_relaxed);
        size_t home = home_at_depth(0, tag_at_depth(0, hash), span);
        const char *at = (const char *)((uintptr_t)segment_entries(root) + home * sizeof(uint64_t));
        /* First and last of the entries that are compared: one line, or two. */
        __builtin_prefetch(at);
        __builtin_prefetch(at + (SEGMENT_GROUP - 1) * sizeof(uint64_t));
    }
}

void keyspace_prefetch_object(struct keyspace *keys, uint64_t hash)
{
    const struct segment *segment = table_segment(&keys->table, hash);
    size_t at = segment_likely(segment, hash);
    if (at != SEGMENT_NOT_FOUND) {
        const char *object = (const char *)segment_object(segment, at);
        __builtin_prefetch(object);
        __builtin_prefetch(object + CACHE_LINE);
        if (segment->expiry_size != 0) {
            __builtin_prefetch(segment_expiries(segment).bytes + at * segment->expiry_size);
        }
    }
}

int keyspace_set_string(struct keyspace *keys, struct bytes key, uint64_t hash, struct bytes value,
                        uint64_t expire_at_ms, struct object **out)
{
    int64_t integer;
    if (integer_parse(value, &integer)) {
        return keyspace_set_integer(keys, key, hash, integer, expire_at_ms, out);
    }
    struct object_draft draft = {
        .type = OBJECT_STRING,
        .encoding = ENCODING_TEXT,
        .key = key,
        .value = value,
    };
    return keyspace_put(keys, hash, &draft, expire_at_ms, out);
}

int keyspace_set_integer(struct keyspace *keys, struct bytes key, uint64_t hash, int64_t value,
                         uint64_t expire_at_ms, struct object **out)
{
    char packed[8];
    struct object_draft draft = {
        .type = OBJECT_STRING,
        .encoding = ENCODING_INTEGER,
        .key = key,
        .value = {packed, object_pack_integer(value, packed)},
    };
    return keyspace_put(keys, hash, &draft, expire_at_ms, out);
}

/* Replaces the value at a place by its first bytes in a new object of another size. */
static int remake_value(struct keyspace *keys, struct place place, size_t size, size_t slack)
{
    struct object *old = segment_object(place.segment, place.at);
    char scratch[OBJECT_SCRATCH_SIZE];
    struct bytes value = object_string(old, scratch);
    struct object_draft draft = {
        .type = object_type(old),
        .encoding = ENCODING_EDITED,
        .key = object_key(old),
        .value = {NULL, size},
        .slack = slack,
    };
    struct object *object = object_create(&draft);
    if (object == NULL) {
        return TORC_ENOMEM;
    }
    char *data = object_value_data(object);
    size_t kept = value.size < size ? value.size : size;
    if (kept > 0) {
        memcpy(data, value.data, kept);
    }
    memset(data + kept, 0, size - kept);
    object_copy_clock(object, old);
    dispose(keys, exchange_at(keys, place, object));
    return 0;
}

/* The same where the lengths stay as they are: the allocator may find room behind the object. */
static int enlarge_value(struct keyspace *keys, struct place place, size_t size, size_t slack)
{
    uint64_t *entry = &segment_entries(place.segment)[place.at];
    struct object *old = entry_object(*entry);
    int64_t before = (int64_t)object_memory(old);
    struct object *object = object_enlarge(old, size, slack);
    if (object == NULL) {
        return TORC_ENOMEM;
    }
    *entry = entry_make(entry_tag(*entry), object);
    keyspace_account(keys, (int64_t)object_memory(object) - before);
    return 0;
}

int keyspace_resize_at(struct keyspace *keys, struct place place, size_t size, size_t slack)
{
    struct object *object = place_object(place);
    bool is_integer = object_encoding(object) == ENCODING_INTEGER;
    if (!is_integer && object_resize(object, size)) {
        return 0;
    }
    bool grows = !is_integer && size > object_value(object).size;
    bool same_lengths = object_width_for(object_key_size(object), size) == object_width(object);
    return grows && same_lengths ? enlarge_value(keys, place, size, slack)
                                 : remake_value(keys, place, size, slack);
}

void keyspace_shrink_at(struct keyspace *keys, struct place place, size_t size)
{
    if (keyspace_resize_at(keys, place, size, 0) != 0) {
        object_truncate(place_object(place), size);
    }
}

int keyspace_replace_at(struct keyspace *keys, struct place place, enum object_encoding encoding,
                        struct bytes value)
{
    struct object *old = place_object(place);
    struct object_draft draft = {
        .type = object_type(old),
        .encoding = encoding,
        .key = object_key(old),
        .value = value,
    };
    struct object *object = object_create(&draft);
    if (object == NULL) {
        return TORC_ENOMEM;
    }
    object_copy_clock(object, old);
    dispose(keys, exchange_at(keys, place, object));
    return 0;
}

static int create_zeros(struct keyspace *keys, struct bytes key, uint64_t hash, size_t size,
                        char **data)
{
    struct object_draft draft = {
        .type = OBJECT_STRING,
        .encoding = ENCODING_EDITED,
        .key = key,
        .value = {NULL, size},
    };
    struct object *object;
    int result = keyspace_put(keys, hash, &draft, 0, &object);
    if (result != 0) {
        return result;
    }
    *data = object_value_data(object);
    memset(*data, 0, size);
    return 0;
}

int keyspace_resize_string(struct keyspace *keys, struct bytes key, uint64_t hash, size_t size,
                           char **data)
{
    struct place place = keyspace_place(keys, key, hash);
    if (place.at == SEGMENT_NOT_FOUND) {
        return create_zeros(keys, key, hash, size, data);
    }
    struct object *object = segment_object(place.segment, place.at);
    if (object_type(object) != OBJECT_STRING) {
        return TORC_ETYPE;
    }
    size_t slack = 0;
    if (size > object_string_size(object)) {
        slack = size < SLACK_DOUBLING_MAX ? size : size / 8;
    }
    int result = keyspace_resize_at(keys, place, size, slack);
    if (result != 0) {
        return result;
    }
    *data = object_value_data(place_object(place));
    return 0;
}

int keyspace_set_expiry(struct keyspace *keys, struct bytes key, uint64_t hash,
                        uint64_t expire_at_ms)
{
    struct place place = keyspace_place(keys, key, hash);
    if (place.at == SEGMENT_NOT_FOUND) {
        return TORC_ENOTFOUND;
    }
    if (!segment_fits_expiry(place.segment, expire_at_ms)) {
        int result = make_room_for_expiry(keys, hash, expire_at_ms);
        if (result != 0) {
            return result;
        }
        place = keyspace_place(keys, key, hash);
    }
    set_expiry_at(keys, place, hash, expire_at_ms);
    return 0;
}

bool keyspace_delete(struct keyspace *keys, struct bytes key, uint64_t hash)
{
    struct place place = keyspace_place(keys, key, hash);
    if (place.at == SEGMENT_NOT_FOUND) {
        return false;
    }
    /* The key may be the object's own: not to be looked at from here on. */
    dispose(keys, remove_at(keys, place, hash));
    keyspace_give_room(keys, hash);
    return true;
}

int keyspace_copy(struct keyspace *from, struct bytes key, uint64_t hash, struct keyspace *to,
                  struct bytes to_key, uint64_t to_hash)
{
    const struct object *source = keyspace_find(from, key, hash);
    if (source == NULL) {
        return TORC_ENOTFOUND;
    }
    if (from == to && bytes_equal(key, to_key)) {
        return 0;
    }
    struct object_draft draft = {
        .type = object_type(source),
        .encoding = object_encoding(source),
        .key = to_key,
        .value = object_value(source),
    };
    uint64_t expire_at_ms = keyspace_expire_at_ms(from, source);
    if (!object_is_outside(source)) {
        return keyspace_put(to, to_hash, &draft, expire_at_ms, NULL);
    }
    void *clone = container_clone(draft.type, object_outside(source));
    if (clone == NULL) {
        return TORC_ENOMEM;
    }
    draft.value = (struct bytes){(const char *)&clone, sizeof(clone)};
    int result = keyspace_put(to, to_hash, &draft, expire_at_ms, NULL);
    if (result != 0) {
        container_destroy(draft.type, clone);
    }
    return result;
}

int keyspace_rename(struct keyspace *keys, struct bytes key, uint64_t hash, struct bytes to_key,
                    uint64_t to_hash)
{
    struct object *source = keyspace_find(keys, key, hash);
    if (source == NULL) {
        return TORC_ENOTFOUND;
    }
    if (bytes_equal(key, to_key)) {
        return 0;
    }
    struct object_draft draft = {
        .type = object_type(source),
        .encoding = object_encoding(source),
        .key = to_key,
        .value = object_value(source),
    };
    uint64_t expire_at_ms = keyspace_expire_at_ms(keys, source);
    struct object *target;
    int result = keyspace_put(keys, to_hash, &draft, expire_at_ms, &target);
    if (result != 0) {
        return result;
    }
    object_copy_clock(target, source);
    /* What is outside belongs to the target now. The key may be the source's own. */
    struct object *rest = remove_at(keys, keyspace_place(keys, key, hash), hash);
    if (object_is_outside(rest)) {
        store_release(rest);
    } else {
        dispose(keys, rest);
    }
    keyspace_give_room(keys, hash);
    return 0;
}

void keyspace_clear(struct keyspace *keys)
{
    uint64_t before = keys->table.memory;
    keyspace_count_expiries(keys, -(int64_t)keyspace_expiry_count(keys));
    table_clear(&keys->table);
    keyspace_settle(keys, before);
    keyspace_note_filled(keys);
}

uint64_t keyspace_scan(struct keyspace *keys, uint64_t cursor, size_t budget,
                       keyspace_visitor *visit, void *context)
{
    return table_scan(&keys->table, cursor, budget, visit, context);
}

uint64_t keyspace_scan_bytes(struct keyspace *keys, uint64_t cursor, size_t budget,
                             keyspace_visitor *visit, void *context)
{
    return table_scan_bytes(&keys->table, cursor, budget, visit, context);
}

struct object *keyspace_random(struct keyspace *keys, struct prng *prng)
{
    return table_random(&keys->table, prng);
}

size_t keyspace_count(const struct keyspace *keys)
{
    return table_count(&keys->table);
}

size_t keyspace_expiry_count(const struct keyspace *keys)
{
    return atomic_load_explicit(&keys->table.expiry_count, memory_order_relaxed);
}

size_t keyspace_memory(const struct keyspace *keys)
{
    return keys->table.memory;
}
