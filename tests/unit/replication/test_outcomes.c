#include "replication/outcomes.h"

#include "base/error.h"
#include "base/prng.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct outcomes *outcomes;

static void setup(void)
{
    outcomes = outcomes_create();
    ck_assert_ptr_nonnull(outcomes);
}

static void teardown(void)
{
    outcomes_destroy(outcomes);
}

static void note(uint64_t origin, uint64_t id, uint64_t settled, const char *reply)
{
    struct once once = {origin, id, settled};
    ck_assert_int_eq(outcomes_note(outcomes, &once, bytes_of(reply)), TORC_OK);
}

static struct bytes find(uint64_t origin, uint64_t id)
{
    struct once once = {.origin = origin, .id = id};
    return outcomes_find(outcomes, &once);
}

static void expect(uint64_t origin, uint64_t id, const char *reply)
{
    ck_assert_msg(find(origin, id).data != NULL, "%" PRIu64 " of %" PRIu64, id, origin);
    ck_assert(bytes_equal(find(origin, id), bytes_of(reply)));
}

static void expect_none(uint64_t origin, uint64_t id)
{
    ck_assert_msg(find(origin, id).data == NULL, "%" PRIu64 " of %" PRIu64, id, origin);
}

/* ---- names ---- */

START_TEST(test_name_bytes)
{
    static const uint8_t wire[ONCE_SIZE + 2] = {
        0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x11, 0x12, 0x13, 0x14, 0x15,
        0x16, 0x17, 0x18, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, '*',  '1',
    };
    struct once once = {0x0807060504030201, 0x1817161514131211, 0x2827262524232221};
    struct buf out = {0};
    once_encode(&out, &once);
    ck_assert(bytes_equal(buf_bytes(&out), (struct bytes){(const char *)wire, ONCE_SIZE}));
    buf_deinit(&out);

    struct bytes input = {(const char *)wire, sizeof(wire)};
    struct once decoded = {0};
    ck_assert_int_eq(once_decode(&input, &decoded), TORC_OK);
    ck_assert_uint_eq(decoded.origin, once.origin);
    ck_assert_uint_eq(decoded.id, once.id);
    ck_assert_uint_eq(decoded.settled, once.settled);
    ck_assert(bytes_equal(input, BYTES_LITERAL("*1"))); /* moved on */
}
END_TEST

START_TEST(test_names_that_are_refused)
{
    struct once once = {7, 1, 1};
    struct once decoded;
    struct buf out = {0};
    once_encode(&out, &once);
    for (size_t size = 0; size < ONCE_SIZE; size++) { /* of its own, so that ASan sees more read */
        char *cut = malloc(size + 1);
        memcpy(cut, buf_head(&out), size);
        struct bytes input = {realloc(cut, size == 0 ? 1 : size), size};
        const char *data = input.data;
        ck_assert_int_eq(once_decode(&input, &decoded), TORC_ECORRUPT);
        ck_assert_ptr_eq(input.data, data); /* and stays where it was */
        ck_assert_uint_eq(input.size, size);
        free((char *)data);
    }
    buf_reset(&out, 0);
    once.id = 0;
    once_encode(&out, &once);
    struct bytes input = buf_bytes(&out);
    ck_assert_int_eq(once_decode(&input, &decoded), TORC_ECORRUPT);
    buf_deinit(&out);
}
END_TEST

/* ---- outcomes ---- */

START_TEST(test_nothing_noted)
{
    struct once once = {1, 1, 0};
    ck_assert_ptr_null(outcomes_find(NULL, &once).data);
    ck_assert_uint_eq(outcomes_count(NULL), 0);
    outcomes_each(NULL, NULL, NULL);
    outcomes_destroy(NULL);
    expect_none(1, 1);
    ck_assert_uint_eq(outcomes_count(outcomes), 0);
    outcomes_age(outcomes);
}
END_TEST

START_TEST(test_what_was_noted_is_found)
{
    note(1, 1, 0, "+OK\r\n");
    note(1, 2, 0, ":2\r\n");
    note(2, 2, 0, ":22\r\n");
    expect(1, 1, "+OK\r\n");
    expect(1, 2, ":2\r\n");
    expect(2, 2, ":22\r\n");
    expect_none(2, 1);
    expect_none(1, 3);
    expect_none(3, 1);
    ck_assert_uint_eq(outcomes_count(outcomes), 3);
}
END_TEST

START_TEST(test_the_reply_is_a_copy)
{
    char reply[] = ":1\r\n";
    note(1, 1, 0, reply);
    reply[1] = '9';
    expect(1, 1, ":1\r\n");
}
END_TEST

