/*
 * Long random runs against a plain array: whatever the order of operations, the keyspaces hold what
 * the model holds. Keys of 0 to 300 arbitrary bytes, values of 0 to 100 000.
 */
#include "base/error.h"
#include "tests/unit/store/support.h"

#define KEYS 500
#define KEYSPACES 2
#define KEY_SIZE_MAX 300
#define VALUE_SIZE_MAX 100000

struct model_value {
    bool present;
    char *data;
    size_t size;
    uint64_t expire_at_ms;
};

struct world {
    struct prng prng;
    struct store *store;
    struct keyspace *keys[KEYSPACES];
    char key_data[KEYS][KEY_SIZE_MAX];
    struct bytes names[KEYS];
    uint64_t hashes[KEYS];
    struct model_value values[KEYSPACES][KEYS];
    size_t visits[KEYS];
    char scratch[VALUE_SIZE_MAX];
};

static bool known(const struct world *world, size_t count, struct bytes key)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal(world->names[i], key)) {
            return true;
        }
    }
    return false;
}

static struct world *world_create(uint64_t seed)
{
    struct world *world = calloc(1, sizeof(*world));
    ck_assert_ptr_nonnull(world);
    prng_init(&world->prng, seed);
    world->store = store_create();
    for (uint16_t i = 0; i < KEYSPACES; i++) {
        world->keys[i] = store_keyspace(world->store, i);
    }
    for (size_t i = 0; i < KEYS; i++) {
        do {
            size_t size = (size_t)prng_below(
                &world->prng, prng_below(&world->prng, 4) == 0 ? KEY_SIZE_MAX + 1 : 20);
            for (size_t at = 0; at < size; at++) {
                world->key_data[i][at] = (char)prng_next(&world->prng);
            }
            world->names[i] = (struct bytes){world->key_data[i], size};
        } while (known(world, i, world->names[i]));
        world->hashes[i] = key_hash(world->names[i]);
    }
    return world;
}

static void world_destroy(struct world *world)
{
    for (size_t i = 0; i < KEYSPACES * KEYS; i++) {
        free(world->values[i / KEYS][i % KEYS].data);
    }
    store_destroy(world->store);
    free(world);
}

static void model_set(struct model_value *value, struct bytes data, uint64_t expire_at_ms)
{
    char *copy = malloc(data.size + 1);
    ck_assert_ptr_nonnull(copy);
    if (data.size > 0) {
        memcpy(copy, data.data, data.size);
    }
    free(value->data);
    *value = (struct model_value){true, copy, data.size, expire_at_ms};
}

static void model_delete(struct model_value *value)
{
    free(value->data);
    *value = (struct model_value){0};
}

static void assert_same(struct world *world, size_t space, size_t key)
{
    const struct model_value *value = &world->values[space][key];
    const struct object *object =
        keyspace_find(world->keys[space], world->names[key], world->hashes[key]);
    ck_assert_int_eq(object != NULL, value->present);
    if (object != NULL) {
        assert_holds(object, (struct bytes){value->data, value->size});
        ck_assert_uint_eq(keyspace_expire_at_ms(world->keys[space], object), value->expire_at_ms);
    }
}

static void count_visit(void *context, const struct object *object)
{
    struct world *world = context;
    size_t key = 0;
    while (key < KEYS && !bytes_equal(world->names[key], object_key(object))) {
        key++;
    }
    ck_assert_uint_lt(key, KEYS);
    world->visits[key]++;
}

static void assert_all_same(struct world *world, size_t space)
{
    struct keyspace *keys = world->keys[space];
    size_t count = 0, expiring = 0;
    uint64_t soonest = UINT64_MAX;
    memset(world->visits, 0, sizeof(world->visits));
    uint64_t cursor = 0;
    do {
        cursor = keyspace_scan(keys, cursor, 1 + (size_t)prng_below(&world->prng, 20), count_visit,
                               world);
    } while (cursor != 0);
    for (size_t key = 0; key < KEYS; key++) {
        const struct model_value *value = &world->values[space][key];
        assert_same(world, space, key);
        ck_assert_uint_eq(world->visits[key], value->present ? 1 : 0);
        count += value->present ? 1 : 0;
        if (value->expire_at_ms != 0) {
            expiring++;
            soonest = value->expire_at_ms < soonest ? value->expire_at_ms : soonest;
        }
    }
    ck_assert_uint_eq(keyspace_count(keys), count);
    ck_assert_uint_eq(keyspace_expiry_count(keys), expiring);
    if (expiring > 0) {
        ck_assert_uint_ne(keyspace_next_expiry_ms(keys), 0);
        ck_assert_uint_le(keyspace_next_expiry_ms(keys), soonest);
    }
}

static size_t random_size(struct prng *prng)
{
    switch (prng_below(prng, 12)) {
    case 0: return (size_t)prng_below(prng, VALUE_SIZE_MAX + 1);
    case 1:
    case 2: return 250 + (size_t)prng_below(prng, 12);
    default: return (size_t)prng_below(prng, 70);
    }
}

static struct bytes random_value(struct world *world)
{
    struct prng *prng = &world->prng;
    if (prng_below(prng, 4) == 0) {
        int64_t value = (int64_t)(prng_next(prng) >> prng_below(prng, 64));
        int size = snprintf(world->scratch, sizeof(world->scratch), "%lld", (long long)value);
        return (struct bytes){world->scratch, (size_t)size};
    }
    size_t size = random_size(prng);
    for (size_t at = 0; at < size; at += 1 + at / 8) {
        world->scratch[at] = (char)prng_next(prng);
    }
    return (struct bytes){world->scratch, size};
}

