#include "ring/placement_tokens.h"

#include "base/error.h"
#include "ring/placement.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* A slot is as wide as the circle divided by the slots. */
#define SLOT_SHIFT (64 - SLOT_BITS)
#define OFFSET_MASK ((UINT64_C(1) << SLOT_SHIFT) - 1)
/* 2^64 divided by the golden ratio: multiples of it are spread more evenly than random numbers. */
#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

static_assert((UINT64_C(1) << (64 - SLOT_SHIFT)) == SLOT_COUNT, "slots cover the circle exactly");
static_assert(PLACEMENT_TOKENS_MAX <= UINT32_MAX - NODES_MAX, "tokens are counted in 32 bits");

uint64_t tokens_slot_place(uint16_t slot)
{
    return (uint64_t)slot << SLOT_SHIFT;
}

static uint64_t id_hash(const struct node_id *id)
{
    return XXH3_64bits(id->bytes, NODE_ID_SIZE);
}

/*
 * The k-th token of a node: XXH3 of both says in which slot, a golden-ratio sequence says where in
 * it. With one token for every few slots the second part decides who wins a slot, and spreading it
 * evenly takes a third of the variance out of the shares.
 */
static uint64_t token_value(const struct node_id *id, uint64_t offset_start, uint32_t k)
{
    uint8_t input[NODE_ID_SIZE + 4];
    memcpy(input, id->bytes, NODE_ID_SIZE);
    for (size_t i = 0; i < 4; i++) {
        input[NODE_ID_SIZE + i] = (uint8_t)(k >> (8 * i));
    }
    uint64_t slot_part = XXH3_64bits(input, sizeof(input)) & ~OFFSET_MASK;
    uint64_t offset_part = (offset_start + k * GOLDEN) >> (64 - SLOT_SHIFT);
    return slot_part | offset_part;
}

/* At least one, and so many fewer for each when all together would pass PLACEMENT_TOKENS_MAX. */
static uint32_t tokens_for(uint32_t weight, uint64_t weight_total)
{
    uint64_t total = weight_total * PLACEMENT_TOKENS_PER_UNIT / WEIGHT_UNIT;
    uint64_t own;
    if (total <= PLACEMENT_TOKENS_MAX) {
        own = ((uint64_t)weight * PLACEMENT_TOKENS_PER_UNIT + WEIGHT_UNIT / 2) / WEIGHT_UNIT;
    } else {
        own = (uint64_t)weight * PLACEMENT_TOKENS_MAX / weight_total;
    }
    return own == 0 ? 1 : (uint32_t)own;
}

/* Buckets hold few tokens (32 at 1 000 nodes), so that insertion is the fastest way. */
static void sort_bucket(struct token *token, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct token moving = token[i];
        size_t j = i;
        while (j > 0 &&
               (token[j - 1].value > moving.value ||
                (token[j - 1].value == moving.value && token[j - 1].member > moving.member))) {
            token[j] = token[j - 1];
            j--;
        }
        token[j] = moving;
    }
}

int tokens_init(struct tokens *tokens, const struct token_owner *owners, size_t owner_count)
{
    uint64_t weight_total = 0;
    for (size_t i = 0; i < owner_count; i++) {
        weight_total += owners[i].weight;
    }
    /* A counting sort by slot: count, then make every token again and put it in its bucket. Making
     * one twice is cheaper than keeping it. */
    memset(tokens, 0, sizeof(*tokens));
    for (size_t i = 0; i < owner_count; i++) {
        uint64_t offset_start = id_hash(owners[i].id);
        uint32_t count = tokens_for(owners[i].weight, weight_total);
        for (uint32_t k = 0; k < count; k++) {
            tokens->start[token_value(owners[i].id, offset_start, k) >> SLOT_SHIFT]++;
        }
        tokens->count += count;
    }
    tokens->token = malloc((tokens->count == 0 ? 1 : tokens->count) * sizeof(*tokens->token));
    if (tokens->token == NULL) {
        return TORC_ENOMEM;
    }
    uint32_t next = (uint32_t)tokens->count;
    tokens->start[SLOT_COUNT] = next;
    /* From here start[s] is one past bucket s, and moves down to its front as it is filled. */
    for (size_t slot = SLOT_COUNT; slot > 0; slot--) {
        uint32_t count = tokens->start[slot - 1];
        tokens->start[slot - 1] = next;
        next -= count;
    }
    for (size_t i = 0; i < owner_count; i++) {
        uint64_t offset_start = id_hash(owners[i].id);
        uint32_t count = tokens_for(owners[i].weight, weight_total);
        for (uint32_t k = 0; k < count; k++) {
            uint64_t value = token_value(owners[i].id, offset_start, k);
            tokens->token[--tokens->start[value >> SLOT_SHIFT]] =
                (struct token){.value = value, .member = (uint16_t)i};
        }
    }
    for (size_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint32_t from = tokens->start[slot];
        sort_bucket(&tokens->token[from], tokens->start[slot + 1] - from);
    }
    return 0;
}

void tokens_deinit(struct tokens *tokens)
{
    free(tokens->token);
    tokens->token = NULL;
}