START_TEST(test_noted_again_counts_once)
{
    note(1, 1, 0, ":1\r\n");
    note(1, 2, 0, ":2\r\n");
    note(1, 1, 0, ":7\r\n");
    ck_assert_uint_eq(outcomes_count(outcomes), 2);
    expect(1, 1, ":7\r\n");
    expect(1, 2, ":2\r\n");
}
END_TEST

/* Writes of one thread to one slot are not always made in the order in which they were named. */
START_TEST(test_ids_out_of_order)
{
    static const uint64_t ids[] = {50, 10, 90, 70, 20, 100, 60, 30, 1, 80, 40};
    char reply[16];
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        snprintf(reply, sizeof(reply), ":%" PRIu64 "\r\n", ids[i]);
        note(1, ids[i], 0, reply);
    }
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        snprintf(reply, sizeof(reply), ":%" PRIu64 "\r\n", ids[i]);
        expect(1, ids[i], reply);
        expect_none(1, ids[i] + 1);
    }
    ck_assert_uint_eq(outcomes_count(outcomes), sizeof(ids) / sizeof(ids[0]));
    note(1, 65, 60, ":65\r\n"); /* what is below is the smallest ids, not the oldest notes */
    expect_none(1, 50);
    expect_none(1, 1);
    expect(1, 60, ":60\r\n");
    expect(1, 65, ":65\r\n");
    expect(1, 100, ":100\r\n");
    ck_assert_uint_eq(outcomes_count(outcomes), 6);
}
END_TEST

START_TEST(test_settled_is_forgotten)
{
    for (uint64_t id = 1; id <= 10; id++) {
        note(1, id, 1, "x");
        note(2, id, 1, "y");
    }
    note(1, 11, 8, "x");
    for (uint64_t id = 1; id < 8; id++) {
        expect_none(1, id);
        expect(2, id, "y"); /* each origin by itself */
    }
    for (uint64_t id = 8; id <= 11; id++) { /* "below" */
        expect(1, id, "x");
    }
    ck_assert_uint_eq(outcomes_count(outcomes), 14);
    note(1, 12, 12, "x");
    ck_assert_uint_eq(outcomes_count(outcomes), 11);
    expect(1, 12, "x");
}
END_TEST

static bool settled(uint64_t origin, uint64_t id)
{
    struct once once = {.origin = origin, .id = id, .settled = id};
    return outcomes_settled(outcomes, &once);
}

static void note_elsewhere(void *context, const struct once *once, struct bytes reply)
{
    ck_assert_int_eq(outcomes_note(context, once, reply), TORC_OK);
}

/* A request may come after the same one, sent again, was made, answered and forgotten. */
START_TEST(test_settled_is_known_as_such)
{
    struct once once = {.origin = 1, .id = 7};
    ck_assert(!outcomes_settled(NULL, &once));
    ck_assert(!settled(1, 7));
    note(1, 7, 7, "x");
    note(1, 9, 8, "x");
    note(1, 8, 3, "x"); /* sent before, made after */
    ck_assert(settled(1, 7));
    ck_assert(!settled(1, 8));
    ck_assert(!settled(1, 10));
    ck_assert(!settled(2, 7));
    struct outcomes *copied = outcomes_create();
    outcomes_each(outcomes, note_elsewhere, copied); /* by a refill */
    ck_assert_uint_eq(outcomes_count(copied), 2);
    ck_assert(outcomes_settled(copied, &once));
    outcomes_destroy(copied);
}
END_TEST

/* One write at a time for long: one outcome is kept, and its place is used again. */
START_TEST(test_one_at_a_time_for_long)
{
    for (uint64_t id = 1; id <= 100000; id++) {
        note(1, id, id, "x");
        ck_assert_uint_eq(outcomes_count(outcomes), 1);
    }
    expect(1, 100000, "x");
}
END_TEST

START_TEST(test_many_origins)
{
    for (uint64_t origin = 0; origin < 300; origin++) {
        for (uint64_t id = 1; id <= 3; id++) {
            char reply[48];
            snprintf(reply, sizeof(reply), "%" PRIu64 ".%" PRIu64, origin, id);
            note(origin * 0x9e3779b97f4a7c15, id, 0, reply);
        }
    }
    ck_assert_uint_eq(outcomes_count(outcomes), 900);
    for (uint64_t origin = 0; origin < 300; origin++) {
        for (uint64_t id = 1; id <= 3; id++) {
            char reply[48];
            snprintf(reply, sizeof(reply), "%" PRIu64 ".%" PRIu64, origin, id);
            expect(origin * 0x9e3779b97f4a7c15, id, reply);
        }
    }
}
END_TEST

