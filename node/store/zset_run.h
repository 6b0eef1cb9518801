/*
 * The packed run that a small sorted set is: its entries by rank, each one value of the run. A
 * score that is an integer, or is one over 10, 100 or 1000, takes as few bytes as hold the integer,
 * 1 to 6; any other one is the 8 bytes of the double. Looked for entry by entry: there are at most
 * 128. Internal to the store.
 *
 *      value    mark                                  score     member
 *               size of the score, scale in bit 4-5   1 to 8    up to 64
 */
#ifndef TORC_NODE_STORE_ZSET_RUN_H
#define TORC_NODE_STORE_ZSET_RUN_H

#include "node/store/small.h"
#include "node/store/zset.h"

/* What an entry takes at most, and a whole run. */
#define ZSET_VALUE_SIZE_MAX (1 + sizeof(double) + SMALL_MEMBER_SIZE_MAX)
#define ZSET_PAIR_SIZE_MAX (ZSET_VALUE_SIZE_MAX + 2)
#define ZSET_RUN_SIZE_MAX (SMALL_MEMBERS_MAX * ZSET_PAIR_SIZE_MAX)

static_assert(ZSET_VALUE_SIZE_MAX <= PACKED_SHORT_MAX, "an entry's size is one byte");

/* An entry as it stands in a run. */
struct zset_pair {
    struct bytes score; /* with its mark */
    struct bytes member;
};

/* A place in a run. */
struct zset_spot {
    uint32_t offset;
    size_t rank;
    double score; /* of the entry there */
};

/* A score as it stands in a run, or as the 8 bytes that it is in a large set. */
double zset_score_unpack(struct bytes packed);
/* Writes an entry; returns where the next one goes. There is room for ZSET_PAIR_SIZE_MAX bytes. */
char *zset_pair_write(char *at, struct zset_entry entry);
/* The entry at `at`, and where the next one begins. */
const char *zset_pair_read(const char *at, struct zset_pair *pair);
/* The entry that ends at `end`, and where it begins. */
const char *zset_pair_read_back(const char *end, struct zset_pair *pair);
static inline struct zset_entry zset_pair_entry(const struct zset_pair *pair)
{
    return (struct zset_entry){pair->member, zset_score_unpack(pair->score)};
}

/* False if the member is absent. */
bool zset_run_find(const struct packed *run, struct bytes member, struct zset_spot *spot);
/* Where the bound is. */
struct zset_spot zset_run_seek(const struct packed *run, const struct zset_bound *bound);
/* A member that is absent, where it belongs. The run has room for ZSET_PAIR_SIZE_MAX bytes. */
void zset_run_insert(struct packed *run, struct zset_entry entry);
/* The entry at that offset. */
void zset_run_remove(struct packed *run, uint32_t offset);

#endif
