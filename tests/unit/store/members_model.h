/*
 * Members under test beside a plain array: random operations on both, and comparisons. For the test
 * of members and, with allocations that fail, for the test without memory.
 */
#ifndef TORC_TESTS_UNIT_STORE_MEMBERS_MODEL_H
#define TORC_TESTS_UNIT_STORE_MEMBERS_MODEL_H

#include "base/error.h"
#include "node/store/allocate.h"
#include "node/store/members.h"
#include "tests/unit/store/support.h"

#include <inttypes.h>

#define MEMBERS_UNIVERSE 6000 /* enough for several segments */
#define MEMBER_TEXT_MAX 400

struct members_world {
    uint64_t seed;
    size_t step;
    struct prng prng;
    size_t *allocations_left; /* of the failing allocator; NULL where there is none */
    size_t failures;
    struct members *members;
    size_t count;
    uint32_t values[MEMBERS_UNIVERSE]; /* 0 = absent, else what the value is made from */
    uint32_t visits[MEMBERS_UNIVERSE];
};

#define members_require(world, condition)                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            ck_abort_msg("seed %" PRIu64 " step %zu: %s", (world)->seed, (world)->step,            \
                         #condition);                                                              \
        }                                                                                          \
    } while (0)

static inline void members_world_init(struct members_world *world, uint64_t seed)
{
    world->seed = seed;
    prng_init(&world->prng, seed);
    world->members = members_create();
    members_require(world, world->members != NULL);
}

static inline void members_world_deinit(struct members_world *world)
{
    members_destroy(world->members);
}

static inline size_t members_draw(struct members_world *world, size_t limit)
{
    return (size_t)prng_below(&world->prng, limit);
}

/* The member of a number, some of them long and one of them empty. */
static inline struct bytes member_text(uint32_t number, char out[MEMBER_TEXT_MAX])
{
    if (number == 0) {
        return (struct bytes){NULL, 0};
    }
    int size = snprintf(out, MEMBER_TEXT_MAX, "%u:%0*d", number, number % 17 == 0 ? 300 : 1, 7);
    return (struct bytes){out, (size_t)size};
}

static inline uint32_t member_number(struct bytes member)
{
    uint32_t number = 0;
    for (size_t i = 0; i < member.size && member.data[i] != ':'; i++) {
        number = number * 10 + (uint32_t)(member.data[i] - '0');
    }
    return number;
}

/* The value made from a number: 0 to 299 bytes, most of them few. */
static inline struct bytes value_text(uint32_t value, char out[MEMBER_TEXT_MAX])
{
    size_t size = value % 13 == 0 ? value % 300 : value % 12;
    memset(out, 'a' + (int)(value % 26), size);
    return (struct bytes){out, size};
}

/* ---- comparing ---- */

static inline void check_member(struct members_world *world, uint32_t number)
{
    char text[MEMBER_TEXT_MAX];
    const struct object *found = members_find(world->members, member_text(number, text));
    members_require(world, (found != NULL) == (world->values[number] != 0));
    if (found != NULL) {
        members_require(world, bytes_equal(object_key(found), member_text(number, text)));
        members_require(world,
                        bytes_equal(object_value(found), value_text(world->values[number], text)));
    }
}

static inline void count_visit(void *context, const struct object *object)
{
    struct members_world *world = context;
    uint32_t number = member_number(object_key(object));
    members_require(world, number < MEMBERS_UNIVERSE && world->values[number] != 0);
    world->visits[number]++;
}

static inline size_t tables_memory(const struct table *table)
{
    const struct directory *directory = table_directory(table);
    if (directory == NULL) {
        return segment_memory(&table->root);
    }
    size_t memory = store_allocated_size(directory);
    for (size_t slot = 0; slot < (size_t)1 << directory->depth;) {
        const struct segment *segment = directory->slots[slot];
        memory += store_allocated_size(segment) + segment_memory(segment);
        slot += (size_t)1 << (directory->depth - segment->depth);
    }
    return memory;
}

