#include "node/store/zset_large.h"

#include "base/error.h"
#include "base/limits.h"
#include "node/store/allocate.h"
#include "node/store/packed.h"
#include "node/store/zset_form.h"

#include <assert.h>
#include <stdlib.h>

#define JOURNAL_SHORT 8 /* entries for which no memory is asked */

size_t zset_entry_size(struct bytes member)
{
    return packed_entry_size(member.size) + sizeof(double);
}

struct zset_large *zset_large_create(void)
{
    struct zset_large *set = store_allocate(sizeof(*set));
    if (set != NULL) {
        table_init(&set->table);
        order_init(&set->order);
        set->size = 0;
    }
    return set;
}

void zset_large_destroy(struct zset_large *set)
{
    if (set != NULL) {
        struct freeing all = FREEING_ALL;
        (void)zset_large_free_some(set, &all);
    }
}

bool zset_large_free_some(struct zset_large *set, struct freeing *freeing)
{
    if (order_free_some(&set->order, freeing) || table_free_some(&set->table, freeing)) {
        return true;
    }
    freeing_release(freeing, set);
    return false;
}

size_t zset_large_memory(const struct zset_large *set)
{
    return store_allocated_size(set) + set->table.memory + set->order.memory;
}

size_t zset_large_count(const struct zset_large *set)
{
    return table_count(&set->table);
}

/* Looking changes nothing, but what is found in a table may be changed: it takes no const. */
static struct table *table_of(const struct zset_large *set)
{
    return (struct table *)(uintptr_t)&set->table;
}

struct object *zset_large_find(const struct zset_large *set, struct bytes member)
{
    return place_object(table_place(table_of(set), member, key_hash(member)));
}

bool zset_large_score(const struct zset_large *set, struct bytes member, double *score)
{
    const struct object *object = zset_large_find(set, member);
    if (object == NULL) {
        return false;
    }
    *score = order_entry(object).score;
    return true;
}

size_t zset_large_rank(const struct zset_large *set, const struct object *member)
{
    struct zset_bound bound = {.kind = ZSET_BOUND_ENTRY, .entry = order_entry(member)};
    return order_count_before(&set->order, &bound);
}

static struct object *member_create(struct zset_entry entry)
{
    entry.score += 0.0; /* of -0 that makes 0 */
    struct object_draft draft = {
        .type = OBJECT_STRING,
        .encoding = ENCODING_TEXT,
        .key = entry.member,
        .value = {(const char *)&entry.score, sizeof(entry.score)},
    };
    return object_create(&draft);
}

/* Into the table. 0, TORC_ETOOBIG, TORC_ENOMEM; on failure it is still the caller's. */
static int put_in_table(struct zset_large *set, struct object *object)
{
    struct bytes member = object_key(object);
    size_t size = zset_entry_size(member);
    if (size > CONTAINER_SIZE_MAX - set->size) {
        return TORC_ETOOBIG;
    }
    int result = table_insert(&set->table, key_hash(member), object, 0);
    if (result == 0) {
        set->size += size;
    }
    return result;
}

/* Out of the table, where it is. It is the caller's from then on. */
static void take_from_table(struct zset_large *set, struct object *object)
{
    struct bytes member = object_key(object);
    uint64_t hash = key_hash(member);
    struct object *taken = table_remove(&set->table, table_place(&set->table, member, hash));
    assert(taken == object);
    set->size -= zset_entry_size(member);
    table_give_room(&set->table, hash);
}

int zset_large_append(struct zset_large *set, struct zset_entry entry)
{
    struct object *object = member_create(entry);
    if (object == NULL) {
        return TORC_ENOMEM;
    }
    int result = put_in_table(set, object);
    if (result != 0) {
        goto err_after_create;
    }
    result = order_insert(&set->order, set->order.count, object);
    if (result != 0) {
        goto err_after_put;
    }
    return 0;

err_after_put:
    take_from_table(set, object);
err_after_create:
    object_destroy(object);
    return result;
}

