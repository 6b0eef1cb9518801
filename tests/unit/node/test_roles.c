/* What views make of a node that is put together in memory: roles, the term, the streams and what
 * is reported as missing. How a copy takes a role is tested with replication/copy. */
#include "base/error.h"
#include "node/roles.h"
#include "support/fake_node.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define UP NODE_UP
#define SYNCING NODE_SYNCING
#define DOWN NODE_DOWN

static bool install(struct fake_node *fake, uint64_t epoch, enum node_status first,
                    enum node_status second, enum node_status third)
{
    return fake_node_install(fake,
                             &(struct fake_view){.epoch = epoch, .status = {first, second, third}});
}

static uint64_t term(struct fake_node *fake)
{
    return atomic_load(&fake->node.term);
}

static void placed(const struct fake_node *fake, unsigned slot, uint16_t owners[COPIES_MAX])
{
    ck_assert_uint_eq(view_owners_placed(fake->node.view, (uint16_t)slot, owners), 2);
}

static size_t count_role(const struct fake_node *fake, enum copy_role role)
{
    size_t count = 0;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        count += fake->node.slots[i].copy.role == role;
    }
    return count;
}

static size_t count_served(const struct fake_node *fake)
{
    size_t count = 0;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        count += slot_serves(&fake->node.slots[i]);
    }
    return count;
}

static void expect_state(struct fake_node *fake, size_t unready, size_t unserved)
{
    struct roles_state state = roles_look(&fake->node);
    ck_assert_uint_eq(state.unready, unready);
    ck_assert_uint_eq(state.unserved, unserved);
}

START_TEST(test_first_view)
{
    struct fake_node *fake = fake_node_create();
    ck_assert(install(fake, 5, UP, UP, UP));
    ck_assert_uint_eq(atomic_load(&fake->node.epoch), 5);
    ck_assert_uint_eq(fake->node.view->epoch, 5);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct copy *copy = &fake->node.slots[i].copy;
        uint16_t owners[COPIES_MAX];
        placed(fake, i, owners);
        enum copy_role wanted = owners[0] == FAKE_SELF   ? COPY_PRIMARY
                                : owners[1] == FAKE_SELF ? COPY_FOLLOWER
                                                         : COPY_NONE;
        ck_assert_uint_eq(copy->role, wanted);
        ck_assert_uint_eq(copy->epoch, 5);
        ck_assert_uint_eq(copy->leader,
                          wanted == COPY_PRIMARY ? PEER_NONE : fake_peer(fake, owners[0]));
        ck_assert_uint_eq(copy->member_count, wanted == COPY_PRIMARY ? 1 : 0);
        if (wanted == COPY_PRIMARY) {
            ck_assert_uint_eq(copy->members[0].peer, fake_peer(fake, owners[1]));
        }
    }
    size_t led = count_role(fake, COPY_PRIMARY);
    size_t followed = count_role(fake, COPY_FOLLOWER);
    ck_assert_uint_gt(led, SLOT_COUNT / 4);
    ck_assert_uint_gt(followed, SLOT_COUNT / 4);
    ck_assert_uint_eq(count_served(fake), 0);
    ck_assert_uint_eq(atomic_load(&fake->node.unserved_slots), led);
    expect_state(fake, led + followed, led);
    ck_assert_uint_eq(fake->control.peers_of_view[FAKE_SELF], PEER_NONE);
    for (size_t i = 1; i < FAKE_NODES; i++) {
        ck_assert_uint_eq(fake->control.peers_of_view[i], fake_peer(fake, i));
        ck_assert_ptr_nonnull(fake_stream(fake, i));
    }
    /* The workers are told: what they hold may go on, and members are to be attached. */
    ck_assert(atomic_load(&fake->worker.view_came));
    ck_assert_uint_eq(fake_marked(fake), led);
    /* And a part of --memory is granted for what they lead. */
    ck_assert_uint_eq(atomic_load(&fake->node.led_share_permille), led * 1000 / (led + followed));
    fake_node_destroy(fake);
}
END_TEST

