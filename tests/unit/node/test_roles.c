/* What views make of the slots of a node that is put together by hand: three nodes, two copies, and
 * this one is the first of them. Nothing is sent: streams are only opened and closed. */
#include "base/error.h"
#include "node/node.h"
#include "node/peers.h"
#include "node/roles.h"
#include "node/worker.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define NODES 3
#define SELF 0

struct fixture {
    struct node node;
    struct worker worker;
    struct worker *workers[1];
    uint8_t copies; /* of the views */
};

static struct node_id id_of(size_t index)
{
    return (struct node_id){{(uint8_t)(index + 1)}};
}

static struct fixture *setup(void)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct node *node = &fixture->node;
    fixture->copies = 2;
    log_init(&node->log, -1, LOG_ERROR, "test");
    pthread_mutex_init(&node->view_lock, NULL);
    node->id = id_of(SELF);
    node->incarnation = 1;
    node->peers = peers_create();
    node->slots = calloc(SLOT_COUNT, sizeof(*node->slots));
    node->workers = fixture->workers;
    node->worker_count = 1;
    fixture->workers[0] = &fixture->worker;
    atomic_store(&fixture->worker.woken, true); /* its loop does not run: nobody is to wake it */
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        node->slots[i].index = (uint16_t)i;
        node->slots[i].source = PEER_NONE;
        node->slots[i].leader = PEER_NONE;
    }
    return fixture;
}

static void teardown(struct fixture *fixture)
{
    view_release(fixture->node.view);
    peers_destroy(fixture->node.peers);
    pthread_mutex_destroy(&fixture->node.view_lock);
    free(fixture->node.slots);
    free(fixture);
}

/* A view in which the nodes have these statuses and these incarnations. */
static struct view *make_view(uint64_t epoch, uint8_t copies, const enum node_status status[NODES],
                              const uint64_t incarnation[NODES])
{
    struct view *view = view_create();
    view->epoch = epoch;
    view->copies = copies;
    view->cluster_id.bytes[0] = 99;
    for (size_t i = 0; i < NODES; i++) {
        struct view_node node = {.id = id_of(i),
                                 .incarnation = incarnation[i],
                                 .host = "host",
                                 .client_port = 1,
                                 .direct_port = 2,
                                 .http_port = 3,
                                 .bus_port = 4,
                                 .status = status[i],
                                 .weight_current = WEIGHT_UNIT,
                                 .weight_target = WEIGHT_UNIT};
        ck_assert_int_eq(view_put_node(view, &node), TORC_OK);
    }
    view->voters[0] = id_of(SELF);
    view->voter_count = 1;
    ck_assert_int_eq(view_seal(view), TORC_OK);
    return view;
}

static const enum node_status all_up[NODES] = {NODE_UP, NODE_UP, NODE_UP};
static const enum node_status third_down[NODES] = {NODE_UP, NODE_UP, NODE_DOWN};
static const enum node_status third_syncing[NODES] = {NODE_UP, NODE_UP, NODE_SYNCING};
static const enum node_status self_syncing[NODES] = {NODE_SYNCING, NODE_UP, NODE_UP};
static const enum node_status nobody_up[NODES] = {NODE_SYNCING, NODE_DOWN, NODE_DOWN};
static const uint64_t first_runs[NODES] = {1, 1, 1};
static const uint64_t third_again[NODES] = {1, 1, 2};

static bool install(struct fixture *fixture, uint64_t epoch, const enum node_status status[NODES],
                    const uint64_t incarnation[NODES])
{
    struct view *view = make_view(epoch, fixture->copies, status, incarnation);
    bool newer = roles_install(&fixture->node, view);
    view_release(view);
    return newer;
}

/* The owners by place, whatever their status: up to two indexes into the view. */
static void placed(const struct fixture *fixture, unsigned slot, uint16_t owners[COPIES_MAX])
{
    ck_assert_uint_eq(view_owners_placed(fixture->node.view, (uint16_t)slot, owners), 2);
}

static struct replica_stream *stream_to(struct fixture *fixture, size_t index)
{
    struct node_id id = id_of(index);
    return atomic_load(&peers_find(fixture->node.peers, &id)->streams[0]);
}

static uint16_t peer_of(struct fixture *fixture, size_t index)
{
    struct node_id id = id_of(index);
    return peers_find(fixture->node.peers, &id)->index;
}

