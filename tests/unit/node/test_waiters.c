#include "node/waiters.h"

#include "base/error.h"
#include "node/store/store.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define MANY 500

static struct waiters *waiters;

static void add(struct waiter *waiter, uint64_t since_ms, const struct bytes *keys, size_t count)
{
    waiter->since_ms = since_ms;
    ck_assert_int_eq(waiters_add(&waiters, waiter, keys, count), TORC_OK);
    ck_assert(waiter->queued);
}

/* Who waits for a key, in order, as indexes into `of`: "021". */
static const char *queue_of(const char *key, const struct waiter *of)
{
    static char out[2 * MANY];
    size_t size = 0;
    struct bytes name = bytes_of(key);
    for (const struct waiter_place *place = waiters_first(waiters, name, key_hash(name));
         place != NULL; place = place->next) {
        out[size++] = (char)('0' + (place->waiter - of));
    }
    out[size] = '\0';
    return out;
}

static void remove_all(struct waiter *of, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (of[i].queued) {
            waiters_remove(&waiters, &of[i]);
        }
    }
    ck_assert_ptr_null(waiters); /* nothing is kept where nobody waits */
}

START_TEST(test_in_the_order_in_which_they_have_waited)
{
    struct waiter of[5] = {0};
    struct bytes key = BYTES_LITERAL("a");
    static const uint64_t since[] = {5, 7, 7, 3, 5};
    for (size_t i = 0; i < 5; i++) {
        add(&of[i], since[i], &key, 1);
    }
    ck_assert_str_eq(queue_of("a", of), "30412");
    ck_assert_str_eq(queue_of("b", of), "");
    waiters_remove(&waiters, &of[0]);
    ck_assert_str_eq(queue_of("a", of), "3412");
    waiters_remove(&waiters, &of[3]);
    waiters_remove(&waiters, &of[2]);
    ck_assert_str_eq(queue_of("a", of), "41");
    add(&of[2], 1, &key, 1);
    ck_assert_str_eq(queue_of("a", of), "241");
    remove_all(of, 5);
}
END_TEST

START_TEST(test_several_keys)
{
    struct waiter of[3] = {0};
    const struct bytes abc[] = {BYTES_LITERAL("a"), BYTES_LITERAL("b"), BYTES_LITERAL("c")};
    add(&of[0], 1, abc, 3);
    add(&of[1], 2, abc + 1, 1);
    add(&of[2], 3, abc + 1, 2);
    ck_assert_str_eq(queue_of("a", of), "0");
    ck_assert_str_eq(queue_of("b", of), "012");
    ck_assert_str_eq(queue_of("c", of), "02");
    waiters_remove(&waiters, &of[0]);
    ck_assert_str_eq(queue_of("a", of), "");
    ck_assert_str_eq(queue_of("b", of), "12");
    ck_assert_str_eq(queue_of("c", of), "2");
    remove_all(of, 3);
}
END_TEST

START_TEST(test_one_key_named_again)
{
    struct waiter of[3] = {0};
    const struct bytes keys[] = {BYTES_LITERAL("a"), BYTES_LITERAL(""), BYTES_LITERAL("a"),
                                 BYTES_LITERAL("a")};
    add(&of[0], 1, keys, 4);
    add(&of[1], 1, keys, 4);
    add(&of[2], 1, keys, 1);
    ck_assert_str_eq(queue_of("a", of), "012");
    ck_assert_str_eq(queue_of("", of), "01");
    waiters_remove(&waiters, &of[1]);
    ck_assert_str_eq(queue_of("a", of), "02");
    remove_all(of, 3);
}
END_TEST

/* Its keys need not outlive the call. */
START_TEST(test_many_keys)
{
    struct waiter *of = calloc(MANY, sizeof(*of));
    char key[16];
    for (size_t i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "key%zu", i);
        struct bytes name = bytes_of(key);
        add(&of[i], i, &name, 1);
    }
    for (size_t i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "key%zu", i);
        struct bytes name = bytes_of(key);
        const struct waiter_place *place = waiters_first(waiters, name, key_hash(name));
        ck_assert_ptr_nonnull(place);
        ck_assert_ptr_eq(place->waiter, &of[i]);
        ck_assert_ptr_null(place->next);
    }
    size_t count = 0;
    for (struct waiter *any; (any = waiters_any(waiters)) != NULL; count++) {
        waiters_remove(&waiters, any);
    }
    ck_assert_uint_eq(count, MANY);
    remove_all(of, MANY);
    free(of);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("waiters");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_in_the_order_in_which_they_have_waited);
    tcase_add_test(tests, test_several_keys);
    tcase_add_test(tests, test_one_key_named_again);
    tcase_add_test(tests, test_many_keys);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
