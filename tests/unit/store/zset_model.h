/*
 * A sorted set under test beside a plain array of scores: random operations on both, and
 * comparisons. For the test of sorted sets and, with allocations that fail, for the test without
 * memory.
 */
#ifndef TORC_TESTS_UNIT_STORE_ZSET_MODEL_H
#define TORC_TESTS_UNIT_STORE_ZSET_MODEL_H

#include "base/error.h"
#include "node/store/allocate.h"
#include "node/store/keyspace.h"
#include "node/store/zset_large.h"
#include "tests/unit/store/support.h"

#include <inttypes.h>

#define ZSET_UNIVERSE 1500
#define ZSET_BATCH_MAX 12
#define ZSET_NAME_MAX 300

struct zset_world {
    uint64_t seed;
    size_t step;
    struct prng prng;
    struct keyspace *keys;
    size_t *allocations_left; /* of the failing allocator; NULL where there is none */
    size_t failures;          /* operations that ran out of memory */
    size_t large_failures;    /* of these with a large set */
    struct bytes key;
    uint64_t hash;
    size_t universe; /* members that there may be */
    uint64_t scores_max;
    size_t count;
    bool present[ZSET_UNIVERSE];
    double scores[ZSET_UNIVERSE];
    struct bytes names[ZSET_UNIVERSE]; /* the model's own */
    size_t ranked[ZSET_UNIVERSE];      /* members in order, as of the last zset_rank_model */
};

#define zset_require(world, condition)                                                             \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            ck_abort_msg("seed %" PRIu64 " step %zu: %s", (world)->seed, (world)->step,            \
                         #condition);                                                              \
        }                                                                                          \
    } while (0)

/* `long_members`: one in so many is too long for a small set; 0 = none. */
static inline void zset_world_init(struct zset_world *world, uint64_t seed, struct keyspace *keys,
                                   size_t universe, size_t long_members)
{
    world->seed = seed;
    world->keys = keys;
    world->key = bytes_of("sorted");
    world->hash = key_hash(world->key);
    world->universe = universe;
    world->scores_max = 50;
    prng_init(&world->prng, seed);
    for (size_t i = 1; i < universe; i++) { /* the first one is the empty member */
        char *name = malloc(ZSET_NAME_MAX);
        zset_require(world, name != NULL);
        bool is_long = long_members != 0 && i % long_members == 0;
        int size = snprintf(name, ZSET_NAME_MAX, "%zu:%0*d", i, is_long ? 250 : (int)(i % 60), 7);
        world->names[i] = (struct bytes){name, (size_t)size};
        if (!is_long && world->names[i].size > 64) {
            world->names[i].size = 64;
        }
    }
}

static inline void zset_world_deinit(struct zset_world *world)
{
    for (size_t i = 1; i < world->universe; i++) {
        free((void *)(uintptr_t)world->names[i].data);
    }
}

static inline size_t zset_draw(struct zset_world *world, size_t limit)
{
    return (size_t)prng_below(&world->prng, limit);
}

static inline const struct object *zset_of(struct zset_world *world)
{
    return keyspace_find(world->keys, world->key, world->hash);
}

/* ---- the model ---- */

static inline bool zset_model_less(const struct zset_world *world, size_t a, size_t b)
{
    return world->scores[a] != world->scores[b]
               ? world->scores[a] < world->scores[b]
               : member_compare(world->names[a], world->names[b]) < 0;
}

/* Puts the members that are there into order: by insertion, and they mostly are already. */
static inline void zset_rank_model(struct zset_world *world)
{
    size_t count = 0;
    static bool listed[ZSET_UNIVERSE];
    memset(listed, 0, sizeof(listed));
    for (size_t i = 0; i < world->universe; i++) {
        size_t old = world->ranked[i];
        if (old < world->universe && world->present[old] && !listed[old]) {
            world->ranked[count++] = old;
            listed[old] = true;
        }
    }
    for (size_t i = 0; i < world->universe; i++) {
        if (world->present[i] && !listed[i]) {
            world->ranked[count++] = i;
        }
    }
    zset_require(world, count == world->count);
    for (size_t i = 1; i < count; i++) {
        size_t moved = world->ranked[i];
        size_t to = i;
        for (; to > 0 && zset_model_less(world, moved, world->ranked[to - 1]); to--) {
            world->ranked[to] = world->ranked[to - 1];
        }
        world->ranked[to] = moved;
    }
}

