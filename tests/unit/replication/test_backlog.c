#include "replication/backlog.h"

#include "base/prng.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK (64u * 1024)

static struct backlog backlog;

static void setup(void)
{
    backlog = (struct backlog){0};
}

static void teardown(void)
{
    backlog_deinit(&backlog);
    ck_assert_uint_eq(backlog.size, 0);
}

/* Bytes that count on from `first`. */
static void append(size_t size, uint8_t first)
{
    struct buf *out = backlog_reserve(&backlog, size);
    ck_assert_ptr_nonnull(out);
    ck_assert_uint_ge(buf_room(out), size);
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(first + i);
        buf_append(out, &byte, 1);
    }
    backlog_commit(&backlog, size);
}

START_TEST(what_is_appended_at_once_lies_in_one_block)
{
    append(BLOCK - 10, 0);
    append(20, 100);
    append(3 * BLOCK, 7);
    ck_assert_uint_eq(backlog.size, 4 * BLOCK + 10);
    ck_assert_uint_eq(backlog_at(&backlog, 0).size, BLOCK - 10);
    ck_assert_uint_eq(backlog_at(&backlog, BLOCK - 11).size, 1);
    struct bytes second = backlog_at(&backlog, BLOCK - 10);
    ck_assert_uint_eq(second.size, 20);
    ck_assert_int_eq((uint8_t)second.data[19], 119);
    ck_assert_uint_eq(backlog_at(&backlog, BLOCK + 10).size, 3 * BLOCK);
    ck_assert_uint_eq(backlog_at(&backlog, 4 * BLOCK + 10).size, 0);
}
END_TEST

START_TEST(bytes_stay_where_they_are)
{
    append(100, 0);
    const char *first = backlog_at(&backlog, 0).data;
    for (unsigned i = 0; i < 5000; i++) {
        append(100, 0);
    }
    ck_assert_ptr_eq(backlog_at(&backlog, 0).data, first);
    backlog_consume(&backlog, 40);
    ck_assert_ptr_eq(backlog_at(&backlog, 0).data, first + 40);
    ck_assert_int_eq(first[40], 40);
}
END_TEST

/* One that is consumed as fast as it is filled needs one block, which is begun anew. */
START_TEST(the_last_block_is_used_again)
{
    append(100, 0);
    const char *first = backlog_at(&backlog, 0).data;
    for (unsigned i = 0; i < 5000; i++) {
        backlog_consume(&backlog, backlog.size);
        append(100, 0);
        ck_assert_ptr_eq(backlog_at(&backlog, 0).data, first);
    }
}
END_TEST

START_TEST(all_comes_out_as_it_went_in)
{
    struct prng prng;
    prng_init(&prng, (uint64_t)_i);
    uint8_t in = 0;
    uint8_t out = 0;
    for (unsigned step = 0; step < 2000; step++) {
        size_t size = (size_t)prng_below(&prng, prng_below(&prng, 8) == 0 ? 2 * BLOCK : 200);
        if (prng_below(&prng, 2) == 0) {
            append(size, in);
            in = (uint8_t)(in + size);
            continue;
        }
        size = size < backlog.size ? size : backlog.size;
        for (size_t at = 0; at < size;) {
            struct bytes next = backlog_at(&backlog, at);
            ck_assert_uint_gt(next.size, 0);
            for (size_t i = 0; i < next.size && at < size; i++, at++, out++) {
                if ((uint8_t)next.data[i] != out) {
                    ck_abort_msg("step %u, byte %zu", step, at);
                }
            }
        }
        backlog_consume(&backlog, size);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backlog");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_is_appended_at_once_lies_in_one_block);
    tcase_add_test(tests, bytes_stay_where_they_are);
    tcase_add_test(tests, the_last_block_is_used_again);
    tcase_add_loop_test(tests, all_comes_out_as_it_went_in, 1, 6);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
