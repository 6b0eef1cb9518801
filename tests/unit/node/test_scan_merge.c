#include "base/error.h"
#include "node/command.h"
#include "node/commands/scan_cursor.h"
#include "node/scan_merge.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 4

/* Merges these answers and compares the reply. */
static void expect_merged(const char *const *answers, size_t count, const char *wanted)
{
    struct buf parts[PARTS_MAX] = {0};
    struct buf out = {0};
    struct reply_writer writer = {.out = &out, .protocol = 2};
    for (size_t i = 0; i < count; i++) {
        buf_append_text(&parts[i], answers[i]);
    }
    scan_merge(parts, count, &writer);
    buf_append(&out, "", 1);
    ck_assert_str_eq(buf_head(&out), wanted);
    for (size_t i = 0; i < count; i++) {
        buf_deinit(&parts[i]);
    }
    buf_deinit(&out);
}

#define REFUSED "-ERR the nodes' answers to SCAN could not be put together\r\n"

static void expect_refused(const char *answer)
{
    /* Alone, and beside one that is lawful. */
    const char *answers[] = {"*2\r\n:16384\r\n:0\r\n", answer};
    expect_merged(&answers[1], 1, REFUSED);
    expect_merged(answers, 2, REFUSED);
}

START_TEST(test_nothing)
{
    const char *empty[] = {"*2\r\n:16384\r\n:0\r\n", "*2\r\n:16384\r\n:0\r\n"};
    expect_merged(empty, 2, "*2\r\n$1\r\n0\r\n*0\r\n");
    expect_merged(empty, 1, "*2\r\n$1\r\n0\r\n*0\r\n");
}
END_TEST

START_TEST(test_all_done)
{
    const char *answers[] = {
        "*6\r\n:16384\r\n:0\r\n:3\r\n*1\r\n$1\r\na\r\n:16383\r\n*1\r\n$1\r\nb\r\n",
        "*4\r\n:16384\r\n:0\r\n:0\r\n*2\r\n$1\r\nc\r\n$0\r\n\r\n",
    };
    expect_merged(answers, 2, "*2\r\n$1\r\n0\r\n*4\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$0\r\n\r\n");
}
END_TEST

/* The walk goes on from the least position; what others returned from there on comes again. */
START_TEST(test_keys_beyond_the_least_position_are_dropped)
{
    const char *answers[] = {
        /* stands at the beginning of slot 7 */
        "*4\r\n:7\r\n:0\r\n:5\r\n*1\r\n$2\r\na5\r\n",
        "*8\r\n:16384\r\n:0\r\n:6\r\n*1\r\n$2\r\nb6\r\n:7\r\n*1\r\n$2\r\nb7\r\n:9\r\n*1\r\n$2\r\n"
        "b9\r\n",
    };
    char wanted[200];
    snprintf(wanted, sizeof(wanted), "*2\r\n$1\r\n7\r\n*2\r\n$2\r\na5\r\n$2\r\nb6\r\n");
    expect_merged(answers, 2, wanted);
}
END_TEST

/* It stopped within slot 7: the keys of slot 7 that it did visit count. */
START_TEST(test_within_a_slot)
{
    const char *answers[] = {
        "*4\r\n:9\r\n:0\r\n:8\r\n*1\r\n$2\r\na8\r\n",
        "*4\r\n:7\r\n:5\r\n:7\r\n*1\r\n$2\r\nb7\r\n",
        "*4\r\n:7\r\n:6\r\n:2\r\n*1\r\n$2\r\nc2\r\n",
    };
    unsigned long long cursor =
        (unsigned long long)scan_cursor_encode((struct scan_position){5, 7});
    char digits[24];
    char wanted[200];
    snprintf(digits, sizeof(digits), "%llu", cursor);
    snprintf(wanted, sizeof(wanted), "*2\r\n$%zu\r\n%s\r\n*2\r\n$2\r\nb7\r\n$2\r\nc2\r\n",
             strlen(digits), digits);
    expect_merged(answers, 3, wanted);
}
END_TEST

