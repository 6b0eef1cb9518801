/* What threads post arrives whole, and what each has posted in its order. */
#include "node/mailbox.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#define THREADS 3
#define EACH 20000

struct letter {
    struct mail mail; /* first */
    unsigned thread, number;
};

static struct mailbox box;

START_TEST(the_oldest_comes_first)
{
    struct letter letters[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    ck_assert(mailbox_is_empty(&box));
    ck_assert_ptr_null(mailbox_take(&box));
    for (unsigned i = 0; i < 3; i++) {
        mailbox_post(&box, &letters[i].mail);
    }
    ck_assert(!mailbox_is_empty(&box));
    struct mail *mail = mailbox_take(&box);
    ck_assert(mailbox_is_empty(&box));
    for (unsigned i = 0; i < 3; i++, mail = mail->next) {
        ck_assert_ptr_eq(mail, &letters[i].mail);
    }
    ck_assert_ptr_null(mail);
    mailbox_post(&box, &letters[2].mail); /* again */
    ck_assert_ptr_eq(mailbox_take(&box), &letters[2].mail);
    ck_assert(mailbox_is_empty(&box));
}
END_TEST

static void *post_all(void *argument)
{
    struct letter *letters = argument;
    for (unsigned i = 0; i < EACH; i++) {
        mailbox_post(&box, &letters[i].mail);
    }
    return NULL;
}

START_TEST(many_threads_post_while_it_is_taken)
{
    struct letter *letters = calloc(THREADS * EACH, sizeof(*letters));
    pthread_t threads[THREADS];
    unsigned next[THREADS] = {0};
    unsigned taken = 0;
    unsigned astray = 0;
    ck_assert_ptr_nonnull(letters);
    for (unsigned i = 0; i < THREADS * EACH; i++) {
        letters[i].thread = i / EACH;
        letters[i].number = i % EACH;
    }
    for (unsigned i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, post_all, letters + i * EACH), 0);
    }
    while (taken < THREADS * EACH) { /* Check's limit ends it, should one be lost */
        for (struct mail *mail = mailbox_take(&box); mail != NULL; mail = mail->next) {
            const struct letter *letter = (const struct letter *)mail;
            astray += letter->number != next[letter->thread]++;
            taken++;
        }
    }
    for (unsigned i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    ck_assert_uint_eq(astray, 0);
    ck_assert(mailbox_is_empty(&box));
    free(letters);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mailbox");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, the_oldest_comes_first);
    tcase_add_test(tests, many_threads_post_while_it_is_taken);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
