/*
 * Fails the first, second, third ... allocation of each operation until it succeeds, and checks
 * that every failure left all as it was. The four functions at the top take the place of the
 * library's: the linker takes a member of a static library only for what is still undefined.
 */
#include "base/error.h"
#include "node/store/allocate.h"
#include "tests/unit/store/hash_type.h"
#include "tests/unit/store/list_model.h"
#include "tests/unit/store/members_model.h"
#include "tests/unit/store/set_type.h"
#include "tests/unit/store/support.h"
#include "tests/unit/store/zset_model.h"

#include <malloc.h>

static size_t allocations_left = SIZE_MAX;
static size_t blocks; /* allocated and not released: a leak shows at the end of the test */

static bool spend(void)
{
    if (allocations_left == 0) {
        return false;
    }
    allocations_left -= allocations_left == SIZE_MAX ? 0 : 1;
    return true;
}

void *store_allocate(size_t size)
{
    void *block = spend() ? malloc(size) : NULL;
    blocks += block != NULL ? 1 : 0;
    return block;
}

void *store_reallocate(void *block, size_t size)
{
    return spend() ? realloc(block, size) : NULL; /* of what is there: as many blocks as before */
}

void store_release(void *block)
{
    blocks -= block != NULL ? 1 : 0;
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
    allocations_left = SIZE_MAX;
    store = store_create();
    ck_assert_ptr_nonnull(store);
    keys = store_keyspace(store, 3);
}

static void teardown(void)
{
    allocations_left = SIZE_MAX;
    store_destroy(store);
    ck_assert_uint_eq(blocks, 0);
}

typedef int operation(uint64_t number);

/* Repeats the operation with more and more allocations granted. Returns how often it failed. */
static unsigned grind(operation *operate, uint64_t number, struct bytes unchanged)
{
    size_t count = keyspace_count(keys);
    size_t expiring = keyspace_expiry_count(keys);
    for (unsigned granted = 0;; granted++) {
        allocations_left = granted;
        int result = operate(number);
        allocations_left = SIZE_MAX;
        if (result == 0) {
            return granted;
        }
        ck_assert_int_eq(result, TORC_ENOMEM);
        ck_assert_uint_lt(granted, 50);
        ck_assert_uint_eq(keyspace_count(keys), count);
        ck_assert_uint_eq(keyspace_expiry_count(keys), expiring);
        if (unchanged.data == NULL) {
            ck_assert_ptr_null(find_number(keys, number));
        } else {
            assert_holds(find_number(keys, number), unchanged);
        }
    }
}

static int set_short(uint64_t number)
{
    struct numbered_key name;
    numbered_key(&name, number);
    return keyspace_set_string(keys, name.key, name.hash, bytes_of("value"), 0, NULL);
}

static int set_long(uint64_t number)
{
    static const char text[400] = "long";
    struct numbered_key name;
    numbered_key(&name, number);
    return keyspace_set_string(keys, name.key, name.hash, (struct bytes){text, sizeof(text)}, 50,
                               NULL);
}

static int expire(uint64_t number)
{
    struct numbered_key name;
    numbered_key(&name, number);
    return keyspace_set_expiry(keys, name.key, name.hash, 1000 + number);
}

/* In more bytes than the others. */
static int expire_late(uint64_t number)
{
    struct numbered_key name;
    numbered_key(&name, number);
    return keyspace_set_expiry(keys, name.key, name.hash, INT64_MAX);
}

static int set_expiring(uint64_t number)
{
    struct numbered_key name;
    numbered_key(&name, number);
    return keyspace_set_string(keys, name.key, name.hash, bytes_of("value"), 1000 + number, NULL);
}

static int resize_more(uint64_t number)
{
    struct numbered_key name;
    char *data;
    numbered_key(&name, number);
    return keyspace_resize_string(keys, name.key, name.hash, 100, &data);
}

static int resize_much_more(uint64_t number)
{
    struct numbered_key name;
    char *data;
    numbered_key(&name, number);
    return keyspace_resize_string(keys, name.key, name.hash, 3000000, &data);
}

static int copy_from_zero(uint64_t number)
{
    struct numbered_key from, to;
    numbered_key(&from, 0);
    numbered_key(&to, number);
    return keyspace_copy(keys, from.key, from.hash, keys, to.key, to.hash);
}

static int restore_one(uint64_t number)
{
    struct numbered_key name;
    struct buf dump;
    numbered_key(&name, number);
    buf_init(&dump);
    object_dump(find_number(keys, 0), &dump);
    int result = keyspace_restore(keys, name.key, name.hash, buf_bytes(&dump), 0);
    buf_deinit(&dump);
    return result;
}

