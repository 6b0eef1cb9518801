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

START_TEST(what_is_known_of_use_depends_on_the_policy)
{
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    store_set_eviction(h.store, EVICTION_S3FIFO, true);
    ck_assert_ptr_nonnull(strstr(harness_run(&h, "OBJECT IDLETIME a"), "idle time not tracked"));
    ck_assert_ptr_nonnull(strstr(harness_run(&h, "OBJECT FREQ a"), "frequency not tracked"));
    store_set_eviction(h.store, EVICTION_LFU, true);
    EXPECT_EFFECT(&h, "SET b 1", R_OK, "SET b 1");
    EXPECT(&h, "OBJECT FREQ b", ":5\r\n");
    ck_assert_ptr_nonnull(strstr(harness_run(&h, "OBJECT IDLETIME b"), "idle time not tracked"));
    store_set_eviction(h.store, EVICTION_LFU, false);
    EXPECT(&h, "GET b", "$1\r\n1\r\n");
    EXPECT(&h, "OBJECT IDLETIME b", ":0\r\n");
}
END_TEST

START_TEST(del_and_unlink)
{
    EXPECT_EFFECT(&h, "MSET a 1 b 2 c 3", R_OK, "MSET a 1 b 2 c 3");
    EXPECT_EFFECT(&h, "DEL a a x b", ":2\r\n", "DEL a a x b");
    EXPECT(&h, "DEL a", ":0\r\n");
    EXPECT_EFFECT(&h, "UNLINK c x", ":1\r\n", "UNLINK c x");
    EXPECT(&h, "UNLINK c", ":0\r\n");
    EXPECT_EFFECT(&h, "SET a 1 PX 1", R_OK, "SET a 1 PXAT 1700000000001");
    h.now_ms += 1;
    EXPECT_EFFECT(&h, "DEL a", ":0\r\n", "DEL a");
    EXPECT(&h, "DEL", "-ERR wrong number of arguments for 'del' command\r\n");
    EXPECT(&h, "UNLINK", "-ERR wrong number of arguments for 'unlink' command\r\n");
}
END_TEST

START_TEST(exists_counts_each_time)
{
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    EXPECT(&h, "EXISTS a a x", ":2\r\n");
    ck_assert_uint_eq(h.call.hits, 2);
    ck_assert_uint_eq(h.call.misses, 1);
    EXPECT(&h, "EXISTS", "-ERR wrong number of arguments for 'exists' command\r\n");
    EXPECT_EFFECT(&h, "PEXPIRE a 1", ":1\r\n", "PEXPIREAT a 1700000000001");
    h.now_ms += 1;
    EXPECT_EFFECT(&h, "EXISTS a", ":0\r\n", "DEL a");
}
END_TEST

START_TEST(touch_is_an_access)
{
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    h.now_ms += 50000;
    EXPECT(&h, "EXISTS a", ":1\r\n");
    EXPECT(&h, "TYPE a", "+string\r\n");
    EXPECT(&h, "TTL a", ":-1\r\n");
    EXPECT(&h, "OBJECT IDLETIME a", ":50\r\n");
    ck_assert_ptr_nonnull(strstr(harness_run(&h, "OBJECT FREQ a"), "frequency not tracked"));
    h.session->no_touch = true;
    EXPECT(&h, "TOUCH a x a", ":2\r\n");
    EXPECT(&h, "OBJECT IDLETIME a", ":0\r\n");
    EXPECT(&h, "TOUCH", "-ERR wrong number of arguments for 'touch' command\r\n");
}
END_TEST

START_TEST(type)
{
    EXPECT(&h, "TYPE a", "+none\r\n");
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    EXPECT(&h, "TYPE a", "+string\r\n");
    EXPECT(&h, "TYPE", "-ERR wrong number of arguments for 'type' command\r\n");
}
END_TEST

START_TEST(renaming)
{
    EXPECT(&h, "RENAME a b", "-ERR no such key\r\n");
    EXPECT_EFFECT(&h, "MSET a 1 b 2", R_OK, "MSET a 1 b 2");
    EXPECT_EFFECT(&h, "PEXPIRE a 10", ":1\r\n", "PEXPIREAT a 1700000000010");
    EXPECT_EFFECT(&h, "RENAME a b", R_OK, "RENAME a b");
    EXPECT(&h, "GET b", "$1\r\n1\r\n");
    EXPECT(&h, "PTTL b", ":10\r\n");
    EXPECT(&h, "EXISTS a", ":0\r\n");
    EXPECT(&h, "RENAME b b", R_OK);
    EXPECT(&h, "PTTL b", ":10\r\n");
    h.now_ms += 10;
    EXPECT_EFFECT(&h, "RENAME b c", "-ERR no such key\r\n", "DEL b");
    EXPECT(&h, "RENAME a", "-ERR wrong number of arguments for 'rename' command\r\n");
}
END_TEST

