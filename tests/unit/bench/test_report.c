#include "base/error.h"
#include "bench/report.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct sample {
    struct bench_options options;
    struct stats *stats;
    struct report report;
};

static void make(struct sample *sample)
{
    memset(sample, 0, sizeof(*sample));
    ck_assert_int_eq(address_list_parse(&sample->options.seeds, bytes_of("10.0.0.1:7001,b:2")),
                     TORC_OK);
    sample->options.clients = 32;
    sample->options.threads = 2;
    sample->options.pipeline = 64;
    sample->options.keys = 1000000;
    sample->options.size = 64;
    sample->options.ratio_set = 1;
    sample->options.ratio_get = 9;
    sample->stats = malloc(sizeof(*sample->stats));
    ck_assert_ptr_nonnull(sample->stats);
    stats_init(sample->stats);
    for (uint64_t i = 1; i <= 100; i++) {
        histogram_record(&sample->stats->latency[OPERATION_GET], i * 1000);
    }
    sample->stats->hits = 75;
    sample->stats->misses = 25;
    sample->stats->bytes_in = 12345;
    sample->report = (struct report){.options = &sample->options,
                                     .stats = sample->stats,
                                     .version = "9.9",
                                     .elapsed_ns = 2000000000,
                                     .cpu_user_ns = 3000,
                                     .cpu_system_ns = 7000,
                                     .servers = 2};
}

static char *print(const struct report *report)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(out);
    report_print(report, out);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

static void expect_text(const struct report *report, const char *expected)
{
    char *text = print(report);
    ck_assert_msg(strstr(text, expected) != NULL, "no '%s' in:\n%s", expected, text);
    free(text);
}

static double real_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    ck_assert_msg(json_is_number(value), "no number %s", name);
    return json_number_value(value);
}

START_TEST(table_says_what_was_measured)
{
    struct sample sample;
    make(&sample);
    expect_text(&sample.report, "10.0.0.1:7001 and 1 more");
    expect_text(&sample.report, "32 on 2 threads, pipeline 64, closed loop");
    expect_text(&sample.report, "SET:GET 1:9, 1000000 keys uniform");
    expect_text(&sample.report, "operations  100 in 2.00 s\n");
    expect_text(&sample.report, "ops/s       50\n");
    expect_text(&sample.report, "hit ratio   0.7500 (75 of 100 GETs)");
    expect_text(&sample.report, "own CPU     100 ns per operation (user 30, system 70)");
    expect_text(&sample.report, "errors      0\n");
    free(sample.stats);
}
END_TEST

START_TEST(latencies_are_in_microseconds)
{
    struct sample sample;
    make(&sample);
    char *text = print(&sample.report);
    const char *line = strstr(text, "\nGET ");
    ck_assert_ptr_nonnull(line);
    char *numbers = NULL;
    ck_assert_int_eq((int)strtol(line + 4, &numbers, 10), 100);
    double mean = strtod(numbers, &numbers);
    double p50 = strtod(numbers, &numbers);
    double p90 = strtod(numbers, &numbers);
    double p99 = strtod(numbers, &numbers);
    ck_assert_double_eq_tol(mean, 50.5, 0.1);
    ck_assert_double_eq_tol(p50, 50.0, 0.5);
    ck_assert_double_eq_tol(p90, 90.0, 0.9);
    ck_assert_double_eq_tol(p99, 99.0, 0.9);
    ck_assert_ptr_null(strstr(text, "\nSET "));
    free(text);
    free(sample.stats);
}
END_TEST

START_TEST(lines_fit_80_columns)
{
    struct sample sample;
    make(&sample);
    sample.options.clients = OPTIONS_CLIENTS_MAX;
    sample.options.pipeline = OPTIONS_PIPELINE_MAX;
    sample.options.rate = 1e9;
    sample.options.size = 1000000;
    sample.options.zipf_exponent = 0.99;
    histogram_record(&sample.stats->latency[OPERATION_SET], UINT64_C(99000000000));
    memset(sample.options.seeds.items[0].host, 'h', HOST_SIZE_MAX);
    stats_error(sample.stats,
                "ERR a long text that goes on for many words and does not end before it is cut off "
                "by whoever prints it",
                1);
    sample.stats->moved = 1000000;
    sample.stats->behind = 1000000;
    char *text = print(&sample.report);
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
        ck_assert_msg(strcspn(line, "\n") <= 80, "too long: %s", line);
    }
    free(text);
    free(sample.stats);
}
END_TEST

