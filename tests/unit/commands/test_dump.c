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

/* The bulk of the last reply, copied out of the way of the next run. */
static struct bytes reply_copy(struct buf *copy)
{
    const char *reply = buf_head(&h.reply);
    const char *end = strstr(reply, "\r\n");
    ck_assert_int_eq(reply[0], '$');
    ck_assert_ptr_nonnull(end);
    size_t header = (size_t)(end - reply) + 2;
    buf_append(copy, reply + header, buf_size(&h.reply) - 1 - header - 2);
    return buf_bytes(copy);
}

static const char *restore(const char *key, const char *ttl, struct bytes dump, const char *first,
                           const char *second)
{
    struct bytes argv[] = {BYTES_LITERAL("RESTORE"), bytes_of(key),   bytes_of(ttl), dump,
                           bytes_of(first),          bytes_of(second)};
    size_t argc = 4u + (first[0] != '\0') + (second[0] != '\0');
    return harness_run_arguments(&h, argc, argv);
}

START_TEST(restored_is_what_was_dumped)
{
    struct buf copy = {0};
    EXPECT(&h, "DUMP a", R_NULL);
    EXPECT_EFFECT(&h, "SET a hello", R_OK, "SET a hello");
    harness_run(&h, "DUMP a");
    struct bytes dump = reply_copy(&copy);
    ck_assert_str_eq(restore("b", "0", dump, "", ""), R_OK);
    struct buf effect = {0};
    buf_append_text(&effect, "RESTORE b 0 ");
    buf_append(&effect, dump.data, dump.size);
    buf_append(&effect, " ABSTTL REPLACE", 16);
    harness_effects(&h);
    ck_assert_uint_eq(buf_size(&h.text), buf_size(&effect));
    ck_assert_mem_eq(buf_head(&h.text), buf_head(&effect), buf_size(&effect));
    EXPECT(&h, "GET b", "$5\r\nhello\r\n");
    EXPECT(&h, "TTL b", ":-1\r\n");
    ck_assert_str_eq(restore("b", "0", dump, "", ""),
                     "-BUSYKEY Target key name already exists.\r\n");
    ck_assert_uint_eq(h.call.changes, 0);
    ck_assert_str_eq(restore("a", "250", dump, "replace", ""), R_OK);
    EXPECT(&h, "PTTL a", ":250\r\n");
    ck_assert_str_eq(restore("a", "1700000000007", dump, "REPLACE", "ABSTTL"), R_OK);
    EXPECT(&h, "PTTL a", ":7\r\n");
    buf_deinit(&copy);
    buf_deinit(&effect);
}
END_TEST

START_TEST(what_is_over_at_once_only_replaces)
{
    struct buf copy = {0};
    EXPECT_EFFECT(&h, "SET a hello", R_OK, "SET a hello");
    harness_run(&h, "DUMP a");
    struct bytes dump = reply_copy(&copy);
    ck_assert_str_eq(restore("a", "5", dump, "REPLACE", "ABSTTL"), R_OK);
    ck_assert_str_eq(harness_effects(&h), "DEL a");
    EXPECT(&h, "EXISTS a", ":0\r\n");
    buf_deinit(&copy);
}
END_TEST

START_TEST(an_expired_key_is_not_busy)
{
    struct buf copy = {0};
    EXPECT_EFFECT(&h, "SET a hello", R_OK, "SET a hello");
    harness_run(&h, "DUMP a");
    struct bytes dump = reply_copy(&copy);
    EXPECT_EFFECT(&h, "PEXPIRE a 1", ":1\r\n", "PEXPIREAT a 1700000000001");
    h.now_ms += 1;
    ck_assert_str_eq(restore("a", "0", dump, "", ""), R_OK);
    ck_assert_uint_eq(h.call.changes, 2);
    EXPECT(&h, "TTL a", ":-1\r\n");
    buf_deinit(&copy);
}
END_TEST

START_TEST(damaged_dumps_are_refused)
{
    struct buf copy = {0};
    EXPECT_EFFECT(&h, "SET a hello", R_OK, "SET a hello");
    harness_run(&h, "DUMP a");
    struct bytes dump = reply_copy(&copy);
    for (size_t i = 0; i < dump.size; i++) {
        buf_head(&copy)[i] ^= 0x10;
        ck_assert_str_eq(restore("a", "0", dump, "REPLACE", ""),
                         "-ERR DUMP payload version or checksum are wrong\r\n");
        ck_assert_uint_eq(h.call.changes, 0);
        buf_head(&copy)[i] ^= 0x10;
    }
    EXPECT(&h, "GET a", "$5\r\nhello\r\n");
    EXPECT(&h, "RESTORE b 0 \"\"", "-ERR DUMP payload version or checksum are wrong\r\n");
    buf_deinit(&copy);
}
END_TEST

START_TEST(options)
{
    struct buf copy = {0};
    EXPECT_EFFECT(&h, "SET a hello", R_OK, "SET a hello");
    harness_run(&h, "DUMP a");
    struct bytes dump = reply_copy(&copy);
    ck_assert_str_eq(restore("b", "0", dump, "IDLETIME", "5"), R_OK);
    EXPECT(&h, "OBJECT IDLETIME b", ":5\r\n");
    store_set_eviction(h.store, EVICTION_LFU, true);
    ck_assert_str_eq(restore("f", "0", dump, "FREQ", "77"), R_OK);
    EXPECT(&h, "OBJECT FREQ f", ":77\r\n");
    store_set_eviction(h.store, EVICTION_LRU, false);
    ck_assert_str_eq(restore("c", "0", dump, "FREQ", "255"), R_OK);
    EXPECT(&h, "RESTORE d 0 x IDLETIME -1", "-ERR Invalid IDLETIME value, must be >= 0\r\n");
    EXPECT(&h, "RESTORE d 0 x FREQ 256", "-ERR Invalid FREQ value, must be >= 0 and <= 255\r\n");
    EXPECT(&h, "RESTORE d 0 x FREQ -1", "-ERR Invalid FREQ value, must be >= 0 and <= 255\r\n");
    EXPECT(&h, "RESTORE d 0 x FREQ x", R_NOT_INTEGER);
    EXPECT(&h, "RESTORE d 0 x FREQ 1 IDLETIME 1", R_SYNTAX);
    EXPECT(&h, "RESTORE d 0 x IDLETIME", R_SYNTAX);
    EXPECT(&h, "RESTORE d 0 x foo", R_SYNTAX);
    EXPECT(&h, "RESTORE d -1 x", "-ERR Invalid TTL value, must be >= 0\r\n");
    EXPECT(&h, "RESTORE d x x", R_NOT_INTEGER);
    EXPECT(&h, "RESTORE d 9223372036854775807 x",
           "-ERR invalid expire time in 'restore' command\r\n");
    EXPECT(&h, "RESTORE d 0", "-ERR wrong number of arguments for 'restore' command\r\n");
    EXPECT(&h, "EXISTS d", ":0\r\n");
    buf_deinit(&copy);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands/dump");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, restored_is_what_was_dumped);
    tcase_add_test(tests, what_is_over_at_once_only_replaces);
    tcase_add_test(tests, an_expired_key_is_not_busy);
    tcase_add_test(tests, damaged_dumps_are_refused);
    tcase_add_test(tests, options);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
