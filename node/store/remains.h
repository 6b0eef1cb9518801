/*
 * What is left of big objects, and of keyspaces that were emptied: taken out in no time under the
 * slot's lock, and freed some at a time afterwards, by whoever calls store_free_some. Until then
 * its bytes are part of store_memory. Internal to the store.
 *
 *      store ── remains ── remains ── ...        a stack; who frees takes one off it for a step
 *                  └─ object, or table
 */
#ifndef TORC_NODE_STORE_REMAINS_H
#define TORC_NODE_STORE_REMAINS_H

#include "node/store/object.h"
#include "node/store/table.h"

#define REMAINS_BYTES_MIN (16u * 1024) /* less is freed at once, in some 50 us */
#define REMAINS_OBJECTS_MAX 16u        /* of a slot, which mostly is one of many that are emptied */
#define REMAINS_TEXT_MIN (1024u * 1024) /* a text is one block, quick to free unless it is huge */

struct store;

struct remains {
    struct remains *next;
    size_t bytes;          /* not freed yet, this structure included */
    struct object *object; /* or NULL: the table */
    struct table table;
};

/* True of an object that store_leave_object might not free at once. */
static inline bool object_may_remain(const struct object *object)
{
    return object_is_outside(object) || object_width(object) >= WIDTH_KEY8_VALUE32;
}

/* Frees an object that is in no table any more: at once if it is small, or if there is no memory to
 * remember it by. */
void store_leave_object(struct store *store, struct object *object);
/* The same with all that a table holds, which is as after table_init then. */
void store_leave_table(struct store *store, struct table *table);

#endif
