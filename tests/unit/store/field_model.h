/*
 * A hash or a set under test beside a plain array: random operations on both, and comparisons. For
 * their own tests and, with allocations that fail, for the test without memory. What is particular
 * to a type is in a struct field_type; a set's fields have empty values.
 */
#ifndef TORC_TESTS_UNIT_STORE_FIELD_MODEL_H
#define TORC_TESTS_UNIT_STORE_FIELD_MODEL_H

#include "base/error.h"
#include "node/store/keyspace.h"
#include "node/store/store.h"
#include "tests/unit/store/support.h"

#include <inttypes.h>

#define FIELD_UNIVERSE 3000
#define FIELD_TEXT_MAX 400

struct field_type {
    enum object_type type;
    bool values;
    size_t (*count)(const struct object *object);
    bool (*get)(const struct object *object, struct bytes field, struct bytes *value);
    uint64_t (*scan)(const struct object *object, uint64_t cursor, size_t budget,
                     member_visitor *visit, void *context);
    void (*random)(const struct object *object, struct prng *prng, member_visitor *visit,
                   void *context);
    int (*set)(struct keyspace *keys, struct bytes key, uint64_t hash, struct bytes field,
               struct bytes value, bool *added);
    bool (*remove)(struct keyspace *keys, struct bytes key, uint64_t hash, struct bytes field);
};

/* What fields look like. */
enum field_shape { FIELDS_SHORT, FIELDS_SOME_LONG, FIELDS_SMALL_INTEGERS, FIELDS_INTEGERS };

struct field_world {
    const struct field_type *type;
    uint64_t seed;
    size_t step;
    struct prng prng;
    struct keyspace *keys;
    size_t *allocations_left; /* of the failing allocator; NULL where there is none */
    size_t failures;
    struct bytes key;
    uint64_t hash;
    enum field_shape shape;
    uint32_t universe; /* fields that may be there */
    size_t count;
    uint32_t values[FIELD_UNIVERSE]; /* 0 = absent, else what the value is made from */
    uint32_t visits[FIELD_UNIVERSE];
};

#define field_require(world, condition)                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            ck_abort_msg("seed %" PRIu64 " step %zu: %s", (world)->seed, (world)->step,            \
                         #condition);                                                              \
        }                                                                                          \
    } while (0)

static inline void field_world_init(struct field_world *world, const struct field_type *type,
                                    uint64_t seed, struct keyspace *keys)
{
    *world = (struct field_world){.type = type, .seed = seed, .keys = keys};
    world->key = bytes_of("container");
    world->hash = key_hash(world->key);
    world->universe = FIELD_UNIVERSE;
    prng_init(&world->prng, seed);
}

static inline size_t field_draw(struct field_world *world, size_t limit)
{
    return (size_t)prng_below(&world->prng, limit);
}

/* The field of a number. Those that look like integers are, of all widths; their low digits tell
 * the number. */
static inline struct bytes field_text(const struct field_world *world, uint32_t number,
                                      char out[FIELD_TEXT_MAX])
{
    int size = 0;
    switch (world->shape) {
    case FIELDS_SHORT: size = snprintf(out, FIELD_TEXT_MAX, "f%u", number); break;
    case FIELDS_SOME_LONG:
        size = snprintf(out, FIELD_TEXT_MAX, "f%0*u", number % 11 == 0 ? 60 + (int)number % 9 : 1,
                        number);
        break;
    case FIELDS_SMALL_INTEGERS: size = snprintf(out, FIELD_TEXT_MAX, "%u", number); break;
    case FIELDS_INTEGERS: {
        static const char *const heads[] = {"", "-1", "7000", "-900000000", "50000000000000"};
        size = snprintf(out, FIELD_TEXT_MAX, "%s%0*u", heads[number % 5], number % 5 == 0 ? 1 : 4,
                        number);
        break;
    }
    }
    return (struct bytes){out, (size_t)size};
}

static inline uint32_t field_number(const struct field_world *world, struct bytes field)
{
    uint32_t number = 0;
    size_t from = world->shape == FIELDS_INTEGERS && field.size > 4 ? field.size - 4 : 0;
    for (size_t i = from; i < field.size; i++) {
        if (field.data[i] >= '0' && field.data[i] <= '9') {
            number = number * 10 + (uint32_t)(field.data[i] - '0');
        }
    }
    return number;
}

static inline struct bytes field_value_text(const struct field_world *world, uint32_t value,
                                            char out[FIELD_TEXT_MAX])
{
    size_t size = 0;
    if (world->type->values) {
        size = world->shape == FIELDS_SOME_LONG && value % 97 == 0 ? value % 300 : value % 64;
    }
    memset(out, 'a' + (int)(value % 26), size);
    return (struct bytes){out, size};
}

/* ---- comparing ---- */

static inline const struct object *field_object(const struct field_world *world)
{
    return keyspace_find(world->keys, world->key, world->hash);
}

static inline void check_field(struct field_world *world, const struct object *object,
                               uint32_t number)
{
    char text[FIELD_TEXT_MAX];
    struct bytes value = {0};
    bool found =
        object != NULL && world->type->get(object, field_text(world, number, text), &value);
    field_require(world, found == (world->values[number] != 0));
    if (found) {
        field_require(world,
                      bytes_equal(value, field_value_text(world, world->values[number], text)));
    }
}