static inline void zset_model_remove(struct zset_world *world, size_t member)
{
    world->count -= world->present[member] ? 1 : 0;
    world->present[member] = false;
}

/* ---- comparing ---- */

static inline void zset_check_walk(struct zset_world *world, const struct object *zset, size_t rank,
                                   bool down)
{
    struct zset_cursor cursor;
    struct zset_entry entry;
    zset_cursor_init(&cursor, zset, rank, down);
    for (size_t left = down ? rank + 1 : world->count - rank; left > 0; left--) {
        size_t member = world->ranked[rank];
        zset_require(world, zset_next(&cursor, &entry));
        zset_require(world, entry.score == world->scores[member]);
        zset_require(world, bytes_equal(entry.member, world->names[member]));
        rank += down ? (size_t)-1 : 1;
    }
    zset_require(world, !zset_next(&cursor, &entry));
}

/* Bounds just before and just behind an entry, of each kind that can be told from it. */
static inline void zset_check_bounds(struct zset_world *world, const struct object *zset,
                                     size_t rank)
{
    size_t member = world->ranked[rank];
    struct zset_bound bound = {.kind = ZSET_BOUND_ENTRY,
                               .entry = {world->names[member], world->scores[member]}};
    zset_require(world, zset_count_before(zset, &bound) == rank);
    bound.behind = true;
    zset_require(world, zset_count_before(zset, &bound) == rank + 1);
    size_t first = rank, last = rank;
    while (first > 0 && world->scores[world->ranked[first - 1]] == bound.entry.score) {
        first--;
    }
    while (last < world->count && world->scores[world->ranked[last]] == bound.entry.score) {
        last++;
    }
    bound.kind = ZSET_BOUND_SCORE;
    zset_require(world, zset_count_before(zset, &bound) == last);
    bound.behind = false;
    zset_require(world, zset_count_before(zset, &bound) == first);
}

static inline void zset_check(struct zset_world *world, const struct object *zset)
{
    zset_require(world, (zset == NULL) == (world->count == 0));
    if (zset == NULL) {
        return;
    }
    zset_require(world, object_type(zset) == OBJECT_ZSET);
    zset_require(world, zset_count(zset) == world->count);
    zset_rank_model(world);
    zset_check_walk(world, zset, 0, false);
    zset_check_walk(world, zset, world->count - 1, true);
    zset_check_walk(world, zset, zset_draw(world, world->count), false);
    zset_check_walk(world, zset, zset_draw(world, world->count), true);
    struct zset_cursor beyond;
    struct zset_entry entry;
    zset_cursor_init(&beyond, zset, world->count, true);
    zset_require(world, !zset_next(&beyond, &entry));
    for (size_t i = 0; i < 5; i++) {
        size_t rank = zset_draw(world, world->count);
        size_t member = world->ranked[rank];
        size_t found;
        double score;
        zset_require(world, zset_rank(zset, world->names[member], &found, &score));
        zset_require(world, found == rank && score == world->scores[member]);
        zset_require(world, zset_score(zset, world->names[member], &score));
        zset_require(world, score == world->scores[member]);
        zset_check_bounds(world, zset, rank);
        member = zset_draw(world, world->universe);
        zset_require(world,
                     zset_score(zset, world->names[member], &score) == world->present[member]);
    }
}

/* What the keyspace has been told is what its objects and its one table hold. */
static inline void zset_check_memory(struct zset_world *world)
{
    zset_require(world, memory_adds_up(world->keys));
}

static inline void zset_check_world(struct zset_world *world)
{
    zset_check(world, zset_of(world));
    zset_check_memory(world);
}

