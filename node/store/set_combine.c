/* Unions, intersections and differences of sets. */
#include "base/error.h"
#include "base/limits.h"
#include "node/store/set.h"
#include "node/store/set_form.h"

#define SLICE 64 /* members looked at before a limit is */

/* One of the sets is walked; what of it is wanted the others tell. */
struct comparison {
    const struct object *const *sets;
    size_t count;
    size_t walked;  /* index of the one that is */
    bool in_others; /* wanted: what is in all of them, else in none */
    size_t found;
    size_t limit; /* of them to be visited */
    member_visitor *visit;
    void *context;
};

static bool is_wanted(const struct comparison *comparison, struct bytes member)
{
    for (size_t i = 0; i < comparison->count; i++) {
        const struct object *set = comparison->sets[i];
        if (i != comparison->walked && set != NULL &&
            set_has(set, member) != comparison->in_others) {
            return false;
        }
    }
    return true;
}

static void compare_member(void *context, struct bytes member, struct bytes value)
{
    struct comparison *comparison = context;
    if (comparison->found < comparison->limit && is_wanted(comparison, member)) {
        comparison->found++;
        if (comparison->visit != NULL) {
            comparison->visit(comparison->context, member, value);
        }
    }
}

static void compare(struct comparison *comparison)
{
    uint64_t cursor = 0;
    do {
        cursor = set_scan(comparison->sets[comparison->walked], cursor, SLICE, compare_member,
                          comparison);
    } while (cursor != 0 && comparison->found < comparison->limit);
}

/* Walks the smallest. */
static size_t intersect(const struct object *const *sets, size_t count, size_t limit,
                        member_visitor *visit, void *context)
{
    struct comparison comparison = {
        .sets = sets,
        .count = count,
        .in_others = true,
        .limit = limit,
        .visit = visit,
        .context = context,
    };
    for (size_t i = 0; i < count; i++) {
        if (sets[i] == NULL) {
            return 0;
        }
        if (set_count(sets[i]) < set_count(sets[comparison.walked])) {
            comparison.walked = i;
        }
    }
    compare(&comparison);
    return comparison.found;
}

size_t set_intersection_count(const struct object *const *sets, size_t count, size_t limit)
{
    return intersect(sets, count, limit, NULL, NULL);
}

static void subtract(const struct object *const *sets, size_t count, member_visitor *visit,
                     void *context)
{
    struct comparison comparison = {
        .sets = sets,
        .count = count,
        .limit = SIZE_MAX,
        .visit = visit,
        .context = context,
    };
    if (sets[0] != NULL) {
        compare(&comparison);
    }
}

/* What is in several sets is to be visited once: the members are gathered before. */
static int unite(const struct object *const *sets, size_t count, struct gathering *gathering)
{
    gathering->members = members_create();
    gathering->result = gathering->members == NULL ? TORC_ENOMEM : 0;
    for (size_t i = 0; i < count && gathering->result == 0; i++) {
        if (sets[i] != NULL) {
            set_scan(sets[i], 0, SIZE_MAX, members_gather, gathering);
        }
    }
    return gathering->result;
}

int set_combine(enum set_operation operation, const struct object *const *sets, size_t count,
                member_visitor *visit, void *context)
{
    struct gathering gathering;
    int result = 0;
    switch (operation) {
    case SET_INTERSECTION: intersect(sets, count, SIZE_MAX, visit, context); break;
    case SET_DIFFERENCE: subtract(sets, count, visit, context); break;
    case SET_UNION:
        result = unite(sets, count, &gathering);
        if (result == 0) {
            members_visit(gathering.members, 0, SIZE_MAX, visit, context);
        }
        members_destroy(gathering.members);
        break;
    }
    return result;
}

/* The members of the combination, which are the caller's also on failure. */
static int combine(enum set_operation operation, const struct object *const *sets, size_t count,
                   struct members **out)
{
    struct gathering gathering = {0};
    if (operation == SET_UNION) {
        unite(sets, count, &gathering);
    } else {
        gathering.members = members_create();
        int result = gathering.members == NULL
                         ? TORC_ENOMEM
                         : set_combine(operation, sets, count, members_gather, &gathering);
        gathering.result = result != 0 ? result : gathering.result;
    }
    *out = gathering.members;
    return gathering.result;
}

int keyspace_set_combine(struct keyspace *keys, struct bytes key, uint64_t hash,
                         enum set_operation operation, const struct object *const *sets,
                         size_t count, size_t *result)
{
    struct members *members;
    int error = combine(operation, sets, count, &members);
    if (error != 0) {
        members_destroy(members);
        return error;
    }
    *result = members_count(members);
    if (*result == 0) {
        members_destroy(members);
        keyspace_delete(keys, key, hash);
        return 0;
    }
    error =
        members->size > CONTAINER_SIZE_MAX ? TORC_ETOOBIG : set_put(keys, key, hash, 0, members);
    if (error != 0) {
        members_destroy(members);
    }
    return error;
}
