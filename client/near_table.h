/*
 * What a near cache remembers: values of keys, bounded in bytes, each good for as long as the one
 * it was read from vouches for it. Any thread; a lock for each of its parts. It knows neither
 * connections nor time, which it is told.
 *
 *      hash ─► part ─► bucket ─► entry ─► entry        a list of all by age as well: the oldest
 *                                                      goes first, unless it was used meanwhile
 *
 * Between asking a server and remembering its answer the key may change, and the news may be here
 * first. So whoever asks takes a ticket before, which is void once something like it was forgotten.
 */
#ifndef TORC_CLIENT_NEAR_TABLE_H
#define TORC_CLIENT_NEAR_TABLE_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "torc/torc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who vouches for values: a node, which tells of their changes. Outlives the table's entries. */
struct near_source {
    _Atomic(uint64_t) verified_ms; /* everything that had changed by then has been told */
    _Atomic(uint32_t) generation;  /* what was read in another one is void */
    _Atomic(bool) used;            /* something of it was served, or remembered */
};

struct near_table;

/* A key as the table looks for it. */
struct near_key {
    struct bytes key; /* borrowed */
    uint64_t hash;
};
struct near_key near_key_of(struct bytes key);

/* So many bytes, all of the table's own included. NULL without memory. */
struct near_table *near_table_create(size_t bytes_max);
void near_table_destroy(struct near_table *table); /* NULL is allowed */

/* Looks a key up. 0: *value, which is the caller's, holds it. TORC_ENOTFOUND: it is known that
 * there is no such key. TORC_EAGAIN: nothing is known that was true at `since_ms` or later.
 * TORC_ENOMEM. */
int near_table_get(struct near_table *table, const struct near_key *key, uint64_t since_ms,
                   struct torc_value *value) TORC_MUST_USE;

uint64_t near_table_ticket(struct near_table *table, const struct near_key *key);
/* What was read by asking after the ticket was taken, at `read_ms`, in that generation of the
 * source. value.data == NULL: there is no such key. Copied; not kept if the ticket is void, if it
 * is too large, or without memory. */
struct near_reading {
    struct near_source *source;
    uint32_t generation;
    uint64_t read_ms;
    uint64_t ticket;
    struct bytes value;
};
void near_table_put(struct near_table *table, const struct near_key *key,
                    const struct near_reading *reading);
/* The key may have changed. */
void near_table_forget(struct near_table *table, const struct near_key *key);

/* Entries and bytes now, hits and misses so far. */
void near_table_count(struct near_table *table, struct torc_near_stats *stats);

/* Longer keys are not remembered. */
#define NEAR_KEY_SIZE_MAX 1024

#endif
