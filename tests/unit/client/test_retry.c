#include "client/limits.h"
#include "client/retry.h"

#include <check.h>

static struct prng prng;
static struct retry_budget budget;

static void setup(uint64_t seed)
{
    prng_init(&prng, seed);
    retry_budget_init(&budget, 0);
}

static uint64_t next(struct retry *retry, bool redirected, uint64_t now_ms)
{
    uint64_t delay;
    ck_assert(retry_next(retry, &budget, redirected, now_ms, UINT64_MAX, &prng, &delay));
    return delay;
}

START_TEST(redirects_wait_only_after_a_few)
{
    struct retry retry = {0};
    setup(1);
    for (int i = 0; i < REDIRECTS_AT_ONCE; i++) {
        ck_assert_uint_eq(next(&retry, true, 0), 0);
    }
    ck_assert_uint_gt(next(&retry, true, 0), 0);
}
END_TEST

START_TEST(delays_are_all_chance_and_have_an_end)
{
    struct retry retry = {0};
    uint64_t most = RETRY_DELAY_MS_MIN;
    uint64_t sum = 0;
    setup(2);
    for (int i = 0; i < 300; i++) {
        const uint64_t delay = next(&retry, false, (uint64_t)i * 1000);
        ck_assert_uint_ge(delay, 1);
        ck_assert_uint_le(delay, most);
        most = 2 * most < RETRY_DELAY_MS_MAX ? 2 * most : RETRY_DELAY_MS_MAX;
        sum += delay;
    }
    /* Full jitter: half the largest on the average, down to almost nothing. */
    ck_assert_uint_gt(sum, 300 * RETRY_DELAY_MS_MAX / 3);
    ck_assert_uint_lt(sum, 300 * RETRY_DELAY_MS_MAX * 2 / 3);
}
END_TEST

START_TEST(never_past_the_deadline)
{
    struct retry retry = {0};
    uint64_t delay = 7;
    setup(3);
    ck_assert(!retry_next(&retry, &budget, true, 1000, 1000, &prng, &delay));
    ck_assert(!retry_next(&retry, &budget, false, 999, 1000, &prng, &delay));
    ck_assert_uint_eq(delay, 7);
}
END_TEST

/* Retries that cost no more than the shortest wait, out of `count` made in one instant. */
static unsigned unpaced(unsigned count, uint64_t now_ms)
{
    unsigned quick = 0;
    for (unsigned i = 0; i < count; i++) {
        struct retry retry = {0};
        quick += next(&retry, false, now_ms) <= RETRY_DELAY_MS_MIN;
    }
    return quick;
}

START_TEST(a_spent_budget_paces_and_does_not_refuse)
{
    setup(4);
    ck_assert_uint_eq(unpaced(1000, 0), RETRY_BUDGET_MAX);
    ck_assert_uint_eq(unpaced(1000, 1000), RETRY_BUDGET_PER_SECOND);
    ck_assert_uint_eq(unpaced(1000, 1000000), RETRY_BUDGET_MAX);
}
END_TEST

START_TEST(success_refills_the_budget)
{
    setup(5);
    (void)unpaced(1000, 0);
    ck_assert_uint_eq(unpaced(1, 0), 0);
    retry_budget_succeeded(&budget, true);
    ck_assert_uint_eq(unpaced(10, 0), 2);
    for (int i = 0; i < 30; i++) {
        retry_budget_succeeded(&budget, false);
    }
    ck_assert_uint_eq(unpaced(10, 0), 3);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("retry");
    tcase_add_test(tests, redirects_wait_only_after_a_few);
    tcase_add_test(tests, delays_are_all_chance_and_have_an_end);
    tcase_add_test(tests, never_past_the_deadline);
    tcase_add_test(tests, a_spent_budget_paces_and_does_not_refuse);
    tcase_add_test(tests, success_refills_the_budget);
    Suite *suite = suite_create("client/retry");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