START_TEST(renamenx)
{
    EXPECT(&h, "RENAMENX a b", "-ERR no such key\r\n");
    EXPECT_EFFECT(&h, "MSET a 1 b 2", R_OK, "MSET a 1 b 2");
    EXPECT(&h, "RENAMENX a b", ":0\r\n");
    EXPECT(&h, "RENAMENX a a", ":0\r\n");
    EXPECT(&h, "GET a", "$1\r\n1\r\n");
    EXPECT_EFFECT(&h, "PEXPIRE b 1", ":1\r\n", "PEXPIREAT b 1700000000001");
    h.now_ms += 1;
    EXPECT_EFFECT(&h, "RENAMENX a b", ":1\r\n", "DEL b | RENAME a b");
    EXPECT(&h, "GET b", "$1\r\n1\r\n");
    EXPECT(&h, "PTTL b", ":-1\r\n");
    EXPECT(&h, "EXISTS a", ":0\r\n");
}
END_TEST

START_TEST(copying)
{
    EXPECT(&h, "COPY a b", ":0\r\n");
    EXPECT_EFFECT(&h, "SET a 1 PX 100", R_OK, "SET a 1 PXAT 1700000000100");
    EXPECT_EFFECT(&h, "COPY a b", ":1\r\n", "COPY a b");
    EXPECT(&h, "GET b", "$1\r\n1\r\n");
    EXPECT(&h, "PTTL b", ":100\r\n");
    EXPECT_EFFECT(&h, "SET a 2", R_OK, "SET a 2");
    EXPECT(&h, "COPY a b", ":0\r\n");
    EXPECT(&h, "GET b", "$1\r\n1\r\n");
    EXPECT_EFFECT(&h, "COPY a b REPLACE", ":1\r\n", "COPY a b REPLACE");
    EXPECT(&h, "GET b", "$1\r\n2\r\n");
    EXPECT(&h, "PTTL b", ":-1\r\n");
    EXPECT_EFFECT(&h, "COPY a c DB 0", ":1\r\n", "COPY a c DB 0");
    EXPECT_EFFECT(&h, "COPY a d db 0 replace", ":1\r\n", "COPY a d db 0 replace");
}
END_TEST

START_TEST(copy_refuses)
{
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    EXPECT(&h, "COPY a b DB 1",
           "-ERR Copying to another database is not allowed in cluster mode\r\n");
    EXPECT(&h, "COPY a b DB 16", "-ERR DB index is out of range\r\n");
    EXPECT(&h, "COPY a b DB -1", "-ERR DB index is out of range\r\n");
    EXPECT(&h, "COPY a b DB x", R_NOT_INTEGER);
    EXPECT(&h, "COPY a b DB 2147483648",
           "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n");
    EXPECT(&h, "COPY a b DB", R_SYNTAX);
    EXPECT(&h, "COPY a b foo", R_SYNTAX);
    EXPECT(&h, "COPY a a", "-ERR source and destination objects are the same\r\n");
    EXPECT(&h, "COPY a", "-ERR wrong number of arguments for 'copy' command\r\n");
    EXPECT(&h, "EXISTS b", ":0\r\n");
}
END_TEST

START_TEST(copy_over_an_expired_key)
{
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    EXPECT_EFFECT(&h, "SET b 2 PX 1", R_OK, "SET b 2 PXAT 1700000000001");
    h.now_ms += 1;
    EXPECT_EFFECT(&h, "COPY a b", ":1\r\n", "DEL b | COPY a b");
    EXPECT(&h, "GET b", "$1\r\n1\r\n");
}
END_TEST

START_TEST(last_access_goes_along)
{
    EXPECT_EFFECT(&h, "SET a 1", R_OK, "SET a 1");
    h.now_ms += 60000;
    EXPECT_EFFECT(&h, "COPY a b", ":1\r\n", "COPY a b");
    EXPECT(&h, "OBJECT IDLETIME a", ":60\r\n");
    EXPECT(&h, "OBJECT IDLETIME b", ":0\r\n");
    EXPECT_EFFECT(&h, "RENAME a c", R_OK, "RENAME a c");
    EXPECT(&h, "OBJECT IDLETIME c", ":60\r\n");
    EXPECT_EFFECT(&h, "RENAMENX c d", ":1\r\n", "RENAME c d");
    EXPECT(&h, "OBJECT IDLETIME d", ":60\r\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands/key");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_is_known_of_use_depends_on_the_policy);
    tcase_add_test(tests, del_and_unlink);
    tcase_add_test(tests, exists_counts_each_time);
    tcase_add_test(tests, touch_is_an_access);
    tcase_add_test(tests, type);
    tcase_add_test(tests, renaming);
    tcase_add_test(tests, renamenx);
    tcase_add_test(tests, copying);
    tcase_add_test(tests, copy_refuses);
    tcase_add_test(tests, copy_over_an_expired_key);
    tcase_add_test(tests, last_access_goes_along);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