START_TEST(test_older_views_change_nothing)
{
    struct fake_node *fake = fake_node_create();
    ck_assert(install(fake, 5, UP, UP, UP));
    const struct view *before = fake->node.view;
    uint64_t term_before = term(fake);
    atomic_store(&fake->worker.view_came, false);
    ck_assert(!install(fake, 5, DOWN, UP, DOWN));
    ck_assert(!install(fake, 4, DOWN, UP, DOWN));
    ck_assert_ptr_eq(fake->node.view, before);
    ck_assert_uint_eq(fake->node.slots[0].copy.epoch, 5);
    ck_assert_uint_eq(term(fake), term_before);
    ck_assert(!atomic_load(&fake->worker.view_came));
    ck_assert_ptr_nonnull(fake_stream(fake, 2));
    fake_node_destroy(fake);
}
END_TEST

/* The same again: what is served is served without a break, under the same term, over the same
 * streams. */
START_TEST(test_same_owners)
{
    struct fake_node *fake = fake_node_create();
    ck_assert(install(fake, 5, UP, UP, UP));
    fake_node_settle(fake);
    expect_state(fake, 0, 0);
    size_t led = count_role(fake, COPY_PRIMARY);
    ck_assert_uint_eq(count_served(fake), led);
    uint64_t term_before = term(fake);
    struct replica_stream *streams[] = {fake_stream(fake, 1), fake_stream(fake, 2)};
    ck_assert(install(fake, 6, UP, UP, UP));
    expect_state(fake, 0, 0);
    ck_assert_uint_eq(count_served(fake), led);
    ck_assert_uint_eq(atomic_load(&fake->node.unserved_slots), 0);
    ck_assert_uint_eq(term(fake), term_before);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_ptr_eq(fake_stream(fake, i + 1), streams[i]);
        ck_assert(!atomic_load(&streams[i]->closing));
    }
    fake_node_destroy(fake);
}
END_TEST

START_TEST(test_a_node_fails)
{
    struct fake_node *fake = fake_node_create();
    size_t inherited = 0;
    ck_assert(install(fake, 5, UP, UP, UP));
    fake_node_settle(fake);
    uint64_t term_before = term(fake);
    struct replica_stream *lost = fake_stream(fake, 2);
    struct replica_stream *other = fake_stream(fake, 1);
    ck_assert(install(fake, 6, UP, UP, DOWN));
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct copy *copy = &fake->node.slots[i].copy;
        uint16_t owners[COPIES_MAX];
        placed(fake, i, owners);
        if (owners[0] == FAKE_SELF) { /* led before, and serves without a break */
            ck_assert_uint_eq(copy->role, COPY_PRIMARY);
            ck_assert(copy_serves(copy));
            ck_assert_uint_eq(copy->member_count, owners[1] == 1);
            ck_assert(copy->member_count == 0 || copy->members[0].stream == other);
        } else if (owners[1] == FAKE_SELF && owners[0] == 2) {
            ck_assert_uint_eq(copy->role, COPY_PRIMARY);
            ck_assert(!copy_serves(copy));
            inherited++;
        }
    }
    ck_assert_uint_gt(inherited, 0);
    ck_assert_uint_eq(atomic_load(&fake->node.unserved_slots), inherited);
    expect_state(fake, inherited, inherited);
    ck_assert_uint_eq(term(fake), term_before); /* it is up: what it executed stands */

    /* Nobody waits for the failed node any more, and there is no stream to it. */
    ck_assert_ptr_null(fake_stream(fake, 2));
    ck_assert(atomic_load(&lost->closed));
    ck_assert(!atomic_load(&other->closed));
    ck_assert_ptr_eq(fake_stream(fake, 1), other);
    fake_node_destroy(fake);
}
END_TEST

/* A replica that a view takes out of those that hold everything loses its place in the stream, for
 * nobody waited for it; one that is syncing keeps it, and so does one that comes up. */
