#include "base/error.h"
#include "bench/trace.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void load_text(struct trace *trace, const char *text)
{
    memset(trace, 0, sizeof(*trace));
    buf_append_text(&trace->text, text);
}

static void expect(const struct trace *trace, size_t index, const char *key)
{
    ck_assert(bytes_equal(trace_key(trace, index), bytes_of(key)));
}

/* A file of its own in the temporary folder; the caller removes it. */
static void make_file(char path[64], const char *suffix, const char *text)
{
    (void)snprintf(path, 64, "/tmp/torc-trace-XXXXXX%s", suffix);
    int fd = mkstemps(path, (int)strlen(suffix));
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(close(fd), 0);
}

START_TEST(keys_are_lines)
{
    struct trace trace;
    load_text(&trace, "one\ntwo\r\n\n\r\nthree words here\none");
    ck_assert_int_eq(trace_index(&trace), TORC_OK);
    ck_assert_uint_eq(trace.count, 4);
    expect(&trace, 0, "one");
    expect(&trace, 1, "two");
    expect(&trace, 2, "three words here");
    expect(&trace, 3, "one");
    trace_deinit(&trace);
}
END_TEST

START_TEST(no_key_is_an_error)
{
    static const char *const texts[] = {"", "\n", "\r\n\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct trace trace;
        load_text(&trace, texts[i]);
        ck_assert_int_eq(trace_index(&trace), TORC_EINVAL);
        trace_deinit(&trace);
    }
}
END_TEST

START_TEST(long_line_is_refused)
{
    char text[TRACE_KEY_SIZE_MAX + 2];
    struct trace trace;
    memset(text, 'k', sizeof(text));
    text[TRACE_KEY_SIZE_MAX] = '\0';
    load_text(&trace, text);
    ck_assert_int_eq(trace_index(&trace), TORC_OK);
    trace_deinit(&trace);
    text[TRACE_KEY_SIZE_MAX] = 'k';
    text[TRACE_KEY_SIZE_MAX + 1] = '\0';
    load_text(&trace, text);
    ck_assert_int_eq(trace_index(&trace), TORC_ETOOBIG);
    trace_deinit(&trace);
}
END_TEST

START_TEST(plain_file_is_read)
{
    char path[64];
    char error[TRACE_ERROR_SIZE];
    struct trace trace;
    make_file(path, "", "a\nb\n");
    ck_assert_int_eq(trace_load(&trace, path, error), TORC_OK);
    ck_assert_uint_eq(trace.count, 2);
    expect(&trace, 1, "b");
    trace_deinit(&trace);
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(missing_file_is_named)
{
    char error[TRACE_ERROR_SIZE] = "";
    struct trace trace;
    ck_assert_int_eq(trace_load(&trace, "/nonexistent/keys", error), TORC_EIO);
    ck_assert_ptr_nonnull(strstr(error, "/nonexistent/keys"));
}
END_TEST

START_TEST(file_that_is_no_xz_is_refused)
{
    char path[64];
    char error[TRACE_ERROR_SIZE] = "";
    struct trace trace;
    make_file(path, ".xz", "this is not compressed\n");
    ck_assert_int_eq(trace_load(&trace, path, error), TORC_EIO);
    ck_assert_ptr_nonnull(strstr(error, "xz"));
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(missing_xz_is_named)
{
    char path[64];
    char error[TRACE_ERROR_SIZE] = "";
    struct trace trace;
    make_file(path, ".xz", "x");
    /* The test runs in a process of its own: its PATH is nobody else's. */
    ck_assert_int_eq(setenv("PATH", "/nonexistent", 1), 0);
    ck_assert_int_eq(trace_load(&trace, path, error), TORC_EIO);
    ck_assert_ptr_nonnull(strstr(error, "xz-utils"));
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trace");
    TCase *tcase = tcase_create("trace");
    tcase_add_test(tcase, keys_are_lines);
    tcase_add_test(tcase, no_key_is_an_error);
    tcase_add_test(tcase, long_line_is_refused);
    tcase_add_test(tcase, plain_file_is_read);
    tcase_add_test(tcase, missing_file_is_named);
    tcase_add_test(tcase, file_that_is_no_xz_is_refused);
    tcase_add_test(tcase, missing_xz_is_named);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
