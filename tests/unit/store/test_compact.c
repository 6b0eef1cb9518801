/*
 * Moving keys together. The three functions at the top take the place of the library's, which ask
 * jemalloc: here every block is sparse, and every move is to another place.
 */
#include "node/store/allocate.h"
#include "node/store/sparse.h"
#include "tests/unit/store/support.h"

static bool moves_fail;

bool sparse_is_known(void)
{
    return true;
}

uint32_t sparse_blocks(void *const *blocks, unsigned count)
{
    ck_assert_uint_le(count, SPARSE_BLOCKS_MAX);
    for (unsigned i = 0; i < count; i++) {
        require(blocks[i] != NULL);
    }
    return count == 32 ? UINT32_MAX : ((uint32_t)1 << count) - 1;
}

void *sparse_move(void *block)
{
    size_t size = store_allocated_size(block);
    void *moved = moves_fail ? NULL : store_allocate(size);
    if (moved != NULL) {
        memcpy(moved, block, size);
        memset(block, 0xff, size);
        store_release(block);
    }
    return moved;
}

static struct store *store;
static struct keyspace *keys;

static void setup(void)
{
    store = store_create();
    ck_assert_ptr_nonnull(store);
    keys = store_keyspace(store, 1);
}

static void teardown(void)
{
    store_destroy(store);
}

static size_t compact_all(void)
{
    size_t moved = 0;
    uint64_t cursor = 0;
    do {
        cursor = keyspace_compact(keys, cursor, &moved);
    } while (cursor != 0);
    return moved;
}

/* As many keys as a table of one piece has, and as a giant has. */
START_TEST(everything_moves_and_nothing_is_lost)
{
    const unsigned counts[] = {0, 1, 31, 32, 700, 20000};
    unsigned count = counts[_i];
    for (unsigned i = 0; i < count; i++) {
        set_number(keys, i, i % 2 == 0 ? "17" : "some text that is no number",
                   i % 3 == 0 ? i + 1 : 0);
    }
    size_t memory = keyspace_memory(keys);
    moves_fail = true;
    ck_assert_uint_eq(compact_all(), 0);
    moves_fail = false;
    ck_assert_uint_eq(compact_all(), count);
    ck_assert_uint_eq(keyspace_count(keys), count);
    ck_assert_uint_le(keyspace_memory(keys), memory + memory / 16);
    for (unsigned i = 0; i < count; i++) {
        const struct object *object = find_number(keys, i);
        require(object != NULL);
        require(keyspace_expire_at_ms(keys, object) == (i % 3 == 0 ? i + 1 : 0));
        require(object_string_size(object) == (i % 2 == 0 ? 2 : 27));
    }
    for (unsigned i = 0; i < count; i++) {
        require(delete_number(keys, i));
    }
    ck_assert_uint_eq(keyspace_count(keys), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("compact");
    TCase *tests = tcase_create("compact");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 100);
    tcase_add_loop_test(tests, everything_moves_and_nothing_is_lost, 0, 6);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
