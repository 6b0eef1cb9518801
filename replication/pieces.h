/*
 * The big keys of a refill: each is sent in pieces, between which the slot goes on being served. Of
 * a key that has been begun, what is done to it from then on is told as well: the receiver holds
 * its beginning, and does the same to that. And keys that are not so big and were sent whole
 * because they were changed: they are DONE from the first. Internal to a copy; whoever calls holds
 * the slot's lock.
 *
 *      WAITING ─► ACTIVE ─► DONE        back to WAITING when something is done to it that makes no
 *                                       sense for its beginning alone
 */
#ifndef TORC_REPLICATION_PIECES_H
#define TORC_REPLICATION_PIECES_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum piece_stage {
    PIECES_WAITING, /* to be sent from its beginning */
    PIECES_ACTIVE,  /* sent as far as the cursor */
    PIECES_DONE,    /* the receiver holds all of it */
};

struct piece_key {
    char *key; /* owned */
    size_t size;
    uint64_t cursor;
    uint8_t stage; /* enum piece_stage */
};

struct pieces {
    struct piece_key *items;
    size_t count;
    size_t capacity;
};

void pieces_destroy(struct pieces *pieces); /* NULL is allowed */
/* NULL if it is none of them. Borrowed until one is added or forgotten. */
struct piece_key *pieces_find(struct pieces *pieces, struct bytes key);
/* Adds it in that stage, unless it is there; makes *pieces if need be. Without memory the process
 * stops: a copy with a key missing would look whole. */
void pieces_add(struct pieces **pieces, struct bytes key, enum piece_stage stage);
void pieces_forget(struct pieces *pieces, struct piece_key *item);
/* One that is not DONE, an ACTIVE one first; NULL if there is none. */
struct piece_key *pieces_next(struct pieces *pieces);

static inline struct bytes piece_key_bytes(const struct piece_key *item)
{
    return (struct bytes){item->key, item->size};
}

#endif
