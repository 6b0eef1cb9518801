#include "base/error.h"
#include "ring/node_id.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(format_then_parse_gives_the_same_id)
{
    struct prng prng;
    prng_init(&prng, 7);
    for (int i = 0; i < 1000; i++) {
        struct node_id id;
        struct node_id back;
        char text[NODE_ID_TEXT_SIZE];
        node_id_generate(&id, &prng);
        node_id_format(&id, text);
        ck_assert_uint_eq(strlen(text), 40);
        ck_assert_int_eq(node_id_parse(&back, bytes_of(text)), 0);
        ck_assert(node_id_equal(&id, &back));
    }
}
END_TEST

START_TEST(text_is_lower_case_hex_in_byte_order)
{
    struct node_id id = {{0x00, 0x01, 0x9a, 0xbc, 0xff}};
    char text[NODE_ID_TEXT_SIZE];
    node_id_format(&id, text);
    ck_assert_str_eq(text, "00019abcff000000000000000000000000000000");
}
END_TEST

START_TEST(parse_takes_either_case_and_refuses_all_else)
{
    static const char good[] = "0123456789abcdefABCDEF0123456789abcdef01";
    struct node_id id;
    struct node_id untouched;
    ck_assert_int_eq(node_id_parse(&id, bytes_of(good)), 0);
    ck_assert_uint_eq(id.bytes[8], 0xab);
    untouched = id;
    for (size_t at = 0; at < 40; at++) {
        for (const char *wrong = "gG/:@`- \t"; *wrong != '\0'; wrong++) {
            char text[NODE_ID_TEXT_SIZE];
            memcpy(text, good, sizeof(text));
            text[at] = *wrong;
            ck_assert_int_eq(node_id_parse(&id, bytes_of(text)), TORC_EINVAL);
        }
    }
    for (size_t size = 0; size < 40; size++) {
        ck_assert_int_eq(node_id_parse(&id, (struct bytes){good, size}), TORC_EINVAL);
    }
    ck_assert_int_eq(node_id_parse(&id, (struct bytes){good, 41}), TORC_EINVAL);
    ck_assert(node_id_equal(&id, &untouched));
}
END_TEST

START_TEST(order_is_by_bytes_from_the_first)
{
    struct node_id low = {{1, 0xff}};
    struct node_id high = {{2, 0}};
    struct node_id last = {{1, 0xff}};
    last.bytes[NODE_ID_SIZE - 1] = 0x80;
    ck_assert_int_lt(node_id_compare(&low, &high), 0);
    ck_assert_int_gt(node_id_compare(&high, &low), 0);
    ck_assert_int_lt(node_id_compare(&low, &last), 0);
    ck_assert_int_eq(node_id_compare(&low, &low), 0);
    ck_assert(!node_id_equal(&low, &last));
}
END_TEST

START_TEST(a_seed_gives_the_same_ids_and_they_differ)
{
    struct prng a;
    struct prng b;
    struct node_id first;
    struct node_id ids[2];
    prng_init(&a, 42);
    prng_init(&b, 42);
    node_id_generate(&first, &a);
    node_id_generate(&ids[0], &b);
    node_id_generate(&ids[1], &b);
    ck_assert(node_id_equal(&first, &ids[0]));
    ck_assert(!node_id_equal(&ids[0], &ids[1]));
    ck_assert(!node_id_is_zero(&first));
    ck_assert(node_id_is_zero(&(struct node_id){{0}}));
    /* Every byte of it is drawn. */
    uint8_t seen[NODE_ID_SIZE] = {0};
    for (int i = 0; i < 100; i++) {
        node_id_generate(&first, &a);
        for (size_t j = 0; j < NODE_ID_SIZE; j++) {
            seen[j] |= first.bytes[j];
        }
    }
    for (size_t j = 0; j < NODE_ID_SIZE; j++) {
        ck_assert_uint_eq(seen[j], 0xff);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("node_id");
    TCase *tcase = tcase_create("node_id");
    tcase_add_test(tcase, format_then_parse_gives_the_same_id);
    tcase_add_test(tcase, text_is_lower_case_hex_in_byte_order);
    tcase_add_test(tcase, parse_takes_either_case_and_refuses_all_else);
    tcase_add_test(tcase, order_is_by_bytes_from_the_first);
    tcase_add_test(tcase, a_seed_gives_the_same_ids_and_they_differ);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