static inline void field_visit(void *context, struct bytes field, struct bytes value)
{
    char text[FIELD_TEXT_MAX];
    struct field_world *world = context;
    uint32_t number = field_number(world, field);
    field_require(world, number < FIELD_UNIVERSE && world->values[number] != 0);
    field_require(world, bytes_equal(field, field_text(world, number, text)));
    field_require(world, bytes_equal(value, field_value_text(world, world->values[number], text)));
    world->visits[number]++;
}

static inline void check_fields(struct field_world *world, const struct object *object)
{
    field_require(world, (object == NULL) == (world->count == 0));
    if (object == NULL) {
        return;
    }
    field_require(world, object_type(object) == world->type->type);
    field_require(world, world->type->count(object) == world->count);
    memset(world->visits, 0, sizeof(world->visits));
    uint64_t cursor = 0;
    do {
        cursor = world->type->scan(object, cursor, 1 + field_draw(world, 200), field_visit, world);
    } while (cursor != 0);
    for (uint32_t number = 0; number < world->universe; number++) {
        check_field(world, object, number);
        field_require(world, world->visits[number] == (world->values[number] != 0 ? 1 : 0));
    }
}

static inline void check_field_world(struct field_world *world)
{
    check_fields(world, field_object(world));
    field_require(world, memory_adds_up(world->keys));
}

/* ---- operations ---- */

static inline void field_grant(struct field_world *world)
{
    if (world->allocations_left != NULL) {
        *world->allocations_left = field_draw(world, field_draw(world, 4) == 0 ? 300 : 4);
    }
}

/* True if the operation was done. */
static inline bool field_done(struct field_world *world, int result)
{
    if (world->allocations_left != NULL) {
        *world->allocations_left = SIZE_MAX;
        if (result == TORC_ENOMEM) {
            world->failures++;
            return false;
        }
    }
    field_require(world, result == 0);
    return true;
}

static inline void do_set_field(struct field_world *world, uint32_t number)
{
    char field[FIELD_TEXT_MAX], value[FIELD_TEXT_MAX];
    uint32_t drawn = 1 + (uint32_t)field_draw(world, 100000);
    bool added = false;
    field_grant(world);
    if (field_done(world, world->type->set(world->keys, world->key, world->hash,
                                           field_text(world, number, field),
                                           field_value_text(world, drawn, value), &added))) {
        field_require(world, added == (world->values[number] == 0));
        world->count += added ? 1 : 0;
        world->values[number] = drawn;
    }
    check_field(world, field_object(world), number);
}

static inline void do_remove_field(struct field_world *world, uint32_t number)
{
    char field[FIELD_TEXT_MAX];
    if (world->count == 0) {
        return;
    }
    field_grant(world);
    bool removed =
        world->type->remove(world->keys, world->key, world->hash, field_text(world, number, field));
    field_done(world, 0);
    field_require(world, removed == (world->values[number] != 0));
    world->count -= removed ? 1 : 0;
    world->values[number] = 0;
    check_field(world, field_object(world), number);
}

static inline void do_random_field(struct field_world *world)
{
    if (world->count > 0) {
        world->type->random(field_object(world), &world->prng, field_visit, world);
    }
}

/* It goes on under another name from time to time, as a copy or as a dump. */
static inline void do_make_fields_over(struct field_world *world)
{
    struct bytes other = bytes_of("another");
    uint64_t other_hash = key_hash(other);
    struct buf dump = {0};
    if (world->count == 0) {
        return;
    }
    object_dump(field_object(world), &dump);
    int result;
    bool rename = false;
    field_grant(world);
    switch (field_draw(world, 4)) {
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
                                     field_draw(world, 2) * 1000000);
        buf_deinit(&dump);
        field_done(world, result);
        return;
    }
    buf_deinit(&dump);
    if (!field_done(world, result)) {
        return;
    }
    check_fields(world, keyspace_find(world->keys, other, other_hash));
    field_require(world, (field_object(world) == NULL) == rename);
    if (field_draw(world, 2) == 0 && !rename) {
        field_require(world, keyspace_delete(world->keys, other, other_hash));
    } else {
        result = keyspace_rename(world->keys, other, other_hash, world->key, world->hash);
        field_require(world, result == 0);
    }
}

static inline void field_world_step(struct field_world *world, bool growing)
{
    uint32_t number = (uint32_t)field_draw(world, world->universe);
    size_t choice = field_draw(world, 1000);
    world->step++;
    if (choice < 3) {
        do_make_fields_over(world);
    } else if (choice < 20) {
        do_random_field(world);
    } else if (choice < 300) {
        growing ? do_remove_field(world, number) : do_set_field(world, number);
    } else {
        growing ? do_set_field(world, number) : do_remove_field(world, number);
    }
}

/* Grows and shrinks around both forms: from few fields and back, in turns. */
static inline void field_world_run(struct field_world *world, size_t steps)
{
    for (size_t i = 0; i < steps; i++) {
        size_t turn = i / (steps / 8);
        world->universe = turn < 4 ? 700 : FIELD_UNIVERSE;
        field_world_step(world, turn % 2 == 0);
        if (i % (steps / 24) == 0) {
            check_field_world(world);
        }
        if (i % (steps / 8) == steps / 8 - 1 && turn % 4 == 3) {
            /* From the beginning, and so in the small form again. */
            field_require(world, world->count == 0 ||
                                     keyspace_delete(world->keys, world->key, world->hash));
            memset(world->values, 0, sizeof(world->values));
            world->count = 0;
            world->shape = (enum field_shape)field_draw(world, 4);
        }
    }
}

#endif
