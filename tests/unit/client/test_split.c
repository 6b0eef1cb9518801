#include "base/prng.h"
#include "client/split.h"
#include "ring/slot.h"

#include <check.h>
#include <stdio.h>

START_TEST(nothing)
{
    struct split split;
    ck_assert_int_eq(split_by_slot(&split, NULL, sizeof(struct torc_bytes), 0), 0);
    ck_assert_uint_eq(split.count, 0);
    split_deinit(&split);
}
END_TEST

START_TEST(every_key_once_by_slot_and_in_order)
{
    enum { COUNT = 500 };
    static char names[COUNT][16];
    struct torc_bytes keys[COUNT];
    bool seen[COUNT] = {false};
    struct split split;
    struct prng prng;
    prng_init(&prng, 5);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "{%llu}%d",
                       (unsigned long long)prng_below(&prng, 40), i);
        keys[i] = torc_text(names[i]);
    }
    ck_assert_int_eq(split_by_slot(&split, keys, sizeof(keys[0]), COUNT), 0);
    ck_assert_uint_eq(split.count, COUNT);
    size_t groups = 0;
    for (size_t first = 0, end; first < COUNT; first = end, groups++) {
        end = split_group_end(&split, first);
        ck_assert(end == COUNT || split.items[end].slot > split.items[first].slot);
        for (size_t i = first; i < end; i++) {
            size_t index = split.items[i].index;
            struct bytes key = {keys[index].data, keys[index].size};
            ck_assert_uint_eq(split.items[i].slot, slot_of_key(key));
            ck_assert_uint_eq(split.items[i].slot, split.items[first].slot);
            ck_assert(!seen[index]);
            ck_assert(i == first || split.items[i - 1].index < index);
            seen[index] = true;
        }
    }
    ck_assert_uint_gt(groups, 20);
    ck_assert_uint_le(groups, 40);
    split_deinit(&split);
}
END_TEST

START_TEST(keys_inside_of_pairs)
{
    const struct torc_pair pairs[] = {{torc_text("foo"), torc_text("bar")},
                                      {torc_text("bar"), torc_text("foo")}};
    struct split split;
    ck_assert_int_eq(split_by_slot(&split, &pairs[0].key, sizeof(pairs[0]), 2), 0);
    ck_assert_uint_eq(split.items[0].index, 1);
    ck_assert_uint_eq(split.items[0].slot, 5061);
    ck_assert_uint_eq(split.items[1].slot, 12182);
    split_deinit(&split);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("split");
    tcase_add_test(tests, nothing);
    tcase_add_test(tests, every_key_once_by_slot_and_in_order);
    tcase_add_test(tests, keys_inside_of_pairs);
    Suite *suite = suite_create("client/split");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
