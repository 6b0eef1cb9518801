/* A million keys under one slot, and slots used by several threads at once. */
#include "node/store/keyspace.h"
#include "tests/unit/store/support.h"

#include <pthread.h>

#define KEYS 1000000u
#define THREADS 4

static uint8_t *seen;

static void mark(void *context, const struct object *object)
{
    seen[key_number(object)]++;
    ++*(size_t *)context;
}

START_TEST(a_million_keys_in_one_slot)
{
    struct store *store = store_create();
    struct keyspace *keys = store_keyspace(store, 0);
    seen = calloc(KEYS, 1);
    ck_assert_ptr_nonnull(seen);
    for (unsigned i = 0; i < KEYS; i++) {
        set_number(keys, i, "value", i % 10 == 0 ? 1000 + i : 0);
    }
    ck_assert_uint_eq(keyspace_count(keys), KEYS);
    ck_assert_uint_eq(keyspace_expiry_count(keys), KEYS / 10);
    ck_assert_uint_eq(keyspace_next_expiry_ms(keys), 1000);
    const struct directory *directory = table_directory(&keys->table);
    ck_assert_ptr_nonnull(directory);
    ck_assert_uint_le(directory->capacity_max, 2 * SEGMENT_COUNT_MAX);
    size_t objects = 0, visited = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        const struct object *object = find_number(keys, i);
        require(object != NULL);
        require(keyspace_expire_at_ms(keys, object) == (i % 10 == 0 ? 1000 + i : 0));
        objects += object_memory(object);
    }
    ck_assert_ptr_null(find_number(keys, KEYS));
    /* Tables, pieces and directory together: eighteen bytes a key, of which six are its expiry. */
    ck_assert_uint_le(keyspace_memory(keys), objects + (size_t)18 * KEYS);
    for (uint64_t cursor = 0; (cursor = keyspace_scan(keys, cursor, 1000, mark, &visited)) != 0;) {
    }
    ck_assert_uint_eq(visited, KEYS);
    for (unsigned i = 0; i < KEYS; i++) {
        require(seen[i] == 1);
    }
    free(seen);
    for (unsigned i = 0; i < KEYS; i++) {
        if (i % 100 != 0) {
            require(delete_number(keys, i));
        }
    }
    ck_assert_uint_eq(keyspace_count(keys), KEYS / 100);
    for (unsigned i = 0; i < KEYS; i += 50) {
        const struct object *object = find_number(keys, i);
        require((object != NULL) == (i % 100 == 0));
        require(object == NULL || keyspace_expire_at_ms(keys, object) == 1000 + i);
    }
    /* The pieces have become few again. */
    size_t per_object = object_memory(find_number(keys, 0));
    ck_assert_uint_le(keyspace_memory(keys), (size_t)KEYS / 100 * (per_object + 36));
    for (unsigned i = 0; i < KEYS; i += 100) {
        require(delete_number(keys, i));
    }
    ck_assert_ptr_null(table_directory(&keys->table));
    ck_assert_uint_eq(store_memory(store), 0);
    store_destroy(store);
}
END_TEST

START_TEST(clearing_a_giant)
{
    struct store *store = store_create();
    struct keyspace *keys = store_keyspace(store, 5);
    for (unsigned i = 0; i < 20000; i++) {
        set_number(keys, i, "value", i);
    }
    for (unsigned i = 0; i < KEYS / 10; i++) {
        set_number(keys, i, "value", i % 10 == 0 ? 1000 + i : 0);
    }
    keyspace_discard(keys);
    ck_assert_uint_eq(keyspace_count(keys), 0);
    ck_assert_uint_eq(keyspace_memory(keys), 0);
    ck_assert_uint_eq(store_memory(store), store_freeing(store));
    ck_assert(!store_has_expiries(store));
    set_number(keys, 1, "value", 0); /* it is as good as new */
    size_t steps = 0;
    while (store_free_some(store, 1000) > 0) {
        steps++;
    }
    ck_assert_uint_ge(steps, KEYS / 10 / 1000);
    keyspace_clear(keys);
    ck_assert_uint_eq(store_memory(store), 0);
    ck_assert_uint_eq(keyspace_count(keys), 0);
    ck_assert_uint_eq(keyspace_next_expiry_ms(keys), 0);
    ck_assert_ptr_null(find_number(keys, 1));
    set_number(keys, 1, "again", 0);
    assert_holds(find_number(keys, 1), bytes_of("again"));
    store_destroy(store);
}
END_TEST

struct shared {
    struct store *store;
    pthread_mutex_t locks[16];
    _Atomic bool stop;
};

struct worker {
    struct shared *shared;
    uint64_t seed;
};

static void *work(void *context)
{
    struct worker *worker = context;
    struct shared *shared = worker->shared;
    struct prng prng;
    prng_init(&prng, worker->seed);
    for (int i = 0; i < 60000; i++) {
        struct numbered_key name;
        numbered_key(&name, prng_below(&prng, 40000));
        uint16_t slot = (uint16_t)(name.hash % 16);
        struct keyspace *keys = store_keyspace(shared->store, slot);
        keyspace_prefetch(keys, name.hash);
        pthread_mutex_lock(&shared->locks[slot]);
        keyspace_prefetch_object(keys, name.hash);
        if (prng_below(&prng, 3) == 0) {
            keyspace_delete(keys, name.key, name.hash);
        } else {
            int result = keyspace_set_string(keys, name.key, name.hash, name.key,
                                             prng_below(&prng, 2), NULL);
            require(result == 0);
        }
        pthread_mutex_unlock(&shared->locks[slot]);
    }
    return NULL;
}

static void *watch(void *context)
{
    struct shared *shared = context;
    while (!atomic_load(&shared->stop)) {
        require(store_key_count(shared->store) <= 40000);
        require(store_expiry_count(shared->store) <= 40000);
        require(store_memory(shared->store) <= (size_t)40000 * 200);
    }
    return NULL;
}

/* For the thread sanitizer above all. */
START_TEST(slots_are_used_by_several_threads)
{
    struct shared shared = {.store = store_create()};
    pthread_t threads[THREADS + 1];
    struct worker workers[THREADS];
    for (size_t i = 0; i < 16; i++) {
        pthread_mutex_init(&shared.locks[i], NULL);
    }
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){&shared, i + 1};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    ck_assert_int_eq(pthread_create(&threads[THREADS], NULL, watch, &shared), 0);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    atomic_store(&shared.stop, true);
    pthread_join(threads[THREADS], NULL);
    size_t count = 0, memory = 0;
    for (uint16_t slot = 0; slot < 16; slot++) {
        count += keyspace_count(store_keyspace(shared.store, slot));
        memory += keyspace_memory(store_keyspace(shared.store, slot));
    }
    ck_assert_uint_eq(store_key_count(shared.store), count);
    ck_assert_uint_le(store_memory(shared.store), memory + memory / 256);
    ck_assert_uint_ge(store_memory(shared.store), memory - memory / 256);
    for (uint16_t slot = 0; slot < 16; slot++) {
        keyspace_clear(store_keyspace(shared.store, slot));
    }
    ck_assert_uint_eq(store_memory(shared.store), 0);
    store_destroy(shared.store);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("giant");
    TCase *tests = tcase_create("giant");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, a_million_keys_in_one_slot);
    tcase_add_test(tests, clearing_a_giant);
    tcase_add_test(tests, slots_are_used_by_several_threads);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
