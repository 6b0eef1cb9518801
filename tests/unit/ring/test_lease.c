#include "base/error.h"
#include "ring/lease.h"

#include <check.h>
#include <string.h>

#define LENGTH 1000

static struct node_id id_of(uint8_t number)
{
    return (struct node_id){{number, 1}};
}

/* Nodes 1 .. count in incarnation 10, all up; the first `voters` of them vote. Not sealed. */
static struct view *make_view(uint8_t count, uint8_t voters)
{
    struct view *view = view_create();
    view->epoch = 5;
    for (uint8_t i = 1; i <= count; i++) {
        struct view_node node = {
            .id = id_of(i), .incarnation = 10, .host = "host", .status = NODE_UP};
        ck_assert_int_eq(view_put_node(view, &node), 0);
    }
    for (uint8_t i = 1; i <= voters; i++) {
        view->voters[view->voter_count++] = id_of(i);
    }
    return view;
}

static void note(struct supports *supports, uint8_t node, uint64_t incarnation, uint64_t length_ms,
                 uint64_t now_ms)
{
    struct node_id id = id_of(node);
    ck_assert_int_eq(supports_note(supports, &id, incarnation, length_ms, now_ms), TORC_OK);
}

static bool silent(const struct supports *supports, uint8_t node, uint64_t now_ms)
{
    struct node_id id = id_of(node);
    return supports_silent(supports, &id, 10, LENGTH, now_ms);
}

/* What the next view may do to node 2. */
static bool forbids(const struct supports *supports, enum node_status next_status, uint64_t now_ms)
{
    struct view *present = make_view(3, 3);
    struct view *next = view_clone(present);
    next->nodes[1].status = next_status;
    bool forbidden = supports_forbid(supports, present, next, now_ms);
    view_release(present);
    view_release(next);
    return forbidden;
}

START_TEST(a_supported_node_keeps_what_it_has_until_its_support_runs_out)
{
    struct supports supports;
    supports_init(&supports);
    ck_assert(!forbids(&supports, NODE_DOWN, 100)); /* it never asked */
    note(&supports, 2, 10, LENGTH, 100);
    ck_assert(forbids(&supports, NODE_DOWN, 100));
    ck_assert(forbids(&supports, NODE_DOWN, 1099));
    ck_assert(forbids(&supports, NODE_SYNCING, 1099));
    ck_assert(!forbids(&supports, NODE_UP, 1099));
    ck_assert(!forbids(&supports, NODE_DOWN, 1100));
    note(&supports, 2, 10, LENGTH, 1100);
    ck_assert(forbids(&supports, NODE_DOWN, 2099));
    note(&supports, 2, 10, 0, 1200); /* heard, and not supported any longer than before */
    ck_assert(forbids(&supports, NODE_DOWN, 2099));
    ck_assert(!forbids(&supports, NODE_DOWN, 2100));
    supports_deinit(&supports);
}
END_TEST

START_TEST(a_supported_node_is_neither_removed_nor_replaced)
{
    struct supports supports;
    supports_init(&supports);
    struct view *present = make_view(3, 3);
    struct view *removed = view_clone(present);
    struct node_id id = id_of(2);
    ck_assert(view_remove_node(removed, &id));
    struct view *replaced = view_clone(present);
    replaced->nodes[1].incarnation = 11;
    note(&supports, 2, 10, LENGTH, 0);
    ck_assert(supports_forbid(&supports, present, removed, 999));
    ck_assert(supports_forbid(&supports, present, replaced, 999));
    ck_assert(!supports_forbid(&supports, present, removed, 1000));
    ck_assert(!supports_forbid(&supports, present, replaced, 1000));
    /* The support of an incarnation that the view does not have protects nothing. */
    struct view *other = view_clone(present);
    other->nodes[1].incarnation = 9;
    struct view *other_next = view_clone(other);
    other_next->nodes[1].status = NODE_DOWN;
    ck_assert(!supports_forbid(&supports, other, other_next, 10));
    view_release(present);
    view_release(removed);
    view_release(replaced);
    view_release(other);
    view_release(other_next);
    supports_deinit(&supports);
}
END_TEST

