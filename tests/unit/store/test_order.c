/* The tree of a sorted set beside a plain array of the same entries. */
#include "base/error.h"
#include "node/store/allocate.h"
#include "node/store/order.h"
#include "tests/unit/store/support.h"

#include <inttypes.h>

#define ENTRIES_MAX 20000

static struct order order;
static struct object *model[ENTRIES_MAX]; /* in order */
static size_t count;
static struct prng prng;

static void setup(void)
{
    order_init(&order);
    count = 0;
}

static void teardown(void)
{
    for (size_t i = 0; i < count; i++) {
        object_destroy(model[i]);
    }
    order_deinit(&order);
}

static struct object *entry_create(double score, uint64_t member)
{
    char text[24];
    int size = snprintf(text, sizeof(text), "%06" PRIu64, member);
    struct object_draft draft = {.type = OBJECT_STRING,
                                 .key = {text, (size_t)size},
                                 .value = {(const char *)&score, sizeof(score)}};
    struct object *object = object_create(&draft);
    require(object != NULL);
    return object;
}

static struct zset_bound bound_of(const struct object *object, enum zset_bound_kind kind)
{
    return (struct zset_bound){.kind = kind, .entry = order_entry(object)};
}

static void insert(size_t rank, struct object *object)
{
    require(count < ENTRIES_MAX);
    require(order_insert(&order, rank, object) == 0);
    memmove(model + rank + 1, model + rank, (count - rank) * sizeof(*model));
    model[rank] = object;
    count++;
}

static void take(size_t rank)
{
    struct object *removed = order_remove(&order, rank);
    require(removed == model[rank]);
    object_destroy(removed);
    count--;
    memmove(model + rank, model + rank + 1, (count - rank) * sizeof(*model));
}

/* What the header promises of the part below `root`, whose entries begin at a rank. Returns how
 * many they are. */
static size_t check_below(void *root, unsigned height, size_t rank, size_t *memory)
{
    *memory += store_allocated_size(root);
    if (height == 0) {
        const struct order_leaf *leaf = root;
        require(leaf->count > 0 && leaf->count <= ORDER_LEAF_MAX);
        for (uint32_t i = 0; i < leaf->count; i++) {
            require(leaf->entries[i] == model[rank + i]);
        }
        return leaf->count;
    }
    const struct order_node *node = root;
    size_t below = 0;
    require(node->length > 0 && node->length <= ORDER_NODE_MAX);
    for (uint32_t i = 0; i < node->length; i++) {
        require(rank + below < count);
        require(i == 0 || node->firsts[i] == model[rank + below]);
        require(i == 0 || node->scores[i] == order_entry(model[rank + below]).score);
        size_t child = check_below(node->children[i], height - 1, rank + below, memory);
        require(child == node->counts[i]);
        below += child;
    }
    return below;
}

static void check_walks(void)
{
    struct order_cursor cursor = order_seek(&order, 0);
    for (size_t i = 0; i < count; i++) {
        require(order_next(&cursor) == model[i]);
    }
    require(order_next(&cursor) == NULL);
    cursor = order_seek(&order, count - 1);
    for (size_t i = count; i > 0; i--) {
        require(order_previous(&cursor) == model[i - 1]);
    }
    require(order_previous(&cursor) == NULL);
}

static void check_tree(void)
{
    size_t memory = 0;
    require(order.count == count);
    require((order.root == NULL) == (count == 0));
    if (count > 0) {
        require(check_below(order.root, order.height, 0, &memory) == count);
        check_walks();
    }
    require(order.memory == memory);
    require(order_next(&(struct order_cursor){order_seek(&order, count).leaf, 0}) == NULL);
}

/* Scores from a few, so that members decide too. */
static void insert_drawn(uint64_t scores)
{
    struct object *object =
        entry_create((double)prng_below(&prng, scores), prng_below(&prng, 1000000));
    struct zset_bound bound = bound_of(object, ZSET_BOUND_ENTRY);
    size_t rank = order_count_before(&order, &bound);
    require(rank == 0 || zset_lies_before(order_entry(model[rank - 1]), &bound));
    require(rank == count || !zset_lies_before(order_entry(model[rank]), &bound));
    insert(rank, object);
}

START_TEST(random_insertions_and_removals)
{
    uint64_t scores = _i == 0 ? 1 : _i == 1 ? 20 : 1000000;
    prng_init(&prng, (uint64_t)_i + 1);
    for (size_t round = 0; round < 8; round++) {
        for (size_t i = 0; i < 2000; i++) {
            if (prng_below(&prng, 8) < (round % 2 == 0 ? 6 : 1)) {
                insert_drawn(scores);
            } else if (count > 0) {
                take((size_t)prng_below(&prng, count));
            }
            if (i % 100 == 0 || count < 3) {
                check_tree();
            }
        }
    }
    while (count > 0) {
        take((size_t)prng_below(&prng, count));
        if (count % 50 == 0 || count < 70) {
            check_tree();
        }
    }
    ck_assert_uint_eq(order.memory, 0);
}
END_TEST

