/* What the tests of the store share: numbered keys, short ways to set and to look, and running. */
#ifndef TORC_TESTS_UNIT_STORE_SUPPORT_H
#define TORC_TESTS_UNIT_STORE_SUPPORT_H

#include "base/codec.h"
#include "node/store/keyspace.h"
#include "node/store/store.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

/* An assertion for inner loops: Check's own notes its place with a system call each time. */
#define require(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            ck_abort_msg("%s", #condition);                                                        \
        }                                                                                          \
    } while (0)

struct numbered_key {
    char text[32];
    struct bytes key; /* into text: fill it where it stays */
    uint64_t hash;
};

static inline void numbered_key(struct numbered_key *out, uint64_t number)
{
    int size = snprintf(out->text, sizeof(out->text), "key:%010llu", (unsigned long long)number);
    out->key = (struct bytes){out->text, (size_t)size};
    out->hash = key_hash(out->key);
}

/* The number of a key made above. */
static inline uint64_t key_number(const struct object *object)
{
    struct bytes key = object_key(object);
    uint64_t number = 0;
    require(key.size == 14);
    for (size_t i = 4; i < key.size; i++) {
        number = number * 10 + (uint64_t)(key.data[i] - '0');
    }
    return number;
}

static inline void set_number(struct keyspace *keys, uint64_t number, const char *value,
                              uint64_t expire_at_ms)
{
    struct numbered_key name;
    numbered_key(&name, number);
    require(keyspace_set_string(keys, name.key, name.hash, bytes_of(value), expire_at_ms, NULL) ==
            0);
}

static inline struct object *find_number(struct keyspace *keys, uint64_t number)
{
    struct numbered_key name;
    numbered_key(&name, number);
    return keyspace_find(keys, name.key, name.hash);
}

static inline bool delete_number(struct keyspace *keys, uint64_t number)
{
    struct numbered_key name;
    numbered_key(&name, number);
    return keyspace_delete(keys, name.key, name.hash);
}

static inline struct object *find_text(struct keyspace *keys, const char *key)
{
    return keyspace_find(keys, bytes_of(key), key_hash(bytes_of(key)));
}

static inline struct object *set_text(struct keyspace *keys, const char *key, struct bytes value,
                                      uint64_t expire_at_ms)
{
    struct object *object = NULL;
    struct bytes name = bytes_of(key);
    ck_assert_int_eq(keyspace_set_string(keys, name, key_hash(name), value, expire_at_ms, &object),
                     0);
    ck_assert_ptr_nonnull(object);
    return object;
}

static inline void assert_holds(const struct object *object, struct bytes value)
{
    char scratch[OBJECT_SCRATCH_SIZE];
    require(object != NULL);
    struct bytes held = object_string(object, scratch);
    require(bytes_equal(held, value));
    require(object_string_size(object) == value.size);
}

/* Of one with no keys: what waits to be freed is all that it accounts for. */
static inline void assert_nothing_is_left(struct store *store)
{
    while (store_free_some(store, 1000) > 0) {
    }
    ck_assert_uint_eq(store_freeing(store), 0);
    ck_assert_uint_eq(store_memory(store), 0);
}

static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

static inline void sum_memory(void *context, const struct object *object)
{
    *(size_t *)context += object_memory(object);
}

/* True if what a keyspace without a directory says that it holds is what its objects and its one
 * table do. */
static inline bool memory_adds_up(struct keyspace *keys)
{
    size_t objects = 0;
    keyspace_scan(keys, 0, SIZE_MAX, sum_memory, &objects);
    return keyspace_memory(keys) == objects + segment_memory(&keys->table.root);
}

/* Restores a payload of that type with the frame put around it. */
static inline int restore_payload(struct keyspace *keys, struct bytes key, enum object_type type,
                                  struct bytes payload)
{
    struct buf dump = {0};
    write_u8(&dump, 1);
    write_u8(&dump, (uint8_t)type);
    buf_append(&dump, payload.data, payload.size);
    write_u64(&dump, XXH3_64bits(buf_head(&dump), buf_size(&dump)));
    int result = keyspace_restore(keys, key, key_hash(key), buf_bytes(&dump), 0);
    buf_deinit(&dump);
    return result;
}

#endif