/* As if everything had been taken over: copies are whole, replicas are written to. */
static void take_all(struct fixture *fixture)
{
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &fixture->node.slots[i];
        uint16_t owners[COPIES_MAX];
        placed(fixture, i, owners);
        if (slot->role == SLOT_NONE) {
            continue;
        }
        slot->need_take = false;
        slot->complete = true;
        slot->source = slot->role == SLOT_REPLICA ? slot->leader : PEER_NONE;
        if (slot->role == SLOT_PRIMARY && slot->replica_count == 0) {
            size_t other = owners[0] == SELF ? owners[1] : owners[0];
            slot->replicas[0] = stream_to(fixture, other);
            slot->positions[0] = 1000 + i;
            slot->replica_count = 1;
        }
    }
    ck_assert_uint_eq(roles_missing(&fixture->node), 0);
}

START_TEST(test_first_view)
{
    struct fixture *fixture = setup();
    size_t roles[3] = {0, 0, 0};
    ck_assert(install(fixture, 5, all_up, first_runs));
    ck_assert_uint_eq(atomic_load(&fixture->node.epoch), 5);
    ck_assert_uint_eq(fixture->node.view->epoch, 5);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct slot *slot = &fixture->node.slots[i];
        uint16_t owners[COPIES_MAX];
        placed(fixture, i, owners);
        enum slot_role wanted = owners[0] == SELF   ? SLOT_PRIMARY
                                : owners[1] == SELF ? SLOT_REPLICA
                                                    : SLOT_NONE;
        ck_assert_uint_eq(slot->role, wanted);
        ck_assert_uint_eq(slot->epoch, 5);
        ck_assert_uint_eq(slot->replica_count, 0);
        ck_assert_int_eq(slot->need_take, wanted != SLOT_NONE);
        ck_assert_uint_eq(slot->leader,
                          wanted == SLOT_PRIMARY ? PEER_NONE : peer_of(fixture, owners[0]));
        ck_assert(!slot_serves(slot));
        roles[wanted]++;
    }
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_gt(roles[i], SLOT_COUNT / 4);
    }
    ck_assert_uint_eq(roles_missing(&fixture->node), roles[SLOT_PRIMARY] + roles[SLOT_REPLICA]);
    ck_assert_ptr_nonnull(stream_to(fixture, 1));
    ck_assert_ptr_nonnull(stream_to(fixture, 2));
    teardown(fixture);
}
END_TEST

START_TEST(test_older_views_change_nothing)
{
    struct fixture *fixture = setup();
    ck_assert(install(fixture, 5, all_up, first_runs));
    const struct view *before = fixture->node.view;
    ck_assert(!install(fixture, 5, third_down, first_runs));
    ck_assert(!install(fixture, 4, third_down, first_runs));
    ck_assert_ptr_eq(fixture->node.view, before);
    ck_assert_uint_eq(fixture->node.slots[0].epoch, 5);
    teardown(fixture);
}
END_TEST

/* The same again: what was taken over stays, whoever is written to is written to. */
START_TEST(test_same_owners)
{
    struct fixture *fixture = setup();
    ck_assert(install(fixture, 5, all_up, first_runs));
    take_all(fixture);
    struct replica_stream *stream = stream_to(fixture, 1);
    ck_assert(install(fixture, 6, all_up, first_runs));
    ck_assert_uint_eq(roles_missing(&fixture->node), 0);
    ck_assert_ptr_eq(stream_to(fixture, 1), stream);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct slot *slot = &fixture->node.slots[i];
        ck_assert_uint_eq(slot->epoch, 6);
        ck_assert_uint_eq(slot->replica_count, slot->role == SLOT_PRIMARY);
        if (slot->role == SLOT_PRIMARY) {
            ck_assert_uint_eq(slot->positions[0], 1000 + i);
            ck_assert(slot_serves(slot));
        }
    }
    teardown(fixture);
}
END_TEST