/* ---- operations ---- */

static inline double zset_draw_score(struct zset_world *world)
{
    double score = (double)zset_draw(world, world->scores_max) - (double)world->scores_max / 2;
    switch (zset_draw(world, 12)) {
    case 0: return score + 0.5;
    case 1: return score * 1e6;
    case 2: return score * 1e15;
    case 3: return zset_draw(world, 2) == 0 ? 1e308 * 10 : -1e308 * 10;
    default: return score;
    }
}

/* Grants the next operation few allocations, where they can fail at all; now and then as many as it
 * takes to become large. */
static inline void zset_grant(struct zset_world *world)
{
    if (world->allocations_left != NULL && zset_draw(world, 6) > 0) {
        *world->allocations_left = zset_draw(world, zset_draw(world, 4) == 0 ? 60 : 12);
    }
}

/* True if the operation was done. */
static inline bool zset_done(struct zset_world *world, int result)
{
    if (world->allocations_left != NULL) {
        *world->allocations_left = SIZE_MAX;
        if (result == TORC_ENOMEM) {
            const struct object *zset = zset_of(world);
            world->failures++;
            world->large_failures += zset != NULL && object_is_outside(zset) ? 1 : 0;
            return false;
        }
    }
    zset_require(world, result == 0);
    return true;
}

static inline bool zset_model_takes(const struct zset_world *world, unsigned conditions,
                                    size_t member, double score)
{
    double before = world->scores[member];
    if (!world->present[member]) {
        return (conditions & ZSET_PRESENT) == 0;
    }
    return (conditions & ZSET_ABSENT) == 0 && score != before &&
           !((conditions & ZSET_GREATER) != 0 && score < before) &&
           !((conditions & ZSET_LESS) != 0 && score > before);
}

/* Some entries; now and then a member comes more than once, and always if there is one member. */
static inline void zset_do_add(struct zset_world *world)
{
    static const unsigned lawful[] = {0,
                                      0,
                                      0,
                                      0,
                                      ZSET_ABSENT,
                                      ZSET_PRESENT,
                                      ZSET_GREATER,
                                      ZSET_LESS,
                                      ZSET_PRESENT | ZSET_GREATER,
                                      ZSET_PRESENT | ZSET_LESS};
    struct zset_entry entries[ZSET_BATCH_MAX];
    size_t members[ZSET_BATCH_MAX];
    bool taken[ZSET_BATCH_MAX];
    size_t count = 1 + zset_draw(world, ZSET_BATCH_MAX);
    size_t few = zset_draw(world, 4) == 0 ? 3 : world->universe;
    size_t from = zset_draw(world, world->universe - few + 1);
    for (size_t i = 0; i < count; i++) {
        members[i] = from + zset_draw(world, few);
        entries[i] = (struct zset_entry){world->names[members[i]], zset_draw_score(world)};
    }
    struct zset_change change = {.entries = entries,
                                 .count = count,
                                 .conditions =
                                     lawful[zset_draw(world, sizeof(lawful) / sizeof(lawful[0]))],
                                 .taken = taken};
    struct object *out = NULL;
    zset_grant(world);
    if (!zset_done(world, keyspace_zset_add(world->keys, world->key, world->hash, &change, &out))) {
        return;
    }
    zset_require(world, out == zset_of(world));
    size_t added = 0, updated = 0;
    for (size_t i = 0; i < count; i++) {
        bool takes = zset_model_takes(world, change.conditions, members[i], entries[i].score);
        zset_require(world, taken[i] == takes);
        if (takes) {
            added += world->present[members[i]] ? 0 : 1;
            updated += world->present[members[i]] ? 1 : 0;
            world->present[members[i]] = true;
            world->scores[members[i]] = entries[i].score;
        }
    }
    world->count += added;
    zset_require(world, change.added == added && change.updated == updated);
}

