/*
 * A list under test beside a plain array of values: random operations on both, and comparisons. For
 * the test of lists and, with allocations that fail, for the test without memory.
 */
#ifndef TORC_TESTS_UNIT_STORE_LIST_MODEL_H
#define TORC_TESTS_UNIT_STORE_LIST_MODEL_H

#include "base/error.h"
#include "node/store/allocate.h"
#include "node/store/chunks.h"
#include "node/store/keyspace.h"
#include "node/store/list.h"
#include "tests/unit/store/support.h"

#include <inttypes.h>

#define MODEL_COUNT_MAX 20000
#define MODEL_VALUE_SIZE_MAX 20000

struct list_world {
    uint64_t seed;
    size_t step;
    struct prng prng;
    struct keyspace *keys;
    size_t *allocations_left; /* of the failing allocator; NULL where there is none */
    size_t failures;          /* operations that ran out of memory */
    struct bytes key;
    uint64_t hash;
    size_t value_size_max;
    size_t count;
    struct bytes values[MODEL_COUNT_MAX]; /* each data is the model's own */
    char scratch[8][MODEL_VALUE_SIZE_MAX];
};

#define list_require(world, condition)                                                             \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            ck_abort_msg("seed %" PRIu64 " step %zu: %s", (world)->seed, (world)->step,            \
                         #condition);                                                              \
        }                                                                                          \
    } while (0)

static inline void list_world_init(struct list_world *world, uint64_t seed, struct keyspace *keys)
{
    world->seed = seed;
    world->keys = keys;
    world->key = bytes_of("list");
    world->hash = key_hash(world->key);
    world->value_size_max = 40;
    prng_init(&world->prng, seed);
}

static inline size_t list_draw(struct list_world *world, size_t limit)
{
    return (size_t)prng_below(&world->prng, limit);
}

/* ---- the model ---- */

static inline void model_insert(struct list_world *world, size_t index, struct bytes value)
{
    list_require(world, world->count < MODEL_COUNT_MAX);
    char *data = malloc(value.size + 1);
    list_require(world, data != NULL);
    memcpy(data, value.size == 0 ? "" : value.data, value.size);
    memmove(world->values + index + 1, world->values + index,
            (world->count - index) * sizeof(*world->values));
    world->values[index] = (struct bytes){data, value.size};
    world->count++;
}

static inline void model_remove(struct list_world *world, size_t index, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((void *)(uintptr_t)world->values[index + i].data);
    }
    memmove(world->values + index, world->values + index + count,
            (world->count - index - count) * sizeof(*world->values));
    world->count -= count;
}

static inline size_t model_remove_equal(struct list_world *world, struct bytes value,
                                        enum list_end from, size_t limit)
{
    size_t removed = 0;
    for (size_t i = 0, left = world->count; left > 0 && removed < limit; left--) {
        size_t at = from == LIST_HEAD ? i : left - 1;
        if (bytes_equal(world->values[at], value)) {
            model_remove(world, at, 1);
            removed++;
        } else {
            i++;
        }
    }
    return removed;
}

/* ---- comparing ---- */

static inline const struct object *world_list(struct list_world *world)
{
    return keyspace_find(world->keys, world->key, world->hash);
}

/* What the header of chunks promises. */
static inline void check_chunks(struct list_world *world, const struct chunks *chunks)
{
    size_t count = 0, size = 0;
    size_t memory = store_allocated_size(chunks) + store_allocated_size(chunks->index);
    list_require(world, chunks->first + chunks->length <= chunks->capacity);
    for (size_t i = 0; i < chunks->length; i++) {
        const struct packed *run = chunks_at(chunks, i);
        list_require(world, run->count > 0 && run->start < run->end && run->end <= run->capacity);
        list_require(world, packed_used(run) <= CHUNK_SIZE || run->count == 1);
        const char *at = run->data + run->start;
        struct bytes value;
        for (uint32_t j = 0; j < run->count; j++) {
            at = packed_read(at, &value);
        }
        list_require(world, at == run->data + run->end);
        count += run->count;
        size += packed_used(run);
        memory += store_allocated_size(run->data);
    }
    list_require(world, count == chunks->count);
    list_require(world, size == chunks->size);
    list_require(world, memory == chunks->memory);
}

