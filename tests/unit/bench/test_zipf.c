#include "bench/zipf.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

#define DRAWS 200000

/* Pearson's statistic of drawn ranks against the exact probabilities. Ranks with few expected draws
 * are taken together, as the test asks for. */
static double chi_square(uint64_t count, double exponent, size_t *degrees)
{
    struct zipf zipf;
    struct prng prng;
    uint64_t *seen = calloc(count + 1, sizeof(seen[0]));
    ck_assert_ptr_nonnull(seen);
    prng_init(&prng, 42);
    zipf_init(&zipf, count, exponent);
    for (size_t i = 0; i < DRAWS; i++) {
        uint64_t rank = zipf_next(&zipf, &prng);
        seen[rank <= count ? rank : 0]++;
    }
    ck_assert_uint_eq(seen[0], 0);
    double total = 0.0;
    for (uint64_t rank = 1; rank <= count; rank++) {
        total += pow((double)rank, -exponent);
    }
    double statistic = 0.0;
    double expected = 0.0;
    double observed = 0.0;
    size_t groups = 0;
    for (uint64_t rank = 1; rank <= count; rank++) {
        expected += pow((double)rank, -exponent) / total * DRAWS;
        observed += (double)seen[rank];
        if (expected >= 20.0 || rank == count) {
            statistic += (observed - expected) * (observed - expected) / expected;
            groups++;
            expected = 0.0;
            observed = 0.0;
        }
    }
    free(seen);
    *degrees = groups - 1;
    return statistic;
}

static void expect_zipf(uint64_t count, double exponent)
{
    size_t degrees = 0;
    double statistic = chi_square(count, exponent, &degrees);
    /* Mean `degrees`, variance twice that; five standard deviations. The seed is fixed. */
    double bound = (double)degrees + 5.0 * sqrt(2.0 * (double)degrees) + 1.0;
    ck_assert_msg(statistic < bound, "n %llu s %g: %g over %g", (unsigned long long)count, exponent,
                  statistic, bound);
}

START_TEST(frequencies_are_those_of_the_law)
{
    expect_zipf(2, 1.0);
    expect_zipf(10, 0.5);
    expect_zipf(1000, 0.5);
    expect_zipf(1000, 0.99);
    expect_zipf(1000, 1.0);
    expect_zipf(1000, 1.3);
    expect_zipf(5000, 2.5);
    expect_zipf(100, 0.01);
}
END_TEST

START_TEST(exponents_near_one_do_not_break)
{
    expect_zipf(1000, 1.0 + 1e-10);
    expect_zipf(1000, 1.0 - 1e-10);
}
END_TEST

START_TEST(one_rank_is_always_drawn)
{
    struct zipf zipf;
    struct prng prng;
    prng_init(&prng, 1);
    zipf_init(&zipf, 1, 0.99);
    for (int i = 0; i < 1000; i++) {
        ck_assert_uint_eq(zipf_next(&zipf, &prng), 1);
    }
}
END_TEST

START_TEST(huge_counts_stay_in_range)
{
    static const double exponents[] = {0.01, 0.99, 1.0, 1.5, 10.0};
    uint64_t count = UINT64_C(1) << 48;
    for (size_t i = 0; i < sizeof(exponents) / sizeof(exponents[0]); i++) {
        struct zipf zipf;
        struct prng prng;
        prng_init(&prng, 7);
        zipf_init(&zipf, count, exponents[i]);
        uint64_t outside = 0;
        for (int draw = 0; draw < 10000; draw++) {
            uint64_t rank = zipf_next(&zipf, &prng);
            outside += rank < 1 || rank > count ? 1 : 0;
        }
        ck_assert_uint_eq(outside, 0);
    }
}
END_TEST

START_TEST(same_seed_same_ranks)
{
    struct zipf zipf;
    struct prng a;
    struct prng b;
    prng_init(&a, 3);
    prng_init(&b, 3);
    zipf_init(&zipf, 1000, 0.99);
    for (int i = 0; i < 1000; i++) {
        ck_assert_uint_eq(zipf_next(&zipf, &a), zipf_next(&zipf, &b));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("zipf");
    TCase *tcase = tcase_create("zipf");
    tcase_add_test(tcase, frequencies_are_those_of_the_law);
    tcase_add_test(tcase, exponents_near_one_do_not_break);
    tcase_add_test(tcase, one_rank_is_always_drawn);
    tcase_add_test(tcase, huge_counts_stay_in_range);
    tcase_add_test(tcase, same_seed_same_ranks);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
