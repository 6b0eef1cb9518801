#include "base/error.h"
#include "bench/options.h"
#include "bench/request.h"

#include <check.h>
#include <string.h>

#define WORDS_MAX 20

/* Parses "torc-bench <words split by blanks>". */
static int parse(struct bench_options *options, const char *line, char error[OPTIONS_ERROR_SIZE])
{
    static char text[1024];
    static char program[] = "torc-bench";
    char *argv[WORDS_MAX + 1] = {program};
    int argc = 1;
    char *rest = NULL;
    ck_assert_uint_lt(strlen(line), sizeof(text));
    memcpy(text, line, strlen(line) + 1);
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        ck_assert_int_lt(argc, WORDS_MAX);
        argv[argc++] = word;
    }
    return options_parse(options, argc, argv, error);
}

static struct bench_options take(const char *line)
{
    struct bench_options options;
    char error[OPTIONS_ERROR_SIZE] = "";
    ck_assert_msg(parse(&options, line, error) == TORC_OK, "%s: %s", line, error);
    return options;
}

/* The complaint must name the option and what it takes. */
static void refuse(const char *line, const char *names, const char *accepts)
{
    struct bench_options options;
    char error[OPTIONS_ERROR_SIZE] = "";
    ck_assert_msg(parse(&options, line, error) == TORC_EINVAL, "took '%s'", line);
    ck_assert_msg(strstr(error, names) != NULL, "'%s' does not name %s", error, names);
    ck_assert_msg(strstr(error, accepts) != NULL, "'%s' does not say %s", error, accepts);
}

START_TEST(defaults)
{
    struct bench_options options = take("-s h:1");
    ck_assert_uint_eq(options.seeds.count, 1);
    ck_assert_int_eq(options.mode, MODE_ANY);
    ck_assert_uint_eq(options.clients, 32);
    ck_assert_uint_eq(options.threads, 1);
    ck_assert_uint_eq(options.pipeline, 1);
    ck_assert_uint_eq(options.keys, 1000000);
    ck_assert_uint_eq(options.size, 64);
    ck_assert_uint_eq(options.ratio_set, 1);
    ck_assert_uint_eq(options.ratio_get, 9);
    ck_assert_double_eq_tol(options.zipf_exponent, 0.0, 1e-12);
    ck_assert_double_eq_tol(options.rate, 0.0, 1e-12);
    ck_assert_double_eq_tol(options.seconds, 10.0, 1e-12);
    ck_assert_str_eq(options.key_prefix, "key:");
    ck_assert(options.load);
    ck_assert(!options.only_load);
    ck_assert(!options.quiet);
}
END_TEST

START_TEST(everything_is_taken)
{
    struct bench_options options =
        take("-s a:1,b:2 --mode direct --clients 100 --threads 4 --pipeline 64 --keys 5 --size 0 "
             "--ratio 0:1");
    ck_assert_uint_eq(options.seeds.count, 2);
    ck_assert_int_eq(options.mode, MODE_DIRECT);
    ck_assert_uint_eq(options.clients, 100);
    ck_assert_uint_eq(options.threads, 4);
    ck_assert_uint_eq(options.pipeline, 64);
    ck_assert_uint_eq(options.keys, 5);
    ck_assert_uint_eq(options.size, 0);
    ck_assert_uint_eq(options.ratio_set, 0);
    ck_assert_uint_eq(options.ratio_get, 1);
    options = take("--server=a:1 --dist zipf:0.99 --rate 1.5e3 --seconds 0.5 --requests 7 --seed 9 "
                   "--key-prefix p --json - --no-load -q");
    ck_assert_double_eq_tol(options.zipf_exponent, 0.99, 1e-12);
    ck_assert_double_eq_tol(options.rate, 1500.0, 1e-9);
    ck_assert_double_eq_tol(options.seconds, 0.5, 1e-12);
    ck_assert_uint_eq(options.requests, 7);
    ck_assert_uint_eq(options.seed, 9);
    ck_assert_str_eq(options.key_prefix, "p");
    ck_assert_str_eq(options.json_path, "-");
    ck_assert(!options.load);
    ck_assert(options.quiet);
}
END_TEST

