#include "support/harness.h"

#include "ring/slot.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static struct harness h;

static void setup(void)
{
    harness_init(&h);
}

static void teardown(void)
{
    harness_deinit(&h);
}

#define KEY_COUNT 2000

static void set_keys(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char key[32];
        int size = snprintf(key, sizeof(key), "key%zu", i);
        struct bytes argv[] = {BYTES_LITERAL("SET"), {key, (size_t)size}, BYTES_LITERAL("v")};
        ck_assert_str_eq(harness_run_arguments(&h, 3, argv), R_OK);
    }
}

/* Counts the keys of a reply from its text `at` on; marks key<n> in `seen`. */
static size_t mark_keys(const char *at, unsigned *seen)
{
    size_t count = 0;
    for (at = strstr(at, "key"); at != NULL; at = strstr(at + 3, "key")) {
        size_t n = strtoul(at + 3, NULL, 10);
        ck_assert_uint_lt(n, KEY_COUNT);
        seen[n]++;
        count++;
    }
    return count;
}

/* One SCAN; its keys are marked. Returns the next cursor. */
static uint64_t scan_once(uint64_t cursor, const char *options, unsigned *seen, size_t *count)
{
    char request[256];
    snprintf(request, sizeof(request), "SCAN %" PRIu64 " %s", cursor, options);
    const char *reply = harness_run(&h, request);
    ck_assert_int_eq(strncmp(reply, "*2\r\n$", 5), 0);
    const char *text = strchr(reply + 5, '\n') + 1;
    const char *keys = strchr(text, '\n') + 1;
    ck_assert_int_eq(keys[0], '*');
    size_t marked = mark_keys(keys, seen);
    ck_assert_uint_eq(strtoul(keys + 1, NULL, 10), marked);
    *count += marked;
    return strtoull(text, NULL, 10);
}

/* A whole SCAN; returns how many calls it took. */
static size_t scan_all(const char *options, unsigned *seen, size_t *count)
{
    uint64_t cursor = 0;
    size_t calls = 0;
    *count = 0;
    memset(seen, 0, KEY_COUNT * sizeof(*seen));
    do {
        cursor = scan_once(cursor, options, seen, count);
        calls++;
        ck_assert_uint_lt(calls, 10 * KEY_COUNT);
    } while (cursor != 0);
    return calls;
}

static void check_whole_scan(const char *options, size_t count_option)
{
    static unsigned seen[KEY_COUNT];
    size_t count;
    size_t calls = scan_all(options, seen, &count);
    ck_assert_uint_eq(count, KEY_COUNT);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        ck_assert_msg(seen[i] == 1, "key%zu was returned %u times with '%s'", i, seen[i], options);
    }
    ck_assert_uint_ge(calls, KEY_COUNT / (2 * count_option));
    ck_assert_uint_le(calls, KEY_COUNT / count_option + 2);
}

START_TEST(every_key_once_over_many_slots)
{
    h.by_slot = true;
    set_keys(KEY_COUNT);
    check_whole_scan("", 10);
    check_whole_scan("COUNT 1", 1);
    check_whole_scan("COUNT 333", 333);
    check_whole_scan("COUNT 100000", 100000);
}
END_TEST

START_TEST(every_key_once_in_one_slot)
{
    set_keys(KEY_COUNT);
    check_whole_scan("", 10);
    check_whole_scan("count 50", 50);
}
END_TEST

START_TEST(match_and_type)
{
    static unsigned seen[KEY_COUNT];
    size_t count;
    h.by_slot = true;
    set_keys(KEY_COUNT);
    scan_all("MATCH key1?3 COUNT 100", seen, &count);
    ck_assert_uint_eq(count, 10);
    ck_assert_uint_eq(seen[123], 1);
    scan_all("MATCH * TYPE STRING COUNT 1000", seen, &count);
    ck_assert_uint_eq(count, KEY_COUNT);
    scan_all("TYPE hash COUNT 1000", seen, &count);
    ck_assert_uint_eq(count, 0);
    scan_all("MATCH KEY* COUNT 1000", seen, &count);
    ck_assert_uint_eq(count, 0);
}
END_TEST

START_TEST(keys_that_stay_are_found_while_others_come_and_go)
{
    static unsigned seen[KEY_COUNT];
    size_t count = 0;
    set_keys(100);
    uint64_t cursor = 0;
    size_t extra = 100;
    do {
        cursor = scan_once(cursor, "COUNT 5", seen, &count);
        for (size_t i = 0; i < 50 && extra < KEY_COUNT; i++, extra++) {
            char key[32];
            int size = snprintf(key, sizeof(key), "key%zu", extra);
            struct bytes argv[] = {BYTES_LITERAL("SET"), {key, (size_t)size}, BYTES_LITERAL("")};
            harness_run_arguments(&h, 3, argv);
        }
    } while (cursor != 0);
    for (size_t i = 0; i < 100; i++) {
        ck_assert_uint_ge(seen[i], 1);
    }
}
END_TEST

START_TEST(only_live_keys_of_served_slots)
{
    static unsigned seen[KEY_COUNT];
    size_t count;
    h.by_slot = true;
    set_keys(50);
    harness_run(&h, "PEXPIRE key7 1");
    h.now_ms += 1;
    harness_unserve(&h.slots[slot_of_key(BYTES_LITERAL("key8"))], COPY_FOLLOWER);
    scan_all("", seen, &count);
    ck_assert_uint_eq(seen[7], 0);
    ck_assert_uint_eq(seen[8], 0);
    ck_assert_uint_eq(seen[9], 1);
}
END_TEST

