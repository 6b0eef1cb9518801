/*
 * Arbitrary bytes as a dump: refused without a trace, or taken and then dumped to the same value.
 * Since a checksum guards the body, the input is also tried as a body with the right one behind it.
 */
#include "base/buf.h"
#include "base/codec.h"
#include "base/error.h"
#include "node/store/hash.h"
#include "node/store/list.h"
#include "node/store/set.h"
#include "node/store/zset.h"

#include <assert.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct store *the_store(void)
{
    static struct store *store;
    if (store == NULL) {
        store = store_create();
        assert(store != NULL);
    }
    return store;
}

static void check_same_string(const struct object *object, const struct object *copy)
{
    char scratch[OBJECT_SCRATCH_SIZE];
    char scratch_copy[OBJECT_SCRATCH_SIZE];
    assert(bytes_equal(object_string(object, scratch), object_string(copy, scratch_copy)));
}

/* The same values, and as many to the head as to the tail. */
static void check_same_list(const struct object *object, const struct object *copy)
{
    size_t count = list_count(object);
    assert(count > 0);
    assert(list_count(copy) == count);
    struct list_cursor cursor;
    struct list_cursor copy_cursor;
    struct bytes value;
    struct bytes copy_value;
    list_cursor_init(&cursor, object, 0, LIST_TAIL);
    list_cursor_init(&copy_cursor, copy, 0, LIST_TAIL);
    for (size_t i = 0; i < count; i++) {
        bool both = list_next(&cursor, &value) && list_next(&copy_cursor, &copy_value);
        assert(both);
        assert(bytes_equal(value, copy_value));
    }
    assert(!list_next(&cursor, &value));
    list_cursor_init(&cursor, object, count - 1, LIST_HEAD);
    for (size_t i = 0; i < count; i++) {
        bool more = list_next(&cursor, &value);
        assert(more);
    }
    assert(!list_next(&cursor, &value));
}

struct walk {
    const struct object *copy;
    size_t count;
};

static void check_field(void *context, struct bytes field, struct bytes value)
{
    struct walk *walk = context;
    struct bytes copied = {0};
    bool found = hash_get(walk->copy, field, &copied);
    assert(found);
    assert(bytes_equal(copied, value));
    walk->count++;
}

static void check_same_hash(const struct object *object, const struct object *copy)
{
    struct walk walk = {.copy = copy};
    uint64_t next = hash_scan(object, 0, SIZE_MAX, check_field, &walk);
    assert(next == 0);
    assert(walk.count > 0);
    assert(hash_count(object) == walk.count);
    assert(hash_count(copy) == walk.count);
}

static void check_member(void *context, struct bytes member, struct bytes value)
{
    struct walk *walk = context;
    bool found = set_has(walk->copy, member);
    assert(found);
    assert(value.size == 0);
    walk->count++;
}

static void check_same_set(const struct object *object, const struct object *copy)
{
    struct walk walk = {.copy = copy};
    uint64_t next = set_scan(object, 0, SIZE_MAX, check_member, &walk);
    assert(next == 0);
    assert(walk.count > 0);
    assert(set_count(object) == walk.count);
    assert(set_count(copy) == walk.count);
}

/* The same entries, in an order that the bounds agree with, and as many down as up. */
static void check_same_zset(const struct object *object, const struct object *copy)
{
    size_t count = zset_count(object);
    assert(count > 0);
    assert(zset_count(copy) == count);
    struct zset_cursor cursor;
    struct zset_cursor copy_cursor;
    struct zset_entry entry;
    struct zset_entry copy_entry;
    zset_cursor_init(&cursor, object, 0, false);
    zset_cursor_init(&copy_cursor, copy, 0, false);
    for (size_t i = 0; i < count; i++) {
        bool both = zset_next(&cursor, &entry) && zset_next(&copy_cursor, &copy_entry);
        assert(both);
        assert(entry.score == copy_entry.score);
        assert(bytes_equal(entry.member, copy_entry.member));
        struct zset_bound bound = {.kind = ZSET_BOUND_ENTRY, .entry = entry};
        assert(zset_count_before(copy, &bound) == i);
    }
    assert(!zset_next(&cursor, &entry));
    zset_cursor_init(&cursor, object, count - 1, true);
    for (size_t i = 0; i < count; i++) {
        bool more = zset_next(&cursor, &entry);
        assert(more);
    }
    assert(!zset_next(&cursor, &entry));
}

static void check_round_trip(struct keyspace *keys, struct bytes key)
{
    struct bytes copy_key = BYTES_LITERAL("copy");
    struct object *object = keyspace_find(keys, key, key_hash(key));
    assert(object != NULL);
    struct buf dump = {0};
    object_dump(object, &dump);
    assert(!dump.failed);
    int result = keyspace_restore(keys, copy_key, key_hash(copy_key), buf_bytes(&dump), 0);
    assert(result == 0);
    struct object *copy = keyspace_find(keys, copy_key, key_hash(copy_key));
    assert(object_type(copy) == object_type(object));
    switch (object_type(object)) {
    case OBJECT_STRING: check_same_string(object, copy); break;
    case OBJECT_LIST: check_same_list(object, copy); break;
    case OBJECT_HASH: check_same_hash(object, copy); break;
    case OBJECT_SET: check_same_set(object, copy); break;
    case OBJECT_ZSET: check_same_zset(object, copy); break;
    }
    buf_deinit(&dump);
}

static void restore(struct bytes dump)
{
    struct keyspace *keys = store_keyspace(the_store(), 0);
    struct bytes key = BYTES_LITERAL("key");
    int result = keyspace_restore(keys, key, key_hash(key), dump, 77);
    if (result == 0) {
        check_round_trip(keys, key);
    } else {
        assert(result == TORC_ECORRUPT || result == TORC_EVERSION);
        assert(keyspace_count(keys) == 0);
        assert(keyspace_memory(keys) == 0);
    }
    keyspace_clear(keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    restore((struct bytes){(const char *)data, size});
    struct buf sealed = {0};
    buf_append(&sealed, data, size);
    write_u64(&sealed, XXH3_64bits(data, size));
    restore(buf_bytes(&sealed));
    buf_deinit(&sealed);
    return 0;
}
