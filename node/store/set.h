/*
 * Sets: unique members without an order, under one key of a keyspace. A set of up to 512 integers
 * lies in its object, sorted; one of up to 128 members of up to 64 bytes as a packed run; a larger
 * one keeps them outside, see members.h, and stays so. A set is never empty: removing the last
 * member deletes the key. As everything in the store it is pure, and the caller holds the slot's
 * lock.
 *
 *      integers    object { header | key | width, count u16 | sorted integers }           intset
 *      small       object { header | key | count u16 | packed run }                     listpack
 *      large       object { header | key | pointer } ──► members                       hashtable
 *
 * Everything that can run out of memory leaves the set as it was when it does. What is passed in
 * does not lie in the set that is changed.
 */
#ifndef TORC_NODE_STORE_SET_H
#define TORC_NODE_STORE_SET_H

#include "node/store/store.h"

struct members;

/* Of an object that is a set. */
size_t set_count(const struct object *object);
bool set_has(const struct object *object, struct bytes member);
/* As keyspace_scan, over the members, whose values are empty. A set that is not large is visited as
 * a whole. */
uint64_t set_scan(const struct object *object, uint64_t cursor, size_t budget,
                  member_visitor *visit, void *context);
/* Visits one member, any of them as likely. */
void set_random(const struct object *object, struct prng *prng, member_visitor *visit,
                void *context);

/* Adds a member; creates the set. *added: it was not there. *out may be NULL. 0, TORC_ETYPE,
 * TORC_ETOOBIG (beyond CONTAINER_SIZE_MAX), TORC_ENOMEM. */
int keyspace_set_add(struct keyspace *keys, struct bytes key, uint64_t hash, struct bytes member,
                     bool *added, struct object **out) TORC_MUST_USE;
/* Of a key that holds a set. False if it has no such member. */
bool keyspace_set_remove(struct keyspace *keys, struct bytes key, uint64_t hash,
                         struct bytes member);

enum set_operation { SET_UNION, SET_INTERSECTION, SET_DIFFERENCE };

/*
 * Visits the members of the union or intersection of several sets, or of the first without those of
 * the others, each once. NULL among them is an empty set; there is at least one. The sets are not
 * to be changed. 0 or TORC_ENOMEM (a union: nothing visited).
 */
int set_combine(enum set_operation operation, const struct object *const *sets, size_t count,
                member_visitor *visit, void *context) TORC_MUST_USE;
/* How many members the intersection has, as far as `limit`. */
size_t set_intersection_count(const struct object *const *sets, size_t count, size_t limit);
/* Makes the same the set of a key of any type, without expiry, or deletes the key if it is empty;
 * *result: how many members it has. 0, TORC_ETOOBIG, TORC_ENOMEM (nothing changed). */
int keyspace_set_combine(struct keyspace *keys, struct bytes key, uint64_t hash,
                         enum set_operation operation, const struct object *const *sets,
                         size_t count, size_t *result) TORC_MUST_USE;

#endif