START_TEST(what_is_taken)
{
    static const struct {
        enum node_status before, after;
        bool taken;
    } cases[] = {
        {NODE_UP, NODE_UP, false},           {NODE_UP, NODE_SYNCING, true},
        {NODE_UP, NODE_DOWN, true},          {NODE_SYNCING, NODE_UP, false},
        {NODE_SYNCING, NODE_SYNCING, false}, {NODE_SYNCING, NODE_DOWN, true},
        {NODE_DOWN, NODE_SYNCING, false},    {NODE_DOWN, NODE_DOWN, false},
    };
    struct view *next = make_view(3, 3);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct view_node node = next->nodes[1];
        node.status = cases[i].before;
        next->nodes[1].status = cases[i].after;
        ck_assert_msg(lease_is_taken(&node, next) == cases[i].taken, "case %zu", i);
        if (cases[i].before == NODE_DOWN) {
            continue;
        }
        node.incarnation = 9;
        ck_assert(lease_is_taken(&node, next));
        node.incarnation = 10;
        node.id = id_of(77);
        ck_assert(lease_is_taken(&node, next));
    }
    view_release(next);
}
END_TEST

START_TEST(nothing_is_taken_from_one_that_is_removed_and_has_nothing)
{
    struct view *next = make_view(3, 3);
    struct view_node node = next->nodes[1];
    node.id = id_of(77);
    node.status = NODE_UP;
    node.removing = true;
    node.weight_current = node.weight_target = 0;
    next->epoch = 6;
    next->settled_epoch = 5;
    ck_assert(!lease_is_taken(&node, next));
    next->settled_epoch = 4; /* it may not know yet that it has nothing */
    ck_assert(lease_is_taken(&node, next));
    next->settled_epoch = 5;
    node.weight_current = 1;
    ck_assert(lease_is_taken(&node, next));
    node.weight_current = 0;
    node.weight_target = 1;
    ck_assert(lease_is_taken(&node, next));
    node.weight_target = 0;
    node.removing = false;
    ck_assert(lease_is_taken(&node, next));
    view_release(next);
}
END_TEST

START_TEST(during_a_grace_everybody_counts_as_supported)
{
    struct supports supports;
    supports_init(&supports);
    supports_grace(&supports, 500);
    supports_grace(&supports, 400); /* never shorter */
    ck_assert(forbids(&supports, NODE_DOWN, 499));
    ck_assert(!silent(&supports, 2, 499));
    ck_assert(!forbids(&supports, NODE_DOWN, 500));
    ck_assert(silent(&supports, 2, 500));
    /* But not who is known to be gone. */
    supports_grace(&supports, 2000);
    note(&supports, 2, 10, LENGTH, 600);
    struct node_id id = id_of(2);
    supports_end(&supports, &id, 10);
    ck_assert(!forbids(&supports, NODE_DOWN, 700));
    ck_assert(silent(&supports, 2, 700));
    supports_deinit(&supports);
}
END_TEST

START_TEST(a_farewell_ends_the_support_of_that_run_for_good)
{
    struct supports supports;
    supports_init(&supports);
    struct node_id id = id_of(2);
    note(&supports, 2, 10, LENGTH, 0);
    supports_end(&supports, &id, 9); /* another run's */
    ck_assert(forbids(&supports, NODE_DOWN, 1));
    supports_end(&supports, &id, 10);
    ck_assert(!forbids(&supports, NODE_DOWN, 1));
    ck_assert(silent(&supports, 2, 1));
    /* A request that was overtaken by the farewell. */
    ck_assert_int_eq(supports_note(&supports, &id, 10, LENGTH, 2), TORC_ESTALE);
    ck_assert(!forbids(&supports, NODE_DOWN, 3));
    note(&supports, 2, 11, LENGTH, 4);
    ck_assert(!supports_find(&supports, &id)->ended);
    supports_deinit(&supports);
}
END_TEST

START_TEST(a_newer_incarnation_ends_the_support_of_the_older)
{
    struct supports supports;
    supports_init(&supports);
    struct node_id id = id_of(2);
    note(&supports, 2, 10, LENGTH, 0);
    note(&supports, 2, 11, 0, 100);
    ck_assert(!forbids(&supports, NODE_DOWN, 100));
    ck_assert(silent(&supports, 2, 100));
    ck_assert_int_eq(supports_note(&supports, &id, 10, LENGTH, 200), TORC_ESTALE);
    ck_assert_uint_eq(supports_find(&supports, &id)->incarnation, 11);
    ck_assert_uint_eq(supports_find(&supports, &id)->until_ms, 0);
    supports_deinit(&supports);
}
END_TEST

