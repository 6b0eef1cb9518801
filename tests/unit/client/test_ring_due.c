#include "client/ring/due.h"

#include <check.h>

static void expect_shares(unsigned copies, const uint32_t weights[4], const double shares[4])
{
    double out[4];
    due_shares(weights, 4, copies, out);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_double_eq_tol(out[i], shares[i], 1e-9);
    }
}

#define WEIGHTS(...) ((const uint32_t[4]){__VA_ARGS__})
#define SHARES(...) ((const double[4]){__VA_ARGS__})

START_TEST(by_weight)
{
    expect_shares(1, WEIGHTS(1000, 1000, 2000, 0), SHARES(0.25, 0.25, 0.5, 0));
    expect_shares(2, WEIGHTS(1000, 1000, 1000, 1000), SHARES(0.5, 0.5, 0.5, 0.5));
    expect_shares(1, WEIGHTS(0, 0, 0, 0), SHARES(0, 0, 0, 0));
}
END_TEST

START_TEST(nobody_is_due_more_than_all)
{
    expect_shares(2, WEIGHTS(1000, 1000, 10000, 0), SHARES(0.5, 0.5, 1, 0));
    expect_shares(3, WEIGHTS(1, 1, 10, 100), SHARES(0.5, 0.5, 1, 1));
    expect_shares(4, WEIGHTS(1, 1, 0, 0), SHARES(1, 1, 0, 0));
}
END_TEST

START_TEST(excess_is_of_the_one_that_is_worst_off)
{
    const double shares[] = {0.25, 0.75};
    const double others[] = {0.5, 0.5};
    const double has[] = {50, 50};
    ck_assert_double_eq_tol(due_excess(has, &(struct due_by){shares, NULL}, 2), 1, 1e-9);
    ck_assert_double_eq_tol(due_excess(has, &(struct due_by){others, NULL}, 2), 0, 1e-9);
    /* One good reason is enough for each. */
    ck_assert_double_eq_tol(due_excess(has, &(struct due_by){shares, others}, 2), 0, 1e-9);
    const double nothing[] = {0, 0};
    ck_assert_double_eq(due_excess(nothing, &(struct due_by){shares, NULL}, 2), 0);
    double parts[2];
    due_parts(100, &(struct due_by){shares, others}, 2, parts);
    ck_assert_double_eq_tol(parts[0], 50, 1e-9);
    ck_assert_double_eq_tol(parts[1], 75, 1e-9);
}
END_TEST

START_TEST(what_is_intended)
{
    ck_assert_uint_eq(
        due_intended(&(struct view_node){.weight_current = 700, .weight_asked = 1000}), 1000);
    ck_assert_uint_eq(due_intended(&(struct view_node){.weight_current = 0, .weight_asked = 1000}),
                      0);
    ck_assert_uint_eq(due_intended(&(struct view_node){.weight_current = 700, .weight_asked = 0}),
                      700);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("ring_due");
    tcase_add_test(tests, by_weight);
    tcase_add_test(tests, nobody_is_due_more_than_all);
    tcase_add_test(tests, excess_is_of_the_one_that_is_worst_off);
    tcase_add_test(tests, what_is_intended);
    Suite *suite = suite_create("client/ring_due");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
