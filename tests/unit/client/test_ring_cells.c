#include "client/ring/cells.h"
#include "tests/unit/client/support/made.h"
#include "tests/unit/client/support/shown.h"

#include <check.h>
#include <math.h>
#include <string.h>

START_TEST(short_numbers)
{
    static const struct {
        double number;
        unsigned step;
        const char *shown;
    } cases[] = {
        {0, 1000, "0"},         {999, 1000, "999"},      {1000, 1000, "1.0k"},
        {99949, 1000, "99.9k"}, {99999, 1000, "100k"},   {999499, 1000, "999k"},
        {999500, 1000, "1.0M"}, {1048576, 1024, "1.0M"}, {18446744073709551615.0, 1000, "18.4E"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char shown[CELL_SIZE];
        cells_number(shown, cases[i].number, cases[i].step);
        ck_assert_str_eq(shown, cases[i].shown);
    }
}
END_TEST

START_TEST(excess)
{
    static const struct {
        double fraction;
        const char *shown;
    } cases[] = {{0, "+0.0%"},     {0.0211, "+2.1%"}, {0.0999, "+10%"},
                 {1.234, "+123%"}, {10, ">999%"},     {-0.5, "-50%"},
                 {-2, "-"},        {NAN, "-"},        {INFINITY, ">999%"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char shown[CELL_SIZE];
        cells_excess(shown, cases[i].fraction);
        ck_assert_str_eq(shown, cases[i].shown);
    }
}
END_TEST

START_TEST(durations)
{
    static const struct {
        double seconds;
        const char *shown;
    } cases[] = {{0, "0.0 s"},    {2.54, "2.5 s"},  {12.4, "12 s"},  {89, "89 s"},
                 {90, "1.5 min"}, {3600, "60 min"}, {5400, "1.5 h"}, {864000, "10 days"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char shown[CELL_SIZE];
        cells_duration(shown, cases[i].seconds);
        ck_assert_str_eq(shown, cases[i].shown);
    }
}
END_TEST

START_TEST(weights)
{
    char shown[CELL_SIZE];
    cells_weight(shown, 1000);
    ck_assert_str_eq(shown, "1");
    cells_weight(shown, 99999);
    ck_assert_str_eq(shown, "99.999");
    cells_weight(shown, 500);
    ck_assert_str_eq(shown, "0.5");
}
END_TEST

static void expect_bar(double fraction, bool ground, bool unicode, const char *bar)
{
    struct buf text = {0};
    cells_bar(&text, fraction, 4, ground, (struct look){.unicode = unicode});
    ck_assert_str_eq(shown_text(&text), bar);
    buf_deinit(&text);
}

START_TEST(bars)
{
    expect_bar(0, false, true, "    ");
    expect_bar(0.5, false, true, "██  ");
    expect_bar(1, false, true, "████");
    expect_bar(1.5, false, true, "████");
    expect_bar(-1, true, true, "░░░░");
    expect_bar(NAN, false, true, "    ");
    expect_bar(1.0 / 32, false, true, "▏   ");
    expect_bar(15.0 / 32, true, true, "█▉░░");
    expect_bar(0.5, true, false, "##..");
    expect_bar(1.0 / 32, false, false, "#   "); /* something is not nothing */
}
END_TEST

START_TEST(addresses)
{
    char shown[CELL_SIZE];
    struct view_node node = {.host = "10.0.0.1", .client_port = 7001};
    cells_address(shown, &node, ADDRESS_WIDTH_MAX);
    ck_assert_str_eq(shown, "10.0.0.1:7001");
    strcpy(node.host, "::1");
    cells_address(shown, &node, ADDRESS_WIDTH_MAX);
    ck_assert_str_eq(shown, "[::1]:7001");
    memset(node.host, 'h', HOST_SIZE_MAX);
    cells_address(shown, &node, 12);
    ck_assert_str_eq(shown, "hhhhhh~:7001");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("ring_cells");
    tcase_add_test(tests, short_numbers);
    tcase_add_test(tests, excess);
    tcase_add_test(tests, durations);
    tcase_add_test(tests, weights);
    tcase_add_test(tests, bars);
    tcase_add_test(tests, addresses);
    Suite *suite = suite_create("client/ring_cells");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