START_TEST(test_a_node_fails)
{
    struct fixture *fixture = setup();
    size_t inherited = 0;
    ck_assert(install(fixture, 5, all_up, first_runs));
    take_all(fixture);
    struct replica_stream *lost = stream_to(fixture, 2);
    struct replica_stream *other = stream_to(fixture, 1);
    ck_assert(install(fixture, 6, third_down, first_runs));
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct slot *slot = &fixture->node.slots[i];
        uint16_t owners[COPIES_MAX];
        placed(fixture, i, owners);
        if (owners[0] == SELF) { /* led before, and serves without a break */
            ck_assert_uint_eq(slot->role, SLOT_PRIMARY);
            ck_assert(slot_serves(slot));
            ck_assert_uint_eq(slot->replica_count, owners[1] == 1);
            ck_assert(slot->replica_count == 0 || slot->replicas[0] == other);
        } else if (owners[1] == SELF && owners[0] == 2) {
            /* Inherited; what is under way from the failed node is still taken. */
            ck_assert_uint_eq(slot->role, SLOT_PRIMARY);
            ck_assert(slot->need_take);
            ck_assert(!slot_serves(slot));
            ck_assert_uint_eq(slot->source, peer_of(fixture, 2));
            ck_assert_uint_eq(slot->leader, PEER_NONE);
            ck_assert_uint_eq(slot->replica_count, 0);
            inherited++;
        } else if (owners[1] == SELF) { /* replica before and after, of the same primary */
            ck_assert_uint_eq(slot->role, SLOT_REPLICA);
            ck_assert(!slot->need_take);
            ck_assert_uint_eq(slot->source, peer_of(fixture, 1));
        } else { /* the other two owned it, and do */
            ck_assert_uint_eq(slot->role, SLOT_NONE);
        }
    }
    ck_assert_uint_gt(inherited, 0);
    ck_assert_uint_eq(roles_missing(&fixture->node), inherited);

    /* Nobody waits for the failed node any more, and there is no stream to it. */
    ck_assert_ptr_null(stream_to(fixture, 2));
    ck_assert(atomic_load(&lost->closed));
    ck_assert(!atomic_load(&other->closed));
    ck_assert_ptr_eq(stream_to(fixture, 1), other);
    teardown(fixture);
}
END_TEST

START_TEST(test_it_comes_back)
{
    struct fixture *fixture = setup();
    ck_assert(install(fixture, 5, all_up, first_runs));
    take_all(fixture);
    ck_assert(install(fixture, 6, third_down, first_runs));
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        fixture->node.slots[i].need_take = false;
    }
    ck_assert(install(fixture, 7, third_syncing, third_again));
    ck_assert_ptr_nonnull(stream_to(fixture, 2)); /* its copies can be refilled */
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct slot *slot = &fixture->node.slots[i];
        uint16_t owners[COPIES_MAX];
        placed(fixture, i, owners);
        bool leads = owners[0] == SELF || (owners[0] == 2 && owners[1] == SELF);
        ck_assert_int_eq(slot->role == SLOT_PRIMARY, leads); /* syncing leads nothing */
        ck_assert(!slot->need_take);
        ck_assert(slot->replica_count == 0 || slot->replicas[0] == stream_to(fixture, 1));
    }

    /* It has been refilled; now it is up and leads again. */
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &fixture->node.slots[i];
        uint16_t owners[COPIES_MAX];
        placed(fixture, i, owners);
        if (slot->role == SLOT_PRIMARY && (owners[0] == 2 || owners[1] == 2)) {
            slot->replicas[0] = stream_to(fixture, 2);
            slot->replica_count = 1;
        }
    }
    struct replica_stream *stream = stream_to(fixture, 2);
    ck_assert(install(fixture, 8, all_up, third_again));
    ck_assert_ptr_eq(stream_to(fixture, 2), stream);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct slot *slot = &fixture->node.slots[i];
        uint16_t owners[COPIES_MAX];
        placed(fixture, i, owners);
        if (owners[0] == SELF) {
            ck_assert_uint_eq(slot->role, SLOT_PRIMARY);
            ck_assert(!slot->need_take);
            ck_assert_ptr_eq(slot->replicas[0], stream_to(fixture, owners[1]));
        } else if (owners[0] == 2 && owners[1] == SELF) { /* given back */
            ck_assert_uint_eq(slot->role, SLOT_REPLICA);
            ck_assert(slot->need_take);
            ck_assert_uint_eq(slot->leader, peer_of(fixture, 2));
            ck_assert_uint_eq(slot->replica_count, 0);
        }
    }
    teardown(fixture);
}
END_TEST

