#include "base/prng.h"
#include "ring/slot.h"

#include <check.h>
#include <stdio.h>

#define TEXT(literal) BYTES_LITERAL(literal)

/* The definition, bit by bit. */
static uint16_t crc16_by_bits(const uint8_t *data, size_t size)
{
    unsigned crc = 0;
    for (size_t i = 0; i < size; i++) {
        crc ^= (unsigned)data[i] << 8;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 0x8000) != 0 ? (crc << 1 ^ 0x1021) & 0xffff : crc << 1;
        }
    }
    return (uint16_t)crc;
}

START_TEST(crc16_has_the_published_check_value)
{
    ck_assert_uint_eq(crc16(TEXT("123456789")), 0x31c3);
    ck_assert_uint_eq(crc16((struct bytes){NULL, 0}), 0);
}
END_TEST

START_TEST(crc16_equals_its_definition_at_every_size)
{
    struct prng prng;
    prng_init(&prng, 1);
    for (size_t size = 0; size <= 64; size++) {
        for (int round = 0; round < 200; round++) {
            uint8_t data[64];
            for (size_t i = 0; i < size; i++) {
                data[i] = (uint8_t)prng_next(&prng);
            }
            ck_assert_uint_eq(crc16((struct bytes){(char *)data, size}), crc16_by_bits(data, size));
        }
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t zeros = 0; zeros < 8; zeros++) {
            uint8_t data[8] = {(uint8_t)byte};
            ck_assert_uint_eq(crc16((struct bytes){(char *)data, zeros + 1}),
                              crc16_by_bits(data, zeros + 1));
        }
    }
}
END_TEST

START_TEST(known_slots_of_redis_cluster)
{
    ck_assert_uint_eq(slot_of_key(TEXT("foo")), 12182);
    ck_assert_uint_eq(slot_of_key(TEXT("bar")), 5061);
    ck_assert_uint_eq(slot_of_key(TEXT("hello")), 866);
    ck_assert_uint_eq(slot_of_key(TEXT("123456789")), 0x31c3 % 16384);
    ck_assert_uint_eq(slot_of_key(TEXT("")), 0);
}
END_TEST

static void expect_tag(struct bytes key, struct bytes tag)
{
    ck_assert(bytes_equal(slot_hash_tag(key), tag));
    ck_assert_uint_eq(slot_of_key(key), crc16(tag) % SLOT_COUNT);
}

START_TEST(hash_tags_follow_the_specification)
{
    expect_tag(TEXT("{user1000}.following"), TEXT("user1000"));
    expect_tag(TEXT("{user1000}.followers"), TEXT("user1000"));
    expect_tag(TEXT("foo{}{bar}"), TEXT("foo{}{bar}"));
    expect_tag(TEXT("foo{{bar}}zap"), TEXT("{bar"));
    expect_tag(TEXT("foo{bar}{zap}"), TEXT("bar"));
    expect_tag(TEXT("foo{bar"), TEXT("foo{bar"));
    expect_tag(TEXT("foo}bar{"), TEXT("foo}bar{"));
    expect_tag(TEXT("}a{b}"), TEXT("b"));
    expect_tag(TEXT("{}"), TEXT("{}"));
    expect_tag(TEXT("{"), TEXT("{"));
    expect_tag(TEXT("{a}"), TEXT("a"));
    expect_tag(TEXT("x{\0}y"), TEXT("\0"));
    expect_tag((struct bytes){NULL, 0}, (struct bytes){NULL, 0});
}
END_TEST

START_TEST(slots_of_numbered_keys_spread_over_all)
{
    static unsigned hits[SLOT_COUNT];
    for (unsigned i = 0; i < 64u * SLOT_COUNT; i++) {
        char key[32];
        int size = snprintf(key, sizeof(key), "key:%u", i);
        hits[slot_of_key((struct bytes){key, (size_t)size})]++;
    }
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        ck_assert_uint_gt(hits[slot], 0);
        ck_assert_uint_lt(hits[slot], 4 * 64);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slot");
    TCase *tcase = tcase_create("slot");
    tcase_add_test(tcase, crc16_has_the_published_check_value);
    tcase_add_test(tcase, crc16_equals_its_definition_at_every_size);
    tcase_add_test(tcase, known_slots_of_redis_cluster);
    tcase_add_test(tcase, hash_tags_follow_the_specification);
    tcase_add_test(tcase, slots_of_numbered_keys_spread_over_all);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
