/*
 * Members of a large sorted set in the order of their scores, and of their bytes where scores are
 * equal: a counted B+tree, so that the rank of an entry and the entry of a rank are both found in
 * logarithmic time. It holds pointers to objects whose key is the member and whose value are the 8
 * bytes of the score; they belong to somebody else, and neither changes while an object is in here.
 * Internal to the store; the caller holds the slot's lock, and accounts for `memory`.
 *
 *      node      counts  | 1540 | 2012 |  977 |          of the entries below each child
 *                firsts  |      | 3.5 b| 9 xy |          the first of them, and its score
 *                children|  │   |  │   |  │   |
 *                           ▼      ▼      ▼
 *      leaf      entries [a b c .. ] ⇄ [ .. ] ⇄ [ .. ]   512 bytes each, none empty
 *
 * What changes the tree names entries by rank and compares nothing. Counted trees: Knuth, The Art
 * of Computer Programming 6.2.3.
 */
#ifndef TORC_NODE_STORE_ORDER_H
#define TORC_NODE_STORE_ORDER_H

#include "base/attributes.h"
#include "node/store/freeing.h"
#include "node/store/object.h"
#include "node/store/zset_bound.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORDER_LEAF_MAX 61u
#define ORDER_NODE_MAX 36u
/* Two neighbours with no more than this between them become one. */
#define ORDER_LEAF_JOINED_MAX (ORDER_LEAF_MAX * 3 / 4)
#define ORDER_NODE_JOINED_MAX (ORDER_NODE_MAX * 3 / 4)
/* Neighbours hold more than half of that each on average, so 2^32 entries are not as high. */
#define ORDER_HEIGHT_MAX 12u

struct order_leaf {
    uint32_t count;
    struct order_leaf *previous; /* NULL of the first */
    struct order_leaf *next;     /* NULL of the last */
    struct object *entries[ORDER_LEAF_MAX];
};

struct order_node {
    uint32_t length;                       /* children */
    uint32_t counts[ORDER_NODE_MAX];       /* entries below each of them */
    double scores[ORDER_NODE_MAX];         /* of `firsts` */
    struct object *firsts[ORDER_NODE_MAX]; /* of each child but the first, which needs none */
    void *children[ORDER_NODE_MAX];        /* leaves, or nodes */
};

struct order {
    size_t count;    /* entries */
    size_t memory;   /* bytes allocated, this structure not included */
    unsigned height; /* levels of nodes above the leaves */
    void *root;      /* NULL while empty */
};

/* A walk over entries: borrowed until the next change. */
struct order_cursor {
    const struct order_leaf *leaf; /* NULL: beyond the last one */
    uint32_t index;
};

/* What an object is in here. */
static inline struct zset_entry order_entry(const struct object *object)
{
    struct zset_entry entry = {.member = object_key(object)};
    memcpy(&entry.score, object_value(object).data, sizeof(entry.score));
    return entry;
}

void order_init(struct order *order);
void order_deinit(struct order *order); /* the tree, not the objects */
/* The same some at a time: see freeing.h. */
bool order_free_some(struct order *order, struct freeing *freeing);

/* Before the entry of that rank; behind the last one for the count. Where that is its place is for
 * the caller to know. 0 or TORC_ENOMEM (nothing changed). */
int order_insert(struct order *order, size_t rank, struct object *object) TORC_MUST_USE;
/* The entry of that rank, which is there. Returns it. */
struct object *order_remove(struct order *order, size_t rank);

/* Entries before the bound. */
size_t order_count_before(const struct order *order, const struct zset_bound *bound);

/* At the entry of that rank; beyond the last one for the count and more. */
struct order_cursor order_seek(const struct order *order, size_t rank);
/* The entry at the cursor, which then stands at the next one, or at the one before. NULL beyond. */
struct object *order_next(struct order_cursor *cursor);
struct object *order_previous(struct order_cursor *cursor);

#endif
