#include "node/commands/scan_cursor.h"

#include <check.h>

START_TEST(zero_is_start_and_end)
{
    struct scan_position start = scan_cursor_decode(0);
    ck_assert_uint_eq(start.slot, 0);
    ck_assert_uint_eq(start.place, 0);
    ck_assert_uint_eq(scan_cursor_encode(SCAN_END), 0);
}
END_TEST

START_TEST(cursors_come_back)
{
    const uint64_t places[] = {0, 1, 12345, (UINT64_C(1) << SCAN_PLACE_BITS) - 1};
    const uint32_t slots[] = {0, 1, 8191, SLOT_COUNT - 1};
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 4; j++) {
            struct scan_position position = {places[i], slots[j]};
            uint64_t cursor = scan_cursor_encode(position);
            ck_assert_uint_lt(cursor, UINT64_C(1) << 62);
            ck_assert_int_eq(scan_position_compare(scan_cursor_decode(cursor), position), 0);
            ck_assert(cursor != 0 || (i == 0 && j == 0));
        }
    }
}
END_TEST

START_TEST(unknown_cursors_skip_the_slot)
{
    struct scan_position position = scan_cursor_decode(UINT64_MAX);
    ck_assert_uint_eq(position.slot, SLOT_COUNT);
    ck_assert_uint_eq(position.place, 0);
    position = scan_cursor_decode(UINT64_C(1) << 62 | 7);
    ck_assert_uint_eq(position.slot, 8);
    ck_assert_uint_eq(position.place, 0);
}
END_TEST

START_TEST(order_is_slot_then_place)
{
    struct scan_position a = {9, 3}, b = {1, 4}, c = {2, 4};
    ck_assert_int_lt(scan_position_compare(a, b), 0);
    ck_assert_int_gt(scan_position_compare(b, a), 0);
    ck_assert_int_lt(scan_position_compare(b, c), 0);
    ck_assert_int_gt(scan_position_compare(SCAN_END, c), 0);
    ck_assert_int_eq(scan_position_compare(c, c), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands/scan_cursor");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, zero_is_start_and_end);
    tcase_add_test(tests, cursors_come_back);
    tcase_add_test(tests, unknown_cursors_skip_the_slot);
    tcase_add_test(tests, order_is_slot_then_place);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
