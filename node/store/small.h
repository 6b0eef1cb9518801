/*
 * The two ways in which the object of a container holds its values, as far as they are the same for
 * all types: inside, as a packed run behind a count, while they are few; or outside, in a structure
 * of the type's own, see container.h. Internal to the store; the caller holds the slot's lock.
 *
 *      small    object { header | key | count u16 | packed run }
 *      large    object { header | key | pointer } ──► what container.h knows
 */
#ifndef TORC_NODE_STORE_SMALL_H
#define TORC_NODE_STORE_SMALL_H

#include "node/store/keyspace.h"
#include "node/store/members.h"
#include "node/store/packed.h"

#define SMALL_HEAD_SIZE sizeof(uint16_t) /* the count */

/* Beyond these a container is large: the defaults of Redis's hash-max-listpack-entries, of those of
 * sets and sorted sets, and of all three -value. */
#define SMALL_HASH_FIELDS_MAX 512
#define SMALL_MEMBERS_MAX 128
#define SMALL_MEMBER_SIZE_MAX 64

/* The run of a small container, as large as its object says. */
struct packed small_run(const struct object *container);

/* Creates a small container, replacing what the key held, whose run of `count` values and `size`
 * bytes is for the caller to write at *run. 0 or TORC_ENOMEM (nothing changed). */
int small_put(struct keyspace *keys, enum object_type type, struct bytes key, uint64_t hash,
              uint64_t expire_at_ms, uint32_t count, size_t size, char **run) TORC_MUST_USE;

/* Makes the object of a place larger by `more`; *run has that room then. small_settle has to
 * follow. 0 or TORC_ENOMEM (nothing changed). */
int small_grow(struct keyspace *keys, struct place place, size_t more,
               struct packed *run) TORC_MUST_USE;
/* Moves the run of an object, which fills it, to where it belongs and notes its count. */
void small_settle(struct packed *run);
/* The same after values were removed: gives back the room that they leave. */
void small_shrink(struct keyspace *keys, struct place place, struct packed *run);
/* Removes `count` values that lie between two offsets of the run. Of a run that is empty then the
 * room stays: the caller deletes the key. */
void small_remove(struct keyspace *keys, struct place place, struct packed *run, uint32_t from,
                  uint32_t to, uint32_t count);

/* Creates a large container, replacing what the key held. `outside` is moved on success. 0 or
 * TORC_ENOMEM (nothing changed). */
int large_put(struct keyspace *keys, enum object_type type, struct bytes key, uint64_t hash,
              uint64_t expire_at_ms, void *outside) TORC_MUST_USE;
/* Makes the container of a place a large one. As above. */
int large_replace(struct keyspace *keys, struct place place, void *outside) TORC_MUST_USE;

/* Of the large form of a type that keeps members. */
static inline struct members *large_members(const struct object *object)
{
    return object_outside(object);
}
/* False if there is no such member. An empty container is left for the caller to delete. */
bool large_remove_member(struct keyspace *keys, const struct object *object, struct bytes member);

#endif
