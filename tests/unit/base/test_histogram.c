#include "base/histogram.h"
#include "base/prng.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct histogram *create(void)
{
    struct histogram *histogram = malloc(sizeof(*histogram));
    /* Whatever was there before, init sets everything. */
    memset(histogram, 0xff, sizeof(*histogram));
    histogram_init(histogram);
    return histogram;
}

START_TEST(empty)
{
    struct histogram *histogram = create();
    ck_assert_uint_eq(histogram->count, 0);
    ck_assert_uint_eq(histogram_quantile(histogram, 0), 0);
    ck_assert_uint_eq(histogram_quantile(histogram, 0.99), 0);
    ck_assert(histogram_mean(histogram) == 0);
    ck_assert(histogram->min == UINT64_MAX);
    ck_assert_uint_eq(histogram->max, 0);
    free(histogram);
}
END_TEST

START_TEST(small_values_are_exact)
{
    struct histogram *histogram = create();
    for (uint64_t value = 0; value < 100; value++) {
        histogram_record(histogram, value);
    }
    ck_assert_uint_eq(histogram_quantile(histogram, 0), 0);
    ck_assert_uint_eq(histogram_quantile(histogram, 0.01), 0);
    ck_assert_uint_eq(histogram_quantile(histogram, 0.5), 49);
    ck_assert_uint_eq(histogram_quantile(histogram, 0.99), 98);
    ck_assert_uint_eq(histogram_quantile(histogram, 1), 99);
    ck_assert_uint_eq(histogram->min, 0);
    ck_assert_uint_eq(histogram->max, 99);
    ck_assert_uint_eq(histogram->count, 100);
    ck_assert(histogram_mean(histogram) == 49.5);
    free(histogram);
}
END_TEST

/* Each value alone below a huge one: its quantile is its bucket's top, within 0.8 %. */
START_TEST(every_magnitude_within_the_error)
{
    for (int bit = 0; bit < 64; bit++) {
        for (int64_t delta = -1; delta <= 1; delta++) {
            uint64_t value = (UINT64_C(1) << bit) + (uint64_t)delta;
            struct histogram *histogram = create();
            histogram_record(histogram, value);
            /* Alone it is exact, because nothing is reported above the maximum. */
            ck_assert(histogram_quantile(histogram, 0.5) == value);
            histogram_record(histogram, UINT64_MAX);
            uint64_t seen = histogram_quantile(histogram, 0.5);
            ck_assert(seen >= value);
            ck_assert((double)(seen - value) <= 0.008 * (double)value);
            ck_assert(histogram_quantile(histogram, 1) == UINT64_MAX);
            free(histogram);
        }
    }
}
END_TEST

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

START_TEST(quantiles_of_random_values)
{
    enum { COUNT = 20000 };
    static uint64_t values[COUNT];
    struct prng prng;
    prng_init(&prng, 5);
    struct histogram *histogram = create();
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = prng_next(&prng) >> prng_below(&prng, 64);
        histogram_record(histogram, values[i]);
    }
    qsort(values, COUNT, sizeof(values[0]), compare);
    for (int percent = 1; percent <= 100; percent++) {
        uint64_t truth = values[(size_t)percent * COUNT / 100 - 1];
        uint64_t seen = histogram_quantile(histogram, percent / 100.0);
        /* Half a value of rounding in `percent / 100.0` may choose the next one. */
        uint64_t above = percent == 100 ? truth : values[(size_t)percent * COUNT / 100];
        ck_assert(seen >= truth);
        ck_assert((double)seen <= 1.008 * (double)above);
    }
    free(histogram);
}
END_TEST

START_TEST(merge_is_recording_both)
{
    struct prng prng;
    prng_init(&prng, 6);
    struct histogram *a = create();
    struct histogram *b = create();
    struct histogram *both = create();
    for (int i = 0; i < 1000; i++) {
        uint64_t value = prng_below(&prng, 1000000);
        histogram_record(i % 3 == 0 ? a : b, value);
        histogram_record(both, value);
    }
    histogram_merge(a, b);
    ck_assert_mem_eq(a, both, sizeof(*a));
    /* An empty one changes nothing. */
    struct histogram *none = create();
    histogram_merge(a, none);
    ck_assert_mem_eq(a, both, sizeof(*a));
    histogram_merge(none, both);
    ck_assert_mem_eq(none, both, sizeof(*none));
    free(none);
    free(both);
    free(b);
    free(a);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("histogram");
    TCase *tcase = tcase_create("histogram");
    tcase_add_test(tcase, empty);
    tcase_add_test(tcase, small_values_are_exact);
    tcase_add_test(tcase, every_magnitude_within_the_error);
    tcase_add_test(tcase, quantiles_of_random_values);
    tcase_add_test(tcase, merge_is_recording_both);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