static void do_resize(struct world *world, size_t space, size_t key)
{
    struct model_value *value = &world->values[space][key];
    size_t size = prng_below(&world->prng, 3) == 0
                      ? value->size + (size_t)prng_below(&world->prng, 10)
                      : random_size(&world->prng);
    char *data;
    ck_assert_int_eq(keyspace_resize_string(world->keys[space], world->names[key],
                                            world->hashes[key], size, &data),
                     0);
    size_t kept = value->size < size ? value->size : size;
    memset(world->scratch, 0, sizeof(world->scratch));
    if (kept > 0) {
        memcpy(world->scratch, value->data, kept);
    }
    size = size > VALUE_SIZE_MAX ? VALUE_SIZE_MAX : size;
    ck_assert_int_eq(keyspace_resize_string(world->keys[space], world->names[key],
                                            world->hashes[key], size, &data),
                     0);
    if (size > 0) {
        data[size - 1] = world->scratch[size - 1] = (char)prng_next(&world->prng);
    }
    model_set(value, (struct bytes){world->scratch, size}, value->expire_at_ms);
}

static void do_copy(struct world *world, size_t space, size_t key, bool rename)
{
    size_t to_space = (size_t)prng_below(&world->prng, KEYSPACES);
    size_t to_key = (size_t)prng_below(&world->prng, KEYS);
    struct model_value *value = &world->values[space][key];
    int result = keyspace_copy(world->keys[space], world->names[key], world->hashes[key],
                               world->keys[to_space], world->names[to_key], world->hashes[to_key]);
    ck_assert_int_eq(result, value->present ? 0 : TORC_ENOTFOUND);
    if (!value->present || (space == to_space && key == to_key)) {
        return;
    }
    model_set(&world->values[to_space][to_key], (struct bytes){value->data, value->size},
              value->expire_at_ms);
    assert_same(world, to_space, to_key);
    if (rename) {
        ck_assert(keyspace_delete(world->keys[space], world->names[key], world->hashes[key]));
        model_delete(value);
    }
}

/* Seldom one that takes more bytes than the others. */
static uint64_t random_expiry(struct world *world)
{
    return prng_below(&world->prng, 200) == 0 ? prng_next(&world->prng) | 1
                                              : 1 + prng_below(&world->prng, 1000000);
}

static void do_set(struct world *world, size_t space, size_t key)
{
    struct bytes value = random_value(world);
    uint64_t expire_at_ms = prng_below(&world->prng, 3) == 0 ? random_expiry(world) : 0;
    ck_assert_int_eq(keyspace_set_string(world->keys[space], world->names[key], world->hashes[key],
                                         value, expire_at_ms, NULL),
                     0);
    model_set(&world->values[space][key], value, expire_at_ms);
}

static void do_expiry(struct world *world, size_t space, size_t key)
{
    struct model_value *value = &world->values[space][key];
    uint64_t expire_at_ms = prng_below(&world->prng, 3) == 0 ? 0 : random_expiry(world);
    int result = keyspace_set_expiry(world->keys[space], world->names[key], world->hashes[key],
                                     expire_at_ms);
    ck_assert_int_eq(result, value->present ? 0 : TORC_ENOTFOUND);
    if (value->present) {
        value->expire_at_ms = expire_at_ms;
    }
}

/* Deletes are more or less frequent by turns, so that tables grow and shrink again. */
static void step(struct world *world, bool shrinking)
{
    size_t space = (size_t)prng_below(&world->prng, KEYSPACES);
    size_t key = (size_t)prng_below(&world->prng, KEYS);
    uint64_t operation = prng_below(&world->prng, shrinking ? 30 : 11);
    switch (operation) {
    case 0:
    case 1:
    case 2:
    case 3: do_set(world, space, key); break;
    case 4: do_resize(world, space, key); break;
    case 5: do_copy(world, space, key, false); break;
    case 6: do_copy(world, space, key, true); break;
    case 7:
    case 8: do_expiry(world, space, key); break;
    default:
        ck_assert_int_eq(keyspace_delete(world->keys[space], world->names[key], world->hashes[key]),
                         world->values[space][key].present);
        model_delete(&world->values[space][key]);
        break;
    }
    assert_same(world, space, key);
}

START_TEST(random_operations_agree_with_the_model)
{
    struct world *world = world_create((uint64_t)_i + 1);
    for (int i = 0; i < 20000; i++) {
        step(world, i / 2500 % 2 == 1);
        if (i % 1250 == 1249) {
            assert_all_same(world, 0);
            assert_all_same(world, 1);
        }
    }
    keyspace_clear(world->keys[0]);
    for (size_t key = 0; key < KEYS; key++) {
        model_delete(&world->values[0][key]);
    }
    assert_all_same(world, 0);
    assert_all_same(world, 1);
    for (size_t key = 0; key < KEYS; key++) {
        keyspace_delete(world->keys[1], world->names[key], world->hashes[key]);
    }
    assert_nothing_is_left(world->store);
    world_destroy(world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model");
    TCase *tests = tcase_create("model");
    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, random_operations_agree_with_the_model, 0, 4);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
