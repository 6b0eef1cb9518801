#include "base/buf.h"
#include "base/error.h"
#include "base/prng.h"

#include <check.h>
#include <stdlib.h>

static void expect(const struct buf *buf, const char *expected)
{
    ck_assert_uint_eq(buf_size(buf), strlen(expected));
    ck_assert(bytes_equal(buf_bytes(buf), bytes_of(expected)));
}

START_TEST(empty_buffer_has_allocated_nothing)
{
    struct buf buf = {0};
    ck_assert_uint_eq(buf_size(&buf), 0);
    ck_assert_uint_eq(buf_room(&buf), 0);
    ck_assert_ptr_null(buf_head(&buf));
    ck_assert_ptr_null(buf_tail(&buf));
    ck_assert_uint_eq(buf_bytes(&buf).size, 0);
    buf_append(&buf, NULL, 0);
    buf_append_text(&buf, "");
    buf_consume(&buf, 0);
    ck_assert_ptr_null(buf.data);
    buf_deinit(&buf);
    buf_init(&buf);
    ck_assert_ptr_null(buf.data);
    ck_assert(!buf.failed);
}
END_TEST

START_TEST(append_and_consume)
{
    struct buf buf = {0};
    buf_append(&buf, "hello ", 6);
    buf_append_text(&buf, "world");
    expect(&buf, "hello world");
    buf_consume(&buf, 6);
    expect(&buf, "world");
    buf_append_format(&buf, " %d%s", 42, "!");
    expect(&buf, "world 42!");
    buf_append_format(&buf, "%s", "");
    expect(&buf, "world 42!");
    buf_consume(&buf, 9);
    expect(&buf, "");
    ck_assert_uint_eq(buf.start, 0);
    buf_deinit(&buf);
    ck_assert_ptr_null(buf.data);
}
END_TEST

START_TEST(format_longer_than_the_room)
{
    struct buf buf = {0};
    buf_append_text(&buf, "x");
    buf_append_format(&buf, "%*d", 5000, 7);
    ck_assert_uint_eq(buf_size(&buf), 5001);
    ck_assert_int_eq(buf_head(&buf)[5000], '7');
    ck_assert_int_eq(buf_head(&buf)[4999], ' ');
    buf_deinit(&buf);
}
END_TEST

START_TEST(reserve_and_commit)
{
    struct buf buf = {0};
    ck_assert_int_eq(buf_reserve(&buf, 1000), TORC_OK);
    ck_assert_uint_ge(buf_room(&buf), 1000);
    ck_assert_uint_eq(buf_size(&buf), 0);
    memcpy(buf_tail(&buf), "abc", 3);
    buf_commit(&buf, 3);
    expect(&buf, "abc");
    char *before = buf.data;
    ck_assert_int_eq(buf_reserve(&buf, 900), TORC_OK);
    ck_assert_ptr_eq(buf.data, before);
    ck_assert_int_eq(buf_reserve(&buf, 0), TORC_OK);
    buf_deinit(&buf);
}
END_TEST

START_TEST(growing_keeps_what_is_unread)
{
    struct buf buf = {0};
    for (int i = 0; i < 1000; i++) {
        buf_append_format(&buf, "%03d", i);
    }
    buf_consume(&buf, 30);
    ck_assert_int_eq(buf_reserve(&buf, 1 << 21), TORC_OK);
    ck_assert_uint_eq(buf_size(&buf), 2970);
    ck_assert_mem_eq(buf_head(&buf), "010011012", 9);
    ck_assert_mem_eq(buf_tail(&buf) - 3, "999", 3);
    buf_deinit(&buf);
}
END_TEST

/* A queue that is consumed as fast as it is filled stays as large as it is. */
START_TEST(steady_queue_does_not_grow)
{
    struct buf buf = {0};
    char piece[100];
    memset(piece, 'p', sizeof(piece));
    for (int i = 0; i < 20; i++) {
        buf_append(&buf, piece, sizeof(piece));
    }
    size_t capacity_max = 0;
    for (int i = 0; i < 10000; i++) {
        buf_append(&buf, piece, sizeof(piece));
        buf_consume(&buf, sizeof(piece));
        capacity_max = buf.capacity > capacity_max ? buf.capacity : capacity_max;
    }
    ck_assert_uint_eq(buf_size(&buf), 2000);
    ck_assert_uint_le(capacity_max, 8192);
    buf_deinit(&buf);
}
END_TEST

