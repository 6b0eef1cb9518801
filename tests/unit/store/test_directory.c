#include "node/store/directory.h"

#include "node/store/allocate.h"
#include "tests/unit/store/support.h"

#define DEPTH 6
#define SLOTS (1u << DEPTH)

static struct directory *directory;
static struct segment segments[SLOTS];
static size_t segment_count;

/* Divides the slots among segments of random depth, as splits would. */
static void populate(struct prng *prng)
{
    directory = directory_create(DEPTH, NULL);
    ck_assert_ptr_nonnull(directory);
    segment_count = 0;
    for (size_t slot = 0; slot < SLOTS;) {
        unsigned depth = DEPTH - (unsigned)prng_below(prng, 4);
        while ((slot & ((SLOTS >> depth) - 1)) != 0) {
            depth++;
        }
        struct segment *segment = &segments[segment_count++];
        segment_init(segment, depth);
        directory->segments_at[depth]++;
        directory_place(directory, segment, (uint64_t)slot << (64 - DEPTH));
        slot += SLOTS >> depth;
    }
}

static void teardown(void)
{
    directory_destroy(directory);
}

START_TEST(a_segment_is_found_by_all_its_hashes)
{
    struct prng prng;
    prng_init(&prng, 1);
    populate(&prng);
    for (uint64_t slot = 0; slot < SLOTS; slot++) {
        uint64_t hash = slot << (64 - DEPTH) | prng_next(&prng) >> DEPTH;
        const struct segment *segment = directory_segment(directory, hash);
        size_t first = directory_first_slot(directory, segment, hash);
        ck_assert_ptr_eq(directory->slots[first], segment);
        ck_assert_uint_le(first, slot);
        ck_assert_uint_gt(first + (SLOTS >> segment->depth), slot);
        ck_assert(first == 0 || directory->slots[first - 1] != segment);
    }
}
END_TEST

/* First slot of a segment that is due, the plain way. */
static size_t next_due(size_t from, uint64_t limit_ms)
{
    for (size_t slot = 0; slot < SLOTS; slot++) {
        bool first = slot == 0 || directory->slots[slot] != directory->slots[slot - 1];
        if (slot >= from && first && directory->slots[slot]->next_expiry_ms <= limit_ms) {
            return slot;
        }
    }
    return SIZE_MAX;
}

START_TEST(what_is_due_is_found_in_order)
{
    struct prng prng;
    prng_init(&prng, 2 + (uint64_t)_i);
    populate(&prng);
    for (int i = 0; i < 300; i++) {
        uint64_t hash = prng_next(&prng);
        struct segment *segment = directory_segment(directory, hash);
        segment->next_expiry_ms =
            prng_below(&prng, 2) == 0 ? EXPIRY_NONE : 1 + prng_below(&prng, 100);
        directory_update_soonest(directory, segment, hash);
        uint64_t limit_ms = prng_below(&prng, 110);
        for (size_t from = 0; from <= SLOTS; from++) {
            require(directory_next_due(directory, from, limit_ms) == next_due(from, limit_ms));
        }
        uint64_t soonest_ms = EXPIRY_NONE;
        for (size_t at = 0; at < segment_count; at++) {
            uint64_t next_ms = segments[at].next_expiry_ms;
            soonest_ms = next_ms < soonest_ms ? next_ms : soonest_ms;
        }
        require(directory->soonest[1] == soonest_ms);
    }
}
END_TEST

START_TEST(another_depth_holds_the_same)
{
    struct prng prng;
    prng_init(&prng, 99);
    populate(&prng);
    for (size_t at = 0; at < segment_count; at++) {
        segments[at].next_expiry_ms = 1000 - at;
    }
    struct directory *larger = directory_create(DEPTH + 2, directory);
    struct directory *same = directory_create(DEPTH, larger);
    for (uint64_t slot = 0; slot < 4 * SLOTS; slot++) {
        uint64_t hash = slot << (64 - DEPTH - 2);
        ck_assert_ptr_eq(directory_segment(larger, hash), directory_segment(directory, hash));
        ck_assert_ptr_eq(directory_segment(same, hash), directory_segment(directory, hash));
    }
    ck_assert_mem_eq(larger->segments_at, directory->segments_at, sizeof(larger->segments_at));
    ck_assert_uint_eq(larger->soonest[1], 1000 - (segment_count - 1));
    ck_assert_uint_eq(same->soonest[1], 1000 - (segment_count - 1));
    directory_destroy(larger);
    directory_destroy(same);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("directory");
    TCase *tests = tcase_create("directory");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, a_segment_is_found_by_all_its_hashes);
    tcase_add_loop_test(tests, what_is_due_is_found_in_order, 0, 10);
    tcase_add_test(tests, another_depth_holds_the_same);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
