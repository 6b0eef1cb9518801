/*
 * The payload of a hash's dump, docs/protocol.md. Internal to the store.
 */
#ifndef TORC_NODE_STORE_HASH_FORM_H
#define TORC_NODE_STORE_HASH_FORM_H

#include "base/codec.h"
#include "node/store/store.h"

void hash_dump(const struct object *object, struct buf *out);
/* Reads it to the end; a small hash keeps the order of the fields. 0, TORC_ECORRUPT, TORC_ENOMEM;
 * on failure nothing changed. */
int hash_restore(struct keyspace *keys, struct bytes key, uint64_t hash, struct reader *payload,
                 uint64_t expire_at_ms) TORC_MUST_USE;

#endif