/* A new run of a node holds nothing: the stream to the old run must not be written to. */
START_TEST(test_restart_between_two_views)
{
    struct fixture *fixture = setup();
    ck_assert(install(fixture, 5, all_up, first_runs));
    take_all(fixture);
    struct replica_stream *old = stream_to(fixture, 2);
    struct replica_stream *other = stream_to(fixture, 1);
    ck_assert(install(fixture, 6, third_syncing, third_again));
    ck_assert(atomic_load(&old->closed));
    ck_assert_ptr_nonnull(stream_to(fixture, 2));
    ck_assert_ptr_ne(stream_to(fixture, 2), old);
    ck_assert_uint_gt(stream_to(fixture, 2)->generation, old->generation);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct slot *slot = &fixture->node.slots[i];
        ck_assert(slot->replica_count == 0 || slot->replicas[0] == other);
    }
    teardown(fixture);
}
END_TEST

START_TEST(test_syncing_itself)
{
    struct fixture *fixture = setup();
    ck_assert(install(fixture, 5, self_syncing, first_runs));
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct slot *slot = &fixture->node.slots[i];
        uint16_t owners[COPIES_MAX];
        placed(fixture, i, owners);
        bool ours = owners[0] == SELF || owners[1] == SELF;
        ck_assert_uint_eq(slot->role, ours ? SLOT_REPLICA : SLOT_NONE);
        ck_assert_int_eq(slot->need_take, ours);
        ck_assert_uint_eq(slot->leader,
                          peer_of(fixture, owners[0] == SELF ? owners[1] : owners[0]));
    }
    teardown(fixture);
}
END_TEST

START_TEST(test_nobody_to_follow)
{
    struct fixture *fixture = setup();
    ck_assert(install(fixture, 5, nobody_up, first_runs));
    ck_assert_uint_eq(roles_missing(&fixture->node), 0);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        ck_assert_uint_eq(fixture->node.slots[i].role, SLOT_NONE);
        ck_assert_uint_eq(fixture->node.slots[i].leader, PEER_NONE);
    }
    teardown(fixture);
}
END_TEST

/* Three copies: everybody has every slot, and writes go to both others. */
START_TEST(test_three_copies)
{
    struct fixture *fixture = setup();
    size_t changed = 0;
    fixture->copies = 3;
    ck_assert(install(fixture, 5, all_up, first_runs));
    struct replica_stream *streams[] = {stream_to(fixture, 1), stream_to(fixture, 2)};
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &fixture->node.slots[i];
        slot->need_take = false;
        slot->source = slot->leader;
        for (uint8_t j = 0; slot->role == SLOT_PRIMARY && j < 2; j++) {
            slot->replicas[j] = streams[j];
            slot->replica_count++;
        }
    }
    ck_assert(install(fixture, 6, all_up, first_runs));
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct slot *slot = &fixture->node.slots[i];
        ck_assert_uint_eq(slot->replica_count, slot->role == SLOT_PRIMARY ? 2 : 0);
    }
    ck_assert(install(fixture, 7, third_down, first_runs));
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct slot *slot = &fixture->node.slots[i];
        uint16_t owners[COPIES_MAX];
        ck_assert_uint_eq(view_owners_placed(fixture->node.view, (uint16_t)i, owners), 3);
        if (owners[0] == 2 && owners[1] == 1) {
            /* Its primary failed and another leads it: what that has, it must send. */
            ck_assert_uint_eq(slot->role, SLOT_REPLICA);
            ck_assert(slot->need_take);
            ck_assert_uint_eq(slot->leader, peer_of(fixture, 1));
            ck_assert_uint_eq(slot->source, peer_of(fixture, 2)); /* until that asks */
            changed++;
        } else if (owners[0] == 1) {
            ck_assert_uint_eq(slot->role, SLOT_REPLICA);
            ck_assert(!slot->need_take);
        } else if (owners[0] == SELF) {
            ck_assert_uint_eq(slot->replica_count, 1);
            ck_assert_ptr_eq(slot->replicas[0], streams[0]);
        }
    }
    ck_assert_uint_gt(changed, 0);
    teardown(fixture);
}
END_TEST

/* Replicas that were not counted for a while, or did not see every view, may lack effects. */
static void expect_replicas_to_take(const struct fixture *fixture, bool wanted)
{
    size_t replicas = 0;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct slot *slot = &fixture->node.slots[i];
        if (slot->role == SLOT_REPLICA) {
            ck_assert_int_eq(slot->need_take, wanted);
            replicas++;
        }
    }
    ck_assert_uint_gt(replicas, 0);
}

