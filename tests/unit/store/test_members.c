#include "tests/unit/store/members_model.h"

static struct members *members;

static void setup(void)
{
    members = members_create();
    ck_assert_ptr_nonnull(members);
}

static void teardown(void)
{
    members_destroy(members);
}

static void put(const char *member, const char *value)
{
    ck_assert_int_eq(members_put(members, bytes_of(member), bytes_of(value), NULL), 0);
}

START_TEST(members_have_values)
{
    put("field", "one");
    put("other", "");
    ck_assert_uint_eq(members_count(members), 2);
    ck_assert_uint_eq(members->size, (1 + 5 + 1) + (1 + 3 + 1) + (1 + 5 + 1) + 2);
    ck_assert(bytes_equal(object_value(members_find(members, bytes_of("field"))), bytes_of("one")));
    ck_assert_uint_eq(object_value(members_find(members, bytes_of("other"))).size, 0);
    ck_assert_ptr_null(members_find(members, bytes_of("third")));
    put("field", "a value that is longer than the one before");
    ck_assert_uint_eq(members_count(members), 2);
    ck_assert(bytes_equal(object_value(members_find(members, bytes_of("field"))),
                          bytes_of("a value that is longer than the one before")));
    ck_assert(members_remove(members, bytes_of("field")));
    ck_assert(!members_remove(members, bytes_of("field")));
    ck_assert(members_remove(members, bytes_of("other")));
    ck_assert_uint_eq(members_count(members), 0);
    ck_assert_uint_eq(members->size, 0);
    ck_assert_uint_eq(members_memory(members), store_allocated_size(members));
}
END_TEST

/* What holds an address of a member, as the order of a sorted set does, may rely on it. */
START_TEST(members_stay_where_they_are)
{
    struct object *object;
    ck_assert_int_eq(members_put(members, bytes_of("m"), (struct bytes){"12345678", 8}, &object),
                     0);
    for (uint64_t i = 0; i < 5000; i++) {
        struct numbered_key name;
        numbered_key(&name, i);
        ck_assert_int_eq(members_put(members, name.key, (struct bytes){"abcdefgh", 8}, NULL), 0);
    }
    struct object *after;
    ck_assert_int_eq(members_put(members, bytes_of("m"), (struct bytes){"87654321", 8}, &after), 0);
    ck_assert_ptr_eq(after, object);
    /* Its own bytes may be what it is told. */
    ck_assert_int_eq(members_put(members, object_key(object), object_value(object), &after), 0);
    ck_assert_ptr_eq(after, object);
    ck_assert(members_remove(members, object_key(object)));
    ck_assert_ptr_null(members_find(members, bytes_of("m")));
}
END_TEST

START_TEST(members_by_chance)
{
    struct prng prng;
    unsigned drawn[64] = {0};
    prng_init(&prng, 1);
    ck_assert_ptr_null(members_random(members, &prng));
    for (uint32_t i = 0; i < 64; i++) {
        char text[MEMBER_TEXT_MAX];
        ck_assert_int_eq(members_put(members, member_text(i, text), (struct bytes){0}, NULL), 0);
    }
    for (unsigned i = 0; i < 64 * 200; i++) {
        drawn[member_number(object_key(members_random(members, &prng)))]++;
    }
    for (unsigned i = 0; i < 64; i++) {
        /* 200 on the average, with a deviation of 14. */
        ck_assert_uint_ge(drawn[i], 120);
        ck_assert_uint_le(drawn[i], 280);
    }
}
END_TEST

START_TEST(members_like_the_model)
{
    struct members_world *world = calloc(1, sizeof(*world));
    ck_assert_ptr_nonnull(world);
    members_world_init(world, (uint64_t)_i + 1);
    for (size_t i = 0; i < 40000; i++) {
        members_world_step(world, i / 10000 % 2 == 0);
        if (i % 2500 == 2499) {
            check_members(world);
        }
    }
    members_world_deinit(world);
    free(world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("members");
    TCase *tests = tcase_create("members");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, members_have_values);
    tcase_add_test(tests, members_stay_where_they_are);
    tcase_add_test(tests, members_by_chance);
    tcase_add_loop_test(tests, members_like_the_model, 0, 2);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
