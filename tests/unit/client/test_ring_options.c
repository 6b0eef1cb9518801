#include "base/error.h"
#include "client/ring/options.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct ring_options options;
static char error[RING_ERROR_SIZE];
static char words[16][64];
static char *argv[17];

/* Parses "torc-ring" and what follows, up to NULL. */
static int parse(const char *const *arguments)
{
    int argc = 1;
    (void)snprintf(words[0], sizeof(words[0]), "torc-ring");
    argv[0] = words[0];
    for (; arguments[argc - 1] != NULL; argc++) {
        (void)snprintf(words[argc], sizeof(words[argc]), "%s", arguments[argc - 1]);
        argv[argc] = words[argc];
    }
    argv[argc] = NULL;
    error[0] = '\0';
    return ring_options_parse(&options, argc, argv, error);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void refuse(const char *const *arguments, const char *named)
{
    ck_assert_int_eq(parse(arguments), TORC_EINVAL);
    ck_assert_msg(strstr(error, named) != NULL, "'%s' does not name '%s'", error, named);
}

#define REFUSE(named, ...) refuse((const char *const[]){__VA_ARGS__, NULL}, named)

START_TEST(status)
{
    ck_assert_int_eq(PARSE("-s", "a:1", "status"), TORC_OK);
    ck_assert_int_eq(options.verb, RING_STATUS);
    ck_assert_str_eq(options.seeds, "a:1");
    ck_assert(!options.json);
}
END_TEST

START_TEST(options_may_follow_the_verb)
{
    ck_assert_int_eq(PARSE("status", "--json", "--server=a:1"), TORC_OK);
    ck_assert_str_eq(options.seeds, "a:1");
    ck_assert(options.json);
}
END_TEST

START_TEST(slots)
{
    ck_assert_int_eq(PARSE("-s", "a:1", "slots", "one", "two", "--json"), TORC_OK);
    ck_assert_int_eq(options.verb, RING_SLOTS);
    ck_assert_int_eq(options.key_count, 2);
    ck_assert_str_eq(options.keys[0], "one");
    ck_assert_str_eq(options.keys[1], "two");
    ck_assert(options.json);
}
END_TEST

START_TEST(keys_that_look_like_options)
{
    ck_assert_int_eq(PARSE("-s", "a:1", "slots", "--", "--json", "-s"), TORC_OK);
    ck_assert_int_eq(options.key_count, 2);
    ck_assert_str_eq(options.keys[1], "-s");
    ck_assert(!options.json);
}
END_TEST

START_TEST(help_and_version_need_nothing_else)
{
    ck_assert_int_eq(PARSE("--help"), TORC_OK);
    ck_assert(options.help);
    ck_assert_int_eq(PARSE("-h", "--nonsense"), TORC_OK);
    ck_assert(options.help);
    ck_assert_int_eq(PARSE("--version"), TORC_OK);
    ck_assert(options.version);
}
END_TEST

START_TEST(errors_name_what_is_wrong_and_what_is_accepted)
{
    REFUSE("a verb is missing; accepted: status, slots, plan", "-s", "a:1");
    REFUSE("unknown verb 'move'; accepted: status, slots", "-s", "a:1", "move", "x");
    REFUSE("unknown verb 'Status'", "-s", "a:1", "Status");
    REFUSE("-s is missing", "status");
    REFUSE("-s: a value is missing", "status", "-s");
    REFUSE("--server: a value is missing", "status", "--server");
    REFUSE("unknown option '--colour'; accepted: -s HOST:PORT", "status", "--colour");
    REFUSE("unknown option '-x'", "-x", "status");
    REFUSE("--json=1: takes no value", "--json=1", "status");
    REFUSE("unexpected argument 'now'", "-s", "a:1", "status", "now");
    REFUSE("slots: a key is missing", "-s", "a:1", "slots");
}
END_TEST

START_TEST(changes)
{
    ck_assert_int_eq(PARSE("-s", "a:1", "add", "beef"), TORC_OK);
    ck_assert_int_eq(options.verb, RING_CHANGE);
    ck_assert_int_eq(options.change.kind, CHANGE_ADD);
    ck_assert_str_eq(options.change.node, "beef");
    ck_assert(!options.change.has_weight);
    ck_assert(!options.yes && !options.watch);
    ck_assert_int_eq(PARSE("-s", "a:1", "add", "beef", "1.5", "--yes", "--watch"), TORC_OK);
    ck_assert(options.change.has_weight);
    ck_assert_uint_eq(options.change.weight, 1500);
    ck_assert(options.yes && options.watch);
    ck_assert_int_eq(PARSE("-s", "a:1", "drain", "a:7001"), TORC_OK);
    ck_assert_int_eq(options.change.kind, CHANGE_DRAIN);
    ck_assert_int_eq(PARSE("-s", "a:1", "remove", "a:7001"), TORC_OK);
    ck_assert_int_eq(options.change.kind, CHANGE_REMOVE);
    ck_assert_int_eq(PARSE("-s", "a:1", "weight", "a:7001", "0"), TORC_OK);
    ck_assert_int_eq(options.change.kind, CHANGE_WEIGHT);
    ck_assert_uint_eq(options.change.weight, 0);
    ck_assert_int_eq(PARSE("-s", "a:1", "rebalance", "--by", "ops"), TORC_OK);
    ck_assert_int_eq(options.change.kind, CHANGE_REBALANCE);
    ck_assert_int_eq(options.change.by, BALANCE_OPS);
    ck_assert_int_eq(PARSE("-s", "a:1", "cancel", "--yes"), TORC_OK);
    ck_assert_int_eq(options.verb, RING_CANCEL);
    ck_assert_int_eq(PARSE("-s", "a:1", "watch"), TORC_OK);
    ck_assert_int_eq(options.verb, RING_WATCH);
    ck_assert_int_eq(PARSE("-s", "a:1", "check", "--json"), TORC_OK);
    ck_assert_int_eq(options.verb, RING_CHECK);
    ck_assert(options.json);
    REFUSE("check: unexpected argument 'all'", "-s", "a:1", "check", "all");
    REFUSE("--yes: only with", "-s", "a:1", "check", "--yes");
}
END_TEST

START_TEST(plan_takes_the_words_of_a_change)
{
    ck_assert_int_eq(PARSE("-s", "a:1", "plan", "weight", "beef", "0.125"), TORC_OK);
    ck_assert_int_eq(options.verb, RING_PLAN);
    ck_assert_int_eq(options.change.kind, CHANGE_WEIGHT);
    ck_assert_uint_eq(options.change.weight, 125);
    ck_assert_int_eq(PARSE("-s", "a:1", "plan", "rebalance", "--by", "bytes"), TORC_OK);
    ck_assert_int_eq(options.change.by, BALANCE_BYTES);
    REFUSE("plan: a change is missing; accepted: add", "-s", "a:1", "plan");
    REFUSE("plan: unknown change 'status'", "-s", "a:1", "plan", "status");
    REFUSE("--yes: only with add", "-s", "a:1", "plan", "drain", "beef", "--yes");
}
END_TEST

START_TEST(weights)
{
    static const struct {
        const char *text;
        uint32_t weight;
    } good[] = {{"0", 0},     {"1", 1000},       {"100", 100000},
                {"0.001", 1}, {"99.999", 99999}, {"2.50", 2500}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_int_eq(PARSE("-s", "a:1", "weight", "beef", good[i].text), TORC_OK);
        ck_assert_uint_eq(options.change.weight, good[i].weight);
    }
    static const char *const bad[] = {"",       "x",   "1x",      "1.",      ".5",
                                      "1.2345", "101", "100.001", "4294968", "99999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        REFUSE("is no weight; accepted: 0 to 100", "-s", "a:1", "weight", "beef", bad[i]);
    }
}
END_TEST

START_TEST(changes_that_are_incomplete)
{
    REFUSE("add: a node is missing; accepted: add NODE [W]", "-s", "a:1", "add");
    REFUSE("weight: a weight is missing; accepted: weight NODE W", "-s", "a:1", "weight", "beef");
    REFUSE("drain: unexpected argument '2'", "-s", "a:1", "drain", "beef", "2");
    REFUSE("rebalance: --by is missing; accepted: --by bytes, ops, slots", "-s", "a:1",
           "rebalance");
    REFUSE("--by: 'keys' is not accepted; accepted: bytes, ops, slots", "-s", "a:1", "rebalance",
           "--by", "keys");
    REFUSE("--by: a value is missing; accepted: bytes, ops, slots", "-s", "a:1", "rebalance",
           "--by");
    REFUSE("--by: only with rebalance", "-s", "a:1", "drain", "beef", "--by", "ops");
    REFUSE("--watch: only with add", "-s", "a:1", "status", "--watch");
    REFUSE("cancel: unexpected argument 'now'", "-s", "a:1", "cancel", "now");
}
END_TEST

START_TEST(help_fits_a_terminal)
{
    size_t column = 0;
    for (const char *c = ring_options_help(); *c != '\0'; c++) {
        column = *c == '\n' ? 0 : column + 1;
        ck_assert_uint_le(column, 80);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("ring_options");
    tcase_add_test(tests, status);
    tcase_add_test(tests, options_may_follow_the_verb);
    tcase_add_test(tests, slots);
    tcase_add_test(tests, keys_that_look_like_options);
    tcase_add_test(tests, help_and_version_need_nothing_else);
    tcase_add_test(tests, errors_name_what_is_wrong_and_what_is_accepted);
    tcase_add_test(tests, changes);
    tcase_add_test(tests, plan_takes_the_words_of_a_change);
    tcase_add_test(tests, weights);
    tcase_add_test(tests, changes_that_are_incomplete);
    tcase_add_test(tests, help_fits_a_terminal);
    Suite *suite = suite_create("client/ring_options");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
