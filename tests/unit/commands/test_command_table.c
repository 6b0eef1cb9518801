#include "support/harness.h"

#include "node/command_table.h"

#include <check.h>
#include <ctype.h>

static struct harness h;

static void setup(void)
{
    harness_init(&h);
}

static void teardown(void)
{
    harness_deinit(&h);
}

static void check_command(const struct command *command)
{
    size_t size = strlen(command->name);
    for (size_t i = 0; i < size; i++) {
        ck_assert_int_eq(command->name[i], tolower((unsigned char)command->name[i]));
    }
    ck_assert_int_ne(command->arity, 0);
    ck_assert_ptr_nonnull(command->summary);
    ck_assert_ptr_nonnull(command->since);
    ck_assert_ptr_nonnull(command->complexity);
    ck_assert_msg(command->handler != NULL || command->subcommands != NULL, "%s", command->name);
    bool keyed = command->route == ROUTE_SLOT || command->route == ROUTE_SPLIT_ARRAY ||
                 command->route == ROUTE_SPLIT_SUM || command->route == ROUTE_SPLIT_OK;
    ck_assert_msg(keyed == (command->first_key > 0), "%s", command->name);
    ck_assert_msg(keyed == (command->key_step > 0), "%s", command->name);
    ck_assert_msg(!keyed || ((command->flags & (COMMAND_WRITE | COMMAND_READONLY)) != 0),
                  "%s neither reads nor writes its keys", command->name);
    ck_assert_msg((command->flags & COMMAND_WRITE) == 0 || (command->flags & COMMAND_READONLY) == 0,
                  "%s", command->name);
    ck_assert_msg((command->flags & COMMAND_DENYOOM) == 0 || (command->flags & COMMAND_WRITE) != 0,
                  "%s", command->name);
}

START_TEST(every_row_is_whole)
{
    for (size_t i = 0; i < command_table_count(h.commands); i++) {
        const struct command *command = command_table_at(h.commands, i);
        check_command(command);
        for (const struct command *sub = command->subcommands; sub != NULL && sub->name != NULL;
             sub++) {
            check_command(sub);
            ck_assert_ptr_nonnull(sub->handler);
            ck_assert_int_eq(strncmp(sub->name, command->name, strlen(command->name)), 0);
            ck_assert_int_eq(sub->name[strlen(command->name)], '|');
        }
    }
    ck_assert_uint_gt(command_table_count(h.commands), 60);
}
END_TEST

START_TEST(found_in_any_case)
{
    for (size_t i = 0; i < command_table_count(h.commands); i++) {
        const struct command *command = command_table_at(h.commands, i);
        char name[64];
        size_t size = strlen(command->name);
        ck_assert_uint_lt(size, sizeof(name));
        for (unsigned pattern = 0; pattern < 3; pattern++) {
            for (size_t at = 0; at < size; at++) {
                bool up = pattern == 1 || (pattern == 2 && at % 2 == 0);
                name[at] =
                    (char)(up ? toupper((unsigned char)command->name[at]) : command->name[at]);
            }
            ck_assert_ptr_eq(command_find(h.commands, (struct bytes){name, size}), command);
        }
        ck_assert(command_find(h.commands, (struct bytes){name, size - 1}) != command);
    }
}
END_TEST

/* Of all changes of one byte of a name only that of a letter's case is the same name. */
START_TEST(a_byte_makes_another_name)
{
    for (size_t i = 0; i < command_table_count(h.commands); i++) {
        const struct command *command = command_table_at(h.commands, i);
        char name[64];
        size_t size = strlen(command->name);
        for (size_t at = 0; at < size; at++) {
            for (int byte = 0; byte < 256; byte++) {
                memcpy(name, command->name, size);
                name[at] = (char)byte;
                bool same = byte < 128 && tolower(byte) == command->name[at];
                bool found = command_find(h.commands, (struct bytes){name, size}) == command;
                if (found != same) { /* Check's own assertion takes a system call each time */
                    ck_abort_msg("%s with byte %d", command->name, byte);
                }
            }
        }
    }
}
END_TEST

START_TEST(others_are_not_found)
{
    /* Bytes that differ from letters by the case bit alone hash alike and must still differ. */
    const char *names[] = {"",
                           "g",
                           "ge",
                           "gett",
                           "g\x05t",
                           "\x07\x45\x54",
                           "getdex",
                           "foo",
                           "torc",
                           "torc\x0escan",
                           "a-much-longer-name-than-any-command-has"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ck_assert_msg(command_find(h.commands, bytes_of(names[i])) == NULL, "%s", names[i]);
    }
}
END_TEST

