#include "node/store/draw.h"
#include "node/store/hash.h"
#include "tests/unit/store/support.h"

#define MEMBERS_MAX 3000

static const struct member_source source = {hash_count, hash_scan, hash_random};

static struct store *store;
static struct object *object; /* with the members key 0, key 1 .. */
static struct prng prng;

static void setup(void)
{
    store = store_create();
    ck_assert_ptr_nonnull(store);
    prng_init(&prng, 1);
}

static void teardown(void)
{
    store_destroy(store);
}

static void make(unsigned count)
{
    struct keyspace *keys = store_keyspace(store, 1);
    struct bytes name = bytes_of("h");
    keyspace_clear(keys);
    for (unsigned i = 0; i < count; i++) {
        bool added;
        char text[16];
        struct bytes field = {text, (size_t)snprintf(text, sizeof(text), "%u", i)};
        ck_assert_int_eq(
            keyspace_hash_set(keys, name, key_hash(name), field, field, &added, &object), 0);
    }
}

struct tally {
    unsigned round; /* from 1 on */
    bool repeated;
    unsigned last[MEMBERS_MAX]; /* the round in which it was drawn last */
    unsigned total[MEMBERS_MAX];
    unsigned drawn; /* of the round */
};

static void count_drawn(void *context, struct bytes member, struct bytes value)
{
    struct tally *tally = context;
    unsigned number = 0;
    require(bytes_equal(member, value));
    for (size_t i = 0; i < member.size; i++) {
        number = number * 10 + (unsigned)(member.data[i] - '0');
    }
    require(number < MEMBERS_MAX);
    require(tally->repeated || tally->last[number] != tally->round);
    tally->last[number] = tally->round;
    tally->total[number]++;
    tally->drawn++;
}

struct drawing {
    unsigned members;
    unsigned count;
    unsigned rounds;
};

/* The variance of how often each was drawn, as a share of what it should be. */
static double spread(const struct tally *tally, const struct drawing *drawing)
{
    double share = (double)drawing->count / drawing->members;
    double mean = share * drawing->rounds;
    double squares = 0;
    for (unsigned i = 0; i < drawing->members; i++) {
        squares += (tally->total[i] - mean) * (tally->total[i] - mean);
    }
    return squares / drawing->members / (mean * (tally->repeated ? 1 : 1 - share));
}

static void draw_rounds(struct tally *tally, const struct drawing *drawing)
{
    for (tally->round = 1; tally->round <= drawing->rounds; tally->round++) {
        tally->drawn = 0;
        if (tally->repeated) {
            draw_repeated(object, &source, drawing->count, &prng, count_drawn, tally);
        } else {
            require(draw_distinct(object, &source, drawing->count, &prng, count_drawn, tally) == 0);
        }
        require(tally->drawn == drawing->count);
    }
}

/* Few and most of a small and of a large container: each at most once, and each as likely. */
START_TEST(as_likely_as_any_other)
{
    static const struct drawing drawings[] = {
        {50, 10, 400}, {50, 40, 100}, {MEMBERS_MAX, 5, 6000}, {MEMBERS_MAX, 2000, 30}};
    for (unsigned i = 0; i < 2 * sizeof(drawings) / sizeof(drawings[0]); i++) {
        const struct drawing *drawing = &drawings[i / 2];
        struct tally *tally = calloc(1, sizeof(*tally));
        ck_assert_ptr_nonnull(tally);
        tally->repeated = i % 2 == 1;
        make(drawing->members);
        draw_rounds(tally, drawing);
        double found = spread(tally, drawing);
        ck_assert_msg(found > 0.4 && found < 1.7, "drawing %u: %f", i, found);
        free(tally);
    }
}
END_TEST

START_TEST(more_than_there_are)
{
    struct tally *tally = calloc(1, sizeof(*tally));
    ck_assert_ptr_nonnull(tally);
    static const unsigned counts[] = {1, 50, MEMBERS_MAX};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        make(counts[i]);
        for (size_t more = 0; more < 2; more++) {
            tally->round++;
            tally->drawn = 0;
            ck_assert_int_eq(draw_distinct(object, &source, more == 0 ? counts[i] : SIZE_MAX, &prng,
                                           count_drawn, tally),
                             0);
            ck_assert_uint_eq(tally->drawn, counts[i]);
        }
    }
    tally->drawn = 0;
    ck_assert_int_eq(draw_distinct(object, &source, 0, &prng, count_drawn, tally), 0);
    draw_repeated(object, &source, 0, &prng, count_drawn, tally);
    ck_assert_uint_eq(tally->drawn, 0);
    free(tally);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("draw");
    TCase *tests = tcase_create("draw");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, as_likely_as_any_other);
    tcase_add_test(tests, more_than_there_are);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
