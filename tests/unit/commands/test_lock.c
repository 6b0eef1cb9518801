/* TORC.LOCK and TORC.UNLOCK. */
#include "support/harness.h"

#include "ring/slot.h"

#include <check.h>

static struct harness h;
static struct copy *copy; /* of the slot of key "a" */

static void setup(void)
{
    harness_init(&h);
    copy = &h.slots[slot_of_key(BYTES_LITERAL("a"))].copy;
    copy->epoch = 3;
    copy->sequence = 6;
}

static void teardown(void)
{
    harness_deinit(&h);
}

#define TOKEN "3298534883335" /* 3 * 2^40 + 7 */

START_TEST(one_holds_it)
{
    EXPECT_EFFECT(&h, "TORC.LOCK a me 1000", ":" TOKEN "\r\n",
                  "SET a " TOKEN " me PXAT 1700000001000");
    copy->sequence++;
    EXPECT(&h, "TORC.LOCK a you 1000", R_NULL);
    EXPECT(&h, "TORC.LOCK a you 1000 XX", R_NULL);
    EXPECT(&h, "TORC.UNLOCK a you", ":0\r\n");
    EXPECT_EFFECT(&h, "TORC.UNLOCK a me", ":1\r\n", "DEL a");
    EXPECT(&h, "TORC.UNLOCK a me", ":0\r\n");
    EXPECT_EFFECT(&h, "TORC.LOCK a you 1000", ":3298534883336\r\n",
                  "SET a 3298534883336 you PXAT 1700000001000");
}
END_TEST

START_TEST(its_holder_has_it_last_longer)
{
    EXPECT(&h, "TORC.LOCK a me 1000 XX", R_NULL);
    (void)harness_run(&h, "TORC.LOCK a me 1000");
    copy->sequence++;
    h.now_ms += 500;
    EXPECT_EFFECT(&h, "TORC.LOCK a me 1000 xx", ":" TOKEN "\r\n",
                  "SET a " TOKEN " me PXAT 1700000001500");
    EXPECT_EFFECT(&h, "TORC.LOCK a me 2000", ":" TOKEN "\r\n",
                  "SET a " TOKEN " me PXAT 1700000002500");
    h.now_ms += 2000;
    EXPECT_EFFECT(&h, "TORC.LOCK a me 1000 XX", R_NULL, "DEL a");
}
END_TEST

START_TEST(a_later_holder_has_a_higher_token)
{
    (void)harness_run(&h, "TORC.LOCK a me 1000");
    h.now_ms += 1000;
    /* Another view, and what was done under the one before is lost. */
    copy->epoch = 4;
    copy->sequence = 0;
    EXPECT_EFFECT(&h, "TORC.LOCK a you 1", ":4398046511105\r\n",
                  "DEL a | SET a 4398046511105 you PXAT 1700000001001");
}
END_TEST

START_TEST(what_is_refused)
{
    EXPECT(&h, "TORC.LOCK a me 0", "-ERR invalid expire time in 'torc.lock' command\r\n");
    EXPECT(&h, "TORC.LOCK a me x", R_NOT_INTEGER);
    EXPECT(&h, "TORC.LOCK a me 1 NX", R_SYNTAX);
    EXPECT(&h, "TORC.LOCK a \"\" 1", "-ERR an owner has 1 to 128 bytes\r\n");
    EXPECT_EFFECT(&h, "SET a 5", R_OK, "SET a 5");
    EXPECT(&h, "TORC.LOCK a me 1", "-WRONGTYPE the key holds a string that is no lock\r\n");
    EXPECT_EFFECT(&h, "SET a \"x me\"", R_OK, "SET a x me");
    EXPECT(&h, "TORC.UNLOCK a me", "-WRONGTYPE the key holds a string that is no lock\r\n");
    (void)harness_run(&h, "DEL a");
    (void)harness_run(&h, "RPUSH a 1");
    EXPECT(&h, "TORC.LOCK a me 1", R_WRONG);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands/lock");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, one_holds_it);
    tcase_add_test(tests, its_holder_has_it_last_longer);
    tcase_add_test(tests, a_later_holder_has_a_higher_token);
    tcase_add_test(tests, what_is_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