START_TEST(inserting_through_all_growths_and_splits)
{
    struct bytes absent = {NULL, 0};
    unsigned deepest = 0;
    for (uint64_t i = 0; i < 12000; i++) {
        unsigned failures = grind(i % 3 == 0 ? set_expiring : set_short, i, absent);
        ck_assert_uint_ge(failures, 1);
        deepest = failures > deepest ? failures : deepest;
    }
    /* A split that doubles the directory was cut short at each of its steps. It may also be done
     * without, by growing, which is why it never takes all of them to succeed. */
    ck_assert_uint_ge(deepest, 2);
    ck_assert_uint_eq(keyspace_count(keys), 12000);
    for (uint64_t i = 0; i < 12000; i++) {
        assert_holds(find_number(keys, i), bytes_of("value"));
        require(keyspace_expire_at_ms(keys, find_number(keys, i)) == (i % 3 == 0 ? 1000 + i : 0));
    }
}
END_TEST

/* Each split fails at its n-th allocation, for every n, and is then done by growing or not at all.
 */
START_TEST(splits_cut_short)
{
    struct prng prng;
    prng_init(&prng, (uint64_t)_i);
    size_t present = 0;
    static bool there[20000];
    memset(there, 0, sizeof(there));
    for (uint64_t i = 0; i < 20000; i++) {
        allocations_left = 1 + (size_t)prng_below(&prng, 10);
        int result = i % 3 == 0 ? set_expiring(i) : set_short(i);
        allocations_left = SIZE_MAX;
        ck_assert(result == 0 || result == TORC_ENOMEM);
        there[i] = result == 0;
        present += result == 0 ? 1 : 0;
    }
    ck_assert_uint_eq(keyspace_count(keys), present);
    for (uint64_t i = 0; i < 20000; i++) {
        const struct object *object = find_number(keys, i);
        ck_assert_int_eq(object != NULL, there[i]);
        require(object == NULL ||
                keyspace_expire_at_ms(keys, object) == (i % 3 == 0 ? 1000 + i : 0));
    }
    /* Deleting never fails, whatever it could not give back. */
    for (uint64_t i = 0; i < 20000; i++) {
        allocations_left = (size_t)prng_below(&prng, 5);
        ck_assert_int_eq(delete_number(keys, i), there[i]);
        if (i % 1000 == 999) {
            ck_assert_int_eq(find_number(keys, i + 1) != NULL, i + 1 < 20000 && there[i + 1]);
        }
    }
    allocations_left = SIZE_MAX;
    ck_assert_uint_eq(keyspace_count(keys), 0);
    keyspace_clear(keys);
    assert_nothing_is_left(store);
}
END_TEST

START_TEST(changing_what_is_there)
{
    set_number(keys, 1, "value", 0);
    ck_assert_uint_eq(grind(expire, 1, bytes_of("value")), 1);
    ck_assert_uint_eq(keyspace_expire_at_ms(keys, find_number(keys, 1)), 1001);
    ck_assert_uint_eq(grind(expire, 1, bytes_of("value")), 0); /* there is room for it now */
    ck_assert_uint_eq(grind(expire_late, 1, bytes_of("value")), 1);
    ck_assert_uint_eq(keyspace_expire_at_ms(keys, find_number(keys, 1)), INT64_MAX);
    set_number(keys, 0, "source", 77);
    ck_assert_uint_eq(grind(set_long, 1, bytes_of("value")), 1);
    set_number(keys, 1, "value", 0);
    ck_assert_uint_eq(grind(resize_more, 1, bytes_of("value")), 1);
    set_number(keys, 1, "123", 0);
    ck_assert_uint_eq(grind(resize_much_more, 1, bytes_of("123")), 1);
    ck_assert_uint_ge(grind(resize_more, 2, (struct bytes){NULL, 0}), 1);
    set_number(keys, 3, "another value that is far longer than the one it gives way to", 0);
    ck_assert_uint_eq(
        grind(copy_from_zero, 3,
              bytes_of("another value that is far longer than the one it gives way to")),
        1);
    ck_assert_uint_eq(keyspace_expire_at_ms(keys, find_number(keys, 3)), 77);
    ck_assert_uint_ge(grind(copy_from_zero, 4, (struct bytes){NULL, 0}), 1);
    ck_assert_uint_ge(grind(restore_one, 5, (struct bytes){NULL, 0}), 1);
    set_number(keys, 6, "a value in need of another object to be replaced", 9);
    ck_assert_uint_eq(
        grind(restore_one, 6, bytes_of("a value in need of another object to be replaced")), 1);
}
END_TEST

/* Each operation is granted a few allocations; what it says it did not do it has not done. */
START_TEST(lists_cut_short)
{
    static const size_t sizes[] = {10, 40, 400};
    struct list_world *world = calloc(1, sizeof(*world));
    ck_assert_ptr_nonnull(world);
    list_world_init(world, (uint64_t)_i + 1, keys);
    world->allocations_left = &allocations_left;
    world->value_size_max = sizes[_i % 3];
    for (size_t i = 0; i < 8000; i++) {
        list_world_step(world, i / 1000 % 2 == 0);
        if (i % 10 == 0 || world->count < 100) {
            check_world(world);
        }
    }
    ck_assert_uint_gt(world->failures, 100);
    model_remove(world, 0, world->count);
    keyspace_clear(keys);
    assert_nothing_is_left(store);
    free(world);
}
END_TEST

