#include "bench/zipf.h"

#include <assert.h>
#include <math.h>

/* expm1(t) / t and log1p(t) / t, continued through t = 0, so that s = 1 needs no case of its own.
 */
static double expm1_ratio(double t)
{
    return fabs(t) > 1e-8 ? expm1(t) / t : 1.0 + t / 2.0;
}

static double log1p_ratio(double t)
{
    return fabs(t) > 1e-8 ? log1p(t) / t : 1.0 - t / 2.0;
}

/* The hat: h(x) = x^-s. */
static double hat(const struct zipf *zipf, double x)
{
    return exp(-zipf->exponent * log(x));
}

/* Its integral H(x) = (x^(1-s) - 1) / (1 - s), which is log(x) at s = 1. */
static double hat_integral(const struct zipf *zipf, double x)
{
    double log_x = log(x);
    return log_x * expm1_ratio((1.0 - zipf->exponent) * log_x);
}

static double hat_integral_inverse(const struct zipf *zipf, double area)
{
    double t = area * (1.0 - zipf->exponent);
    if (t < -1.0) {
        t = -1.0; /* rounding at the far end of the tail, where s > 1 */
    }
    return exp(log1p_ratio(t) * area);
}

void zipf_init(struct zipf *zipf, uint64_t count, double exponent)
{
    assert(count >= 1);
    assert(exponent > 0.0);
    zipf->exponent = exponent;
    zipf->count = (double)count;
    zipf->area_first = hat_integral(zipf, 1.5) - 1.0;
    zipf->area_last = hat_integral(zipf, zipf->count + 0.5);
    zipf->accept_from = 2.0 - hat_integral_inverse(zipf, hat_integral(zipf, 2.5) - hat(zipf, 2.0));
}

uint64_t zipf_next(const struct zipf *zipf, struct prng *prng)
{
    for (;;) {
        double area = zipf->area_last + prng_unit(prng) * (zipf->area_first - zipf->area_last);
        double x = hat_integral_inverse(zipf, area);
        double rank = floor(x + 0.5);
        if (!(rank >= 1.0)) {
            rank = 1.0;
        } else if (rank > zipf->count) {
            rank = zipf->count;
        }
        /* Section 4: most draws are accepted by distance alone; the rest by comparing areas. */
        if (rank - x <= zipf->accept_from ||
            area >= hat_integral(zipf, rank + 0.5) - hat(zipf, rank)) {
            return (uint64_t)rank;
        }
    }
}
