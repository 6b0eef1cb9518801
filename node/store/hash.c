#include "node/store/hash.h"

#include "base/error.h"
#include "node/store/members.h"
#include "node/store/small.h"

/* ---- the small form: fields and values take turns in the run ---- */

/* A field in a run. */
struct pair {
    uint32_t at;       /* offset of the field */
    uint32_t value_at; /* of its value */
    uint32_t end;      /* of what follows */
    struct bytes value;
};

static bool small_find(const struct packed *run, struct bytes field, struct pair *pair)
{
    const char *at = run->data + run->start;
    const char *end = run->data + run->end;
    while (at < end) {
        struct bytes here;
        const char *value_at = packed_read(at, &here);
        const char *next = packed_read(value_at, &pair->value);
        if (here.size == field.size && object_bytes_same(here.data, field.data, field.size)) {
            pair->at = (uint32_t)(at - run->data);
            pair->value_at = (uint32_t)(value_at - run->data);
            pair->end = (uint32_t)(next - run->data);
            return true;
        }
        at = next;
    }
    return false;
}

static bool fits_small(struct bytes field, struct bytes value)
{
    return field.size <= SMALL_MEMBER_SIZE_MAX && value.size <= SMALL_MEMBER_SIZE_MAX;
}

static int create_small(struct keyspace *keys, struct bytes key, uint64_t hash, struct bytes field,
                        struct bytes value)
{
    char *run;
    int result = small_put(keys, OBJECT_HASH, key, hash, 0, 2, member_size(field, value), &run);
    if (result == 0) {
        packed_write(packed_write(run, field), value);
    }
    return result;
}

static int small_append(struct keyspace *keys, struct place place, struct bytes field,
                        struct bytes value)
{
    struct packed run;
    int result = small_grow(keys, place, member_size(field, value), &run);
    if (result == 0) {
        packed_insert(&run, run.end, field);
        packed_insert(&run, run.end, value);
        small_settle(&run);
    }
    return result;
}

static int small_replace(struct keyspace *keys, struct place place, const struct pair *pair,
                         struct bytes value)
{
    struct packed run = small_run(place_object(place));
    size_t old_size = packed_entry_size(pair->value.size);
    size_t size = packed_entry_size(value.size);
    if (size == old_size) {
        packed_write(run.data + pair->value_at, value);
        return 0;
    }
    if (size > old_size) {
        int result = small_grow(keys, place, size - old_size, &run);
        if (result != 0) {
            return result;
        }
    }
    /* Opening the gap may move what is before it: hence counted from the run's start. */
    uint32_t before = pair->value_at - run.start;
    packed_remove(&run, pair->value_at, pair->end, 1);
    packed_insert(&run, run.start + before, value);
    if (size < old_size) {
        small_shrink(keys, place, &run);
    } else {
        small_settle(&run);
    }
    return 0;
}

/* ---- the large form ---- */

/* The large form of a small hash; NULL without memory. */
static struct members *enlarge(const struct object *object)
{
    struct gathering gathering = {.members = members_create()};
    if (gathering.members != NULL) {
        hash_scan(object, 0, SIZE_MAX, members_gather, &gathering);
    }
    if (gathering.result != 0) {
        members_destroy(gathering.members);
        return NULL;
    }
    return gathering.members;
}

/* Within the limit of a hash's size. NULL is members that there was no memory for. */
static int put_field(struct members *members, struct bytes field, struct bytes value, bool *added)
{
    if (members == NULL) {
        return TORC_ENOMEM;
    }
    const struct object *old = members_find(members, field);
    *added = old == NULL;
    size_t before = old == NULL ? 0 : member_size(field, object_value(old));
    if (members->size - before + member_size(field, value) > CONTAINER_SIZE_MAX) {
        return TORC_ETOOBIG;
    }
    return members_put(members, field, value, NULL);
}

static int create_large(struct keyspace *keys, struct bytes key, uint64_t hash, struct bytes field,
                        struct bytes value)
{
    bool added;
    struct members *members = members_create();
    int result = put_field(members, field, value, &added);
    if (result == 0) {
        result = large_put(keys, OBJECT_HASH, key, hash, 0, members);
    }
    if (result != 0) {
        members_destroy(members);
    }
    return result;
}

/* Puts a field into a small hash that it makes a large one. */
static int become_large(struct keyspace *keys, struct place place, struct bytes field,
                        struct bytes value, bool *added)
{
    struct members *members = enlarge(place_object(place));
    int result = put_field(members, field, value, added);
    if (result == 0) {
        result = large_replace(keys, place, members);
    }
    if (result != 0) {
        members_destroy(members);
    }
    return result;
}