/* Entries before each bound that there can be. */
START_TEST(bounds)
{
    prng_init(&prng, 5);
    for (size_t i = 0; i < 5000; i++) {
        insert_drawn(50);
    }
    size_t equal = 0; /* entries of the score before this one */
    for (size_t i = 0; i < count; i++) {
        struct zset_bound bound = bound_of(model[i], ZSET_BOUND_SCORE);
        equal = i > 0 && order_entry(model[i - 1]).score == bound.entry.score ? equal + 1 : 0;
        require(order_count_before(&order, &bound) == i - equal);
        bound.entry.score -= 0.5;
        bound.behind = true;
        require(order_count_before(&order, &bound) == i - equal);
        bound.entry.score += 0.5;
        size_t after = order_count_before(&order, &bound);
        require(after > i &&
                (after == count || order_entry(model[after]).score > bound.entry.score));
        require(order_entry(model[after - 1]).score == bound.entry.score);
    }
    struct zset_bound bound = {.kind = ZSET_BOUND_SCORE, .entry.score = 1e9};
    ck_assert_uint_eq(order_count_before(&order, &bound), count);
    bound.entry.score = -1e9;
    ck_assert_uint_eq(order_count_before(&order, &bound), 0);
}
END_TEST

START_TEST(bounds_by_member)
{
    for (size_t i = 0; i < 3000; i++) {
        insert(i, entry_create(7, 2 * i));
    }
    for (size_t i = 0; i < 3000; i++) {
        struct zset_bound bound = bound_of(model[i], ZSET_BOUND_MEMBER);
        bound.entry.score = 0;
        require(order_count_before(&order, &bound) == i);
        bound.behind = true;
        require(order_count_before(&order, &bound) == i + 1);
        bound.entry.member.size--; /* less than all that begin with it, and than what it was */
        require(order_count_before(&order, &bound) <= i);
    }
    struct zset_bound least = {.kind = ZSET_BOUND_MEMBER, .entry.member = {"", 0}, .behind = true};
    ck_assert_uint_eq(order_count_before(&order, &least), 0);
}
END_TEST

START_TEST(members_compare_as_their_bytes)
{
    static const struct bytes ordered[] = {{NULL, 0}, {"\0", 1},   {"\0a", 2},
                                           {"a", 1},  {"a\0", 2},  {"ab", 2},
                                           {"b", 1},  {"\x80", 1}, {"\xff", 1}};
    for (size_t i = 0; i < sizeof(ordered) / sizeof(ordered[0]); i++) {
        for (size_t j = 0; j < sizeof(ordered) / sizeof(ordered[0]); j++) {
            int compared = member_compare(ordered[i], ordered[j]);
            ck_assert_int_eq((compared > 0) - (compared < 0), (i > j) - (i < j));
        }
    }
}
END_TEST

/* In order of the scores leaves are full, and memory is next to nothing beside the objects. */
START_TEST(what_grows_at_its_end_is_dense)
{
    for (size_t i = 0; i < ENTRIES_MAX; i++) {
        insert(count, entry_create((double)i, i));
    }
    check_tree();
    ck_assert_uint_lt(order.memory, ENTRIES_MAX * 10);
    ck_assert_uint_le(order.height, 3);
    for (size_t i = 0; i < ENTRIES_MAX - 100; i++) {
        take(i % 2 == 0 ? 0 : count - 1);
    }
    check_tree();
    ck_assert_uint_le(order.height, 1);
    for (size_t i = 0; i < 3000; i++) {
        insert(0, entry_create(-(double)i, i));
    }
    check_tree();
    ck_assert_uint_lt(order.memory, 3100 * 10);
}
END_TEST

/* Of ten entries nine go: what is left is joined. */
START_TEST(what_becomes_sparse_is_joined)
{
    for (size_t i = 0; i < 10000; i++) {
        insert(count, entry_create((double)i, i));
    }
    for (size_t rank = 0; rank < count; rank++) {
        for (size_t i = 0; i < 9; i++) {
            take(rank);
        }
    }
    check_tree();
    ck_assert_uint_eq(count, 1000);
    ck_assert_uint_lt(order.memory, 1000 * 25);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("order");
    TCase *tests = tcase_create("order");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, random_insertions_and_removals, 0, 3);
    tcase_add_test(tests, bounds);
    tcase_add_test(tests, bounds_by_member);
    tcase_add_test(tests, members_compare_as_their_bytes);
    tcase_add_test(tests, what_grows_at_its_end_is_dense);
    tcase_add_test(tests, what_becomes_sparse_is_joined);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
