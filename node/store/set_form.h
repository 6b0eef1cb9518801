/*
 * How a set lies in memory, for those that make whole ones, and its dump. Internal to the store.
 */
#ifndef TORC_NODE_STORE_SET_FORM_H
#define TORC_NODE_STORE_SET_FORM_H

#include "node/store/members.h"

/* True if the set of an object is one of sorted integers. */
bool set_is_integers(const struct object *object);
/* Creates a set, replacing what the key held, in the smallest form. There are members, none of them
 * with a value; they are moved on success. 0 or TORC_ENOMEM (nothing changed). */
int set_put(struct keyspace *keys, struct bytes key, uint64_t hash, uint64_t expire_at_ms,
            struct members *members) TORC_MUST_USE;

/* The payload of a dump, docs/protocol.md. */
void set_dump(const struct object *object, struct buf *out);
/* Reads it to the end. 0, TORC_ECORRUPT, TORC_ENOMEM; on failure nothing changed. */
int set_restore(struct keyspace *keys, struct bytes key, uint64_t hash, struct reader *payload,
                uint64_t expire_at_ms) TORC_MUST_USE;

#endif