static inline void check_walk(struct list_world *world, const struct object *list, size_t from,
                              enum list_end to)
{
    struct list_cursor cursor;
    struct bytes value;
    size_t index = from;
    size_t left = to == LIST_TAIL ? world->count - from : from + 1;
    list_cursor_init(&cursor, list, from, to);
    for (; left > 0; left--) {
        list_require(world, list_next(&cursor, &value));
        list_require(world, bytes_equal(value, world->values[index]));
        index += to == LIST_TAIL ? 1 : (size_t)-1;
    }
    list_require(world, !list_next(&cursor, &value));
}

static inline void check_list(struct list_world *world, const struct object *list)
{
    list_require(world, (list == NULL) == (world->count == 0));
    if (list == NULL) {
        return;
    }
    list_require(world, object_type(list) == OBJECT_LIST);
    list_require(world, list_count(list) == world->count);
    if (object_is_outside(list)) {
        check_chunks(world, object_outside(list));
    }
    check_walk(world, list, 0, LIST_TAIL);
    check_walk(world, list, world->count - 1, LIST_HEAD);
    check_walk(world, list, list_draw(world, world->count), LIST_TAIL);
    check_walk(world, list, list_draw(world, world->count), LIST_HEAD);
    struct list_cursor cursor;
    struct bytes value;
    list_cursor_init(&cursor, list, world->count, LIST_HEAD);
    list_require(world, !list_next(&cursor, &value));
}

/* What the keyspace has been told is what its objects and its one table hold. */
static inline void check_memory(struct list_world *world)
{
    list_require(world, memory_adds_up(world->keys));
}

static inline void check_world(struct list_world *world)
{
    check_list(world, world_list(world));
    check_memory(world);
}

/* ---- operations ---- */

/* A value into scratch; few enough different ones that many are equal. */
static inline struct bytes draw_value(struct list_world *world, size_t scratch)
{
    size_t size;
    switch (list_draw(world, 40)) {
    case 0: size = 250 + list_draw(world, 8); break;
    case 1: size = list_draw(world, world->value_size_max * 20 + 1); break;
    case 2: size = list_draw(world, world->value_size_max * 200 + 1); break;
    default: size = list_draw(world, world->value_size_max + 1); break;
    }
    size = size < MODEL_VALUE_SIZE_MAX ? size : MODEL_VALUE_SIZE_MAX;
    memset(world->scratch[scratch], 'a' + (int)list_draw(world, 3), size);
    return (struct bytes){world->scratch[scratch], size};
}

/* Grants the next operation few allocations, where they can fail at all. */
static inline void world_grant(struct list_world *world)
{
    if (world->allocations_left != NULL) {
        *world->allocations_left = list_draw(world, list_draw(world, 4) == 0 ? 60 : 4);
    }
}

static inline size_t model_size(const struct list_world *world)
{
    size_t size = 0;
    for (size_t i = 0; i < world->count; i++) {
        size += packed_entry_size(world->values[i].size);
    }
    return size;
}

/* True if the operation was done. */
static inline bool world_done(struct list_world *world, int result)
{
    if (result == TORC_ETOOBIG) {
        /* Only tiny limits are ever met; one operation brings at most eight values. */
        list_require(world, model_size(world) + 8 * packed_entry_size(MODEL_VALUE_SIZE_MAX) >
                                CONTAINER_SIZE_MAX);
        return false;
    }
    if (world->allocations_left != NULL) {
        *world->allocations_left = SIZE_MAX;
        if (result == TORC_ENOMEM) {
            world->failures++;
            return false;
        }
    }
    list_require(world, result == 0);
    return true;
}

static inline void do_push(struct list_world *world)
{
    struct bytes values[8];
    size_t count = 1 + list_draw(world, 8);
    enum list_end end = list_draw(world, 2) == 0 ? LIST_HEAD : LIST_TAIL;
    for (size_t i = 0; i < count; i++) {
        values[i] = draw_value(world, i);
    }
    struct object *list = NULL;
    world_grant(world);
    if (world_done(world, keyspace_list_push(world->keys, world->key, world->hash, end, values,
                                             count, &list))) {
        list_require(world, list == world_list(world));
        for (size_t i = 0; i < count; i++) {
            model_insert(world, end == LIST_HEAD ? 0 : world->count, values[i]);
        }
    }
}

