/*
 * What is big is taken out in no time and freed in bounded steps, however it is lost. The four
 * functions at the top take the place of the library's allocator and count what is released: the
 * steps' own word is not taken for it.
 */
#include "node/store/hash.h"
#include "node/store/list.h"
#include "node/store/object.h"
#include "node/store/remains.h"
#include "node/store/set.h"
#include "node/store/zset.h"
#include "tests/unit/store/support.h"

#include <malloc.h>
#include <pthread.h>

#define MEMBERS 2500u
#define STEP 50u       /* blocks, and pages */
#define LAST_BLOCKS 5u /* a table, what it is in, and so on up to what remembered it */
#define AT_ONCE_MAX 8u /* blocks that taking a big value out may release: its key, small ones */
#define BLOCK_MAX (64u * 1024) /* which the last one of a step may have */
#define TEXT_BLOCK_MAX (2u * REMAINS_TEXT_MIN)

static _Atomic size_t allocated, released;
static _Atomic bool no_memory;

void *store_allocate(size_t size)
{
    void *block = atomic_load(&no_memory) ? NULL : malloc(size);
    allocated += block != NULL ? 1 : 0;
    return block;
}

void *store_reallocate(void *block, size_t size)
{
    return atomic_load(&no_memory) ? NULL : realloc(block, size);
}

void store_release(void *block)
{
    released += block != NULL ? 1 : 0;
    free(block);
}

size_t store_allocated_size(const void *block)
{
    return malloc_usable_size((void *)(size_t)block);
}

static struct store *store;
static struct keyspace *keys;

static void setup(void)
{
    store = store_create();
    ck_assert_ptr_nonnull(store);
    keys = store_keyspace(store, 7);
}

static void teardown(void)
{
    store_destroy(store);
    ck_assert_uint_eq(allocated, released);
}

/* ---- values ---- */

static void add(struct keyspace *to, enum object_type type, struct bytes key, unsigned number)
{
    char text[24];
    bool added;
    struct bytes member = {text, (size_t)snprintf(text, sizeof(text), "member:%u", number)};
    struct zset_entry entry = {member, number};
    struct zset_change change = {.entries = &entry, .count = 1};
    uint64_t hash = key_hash(key);
    int result = 0;
    switch (type) {
    case OBJECT_STRING: break;
    case OBJECT_LIST:
        result = keyspace_list_push(to, key, hash, LIST_TAIL, &member, 1, NULL);
        break;
    case OBJECT_HASH:
        result = keyspace_hash_set(to, key, hash, member, member, &added, NULL);
        break;
    case OBJECT_SET: result = keyspace_set_add(to, key, hash, member, &added, NULL); break;
    case OBJECT_ZSET: result = keyspace_zset_add(to, key, hash, &change, NULL); break;
    }
    require(result == 0);
}

static void fill(struct keyspace *to, enum object_type type, const char *key, unsigned members)
{
    struct bytes name = bytes_of(key);
    if (type == OBJECT_STRING) {
        char *data;
        ck_assert_int_eq(
            keyspace_resize_string(to, name, key_hash(name), (size_t)REMAINS_TEXT_MIN + 1, &data),
            0);
        return;
    }
    for (unsigned i = 0; i < members; i++) {
        add(to, type, name, i);
    }
}

/* ---- ways to lose one ---- */

static void by_deletion(void)
{
    ck_assert(keyspace_delete(keys, bytes_of("big"), key_hash(bytes_of("big"))));
}

static void by_string(void)
{
    set_text(keys, "big", bytes_of("other"), 0);
}

static void by_renaming(void)
{
    set_text(keys, "small", bytes_of("other"), 0);
    ck_assert_int_eq(keyspace_rename(keys, bytes_of("small"), key_hash(bytes_of("small")),
                                     bytes_of("big"), key_hash(bytes_of("big"))),
                     0);
}

static void by_copying(void)
{
    set_text(keys, "small", bytes_of("other"), 0);
    ck_assert_int_eq(keyspace_copy(keys, bytes_of("small"), key_hash(bytes_of("small")), keys,
                                   bytes_of("big"), key_hash(bytes_of("big"))),
                     0);
}

