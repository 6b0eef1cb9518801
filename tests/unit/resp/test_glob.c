#include "node/resp/glob.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* From allocations of exactly their sizes, so that the sanitizer sees a read past the end. */
static bool match_bytes(struct bytes pattern, struct bytes text, bool nocase)
{
    char *pattern_copy = malloc(pattern.size == 0 ? 1 : pattern.size);
    char *text_copy = malloc(text.size == 0 ? 1 : text.size);
    memcpy(pattern_copy, pattern.data, pattern.size);
    memcpy(text_copy, text.data, text.size);
    bool matched = glob_match((struct bytes){pattern_copy, pattern.size},
                              (struct bytes){text_copy, text.size}, nocase);
    free(pattern_copy);
    free(text_copy);
    return matched;
}

static bool match(const char *pattern, const char *text)
{
    return match_bytes(bytes_of(pattern), bytes_of(text), false);
}

static bool match_nocase(const char *pattern, const char *text)
{
    return match_bytes(bytes_of(pattern), bytes_of(text), true);
}

START_TEST(literals)
{
    ck_assert(match("hello", "hello"));
    ck_assert(!match("hello", "hell"));
    ck_assert(!match("hell", "hello"));
    ck_assert(!match("hello", "Hello"));
    ck_assert(match("", ""));
    ck_assert(!match("", "a"));
    ck_assert(!match("a", ""));
    ck_assert(match("]", "]"));
    ck_assert(match("a-z", "a-z"));
}
END_TEST

START_TEST(stars_and_question_marks)
{
    ck_assert(match("*", "anything"));
    ck_assert(match("*", ""));
    ck_assert(match("***", ""));
    ck_assert(match("user:*", "user:17"));
    ck_assert(match("user:*", "user:"));
    ck_assert(!match("user:*", "users"));
    ck_assert(match("*:17", "user:17"));
    ck_assert(!match("*:17", "user:170"));
    ck_assert(match("*ab", "aab"));
    ck_assert(match("a*b*c", "a-b-b-c"));
    ck_assert(!match("a*b*c", "a-c-b"));
    ck_assert(match("*a*", "bab"));
    ck_assert(match("h?llo", "hallo"));
    ck_assert(!match("h?llo", "hllo"));
    ck_assert(!match("?", ""));
    ck_assert(match("*?", "a"));
    ck_assert(!match("*?", ""));
    ck_assert(match("?*?", "ab"));
    ck_assert(!match("?*?", "a"));
}
END_TEST

START_TEST(classes)
{
    ck_assert(match("h[ae]llo", "hello"));
    ck_assert(!match("h[ae]llo", "hillo"));
    ck_assert(!match("h[ae]llo", "hllo"));
    ck_assert(match("h[^e]llo", "hallo"));
    ck_assert(!match("h[^e]llo", "hello"));
    ck_assert(match("[a-c][0-9]", "b7"));
    ck_assert(!match("[a-c][0-9]", "d7"));
    ck_assert(match("[c-a]", "b"));
    ck_assert(match("[^a-c]", "d"));
    ck_assert(!match("[^a-c]", "b"));
    ck_assert(match("[a-c-]", "-"));
    ck_assert(match("[-a]", "-"));
    ck_assert(match("[a^]", "^"));
    ck_assert(match("[*?]", "*"));
    ck_assert(!match("[*?]", "a"));
    ck_assert(match("*[0-9]", "user:17"));
    ck_assert(!match("[]", "]"));
    ck_assert(match("[\xe0-\xff]", "\xe9"));
    ck_assert(!match("[\xe0-\xff]", "a"));
    ck_assert(match("[a-\xff]", "z"));
}
END_TEST

START_TEST(classes_left_open)
{
    ck_assert(match("[ab", "b"));
    ck_assert(!match("[ab", "c"));
    ck_assert(!match("[ab", "bb"));
    ck_assert(match("[^ab", "c"));
    ck_assert(match("a[^", "ax"));
    ck_assert(!match("a[", "a["));
    /* The end of a range may be the bracket itself. */
    ck_assert(match("[Z-]", "["));
    ck_assert(!match("[Z-]", "-"));
    ck_assert(match("[a-", "-"));
    ck_assert(match("[\\", "\\"));
}
END_TEST

START_TEST(escapes)
{
    ck_assert(match("\\*", "*"));
    ck_assert(!match("\\*", "a"));
    ck_assert(match("\\?\\[\\\\", "?[\\"));
    ck_assert(match("\\a", "a"));
    ck_assert(match("a\\", "a\\"));
    ck_assert(match("[\\]]", "]"));
    ck_assert(match("[\\^a]", "^"));
    ck_assert(match("[a\\-z]", "-"));
    ck_assert(!match("[a\\-z]", "m"));
    ck_assert(match("*\\*", "ab*"));
    ck_assert(!match("*\\*", "ab"));
}
END_TEST

START_TEST(ignoring_case)
{
    ck_assert(match_nocase("HeLLo*", "hEllO world"));
    ck_assert(match_nocase("h[A-F]llo", "hello"));
    ck_assert(match_nocase("h[a-f]llo", "HELLO"));
    ck_assert(match_nocase("[XY]", "y"));
    ck_assert(match_nocase("\\A", "a"));
    ck_assert(!match_nocase("[\\A]", "a"));
    ck_assert(match_nocase("[\\A]", "A"));
    ck_assert(!match_nocase("a", "b"));
    ck_assert(!match_nocase("@", "`"));
    ck_assert(!match_nocase("\xc9", "\xe9"));
}
END_TEST

START_TEST(zero_bytes)
{
    ck_assert(match_bytes(BYTES_LITERAL("a\0*"), BYTES_LITERAL("a\0b"), false));
    ck_assert(!match_bytes(BYTES_LITERAL("a\0*"), BYTES_LITERAL("ab"), false));
    ck_assert(!match_bytes(BYTES_LITERAL("a"), BYTES_LITERAL("a\0"), false));
    ck_assert(glob_match((struct bytes){NULL, 0}, (struct bytes){NULL, 0}, false));
    ck_assert(glob_match(BYTES_LITERAL("*"), (struct bytes){NULL, 0}, false));
}
END_TEST

/* Exponential, or even cubic, matching would not end within the time a test is given. */
START_TEST(many_stars_stay_cheap)
{
    char text[20001];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    char pattern[4002];
    for (size_t i = 0; i < 4000; i += 2) {
        memcpy(pattern + i, "a*", 2);
    }
    memcpy(pattern + 4000, "b", 2);
    ck_assert(!match(pattern, text));
    text[sizeof(text) - 2] = 'b';
    ck_assert(match(pattern, text));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("glob");
    TCase *tcase = tcase_create("glob");
    tcase_add_test(tcase, literals);
    tcase_add_test(tcase, stars_and_question_marks);
    tcase_add_test(tcase, classes);
    tcase_add_test(tcase, classes_left_open);
    tcase_add_test(tcase, escapes);
    tcase_add_test(tcase, ignoring_case);
    tcase_add_test(tcase, zero_bytes);
    tcase_add_test(tcase, many_stars_stay_cheap);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
