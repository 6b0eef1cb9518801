/*
 * A circuit breaker: after some failures in a row a node is left alone for a while, then one call
 * is let through to see whether it is well again. Pure; a value, one for each node. (Nygard,
 * "Release It!", 2007: Circuit Breaker.)
 *
 *      CLOSED --failures in a row--> OPEN --time passes--> HALF_OPEN --success--> CLOSED
 *                                     ^------- failure, for twice as long -----------'
 */
#ifndef TORC_CLIENT_BREAKER_H
#define TORC_CLIENT_BREAKER_H

#include "base/prng.h"

#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

/* Zeroed = closed. */
struct breaker {
    enum breaker_state state;
    unsigned failures; /* in a row */
    unsigned openings; /* in a row */
    uint64_t until_ms; /* OPEN: then one may try; HALF_OPEN: then another may, should nothing be
                          heard of the one that did */
};

/* May a call go to the node? In HALF_OPEN one may: whoever is told true tries. */
bool breaker_allows(struct breaker *breaker, uint64_t now_ms, unsigned open_ms);
/* The same question without taking the turn. */
bool breaker_is_open(const struct breaker *breaker, uint64_t now_ms);
void breaker_succeeded(struct breaker *breaker);
/* The node could not be reached, or broke off. It opens after `limit` in a row, for half to all of
 * open_ms, and for twice as long each time that the one that tries fails, up to
 * BREAKER_OPENINGS_MAX times. */
void breaker_failed(struct breaker *breaker, uint64_t now_ms, unsigned limit, unsigned open_ms,
                    struct prng *prng);

#endif
