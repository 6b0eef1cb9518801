/* torc_get_or_load against a server with one key, and threads that want it together. */
#include "base/error.h"
#include "tests/unit/client/support/fake.h"
#include "torc/torc.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define THREADS 16

/* The one key, whatever it is called. One lock for all of it. */
static struct {
    pthread_mutex_t lock;
    char value[64];
    size_t size;
    bool there;
    long long left_ms; /* what PTTL says */
    char ttl[32];      /* of the last SET */
    unsigned sets;
    unsigned loads;
    long load_ms; /* how long one takes */
    int loader_says;
} store;

static bool answer(struct fake *fake, unsigned connection, const struct arguments *arguments,
                   struct buf *out)
{
    (void)fake;
    (void)connection;
    pthread_mutex_lock(&store.lock);
    if (fake_introduce(arguments, NULL, out)) {
    } else if (fake_said(arguments, 0, "pttl")) {
        buf_append_format(out, ":%lld\r\n", store.left_ms);
    } else if (fake_said(arguments, 0, "set")) {
        const struct bytes value = arguments->items[2];
        memcpy(store.value, value.data, value.size);
        store.size = value.size;
        store.there = true;
        store.sets++;
        (void)snprintf(store.ttl, sizeof(store.ttl), "%.*s",
                       arguments->count > 4 ? (int)arguments->items[4].size : 0,
                       arguments->count > 4 ? arguments->items[4].data : "");
        buf_append_text(out, "+OK\r\n");
    } else if (store.there) {
        buf_append_format(out, "$%zu\r\n", store.size);
        buf_append(out, store.value, store.size);
        buf_append_text(out, "\r\n");
    } else {
        buf_append_text(out, "$-1\r\n");
    }
    pthread_mutex_unlock(&store.lock);
    return true;
}

static int load(struct torc *torc, struct torc_bytes key, struct torc_value *value, void *context)
{
    const struct timespec moment = {.tv_nsec = store.load_ms * 1000000};
    (void)torc;
    (void)context;
    ck_assert_uint_eq(key.size, 1);
    pthread_mutex_lock(&store.lock);
    store.loads++;
    const int result = store.loader_says;
    pthread_mutex_unlock(&store.lock);
    nanosleep(&moment, NULL);
    return result == 0 ? torc_value_set(value, torc_text("loaded")) : result;
}

static struct fake node;
static struct torc *torc;

static void begin(void)
{
    memset(&store, 0, sizeof(store));
    store.load_ms = 50;
    pthread_mutex_init(&store.lock, NULL);
    fake_start(&node, answer, NULL);
    const struct torc_options options = {.seeds = node.address, .timeout_ms = 1000};
    ck_assert_int_eq(torc_connect(&options, &torc), 0);
}

static void end(void)
{
    torc_close(torc);
    fake_stop(&node);
}

static void *get(void *context)
{
    const struct torc_load_options *options = context;
    struct torc_value value;
    int result = torc_get_or_load(torc, torc_text("k"), options, &value);
    if (result == 0) {
        ck_assert_str_eq(value.data, "loaded");
    }
    torc_value_free(&value);
    return (void *)(intptr_t)result;
}

static void get_in_threads(struct torc_load_options *options, int expected)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, get, options), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        ck_assert_int_eq((int)(intptr_t)result, expected);
    }
}

START_TEST(threads_that_miss_together_load_once)
{
    struct torc_load_options options = {.load = load, .ttl_ms = 10000};
    begin();
    get_in_threads(&options, 0);
    ck_assert_uint_eq(store.loads, 1);
    ck_assert_uint_eq(store.sets, 1);
    const int ttl = atoi(store.ttl);
    ck_assert_int_ge(ttl, 9000);
    ck_assert_int_le(ttl, 10000);
    get_in_threads(&options, 0);
    ck_assert_uint_eq(store.loads, 1);
    end();
}
END_TEST

