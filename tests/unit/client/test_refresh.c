#include "client/limits.h"
#include "client/refresh.h"

#include <check.h>

#define CLIENTS 1000
#define NODES 10

START_TEST(one_question_at_a_time)
{
    struct refresh refresh = {0};
    struct prng prng;
    prng_init(&prng, 1);
    ck_assert(!refresh_begin(&refresh, 1000));
    ck_assert_uint_eq(refresh_due(&refresh), UINT64_MAX);
    refresh_want(&refresh, true, 1000, &prng);
    const uint64_t due_ms = refresh_due(&refresh);
    ck_assert_uint_lt(due_ms, 1000 + REFRESH_URGENT_MS);
    ck_assert(refresh_begin(&refresh, due_ms));
    refresh_want(&refresh, true, due_ms, &prng);
    ck_assert(!refresh_begin(&refresh, due_ms + 100000));
    refresh_done(&refresh, due_ms + 10, &prng);
    ck_assert(!refresh_begin(&refresh, due_ms + 10));
    ck_assert_uint_ge(refresh_due(&refresh), due_ms + 10 + REFRESH_INTERVAL_MS / 2);
    ck_assert(refresh_begin(&refresh, refresh_due(&refresh)));
}
END_TEST

START_TEST(many_that_want_it_do_not_hasten_it)
{
    double sum = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct refresh refresh = {0};
        struct prng prng;
        prng_init(&prng, seed);
        for (int i = 0; i < 1000; i++) {
            refresh_want(&refresh, true, 0, &prng);
        }
        sum += (double)refresh_due(&refresh);
    }
    ck_assert(sum / 200 > REFRESH_URGENT_MS / 3.0);
}
END_TEST

START_TEST(what_is_urgent_does_not_wait_for_what_is_not)
{
    struct prng prng;
    prng_init(&prng, 3);
    for (int i = 0; i < 100; i++) {
        struct refresh refresh = {0};
        refresh_want(&refresh, false, 0, &prng);
        refresh_want(&refresh, true, 0, &prng);
        ck_assert_uint_le(refresh_due(&refresh), REFRESH_URGENT_MS);
    }
}
END_TEST

/* A thousand clients learn of a change in the same millisecond, and of another thing wrong with
 * every command until their view is new, which the change takes `undecided_ms` to become. Most
 * questions to one node within any 100 ms, and in all. */
static void storm(bool urgent, uint64_t undecided_ms, unsigned *peak, unsigned *total)
{
    static struct refresh clients[CLIENTS];
    static struct prng prngs[CLIENTS];
    static bool knows[CLIENTS];
    unsigned asked[NODES] = {0};
    *peak = 0;
    *total = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = (struct refresh){0};
        knows[i] = false;
        prng_init(&prngs[i], i);
    }
    for (uint64_t now_ms = 0; now_ms < undecided_ms + 5000; now_ms++) {
        if (now_ms % 100 == 0) {
            for (unsigned i = 0; i < NODES; i++) {
                *peak = asked[i] > *peak ? asked[i] : *peak;
                asked[i] = 0;
            }
        }
        for (unsigned i = 0; i < CLIENTS; i++) {
            if (!knows[i]) {
                refresh_want(&clients[i], urgent, now_ms, &prngs[i]);
            }
            if (refresh_begin(&clients[i], now_ms)) {
                asked[prng_below(&prngs[i], NODES)]++;
                (*total)++;
                knows[i] = now_ms >= undecided_ms;
                refresh_done(&clients[i], now_ms, &prngs[i]);
            }
        }
    }
}

START_TEST(a_thousand_clients_make_no_storm)
{
    unsigned peak;
    unsigned total;
    /* A slot that has moved: each client asks once, or twice if it was asking at that moment. */
    storm(false, 0, &peak, &total);
    ck_assert_uint_ge(total, CLIENTS);
    ck_assert_uint_le(total, 2 * CLIENTS);
    ck_assert_uint_le(peak, 4 * CLIENTS / NODES * 100 / REFRESH_SPREAD_MS);
    /* A node that has failed, and is replaced after 2 s: a few times each. */
    storm(true, 2000, &peak, &total);
    ck_assert_uint_le(total, CLIENTS * (3 + 2 * 2000 / REFRESH_INTERVAL_MS));
    ck_assert_uint_le(peak, 2 * CLIENTS / NODES);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("refresh");
    tcase_add_test(tests, one_question_at_a_time);
    tcase_add_test(tests, many_that_want_it_do_not_hasten_it);
    tcase_add_test(tests, what_is_urgent_does_not_wait_for_what_is_not);
    tcase_add_test(tests, a_thousand_clients_make_no_storm);
    Suite *suite = suite_create("client/refresh");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