START_TEST(silence_is_counted_from_the_last_request)
{
    struct supports supports;
    supports_init(&supports);
    note(&supports, 2, 10, 0, 100); /* heard is enough: it need not be supported */
    ck_assert(!silent(&supports, 2, 1099));
    ck_assert(silent(&supports, 2, 1100));
    note(&supports, 2, 10, 0, 1100);
    ck_assert(!silent(&supports, 2, 1100));
    note(&supports, 3, 9, LENGTH, 1100); /* not the incarnation that is asked about */
    ck_assert(silent(&supports, 3, 1101));
    supports_deinit(&supports);
}
END_TEST

START_TEST(who_is_new_in_a_view_has_a_lease_of_time_to_speak)
{
    struct supports supports;
    struct view *view = make_view(3, 3);
    supports_init(&supports);
    note(&supports, 1, 10, LENGTH, 100);
    view->nodes[2].status = NODE_DOWN;
    supports_expect(&supports, view, 500);
    ck_assert(!silent(&supports, 2, 1499));
    ck_assert(silent(&supports, 2, 1500));
    ck_assert(!forbids(&supports, NODE_DOWN, 501)); /* heard, not supported */
    ck_assert(silent(&supports, 1, 1100)); /* who was known before has no more than it had */
    ck_assert(silent(&supports, 3, 501));  /* nor who is down */
    note(&supports, 2, 10, LENGTH, 600);
    view->nodes[1].incarnation = 11;
    supports_expect(&supports, view, 700);
    ck_assert(!forbids(&supports, NODE_DOWN, 701)); /* the older run is gone by the view */
    struct node_id id = id_of(2);
    ck_assert(!supports_silent(&supports, &id, 11, LENGTH, 1699));
    ck_assert(supports_silent(&supports, &id, 11, LENGTH, 1700));
    view_release(view);
    supports_deinit(&supports);
}
END_TEST

START_TEST(many_nodes_are_kept_apart)
{
    struct supports supports;
    supports_init(&supports);
    for (unsigned i = 0; i < 200; i++) {
        note(&supports, (uint8_t)(i * 89 + 1), 1000 + (uint8_t)(i * 89 + 1), 0, 1);
    }
    ck_assert_uint_eq(supports.count, 200);
    for (unsigned i = 0; i < 200; i++) {
        struct node_id id = id_of((uint8_t)(i * 89 + 1));
        ck_assert_uint_eq(supports_find(&supports, &id)->incarnation, 1000u + id.bytes[0]);
    }
    supports_deinit(&supports);
}
END_TEST

/* ---- the holder ---- */

static uint64_t end_of(uint64_t asked_ms)
{
    return asked_ms + 980; /* of 1000 */
}

static void grant(struct lease *lease, uint8_t voter, uint64_t asked_ms)
{
    struct node_id id = id_of(voter);
    lease_grant(lease, &id, asked_ms, LENGTH);
}

START_TEST(a_majority_of_grants_makes_a_lease)
{
    struct lease lease;
    struct view *view = make_view(5, 5);
    lease_init(&lease);
    ck_assert_uint_eq(lease_until_ms(&lease), 0);
    lease_install(&lease, view);
    ck_assert_uint_eq(lease_until_ms(&lease), 0);
    grant(&lease, 1, 5000);
    grant(&lease, 4, 4000);
    ck_assert_uint_eq(lease_until_ms(&lease), 0);
    grant(&lease, 77, 9000); /* not a voter */
    ck_assert_uint_eq(lease_until_ms(&lease), 0);
    grant(&lease, 2, 3000); /* the third of five: the oldest of the three counts */
    ck_assert_uint_eq(lease_until_ms(&lease), end_of(3000));
    grant(&lease, 3, 4500);
    ck_assert_uint_eq(lease_until_ms(&lease), end_of(4000));
    grant(&lease, 1, 100); /* an old answer takes nothing back */
    ck_assert_uint_eq(lease_until_ms(&lease), end_of(4000));
    lease_drop(&lease);
    ck_assert_uint_eq(lease_until_ms(&lease), 0);
    view_release(view);
}
END_TEST