static void by_restoring(void)
{
    struct buf dump = {0};
    object_dump(set_text(keys, "small", bytes_of("other"), 0), &dump);
    ck_assert_int_eq(
        keyspace_restore(keys, bytes_of("big"), key_hash(bytes_of("big")), buf_bytes(&dump), 5), 0);
    buf_deinit(&dump);
}

static void by_combining(void)
{
    const struct object *none = NULL;
    size_t count;
    ck_assert_int_eq(keyspace_set_combine(keys, bytes_of("big"), key_hash(bytes_of("big")),
                                          SET_UNION, &none, 1, &count),
                     0);
    ck_assert_uint_eq(count, 0);
}

static void by_emptying(void)
{
    struct bytes key = bytes_of("big");
    const struct object *object = find_text(keys, "big");
    switch (object_type(object)) {
    case OBJECT_LIST: keyspace_list_remove(keys, key, key_hash(key), 0, list_count(object)); break;
    case OBJECT_ZSET:
        keyspace_zset_remove_ranks(keys, key, key_hash(key), 0, zset_count(object));
        break;
    default: by_deletion();
    }
}

static void by_discarding(void)
{
    keyspace_discard(keys);
}

typedef void way(void);
static way *const ways[] = {by_deletion,  by_string,    by_renaming, by_copying,
                            by_restoring, by_combining, by_emptying, by_discarding};

/* Frees all that waits in steps, each of which is bounded; returns how many. `block_max`: no block
 * is larger. */
static size_t free_in_steps(size_t block_max)
{
    size_t bytes_max = (size_t)STEP * FREEING_PAGE_SIZE + block_max;
    size_t steps = 0;
    for (;; steps++) {
        size_t before = released;
        size_t memory = store_memory(store);
        size_t waiting = store_freeing(store);
        size_t bytes = store_free_some(store, STEP);
        require(released - before <= STEP + LAST_BLOCKS);
        require(bytes <= bytes_max);
        require(store_memory(store) == memory - bytes);
        require(store_freeing(store) == waiting - bytes);
        if (bytes == 0) {
            return steps;
        }
    }
}

static void lose(enum object_type type, way *take_out)
{
    fill(keys, type, "big", MEMBERS);
    fill(keys, OBJECT_LIST, "kept", 10);
    size_t size = object_memory(find_text(keys, "big"));
    size_t blocks = allocated - released;
    size_t before = released;
    size_t memory = keyspace_memory(keys);
    ck_assert_uint_eq(store_freeing(store), 0);
    take_out();
    ck_assert_uint_le(released - before, AT_ONCE_MAX);
    ck_assert_uint_le(keyspace_memory(keys), memory - size + 1024);
    /* It is as large as before, and waits. */
    ck_assert_uint_ge(store_freeing(store), size);
    ck_assert_uint_ge(store_memory(store), store_freeing(store));
    ck_assert_uint_ge(store_memory(store) + 4096, memory);
    ck_assert_uint_ge(free_in_steps(type == OBJECT_STRING ? TEXT_BLOCK_MAX : BLOCK_MAX),
                      blocks / (STEP + LAST_BLOCKS));
    ck_assert_uint_eq(store_freeing(store), 0);
    keyspace_clear(keys);
    ck_assert_uint_eq(store_memory(store), 0);
}

/* Each type, and each way. */
START_TEST(a_big_value_is_freed_in_steps)
{
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        lose((enum object_type)_i, ways[i]);
    }
}
END_TEST

START_TEST(a_small_value_is_freed_at_once)
{
    for (enum object_type type = OBJECT_LIST; type <= OBJECT_ZSET; type++) {
        fill(keys, type, "big", 140);
        by_deletion();
        ck_assert_uint_eq(store_freeing(store), 0);
        ck_assert_uint_eq(store_memory(store), 0);
        ck_assert_uint_eq(allocated, released);
    }
}
END_TEST