static inline void do_insert(struct list_world *world)
{
    struct bytes value = draw_value(world, 0);
    size_t index = list_draw(world, world->count + 1);
    world_grant(world);
    if (world_done(world,
                   keyspace_list_insert(world->keys, world->key, world->hash, index, value))) {
        model_insert(world, index, value);
    }
}

static inline void do_replace(struct list_world *world)
{
    struct bytes value = draw_value(world, 0);
    size_t index = list_draw(world, world->count);
    world_grant(world);
    if (world_done(world,
                   keyspace_list_replace(world->keys, world->key, world->hash, index, value))) {
        model_remove(world, index, 1);
        model_insert(world, index, value);
    }
}

static inline void do_remove(struct list_world *world, size_t index, size_t count)
{
    world_grant(world);
    keyspace_list_remove(world->keys, world->key, world->hash, index, count);
    list_require(world, world_done(world, 0));
    model_remove(world, index, count);
}

static inline void do_pop(struct list_world *world)
{
    size_t count = list_draw(world, 4) == 0 ? list_draw(world, world->count + 1) / 4 : 1;
    do_remove(world, list_draw(world, 2) == 0 ? 0 : world->count - count, count);
}

static inline void do_remove_inside(struct list_world *world)
{
    size_t index = list_draw(world, world->count);
    do_remove(world, index, list_draw(world, world->count - index + 1) / 3);
}

static inline void do_remove_equal(struct list_world *world)
{
    struct bytes value = list_draw(world, 3) == 0 ? draw_value(world, 0)
                                                  : world->values[list_draw(world, world->count)];
    memcpy(world->scratch[0], value.size == 0 ? "" : value.data, value.size);
    value.data = world->scratch[0];
    enum list_end from = list_draw(world, 2) == 0 ? LIST_HEAD : LIST_TAIL;
    size_t limit = list_draw(world, 3) == 0 ? SIZE_MAX : 1 + list_draw(world, 5);
    world_grant(world);
    size_t removed =
        keyspace_list_remove_equal(world->keys, world->key, world->hash, value, from, limit);
    list_require(world, world_done(world, 0));
    list_require(world, removed == model_remove_equal(world, value, from, limit));
}

/* The list itself goes on under another name from time to time, as a copy or as a dump. */
static inline void do_make_over(struct list_world *world)
{
    struct bytes other = bytes_of("another list");
    uint64_t other_hash = key_hash(other);
    struct buf dump = {0};
    object_dump(world_list(world), &dump);
    int result;
    bool rename = false;
    world_grant(world);
    switch (list_draw(world, 4)) {
    case 0:
        result =
            keyspace_copy(world->keys, world->key, world->hash, world->keys, other, other_hash);
        break;
    case 1: result = keyspace_restore(world->keys, other, other_hash, buf_bytes(&dump), 7); break;
    case 2:
        result = keyspace_rename(world->keys, world->key, world->hash, other, other_hash);
        rename = true;
        break;
    default:
        result = keyspace_set_expiry(world->keys, world->key, world->hash,
                                     list_draw(world, 2) * 1000000);
        buf_deinit(&dump);
        world_done(world, result);
        return;
    }
    buf_deinit(&dump);
    if (!world_done(world, result)) {
        return;
    }
    check_list(world, keyspace_find(world->keys, other, other_hash));
    check_memory(world);
    list_require(world, (world_list(world) == NULL) == rename);
    if (list_draw(world, 2) == 0 && !rename) {
        list_require(world, keyspace_delete(world->keys, other, other_hash));
    } else {
        result = keyspace_rename(world->keys, other, other_hash, world->key, world->hash);
        list_require(world, result == 0);
    }
}

/* Growing and shrinking take turns. */
static inline void list_world_step(struct list_world *world, bool growing)
{
    world->step++;
    size_t choice = list_draw(world, growing ? 16 : 24);
    if (world->count == 0 || (choice < 8 && world->count < MODEL_COUNT_MAX - 8)) {
        do_push(world);
    } else if (choice < 10 && world->count < MODEL_COUNT_MAX) {
        do_insert(world);
    } else if (choice < 12) {
        do_replace(world);
    } else if (choice == 12) {
        do_make_over(world);
    } else if (choice == 13) {
        do_remove_equal(world);
    } else if (choice == 14 || choice > 21) {
        do_remove_inside(world);
    } else {
        do_pop(world);
    }
}

#endif
