#include "base/histogram.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define SUB_COUNT (UINT64_C(1) << HISTOGRAM_SUB_BITS)

static size_t bucket_of(uint64_t value)
{
    if (value < SUB_COUNT) {
        return (size_t)value;
    }
    unsigned exponent = 63u - (unsigned)__builtin_clzll(value);
    unsigned shift = exponent - HISTOGRAM_SUB_BITS;
    uint64_t sub = (value >> shift) - SUB_COUNT;
    return (size_t)(((uint64_t)(shift + 1) << HISTOGRAM_SUB_BITS) + sub);
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_top(size_t bucket)
{
    if (bucket < SUB_COUNT) {
        return bucket;
    }
    unsigned shift = (unsigned)(bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t sub = (bucket & (SUB_COUNT - 1)) + SUB_COUNT;
    return (sub << shift) + ((UINT64_C(1) << shift) - 1);
}

void histogram_init(struct histogram *histogram)
{
    memset(histogram, 0, sizeof(*histogram));
    histogram->min = UINT64_MAX;
}

void histogram_record(struct histogram *histogram, uint64_t value)
{
    histogram->buckets[bucket_of(value)]++;
    histogram->count++;
    histogram->sum += value;
    if (value < histogram->min) {
        histogram->min = value;
    }
    if (value > histogram->max) {
        histogram->max = value;
    }
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        into->buckets[i] += from->buckets[i];
    }
    into->count += from->count;
    into->sum += from->sum;
    if (from->min < into->min) {
        into->min = from->min;
    }
    if (from->max > into->max) {
        into->max = from->max;
    }
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
    assert(quantile >= 0 && quantile <= 1);
    if (histogram->count == 0) {
        return 0;
    }
    double wanted = quantile * (double)histogram->count;
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen > 0 && (double)seen >= wanted) {
            uint64_t top = bucket_top(i);
            return top < histogram->max ? top : histogram->max;
        }
    }
    return histogram->max;
}

double histogram_mean(const struct histogram *histogram)
{
    return histogram->count == 0 ? 0 : (double)histogram->sum / (double)histogram->count;
}