struct zset_large *zset_large_clone(const struct zset_large *set)
{
    struct zset_large *clone = zset_large_create();
    if (clone == NULL) {
        return NULL;
    }
    struct order_cursor cursor = order_seek(&set->order, 0);
    const struct object *object;
    while ((object = order_next(&cursor)) != NULL) {
        if (zset_large_append(clone, order_entry(object)) != 0) {
            zset_large_destroy(clone);
            return NULL;
        }
    }
    return clone;
}

void zset_large_remove(struct zset_large *set, size_t rank)
{
    struct object *object = order_remove(&set->order, rank);
    take_from_table(set, object);
    object_destroy(object);
}

/* ---- adding ---- */

/*
 * Another score is another object. While a change is under way the tree holds both, and the table
 * the new one; so all that is left to do at its end is to remove, which cannot fail, and all that
 * is to undo as well.
 */
struct step {
    struct object *before; /* NULL if the member was absent */
    struct object *after;
};

struct journal {
    struct step *steps;
    size_t count;
    struct step few[JOURNAL_SHORT];
};

static_assert(REQUEST_ARGUMENTS_MAX / 2 < 1 << 24, "the number of a step fits a member's clock");

/* What was put in by a step of this change says so by what of a key would be its last access: the
 * number of the step, from 1 on. 0 of all others. */
static void note_step(struct object *object, size_t number)
{
    object->clock[0] = (uint8_t)number;
    object->clock[1] = (uint8_t)(number >> 8);
    object->clock[2] = (uint8_t)(number >> 16);
}

static size_t noted_step(const struct object *object)
{
    return object->clock[0] | (size_t)object->clock[1] << 8 | (size_t)object->clock[2] << 16;
}

static int put_in_tree(struct zset_large *set, struct object *object)
{
    return order_insert(&set->order, zset_large_rank(set, object), object);
}

/* Its score may be that of another object of the member. */
static void take_from_tree(struct zset_large *set, const struct object *object)
{
    size_t rank = zset_large_rank(set, object);
    struct order_cursor cursor = order_seek(&set->order, rank);
    while (order_next(&cursor) != object) {
        rank++;
    }
    order_remove(&set->order, rank);
}

static int add_member(struct zset_large *set, struct zset_entry entry, struct journal *journal)
{
    struct object *object = member_create(entry);
    if (object == NULL) {
        return TORC_ENOMEM;
    }
    int result = put_in_table(set, object);
    if (result != 0) {
        goto err_after_create;
    }
    result = put_in_tree(set, object);
    if (result != 0) {
        goto err_after_put;
    }
    journal->steps[journal->count++] = (struct step){.after = object};
    note_step(object, journal->count);
    return 0;

err_after_put:
    take_from_table(set, object);
err_after_create:
    object_destroy(object);
    return result;
}

static int change_score(struct zset_large *set, struct place place, struct zset_entry entry,
                        struct journal *journal)
{
    struct object *object = member_create(entry);
    if (object == NULL) {
        return TORC_ENOMEM;
    }
    int result = put_in_tree(set, object);
    if (result != 0) {
        object_destroy(object);
        return result;
    }
    struct object *before = table_exchange(&set->table, place, object);
    size_t number = noted_step(before);
    if (number == 0) {
        journal->steps[journal->count++] = (struct step){.before = before, .after = object};
        number = journal->count;
    } else {
        /* The change itself had put it there. */
        take_from_tree(set, before);
        object_destroy(before);
        journal->steps[number - 1].after = object;
    }
    note_step(object, number);
    return 0;
}

static void settle(struct zset_large *set, const struct journal *journal)
{
    for (size_t i = 0; i < journal->count; i++) {
        struct object *before = journal->steps[i].before;
        note_step(journal->steps[i].after, 0);
        if (before != NULL) {
            take_from_tree(set, before);
            object_destroy(before);
        }
    }
}

