/*
 * Lists: values in an order, under one key of a keyspace. A list of up to 8 KiB lies in its object
 * as one packed run; a larger one keeps its runs outside, see chunks.h. A list is never empty:
 * removing the last value deletes the key. As everything in the store it is pure, and the caller
 * holds the slot's lock.
 *
 *      small    object { header | key | count u16 | packed run }       OBJECT ENCODING listpack
 *      large    object { header | key | pointer } ──► chunks           OBJECT ENCODING quicklist
 *
 * Everything that can run out of memory leaves the list as it was when it does. Values passed in do
 * not lie in the list that is changed.
 */
#ifndef TORC_NODE_STORE_LIST_H
#define TORC_NODE_STORE_LIST_H

#include "node/store/store.h"

enum list_end { LIST_HEAD, LIST_TAIL };

/* Of an object that is a list. */
size_t list_count(const struct object *list);

/* A walk over the values, to either end. Borrowed from the list: until its next change. */
struct list_cursor {
    const char *at;              /* the next value begins here, or ends, walking to the head */
    const char *limit;           /* where the run ends that it is in */
    const struct chunks *chunks; /* NULL of a small list */
    size_t chunk;
    enum list_end to;
};

/* The first one to come is the value with that index, counted from the head; none comes if there is
 * no such value. */
void list_cursor_init(struct list_cursor *cursor, const struct object *list, size_t index,
                      enum list_end to);
/* False behind the last value. */
bool list_next(struct list_cursor *cursor, struct bytes *value);

/* Adds values one after the other at that end, so that several at the head come to stand in reverse
 * order; creates the list. *out may be NULL. 0, TORC_ETYPE, TORC_ETOOBIG (beyond
 * CONTAINER_SIZE_MAX), TORC_ENOMEM. */
int keyspace_list_push(struct keyspace *keys, struct bytes key, uint64_t hash, enum list_end end,
                       const struct bytes *values, size_t count, struct object **out) TORC_MUST_USE;

/* For the rest the key holds a list, and the index is one of its values. */

/* Before that value; behind the last one for the count. 0, TORC_ETOOBIG, TORC_ENOMEM. */
int keyspace_list_insert(struct keyspace *keys, struct bytes key, uint64_t hash, size_t index,
                         struct bytes value) TORC_MUST_USE;
/* 0, TORC_ETOOBIG, TORC_ENOMEM. */
int keyspace_list_replace(struct keyspace *keys, struct bytes key, uint64_t hash, size_t index,
                          struct bytes value) TORC_MUST_USE;
/* `count` values from that index on, all of them there. */
void keyspace_list_remove(struct keyspace *keys, struct bytes key, uint64_t hash, size_t index,
                          size_t count);
/* At most `limit` values equal to `value`, those nearest to that end. Returns how many. */
size_t keyspace_list_remove_equal(struct keyspace *keys, struct bytes key, uint64_t hash,
                                  struct bytes value, enum list_end from, size_t limit);

#endif