/* Big values among many keys of a slot that goes as a whole. */
START_TEST(a_giant_of_big_values_is_freed_in_steps)
{
    char name[24];
    for (unsigned i = 0; i < 3000; i++) {
        set_number(keys, i, "value", i % 3 == 0 ? 1000 : 0);
    }
    for (unsigned i = 0; i < 12; i++) {
        snprintf(name, sizeof(name), "big:%u", i);
        fill(keys, (enum object_type)(OBJECT_STRING + i % 5), name, 2000);
    }
    ck_assert_ptr_nonnull(table_directory(&keys->table));
    size_t blocks = allocated - released;
    size_t memory = store_memory(store);
    size_t before = released;
    keyspace_discard(keys);
    ck_assert_uint_eq(released, before);
    ck_assert_uint_eq(keyspace_memory(keys), 0);
    ck_assert(!store_has_expiries(store));
    ck_assert_uint_le(memory, store_memory(store));
    ck_assert_uint_eq(store_memory(store), store_freeing(store));
    set_number(keys, 1, "value", 0); /* it is as good as new */
    ck_assert_uint_ge(free_in_steps(TEXT_BLOCK_MAX), blocks / (STEP + LAST_BLOCKS));
    ck_assert_uint_eq(store_memory(store), keyspace_memory(keys));
    ck_assert_uint_eq(keyspace_count(keys), 1);
}
END_TEST

START_TEST(without_memory_it_is_freed_at_once)
{
    for (enum object_type type = OBJECT_STRING; type <= OBJECT_ZSET; type++) {
        fill(keys, type, "big", MEMBERS);
        atomic_store(&no_memory, true);
        by_deletion();
        atomic_store(&no_memory, false);
        ck_assert_uint_eq(store_freeing(store), 0);
        ck_assert_uint_eq(store_memory(store), 0);
        fill(keys, type, "big", MEMBERS);
        atomic_store(&no_memory, true);
        keyspace_discard(keys);
        atomic_store(&no_memory, false);
        ck_assert_uint_eq(store_memory(store), 0);
        ck_assert_uint_eq(allocated, released);
    }
}
END_TEST

/* teardown finds what this leaves behind. */
START_TEST(a_store_goes_with_what_waits)
{
    for (enum object_type type = OBJECT_STRING; type <= OBJECT_ZSET; type++) {
        fill(keys, type, "big", MEMBERS);
        by_deletion();
        ck_assert_uint_gt(store_free_some(store, STEP), 0);
    }
    for (unsigned i = 0; i < 2000; i++) {
        set_number(keys, i, "value", 0);
    }
    keyspace_discard(keys);
    ck_assert_uint_gt(store_free_some(store, STEP), 0);
    ck_assert_uint_gt(store_freeing(store), 0);
}
END_TEST

/* ---- several threads ---- */

#define THREADS 2u
#define VALUES 1500u /* of each thread */

static _Atomic unsigned running;

/* Makes big values and takes them out, as fast as it can. */
static void *make_and_take_out(void *context)
{
    static const char text[REMAINS_BYTES_MIN];
    struct keyspace *mine = store_keyspace(store, *(uint16_t *)context);
    struct bytes key = bytes_of("big");
    struct bytes value = {text, sizeof(text)};
    for (unsigned i = 0; i < VALUES; i++) {
        require(keyspace_list_push(mine, key, key_hash(key), LIST_TAIL, &value, 1, NULL) == 0);
        require(keyspace_delete(mine, key, key_hash(key)));
    }
    running--;
    return NULL;
}

START_TEST(threads_free_what_others_leave)
{
    pthread_t threads[THREADS];
    uint16_t slots[THREADS];
    running = THREADS;
    for (unsigned i = 0; i < THREADS; i++) {
        slots[i] = (uint16_t)(100 + i);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, make_and_take_out, &slots[i]), 0);
    }
    while (running > 0) {
        (void)store_free_some(store, 1);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    free_in_steps(BLOCK_MAX);
    ck_assert_uint_eq(store_freeing(store), 0);
    ck_assert_uint_eq(store_memory(store), 0);
    ck_assert_uint_eq(allocated, released);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("remains");
    TCase *tests = tcase_create("remains");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, a_big_value_is_freed_in_steps, OBJECT_STRING, OBJECT_ZSET + 1);
    tcase_add_test(tests, a_small_value_is_freed_at_once);
    tcase_add_test(tests, a_giant_of_big_values_is_freed_in_steps);
    tcase_add_test(tests, without_memory_it_is_freed_at_once);
    tcase_add_test(tests, a_store_goes_with_what_waits);
    tcase_add_test(tests, threads_free_what_others_leave);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