START_TEST(test_streams_of_one_that_is_not_up_any_more)
{
    struct fake_node *fake = fake_node_create();
    ck_assert(install(fake, 5, UP, UP, UP));
    fake_node_settle(fake);
    struct replica_stream *before = fake_stream(fake, 2);
    struct replica_stream *other = fake_stream(fake, 1);
    ck_assert(install(fake, 6, UP, UP, SYNCING));
    struct replica_stream *syncing = fake_stream(fake, 2);
    ck_assert(atomic_load(&before->closed));
    ck_assert_ptr_nonnull(syncing);
    ck_assert_ptr_ne(syncing, before);
    ck_assert_uint_gt(syncing->generation, before->generation);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct copy *copy = &fake->node.slots[i].copy;
        for (unsigned j = 0; j < copy->member_count; j++) {
            ck_assert_ptr_ne(copy->members[j].stream, before);
        }
    }
    ck_assert(install(fake, 7, UP, UP, SYNCING));
    ck_assert_ptr_eq(fake_stream(fake, 2), syncing);
    ck_assert(install(fake, 8, UP, UP, UP));
    ck_assert_ptr_eq(fake_stream(fake, 2), syncing);
    ck_assert(!atomic_load(&syncing->closing));
    ck_assert_ptr_eq(fake_stream(fake, 1), other);
    ck_assert(install(fake, 9, UP, UP, SYNCING));
    syncing = fake_stream(fake, 2);
    ck_assert(install(fake, 10, UP, UP, DOWN)); /* it never came up */
    ck_assert(atomic_load(&syncing->closed));
    ck_assert_ptr_null(fake_stream(fake, 2));
    fake_node_destroy(fake);
}
END_TEST

START_TEST(test_it_comes_back)
{
    struct fake_node *fake = fake_node_create();
    ck_assert(install(fake, 5, UP, UP, UP));
    fake_node_settle(fake);
    ck_assert(install(fake, 6, UP, UP, DOWN));
    fake_node_settle(fake);
    struct fake_view again = {.epoch = 7, .status = {UP, UP, SYNCING}, .incarnation = {1, 1, 2}};
    ck_assert(fake_node_install(fake, &again));
    ck_assert_ptr_nonnull(fake_stream(fake, 2)); /* its copies can be refilled */
    expect_state(fake, 0, 0);                    /* nobody waits for it */
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct copy *copy = &fake->node.slots[i].copy;
        uint16_t owners[COPIES_MAX];
        placed(fake, i, owners);
        bool leads = owners[0] == FAKE_SELF || (owners[0] == 2 && owners[1] == FAKE_SELF);
        ck_assert_int_eq(copy->role == COPY_PRIMARY, leads); /* syncing leads nothing */
        ck_assert_int_eq(copy_serves(copy), leads);
    }
    fake_node_settle(fake);
    again.epoch = 8;
    again.status[2] = UP;
    ck_assert(fake_node_install(fake, &again));
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct copy *copy = &fake->node.slots[i].copy;
        uint16_t owners[COPIES_MAX];
        placed(fake, i, owners);
        if (owners[0] == FAKE_SELF) {
            ck_assert(copy_serves(copy));
            ck_assert_ptr_eq(copy->members[0].stream, fake_stream(fake, owners[1]));
        } else if (owners[0] == 2 && owners[1] == FAKE_SELF) { /* given back, once it asks */
            ck_assert(copy_serves(copy) && copy->acting);
            ck_assert_uint_eq(copy->leader, fake_peer(fake, 2));
        }
    }
    fake_node_destroy(fake);
}
END_TEST

/* A new run of a node holds nothing: the stream to the old run must not be written to. */
START_TEST(test_restart_between_two_views)
{
    struct fake_node *fake = fake_node_create();
    ck_assert(install(fake, 5, UP, UP, SYNCING));
    fake_node_settle(fake);
    struct replica_stream *old = fake_stream(fake, 2);
    struct replica_stream *other = fake_stream(fake, 1);
    ck_assert(fake_node_install(
        fake,
        &(struct fake_view){.epoch = 6, .status = {UP, UP, SYNCING}, .incarnation = {1, 1, 2}}));
    ck_assert(atomic_load(&old->closed));
    ck_assert_ptr_nonnull(fake_stream(fake, 2));
    ck_assert_uint_gt(fake_stream(fake, 2)->generation, old->generation);
    ck_assert_ptr_eq(fake_stream(fake, 1), other);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct copy *copy = &fake->node.slots[i].copy;
        for (unsigned j = 0; j < copy->member_count; j++) {
            ck_assert_ptr_ne(copy->members[j].stream, old);
        }
    }
    fake_node_destroy(fake);
}
END_TEST

