#include "base/error.h"
#include "client/request.h"
#include "ring/slot.h"
#include "tests/unit/client/support/made.h"
#include "torc/torc.h"

#include <check.h>
#include <stdio.h>

static struct command_table table;

#define ROW(name, flag, first, last, step)                                                         \
    "*6\r\n" name ":-2\r\n*1\r\n+" flag "\r\n:" first "\r\n:" last "\r\n:" step "\r\n"

static void load_table(void)
{
    redisReply *reply = made_reply("*6\r\n" ROW("$3\r\nget\r\n", "readonly", "1", "1", "1") ROW(
        "$4\r\nmset\r\n", "write", "1", "-1", "2") ROW("$4\r\nmget\r\n", "readonly", "1", "-1", "1")
                                       ROW("$6\r\ndbsize\r\n", "readonly", "0", "0", "0")
                                           ROW("$4\r\neval\r\n", "movablekeys", "2", "3", "1")
                                               ROW("$4\r\nodd1\r\n", "write", "1", "-2", "1"));
    ck_assert_int_eq(command_table_read(&table, reply), TORC_OK);
    torc_reply_free(reply);
}

static struct request_route route_of(const char *line)
{
    struct bytes argv[8];
    size_t argc = 0;
    for (struct bytes rest = bytes_of(line); rest.size > 0; argc++) {
        const char *blank = memchr(rest.data, ' ', rest.size);
        argv[argc] =
            (struct bytes){rest.data, blank == NULL ? rest.size : (size_t)(blank - rest.data)};
        size_t size = argv[argc].size + (blank == NULL ? 0 : 1);
        rest = (struct bytes){rest.data + size, rest.size - size};
    }
    return request_route(&table, argv, argc);
}

START_TEST(one_key)
{
    load_table();
    ck_assert_uint_eq(route_of("GET foo").slot, 12182);
    ck_assert(route_of("get foo").readonly);
    ck_assert(!route_of("MSET foo x").readonly);
    command_table_deinit(&table);
}
END_TEST

START_TEST(several_keys_of_one_slot)
{
    load_table();
    uint16_t slot = slot_of_key(BYTES_LITERAL("t"));
    ck_assert_uint_eq(route_of("MGET {t}1 {t}2 {t}3").slot, slot);
    ck_assert_uint_eq(route_of("MSET {t}1 a {t}2 b").slot, slot);
    /* With every second argument a value, those do not count. */
    ck_assert_uint_eq(route_of("MSET {t}1 x {t}2 y").slot, slot);
    ck_assert_uint_eq(route_of("ODD1 {t}1 {t}2 foo").slot, slot);
    command_table_deinit(&table);
}
END_TEST

START_TEST(what_any_node_serves)
{
    load_table();
    ck_assert_uint_eq(route_of("MGET foo bar").slot, REQUEST_NO_SLOT);
    ck_assert_uint_eq(route_of("MSET foo 1 bar 2").slot, REQUEST_NO_SLOT);
    ck_assert_uint_eq(route_of("DBSIZE").slot, REQUEST_NO_SLOT);
    ck_assert_uint_eq(route_of("GET").slot, REQUEST_NO_SLOT);
    ck_assert_uint_eq(route_of("EVAL x 1 foo").slot, REQUEST_NO_SLOT);
    ck_assert_uint_eq(route_of("NOSUCH foo").slot, REQUEST_NO_SLOT);
    ck_assert(!route_of("NOSUCH foo").readonly);
    ck_assert(route_of("MGET foo bar").readonly);
    command_table_deinit(&table);
}
END_TEST

START_TEST(encodes_and_splits)
{
    const struct bytes argv[] = {BYTES_LITERAL("SET"), BYTES_LITERAL("a\r\n\0b"), {NULL, 0}};
    const struct bytes wanted = BYTES_LITERAL("*3\r\n$3\r\nSET\r\n$5\r\na\r\n\0b\r\n$0\r\n\r\n");
    char out[64];
    struct arguments arguments = {0};
    ck_assert_uint_eq(request_size(argv, 3), wanted.size);
    request_write(out, argv, 3);
    ck_assert(bytes_equal((struct bytes){out, wanted.size}, wanted));
    ck_assert_int_eq(request_split(&arguments, wanted), TORC_OK);
    ck_assert_uint_eq(arguments.count, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert(bytes_equal(arguments.items[i], argv[i]));
    }
    arguments_deinit(&arguments);
}
END_TEST

START_TEST(splits_nothing_but_requests)
{
    const char *const texts[] = {"",
                                 "*",
                                 "*1",
                                 "*1\r\n",
                                 "*1\r\n$1\r\n",
                                 "*1\r\n$1\r\na",
                                 "*1\r\n$1\r\nab\r\n",
                                 "*1\r\n$2\r\na\r\n",
                                 "*1\r\n$1\r\na\r\nx",
                                 "*x\r\n",
                                 "*-1\r\n",
                                 "+OK\r\n",
                                 "*1\r\n:1\r\n",
                                 "*1\r\n$99999999999999999999\r\na\r\n"};
    struct arguments arguments = {0};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ck_assert_msg(request_split(&arguments, bytes_of(texts[i])) == TORC_ECORRUPT, "took %s",
                      texts[i]);
    }
    char large[32];
    (void)snprintf(large, sizeof(large), "*%u\r\n", REQUEST_ARGUMENTS_MAX + 1u);
    ck_assert_int_eq(request_split(&arguments, bytes_of(large)), TORC_ETOOBIG);
    arguments_deinit(&arguments);
}
END_TEST

START_TEST(checks)
{
    const struct bytes large = {"", REQUEST_BULK_SIZE_MAX + 1u};
    const struct bytes argv[] = {BYTES_LITERAL("SET"), large};
    const struct bytes none = {NULL, 0};
    ck_assert_int_eq(request_check(argv, 1), TORC_OK);
    ck_assert_int_eq(request_check(argv, 0), TORC_EINVAL);
    ck_assert_int_eq(request_check(&none, 1), TORC_EINVAL);
    ck_assert_int_eq(request_check(argv, 2), TORC_ETOOBIG);
    ck_assert_int_eq(request_check(argv, (size_t)REQUEST_ARGUMENTS_MAX + 1), TORC_ETOOBIG);
}
END_TEST

START_TEST(connection_bound)
{
    const struct bytes subscribe[] = {BYTES_LITERAL("SubScribe"), BYTES_LITERAL("x")};
    const struct bytes reply[] = {BYTES_LITERAL("client"), BYTES_LITERAL("REPLY")};
    const struct bytes list[] = {BYTES_LITERAL("client"), BYTES_LITERAL("LIST")};
    const struct bytes get[] = {BYTES_LITERAL("GET"), BYTES_LITERAL("subscribe")};
    ck_assert(request_is_connection_bound(subscribe, 2));
    ck_assert(request_is_connection_bound(reply, 2));
    ck_assert(!request_is_connection_bound(reply, 1));
    ck_assert(!request_is_connection_bound(list, 2));
    ck_assert(!request_is_connection_bound(get, 2));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("request");
    tcase_add_test(tests, one_key);
    tcase_add_test(tests, several_keys_of_one_slot);
    tcase_add_test(tests, what_any_node_serves);
    tcase_add_test(tests, encodes_and_splits);
    tcase_add_test(tests, splits_nothing_but_requests);
    tcase_add_test(tests, checks);
    tcase_add_test(tests, connection_bound);
    Suite *suite = suite_create("client/request");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