START_TEST(refusals)
{
    EXPECT(&h, "SCAN x", "-ERR invalid cursor\r\n");
    EXPECT(&h, "SCAN -1", "-ERR invalid cursor\r\n");
    EXPECT(&h, "SCAN 18446744073709551616", "-ERR invalid cursor\r\n");
    EXPECT(&h, "SCAN 0 COUNT", R_SYNTAX);
    EXPECT(&h, "SCAN 0 COUNT 0", R_SYNTAX);
    EXPECT(&h, "SCAN 0 COUNT -1", R_SYNTAX);
    EXPECT(&h, "SCAN 0 COUNT x", R_NOT_INTEGER);
    EXPECT(&h, "SCAN 0 MATCH", R_SYNTAX);
    EXPECT(&h, "SCAN 0 TYPE", R_SYNTAX);
    EXPECT(&h, "SCAN 0 foo bar", R_SYNTAX);
    EXPECT(&h, "SCAN", "-ERR wrong number of arguments for 'scan' command\r\n");
    /* Cursors that nobody has given end, or go on behind their slot. */
    EXPECT(&h, "SCAN 18446744073709551615", "*2\r\n$1\r\n0\r\n*0\r\n");
}
END_TEST

START_TEST(between_nodes)
{
    EXPECT(&h, "torc.scan 0 0 10", "*2\r\n:16384\r\n:0\r\n");
    h.by_slot = true;
    harness_run(&h, "SET foo 1"); /* slot 12182 */
    harness_run(&h, "SET bar 1"); /* slot 5061 */
    harness_run(&h, "SET {bar}2 1");
    EXPECT(&h, "torc.scan 0 0 10 MATCH bar", "*4\r\n:16384\r\n:0\r\n:5061\r\n*1\r\n$3\r\nbar\r\n");
    EXPECT(&h, "torc.scan 5062 0 10", "*4\r\n:16384\r\n:0\r\n:12182\r\n*1\r\n$3\r\nfoo\r\n");
    EXPECT(&h, "torc.scan 0 0 2 MATCH bar", "*4\r\n:5062\r\n:0\r\n:5061\r\n*1\r\n$3\r\nbar\r\n");
    EXPECT(&h, "torc.scan 0 0 10 MATCH [fb]??",
           "*6\r\n:16384\r\n:0\r\n:5061\r\n*1\r\n$3\r\nbar\r\n:12182\r\n*1\r\n$3\r\nfoo\r\n");
    EXPECT(&h, "torc.scan 0 0 10 TYPE list", "*2\r\n:16384\r\n:0\r\n");
    EXPECT(&h, "torc.scan 16384 0 10", R_SYNTAX);
    EXPECT(&h, "torc.scan -1 0 10", R_SYNTAX);
    EXPECT(&h, "torc.scan 0 281474976710656 10", R_SYNTAX);
    EXPECT(&h, "torc.scan 0 0 0", R_SYNTAX);
    EXPECT(&h, "torc.scan 0 x 1", R_NOT_INTEGER);
}
END_TEST

START_TEST(what_earlier_slots_gave_counts)
{
    h.by_slot = true;
    harness_run(&h, "MSET {bar}1 v {bar}2 v");          /* slot 5061 */
    harness_run(&h, "MSET {foo}1 v {foo}2 v {foo}3 v"); /* slot 12182 */
    const char *reply = harness_run(&h, "torc.scan 0 0 3");
    ck_assert_int_eq(strncmp(reply, "*6\r\n:12182\r\n:", 13), 0);
    const char *foo = strstr(reply, ":12182\r\n*");
    ck_assert_ptr_nonnull(foo);
    ck_assert_int_eq(strncmp(foo, ":12182\r\n*1\r\n", 12), 0);
}
END_TEST

START_TEST(between_nodes_within_a_slot)
{
    static unsigned seen[KEY_COUNT];
    set_keys(KEY_COUNT);
    uint64_t place = 0;
    size_t slot = 0;
    size_t count = 0;
    while (slot == 0) {
        char request[64];
        snprintf(request, sizeof(request), "torc.scan 0 %" PRIu64 " 100", place);
        const char *reply = harness_run(&h, request);
        ck_assert_int_eq(strncmp(reply, "*4\r\n:", 5), 0);
        slot = strtoul(reply + 5, NULL, 10);
        const char *second = strchr(reply + 5, ':');
        place = strtoull(second + 1, NULL, 10);
        count += mark_keys(second, seen);
    }
    ck_assert_uint_eq(count, KEY_COUNT);
    ck_assert_uint_eq(place, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands/scan");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, every_key_once_over_many_slots);
    tcase_add_test(tests, every_key_once_in_one_slot);
    tcase_add_test(tests, match_and_type);
    tcase_add_test(tests, keys_that_stay_are_found_while_others_come_and_go);
    tcase_add_test(tests, only_live_keys_of_served_slots);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, between_nodes);
    tcase_add_test(tests, what_earlier_slots_gave_counts);
    tcase_add_test(tests, between_nodes_within_a_slot);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
