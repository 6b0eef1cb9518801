#include "torc/torc.h"

#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A handle whose seed nobody listens at: *out is the port, `held` keeps others from taking it. */
static struct torc *unconnected(int *held)
{
    char seeds[32];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    *held = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(*held, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(getsockname(*held, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(seeds, sizeof(seeds), "127.0.0.1:%u", ntohs(address.sin_port));
    struct torc_options options = {.seeds = seeds};
    struct torc *torc = NULL;
    ck_assert_int_eq(torc_connect(&options, &torc), TORC_ECONNECT);
    ck_assert_ptr_nonnull(torc);
    ck_assert_ptr_nonnull(strstr(torc_error(torc), seeds));
    ck_assert_ptr_nonnull(strstr(torc_error(torc), "refused"));
    return torc;
}

START_TEST(null_handles)
{
    size_t deleted = 7;
    struct torc_bytes key = torc_text("k");
    struct torc_value value = {(char *)&deleted, 1};
    struct torc_pipeline *pipeline = (struct torc_pipeline *)&deleted;
    ck_assert_int_eq(torc_connect(NULL, NULL), TORC_EINVAL);
    ck_assert_int_eq(torc_error_code(NULL), TORC_EINVAL);
    ck_assert_str_ne(torc_error(NULL), "");
    ck_assert_ptr_null(torc_command(NULL, "PING"));
    ck_assert_ptr_null(torc_command_argv(NULL, 0, NULL, NULL));
    ck_assert_int_eq(torc_get(NULL, key, &value), TORC_EINVAL);
    ck_assert_ptr_null(value.data);
    ck_assert_int_eq(torc_set(NULL, key, key, NULL), TORC_EINVAL);
    ck_assert_int_eq(torc_del(NULL, &key, 1, &deleted), TORC_EINVAL);
    ck_assert_uint_eq(deleted, 0);
    ck_assert_int_eq(torc_mget(NULL, &key, 1, &value), TORC_EINVAL);
    ck_assert_int_eq(torc_mset(NULL, NULL, 0), TORC_EINVAL);
    ck_assert_int_eq(torc_pipeline_create(NULL, &pipeline), TORC_EINVAL);
    ck_assert_ptr_null(pipeline);
    ck_assert_int_eq(torc_pipeline_append(NULL, "PING"), TORC_EINVAL);
    ck_assert_int_eq(torc_pipeline_execute(NULL), TORC_EINVAL);
    ck_assert_uint_eq(torc_pipeline_count(NULL), 0);
    ck_assert_ptr_null(torc_pipeline_reply(NULL, 0));
    ck_assert_int_eq(torc_pipeline_error(NULL, 0), TORC_EINVAL);
    torc_pipeline_reset(NULL);
    torc_pipeline_destroy(NULL);
    torc_close(NULL);
}
END_TEST

START_TEST(null_arguments_of_hashes_and_locks)
{
    int held;
    struct torc *torc = unconnected(&held);
    const struct torc_bytes key = torc_text("k");
    const struct torc_bytes none = {NULL, 3};
    const struct torc_lock_options forever = {0};
    const struct torc_lock_options second = {.ttl_ms = 1000};
    struct torc_held_lock lock = {0};
    struct torc_value value = {(char *)&held, 1};
    struct torc_fields fields = {(struct torc_field *)&held, 1};
    int64_t sum;
    ck_assert_int_eq(torc_hget(NULL, key, key, &value), TORC_EINVAL);
    ck_assert_ptr_null(value.data);
    ck_assert_int_eq(torc_hgetall(NULL, key, &fields), TORC_EINVAL);
    ck_assert_ptr_null(fields.items);
    ck_assert_int_eq(torc_hget(torc, key, key, NULL), TORC_EINVAL);
    ck_assert_int_eq(torc_hget(torc, key, none, &value), TORC_EINVAL);
    ck_assert_int_eq(torc_hset(torc, key, key, none), TORC_EINVAL);
    ck_assert_int_eq(torc_hmset(torc, key, NULL, 1, NULL), TORC_EINVAL);
    ck_assert_int_eq(torc_hmset(torc, key, &(struct torc_pair){key, key}, 0, NULL), TORC_EINVAL);
    ck_assert_int_eq(torc_hmset(torc, key, &(struct torc_pair){key, none}, 1, NULL), TORC_EINVAL);
    ck_assert_int_eq(torc_hmget(torc, key, NULL, 1, &value), TORC_EINVAL);
    ck_assert_int_eq(torc_hmget(torc, key, &none, 1, &value), TORC_EINVAL);
    ck_assert_int_eq(torc_hmget(torc, key, NULL, 0, NULL), 0);
    ck_assert_int_eq(torc_hdel(torc, key, NULL, 1, NULL), TORC_EINVAL);
    ck_assert_int_eq(torc_hdel(torc, key, NULL, 0, NULL), 0);
    ck_assert_int_eq(torc_hadd(torc, none, key, 1, &sum), TORC_EINVAL);
    ck_assert_int_eq(torc_incr(NULL, key, &sum), TORC_EINVAL);
    ck_assert_int_eq(torc_hgetall(torc, none, &fields), TORC_EINVAL);
    ck_assert_int_eq(torc_hgetall(torc, key, &fields), TORC_ECONNECT);
    ck_assert_int_eq(torc_lock(NULL, key, &second, &lock), TORC_EINVAL);
    ck_assert_int_eq(torc_lock(torc, key, NULL, &lock), TORC_EINVAL);
    ck_assert_int_eq(torc_lock(torc, key, &second, NULL), TORC_EINVAL);
    ck_assert_int_eq(torc_lock(torc, key, &forever, &lock), TORC_EINVAL);
    ck_assert_int_eq(torc_lock_extend(torc, key, 0, &lock), TORC_EINVAL);
    ck_assert_int_eq(torc_unlock(torc, key, NULL), TORC_EINVAL);
    ck_assert_int_eq(torc_lock(torc, key, &second, &lock), TORC_ECONNECT);
    torc_fields_free(&fields);
    torc_fields_free(NULL);
    torc_close(torc);
    close(held);
}
END_TEST

START_TEST(a_handle_with_wrong_options_says_so)
{
    struct torc *torc = NULL;
    ck_assert_int_eq(torc_connect(NULL, &torc), TORC_EINVAL);
    ck_assert_ptr_nonnull(strstr(torc_error(torc), "seeds"));
    ck_assert_int_eq(torc_error_code(torc), TORC_EINVAL);
    ck_assert_ptr_null(torc_command(torc, "PING"));
    ck_assert_int_eq(torc_error_code(torc), TORC_EINVAL);
    torc_close(torc);
}
END_TEST

START_TEST(wrong_arguments)
{
    int held;
    struct torc *torc = unconnected(&held);
    const struct torc_bytes none = {NULL, 3};
    const struct torc_bytes key = torc_text("k");
    const char *argv[] = {"GET", NULL};
    const size_t sizes[] = {3, 1};
    struct torc_value value;
    ck_assert_ptr_null(torc_command(torc, NULL));
    ck_assert_int_eq(torc_error_code(torc), TORC_EINVAL);
    ck_assert_ptr_null(torc_command(torc, ""));
    ck_assert_int_eq(torc_error_code(torc), TORC_EINVAL);
    ck_assert_ptr_null(torc_command(torc, "GET %y", 1));
    ck_assert_int_eq(torc_error_code(torc), TORC_EINVAL);
    ck_assert_ptr_null(torc_command(torc, "MULTI"));
    ck_assert_int_eq(torc_error_code(torc), TORC_EINVAL);
    ck_assert_ptr_nonnull(strstr(torc_error(torc), "MULTI"));
    ck_assert_ptr_null(torc_command_argv(torc, 0, argv, NULL));
    ck_assert_int_eq(torc_error_code(torc), TORC_EINVAL);
    ck_assert_ptr_null(torc_command_argv(torc, -1, argv, NULL));
    ck_assert_ptr_null(torc_command_argv(torc, 2, NULL, NULL));
    ck_assert_ptr_null(torc_command_argv(torc, 2, argv, NULL));
    ck_assert_int_eq(torc_error_code(torc), TORC_EINVAL);
    ck_assert_ptr_null(torc_command_argv(torc, 2, argv, sizes));
    ck_assert_int_eq(torc_error_code(torc), TORC_EINVAL);
    ck_assert_int_eq(torc_get(torc, none, &value), TORC_EINVAL);
    ck_assert_int_eq(torc_get(torc, key, NULL), TORC_EINVAL);
    ck_assert_int_eq(torc_set(torc, key, none, NULL), TORC_EINVAL);
    struct torc_set_options both = {.only_if_absent = 1, .only_if_present = 1};
    ck_assert_int_eq(torc_set(torc, key, key, &both), TORC_EINVAL);
    ck_assert_int_eq(torc_mget(torc, &none, 1, &value), TORC_EINVAL);
    ck_assert_int_eq(torc_mget(torc, NULL, 1, &value), TORC_EINVAL);
    ck_assert_int_eq(torc_del(torc, NULL, 1, NULL), TORC_EINVAL);
    struct torc_pair pair = {key, none};
    ck_assert_int_eq(torc_mset(torc, &pair, 1), TORC_EINVAL);
    ck_assert_ptr_nonnull(strstr(torc_error(torc), "MSET"));
    torc_close(torc);
    close(held);
}
END_TEST

START_TEST(over_the_limits)
{
    int held;
    struct torc *torc = unconnected(&held);
    const char *argv[] = {"SET", "k", "v"};
    const size_t sizes[] = {3, 1, (size_t)1 << 40};
    ck_assert_ptr_null(torc_command_argv(torc, 3, argv, sizes));
    ck_assert_int_eq(torc_error_code(torc), TORC_ETOOBIG);
    ck_assert_ptr_null(torc_command_argv(torc, 1 << 30, argv, NULL));
    ck_assert_int_eq(torc_error_code(torc), TORC_ETOOBIG);
    struct torc_bytes large = {"", (size_t)1 << 40};
    ck_assert_int_eq(torc_set(torc, torc_text("k"), large, NULL), TORC_ETOOBIG);
    torc_close(torc);
    close(held);
}
END_TEST

START_TEST(nothing_to_do_needs_no_node)
{
    int held;
    struct torc *torc = unconnected(&held);
    struct torc_pipeline *pipeline;
    size_t deleted = 9;
    ck_assert_int_eq(torc_mget(torc, NULL, 0, NULL), TORC_OK);
    ck_assert_int_eq(torc_mset(torc, NULL, 0), TORC_OK);
    ck_assert_int_eq(torc_del(torc, NULL, 0, &deleted), TORC_OK);
    ck_assert_uint_eq(deleted, 0);
    ck_assert_int_eq(torc_pipeline_create(torc, &pipeline), TORC_OK);
    ck_assert_int_eq(torc_pipeline_execute(pipeline), TORC_OK);
    torc_pipeline_destroy(pipeline);
    torc_close(torc);
    close(held);
}
END_TEST

START_TEST(pipelines_without_a_node)
{
    int held;
    struct torc *torc = unconnected(&held);
    struct torc_pipeline *pipeline;
    ck_assert_int_eq(torc_pipeline_create(torc, NULL), TORC_EINVAL);
    ck_assert_int_eq(torc_pipeline_create(torc, &pipeline), TORC_OK);
    ck_assert_int_eq(torc_pipeline_append(pipeline, "GET %s", "k"), TORC_OK);
    ck_assert_int_eq(torc_pipeline_append(pipeline, "SUBSCRIBE x"), TORC_EINVAL);
    ck_assert_uint_eq(torc_pipeline_count(pipeline), 1);
    ck_assert_int_eq(torc_pipeline_error(pipeline, 0), TORC_EINVAL);
    ck_assert_int_eq(torc_pipeline_execute(pipeline), TORC_ECONNECT);
    ck_assert_int_eq(torc_pipeline_error(pipeline, 0), TORC_ECONNECT);
    ck_assert_ptr_null(torc_pipeline_reply(pipeline, 0));
    ck_assert_int_eq(torc_pipeline_error(pipeline, 1), TORC_EINVAL);
    ck_assert_int_eq(torc_pipeline_append(pipeline, "PING"), TORC_EINVAL);
    ck_assert_int_eq(torc_pipeline_execute(pipeline), TORC_EINVAL);
    torc_pipeline_reset(pipeline);
    ck_assert_uint_eq(torc_pipeline_count(pipeline), 0);
    ck_assert_int_eq(torc_pipeline_append(pipeline, "PING"), TORC_OK);
    torc_pipeline_destroy(pipeline);
    torc_close(torc);
    close(held);
}
END_TEST

START_TEST(the_version_is_a_version)
{
    unsigned major;
    unsigned minor;
    unsigned patch;
    ck_assert_int_eq(sscanf(torc_version(), "%u.%u.%u", &major, &minor, &patch), 3);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("torc");
    tcase_add_test(tests, null_handles);
    tcase_add_test(tests, null_arguments_of_hashes_and_locks);
    tcase_add_test(tests, a_handle_with_wrong_options_says_so);
    tcase_add_test(tests, wrong_arguments);
    tcase_add_test(tests, over_the_limits);
    tcase_add_test(tests, nothing_to_do_needs_no_node);
    tcase_add_test(tests, pipelines_without_a_node);
    tcase_add_test(tests, the_version_is_a_version);
    Suite *suite = suite_create("client/torc");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
