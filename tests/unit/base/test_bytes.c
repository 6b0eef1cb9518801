#include "base/bytes.h"

#include <check.h>

START_TEST(bytes_compare)
{
    ck_assert(bytes_equal((struct bytes){NULL, 0}, BYTES_LITERAL("")));
    ck_assert(!bytes_equal(BYTES_LITERAL("a"), BYTES_LITERAL("ab")));
    ck_assert(!bytes_equal(BYTES_LITERAL("a\0b"), BYTES_LITERAL("a\0c")));
    ck_assert(bytes_equal_nocase(BYTES_LITERAL("GeT"), "get"));
    ck_assert(!bytes_equal_nocase(BYTES_LITERAL("GET"), "gets"));
    ck_assert(!bytes_equal_nocase(BYTES_LITERAL("GETS"), "get"));
    ck_assert(!bytes_equal_nocase(BYTES_LITERAL("get\0"), "get"));
    ck_assert(!bytes_equal_nocase(BYTES_LITERAL("@"), "`"));
    ck_assert(bytes_equal_nocase((struct bytes){NULL, 0}, ""));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bytes");
    TCase *tcase = tcase_create("bytes");
    tcase_add_test(tcase, bytes_compare);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
