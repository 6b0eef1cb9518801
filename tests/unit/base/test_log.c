#include "base/log.h"

#include <check.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_MAX_SEEN 4096

/* A datagram socket keeps the writes apart: one received message is one write(2). */
struct sink {
    int fds[2];
    struct log log;
    char line[LINE_MAX_SEEN + 1];
    size_t size;
};

static void sink_init(struct sink *sink, enum log_level level, const char *name)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, sink->fds), 0);
    log_init(&sink->log, sink->fds[0], level, name);
}

static void sink_deinit(struct sink *sink)
{
    close(sink->fds[0]);
    close(sink->fds[1]);
}

/* False when nothing was written. */
static bool sink_take(struct sink *sink)
{
    ssize_t size = recv(sink->fds[1], sink->line, LINE_MAX_SEEN, MSG_DONTWAIT);
    sink->size = size < 0 ? 0 : (size_t)size;
    sink->line[sink->size] = '\0';
    return size >= 0;
}

/* "2026-01-31T12:00:00.123Z ", digits where the pattern has a 0. */
static bool is_timestamp(const char *text)
{
    static const char pattern[] = "0000-00-00T00:00:00.000Z ";
    for (size_t i = 0; pattern[i] != '\0'; i++) {
        bool fits =
            pattern[i] == '0' ? isdigit((unsigned char)text[i]) != 0 : text[i] == pattern[i];
        if (!fits) {
            return false;
        }
    }
    return true;
}

START_TEST(a_line)
{
    struct sink sink;
    sink_init(&sink, LOG_INFO, "torc-node 7001");
    log_warning(&sink.log, "%d keys, %s", 17, "more");
    ck_assert(sink_take(&sink));
    ck_assert(is_timestamp(sink.line));
    ck_assert_str_eq(sink.line + 25, "warning torc-node 7001: 17 keys, more\n");
    ck_assert(!sink_take(&sink));
    sink_deinit(&sink);
}
END_TEST

START_TEST(levels_filter)
{
    struct sink sink;
    sink_init(&sink, LOG_WARNING, "x");
    for (int least = 0; least < LOG_LEVEL_COUNT; least++) {
        atomic_store(&sink.log.level, least);
        for (int level = 0; level < LOG_LEVEL_COUNT; level++) {
            log_write(&sink.log, (enum log_level)level, "text");
            ck_assert_int_eq(sink_take(&sink), level >= least);
        }
    }
    atomic_store(&sink.log.level, LOG_DEBUG);
    log_debug(&sink.log, "a");
    ck_assert(sink_take(&sink));
    ck_assert_ptr_nonnull(strstr(sink.line, " debug x: a\n"));
    log_info(&sink.log, "b");
    ck_assert(sink_take(&sink));
    ck_assert_ptr_nonnull(strstr(sink.line, " info x: b\n"));
    log_error(&sink.log, "c");
    ck_assert(sink_take(&sink));
    ck_assert_ptr_nonnull(strstr(sink.line, " error x: c\n"));
    sink_deinit(&sink);
}
END_TEST

START_TEST(long_lines_are_cut)
{
    struct sink sink;
    sink_init(&sink, LOG_INFO, "x");
    char text[3000];
    memset(text, 't', sizeof(text));
    for (size_t size = 900; size < sizeof(text); size += 7) {
        log_info(&sink.log, "%.*s", (int)size, text);
        ck_assert(sink_take(&sink));
        ck_assert_uint_le(sink.size, 1024);
        ck_assert_uint_ge(sink.size, size < 980 ? 25 + 8 + size : 1000);
        ck_assert_int_eq(sink.line[sink.size - 1], '\n');
        ck_assert_int_eq(sink.line[sink.size - 2], 't');
        ck_assert_ptr_eq(strchr(sink.line, '\n'), &sink.line[sink.size - 1]);
    }
    sink_deinit(&sink);
}
END_TEST

START_TEST(long_names_are_cut)
{
    char name[2000];
    for (size_t size = 950; size < sizeof(name) - 1; size += 3) {
        memset(name, 'n', size);
        name[size] = '\0';
        struct sink sink;
        sink_init(&sink, LOG_INFO, name);
        log_info(&sink.log, "%s", "text that may not fit any more");
        ck_assert(sink_take(&sink));
        ck_assert_uint_le(sink.size, 1024);
        ck_assert_ptr_eq(strchr(sink.line, '\n'), &sink.line[sink.size - 1]);
        ck_assert_uint_eq(strlen(sink.line), sink.size);
        sink_deinit(&sink);
    }
}
END_TEST

/* A client cannot write lines of its own into the log, nor escape sequences. */
START_TEST(control_characters_are_blanked)
{
    struct sink sink;
    sink_init(&sink, LOG_INFO, "x");
    log_info(&sink.log, "got '%s'", "a\nb\r\tc\x1b[31m\x7f\xc3\xa9");
    ck_assert(sink_take(&sink));
    ck_assert_str_eq(sink.line + 25, "info x: got 'a b  c [31m \xc3\xa9'\n");
    sink_deinit(&sink);
}
END_TEST

START_TEST(no_log_is_silent)
{
    struct log log;
    log_init(&log, -1, LOG_DEBUG, "x");
    log_info(&log, "nobody reads this");
    log_write(NULL, LOG_ERROR, "nor this");
    ck_assert_int_eq(log.fd, -1);
}
END_TEST

START_TEST(level_names)
{
    for (int level = 0; level < LOG_LEVEL_COUNT; level++) {
        ck_assert_int_eq(log_level_parse(log_level_name((enum log_level)level)), level);
    }
    ck_assert_str_eq(log_level_name(LOG_WARNING), "warning");
    ck_assert_int_eq(log_level_parse("loud"), -1);
    ck_assert_int_eq(log_level_parse(""), -1);
    ck_assert_int_eq(log_level_parse("INFO"), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tcase = tcase_create("log");
    tcase_add_test(tcase, a_line);
    tcase_add_test(tcase, levels_filter);
    tcase_add_test(tcase, long_lines_are_cut);
    tcase_add_test(tcase, long_names_are_cut);
    tcase_add_test(tcase, control_characters_are_blanked);
    tcase_add_test(tcase, no_log_is_silent);
    tcase_add_test(tcase, level_names);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