START_TEST(test_replicas_that_missed_something)
{
    static const enum node_status self_down[NODES] = {NODE_DOWN, NODE_UP, NODE_UP};
    struct fixture *fixture = setup();
    ck_assert(install(fixture, 5, all_up, first_runs));
    take_all(fixture);
    ck_assert(install(fixture, 6, all_up, first_runs));
    expect_replicas_to_take(fixture, false);
    ck_assert(install(fixture, 8, all_up, first_runs)); /* what was 7? */
    expect_replicas_to_take(fixture, true);
    take_all(fixture);
    ck_assert(install(fixture, 9, self_down, first_runs)); /* stopped, not restarted */
    expect_replicas_to_take(fixture, true);
    teardown(fixture);
}
END_TEST

/* A replica of the view before is told everything until the new ones hold it all. */
START_TEST(test_former_replicas)
{
    static const enum node_status second_syncing[NODES] = {NODE_UP, NODE_SYNCING, NODE_UP};
    struct fixture *fixture = setup();
    struct store *store = store_create();
    size_t led = 0;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        fixture->node.slots[i].keys = store_keyspace(store, (uint16_t)i);
    }
    ck_assert(install(fixture, 5, all_up, first_runs));
    take_all(fixture);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &fixture->node.slots[i];
        if (slot->role == SLOT_PRIMARY) {
            /* As after a change of owners: one that is none of them any more is still told. */
            uint16_t owners[COPIES_MAX];
            placed(fixture, i, owners);
            slot->replicas[1] = stream_to(fixture, owners[1] == 1 ? 2 : 1);
            slot->replica_count = 2;
            led++;
        }
    }
    ck_assert_uint_gt(led, 0);
    ck_assert(install(fixture, 6, second_syncing, first_runs));
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct slot *slot = &fixture->node.slots[i];
        uint16_t owners[COPIES_MAX];
        placed(fixture, i, owners);
        if (owners[0] == SELF) {
            ck_assert_uint_eq(slot->replica_count, 2);
        }
    }
    roles_drop_former(&fixture->node, fixture->node.view);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct slot *slot = &fixture->node.slots[i];
        uint16_t owners[COPIES_MAX];
        placed(fixture, i, owners);
        if (owners[0] == SELF) {
            ck_assert_uint_eq(slot->replica_count, 1);
            ck_assert_uint_eq(slot->replicas[0]->peer, peer_of(fixture, owners[1]));
        }
    }
    teardown(fixture);
    store_destroy(store);
}
END_TEST

/* What others own is dropped once they hold it, and never when nobody does. */
START_TEST(test_foreign_data)
{
    struct fixture *fixture = setup();
    struct store *store = store_create();
    struct bytes key = BYTES_LITERAL("key");
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &fixture->node.slots[i];
        slot->keys = store_keyspace(store, (uint16_t)i);
        slot->complete = true;
        ck_assert_int_eq(
            keyspace_set_string(slot->keys, key, key_hash(key), BYTES_LITERAL("v"), 0, NULL),
            TORC_OK);
    }
    ck_assert(install(fixture, 5, nobody_up, first_runs));
    roles_drop_former(&fixture->node, fixture->node.view);
    ck_assert_uint_eq(store_key_count(store), SLOT_COUNT);
    ck_assert(install(fixture, 6, all_up, first_runs));
    roles_drop_former(&fixture->node, fixture->node.view);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct slot *slot = &fixture->node.slots[i];
        ck_assert_uint_eq(keyspace_count(slot->keys), slot->role == SLOT_NONE ? 0 : 1);
    }
    ck_assert_uint_lt(store_key_count(store), SLOT_COUNT);
    teardown(fixture);
    store_destroy(store);
}
END_TEST

/* The view speaks of an earlier run, whose data is gone. */
START_TEST(test_a_view_of_an_earlier_run)
{
    struct fixture *fixture = setup();
    fixture->node.incarnation = 2;
    ck_assert(install(fixture, 5, all_up, first_runs));
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        ck_assert_uint_eq(fixture->node.slots[i].role, SLOT_NONE);
    }
    teardown(fixture);
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
    tcase_add_test(tests, test_it_comes_back);
    tcase_add_test(tests, test_restart_between_two_views);
    tcase_add_test(tests, test_syncing_itself);
    tcase_add_test(tests, test_nobody_to_follow);
    tcase_add_test(tests, test_three_copies);
    tcase_add_test(tests, test_a_view_of_an_earlier_run);
    tcase_add_test(tests, test_replicas_that_missed_something);
    tcase_add_test(tests, test_former_replicas);
    tcase_add_test(tests, test_foreign_data);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
