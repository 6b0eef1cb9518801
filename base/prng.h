/*
 * A small seeded generator (xoshiro256**, Blackman and Vigna 2018, seeded by splitmix64). Not for
 * secrets. A value type: whoever owns the struct owns the sequence; the same seed gives the same
 * run.
 */
#ifndef TORC_BASE_PRNG_H
#define TORC_BASE_PRNG_H

#include <stdint.h>

struct prng {
    uint64_t state[4];
};

void prng_init(struct prng *prng, uint64_t seed);
uint64_t prng_next(struct prng *prng);
/* Uniform in [0, bound), without modulo bias; bound > 0. */
uint64_t prng_below(struct prng *prng, uint64_t bound);
/* Uniform in [0, 1). */
double prng_unit(struct prng *prng);

#endif