START_TEST(half_of_an_even_number_is_no_majority)
{
    struct lease lease;
    struct view *view = make_view(4, 4);
    lease_init(&lease);
    lease_install(&lease, view);
    grant(&lease, 1, 100);
    grant(&lease, 2, 100);
    ck_assert_uint_eq(lease_until_ms(&lease), 0);
    grant(&lease, 3, 50);
    ck_assert_uint_eq(lease_until_ms(&lease), end_of(50));
    view_release(view);
}
END_TEST

START_TEST(what_earlier_voters_granted_is_carried_on)
{
    struct lease lease;
    struct view *view = make_view(5, 3);
    lease_init(&lease);
    lease_install(&lease, view);
    for (uint8_t i = 1; i <= 3; i++) {
        grant(&lease, i, 100u * i);
    }
    ck_assert_uint_eq(lease_until_ms(&lease), end_of(200));
    struct view *next = view_clone(view);
    next->voters[0] = id_of(2);
    next->voters[1] = id_of(1);
    lease_install(&lease, next); /* the same three in another order */
    ck_assert_uint_eq(lease_until_ms(&lease), end_of(200));
    grant(&lease, 1, 300);
    ck_assert_uint_eq(lease_until_ms(&lease), end_of(300));

    next->voters[0] = id_of(4);
    next->voters[1] = id_of(5);
    lease_install(&lease, next);
    ck_assert_uint_eq(lease_until_ms(&lease), end_of(300));
    grant(&lease, 1, 400); /* of a voter no more */
    grant(&lease, 4, 400); /* and one of three is no majority */
    ck_assert_uint_eq(lease_until_ms(&lease), end_of(300));
    grant(&lease, 3, 400);
    ck_assert_uint_eq(lease_until_ms(&lease), end_of(400));
    lease_drop(&lease); /* also what was carried */
    ck_assert_uint_eq(lease_until_ms(&lease), 0);
    view_release(next);
    view_release(view);
}
END_TEST

/* The slowest lawful clock of a holder ends before the fastest of a voter, whatever the length. */
START_TEST(a_slow_holder_ends_before_a_fast_voter)
{
    for (uint64_t length = LEASE_MS_MIN; length <= LEASE_MS_MAX; length += 97) {
        struct lease lease;
        struct view *view = make_view(1, 1);
        lease_init(&lease);
        lease_install(&lease, view);
        struct node_id id = id_of(1);
        lease_grant(&lease, &id, 0, length);
        double holder_end = (double)lease_until_ms(&lease) / 0.99; /* in true time */
        double voter_end = (double)length / 1.01;
        ck_assert_double_le(holder_end, voter_end);
        ck_assert_double_ge(holder_end, 0.97 * (double)length);
        view_release(view);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lease");
    TCase *tcase = tcase_create("lease");
    tcase_add_test(tcase, a_supported_node_keeps_what_it_has_until_its_support_runs_out);
    tcase_add_test(tcase, a_supported_node_is_neither_removed_nor_replaced);
    tcase_add_test(tcase, what_is_taken);
    tcase_add_test(tcase, nothing_is_taken_from_one_that_is_removed_and_has_nothing);
    tcase_add_test(tcase, during_a_grace_everybody_counts_as_supported);
    tcase_add_test(tcase, a_farewell_ends_the_support_of_that_run_for_good);
    tcase_add_test(tcase, a_newer_incarnation_ends_the_support_of_the_older);
    tcase_add_test(tcase, silence_is_counted_from_the_last_request);
    tcase_add_test(tcase, who_is_new_in_a_view_has_a_lease_of_time_to_speak);
    tcase_add_test(tcase, many_nodes_are_kept_apart);
    tcase_add_test(tcase, a_majority_of_grants_makes_a_lease);
    tcase_add_test(tcase, half_of_an_even_number_is_no_majority);
    tcase_add_test(tcase, what_earlier_voters_granted_is_carried_on);
    tcase_add_test(tcase, a_slow_holder_ends_before_a_fast_voter);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