START_TEST(errors_and_redirects_are_shown)
{
    struct sample sample;
    make(&sample);
    stats_error(sample.stats, "OOM command not allowed", 1);
    sample.stats->moved = 3;
    sample.stats->reconnects = 4;
    sample.report.interrupted = true;
    expect_text(&sample.report, "errors      1\n");
    expect_text(&sample.report, "OOM                     1\n");
    expect_text(&sample.report, "first: OOM command not allowed");
    expect_text(&sample.report, "3 MOVED, 0 ASK");
    expect_text(&sample.report, "reconnects  4");
    expect_text(&sample.report, "(interrupted)");
    free(sample.stats);
}
END_TEST

START_TEST(json_has_the_same_figures)
{
    struct sample sample;
    make(&sample);
    stats_error(sample.stats, "ERR x", 1);
    json_t *json = report_json(&sample.report);
    ck_assert_ptr_nonnull(json);
    ck_assert_str_eq(json_string_value(json_object_get(json, "torc_bench")), "9.9");
    ck_assert_double_eq_tol(real_of(json, "operations"), 100.0, 1e-9);
    ck_assert_double_eq_tol(real_of(json, "operations_per_second"), 50.0, 1e-9);
    ck_assert_double_eq_tol(real_of(json, "hit_ratio"), 0.75, 1e-9);
    ck_assert_double_eq_tol(real_of(json, "failed"), 1.0, 1e-9);
    ck_assert_double_eq_tol(real_of(json, "bytes_in"), 12345.0, 1e-9);
    ck_assert_double_eq_tol(real_of(json, "cpu_user_ns_per_operation"), 30.0, 1e-9);
    ck_assert_double_eq_tol(real_of(json, "cpu_system_ns_per_operation"), 70.0, 1e-9);
    ck_assert_double_eq_tol(real_of(json_object_get(json, "errors"), "ERR"), 1.0, 1e-9);
    const json_t *get = json_object_get(json_object_get(json, "latency"), "GET");
    ck_assert_double_eq_tol(real_of(get, "max_us"), 100.0, 1e-9);
    ck_assert_double_eq_tol(real_of(get, "p50_us"), 50.0, 0.5);
    ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(json, "options"), "servers")),
                      2);
    json_decref(json);
    free(sample.stats);
}
END_TEST

START_TEST(unprintable_error_still_makes_json)
{
    struct sample sample;
    make(&sample);
    stats_error(sample.stats, "\xff\xfe broken", 1);
    json_t *json = report_json(&sample.report);
    ck_assert_ptr_nonnull(json);
    ck_assert_str_eq(json_string_value(json_object_get(json, "first_error")), "?? broken");
    json_decref(json);
    free(sample.stats);
}
END_TEST

START_TEST(progress_is_one_line)
{
    struct sample sample;
    char *text = NULL;
    size_t size = 0;
    struct histogram *scratch = malloc(sizeof(*scratch));
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(scratch);
    ck_assert_ptr_nonnull(out);
    make(&sample);
    report_progress(sample.stats, 1000000000, 3000000000, scratch, out);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_ptr_nonnull(strstr(text, "     3 s        100 ops/s"));
    ck_assert_ptr_nonnull(strstr(text, "errors 0"));
    ck_assert_ptr_nonnull(strstr(text, "hits 75.0 %"));
    ck_assert_uint_eq(strcspn(text, "\n"), strlen(text) - 1);
    ck_assert_uint_le(strlen(text), 81);
    free(text);
    free(scratch);
    free(sample.stats);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("report");
    TCase *tcase = tcase_create("report");
    tcase_add_test(tcase, table_says_what_was_measured);
    tcase_add_test(tcase, latencies_are_in_microseconds);
    tcase_add_test(tcase, lines_fit_80_columns);
    tcase_add_test(tcase, errors_and_redirects_are_shown);
    tcase_add_test(tcase, json_has_the_same_figures);
    tcase_add_test(tcase, unprintable_error_still_makes_json);
    tcase_add_test(tcase, progress_is_one_line);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
