#include "base/prng.h"

#include <check.h>

/* The published first outputs of splitmix64 from seed 1234567, and of xoshiro256** from the state
 * 1, 2, 3, 4. */
START_TEST(known_sequences)
{
    struct prng prng;
    prng_init(&prng, 1234567);
    ck_assert(prng.state[0] == UINT64_C(6457827717110365317));
    ck_assert(prng.state[1] == UINT64_C(3203168211198807973));
    ck_assert(prng.state[2] == UINT64_C(9817491932198370423));
    ck_assert(prng.state[3] == UINT64_C(4593380528125082431));
    prng = (struct prng){{1, 2, 3, 4}};
    ck_assert(prng_next(&prng) == UINT64_C(11520));
    ck_assert(prng_next(&prng) == UINT64_C(0));
    ck_assert(prng_next(&prng) == UINT64_C(1509978240));
    ck_assert(prng_next(&prng) == UINT64_C(1215971899390074240));
}
END_TEST

START_TEST(same_seed_same_run)
{
    struct prng a;
    struct prng b;
    struct prng other;
    prng_init(&a, 42);
    prng_init(&b, 42);
    prng_init(&other, 43);
    int equal_to_other = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t value = prng_next(&a);
        ck_assert(value == prng_next(&b));
        equal_to_other += value == prng_next(&other);
    }
    ck_assert_int_eq(equal_to_other, 0);
    /* Seed 0 is a seed like any other. */
    prng_init(&a, 0);
    ck_assert((a.state[0] | a.state[1] | a.state[2] | a.state[3]) != 0);
}
END_TEST

START_TEST(below_stays_below)
{
    static const uint64_t bounds[] = {1, 2, 3, 10, 1000, UINT64_C(1) << 63, UINT64_MAX};
    struct prng prng;
    prng_init(&prng, 1);
    for (size_t b = 0; b < sizeof(bounds) / sizeof(bounds[0]); b++) {
        for (int i = 0; i < 1000; i++) {
            ck_assert(prng_below(&prng, bounds[b]) < bounds[b]);
        }
    }
}
END_TEST

START_TEST(below_is_uniform)
{
    struct prng prng;
    prng_init(&prng, 2);
    int counts[10] = {0};
    for (int i = 0; i < 100000; i++) {
        counts[prng_below(&prng, 10)]++;
    }
    /* Ten thousand each; the standard deviation is 95. */
    for (int i = 0; i < 10; i++) {
        ck_assert_int_gt(counts[i], 9500);
        ck_assert_int_lt(counts[i], 10500);
    }
    /* A bound of two thirds of the range: a bare modulo would fall into its lower half twice as
     * often as into the upper one. */
    uint64_t bound = UINT64_MAX / 3 * 2;
    int low = 0;
    for (int i = 0; i < 100000; i++) {
        low += prng_below(&prng, bound) < bound / 2;
    }
    ck_assert_int_gt(low, 49000);
    ck_assert_int_lt(low, 51000);
}
END_TEST

START_TEST(unit_is_uniform)
{
    struct prng prng;
    prng_init(&prng, 3);
    double sum = 0;
    for (int i = 0; i < 100000; i++) {
        double value = prng_unit(&prng);
        ck_assert(value >= 0);
        ck_assert(value < 1);
        sum += value;
    }
    ck_assert(sum > 49500);
    ck_assert(sum < 50500);
    /* The largest there can be is still below one. */
    prng = (struct prng){{0, UINT64_C(0x8e38e38e38e38e39), 0, 0}};
    ck_assert(prng_unit(&prng) < 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("prng");
    TCase *tcase = tcase_create("prng");
    tcase_add_test(tcase, known_sequences);
    tcase_add_test(tcase, same_seed_same_run);
    tcase_add_test(tcase, below_stays_below);
    tcase_add_test(tcase, below_is_uniform);
    tcase_add_test(tcase, unit_is_uniform);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