/* Nor does a nearly full one move all it holds for every few bytes that pass through. */
START_TEST(full_queue_moves_little)
{
    struct buf buf = {0};
    ck_assert_int_eq(buf_reserve(&buf, 1 << 16), TORC_OK);
    size_t size = buf.capacity - 16;
    memset(buf_tail(&buf), 'x', size);
    buf_commit(&buf, size);
    size_t passed = 0;
    size_t moved = 0;
    for (int i = 0; i < 100000; i++) {
        buf_consume(&buf, 16);
        size_t start = buf.start;
        buf_append(&buf, "0123456789abcdef", 16);
        passed += 16;
        moved += buf.start != start ? buf_size(&buf) - 16 : 0;
    }
    ck_assert_uint_eq(buf_size(&buf), size);
    ck_assert_uint_le(moved, 4 * passed + 2 * size);
    ck_assert_uint_le(buf.capacity, 4 * size);
    buf_deinit(&buf);
}
END_TEST

START_TEST(reset_keeps_or_frees)
{
    struct buf buf = {0};
    buf_append_text(&buf, "something");
    buf_consume(&buf, 4);
    buf_reset(&buf, SIZE_MAX);
    ck_assert_uint_eq(buf_size(&buf), 0);
    ck_assert_uint_eq(buf.start, 0);
    ck_assert_ptr_nonnull(buf.data);
    buf_append_text(&buf, "again");
    expect(&buf, "again");
    buf_reset(&buf, buf.capacity - 1);
    ck_assert_ptr_null(buf.data);
    ck_assert_uint_eq(buf.capacity, 0);
    buf_append_text(&buf, "anew");
    expect(&buf, "anew");
    buf_deinit(&buf);
}
END_TEST

/* After a failure nothing is appended, not even what would fit, until the reset. */
START_TEST(failure_sticks)
{
    struct buf buf = {0};
    buf_append_text(&buf, "good");
    ck_assert_int_eq(buf_reserve(&buf, SIZE_MAX), TORC_ENOMEM);
    ck_assert(buf.failed);
    ck_assert_uint_gt(buf_room(&buf), 16);
    buf_append_text(&buf, "bad");
    buf_append(&buf, "x", 1);
    buf_append_format(&buf, "%d", 1);
    ck_assert_int_eq(buf_reserve(&buf, 1), TORC_ENOMEM);
    expect(&buf, "good");
    buf_reset(&buf, SIZE_MAX);
    ck_assert(!buf.failed);
    buf_append_text(&buf, "fine");
    expect(&buf, "fine");
    buf_deinit(&buf);
}
END_TEST

/* Against a model: bytes go in and come out in order, whatever the sizes. */
START_TEST(random_operations_keep_the_order)
{
    struct prng prng;
    prng_init(&prng, 7);
    struct buf buf = {0};
    uint8_t next_in = 0;
    uint8_t next_out = 0;
    for (int i = 0; i < 20000; i++) {
        uint8_t piece[600];
        size_t size = (size_t)prng_below(&prng, sizeof(piece));
        for (size_t k = 0; k < size; k++) {
            piece[k] = next_in++;
        }
        buf_append(&buf, piece, size);
        size_t take = (size_t)prng_below(&prng, 620);
        take = take < buf_size(&buf) ? take : buf_size(&buf);
        bool in_order = true;
        for (size_t k = 0; k < take; k++) {
            in_order &= (uint8_t)buf_head(&buf)[k] == next_out++;
        }
        ck_assert(in_order);
        buf_consume(&buf, take);
        ck_assert_uint_eq((uint8_t)(next_in - next_out), buf_size(&buf) % 256);
    }
    buf_deinit(&buf);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("buf");
    TCase *tcase = tcase_create("buf");
    tcase_add_test(tcase, empty_buffer_has_allocated_nothing);
    tcase_add_test(tcase, append_and_consume);
    tcase_add_test(tcase, format_longer_than_the_room);
    tcase_add_test(tcase, reserve_and_commit);
    tcase_add_test(tcase, growing_keeps_what_is_unread);
    tcase_add_test(tcase, steady_queue_does_not_grow);
    tcase_add_test(tcase, full_queue_moves_little);
    tcase_add_test(tcase, reset_keeps_or_frees);
    tcase_add_test(tcase, failure_sticks);
    tcase_add_test(tcase, random_operations_keep_the_order);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
