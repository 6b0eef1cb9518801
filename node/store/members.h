/*
 * What a large hash, set or sorted set keeps outside of its object: unique byte strings, the
 * members, each with a value: a field's, none in a set, the score in a sorted set. A member and its
 * value are one object in a table, exactly as a key of the keyspace and its string are. Internal to
 * the store; the caller holds the slot's lock, and accounts for members_memory, which changes also
 * where a function fails.
 *
 *      members ── table ──► object { header | member | value }
 *
 * The order of the members is that of their hashes, whatever was added and removed before; but two
 * whose hashes agree in some twenty bits may stand either way.
 */
#ifndef TORC_NODE_STORE_MEMBERS_H
#define TORC_NODE_STORE_MEMBERS_H

#include "base/codec.h"
#include "node/store/packed.h"
#include "node/store/table.h"

struct members {
    struct table table;
    size_t size; /* bytes that all members and values would take in a packed run */
};

/* Empty; NULL without memory. */
struct members *members_create(void);
void members_destroy(struct members *members);                            /* NULL is allowed */
bool members_free_some(struct members *members, struct freeing *freeing); /* see freeing.h */
struct members *members_clone(const struct members *members);             /* NULL without memory */

static inline size_t members_count(const struct members *members)
{
    return table_count(&members->table);
}

/* Bytes allocated, the structure included. Constant time. */
size_t members_memory(const struct members *members);

/* What a member adds to `size`. */
static inline size_t member_size(struct bytes member, struct bytes value)
{
    return packed_entry_size(member.size) + packed_entry_size(value.size);
}

/* object_key of what is found is the member, object_value its value; NULL if it is absent. Borrowed
 * until the member is put or removed; whatever happens to others leaves it where it is. */
struct object *members_find(struct members *members, struct bytes member);
/* Adds a member, or gives the one that is there another value: in place if that is as long as the
 * one before. The value may lie in the object. *out may be NULL. 0 or TORC_ENOMEM (the members are
 * as they were). */
int members_put(struct members *members, struct bytes member, struct bytes value,
                struct object **out) TORC_MUST_USE;
/* False if it is absent. The bytes may be the object's own. */
bool members_remove(struct members *members, struct bytes member);

/* As keyspace_scan: from cursor 0 until it returns 0; the visitor must not change the members. */
uint64_t members_scan(struct members *members, uint64_t cursor, size_t budget,
                      keyspace_visitor *visit, void *context);
/* The same, to see the members and their values. */
uint64_t members_visit(struct members *members, uint64_t cursor, size_t budget,
                       member_visitor *visit, void *context);
/* Uniform among the members; NULL if there are none. */
struct object *members_random(struct members *members, struct prng *prng);

/* A member_visitor, of a struct gathering: puts what it sees into members, until that fails. */
struct gathering {
    struct members *members;
    int result; /* 0 or TORC_ENOMEM */
};
void members_gather(void *context, struct bytes member, struct bytes value);

/* Makes new ones of the payload of a dump, to its end: their count, and the members, each with its
 * value behind it if they have any. 0, TORC_ECORRUPT, TORC_ENOMEM. */
int members_read(struct reader *payload, bool values, struct members **out) TORC_MUST_USE;

#endif