static const struct command *resolve(const char *name, const char *sub)
{
    struct bytes argv[] = {bytes_of(name), bytes_of(sub)};
    const struct command *command = command_find(h.commands, argv[0]);
    ck_assert_ptr_nonnull(command);
    return command_resolve(command, argv, sub[0] == '\0' ? 1 : 2);
}

START_TEST(subcommands)
{
    ck_assert_str_eq(resolve("client", "LIST")->name, "client|list");
    ck_assert_str_eq(resolve("CLIENT", "no-Evict")->name, "client|no-evict");
    ck_assert_str_eq(resolve("get", "x")->name, "get");
    ck_assert_str_eq(resolve("command", "")->name, "command");
    ck_assert_str_eq(resolve("command", "count")->name, "command|count");
    ck_assert_ptr_null(resolve("client", ""));
    ck_assert_ptr_null(resolve("client", "lis"));
    ck_assert_ptr_null(resolve("client", "list2"));
}
END_TEST

static size_t keys_end(const char *name, size_t argc)
{
    static const struct bytes argv[8];
    return command_keys_end(command_find(h.commands, bytes_of(name)), argv, argc);
}

/* Of "lmpop COUNT key key key left". */
static size_t counted_keys_end(const char *count, size_t argc)
{
    const struct bytes argv[] = {bytes_of("lmpop"), bytes_of(count), bytes_of("a"),
                                 bytes_of("b"),     bytes_of("c"),   bytes_of("left")};
    return command_keys_end(command_find(h.commands, argv[0]), argv, argc);
}

/* Keys of "zinterstore target COUNT a b c weights ..." as letters. */
static void expect_target_keys(const char *count, size_t argc, const char *letters)
{
    const struct bytes argv[] = {bytes_of("zinterstore"), bytes_of("t"), bytes_of(count),
                                 bytes_of("a"),           bytes_of("b"), bytes_of("c"),
                                 bytes_of("weights")};
    const struct command *command = command_find(h.commands, argv[0]);
    size_t end = command_keys_end(command, argv, argc);
    char found[8] = "";
    for (size_t i = 1; i < end; i = command_key_next(command, i)) {
        strncat(found, argv[i].data, 1);
    }
    ck_assert_str_eq(found, letters);
}

START_TEST(keys_behind_a_target)
{
    expect_target_keys("1", 7, "ta");
    expect_target_keys("3", 7, "tabc");
    expect_target_keys("3", 6, "tabc");
    expect_target_keys("0", 7, "ta");
    expect_target_keys("9", 7, "ta");
    expect_target_keys("x", 7, "ta");
    const struct command *mset = command_find(h.commands, bytes_of("mset"));
    ck_assert_uint_eq(command_key_next(mset, 1), 3);
}
END_TEST

START_TEST(key_positions)
{
    ck_assert_uint_eq(keys_end("ping", 1), 0);
    ck_assert_uint_eq(keys_end("get", 2), 2);
    ck_assert_uint_eq(keys_end("set", 7), 2);
    ck_assert_uint_eq(keys_end("mget", 5), 5);
    ck_assert_uint_eq(keys_end("mset", 5), 4);
    ck_assert_uint_eq(keys_end("mset", 3), 2);
    ck_assert_uint_eq(keys_end("copy", 4), 3);
    ck_assert_uint_eq(keys_end("get", 1), 0);
    ck_assert_uint_eq(keys_end("mget", 1), 0);
    ck_assert_uint_eq(command_keys_end(resolve("object", "encoding"), NULL, 3), 3);
    ck_assert_uint_eq(counted_keys_end("1", 6), 3);
    ck_assert_uint_eq(counted_keys_end("3", 6), 5);
    ck_assert_uint_eq(counted_keys_end("4", 6), 6);
    ck_assert_uint_eq(counted_keys_end("1", 2), 0);
    static const char *const none[] = {"5", "0", "-1", "x", "", "9223372036854775807"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        ck_assert_uint_eq(counted_keys_end(none[i], 6), 3);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands/command_table");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, every_row_is_whole);
    tcase_add_test(tests, found_in_any_case);
    tcase_add_test(tests, a_byte_makes_another_name);
    tcase_add_test(tests, others_are_not_found);
    tcase_add_test(tests, subcommands);
    tcase_add_test(tests, key_positions);
    tcase_add_test(tests, keys_behind_a_target);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