START_TEST(test_malformed)
{
    expect_refused("");
    expect_refused("*2\r\n:1\r\n");                          /* cut short */
    expect_refused("+OK\r\n");                               /* no array */
    expect_refused("-ERR no\r\n");                           /* an error */
    expect_refused("$-1\r\n");                               /* null */
    expect_refused("*0\r\n");                                /* no position */
    expect_refused("*1\r\n:1\r\n");                          /* half of one */
    expect_refused("*3\r\n:1\r\n:0\r\n:1\r\n");              /* a slot without its keys */
    expect_refused("*2\r\n$1\r\n1\r\n:0\r\n");               /* text for a number */
    expect_refused("*4\r\n:9\r\n:0\r\n:1\r\n:1\r\n");        /* a number for keys */
    expect_refused("*4\r\n:9\r\n:0\r\n*0\r\n*0\r\n");        /* keys for a number */
    expect_refused("*4\r\n:9\r\n:0\r\n:1\r\n*1\r\n:1\r\n");  /* a key that is a number */
    expect_refused("*4\r\n:9\r\n:0\r\n:1\r\n*1\r\n*0\r\n");  /* a key that is an array */
    expect_refused("*4\r\n:9\r\n:0\r\n:1\r\n*1\r\n$-1\r\n"); /* a key that is null */
    expect_refused("*4\r\n:9\r\n:0\r\n:16384\r\n*0\r\n");    /* no such slot */
    expect_refused("*4\r\n:9\r\n:0\r\n:-1\r\n*0\r\n");       /* no such slot */
}
END_TEST

/* Positions that no walk can have. */
START_TEST(test_positions_out_of_range)
{
    expect_refused("*2\r\n:16385\r\n:0\r\n");
    expect_refused("*2\r\n:-1\r\n:0\r\n");
    expect_refused("*2\r\n:16384\r\n:1\r\n");
    expect_refused("*2\r\n:1\r\n:-1\r\n");
    expect_refused("*2\r\n:1\r\n:281474976710656\r\n"); /* 2^48 */
    expect_refused("*2\r\n:4294967296\r\n:0\r\n");      /* slot 0, were it cut to 32 bits */
    const char *last[] = {"*2\r\n:16383\r\n:281474976710655\r\n"};
    expect_merged(last, 1, "*2\r\n$19\r\n4611686018427387903\r\n*0\r\n");
}
END_TEST

/* ---- the request ---- */

/* Builds the request from a client's SCAN; writes its arguments, blank-separated, to `out`, or the
 * error reply. */
static void build(size_t argc, const char *const *words, char *text, size_t size)
{
    struct command_table *commands = command_table_create();
    struct bytes argv[16];
    struct buf out = {0};
    struct reply_writer writer = {.out = &out, .protocol = 2};
    struct scan_request request;
    struct execution built;
    for (size_t i = 0; i < argc; i++) {
        argv[i] = bytes_of(words[i]);
    }
    struct execution scan = {.argv = argv, .argc = argc, .out = &out, .protocol = 3};
    size_t used = 0;
    text[0] = '\0';
    if (scan_request_build(&request, commands, &scan, &built, &writer)) {
        ck_assert_ptr_eq(built.command, command_find(commands, BYTES_LITERAL("torc.scan")));
        ck_assert_int_eq(built.protocol, 3);
        for (size_t i = 0; i < built.argc; i++) {
            used += (size_t)snprintf(text + used, size - used, "%s%.*s", i == 0 ? "" : " ",
                                     (int)built.argv[i].size, built.argv[i].data);
        }
    } else {
        snprintf(text, size, "%.*s", (int)buf_size(&out), buf_head(&out));
    }
    buf_deinit(&out);
    command_table_destroy(commands);
}

START_TEST(test_request)
{
    static const struct {
        const char *words[8];
        size_t count;
        const char *wanted;
    } cases[] = {
        {{"SCAN", "0"}, 2, "torc.scan 0 0 10"},
        {{"SCAN", "7", "count", "3"}, 4, "torc.scan 7 0 3"},
        {{"SCAN", "16391"}, 2, "torc.scan 7 1 10"},
        {{"SCAN", "0", "MATCH", "a*", "TYPE", "string", "COUNT", "5"},
         8,
         "torc.scan 0 0 5 MATCH a* TYPE string"},
        {{"SCAN", "18446744073709551615"}, 2, "torc.scan 16383 0 10"},
        {{"SCAN", "-1"}, 2, "-ERR invalid cursor\r\n"},
        {{"SCAN", "x"}, 2, "-ERR invalid cursor\r\n"},
        {{"SCAN", "0", "COUNT", "0"}, 4, "-ERR syntax error\r\n"},
        {{"SCAN", "0", "NONE"}, 3, "-ERR syntax error\r\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[200];
        build(cases[i].count, cases[i].words, text, sizeof(text));
        ck_assert_str_eq(text, cases[i].wanted);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scan_merge");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_nothing);
    tcase_add_test(tests, test_all_done);
    tcase_add_test(tests, test_keys_beyond_the_least_position_are_dropped);
    tcase_add_test(tests, test_within_a_slot);
    tcase_add_test(tests, test_malformed);
    tcase_add_test(tests, test_positions_out_of_range);
    tcase_add_test(tests, test_request);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
