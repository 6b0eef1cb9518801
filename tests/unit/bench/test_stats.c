#include "bench/stats.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct stats *make(void)
{
    struct stats *stats = malloc(sizeof(*stats));
    ck_assert_ptr_nonnull(stats);
    stats_init(stats);
    return stats;
}

static uint64_t errors_named(const struct stats *stats, const char *name)
{
    for (size_t i = 0; i < stats->error_kind_count; i++) {
        if (strcmp(stats->errors[i].name, name) == 0) {
            return stats->errors[i].count;
        }
    }
    return 0;
}

START_TEST(errors_are_counted_by_first_word)
{
    struct stats *stats = make();
    stats_error(stats, "ERR unknown command", 5);
    stats_error(stats, "OOM command not allowed", 6);
    stats_error(stats, "ERR something else", 7);
    stats_error(stats, "LOADING", 8);
    stats_error(stats, "(connection lost): 127.0.0.1:1", 9);
    stats_error(stats, "(connection lost): 127.0.0.1:2", 9);
    ck_assert_uint_eq(stats->failed, 6);
    ck_assert_uint_eq(errors_named(stats, "ERR"), 2);
    ck_assert_uint_eq(errors_named(stats, "OOM"), 1);
    ck_assert_uint_eq(errors_named(stats, "LOADING"), 1);
    ck_assert_uint_eq(errors_named(stats, "(connection lost)"), 2);
    ck_assert_str_eq(stats->first_error, "ERR unknown command");
    free(stats);
}
END_TEST

START_TEST(long_names_are_cut_alike)
{
    struct stats *stats = make();
    stats_error(stats, "ABCDEFGHIJKLMNOPQRSTUVWXYZ one", 1);
    stats_error(stats, "ABCDEFGHIJKLMNOPQRSTUVWXYZ two", 2);
    ck_assert_uint_eq(stats->error_kind_count, 1);
    ck_assert_uint_eq(stats->errors[0].count, 2);
    free(stats);
}
END_TEST

START_TEST(too_many_kinds_become_one)
{
    struct stats *stats = make();
    for (int i = 0; i < 100; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "E%d x", i);
        stats_error(stats, text, 1);
    }
    ck_assert_uint_eq(stats->error_kind_count, ERROR_KINDS_MAX);
    ck_assert_uint_eq(errors_named(stats, "(other)"), 100 - (ERROR_KINDS_MAX - 1));
    ck_assert_uint_eq(errors_named(stats, "E0"), 1);
    ck_assert_uint_eq(stats->failed, 100);
    free(stats);
}
END_TEST

START_TEST(merge_adds_everything)
{
    struct stats *a = make();
    struct stats *b = make();
    histogram_record(&a->latency[OPERATION_GET], 100);
    histogram_record(&b->latency[OPERATION_GET], 300);
    histogram_record(&b->latency[OPERATION_SET], 500);
    a->hits = 1;
    b->hits = 2;
    b->misses = 1;
    b->loaded = 3;
    b->moved = 4;
    b->asked = 5;
    b->reconnects = 6;
    b->behind = 7;
    b->bytes_in = 8;
    b->bytes_out = 9;
    stats_error(a, "ERR late", 20);
    stats_error(b, "ERR early", 10);
    stats_merge(a, b);
    ck_assert_uint_eq(stats_operations(a), 3);
    ck_assert_uint_eq(a->latency[OPERATION_GET].count, 2);
    ck_assert_uint_eq(a->hits, 3);
    ck_assert_uint_eq(a->misses, 1);
    ck_assert_uint_eq(a->loaded, 3);
    ck_assert_uint_eq(a->moved, 4);
    ck_assert_uint_eq(a->asked, 5);
    ck_assert_uint_eq(a->reconnects, 6);
    ck_assert_uint_eq(a->behind, 7);
    ck_assert_uint_eq(a->bytes_in, 8);
    ck_assert_uint_eq(a->bytes_out, 9);
    ck_assert_uint_eq(a->failed, 2);
    ck_assert_uint_eq(errors_named(a, "ERR"), 2);
    ck_assert_str_eq(a->first_error, "ERR early");
    ck_assert_double_eq_tol(stats_hit_ratio(a), 0.75, 1e-12);
    free(a);
    free(b);
}
END_TEST

START_TEST(quantile_spans_both_kinds)
{
    struct stats *stats = make();
    struct histogram *scratch = malloc(sizeof(*scratch));
    ck_assert_ptr_nonnull(scratch);
    ck_assert_uint_eq(stats_quantile(stats, 0.5, scratch), 0);
    for (uint64_t i = 0; i < 10; i++) {
        histogram_record(&stats->latency[OPERATION_GET], 10);
        histogram_record(&stats->latency[OPERATION_SET], 100);
    }
    ck_assert_uint_eq(stats_quantile(stats, 0.5, scratch), 10);
    ck_assert_uint_eq(stats_quantile(stats, 0.51, scratch), 100);
    free(scratch);
    free(stats);
}
END_TEST

START_TEST(hit_ratio_of_nothing_is_zero)
{
    struct stats *stats = make();
    ck_assert_double_eq_tol(stats_hit_ratio(stats), 0.0, 1e-12);
    free(stats);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stats");
    TCase *tcase = tcase_create("stats");
    tcase_add_test(tcase, errors_are_counted_by_first_word);
    tcase_add_test(tcase, long_names_are_cut_alike);
    tcase_add_test(tcase, too_many_kinds_become_one);
    tcase_add_test(tcase, merge_adds_everything);
    tcase_add_test(tcase, quantile_spans_both_kinds);
    tcase_add_test(tcase, hit_ratio_of_nothing_is_zero);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
