/*
 * Zipf-distributed ranks: P(k) proportional to 1 / k^s for k = 1..n, by rejection-inversion
 * (Hörmann and Derflinger, "Rejection-inversion to generate variates from monotone discrete
 * distributions", ACM TOMACS 6(3), 1996). No table: set-up and each draw take constant time for any
 * n, with about 1.1 random numbers a draw. A value type, read-only after zipf_init.
 */
#ifndef TORC_BENCH_ZIPF_H
#define TORC_BENCH_ZIPF_H

#include "base/prng.h"

#include <stdint.h>

struct zipf {
    double exponent;    /* s */
    double count;       /* n */
    double area_first;  /* H(1.5) - h(1): left edge of the area drawn from */
    double area_last;   /* H(n + 0.5): right edge */
    double accept_from; /* k - x at or below it is accepted without computing H */
};

/* count >= 1, exponent > 0. */
void zipf_init(struct zipf *zipf, uint64_t count, double exponent);
/* A rank in 1..count, 1 the most frequent. */
uint64_t zipf_next(const struct zipf *zipf, struct prng *prng);

#endif
