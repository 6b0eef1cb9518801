/*
 * A log-linear histogram of 64-bit values (nanoseconds, bytes, counts): 128 buckets for each power
 * of two, so a quantile is within 0.8 % of the true value. Fixed size, no allocation, mergeable.
 * One owner; merge copies from other threads' histograms when they are quiet.
 */
#ifndef TORC_BASE_HISTOGRAM_H
#define TORC_BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 7
#define HISTOGRAM_BUCKETS ((64 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

struct histogram {
    uint64_t buckets[HISTOGRAM_BUCKETS];
    uint64_t count; /* values recorded */
    uint64_t sum;   /* of the values; may wrap */
    uint64_t min;   /* UINT64_MAX while empty */
    uint64_t max;
};

void histogram_init(struct histogram *histogram);
void histogram_record(struct histogram *histogram, uint64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);
/* Smallest recorded bucket value with at least `quantile` (0..1) of all values at or below it;
 * 0 when empty, never above max. */
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);
double histogram_mean(const struct histogram *histogram);

#endif
