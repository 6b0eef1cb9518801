#include "client/ring/info.h"

#include <check.h>
#include <string.h>

START_TEST(fields)
{
    struct node_info info;
    info_read(&info, BYTES_LITERAL("# Server\r\ntorc_version:1.2.3\r\nepoch:7\r\n"
                                   "lease_ms_left:0\r\nserver_time_usec:1700000000000000\r\n"
                                   "# Stats\r\ninstantaneous_ops_per_sec:55\r\n"
                                   "# Migration\r\nmigration_bytes_sent:1\r\n"
                                   "migration_keys_sent:2\r\nmigration_slots_waiting:3\r\n"
                                   "migration_pause_us_p99:4\r\nmigration_pause_us_max:5\r\n"
                                   "migration_rate_limit:6\r\nused_memory:123\r\n"
                                   "used_memory_rss:9\r\ndb0:keys=8,expires=0\r\n"));
    ck_assert(info.answers);
    ck_assert_str_eq(info.version, "1.2.3");
    ck_assert_uint_eq(info.epoch, 7);
    ck_assert_uint_eq(info.lease_ms_left, 0);
    ck_assert_uint_eq(info.clock_us, 1700000000000000);
    ck_assert_uint_eq(info.ops_per_second, 55);
    ck_assert_uint_eq(info.sent_bytes, 1);
    ck_assert_uint_eq(info.sent_keys, 2);
    ck_assert_uint_eq(info.slots_waiting, 3);
    ck_assert_uint_eq(info.pause_us_p99, 4);
    ck_assert_uint_eq(info.pause_us_max, 5);
    ck_assert_uint_eq(info.rate_limit, 6);
    ck_assert_uint_eq(info.memory_bytes, 123);
    ck_assert_uint_eq(info.keys, 8);
}
END_TEST

START_TEST(an_older_node_leaves_fields_unknown)
{
    struct node_info info;
    info_read(&info, BYTES_LITERAL("used_memory:5"));
    ck_assert(info.answers);
    ck_assert_uint_eq(info.keys, 0);
    ck_assert_uint_eq(info.lease_ms_left, INFO_UNKNOWN);
    ck_assert_uint_eq(info.sent_bytes, INFO_UNKNOWN);
    ck_assert_str_eq(info.version, "");
}
END_TEST

START_TEST(what_is_no_info_is_no_answer)
{
    static const char *const texts[] = {"", "-ERR", "xused_memory:5\r\nused_memory:\r\n",
                                        "used_memory:99999999999999999999999\r\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct node_info info;
        info_read(&info, bytes_of(texts[i]));
        ck_assert(!info.answers);
    }
}
END_TEST

START_TEST(a_version_is_printable)
{
    struct node_info info;
    info_read(&info, BYTES_LITERAL("torc_version:\033[31m01234567890123456789012345678901234567"));
    ck_assert_uint_eq(strlen(info.version), INFO_VERSION_SIZE - 1);
    ck_assert_int_eq(info.version[0], '?');
}
END_TEST

START_TEST(replicas)
{
    struct bytes text =
        BYTES_LITERAL("replica0:id=02ab000000000000000000000000000000000000,lag_bytes=17\r\n"
                      "replica1:id=short,lag_bytes=1\r\nreplicas:2\r\n"
                      "replica2:id=03ab000000000000000000000000000000000000,lag_bytes=\r\n"
                      "replica13:id=04AB000000000000000000000000000000000000,lag_bytes=0,more=1");
    struct replica_lag lag;
    ck_assert(info_next_replica(&text, &lag));
    ck_assert_uint_eq(lag.id.bytes[0], 2);
    ck_assert_uint_eq(lag.bytes, 17);
    ck_assert(info_next_replica(&text, &lag));
    ck_assert_uint_eq(lag.id.bytes[0], 4);
    ck_assert_uint_eq(lag.bytes, 0);
    ck_assert(!info_next_replica(&text, &lag));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("ring_info");
    tcase_add_test(tests, fields);
    tcase_add_test(tests, an_older_node_leaves_fields_unknown);
    tcase_add_test(tests, what_is_no_info_is_no_answer);
    tcase_add_test(tests, a_version_is_printable);
    tcase_add_test(tests, replicas);
    Suite *suite = suite_create("client/ring_info");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