START_TEST(defaults_that_hang_on_others)
{
    ck_assert_double_eq_tol(take("-s h:1 --requests 5").seconds, 0.0, 1e-12);
    ck_assert(!take("-s h:1 --ratio 1:0").load);
    ck_assert(take("-s h:1 --ratio 1:0 --load").load);
    ck_assert(take("-s h:1 --seconds 0").only_load);
    struct bench_options options = take("-s h:1 --trace f.xz");
    ck_assert_str_eq(options.trace_path, "f.xz");
    ck_assert_str_eq(options.key_prefix, "");
    ck_assert(!options.load);
    ck_assert_double_eq_tol(options.seconds, 0.0, 1e-12);
}
END_TEST

START_TEST(help_and_version_need_nothing_else)
{
    ck_assert(take("--help").help);
    ck_assert(take("-h").help);
    ck_assert(take("--version").version);
}
END_TEST

START_TEST(complaints_name_option_and_values)
{
    refuse("", "-s", "HOST:PORT");
    refuse("-s h", "-s", "65535");
    refuse("-s h:1 --mode proxy", "--mode", "'any' nor 'direct'");
    refuse("-s h:1 --clients 0", "--clients", "from 1 to 100000");
    refuse("-s h:1 --clients -1", "--clients", "from 1 to 100000");
    refuse("-s h:1 --clients 3x", "--clients", "'3x'");
    refuse("-s h:1 --threads 257", "--threads", "256");
    refuse("-s h:1 --clients 2 --threads 3", "--threads", "--clients");
    refuse("-s h:1 --pipeline 10001", "--pipeline", "10000");
    refuse("-s h:1 --keys 0", "--keys", "from 1");
    refuse("-s h:1 --size 99999999999999999999", "--size", "from 0");
    refuse("-s h:1 --ratio 1", "--ratio", "1:9");
    refuse("-s h:1 --ratio 0:0", "--ratio", "1:9");
    refuse("-s h:1 --ratio 1:", "--ratio", "1:9");
    refuse("-s h:1 --ratio 123456789:1", "--ratio", "1:9");
    refuse("-s h:1 --dist normal", "--dist", "zipf:S");
    refuse("-s h:1 --dist zipf:", "--dist", "0.01 to 10");
    refuse("-s h:1 --dist zipf:nan", "--dist", "0.01 to 10");
    refuse("-s h:1 --dist zipf:11", "--dist", "0.01 to 10");
    refuse("-s h:1 --rate 0", "--rate", "0.001");
    refuse("-s h:1 --rate inf", "--rate", "0.001");
    refuse("-s h:1 --seconds -1", "--seconds", "from 0");
    refuse("-s h:1 --seconds 0 --no-load", "--seconds", "--load");
    refuse("-s h:1 --trace f --load", "--load", "--trace");
    refuse("-s h:1 --seed x", "--seed", "whole number");
    refuse("-s h:1 --requests 0", "--requests", "from 1");
    refuse("-s h:1 --frob", "--frob", "--help");
    refuse("-s h:1 --seconds", "--seconds", "needs a value");
    refuse("-s h:1 extra", "'extra'", "--help");
}
END_TEST

START_TEST(long_prefix_is_refused)
{
    char line[400] = "-s h:1 --key-prefix ";
    size_t start = strlen(line);
    memset(line + start, 'p', REQUEST_PREFIX_SIZE_MAX + 1);
    refuse(line, "--key-prefix", "200");
    line[start + REQUEST_PREFIX_SIZE_MAX] = '\0';
    ck_assert_uint_eq(strlen(take(line).key_prefix), REQUEST_PREFIX_SIZE_MAX);
}
END_TEST

START_TEST(help_fits_the_terminal_and_names_every_option)
{
    static const char *const names[] = {
        "--server", "--mode",       "--clients", "--threads", "--pipeline", "--keys",    "--size",
        "--ratio",  "--dist",       "--rate",    "--seconds", "--trace",    "--json",    "--help",
        "--seed",   "--key-prefix", "--load",    "--no-load", "--requests", "--version", "--quiet"};
    const char *help = options_help();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ck_assert_msg(strstr(help, names[i]) != NULL, "%s is not in --help", names[i]);
    }
    for (const char *line = help; *line != '\0'; line += strcspn(line, "\n") + 1) {
        ck_assert_uint_le(strcspn(line, "\n"), 80);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *tcase = tcase_create("options");
    tcase_add_test(tcase, defaults);
    tcase_add_test(tcase, everything_is_taken);
    tcase_add_test(tcase, defaults_that_hang_on_others);
    tcase_add_test(tcase, help_and_version_need_nothing_else);
    tcase_add_test(tcase, complaints_name_option_and_values);
    tcase_add_test(tcase, long_prefix_is_refused);
    tcase_add_test(tcase, help_fits_the_terminal_and_names_every_option);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
