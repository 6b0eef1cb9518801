/*
 * How a list lies in memory, for those that make whole ones: list.c and the dump. Internal to the
 * store.
 */
#ifndef TORC_NODE_STORE_LIST_FORM_H
#define TORC_NODE_STORE_LIST_FORM_H

#include "base/codec.h"
#include "node/store/chunks.h"
#include "node/store/list.h"
#include "node/store/small.h"

#define LIST_SMALL_SIZE_MAX CHUNK_SIZE /* of the run */

/* The payload of a dump, docs/protocol.md. */
void list_dump(const struct object *list, struct buf *out);
/* Reads it to the end. 0, TORC_ECORRUPT, TORC_ENOMEM; on failure nothing changed. */
int list_restore(struct keyspace *keys, struct bytes key, uint64_t hash, struct reader *payload,
                 uint64_t expire_at_ms) TORC_MUST_USE;

#endif
