#include "node/store/packed.h"

#include "tests/unit/store/support.h"

#define BLOCK_SIZE 600
#define VALUES_MAX (BLOCK_SIZE / 2)

/* A run in a small block beside a plain array of values. */
struct world {
    struct prng prng;
    struct packed run;
    char block[BLOCK_SIZE];
    size_t count;
    struct {
        char fill; /* all bytes of the value */
        size_t size;
    } values[VALUES_MAX];
};

static char scratch[BLOCK_SIZE];

static struct bytes value_of(char fill, size_t size)
{
    memset(scratch, fill, size);
    return (struct bytes){scratch, size};
}

static void check(const struct world *world)
{
    const struct packed *run = &world->run;
    require(run->start <= run->end && run->end <= run->capacity);
    require(run->count == world->count);
    const char *at = run->data + run->start;
    struct bytes value;
    for (size_t i = 0; i < world->count; i++) {
        require(packed_seek(run, (uint32_t)i) == (uint32_t)(at - run->data));
        at = packed_read(at, &value);
        require(bytes_equal(value, value_of(world->values[i].fill, world->values[i].size)));
    }
    require(at == run->data + run->end);
    require(packed_seek(run, run->count) == run->end);
    for (size_t i = world->count; i > 0; i--) {
        at = packed_read_back(at, &value);
        require(bytes_equal(value, value_of(world->values[i - 1].fill, world->values[i - 1].size)));
    }
    require(at == run->data + run->start);
}

static void insert(struct world *world)
{
    size_t size = (size_t)prng_below(&world->prng, prng_below(&world->prng, 8) == 0 ? 300 : 12);
    if (packed_entry_size(size) > packed_room(&world->run)) {
        return;
    }
    /* At both ends, mostly, so that the gaps there differ. */
    size_t index = (size_t)prng_below(&world->prng, world->count + 1);
    switch (prng_below(&world->prng, 4)) {
    case 0: index = 0; break;
    case 1: index = world->count; break;
    default: break;
    }
    char fill = (char)('a' + prng_below(&world->prng, 3));
    packed_insert(&world->run, packed_seek(&world->run, (uint32_t)index), value_of(fill, size));
    memmove(world->values + index + 1, world->values + index,
            (world->count - index) * sizeof(world->values[0]));
    world->values[index].fill = fill;
    world->values[index].size = size;
    world->count++;
}

static void model_remove(struct world *world, size_t index, size_t count)
{
    memmove(world->values + index, world->values + index + count,
            (world->count - index - count) * sizeof(world->values[0]));
    world->count -= count;
}

static void remove_some(struct world *world)
{
    size_t index = (size_t)prng_below(&world->prng, world->count + 1);
    size_t count = (size_t)prng_below(&world->prng, world->count - index + 1);
    count = count > 4 ? 4 : count;
    uint32_t from = packed_seek(&world->run, (uint32_t)index);
    uint32_t to = packed_seek(&world->run, (uint32_t)(index + count));
    packed_remove(&world->run, from, to, (uint32_t)count);
    model_remove(world, index, count);
}

static void remove_equal(struct world *world)
{
    char fill = (char)('a' + prng_below(&world->prng, 3));
    size_t size = (size_t)prng_below(&world->prng, 12);
    uint32_t skip = (uint32_t)prng_below(&world->prng, 2);
    size_t limit = (size_t)prng_below(&world->prng, 3);
    uint32_t found = 0, removed = 0;
    for (size_t i = 0; i < world->count;) {
        bool same = world->values[i].size == size && (size == 0 || world->values[i].fill == fill);
        found += same ? 1 : 0;
        if (same && found > skip && removed < limit) {
            model_remove(world, i, 1);
            removed++;
        } else {
            i++;
        }
    }
    struct bytes value = value_of(fill, size);
    require(packed_count_equal(&world->run, value) == found);
    require(packed_remove_equal(&world->run, value, skip, limit) == removed);
}

START_TEST(random_operations_agree_with_an_array)
{
    struct world *world = calloc(1, sizeof(*world));
    ck_assert_ptr_nonnull(world);
    prng_init(&world->prng, (uint64_t)_i + 1);
    world->run = (struct packed){.data = world->block, .capacity = BLOCK_SIZE};
    for (int i = 0; i < 100000; i++) {
        switch (prng_below(&world->prng, i / 1000 % 2 == 0 ? 4 : 8)) {
        case 0: remove_equal(world); break;
        case 1:
        case 4: remove_some(world); break;
        default: insert(world); break;
        }
        check(world);
    }
    free(world);
}
END_TEST

START_TEST(sizes_at_the_edges)
{
    static const size_t sizes[] = {0, 1, 252, 253, 254, 255, 256, 65535, 65536};
    static const size_t taken[] = {2, 3, 254, 255, 264, 265, 266, 65545, 65546};
    char *text = calloc(1, 65536);
    char *block = malloc(70000);
    ck_assert(text != NULL && block != NULL);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct bytes value = {text, sizes[i]};
        ck_assert_uint_eq(packed_entry_size(sizes[i]), taken[i]);
        const char *end = packed_write(block, value);
        ck_assert_uint_eq((size_t)(end - block), taken[i]);
        ck_assert_ptr_eq(packed_read(block, &value), end);
        ck_assert_uint_eq(value.size, sizes[i]);
        ck_assert_ptr_eq(packed_read_back(end, &value), block);
        ck_assert_uint_eq(value.size, sizes[i]);
    }
    free(text);
    free(block);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("packed");
    TCase *tests = tcase_create("packed");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, sizes_at_the_edges);
    tcase_add_loop_test(tests, random_operations_agree_with_an_array, 0, 4);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
