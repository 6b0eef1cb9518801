/*
 * A value in pieces, so that a big one can be copied a bit at a time while it is used and changed.
 * The bytes of a piece: docs/protocol.md, "Pieces". As everything in the store it is pure, and the
 * caller holds the slot's lock.
 */
#ifndef TORC_NODE_STORE_PIECE_H
#define TORC_NODE_STORE_PIECE_H

#include "node/store/store.h"

#define PIECE_OBJECT_MIN (256u * 1024) /* bytes of an object that is worth it */

/* True of a value that takes more than a moment to copy. */
bool object_is_big(const struct object *object);
/* How many elements of a value take about that many bytes; at least one. Of a string: bytes. */
size_t object_elements_within(const struct object *object, size_t budget);
/*
 * Appends a piece of about `budget` bytes from the cursor on, 0 being the beginning; returns where
 * the next one begins, 0 if there is none. Of a list the cursor is the number of values before it,
 * of a string that of bytes; of other types what stays from the first call to the last is in some
 * piece, whatever else changes. No memory shows in out->failed.
 */
uint64_t object_piece(const struct object *object, uint64_t cursor, size_t budget, struct buf *out);
/* Adds a piece to what came before it; `first`: instead of whatever the key held. 0, TORC_ECORRUPT
 * (and some of it may be added), TORC_ENOMEM. */
int keyspace_add_piece(struct keyspace *keys, struct bytes key, uint64_t hash, struct bytes piece,
                       uint64_t expire_at_ms, bool first) TORC_MUST_USE;

#endif
