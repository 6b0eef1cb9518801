#include "node/store/zset.h"

#include "base/error.h"
#include "base/limits.h"
#include "node/store/small.h"
#include "node/store/zset_form.h"
#include "node/store/zset_run.h"

#include <assert.h>

/* A large set becomes small again at half of what had made it large, so that one which wavers is
 * not made over each time. */
#define EMBED_COUNT_MAX (SMALL_MEMBERS_MAX / 2)

/* ---- the small form ---- */

/* Room to change a run in. */
struct scratch {
    struct packed run;
    char data[ZSET_RUN_SIZE_MAX + ZSET_PAIR_SIZE_MAX];
};

static void scratch_init(struct scratch *scratch, const struct packed *run)
{
    uint32_t size = packed_used(run);
    scratch->run = (struct packed){
        .data = scratch->data, .capacity = sizeof(scratch->data), .end = size, .count = run->count};
    if (size > 0) {
        memcpy(scratch->data, run->data + run->start, size);
    }
}

/* Adds to a run. False, with the run anywhere in between, if it has become too much for one. */
static bool run_add(struct packed *run, struct zset_change *change)
{
    change->added = 0;
    change->updated = 0;
    for (size_t i = 0; i < change->count; i++) {
        struct zset_entry entry = change->entries[i];
        struct zset_spot spot = {0};
        bool present = zset_run_find(run, entry.member, &spot);
        bool takes = zset_takes(change->conditions, present, spot.score, entry.score);
        if (change->taken != NULL) {
            change->taken[i] = takes;
        }
        if (!takes) {
            continue;
        }
        if (!present &&
            (run->count == SMALL_MEMBERS_MAX || entry.member.size > SMALL_MEMBER_SIZE_MAX)) {
            return false;
        }
        if (present) {
            zset_run_remove(run, spot.offset);
            change->updated++;
        } else {
            change->added++;
        }
        zset_run_insert(run, entry);
    }
    return true;
}

/* Writes a run where another one of that size was, or where there was none yet. */
static void copy_run(struct packed *to, const struct packed *run)
{
    uint32_t size = packed_used(run);
    memcpy(to->data, run->data + run->start, size);
    to->start = 0;
    to->end = size;
    to->count = run->count;
}

int zset_put_small(struct keyspace *keys, struct bytes key, uint64_t hash, uint64_t expire_at_ms,
                   const struct packed *run)
{
    char *data;
    int result =
        small_put(keys, OBJECT_ZSET, key, hash, expire_at_ms, run->count, packed_used(run), &data);
    if (result == 0) {
        memcpy(data, run->data + run->start, packed_used(run));
    }
    return result;
}

/* Makes the small set of a place hold that run. 0 or TORC_ENOMEM (nothing changed). */
static int small_replace(struct keyspace *keys, struct place place, const struct packed *from)
{
    struct packed run = small_run(place_object(place));
    uint32_t size = packed_used(from);
    bool shrinks = size < run.capacity;
    if (size > run.capacity) {
        int result = small_grow(keys, place, size - run.capacity, &run);
        if (result != 0) {
            return result;
        }
    }
    copy_run(&run, from);
    if (shrinks) {
        small_shrink(keys, place, &run);
    } else {
        small_settle(&run);
    }
    return 0;
}

/* ---- the large form ---- */

static struct zset_large *large_of(const struct object *zset)
{
    return object_outside(zset);
}

static void account_large(struct keyspace *keys, const struct zset_large *set, size_t before)
{
    keyspace_account(keys, (int64_t)zset_large_memory(set) - (int64_t)before);
}

/* The large form of a run; NULL without memory. */
static struct zset_large *enlarge(const struct packed *run)
{
    struct zset_large *set = zset_large_create();
    const char *at = run->data + run->start;
    const char *end = run->data + run->end;
    while (set != NULL && at < end) {
        struct zset_pair pair;
        at = zset_pair_read(at, &pair);
        if (zset_large_append(set, zset_pair_entry(&pair)) != 0) {
            zset_large_destroy(set);
            set = NULL;
        }
    }
    return set;
}

/* Writes the entries of a large set, of which there are few, into a run. False if a member is too
 * long for that. */
static bool make_run(const struct zset_large *set, struct scratch *scratch)
{
    struct zset_cursor cursor;
    struct zset_entry entry;
    char *at = scratch->data;
    zset_cursor_init_large(&cursor, set, 0, false);
    while (zset_next(&cursor, &entry)) {
        if (entry.member.size > SMALL_MEMBER_SIZE_MAX) {
            return false;
        }
        at = zset_pair_write(at, entry);
    }
    scratch->run = (struct packed){.data = scratch->data,
                                   .capacity = sizeof(scratch->data),
                                   .end = (uint32_t)(at - scratch->data),
                                   .count = (uint32_t)zset_large_count(set)};
    return true;
}

