#include "base/error.h"
#include "client/command_table.h"
#include "tests/unit/client/support/made.h"
#include "torc/torc.h"

#include <check.h>

static int read_into(struct command_table *table, const char *text)
{
    redisReply *reply = made_reply(text);
    int result = command_table_read(table, reply);
    torc_reply_free(reply);
    return result;
}

/* A container with one subcommand that has a key, as Redis 7 lists it. */
#define SUBCOMMAND "*6\r\n$15\r\nobject|encoding\r\n:3\r\n*1\r\n+readonly\r\n:2\r\n:2\r\n:1\r\n"
#define CONTAINER                                                                                  \
    "*10\r\n$6\r\nobject\r\n:-2\r\n*0\r\n:0\r\n:0\r\n:0\r\n*0\r\n*0\r\n*0\r\n*1\r\n" SUBCOMMAND
#define PLAIN "*6\r\n$3\r\nGET\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n"

START_TEST(finds_whatever_the_case)
{
    struct command_table table;
    const struct bytes argv[] = {BYTES_LITERAL("gEt"), BYTES_LITERAL("k")};
    const struct bytes unknown = BYTES_LITERAL("gets");
    ck_assert_int_eq(read_into(&table, "*2\r\n" CONTAINER PLAIN), TORC_OK);
    const struct command_keys *row = command_table_find(&table, argv, 2);
    ck_assert_ptr_nonnull(row);
    ck_assert_str_eq(row->name, "get");
    ck_assert_int_eq(row->first_key, 1);
    ck_assert(row->readonly);
    ck_assert_ptr_null(command_table_find(&table, &unknown, 1));
    command_table_deinit(&table);
}
END_TEST

START_TEST(finds_subcommands)
{
    struct command_table table;
    const struct bytes argv[] = {BYTES_LITERAL("OBJECT"), BYTES_LITERAL("Encoding"),
                                 BYTES_LITERAL("k")};
    const struct bytes other[] = {BYTES_LITERAL("OBJECT"), BYTES_LITERAL("HELP")};
    ck_assert_int_eq(read_into(&table, "*2\r\n" CONTAINER PLAIN), TORC_OK);
    ck_assert_int_eq(command_table_find(&table, argv, 3)->first_key, 2);
    ck_assert_int_eq(command_table_find(&table, other, 2)->first_key, 0);
    ck_assert_int_eq(command_table_find(&table, argv, 1)->first_key, 0);
    command_table_deinit(&table);
}
END_TEST

START_TEST(huge_names_are_unknown)
{
    struct command_table table;
    static char name[1000];
    memset(name, 'a', sizeof(name));
    const struct bytes argv[] = {{name, sizeof(name)}, {name, sizeof(name)}};
    const struct bytes object[] = {BYTES_LITERAL("object"), {name, sizeof(name)}};
    ck_assert_int_eq(read_into(&table, "*1\r\n" CONTAINER), TORC_OK);
    ck_assert_ptr_null(command_table_find(&table, argv, 2));
    ck_assert_str_eq(command_table_find(&table, object, 2)->name, "object");
    command_table_deinit(&table);
}
END_TEST

START_TEST(an_empty_table_knows_nothing)
{
    struct command_table table = {0};
    const struct bytes argv = BYTES_LITERAL("get");
    ck_assert_ptr_null(command_table_find(&table, &argv, 1));
}
END_TEST

START_TEST(other_replies_are_refused)
{
    const char *const texts[] = {"+OK\r\n",
                                 "*0\r\n",
                                 "*1\r\n:1\r\n",
                                 "*1\r\n*0\r\n",
                                 "*1\r\n*5\r\n$3\r\nget\r\n:2\r\n*0\r\n:1\r\n:1\r\n",
                                 "*1\r\n*6\r\n:1\r\n:2\r\n*0\r\n:1\r\n:1\r\n:1\r\n",
                                 "*1\r\n*6\r\n$3\r\nget\r\n:2\r\n*0\r\n+1\r\n:1\r\n:1\r\n",
                                 "*1\r\n*6\r\n$3\r\nget\r\n:2\r\n*0\r\n:-1\r\n:1\r\n:1\r\n",
                                 "*1\r\n*6\r\n$3\r\nget\r\n:2\r\n*0\r\n:1\r\n:1\r\n:0\r\n",
                                 "*1\r\n*6\r\n$3\r\nget\r\n:2\r\n*0\r\n:9999999999\r\n:1\r\n:1\r\n",
                                 "*1\r\n*6\r\n$0\r\n\r\n:2\r\n*0\r\n:1\r\n:1\r\n:1\r\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct command_table table;
        ck_assert_msg(read_into(&table, texts[i]) == TORC_EPROTOCOL, "took %s", texts[i]);
        ck_assert_ptr_null(table.rows);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("command_table");
    tcase_add_test(tests, finds_whatever_the_case);
    tcase_add_test(tests, finds_subcommands);
    tcase_add_test(tests, huge_names_are_unknown);
    tcase_add_test(tests, an_empty_table_knows_nothing);
    tcase_add_test(tests, other_replies_are_refused);
    Suite *suite = suite_create("client/command_table");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