static inline void zset_do_remove(struct zset_world *world)
{
    size_t member = zset_draw(world, world->universe);
    zset_grant(world);
    bool removed = keyspace_zset_remove(world->keys, world->key, world->hash, world->names[member]);
    zset_require(world, zset_done(world, 0));
    zset_require(world, removed == world->present[member]);
    zset_model_remove(world, member);
}

static inline void zset_do_remove_ranks(struct zset_world *world, size_t share)
{
    size_t rank = zset_draw(world, world->count);
    size_t count = zset_draw(world, (world->count - rank) / share + 1);
    count = count == 0 ? 1 : count;
    zset_rank_model(world);
    zset_grant(world);
    keyspace_zset_remove_ranks(world->keys, world->key, world->hash, rank, count);
    zset_require(world, zset_done(world, 0));
    for (size_t i = 0; i < count; i++) {
        zset_model_remove(world, world->ranked[rank + i]);
    }
}

/* A result with some members takes the place of the set. */
static inline void zset_do_store(struct zset_world *world)
{
    static double scores[ZSET_UNIVERSE];
    static bool present[ZSET_UNIVERSE];
    memset(present, 0, sizeof(present));
    zset_grant(world);
    struct zset_large *set = zset_large_create();
    int result = set == NULL ? TORC_ENOMEM : 0;
    size_t wanted = 1 + zset_draw(world, zset_draw(world, 2) == 0 ? 100 : world->universe);
    for (size_t i = 0; i < wanted && result == 0; i++) {
        size_t member = zset_draw(world, world->universe);
        struct zset_entry entry = {world->names[member], zset_draw_score(world)};
        result = zset_large_put(set, entry);
        present[member] = true;
        scores[member] = entry.score;
    }
    if (result == 0) {
        result = zset_large_arrange(set);
    }
    if (result == 0) {
        result = keyspace_zset_store(world->keys, world->key, world->hash, set, NULL);
    }
    if (!zset_done(world, result)) {
        zset_large_destroy(set);
        return;
    }
    world->count = 0;
    for (size_t i = 0; i < world->universe; i++) {
        world->present[i] = present[i];
        world->scores[i] = scores[i];
        world->count += present[i] ? 1 : 0;
    }
}

/* The set itself goes on under another name from time to time, as a copy or as a dump. */
static inline void zset_do_make_over(struct zset_world *world)
{
    struct bytes other = bytes_of("another sorted set");
    uint64_t other_hash = key_hash(other);
    struct buf dump = {0};
    object_dump(zset_of(world), &dump);
    int result;
    bool rename = false;
    zset_grant(world);
    switch (zset_draw(world, 3)) {
    case 0:
        result =
            keyspace_copy(world->keys, world->key, world->hash, world->keys, other, other_hash);
        break;
    case 1: result = keyspace_restore(world->keys, other, other_hash, buf_bytes(&dump), 7); break;
    default:
        result = keyspace_rename(world->keys, world->key, world->hash, other, other_hash);
        rename = true;
        break;
    }
    buf_deinit(&dump);
    if (!zset_done(world, result)) {
        return;
    }
    zset_check(world, keyspace_find(world->keys, other, other_hash));
    zset_check_memory(world);
    zset_require(world, (zset_of(world) == NULL) == rename);
    if (zset_draw(world, 2) == 0 && !rename) {
        zset_require(world, keyspace_delete(world->keys, other, other_hash));
    } else {
        result = keyspace_rename(world->keys, other, other_hash, world->key, world->hash);
        zset_require(world, result == 0);
    }
}

/* Growing and shrinking take turns. */
static inline void zset_world_step(struct zset_world *world, bool growing)
{
    world->step++;
    size_t choice = zset_draw(world, growing ? 100 : 200);
    if (world->count == 0 || choice < 80) {
        zset_do_add(world);
    } else if (choice < 82) {
        zset_do_make_over(world);
    } else if (choice == 82) {
        zset_do_store(world);
    } else if (choice < 95) {
        zset_do_remove(world);
    } else {
        zset_do_remove_ranks(world, choice == 95 ? 1 : 10);
    }
}

#endif
