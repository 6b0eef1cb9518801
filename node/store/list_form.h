/*
 * How a list lies in memory, for those that make whole ones: list.c and the dump. Internal to the
 * store.
 */
#ifndef TORC_NODE_STORE_LIST_FORM_H
#define TORC_NODE_STORE_LIST_FORM_H

#include "base/codec.h"
#include "node/store/chunks.h"
#include "node/store/keyspace.h"
#include "node/store/list.h"

#define LIST_SMALL_SIZE_MAX CHUNK_SIZE /* of the run */

/* Creates a small list, replacing what the key held, whose run of `size` bytes is for the caller to
 * write at *run. 0 or TORC_ENOMEM (nothing changed). */
int list_put_small(struct keyspace *keys, struct bytes key, uint64_t hash, uint64_t expire_at_ms,
                   uint32_t count, size_t size, char **run) TORC_MUST_USE;
/* Creates a large list, replacing what the key held. The chunks are moved on success. 0 or
 * TORC_ENOMEM (nothing changed). */
int list_put_large(struct keyspace *keys, struct bytes key, uint64_t hash, uint64_t expire_at_ms,
                   struct chunks *chunks) TORC_MUST_USE;

/* The payload of a dump, docs/protocol.md. */
void list_dump(const struct object *list, struct buf *out);
/* Reads it to the end. 0, TORC_ECORRUPT, TORC_ENOMEM; on failure nothing changed. */
int list_restore(struct keyspace *keys, struct bytes key, uint64_t hash, struct reader *payload,
                 uint64_t expire_at_ms) TORC_MUST_USE;

#endif
