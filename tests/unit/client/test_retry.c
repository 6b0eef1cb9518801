#include "client/limits.h"
#include "client/retry.h"

#include <check.h>

START_TEST(redirects_wait_only_after_a_few)
{
    struct prng prng;
    struct retry retry = {0};
    uint64_t delay = 99;
    prng_init(&prng, 1);
    for (int i = 0; i < REDIRECTS_AT_ONCE; i++) {
        ck_assert(retry_next(&retry, true, 0, 1000, &prng, &delay));
        ck_assert_uint_eq(delay, 0);
    }
    ck_assert(retry_next(&retry, true, 0, 1000, &prng, &delay));
    ck_assert_uint_gt(delay, 0);
}
END_TEST

START_TEST(delays_grow_and_have_an_end)
{
    struct prng prng;
    struct retry retry = {0};
    uint64_t delay;
    uint64_t most = RETRY_DELAY_MS_MIN;
    prng_init(&prng, 2);
    for (int i = 0; i < 100; i++) {
        ck_assert(retry_next(&retry, false, 0, 1000000, &prng, &delay));
        ck_assert_uint_ge(delay, most / 2);
        ck_assert_uint_le(delay, most);
        most = 2 * most < RETRY_DELAY_MS_MAX ? 2 * most : RETRY_DELAY_MS_MAX;
    }
}
END_TEST

START_TEST(never_past_the_deadline)
{
    struct prng prng;
    struct retry retry = {0};
    uint64_t delay = 7;
    prng_init(&prng, 3);
    ck_assert(!retry_next(&retry, true, 1000, 1000, &prng, &delay));
    ck_assert(!retry_next(&retry, false, 996, 1000, &prng, &delay));
    ck_assert_uint_eq(delay, 7);
}
END_TEST

START_TEST(delays_differ)
{
    struct prng prng;
    bool differ = false;
    uint64_t first = 0;
    prng_init(&prng, 4);
    for (int i = 0; i < 50; i++) {
        struct retry retry = {.delays = 10};
        uint64_t delay;
        ck_assert(retry_next(&retry, false, 0, 1000000, &prng, &delay));
        differ = differ || (i > 0 && delay != first);
        first = i == 0 ? delay : first;
    }
    ck_assert(differ);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("retry");
    tcase_add_test(tests, redirects_wait_only_after_a_few);
    tcase_add_test(tests, delays_grow_and_have_an_end);
    tcase_add_test(tests, never_past_the_deadline);
    tcase_add_test(tests, delays_differ);
    Suite *suite = suite_create("client/retry");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
