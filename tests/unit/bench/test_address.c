#include "base/error.h"
#include "bench/address.h"

#include <check.h>
#include <stdio.h>

static void expect(const char *text, const char *host, unsigned port)
{
    struct address address;
    ck_assert_int_eq(address_parse(&address, bytes_of(text)), TORC_OK);
    ck_assert_str_eq(address.host, host);
    ck_assert_uint_eq(address.port, port);
}

static void refuse(const char *text)
{
    struct address address;
    ck_assert_msg(address_parse(&address, bytes_of(text)) == TORC_EINVAL, "took '%s'", text);
}

START_TEST(takes_host_and_port)
{
    expect("127.0.0.1:6379", "127.0.0.1", 6379);
    expect("cache.example:1", "cache.example", 1);
    expect("[::1]:65535", "::1", 65535);
    expect("::1:6379", "::1", 6379);
}
END_TEST

START_TEST(refuses_what_is_none)
{
    static const char *const bad[] = {"",     ":",        "host",    "host:", ":6379",
                                      "[]:1", "host:0",   "h:65536", "h:-1",  "h:1x",
                                      "h: 1", "h:000001", "h:99999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        refuse(bad[i]);
    }
    ck_assert_int_eq(address_parse(&(struct address){0}, (struct bytes){"a\0b:1", 5}), TORC_EINVAL);
}
END_TEST

START_TEST(host_of_the_largest_size_fits)
{
    char text[HOST_SIZE_MAX + 16];
    memset(text, 'a', sizeof(text));
    memcpy(text + HOST_SIZE_MAX, ":7", 3);
    struct address address;
    ck_assert_int_eq(address_parse(&address, bytes_of(text)), TORC_OK);
    ck_assert_uint_eq(strlen(address.host), HOST_SIZE_MAX);
    memcpy(text + HOST_SIZE_MAX, "a:7", 4);
    ck_assert_int_eq(address_parse(&address, bytes_of(text)), TORC_EINVAL);
}
END_TEST

START_TEST(list_is_split_by_commas)
{
    struct address_list list;
    ck_assert_int_eq(address_list_parse(&list, bytes_of("a:1,[::2]:2,c:3")), TORC_OK);
    ck_assert_uint_eq(list.count, 3);
    ck_assert_str_eq(list.items[1].host, "::2");
    ck_assert_uint_eq(list.items[2].port, 3);
    ck_assert_int_eq(address_list_parse(&list, bytes_of("a:1,")), TORC_EINVAL);
    ck_assert_int_eq(address_list_parse(&list, bytes_of(",a:1")), TORC_EINVAL);
    ck_assert_int_eq(address_list_parse(&list, bytes_of("")), TORC_EINVAL);
}
END_TEST

START_TEST(list_has_a_limit)
{
    char text[(ADDRESS_LIST_MAX + 1) * 4 + 1] = "";
    struct address_list list;
    for (size_t i = 0; i < ADDRESS_LIST_MAX + 1; i++) {
        memcpy(text + i * 4, "h:1,", 4);
    }
    ck_assert_int_eq(address_list_parse(&list, (struct bytes){text, ADDRESS_LIST_MAX * 4 - 1}),
                     TORC_OK);
    ck_assert_uint_eq(list.count, ADDRESS_LIST_MAX);
    ck_assert_int_eq(
        address_list_parse(&list, (struct bytes){text, (ADDRESS_LIST_MAX + 1) * 4 - 1}),
        TORC_ETOOBIG);
}
END_TEST

START_TEST(format_is_read_back)
{
    static const char *const texts[] = {"10.0.0.1:80", "[::1]:6379", "name:65535"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct address address;
        char text[ADDRESS_TEXT_SIZE];
        ck_assert_int_eq(address_parse(&address, bytes_of(texts[i])), TORC_OK);
        address_format(&address, text);
        ck_assert_str_eq(text, texts[i]);
    }
}
END_TEST

START_TEST(equal_needs_host_and_port)
{
    struct address a;
    struct address b;
    ck_assert_int_eq(address_parse(&a, bytes_of("h:1")), TORC_OK);
    b = a;
    ck_assert(address_equal(&a, &b));
    b.port = 2;
    ck_assert(!address_equal(&a, &b));
    b = a;
    b.host[0] = 'i';
    ck_assert(!address_equal(&a, &b));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("address");
    TCase *tcase = tcase_create("address");
    tcase_add_test(tcase, takes_host_and_port);
    tcase_add_test(tcase, refuses_what_is_none);
    tcase_add_test(tcase, host_of_the_largest_size_fits);
    tcase_add_test(tcase, list_is_split_by_commas);
    tcase_add_test(tcase, list_has_a_limit);
    tcase_add_test(tcase, format_is_read_back);
    tcase_add_test(tcase, equal_needs_host_and_port);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
