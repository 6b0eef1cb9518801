#include "client/options.h"

#include <check.h>
#include <string.h>

static char error[ERROR_TEXT_SIZE];

static void refuse(const struct torc_options *options, int expected, const char *named)
{
    struct client_options out;
    error[0] = '\0';
    ck_assert_int_eq(client_options_read(&out, options, error), expected);
    ck_assert_msg(strstr(error, named) != NULL, "'%s' does not name %s", error, named);
    ck_assert_ptr_null(out.seeds);
}

START_TEST(defaults)
{
    struct client_options out;
    ck_assert_int_eq(client_options_read(&out, &(struct torc_options){.seeds = "a:1,b:2"}, error),
                     TORC_OK);
    ck_assert_uint_eq(out.seed_count, 2);
    ck_assert_uint_eq(out.connect_timeout_ms, CONNECT_TIMEOUT_MS_DEFAULT);
    ck_assert_uint_eq(out.timeout_ms, TIMEOUT_MS_DEFAULT);
    ck_assert_uint_eq(out.attempt_timeout_ms, 0);
    ck_assert_uint_eq(out.connections_per_node, 1);
    ck_assert_uint_eq(out.outstanding_max, OUTSTANDING_MAX_DEFAULT);
    ck_assert_uint_eq(out.breaker_failures, BREAKER_FAILURES_DEFAULT);
    ck_assert_uint_eq(out.breaker_open_ms, BREAKER_OPEN_MS_DEFAULT);
    ck_assert(!out.fail_fast);
    client_options_deinit(&out);
    ck_assert_ptr_null(out.seeds);
}
END_TEST

START_TEST(values)
{
    struct client_options out;
    struct torc_options options = {.seeds = "a:1",
                                   .connect_timeout_ms = 7,
                                   .timeout_ms = TIMEOUT_MS_MAX,
                                   .user = "u",
                                   .password = "p",
                                   .read_from = TORC_READ_NEAREST,
                                   .zone = "z"};
    ck_assert_int_eq(client_options_read(&out, &options, error), TORC_OK);
    ck_assert_uint_eq(out.connect_timeout_ms, 7);
    ck_assert_uint_eq(out.timeout_ms, TIMEOUT_MS_MAX);
    ck_assert_str_eq(out.user, "u");
    ck_assert_str_eq(out.password, "p");
    ck_assert_int_eq(out.read_from, TORC_READ_NEAREST);
    ck_assert_str_eq(out.zone, "z");
    client_options_deinit(&out);
}
END_TEST

START_TEST(errors_name_the_option)
{
    refuse(NULL, TORC_EINVAL, "seeds: required");
    refuse(&(struct torc_options){.seeds = NULL}, TORC_EINVAL, "seeds: required");
    refuse(&(struct torc_options){.seeds = ""}, TORC_EINVAL, "host:port");
    refuse(&(struct torc_options){.seeds = "a:1,wrong"}, TORC_EINVAL, "'wrong'");
    refuse(&(struct torc_options){.seeds = "a:1", .timeout_ms = -1}, TORC_EINVAL, "timeout_ms: -1");
    refuse(&(struct torc_options){.seeds = "a:1", .connect_timeout_ms = TIMEOUT_MS_MAX + 1},
           TORC_EINVAL, "connect_timeout_ms");
    refuse(&(struct torc_options){.seeds = "a:1", .user = "u"}, TORC_EINVAL, "password: required");
    refuse(&(struct torc_options){.seeds = "a:1", .read_from = 9}, TORC_EINVAL, "read_from: 9");
    refuse(&(struct torc_options){.seeds = "a:1", .read_from = TORC_READ_NEAREST}, TORC_EINVAL,
           "zone: required");
    char zone[ZONE_SIZE_MAX + 2];
    memset(zone, 'z', sizeof(zone));
    zone[sizeof(zone) - 1] = '\0';
    refuse(&(struct torc_options){.seeds = "a:1", .zone = zone}, TORC_EINVAL, "zone: longer");
}
END_TEST

START_TEST(too_many_seeds)
{
    char text[(SEEDS_MAX + 1) * 4];
    for (size_t i = 0; i <= SEEDS_MAX; i++) {
        memcpy(text + 4 * i, "a:1,", 4);
    }
    text[sizeof(text) - 1] = '\0';
    refuse(&(struct torc_options){.seeds = text}, TORC_ETOOBIG, "seeds");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("options");
    tcase_add_test(tests, defaults);
    tcase_add_test(tests, values);
    tcase_add_test(tests, errors_name_the_option);
    tcase_add_test(tests, too_many_seeds);
    Suite *suite = suite_create("client/options");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