/* Makes a large set that has got few members a small one. Without memory it stays large. */
static void embed_if_few(struct keyspace *keys, struct place place)
{
    const struct zset_large *set = large_of(place_object(place));
    struct scratch scratch;
    if (zset_large_count(set) > EMBED_COUNT_MAX || !make_run(set, &scratch)) {
        return;
    }
    struct bytes unwritten = {NULL, SMALL_HEAD_SIZE + packed_used(&scratch.run)};
    if (keyspace_replace_at(keys, place, ENCODING_PACKED, unwritten) == 0) {
        struct packed run = small_run(place_object(place));
        copy_run(&run, &scratch.run);
        small_settle(&run);
    }
}

/* ---- reading ---- */

size_t zset_count(const struct object *zset)
{
    assert(object_type(zset) == OBJECT_ZSET);
    return object_is_outside(zset) ? zset_large_count(large_of(zset)) : small_run(zset).count;
}

bool zset_score(const struct object *zset, struct bytes member, double *score)
{
    if (object_is_outside(zset)) {
        return zset_large_score(large_of(zset), member, score);
    }
    struct packed run = small_run(zset);
    struct zset_spot spot;
    bool present = zset_run_find(&run, member, &spot);
    if (present) {
        *score = spot.score;
    }
    return present;
}

bool zset_rank(const struct object *zset, struct bytes member, size_t *rank, double *score)
{
    if (object_is_outside(zset)) {
        const struct zset_large *set = large_of(zset);
        const struct object *object = zset_large_find(set, member);
        if (object == NULL) {
            return false;
        }
        *score = order_entry(object).score;
        *rank = zset_large_rank(set, object);
        return true;
    }
    struct packed run = small_run(zset);
    struct zset_spot spot;
    if (!zset_run_find(&run, member, &spot)) {
        return false;
    }
    *score = spot.score;
    *rank = spot.rank;
    return true;
}

size_t zset_count_before(const struct object *zset, const struct zset_bound *bound)
{
    if (object_is_outside(zset)) {
        return order_count_before(&large_of(zset)->order, bound);
    }
    struct packed run = small_run(zset);
    return zset_run_seek(&run, bound).rank;
}

void zset_cursor_init_large(struct zset_cursor *cursor, const struct zset_large *set, size_t rank,
                            bool down)
{
    struct order_cursor at = order_seek(&set->order, rank);
    *cursor = (struct zset_cursor){.leaf = at.leaf, .index = at.index, .large = true, .down = down};
}

void zset_cursor_init(struct zset_cursor *cursor, const struct object *zset, size_t rank, bool down)
{
    if (object_is_outside(zset)) {
        zset_cursor_init_large(cursor, large_of(zset), rank, down);
        return;
    }
    *cursor = (struct zset_cursor){.down = down};
    struct packed run = small_run(zset);
    if (rank < run.count) {
        /* Walking down an entry is reached from behind it. */
        cursor->at = run.data + packed_seek(&run, (uint32_t)(down ? rank + 1 : rank));
        cursor->limit = run.data + (down ? run.start : run.end);
    }
}

bool zset_next(struct zset_cursor *cursor, struct zset_entry *entry)
{
    if (!cursor->large) {
        if (cursor->at == cursor->limit) {
            return false;
        }
        struct zset_pair pair;
        cursor->at = cursor->down ? zset_pair_read_back(cursor->at, &pair)
                                  : zset_pair_read(cursor->at, &pair);
        *entry = zset_pair_entry(&pair);
        return true;
    }
    struct order_cursor at = {cursor->leaf, cursor->index};
    const struct object *object = cursor->down ? order_previous(&at) : order_next(&at);
    if (object == NULL) {
        return false;
    }
    cursor->leaf = at.leaf;
    cursor->index = at.index;
    *entry = order_entry(object);
    return true;
}

struct scan {
    member_visitor *visit;
    void *context;
};

static void scan_visit(void *context, const struct object *object)
{
    const struct scan *scan = context;
    scan->visit(scan->context, object_key(object), object_value(object));
}

uint64_t zset_scan(const struct object *zset, uint64_t cursor, size_t budget, member_visitor *visit,
                   void *context)
{
    if (object_is_outside(zset)) {
        struct scan scan = {visit, context};
        return table_scan(&large_of(zset)->table, cursor, budget, scan_visit, &scan);
    }
    struct packed run = small_run(zset);
    const char *at = run.data;
    while (at < run.data + run.end) {
        struct zset_pair pair;
        at = zset_pair_read(at, &pair);
        visit(context, pair.member, pair.score);
    }
    return 0;
}

void zset_random(const struct object *zset, struct prng *prng, member_visitor *visit, void *context)
{
    size_t rank = (size_t)prng_below(prng, zset_count(zset));
    if (object_is_outside(zset)) {
        struct order_cursor at = order_seek(&large_of(zset)->order, rank);
        const struct object *object = order_next(&at);
        visit(context, object_key(object), object_value(object));
    } else {
        struct packed run = small_run(zset);
        struct zset_pair pair;
        zset_pair_read(run.data + packed_seek(&run, (uint32_t)rank), &pair);
        visit(context, pair.member, pair.score);
    }
}

double zset_held_score(struct bytes score)
{
    return zset_score_unpack(score);
}

/* ---- changing ---- */