START_TEST(test_replies_over_the_limit)
{
    char *reply = malloc(OUTCOME_REPLY_SIZE_MAX + 2);
    memset(reply, 'x', OUTCOME_REPLY_SIZE_MAX + 1);
    struct once once = {1, 1, 0};
    ck_assert_int_eq(outcomes_note(outcomes, &once, (struct bytes){reply, OUTCOME_REPLY_SIZE_MAX}),
                     TORC_OK);
    ck_assert_uint_eq(find(1, 1).size, OUTCOME_REPLY_SIZE_MAX);
    once.id = 2;
    ck_assert_int_eq(
        outcomes_note(outcomes, &once, (struct bytes){reply, OUTCOME_REPLY_SIZE_MAX + 1}), TORC_OK);
    ck_assert_ptr_nonnull(find(1, 2).data); /* the write was made */
    ck_assert_uint_eq(find(1, 2).size, 0);
    once.id = 3;
    ck_assert_int_eq(outcomes_note(outcomes, &once, (struct bytes){NULL, 0}), TORC_OK);
    ck_assert_ptr_nonnull(find(1, 3).data);
    ck_assert_uint_eq(find(1, 3).size, 0);
    free(reply);
}
END_TEST

START_TEST(test_age)
{
    note(1, 1, 0, "a");
    note(2, 1, 0, "b");
    outcomes_age(outcomes);
    note(1, 2, 0, "c");
    note(1, 3, 0, "d");
    ck_assert_uint_eq(outcomes_count(outcomes), 4);
    expect(1, 1, "a");  /* one whole period at least */
    note(2, 1, 0, "b"); /* told again: as young as any */
    outcomes_age(outcomes);
    expect_none(1, 1);
    expect(1, 2, "c");
    expect(1, 3, "d");
    expect(2, 1, "b");
    note(1, 1, 0, "e"); /* goes in before what is left */
    expect(1, 1, "e");
    expect(1, 2, "c");
    outcomes_age(outcomes);
    expect(1, 1, "e");
    ck_assert_uint_eq(outcomes_count(outcomes), 1);
    outcomes_age(outcomes);
    ck_assert_uint_eq(outcomes_count(outcomes), 0);
    note(1, 4, 0, "f");
    expect(1, 4, "f");
}
END_TEST

struct seen {
    size_t count;
    uint64_t last_origin, last_id;
    size_t origins;
};

static void see(void *context, const struct once *once, struct bytes reply)
{
    struct seen *seen = context;
    ck_assert(bytes_equal(find(once->origin, once->id), reply));
    if (seen->count > 0 && seen->last_origin == once->origin) {
        ck_assert_uint_gt(once->id, seen->last_id);
    } else {
        seen->origins++;
    }
    ck_assert_uint_le(once->settled, once->id); /* else noting it elsewhere would forget it */
    seen->last_origin = once->origin;
    seen->last_id = once->id;
    seen->count++;
}

START_TEST(test_there_is_room_for_so_many_clients)
{
    struct once once = {.id = 1, .settled = 1};
    ck_assert(!outcomes_full(NULL, &once));
    for (uint64_t i = 0; i < OUTCOME_CLIENTS_MAX; i++) {
        once.origin = i | ONCE_ORIGIN_CLIENT;
        ck_assert(!outcomes_full(outcomes, &once));
        ck_assert_int_eq(outcomes_note(outcomes, &once, BYTES_LITERAL(":1\r\n")), 0);
        ck_assert_int_eq(outcomes_note(outcomes, &once, BYTES_LITERAL(":1\r\n")), 0);
    }
    ck_assert(!outcomes_full(outcomes, &once)); /* it is kept already */
    once.origin = OUTCOME_CLIENTS_MAX;
    ck_assert(!outcomes_full(outcomes, &once)); /* a node's */
    once.origin |= ONCE_ORIGIN_CLIENT;
    ck_assert(outcomes_full(outcomes, &once));
    outcomes_age(outcomes);
    ck_assert(outcomes_full(outcomes, &once));
    outcomes_age(outcomes);
    ck_assert(!outcomes_full(outcomes, &once));
}
END_TEST

START_TEST(test_each_is_visited_once)
{
    struct seen seen = {0};
    for (uint64_t id = 1; id <= 20; id++) {
        note(id % 3, 21 - id, 0, "x");
    }
    note(1, 30, 12, "y");
    outcomes_each(outcomes, see, &seen);
    ck_assert_uint_eq(seen.count, outcomes_count(outcomes));
    ck_assert_uint_eq(seen.origins, 3);
}
END_TEST

/* ---- against a model: a table of everything that is known ---- */

#define MODEL_ORIGINS 5
#define MODEL_IDS 400
#define MODEL_STEPS 4000

