#include "base/error.h"
#include "node/member_meta.h"
#include "ring/gossip.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct member_meta sample = {
    .host = "cache-1.example.org",
    .client_port = 7001,
    .direct_port = 8001,
    .http_port = 9001,
    .bus_port = 17001,
    .zone = "eu-1a",
    .weight = 1500,
    .software = "0.1.0",
};

static void expect_equal(const struct member_meta *a, const struct member_meta *b)
{
    ck_assert_str_eq(a->host, b->host);
    ck_assert_uint_eq(a->client_port, b->client_port);
    ck_assert_uint_eq(a->direct_port, b->direct_port);
    ck_assert_uint_eq(a->http_port, b->http_port);
    ck_assert_uint_eq(a->bus_port, b->bus_port);
    ck_assert_str_eq(a->zone, b->zone);
    ck_assert_uint_eq(a->weight, b->weight);
    ck_assert_int_eq(a->waits, b->waits);
    ck_assert_str_eq(a->software, b->software);
}

static void expect_round_trip(const struct member_meta *meta)
{
    struct buf encoded = {0};
    struct member_meta decoded;
    ck_assert_int_eq(member_meta_encode(meta, &encoded), TORC_OK);
    ck_assert_uint_le(buf_size(&encoded), GOSSIP_META_SIZE_MAX);
    ck_assert_int_eq(member_meta_decode(&decoded, buf_bytes(&encoded)), TORC_OK);
    expect_equal(&decoded, meta);
    buf_deinit(&encoded);
}

START_TEST(test_round_trip)
{
    expect_round_trip(&sample);
    struct member_meta plain = sample;
    plain.zone[0] = '\0';
    plain.software[0] = '\0';
    plain.weight = 0;
    plain.waits = true;
    expect_round_trip(&plain);
}
END_TEST

START_TEST(test_longest)
{
    struct member_meta longest = sample;
    memset(longest.host, 'h', HOST_SIZE_MAX);
    memset(longest.zone, 'z', ZONE_SIZE_MAX);
    memset(longest.software, 's', MEMBER_SOFTWARE_SIZE_MAX);
    longest.host[HOST_SIZE_MAX] = longest.zone[ZONE_SIZE_MAX] = '\0';
    longest.software[MEMBER_SOFTWARE_SIZE_MAX] = '\0';
    longest.weight = WEIGHT_MAX;
    expect_round_trip(&longest);
}
END_TEST

/* The bytes on the wire, so that a change of the format cannot pass unseen. */
START_TEST(test_format)
{
    static const char expected[] = "\x03"
                                   "\x01\0h"
                                   "\x59\x1b\x41\x1f\x29\x23\x69\x42"
                                   "\x02\0zz"
                                   "\xdc\x05\0\0"
                                   "\x01"
                                   "\x05\0"
                                   "0.1.0";
    struct buf encoded = {0};
    struct member_meta meta = sample;
    snprintf(meta.host, sizeof(meta.host), "h");
    snprintf(meta.zone, sizeof(meta.zone), "zz");
    meta.waits = true;
    ck_assert_int_eq(member_meta_encode(&meta, &encoded), TORC_OK);
    ck_assert_uint_eq(buf_size(&encoded), sizeof(expected) - 1);
    ck_assert_mem_eq(buf_head(&encoded), expected, sizeof(expected) - 1);
    buf_deinit(&encoded);
}
END_TEST

START_TEST(test_truncations)
{
    struct buf encoded = {0};
    struct member_meta decoded;
    ck_assert_int_eq(member_meta_encode(&sample, &encoded), TORC_OK);
    for (size_t size = 0; size < buf_size(&encoded); size++) {
        /* A copy of its own, so that reading past the end is caught. */
        char *cut = malloc(size + 1);
        ck_assert_ptr_nonnull(cut);
        memcpy(cut, buf_head(&encoded), size);
        ck_assert_int_eq(member_meta_decode(&decoded, (struct bytes){cut, size}), TORC_ECORRUPT);
        free(cut);
    }
    buf_append(&encoded, "", 1);
    ck_assert_int_eq(member_meta_decode(&decoded, buf_bytes(&encoded)), TORC_ECORRUPT);
    buf_deinit(&encoded);
}
END_TEST

START_TEST(test_unlawful)
{
    struct member_meta bad[7];
    for (size_t i = 0; i < 7; i++) {
        bad[i] = sample;
    }
    bad[0].host[0] = '\0';
    bad[1].client_port = 0;
    bad[2].direct_port = 0;
    bad[3].http_port = 0;
    bad[4].bus_port = 0;
    bad[5].weight = WEIGHT_MAX + 1;
    for (size_t i = 0; i < 6; i++) {
        struct buf encoded = {0};
        ck_assert_int_eq(member_meta_encode(&bad[i], &encoded), TORC_EINVAL);
        ck_assert_uint_eq(buf_size(&encoded), 0);
        buf_deinit(&encoded);
    }
    struct buf encoded = {0};
    memset(bad[6].zone, 'z', sizeof(bad[6].zone));
    ck_assert_int_eq(member_meta_encode(&bad[6], &encoded), TORC_ETOOBIG);
    ck_assert_uint_eq(buf_size(&encoded), 0);
    buf_deinit(&encoded);
}
END_TEST

/* The encoding of the sample with bytes at `at` replaced. */
static int decode_patched(size_t at, const char *bytes, size_t size)
{
    struct buf encoded = {0};
    struct member_meta decoded;
    ck_assert_int_eq(member_meta_encode(&sample, &encoded), TORC_OK);
    ck_assert_uint_le(at + size, buf_size(&encoded));
    memcpy(buf_head(&encoded) + at, bytes, size);
    int status = member_meta_decode(&decoded, buf_bytes(&encoded));
    buf_deinit(&encoded);
    return status;
}

START_TEST(test_patched)
{
    size_t host = 3;
    size_t ports = host + strlen(sample.host);
    size_t weight = ports + 8 + 2 + strlen(sample.zone);
    ck_assert_int_eq(decode_patched(0, "\x02", 1), TORC_EVERSION);
    ck_assert_int_eq(decode_patched(0, "\0", 1), TORC_EVERSION);
    ck_assert_int_eq(decode_patched(host, "\0", 1), TORC_ECORRUPT); /* a zero byte in a text */
    ck_assert_int_eq(decode_patched(1, "\xff\xff", 2), TORC_ECORRUPT);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(decode_patched(ports + 2 * i, "\0\0", 2), TORC_ECORRUPT);
    }
    ck_assert_int_eq(decode_patched(weight, "\xa0\x86\x01\0", 4), TORC_OK); /* 100000 */
    ck_assert_int_eq(decode_patched(weight + 4, "\x02", 1), TORC_ECORRUPT);
    ck_assert_int_eq(decode_patched(weight, "\xa1\x86\x01\0", 4), TORC_ECORRUPT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("member_meta");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_round_trip);
    tcase_add_test(tests, test_longest);
    tcase_add_test(tests, test_format);
    tcase_add_test(tests, test_truncations);
    tcase_add_test(tests, test_unlawful);
    tcase_add_test(tests, test_patched);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