static int large_set(struct keyspace *keys, const struct object *object, struct bytes field,
                     struct bytes value, bool *added)
{
    struct members *members = large_members(object);
    size_t before = members_memory(members);
    int result = put_field(members, field, value, added);
    keyspace_account(keys, (int64_t)members_memory(members) - (int64_t)before);
    return result;
}

/* ---- reading ---- */

size_t hash_count(const struct object *object)
{
    assert(object_type(object) == OBJECT_HASH);
    return object_is_outside(object) ? members_count(large_members(object))
                                     : small_run(object).count / 2;
}

bool hash_get(const struct object *object, struct bytes field, struct bytes *value)
{
    if (object_is_outside(object)) {
        const struct object *found = members_find(large_members(object), field);
        if (found != NULL) {
            *value = object_value(found);
        }
        return found != NULL;
    }
    struct packed run = small_run(object);
    struct pair pair;
    bool found = small_find(&run, field, &pair);
    if (found) {
        *value = pair.value;
    }
    return found;
}

uint64_t hash_scan(const struct object *object, uint64_t cursor, size_t budget,
                   member_visitor *visit, void *context)
{
    if (object_is_outside(object)) {
        return members_visit(large_members(object), cursor, budget, visit, context);
    }
    struct packed run = small_run(object);
    const char *at = run.data;
    while (at < run.data + run.end) {
        struct bytes field, value;
        at = packed_read(packed_read(at, &field), &value);
        visit(context, field, value);
    }
    return 0;
}

void hash_random(const struct object *object, struct prng *prng, member_visitor *visit,
                 void *context)
{
    if (object_is_outside(object)) {
        const struct object *member = members_random(large_members(object), prng);
        visit(context, object_key(member), object_value(member));
        return;
    }
    struct packed run = small_run(object);
    struct bytes field, value;
    uint32_t index = 2 * (uint32_t)prng_below(prng, run.count / 2);
    packed_read(packed_read(run.data + packed_seek(&run, index), &field), &value);
    visit(context, field, value);
}

/* ---- changing ---- */

static int set_in_small(struct keyspace *keys, struct place place, struct bytes field,
                        struct bytes value, bool *added)
{
    struct packed run = small_run(place_object(place));
    struct pair pair;
    *added = !small_find(&run, field, &pair);
    if (!fits_small(field, value) || (*added && run.count / 2 >= SMALL_HASH_FIELDS_MAX)) {
        return become_large(keys, place, field, value, added);
    }
    return *added ? small_append(keys, place, field, value)
                  : small_replace(keys, place, &pair, value);
}

int keyspace_hash_set(struct keyspace *keys, struct bytes key, uint64_t hash, struct bytes field,
                      struct bytes value, bool *added, struct object **out)
{
    struct place place = keyspace_place(keys, key, hash);
    const struct object *object = place_object(place);
    int result;
    if (object == NULL) {
        *added = true;
        result = fits_small(field, value) ? create_small(keys, key, hash, field, value)
                                          : create_large(keys, key, hash, field, value);
    } else if (object_type(object) != OBJECT_HASH) {
        return TORC_ETYPE;
    } else if (object_is_outside(object)) {
        result = large_set(keys, object, field, value, added);
    } else {
        result = set_in_small(keys, place, field, value, added);
    }
    if (result == 0 && out != NULL) {
        *out = keyspace_find(keys, key, hash);
    }
    return result;
}

static bool remove_from_small(struct keyspace *keys, struct place place, struct bytes field)
{
    struct packed run = small_run(place_object(place));
    struct pair pair;
    if (!small_find(&run, field, &pair)) {
        return false;
    }
    small_remove(keys, place, &run, pair.at, pair.end, 2);
    return true;
}

bool keyspace_hash_remove(struct keyspace *keys, struct bytes key, uint64_t hash,
                          struct bytes field)
{
    struct place place = keyspace_place(keys, key, hash);
    assert(place.at != SEGMENT_NOT_FOUND);
    const struct object *object = place_object(place);
    bool removed = object_is_outside(object) ? large_remove_member(keys, object, field)
                                             : remove_from_small(keys, place, field);
    if (removed && hash_count(place_object(place)) == 0) {
        bool deleted = keyspace_delete(keys, key, hash);
        assert(deleted);
    }
    return removed;
}