struct model {
    struct {
        bool known, aged;
        uint32_t reply; /* number printed; 0 = one that is too long */
    } items[MODEL_ORIGINS][MODEL_IDS];
    uint64_t settled[MODEL_ORIGINS];
};

static void model_note(struct model *model, struct prng *prng)
{
    static char text[OUTCOME_REPLY_SIZE_MAX + 1];
    uint64_t origin = prng_below(prng, MODEL_ORIGINS);
    uint64_t first = model->settled[origin];
    if (prng_below(prng, 4) == 0 && first + 20 < MODEL_IDS) {
        first = model->settled[origin] += prng_below(prng, 6);
    }
    uint64_t id = first + prng_below(prng, 12);
    if (id >= MODEL_IDS) {
        return;
    }
    uint32_t number = prng_below(prng, 8) == 0 ? 0 : (uint32_t)prng_below(prng, 1u << 30) + 1;
    struct once once = {origin, id, first};
    int size = number == 0 ? (int)sizeof(text) : snprintf(text, sizeof(text), "%u", number);
    ck_assert_int_eq(outcomes_note(outcomes, &once, (struct bytes){text, (size_t)size}), TORC_OK);
    model->items[origin][id].known = true;
    model->items[origin][id].aged = false;
    model->items[origin][id].reply = number;
    for (uint64_t i = 0; i < first; i++) {
        model->items[origin][i].known = false;
    }
}

static void model_age(struct model *model)
{
    outcomes_age(outcomes);
    for (size_t i = 0; i < MODEL_ORIGINS * MODEL_IDS; i++) {
        size_t origin = i / MODEL_IDS;
        size_t id = i % MODEL_IDS;
        model->items[origin][id].known =
            model->items[origin][id].known && !model->items[origin][id].aged;
        model->items[origin][id].aged = true;
    }
}

static void model_compare(const struct model *model, uint64_t seed)
{
    size_t known = 0;
    for (uint64_t origin = 0; origin < MODEL_ORIGINS; origin++) {
        for (uint64_t id = 1; id < MODEL_IDS; id++) {
            char text[16];
            struct bytes found = find(origin, id);
            snprintf(text, sizeof(text), "%u", model->items[origin][id].reply);
            struct bytes wanted =
                model->items[origin][id].reply == 0 ? (struct bytes){"", 0} : bytes_of(text);
            ck_assert_msg((found.data != NULL) == model->items[origin][id].known,
                          "seed %" PRIu64 ": %" PRIu64 " of %" PRIu64, seed, id, origin);
            ck_assert_msg(found.data == NULL || bytes_equal(found, wanted),
                          "seed %" PRIu64 ": reply to %" PRIu64 " of %" PRIu64, seed, id, origin);
            known += model->items[origin][id].known;
        }
    }
    ck_assert_uint_eq(outcomes_count(outcomes), known);
}

START_TEST(test_against_a_model)
{
    const char *given = getenv("TORC_TEST_SEED");
    uint64_t first = given == NULL ? 1 : strtoull(given, NULL, 10);
    uint64_t count = given == NULL ? 3 : 1;
    struct model *model = malloc(sizeof(*model));
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct prng prng;
        printf("seed %" PRIu64 "\n", seed);
        prng_init(&prng, seed);
        memset(model, 0, sizeof(*model));
        for (size_t i = 0; i < MODEL_ORIGINS; i++) {
            model->settled[i] = 1;
        }
        outcomes_destroy(outcomes);
        outcomes = outcomes_create();
        for (size_t step = 0; step < MODEL_STEPS; step++) {
            if (prng_below(&prng, 60) == 0) {
                model_age(model);
            } else {
                model_note(model, &prng);
            }
            if (step % 40 == 0) {
                model_compare(model, seed);
            }
        }
        model_compare(model, seed);
    }
    free(model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outcomes");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_name_bytes);
    tcase_add_test(tests, test_names_that_are_refused);
    tcase_add_test(tests, test_nothing_noted);
    tcase_add_test(tests, test_what_was_noted_is_found);
    tcase_add_test(tests, test_the_reply_is_a_copy);
    tcase_add_test(tests, test_noted_again_counts_once);
    tcase_add_test(tests, test_ids_out_of_order);
    tcase_add_test(tests, test_settled_is_forgotten);
    tcase_add_test(tests, test_settled_is_known_as_such);
    tcase_add_test(tests, test_one_at_a_time_for_long);
    tcase_add_test(tests, test_many_origins);
    tcase_add_test(tests, test_replies_over_the_limit);
    tcase_add_test(tests, test_age);
    tcase_add_test(tests, test_there_is_room_for_so_many_clients);
    tcase_add_test(tests, test_each_is_visited_once);
    tcase_add_test(tests, test_against_a_model);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
