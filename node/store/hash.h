/*
 * Hashes: fields with values, under one key of a keyspace. A hash of up to 512 fields, none of them
 * nor of the values longer than 64 bytes, lies in its object as one packed run; a larger one keeps
 * them outside, see members.h, and stays so. A hash is never empty: removing the last field deletes
 * the key. As everything in the store it is pure, and the caller holds the slot's lock.
 *
 *      small    object { header | key | count u16 | field, value, field, value ... }    listpack
 *      large    object { header | key | pointer } ──► members                          hashtable
 *
 * Everything that can run out of memory leaves the hash as it was when it does. What is passed in
 * does not lie in the hash that is changed.
 */
#ifndef TORC_NODE_STORE_HASH_H
#define TORC_NODE_STORE_HASH_H

#include "node/store/store.h"

/* Of an object that is a hash. What is read from it is borrowed until its next change. */
size_t hash_count(const struct object *object);
/* False if there is no such field. */
bool hash_get(const struct object *object, struct bytes field, struct bytes *value);
/* As keyspace_scan, over the fields and their values. A small hash is visited as a whole. */
uint64_t hash_scan(const struct object *object, uint64_t cursor, size_t budget,
                   member_visitor *visit, void *context);
/* Visits one field, any of them as likely. */
void hash_random(const struct object *object, struct prng *prng, member_visitor *visit,
                 void *context);

/* Gives a field a value; creates the hash. *added: the field was not there. *out may be NULL. 0,
 * TORC_ETYPE, TORC_ETOOBIG (beyond CONTAINER_SIZE_MAX), TORC_ENOMEM. */
int keyspace_hash_set(struct keyspace *keys, struct bytes key, uint64_t hash, struct bytes field,
                      struct bytes value, bool *added, struct object **out) TORC_MUST_USE;
/* Of a key that holds a hash. False if there is no such field. */
bool keyspace_hash_remove(struct keyspace *keys, struct bytes key, uint64_t hash,
                          struct bytes field);

#endif
