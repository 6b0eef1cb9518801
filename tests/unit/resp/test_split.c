#include "base/buf.h"
#include "base/error.h"
#include "node/resp/split.h"

#include <check.h>
#include <stdlib.h>

/* Splits a copy of exactly that size; `expected` has '|' behind each argument, NULL = refused. */
static void expect_bytes(struct bytes line, const char *expected)
{
    char *copy = malloc(line.size == 0 ? 1 : line.size);
    memcpy(copy, line.data, line.size);
    struct bytes *items = malloc(split_count_max(line.size) * sizeof(*items));
    size_t count = 0;
    int status = split_arguments(copy, line.size, items, &count);
    ck_assert_int_eq(status, expected == NULL ? TORC_EINVAL : TORC_OK);
    if (expected != NULL) {
        struct buf got = {0};
        for (size_t i = 0; i < count; i++) {
            buf_append(&got, items[i].data, items[i].size);
            buf_append_text(&got, "|");
        }
        ck_assert_msg(bytes_equal(buf_bytes(&got), bytes_of(expected)), "'%.*s' became '%.*s'",
                      (int)line.size, line.data, (int)buf_size(&got), buf_head(&got));
        buf_deinit(&got);
    }
    free(items);
    free(copy);
}

static void expect(const char *line, const char *expected)
{
    expect_bytes(bytes_of(line), expected);
}

START_TEST(plain)
{
    expect("", "");
    expect(" \t\r\n\v\f", "");
    expect("a", "a|");
    expect("a b", "a|b|");
    expect("  get \t key\r\nx  ", "get|key|x|");
    expect("a\\n b\\", "a\\n|b\\|");
    /* Vertical tab and form feed are skipped between arguments but do not end one. */
    expect("\va\vb \f c", "a\vb|c|");
    /* The most arguments a line can hold. */
    expect("a b c d e f g", "a|b|c|d|e|f|g|");
}
END_TEST

START_TEST(double_quotes)
{
    expect("\"\"", "|");
    expect("\"a b\" c", "a b|c|");
    expect("x\"y z\"", "xy z|");
    expect("\"\\n\\r\\t\\b\\a\\\\\\\"\\q'\"", "\n\r\t\b\a\\\"q'|");
    expect("\"\\x41\\xfF\\x7e\"", "A\xff~|");
    expect("\"\\x4\" \"\\xg1\" \"\\x1g\"", "x4|xg1|x1g|");
    expect("\"a\"\t\"b\"\v\"c\"", "a|b|c|");
}
END_TEST

START_TEST(single_quotes)
{
    expect("''", "|");
    expect("'a b' c", "a b|c|");
    expect("x'y z'", "xy z|");
    expect("'\\n\\x41\\\"\"'", "\\n\\x41\\\"\"|");
    expect("'it\\'s'", "it's|");
    /* A backslash does not escape a backslash here, so the second one escapes the quote. */
    expect("'a\\\\' b", NULL);
    expect("'a\\\\' b'", "a\\' b|");
}
END_TEST

START_TEST(unbalanced)
{
    static const char *const lines[] = {
        "\"",      "'",     "a \"b",   "a 'b",  "\"a\"b", "'a'b",       "\"a\"\"",     "'a''b'",
        "\"a\\\"", "'a\\'", "\"a\\x4", "\"a\\", "'a\\",   "\"\\x41\\x", "ok \"a\"b ok"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        expect(lines[i], NULL);
    }
}
END_TEST

START_TEST(zero_bytes_are_bytes)
{
    char line[] = "a\0b \"\\x00\\\0\"";
    struct bytes items[8];
    size_t count = 0;
    ck_assert_int_eq(split_arguments(line, sizeof(line) - 1, items, &count), TORC_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert(bytes_equal(items[0], BYTES_LITERAL("a\0b")));
    ck_assert(bytes_equal(items[1], BYTES_LITERAL("\0\0")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("split");
    TCase *tcase = tcase_create("split");
    tcase_add_test(tcase, plain);
    tcase_add_test(tcase, double_quotes);
    tcase_add_test(tcase, single_quotes);
    tcase_add_test(tcase, unbalanced);
    tcase_add_test(tcase, zero_bytes_are_bytes);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
