#include "base/error.h"

#include <check.h>
#include <limits.h>
#include <string.h>

START_TEST(every_code_has_its_own_text)
{
    static const int codes[] = {
#define CODE(name, value, text) name,
        TORC_ERRORS(CODE)
#undef CODE
    };
    static const char *const texts[] = {
#define TEXT(name, value, text) text,
        TORC_ERRORS(TEXT)
#undef TEXT
    };
    size_t count = sizeof(codes) / sizeof(codes[0]);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_lt(codes[i], 0);
        ck_assert_str_eq(torc_strerror(codes[i]), texts[i]);
        ck_assert_str_ne(texts[i], "");
        for (size_t k = 0; k < i; k++) {
            ck_assert_int_ne(codes[i], codes[k]);
            ck_assert_str_ne(texts[i], texts[k]);
        }
    }
}
END_TEST

START_TEST(other_codes)
{
    ck_assert_str_eq(torc_strerror(TORC_OK), "ok");
    ck_assert_str_eq(torc_strerror(1), "unknown error");
    ck_assert_str_eq(torc_strerror(-9999), "unknown error");
    ck_assert_str_eq(torc_strerror(INT_MIN), "unknown error");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("error");
    TCase *tcase = tcase_create("error");
    tcase_add_test(tcase, every_code_has_its_own_text);
    tcase_add_test(tcase, other_codes);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
