/*
 * Which keys were evicted of late: a set of fingerprints, some two bytes for each, from which the
 * oldest fall out. It may forget early, and takes one key in four thousand for another. Internal to
 * the store. Any thread, without a lock: what two of them do at once may cost one fingerprint.
 *
 *      bucket (by the hash's upper half)   [ next | print | print | ... 15 of them ]
 */
#ifndef TORC_NODE_STORE_GHOSTS_H
#define TORC_NODE_STORE_GHOSTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GHOST_PRINTS 15u        /* with their counter half a cache line */
#define GHOST_CHUNKS 22u        /* each twice the one before: room for 4 thousand million keys */
#define GHOST_CHUNK_BUCKETS 64u /* of the first chunk */

struct ghost_bucket {
    _Atomic uint16_t next;                 /* place of the oldest print */
    _Atomic uint16_t prints[GHOST_PRINTS]; /* 0 = none */
};

struct ghosts {
    _Atomic uint32_t bucket_count;                       /* 0 = nothing is remembered */
    _Atomic size_t memory;                               /* bytes allocated */
    _Atomic(struct ghost_bucket *) chunks[GHOST_CHUNKS]; /* stay once they are there */
};

void ghosts_init(struct ghosts *ghosts);
void ghosts_deinit(struct ghosts *ghosts);
/* Has it remember about so many keys. A small change is none; a larger one forgets nearly all.
 * Without memory it remembers fewer. */
void ghosts_resize(struct ghosts *ghosts, size_t key_count);
void ghosts_add(struct ghosts *ghosts, uint64_t hash);
/* True if that key is remembered, and then it is forgotten. */
bool ghosts_take(struct ghosts *ghosts, uint64_t hash);

#endif
