#include "base/error.h"
#include "client/endpoint.h"
#include "client/limits.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static void accept(const char *text, const char *host, unsigned port)
{
    struct endpoint endpoint;
    ck_assert_msg(endpoint_parse(&endpoint, bytes_of(text), NULL) == TORC_OK, "refused %s", text);
    ck_assert_str_eq(endpoint.host, host);
    ck_assert_uint_eq(endpoint.port, port);
}

static void refuse(const char *text)
{
    struct endpoint endpoint;
    ck_assert_msg(endpoint_parse(&endpoint, bytes_of(text), NULL) == TORC_EINVAL, "took %s", text);
}

START_TEST(host_and_port)
{
    accept("localhost:7001", "localhost", 7001);
    accept("10.0.0.1:1", "10.0.0.1", 1);
    accept("[::1]:65535", "::1", 65535);
    accept("::1:7001", "::1", 7001);
}
END_TEST

START_TEST(what_is_no_endpoint)
{
    const char *const texts[] = {
        "",     ":",    "a",    "a:",    ":1",   "a:0",  "a:65536", "a:99999999999",
        "a:-1", "a:1x", "[]:1", "a b:1", "a:1 ", "[a:1", "a]:1"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        refuse(texts[i]);
    }
}
END_TEST

START_TEST(host_of_the_greatest_length)
{
    char text[HOST_SIZE_MAX + 8];
    struct endpoint endpoint;
    memset(text, 'h', sizeof(text));
    memcpy(text + HOST_SIZE_MAX, ":1", 3);
    ck_assert_int_eq(endpoint_parse(&endpoint, bytes_of(text), NULL), TORC_OK);
    ck_assert_uint_eq(strlen(endpoint.host), HOST_SIZE_MAX);
    memcpy(text + HOST_SIZE_MAX, "h:1", 4);
    ck_assert_int_eq(endpoint_parse(&endpoint, bytes_of(text), NULL), TORC_EINVAL);
}
END_TEST

START_TEST(empty_host_takes_the_given_one)
{
    struct endpoint endpoint;
    ck_assert_int_eq(endpoint_parse(&endpoint, bytes_of(":7001"), "n1"), TORC_OK);
    ck_assert_str_eq(endpoint.host, "n1");
    ck_assert_int_eq(endpoint_parse(&endpoint, bytes_of("n2:7001"), "n1"), TORC_OK);
    ck_assert_str_eq(endpoint.host, "n2");
}
END_TEST

START_TEST(formats_as_it_parses)
{
    const char *const texts[] = {"localhost:7001", "[fe80::1]:65535"};
    for (size_t i = 0; i < 2; i++) {
        struct endpoint endpoint;
        char text[ENDPOINT_TEXT_SIZE];
        ck_assert_int_eq(endpoint_parse(&endpoint, bytes_of(texts[i]), NULL), TORC_OK);
        endpoint_format(&endpoint, text);
        ck_assert_str_eq(text, texts[i]);
    }
}
END_TEST

START_TEST(orders_by_port_and_host)
{
    struct endpoint a;
    struct endpoint b;
    endpoint_set(&a, "x", 1);
    endpoint_set(&b, "x", 1);
    ck_assert_int_eq(endpoint_compare(&a, &b), 0);
    endpoint_set(&b, "x", 2);
    ck_assert_int_lt(endpoint_compare(&a, &b), 0);
    ck_assert_int_gt(endpoint_compare(&b, &a), 0);
    endpoint_set(&b, "y", 1);
    ck_assert_int_lt(endpoint_compare(&a, &b), 0);
}
END_TEST

START_TEST(lists)
{
    struct endpoint *list = NULL;
    size_t count = 0;
    struct bytes wrong;
    ck_assert_int_eq(endpoint_list_parse(&list, &count, bytes_of("a:1, [::1]:2 ,c:3"), &wrong), 0);
    ck_assert_uint_eq(count, 3);
    ck_assert_str_eq(list[0].host, "a");
    ck_assert_str_eq(list[1].host, "::1");
    ck_assert_uint_eq(list[2].port, 3);
    free(list);
}
END_TEST

START_TEST(lists_with_a_wrong_member_name_it)
{
    struct endpoint *list = NULL;
    size_t count = 0;
    struct bytes wrong;
    ck_assert_int_eq(endpoint_list_parse(&list, &count, bytes_of("a:1,b,c:3"), &wrong),
                     TORC_EINVAL);
    ck_assert(bytes_equal(wrong, BYTES_LITERAL("b")));
    ck_assert_int_eq(endpoint_list_parse(&list, &count, bytes_of(""), &wrong), TORC_EINVAL);
    ck_assert_uint_eq(wrong.size, 0);
    ck_assert_int_eq(endpoint_list_parse(&list, &count, bytes_of("a:1,"), &wrong), TORC_EINVAL);
}
END_TEST

START_TEST(lists_have_a_limit)
{
    char text[(SEEDS_MAX + 1) * 4];
    struct endpoint *list = NULL;
    size_t count = 0;
    struct bytes wrong;
    for (size_t i = 0; i <= SEEDS_MAX; i++) {
        memcpy(text + 4 * i, "a:1,", 4);
    }
    const struct bytes most = {text, 4 * SEEDS_MAX - 1};
    const struct bytes more = {text, sizeof(text) - 1};
    ck_assert_int_eq(endpoint_list_parse(&list, &count, most, &wrong), TORC_OK);
    ck_assert_uint_eq(count, SEEDS_MAX);
    free(list);
    ck_assert_int_eq(endpoint_list_parse(&list, &count, more, &wrong), TORC_ETOOBIG);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("endpoint");
    tcase_add_test(tests, host_and_port);
    tcase_add_test(tests, what_is_no_endpoint);
    tcase_add_test(tests, host_of_the_greatest_length);
    tcase_add_test(tests, empty_host_takes_the_given_one);
    tcase_add_test(tests, formats_as_it_parses);
    tcase_add_test(tests, orders_by_port_and_host);
    tcase_add_test(tests, lists);
    tcase_add_test(tests, lists_with_a_wrong_member_name_it);
    tcase_add_test(tests, lists_have_a_limit);
    Suite *suite = suite_create("client/endpoint");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