START_TEST(members_cut_short)
{
    struct members_world *world = calloc(1, sizeof(*world));
    ck_assert_ptr_nonnull(world);
    members_world_init(world, (uint64_t)_i + 1);
    world->allocations_left = &allocations_left;
    for (size_t i = 0; i < 20000; i++) {
        members_world_step(world, i / 8000 % 2 == 0);
        if (i % 2000 == 1999) {
            check_members(world);
        }
    }
    ck_assert_uint_gt(world->failures, 1000);
    members_world_deinit(world);
    free(world);
}
END_TEST

static void fields_cut_short(const struct field_type *type, int number)
{
    struct field_world *world = malloc(sizeof(*world));
    ck_assert_ptr_nonnull(world);
    field_world_init(world, type, (uint64_t)number + 1, keys);
    world->allocations_left = &allocations_left;
    world->shape = (enum field_shape)(number % 4);
    field_world_run(world, 3200);
    ck_assert_uint_gt(world->failures, 100);
    free(world);
    keyspace_clear(keys);
    assert_nothing_is_left(store);
}

START_TEST(hashes_cut_short)
{
    fields_cut_short(&hash_type, _i);
}
END_TEST

START_TEST(sets_cut_short)
{
    fields_cut_short(&set_type, _i);
}
END_TEST

static void add_members(struct bytes key, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        bool added;
        char text[16];
        struct bytes member = {text, (size_t)snprintf(text, sizeof(text), "m%u", i)};
        ck_assert_int_eq(keyspace_set_add(keys, key, key_hash(key), member, &added, NULL), 0);
    }
}

/* What a combination is stored over is there until all of it is. */
START_TEST(combinations_cut_short)
{
    const struct bytes names[] = {BYTES_LITERAL("a"), BYTES_LITERAL("b")};
    struct bytes to = bytes_of("to");
    add_members(names[0], 0, 400);
    add_members(names[1], 200, 600);
    const struct object *sets[] = {keyspace_find(keys, names[0], key_hash(names[0])),
                                   keyspace_find(keys, names[1], key_hash(names[1]))};
    for (int which = SET_UNION; which <= SET_DIFFERENCE; which++) {
        set_text(keys, "to", bytes_of("before"), 0);
        size_t memory = keyspace_memory(keys);
        size_t count = 0;
        int result = TORC_ENOMEM;
        for (size_t granted = 0; result != 0; granted += 1 + granted / 20) {
            allocations_left = granted;
            result = keyspace_set_combine(keys, to, key_hash(to), (enum set_operation)which, sets,
                                          2, &count);
            allocations_left = SIZE_MAX;
            if (result != 0) {
                ck_assert_int_eq(result, TORC_ENOMEM);
                assert_holds(find_text(keys, "to"), bytes_of("before"));
                ck_assert_uint_eq(keyspace_memory(keys), memory);
            }
        }
        ck_assert_uint_eq(count, which == SET_UNION ? 600 : 200);
        ck_assert_uint_eq(set_count(find_text(keys, "to")), count);
    }
}
END_TEST

/* As for lists. */
START_TEST(sorted_sets_cut_short)
{
    struct zset_world *world = calloc(1, sizeof(*world));
    ck_assert_ptr_nonnull(world);
    zset_world_init(world, (uint64_t)_i + 1, keys, _i % 2 == 0 ? 200 : 1000, _i % 3 == 0 ? 50 : 0);
    world->allocations_left = &allocations_left;
    for (size_t i = 0; i < 1500; i++) {
        zset_world_step(world, i / 250 % 2 == 0);
        if (i % 5 == 0 || world->count < 20) {
            zset_check_world(world);
        }
    }
    ck_assert_uint_gt(world->failures, 100);
    ck_assert_uint_gt(world->large_failures, 50);
    zset_world_deinit(world);
    keyspace_clear(keys);
    assert_nothing_is_left(store);
    free(world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("no_memory");
    TCase *tests = tcase_create("no_memory");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, inserting_through_all_growths_and_splits);
    tcase_add_loop_test(tests, splits_cut_short, 0, 4);
    tcase_add_test(tests, changing_what_is_there);
    tcase_add_loop_test(tests, lists_cut_short, 0, 6);
    tcase_add_loop_test(tests, members_cut_short, 0, 2);
    tcase_add_loop_test(tests, hashes_cut_short, 0, 4);
    tcase_add_loop_test(tests, sets_cut_short, 0, 4);
    tcase_add_test(tests, combinations_cut_short);
    tcase_add_loop_test(tests, sorted_sets_cut_short, 0, 4);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