/* Makes a large set of a run with what is added to it. 0 or an error of keyspace_zset_add. */
static int add_enlarged(const struct packed *run, struct zset_change *change,
                        struct zset_large **out)
{
    struct zset_large *set = enlarge(run);
    if (set == NULL) {
        return TORC_ENOMEM;
    }
    int result = zset_large_add(set, change);
    if (result != 0) {
        zset_large_destroy(set);
        return result;
    }
    *out = set;
    return 0;
}

static int create(struct keyspace *keys, struct bytes key, uint64_t hash,
                  struct zset_change *change)
{
    struct scratch scratch;
    struct packed none = {0};
    scratch_init(&scratch, &none);
    if (run_add(&scratch.run, change)) {
        return change->added == 0 ? 0 : zset_put_small(keys, key, hash, 0, &scratch.run);
    }
    struct zset_large *set;
    int result = add_enlarged(&none, change, &set);
    if (result != 0) {
        return result;
    }
    result = large_put(keys, OBJECT_ZSET, key, hash, 0, set);
    if (result != 0) {
        zset_large_destroy(set);
    }
    return result;
}

static int add(struct keyspace *keys, struct place place, struct zset_change *change)
{
    const struct object *zset = place_object(place);
    if (object_is_outside(zset)) {
        struct zset_large *set = large_of(zset);
        size_t before = zset_large_memory(set);
        int result = zset_large_add(set, change);
        account_large(keys, set, before);
        return result;
    }
    struct packed run = small_run(zset);
    struct scratch scratch;
    scratch_init(&scratch, &run);
    if (run_add(&scratch.run, change)) {
        bool changed = change->added + change->updated > 0;
        return changed ? small_replace(keys, place, &scratch.run) : 0;
    }
    struct zset_large *set;
    int result = add_enlarged(&run, change, &set);
    if (result != 0) {
        return result;
    }
    result = large_replace(keys, place, set);
    if (result != 0) {
        zset_large_destroy(set);
    }
    return result;
}

int keyspace_zset_add(struct keyspace *keys, struct bytes key, uint64_t hash,
                      struct zset_change *change, struct object **out)
{
    assert(change->count > 0);
    struct place place = keyspace_place(keys, key, hash);
    const struct object *zset = place_object(place);
    if (zset != NULL && object_type(zset) != OBJECT_ZSET) {
        return TORC_ETYPE;
    }
    int result = zset == NULL ? create(keys, key, hash, change) : add(keys, place, change);
    if (result == 0 && out != NULL) {
        *out = keyspace_find(keys, key, hash);
    }
    return result;
}

/* The place of a sorted set that is there. */
static struct place zset_place(struct keyspace *keys, struct bytes key, uint64_t hash)
{
    struct place place = keyspace_place(keys, key, hash);
    assert(place.at != SEGMENT_NOT_FOUND);
    assert(object_type(place_object(place)) == OBJECT_ZSET);
    return place;
}

void keyspace_zset_remove_ranks(struct keyspace *keys, struct bytes key, uint64_t hash, size_t rank,
                                size_t count)
{
    struct place place = zset_place(keys, key, hash);
    const struct object *zset = place_object(place);
    assert(count <= zset_count(zset) - rank);
    if (count == zset_count(zset)) {
        bool deleted = keyspace_delete(keys, key, hash);
        assert(deleted);
    } else if (object_is_outside(zset)) {
        struct zset_large *set = large_of(zset);
        size_t before = zset_large_memory(set);
        for (size_t i = 0; i < count; i++) {
            zset_large_remove(set, rank);
        }
        account_large(keys, set, before);
        embed_if_few(keys, place);
    } else if (count > 0) {
        struct packed run = small_run(zset);
        uint32_t from = packed_seek(&run, (uint32_t)rank);
        uint32_t to = packed_seek(&run, (uint32_t)(rank + count));
        struct scratch scratch;
        scratch_init(&scratch, &run);
        packed_remove(&scratch.run, from, to, (uint32_t)count);
        int result = small_replace(keys, place, &scratch.run);
        assert(result == 0); /* it has not grown */
    }
}

bool keyspace_zset_remove(struct keyspace *keys, struct bytes key, uint64_t hash,
                          struct bytes member)
{
    const struct object *zset = place_object(zset_place(keys, key, hash));
    size_t rank;
    double score;
    if (!zset_rank(zset, member, &rank, &score)) {
        return false;
    }
    keyspace_zset_remove_ranks(keys, key, hash, rank, 1);
    return true;
}

int keyspace_zset_store(struct keyspace *keys, struct bytes key, uint64_t hash,
                        struct zset_large *set, struct object **out)
{
    size_t count = zset_large_count(set);
    assert(count > 0);
    assert(count == set->order.count);
    struct scratch scratch;
    bool small = count <= SMALL_MEMBERS_MAX && make_run(set, &scratch);
    int result = small ? zset_put_small(keys, key, hash, 0, &scratch.run)
                       : large_put(keys, OBJECT_ZSET, key, hash, 0, set);
    if (result != 0) {
        return result;
    }
    if (small) {
        zset_large_destroy(set);
    }
    if (out != NULL) {
        *out = keyspace_find(keys, key, hash);
    }
    return 0;
}
