#include "base/error.h"
#include "bench/request.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct request_format make(const char *prefix, uint64_t keys, size_t size)
{
    struct request_format format;
    const struct request_options options = {
        .prefix = prefix, .key_count = keys, .value_size = size, .value_seed = 1};
    ck_assert_int_eq(request_format_init(&format, &options), TORC_OK);
    return format;
}

static void expect(struct buf *buf, const char *expected)
{
    ck_assert(!buf->failed);
    ck_assert_uint_eq(buf_size(buf), strlen(expected));
    ck_assert(bytes_equal(buf_bytes(buf), bytes_of(expected)));
    buf_reset(buf, SIZE_MAX);
}

/* The value's text, which the templates share. */
static struct bytes value_of(const struct request_format *format)
{
    const char *head = buf_head(&format->value_tail);
    const char *newline = memchr(head, '\n', buf_size(&format->value_tail));
    ck_assert_ptr_nonnull(newline);
    size_t start = (size_t)(newline + 1 - head);
    return (struct bytes){newline + 1, buf_size(&format->value_tail) - start - 2};
}

START_TEST(get_has_padded_digits)
{
    struct request_format format = make("key:", 1000000, 64);
    struct buf buf = {0};
    request_append_get(&format, &buf, 0);
    expect(&buf, "*2\r\n$3\r\nGET\r\n$10\r\nkey:000000\r\n");
    request_append_get(&format, &buf, 999999);
    request_append_get(&format, &buf, 1203);
    expect(&buf, "*2\r\n$3\r\nGET\r\n$10\r\nkey:999999\r\n"
                 "*2\r\n$3\r\nGET\r\n$10\r\nkey:001203\r\n");
    buf_deinit(&buf);
    request_format_deinit(&format);
}
END_TEST

START_TEST(set_carries_the_value)
{
    struct request_format format = make("", 11, 3);
    struct bytes value = value_of(&format);
    char expected[100];
    struct buf buf = {0};
    ck_assert_uint_eq(value.size, 3);
    (void)snprintf(expected, sizeof(expected), "*3\r\n$3\r\nSET\r\n$2\r\n10\r\n$3\r\n%.3s\r\n",
                   value.data);
    request_append_set(&format, &buf, 10);
    expect(&buf, expected);
    buf_deinit(&buf);
    request_format_deinit(&format);
}
END_TEST

START_TEST(empty_value_and_one_key)
{
    struct request_format format = make("p", 1, 0);
    struct buf buf = {0};
    request_append_set(&format, &buf, 0);
    expect(&buf, "*3\r\n$3\r\nSET\r\n$2\r\np0\r\n$0\r\n\r\n");
    buf_deinit(&buf);
    request_format_deinit(&format);
}
END_TEST

START_TEST(digits_suit_the_largest_index)
{
    static const struct {
        uint64_t keys;
        unsigned digits;
    } cases[] = {{1, 1}, {10, 1}, {11, 2}, {100, 2}, {101, 3}, {UINT64_C(1) << 48, 15}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct request_format format = make("k", cases[i].keys, 1);
        char key[REQUEST_KEY_SIZE_MAX + 1] = "";
        ck_assert_uint_eq(format.digits, cases[i].digits);
        size_t size = request_key(&format, cases[i].keys - 1, key);
        ck_assert_uint_eq(size, 1 + cases[i].digits);
        key[size] = '\0';
        ck_assert_uint_eq(strtoull(key + 1, NULL, 10), cases[i].keys - 1);
        request_format_deinit(&format);
    }
}
END_TEST

START_TEST(key_is_the_one_that_is_sent)
{
    struct request_format format = make("key:", 1000, 8);
    char key[REQUEST_KEY_SIZE_MAX];
    size_t size = request_key(&format, 42, key);
    struct buf buf = {0};
    request_append_get(&format, &buf, 42);
    ck_assert_ptr_nonnull(memmem(buf_head(&buf), buf_size(&buf), key, size));
    ck_assert_uint_eq(size, 7);
    ck_assert(memcmp(key, "key:042", 7) == 0);
    buf_deinit(&buf);
    request_format_deinit(&format);
}
END_TEST

START_TEST(trace_keys_have_any_length)
{
    struct request_format format = make("t:", 1, 0);
    struct buf buf = {0};
    request_append_get_key(&format, &buf, bytes_of("a key"));
    expect(&buf, "*2\r\n$3\r\nGET\r\n$7\r\nt:a key\r\n");
    request_append_set_key(&format, &buf, bytes_of("b"));
    expect(&buf, "*3\r\n$3\r\nSET\r\n$3\r\nt:b\r\n$0\r\n\r\n");
    buf_deinit(&buf);
    request_format_deinit(&format);
}
END_TEST

START_TEST(values_follow_the_seed)
{
    struct request_format a = make("", 1, 1000);
    struct request_format b = make("", 1, 1000);
    struct request_format c;
    const struct request_options other = {
        .prefix = "", .key_count = 1, .value_size = 1000, .value_seed = 2};
    ck_assert_int_eq(request_format_init(&c, &other), TORC_OK);
    ck_assert(bytes_equal(value_of(&a), value_of(&b)));
    ck_assert(!bytes_equal(value_of(&a), value_of(&c)));
    request_format_deinit(&a);
    request_format_deinit(&b);
    request_format_deinit(&c);
}
END_TEST

START_TEST(long_prefix_is_refused)
{
    char prefix[REQUEST_PREFIX_SIZE_MAX + 2];
    struct request_format format;
    const struct request_options options = {.prefix = prefix, .key_count = 1};
    memset(prefix, 'p', sizeof(prefix));
    prefix[REQUEST_PREFIX_SIZE_MAX + 1] = '\0';
    ck_assert_int_eq(request_format_init(&format, &options), TORC_ETOOBIG);
    prefix[REQUEST_PREFIX_SIZE_MAX] = '\0';
    ck_assert_int_eq(request_format_init(&format, &options), TORC_OK);
    request_format_deinit(&format);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("request");
    TCase *tcase = tcase_create("request");
    tcase_add_test(tcase, get_has_padded_digits);
    tcase_add_test(tcase, set_carries_the_value);
    tcase_add_test(tcase, empty_value_and_one_key);
    tcase_add_test(tcase, digits_suit_the_largest_index);
    tcase_add_test(tcase, key_is_the_one_that_is_sent);
    tcase_add_test(tcase, trace_keys_have_any_length);
    tcase_add_test(tcase, values_follow_the_seed);
    tcase_add_test(tcase, long_prefix_is_refused);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
