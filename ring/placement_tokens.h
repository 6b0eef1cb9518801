/*
 * The circle of tokens that placement walks: built once for a set of members, read, thrown away.
 * One owner. Not for use outside placement.
 *
 *      slot s lies at s << 50; bucket s is the arc from slot s to slot s + 1
 *
 *      tokens   | bucket 0 | bucket 1 |   ...   | bucket 16383 |     sorted by value
 *               ^ start[0] ^ start[1]                          ^ start[16384] = count
 */
#ifndef TORC_RING_PLACEMENT_TOKENS_H
#define TORC_RING_PLACEMENT_TOKENS_H

#include "base/attributes.h"
#include "base/limits.h"
#include "ring/node_id.h"

#include <stddef.h>
#include <stdint.h>

struct token {
    uint64_t value;  /* where on the circle */
    uint16_t member; /* index into the owners given to tokens_init */
};

struct token_owner {
    const struct node_id *id; /* borrowed for the call */
    uint32_t weight;          /* thousandths, > 0 */
};

struct tokens {
    struct token *token;
    size_t count;
    uint32_t start[SLOT_COUNT + 1];
};

/* `owners` sorted by id, so that equal values have an order of their own. 0 or TORC_ENOMEM. */
int tokens_init(struct tokens *tokens, const struct token_owner *owners,
                size_t owner_count) TORC_MUST_USE;
void tokens_deinit(struct tokens *tokens);

/* The place of a slot on the circle. */
uint64_t tokens_slot_place(uint16_t slot);

#endif