/* All that can be said of members: each is found and visited once, and the figures are right. */
static inline void check_members(struct members_world *world)
{
    char text[MEMBER_TEXT_MAX];
    struct members *members = world->members;
    size_t size = 0;
    size_t memory = store_allocated_size(members) + tables_memory(&members->table);
    memset(world->visits, 0, sizeof(world->visits));
    uint64_t cursor = 0;
    do {
        cursor = members_scan(members, cursor, 1 + members_draw(world, 100), count_visit, world);
    } while (cursor != 0);
    for (uint32_t number = 0; number < MEMBERS_UNIVERSE; number++) {
        check_member(world, number);
        members_require(world, world->visits[number] == (world->values[number] != 0 ? 1 : 0));
        if (world->values[number] != 0) {
            const struct object *found = members_find(members, member_text(number, text));
            memory += object_memory(found);
            size += member_size(object_key(found), object_value(found));
        }
    }
    members_require(world, members_count(members) == world->count);
    members_require(world, members->size == size);
    members_require(world, members_memory(members) == memory);
}

/* ---- operations ---- */

static inline void members_grant(struct members_world *world)
{
    if (world->allocations_left != NULL) {
        *world->allocations_left = members_draw(world, 6);
    }
}

static inline void members_granted(struct members_world *world)
{
    if (world->allocations_left != NULL) {
        *world->allocations_left = SIZE_MAX;
    }
}

static inline void do_put(struct members_world *world, uint32_t number)
{
    char member[MEMBER_TEXT_MAX], value[MEMBER_TEXT_MAX];
    uint32_t drawn = 1 + (uint32_t)members_draw(world, 100000);
    const struct object *before = members_find(world->members, member_text(number, member));
    bool in_place = before != NULL && object_value(before).size == value_text(drawn, value).size;
    struct object *object = NULL;
    members_grant(world);
    int result =
        members_put(world->members, member_text(number, member), value_text(drawn, value), &object);
    members_granted(world);
    if (result != 0) {
        members_require(world, result == TORC_ENOMEM && !in_place);
        world->failures++;
    } else {
        members_require(world, object == members_find(world->members, member_text(number, member)));
        members_require(world, !in_place || object == before);
        world->count += world->values[number] == 0 ? 1 : 0;
        world->values[number] = drawn;
    }
    check_member(world, number);
}

static inline void do_remove_member(struct members_world *world, uint32_t number)
{
    char member[MEMBER_TEXT_MAX];
    members_grant(world);
    bool removed = members_remove(world->members, member_text(number, member));
    members_granted(world);
    members_require(world, removed == (world->values[number] != 0));
    world->count -= removed ? 1 : 0;
    world->values[number] = 0;
    check_member(world, number);
}

/* A copy takes the place of the original. */
static inline void do_clone(struct members_world *world)
{
    if (world->allocations_left != NULL) {
        *world->allocations_left = members_draw(world, 2 * world->count + 10);
    }
    struct members *clone = members_clone(world->members);
    members_granted(world);
    if (clone == NULL) {
        world->failures++;
        return;
    }
    members_destroy(world->members);
    world->members = clone;
    check_members(world);
}

static inline void do_random(struct members_world *world)
{
    const struct object *object = members_random(world->members, &world->prng);
    members_require(world, (object == NULL) == (world->count == 0));
    if (object != NULL) {
        members_require(world, world->values[member_number(object_key(object))] != 0);
    }
}

/* Growing and shrinking take turns. */
static inline void members_world_step(struct members_world *world, bool growing)
{
    uint32_t number = (uint32_t)members_draw(world, MEMBERS_UNIVERSE);
    size_t choice = members_draw(world, 3000);
    world->step++;
    if (choice == 0) {
        do_clone(world);
    } else if (choice < 60) {
        do_random(world);
    } else if (choice < 900) {
        growing ? do_remove_member(world, number) : do_put(world, number);
    } else {
        growing ? do_put(world, number) : do_remove_member(world, number);
    }
}

#endif