static void undo(struct zset_large *set, const struct journal *journal)
{
    for (size_t i = journal->count; i > 0; i--) {
        struct object *before = journal->steps[i - 1].before;
        struct object *after = journal->steps[i - 1].after;
        take_from_tree(set, after);
        if (before != NULL) {
            struct bytes member = object_key(before);
            struct place place = table_place(&set->table, member, key_hash(member));
            table_exchange(&set->table, place, before);
        } else {
            take_from_table(set, after);
        }
        object_destroy(after);
    }
}

static int add_entry(struct zset_large *set, struct zset_change *change, size_t index,
                     struct journal *journal)
{
    struct zset_entry entry = change->entries[index];
    struct place place = table_place(&set->table, entry.member, key_hash(entry.member));
    const struct object *present = place_object(place);
    double before = present == NULL ? 0 : order_entry(present).score;
    bool takes = zset_takes(change->conditions, present != NULL, before, entry.score);
    if (change->taken != NULL) {
        change->taken[index] = takes;
    }
    if (!takes) {
        return 0;
    }
    change->added += present == NULL ? 1 : 0;
    change->updated += present != NULL ? 1 : 0;
    return present == NULL ? add_member(set, entry, journal)
                           : change_score(set, place, entry, journal);
}

int zset_large_add(struct zset_large *set, struct zset_change *change)
{
    struct journal journal = {.steps = journal.few};
    if (change->count > JOURNAL_SHORT) {
        journal.steps = store_allocate(change->count * sizeof(*journal.steps));
        if (journal.steps == NULL) {
            return TORC_ENOMEM;
        }
    }
    int result = 0;
    change->added = 0;
    change->updated = 0;
    for (size_t i = 0; i < change->count && result == 0; i++) {
        result = add_entry(set, change, i, &journal);
    }
    if (result == 0) {
        settle(set, &journal);
    } else {
        undo(set, &journal);
    }
    if (journal.steps != journal.few) {
        store_release(journal.steps);
    }
    return result;
}

/* ---- gathering ---- */

int zset_large_put(struct zset_large *set, struct zset_entry entry)
{
    assert(set->order.count == 0);
    struct object *present = zset_large_find(set, entry.member);
    entry.score += 0.0;
    if (present != NULL) {
        memcpy(object_value_data(present), &entry.score, sizeof(entry.score));
        return 0;
    }
    struct object *object = member_create(entry);
    if (object == NULL) {
        return TORC_ENOMEM;
    }
    int result = put_in_table(set, object);
    if (result != 0) {
        object_destroy(object);
    }
    return result;
}

struct collection {
    struct object **objects;
    size_t count;
};

static void collect(void *context, const struct object *object)
{
    struct collection *all = context;
    all->objects[all->count++] = (struct object *)(uintptr_t)object;
}

static int compare_objects(const void *a, const void *b)
{
    struct zset_entry x = order_entry(*(struct object *const *)a);
    struct zset_entry y = order_entry(*(struct object *const *)b);
    if (x.score != y.score) {
        return x.score < y.score ? -1 : 1;
    }
    return member_compare(x.member, y.member);
}

int zset_large_arrange(struct zset_large *set)
{
    size_t count = zset_large_count(set);
    assert(set->order.count == 0);
    if (count == 0) {
        return 0;
    }
    struct collection all = {.objects = store_allocate(count * sizeof(*all.objects))};
    if (all.objects == NULL) {
        return TORC_ENOMEM;
    }
    table_scan(&set->table, 0, SIZE_MAX, collect, &all);
    assert(all.count == count);
    qsort(all.objects, count, sizeof(*all.objects), compare_objects);
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        result = order_insert(&set->order, i, all.objects[i]);
    }
    if (result != 0) {
        order_deinit(&set->order);
    }
    store_release(all.objects);
    return result;
}
