#include "client/breaker.h"
#include "client/limits.h"

#include <check.h>

#define LIMIT 3
#define OPEN_MS 100

static struct breaker breaker;
static struct prng prng;

static void setup(void)
{
    breaker = (struct breaker){0};
    prng_init(&prng, 7);
}

static void failed(uint64_t now_ms, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        breaker_failed(&breaker, now_ms, LIMIT, OPEN_MS, &prng);
    }
}

START_TEST(a_few_failures_do_not_open_it)
{
    setup();
    failed(0, LIMIT - 1);
    ck_assert(breaker_allows(&breaker, 0, OPEN_MS));
    breaker_succeeded(&breaker);
    failed(0, LIMIT - 1);
    ck_assert(breaker_allows(&breaker, 0, OPEN_MS));
}
END_TEST

START_TEST(open_lets_nobody_through_and_then_one)
{
    setup();
    failed(1000, LIMIT);
    ck_assert(!breaker_allows(&breaker, 1000, OPEN_MS));
    ck_assert(!breaker_allows(&breaker, 1000 + OPEN_MS / 2 - 1, OPEN_MS));
    ck_assert(breaker_is_open(&breaker, 1000));
    ck_assert(breaker_allows(&breaker, 1000 + OPEN_MS, OPEN_MS));
    ck_assert(!breaker_allows(&breaker, 1000 + OPEN_MS, OPEN_MS));
    ck_assert(!breaker_allows(&breaker, 1000 + 2 * OPEN_MS - 1, OPEN_MS));
    /* Should nothing be heard of that one, another may try. */
    ck_assert(breaker_allows(&breaker, 1000 + 2 * OPEN_MS, OPEN_MS));
}
END_TEST

START_TEST(success_closes_it)
{
    setup();
    failed(0, LIMIT);
    ck_assert(breaker_allows(&breaker, OPEN_MS, OPEN_MS));
    breaker_succeeded(&breaker);
    ck_assert(breaker_allows(&breaker, OPEN_MS, OPEN_MS));
    ck_assert(breaker_allows(&breaker, OPEN_MS, OPEN_MS));
}
END_TEST

START_TEST(it_stays_open_longer_each_time_up_to_a_limit)
{
    uint64_t now_ms = 0;
    setup();
    failed(now_ms, LIMIT);
    for (unsigned i = 0; i < 20; i++) {
        const unsigned doublings = i < BREAKER_OPENINGS_MAX ? i : BREAKER_OPENINGS_MAX;
        const uint64_t full = (uint64_t)OPEN_MS << doublings;
        ck_assert_uint_ge(breaker.until_ms, now_ms + full / 2);
        ck_assert_uint_le(breaker.until_ms, now_ms + full);
        now_ms = breaker.until_ms;
        ck_assert(breaker_allows(&breaker, now_ms, OPEN_MS));
        failed(now_ms, 1);
    }
}
END_TEST

START_TEST(calls_that_were_on_their_way_do_not_prolong_it)
{
    setup();
    failed(0, LIMIT);
    const uint64_t until_ms = breaker.until_ms;
    failed(10, 50);
    ck_assert_uint_eq(breaker.until_ms, until_ms);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("breaker");
    tcase_add_test(tests, a_few_failures_do_not_open_it);
    tcase_add_test(tests, open_lets_nobody_through_and_then_one);
    tcase_add_test(tests, success_closes_it);
    tcase_add_test(tests, it_stays_open_longer_each_time_up_to_a_limit);
    tcase_add_test(tests, calls_that_were_on_their_way_do_not_prolong_it);
    Suite *suite = suite_create("client/breaker");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