/* Whenever others may have gone on without this node, the term grows, so that nothing is answered
 * that was executed before, and no copy counts as attached. */
START_TEST(test_demotion)
{
    static const struct {
        uint64_t epoch;
        enum node_status status;
        uint64_t incarnation;
        bool demoted;
    } views[] = {
        {5, UP, 1, true}, /* it knows nothing of what was before its first */
        {6, UP, 1, false},      {9, UP, 1, false},       /* up is up, whatever was missed */
        {10, SYNCING, 1, true}, {11, SYNCING, 1, false}, /* has been syncing all the while */
        {13, SYNCING, 1, true},                          /* what was 12? */
        {14, UP, 1, false},     {15, DOWN, 1, true},     {16, DOWN, 1, true},
        {17, SYNCING, 1, true}, {18, UP, 1, false},      {19, UP, 7, true}, /* of another run */
    };
    struct fake_node *fake = fake_node_create();
    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
        struct fake_view view = {.epoch = views[i].epoch,
                                 .status = {views[i].status, UP, UP},
                                 .incarnation = {views[i].incarnation, 1, 1}};
        uint64_t before = term(fake);
        ck_assert(fake_node_install(fake, &view));
        ck_assert_msg(term(fake) == before + views[i].demoted, "view %u", (unsigned)view.epoch);
        for (unsigned slot = 0; slot < SLOT_COUNT && views[i].demoted; slot++) {
            const struct copy *copy = &fake->node.slots[slot].copy;
            ck_assert(!copy->attached && !copy_serves(copy));
            ck_assert_uint_eq(copy->demoted_at, view.epoch);
        }
        fake_node_settle(fake);
    }
    ck_assert_uint_eq(count_role(fake, COPY_NONE), SLOT_COUNT); /* that run's data is gone */
    expect_state(fake, 0, 0);
    fake_node_destroy(fake);
}
END_TEST

START_TEST(test_syncing_itself)
{
    struct fake_node *fake = fake_node_create();
    ck_assert(install(fake, 5, SYNCING, UP, UP));
    size_t ours = 0;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct copy *copy = &fake->node.slots[i].copy;
        uint16_t owners[COPIES_MAX];
        placed(fake, i, owners);
        bool owner = owners[0] == FAKE_SELF || owners[1] == FAKE_SELF;
        ck_assert_uint_eq(copy->role, owner ? COPY_FOLLOWER : COPY_NONE);
        ck_assert_uint_eq(copy->leader,
                          fake_peer(fake, owners[0] == FAKE_SELF ? owners[1] : owners[0]));
        ours += owner;
    }
    expect_state(fake, ours, 0); /* it leads nothing, and is not ready */
    fake_node_settle(fake);
    expect_state(fake, 0, 0);
    fake_node_destroy(fake);
}
END_TEST

/* The last that holds anything leads while it is syncing, so as to become up again, and serves
 * nothing until then: that is ready, and still not served. */
START_TEST(test_syncing_alone)
{
    struct fake_node *fake = fake_node_create();
    ck_assert(install(fake, 5, SYNCING, DOWN, DOWN));
    size_t led = count_role(fake, COPY_PRIMARY);
    ck_assert_uint_gt(led, 0);
    expect_state(fake, led, led);
    fake_node_settle(fake);
    expect_state(fake, 0, led);
    ck_assert_uint_eq(count_served(fake), 0);
    ck_assert(install(fake, 6, UP, DOWN, DOWN));
    ck_assert_uint_eq(atomic_load(&fake->node.unserved_slots), led);
    fake_node_step(fake);
    expect_state(fake, 0, 0);
    ck_assert_uint_eq(count_served(fake), led);
    fake_node_destroy(fake);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("roles");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_first_view);
    tcase_add_test(tests, test_older_views_change_nothing);
    tcase_add_test(tests, test_same_owners);
    tcase_add_test(tests, test_a_node_fails);
    tcase_add_test(tests, test_streams_of_one_that_is_not_up_any_more);
    tcase_add_test(tests, test_it_comes_back);
    tcase_add_test(tests, test_restart_between_two_views);
    tcase_add_test(tests, test_demotion);
    tcase_add_test(tests, test_syncing_itself);
    tcase_add_test(tests, test_syncing_alone);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
