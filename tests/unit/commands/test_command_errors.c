#include "support/harness.h"

#include <check.h>

static struct harness h;

static void setup(void)
{
    harness_init(&h);
}

static void teardown(void)
{
    harness_deinit(&h);
}

START_TEST(unknown_commands)
{
    EXPECT(&h, "foo", "-ERR unknown command 'foo', with args beginning with: \r\n");
    EXPECT(&h, "FOO a b", "-ERR unknown command 'FOO', with args beginning with: 'a' 'b' \r\n");
    EXPECT(&h, "\"\" x", "-ERR unknown command '', with args beginning with: 'x' \r\n");
    EXPECT(&h, "multi", "-ERR unknown command 'multi', with args beginning with: \r\n");
    EXPECT(&h,
           "foo "
           "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
           "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
           "xxxxxxxxxxxxxxxxxxxxxxxxxx y",
           "-ERR unknown command 'foo', with args beginning with: "
           "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
           "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' \r\n");
    EXPECT(&h,
           "foo "
           "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
           "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx yyyyyyyyyyy z",
           "-ERR unknown command 'foo', with args beginning with: "
           "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
           "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' 'yyyyy' \r\n");
    EXPECT(&h,
           "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
           "fffffffffffffffffffffffffffffffffffffffffffffffffffff",
           "-ERR unknown command "
           "'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
           "ffffffffffffffffffffffffffffffffffffffffff', with args beginning with: \r\n");
    EXPECT(&h, "\"a\\r\\nb\" \"c\\nd\"",
           "-ERR unknown command 'a  b', with args beginning with: 'c d' \r\n");
    EXPECT(&h, "foo \"a\\x00b\"", "-ERR unknown command 'foo', with args beginning with: 'a' \r\n");
}
END_TEST

START_TEST(unknown_subcommands)
{
    EXPECT(&h, "OBJECT foo", "-ERR unknown subcommand 'foo'. Try OBJECT HELP.\r\n");
    EXPECT(&h,
           "cluster "
           "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
           "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
           "-ERR unknown subcommand "
           "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
           "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'. Try CLUSTER HELP.\r\n");
    EXPECT(&h, "client \"\"", "-ERR unknown subcommand ''. Try CLIENT HELP.\r\n");
}
END_TEST

START_TEST(wrong_arity)
{
    EXPECT(&h, "GET", "-ERR wrong number of arguments for 'get' command\r\n");
    EXPECT(&h, "gEt a b", "-ERR wrong number of arguments for 'get' command\r\n");
    EXPECT(&h, "OBJECT", "-ERR wrong number of arguments for 'object' command\r\n");
    EXPECT(&h, "OBJECT ENCODING a b",
           "-ERR wrong number of arguments for 'object|encoding' command\r\n");
    EXPECT(&h, "CLIENT KILL", "-ERR wrong number of arguments for 'client|kill' command\r\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands/command_errors");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, unknown_commands);
    tcase_add_test(tests, unknown_subcommands);
    tcase_add_test(tests, wrong_arity);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