/* One that has missed may come to load when another thread has done so already. */
START_TEST(a_load_that_takes_no_time_is_not_repeated)
{
    struct torc_load_options options = {.load = load, .ttl_ms = 10000};
    begin();
    store.load_ms = 0;
    for (unsigned round = 1; round <= 50; round++) {
        store.there = false;
        get_in_threads(&options, 0);
        ck_assert_uint_eq(store.loads, round);
    }
    end();
}
END_TEST

START_TEST(that_there_is_none_is_remembered)
{
    struct torc_load_options options = {.load = load, .absent_ttl_ms = 500};
    begin();
    store.loader_says = TORC_ENOTFOUND;
    get_in_threads(&options, TORC_ENOTFOUND);
    get_in_threads(&options, TORC_ENOTFOUND);
    ck_assert_uint_eq(store.loads, 1);
    options.absent_ttl_ms = 0;
    store.there = false;
    ck_assert_int_eq((int)(intptr_t)get(&options), TORC_ENOTFOUND);
    ck_assert_int_eq((int)(intptr_t)get(&options), TORC_ENOTFOUND);
    ck_assert_uint_eq(store.loads, 3);
    ck_assert(!store.there);
    end();
}
END_TEST

START_TEST(errors_of_the_loader_are_handed_on_and_not_remembered)
{
    struct torc_load_options options = {.load = load, .absent_ttl_ms = 500};
    begin();
    store.loader_says = TORC_EIO;
    get_in_threads(&options, TORC_EIO);
    ck_assert_uint_eq(store.sets, 0);
    store.loader_says = 0;
    get_in_threads(&options, 0);
    end();
}
END_TEST

START_TEST(some_call_loads_early)
{
    struct torc_load_options options = {.load = load, .ttl_ms = 10000, .early_ms = 100};
    begin();
    get_in_threads(&options, 0);
    ck_assert_uint_eq(store.loads, 1);
    store.left_ms = 9000; /* far from its end: the odds are e^-90 */
    get_in_threads(&options, 0);
    ck_assert_uint_eq(store.loads, 1);
    store.left_ms = 0; /* at its end: somebody does, and nobody waits for that */
    get_in_threads(&options, 0);
    ck_assert_uint_gt(store.loads, 1);
    end();
}
END_TEST

START_TEST(a_cache_that_is_gone_is_no_reason_not_to_load)
{
    struct torc_load_options options = {.load = load};
    begin();
    fake_stop(&node);
    get_in_threads(&options, 0);
    ck_assert_uint_ge(store.loads, 1);
    torc_close(torc);
}
END_TEST

START_TEST(wrong_arguments)
{
    struct torc_value value;
    const struct torc_load_options none = {.load = NULL};
    const struct torc_load_options options = {.load = load};
    const struct torc_bytes null = {NULL, 1};
    begin();
    ck_assert_int_eq(torc_get_or_load(NULL, torc_text("k"), &options, &value), TORC_EINVAL);
    ck_assert_int_eq(torc_get_or_load(torc, torc_text("k"), &none, &value), TORC_EINVAL);
    ck_assert_int_eq(torc_get_or_load(torc, torc_text("k"), NULL, &value), TORC_EINVAL);
    ck_assert_int_eq(torc_get_or_load(torc, torc_text("k"), &options, NULL), TORC_EINVAL);
    ck_assert_int_eq(torc_get_or_load(torc, null, &options, &value), TORC_EINVAL);
    ck_assert_int_eq(torc_value_set(&value, null), TORC_EINVAL);
    end();
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("load");
    tcase_add_test(tests, threads_that_miss_together_load_once);
    tcase_add_test(tests, a_load_that_takes_no_time_is_not_repeated);
    tcase_add_test(tests, that_there_is_none_is_remembered);
    tcase_add_test(tests, errors_of_the_loader_are_handed_on_and_not_remembered);
    tcase_add_test(tests, some_call_loads_early);
    tcase_add_test(tests, a_cache_that_is_gone_is_no_reason_not_to_load);
    tcase_add_test(tests, wrong_arguments);
    Suite *suite = suite_create("client/load");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
