#include "node/session.h"

#include <check.h>
#include <string.h>

/* The ids in the registry's order. */
static void expect_ids(struct session_registry *registry, size_t count, const uint64_t *ids)
{
    const struct session *session = registry->first;
    ck_assert_uint_eq(session_count(registry), count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_ptr_nonnull(session);
        ck_assert_uint_eq(session->id, ids[i]);
        session = session->next;
    }
    ck_assert_ptr_null(session);
}

START_TEST(test_register)
{
    struct session_registry registry;
    struct session sessions[4];
    memset(sessions, 0, sizeof(sessions));
    session_registry_init(&registry);
    expect_ids(&registry, 0, NULL);
    for (size_t i = 0; i < 4; i++) {
        session_register(&registry, &sessions[i]);
    }
    expect_ids(&registry, 4, (const uint64_t[]){1, 2, 3, 4});
    session_unregister(&registry, &sessions[1]); /* in between */
    expect_ids(&registry, 3, (const uint64_t[]){1, 3, 4});
    session_unregister(&registry, &sessions[3]); /* the last */
    expect_ids(&registry, 2, (const uint64_t[]){1, 3});
    session_register(&registry, &sessions[1]); /* appended behind the new last */
    expect_ids(&registry, 3, (const uint64_t[]){1, 3, 5});
    session_unregister(&registry, &sessions[0]); /* the first */
    expect_ids(&registry, 2, (const uint64_t[]){3, 5});
    session_register(&registry, &sessions[0]);
    expect_ids(&registry, 3, (const uint64_t[]){3, 5, 6});
    session_unregister(&registry, &sessions[2]);
    session_unregister(&registry, &sessions[1]);
    session_unregister(&registry, &sessions[0]); /* the only one */
    expect_ids(&registry, 0, NULL);
    session_register(&registry, &sessions[0]);
    expect_ids(&registry, 1, (const uint64_t[]){7});
    session_unregister(&registry, &sessions[0]);
    session_registry_deinit(&registry);
}
END_TEST

#define THREADS 4
#define ROUNDS 2000

static void *register_often(void *argument)
{
    struct session_registry *registry = argument;
    struct session sessions[3];
    memset(sessions, 0, sizeof(sessions));
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 3; i++) {
            session_register(registry, &sessions[i]);
        }
        for (int i = 0; i < 3; i++) {
            session_unregister(registry, &sessions[(i + round) % 3]);
        }
    }
    return NULL;
}

START_TEST(test_threads)
{
    struct session_registry registry;
    pthread_t threads[THREADS];
    session_registry_init(&registry);
    for (size_t i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, register_often, &registry), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_eq(session_count(&registry), 0);
    ck_assert_uint_eq(atomic_load(&registry.last_id), THREADS * ROUNDS * 3);
    session_registry_deinit(&registry);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sessions");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_register);
    tcase_add_test(tests, test_threads);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
