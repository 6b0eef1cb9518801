/*
 * Times of expiry side by side: of 6 bytes each; of 8 where one of them lies beyond the year 10889;
 * of none at all where nothing expires. Unix milliseconds, 0 = never, which is what zeroed bytes
 * say. Internal to the store; borrows its bytes.
 */
#ifndef TORC_NODE_STORE_EXPIRIES_H
#define TORC_NODE_STORE_EXPIRIES_H

#include "base/attributes.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define EXPIRY_SIZE_SHORT 6u
#define EXPIRY_SIZE_LONG 8u

struct expiries {
    uint8_t *bytes;
    unsigned size; /* of each: 0, EXPIRY_SIZE_SHORT or EXPIRY_SIZE_LONG */
};

/* The least size that holds a time. */
static inline unsigned expiry_size_for(uint64_t expire_at_ms)
{
    unsigned size =
        expire_at_ms >> (8 * EXPIRY_SIZE_SHORT) == 0 ? EXPIRY_SIZE_SHORT : EXPIRY_SIZE_LONG;
    return expire_at_ms == 0 ? 0 : size;
}

static inline uint64_t expiries_get(struct expiries expiries, size_t at)
{
    uint64_t expire_at_ms = 0;
    if (TORC_LIKELY(expiries.size == EXPIRY_SIZE_SHORT)) {
        uint32_t low;
        uint16_t high;
        memcpy(&low, expiries.bytes + at * EXPIRY_SIZE_SHORT, sizeof(low));
        memcpy(&high, expiries.bytes + at * EXPIRY_SIZE_SHORT + sizeof(low), sizeof(high));
        expire_at_ms = (uint64_t)high << 32 | low;
    } else if (expiries.size != 0) {
        memcpy(&expire_at_ms, expiries.bytes + at * EXPIRY_SIZE_LONG, sizeof(expire_at_ms));
    }
    return expire_at_ms;
}

/* The size must hold it. */
static inline void expiries_set(struct expiries expiries, size_t at, uint64_t expire_at_ms)
{
    assert(expiry_size_for(expire_at_ms) <= expiries.size);
    if (TORC_LIKELY(expiries.size == EXPIRY_SIZE_SHORT)) {
        uint32_t low = (uint32_t)expire_at_ms;
        uint16_t high = (uint16_t)(expire_at_ms >> 32);
        memcpy(expiries.bytes + at * EXPIRY_SIZE_SHORT, &low, sizeof(low));
        memcpy(expiries.bytes + at * EXPIRY_SIZE_SHORT + sizeof(low), &high, sizeof(high));
    } else if (expiries.size != 0) {
        memcpy(expiries.bytes + at * EXPIRY_SIZE_LONG, &expire_at_ms, sizeof(expire_at_ms));
    }
}

/* As memmove: `count` of them. */
static inline void expiries_move(struct expiries expiries, size_t to, size_t from, size_t count)
{
    if (expiries.size != 0) {
        memmove(expiries.bytes + to * expiries.size, expiries.bytes + from * expiries.size,
                count * expiries.size);
    }
}

/* The least size that holds the first `count` of them. */
static inline unsigned expiries_size_needed(struct expiries expiries, size_t count)
{
    uint64_t latest = 0;
    for (size_t i = 0; expiries.size != 0 && i < count; i++) {
        uint64_t expire_at_ms = expiries_get(expiries, i);
        latest = expire_at_ms > latest ? expire_at_ms : latest;
    }
    return expiry_size_for(latest);
}

#endif
