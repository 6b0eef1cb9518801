#include "base/error.h"
#include "ring/quorum.h"
#include "ring/quorum_message.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define NODES_USED 4
#define STEP_MS 10
#define LEASE 1000
#define KIND_AT 5 /* of a message */

/* A few quorums, and what is under way between them: it arrives at the next step. */
struct net {
    struct quorum *nodes[NODES_USED];
    struct buf disks[NODES_USED];
    size_t count;
    bool cut[NODES_USED][NODES_USED];
    bool dead[NODES_USED];
    bool disk_stuck[NODES_USED];
    bool lazy[NODES_USED]; /* does not carry out views */
    struct quorum_report reports[NODES_USED];
    struct member_fact facts[NODES_USED];
    size_t fact_count;
    struct {
        size_t from, to;
        struct buf bytes;
    } flights[2048];
    size_t flight_count;
    uint64_t now_ms;
};

static struct node_id id_of(size_t i)
{
    return (struct node_id){{(uint8_t)(i + 1), 1}};
}

/* `count` nodes that are up, the first `voters` of them vote. */
static struct view *make_view(size_t count, size_t voters)
{
    struct view *view = view_create();
    view->epoch = 5;
    view->copies = 2;
    view->cluster_id = id_of(100);
    view->lease_ms = LEASE;
    for (size_t i = 0; i < count; i++) {
        struct view_node node = {.id = id_of(i),
                                 .incarnation = 10,
                                 .host = "host",
                                 .status = NODE_UP,
                                 .weight_current = 100,
                                 .weight_target = 100};
        ck_assert_int_eq(view_put_node(view, &node), 0);
    }
    for (size_t i = 0; i < voters; i++) {
        view->voters[view->voter_count++] = id_of(i);
    }
    ck_assert_int_eq(view_seal(view), 0);
    return view;
}

static void start(struct net *net, size_t i, const struct view *view, uint64_t incarnation)
{
    struct quorum_options options = {.self = id_of(i), .incarnation = incarnation, .seed = i + 1};
    net->nodes[i] = quorum_create(&options, view, buf_bytes(&net->disks[i]), net->now_ms);
    ck_assert_ptr_nonnull(net->nodes[i]);
}

static void net_init(struct net *net, size_t count, size_t voters)
{
    memset(net, 0, sizeof(*net));
    net->count = count;
    net->now_ms = 100000;
    struct view *view = make_view(count, voters);
    for (size_t i = 0; i < count; i++) {
        start(net, i, view, 10);
    }
    view_release(view);
}

static void net_deinit(struct net *net)
{
    for (size_t i = 0; i < net->flight_count; i++) {
        buf_deinit(&net->flights[i].bytes);
    }
    for (size_t i = 0; i < net->count; i++) {
        quorum_destroy(net->nodes[i]);
        buf_deinit(&net->disks[i]);
    }
}

static const struct view *view_of(const struct net *net, size_t i)
{
    return quorum_view(net->nodes[i]);
}

static int status_of(const struct net *net, size_t observer, size_t i)
{
    struct node_id id = id_of(i);
    int index = view_find(view_of(net, observer), &id);
    return index < 0 ? 0 : (int)view_of(net, observer)->nodes[index].status;
}

static void write_disk(struct net *net, size_t i)
{
    if (quorum_must_write(net->nodes[i]) && !net->disk_stuck[i]) {
        buf_reset(&net->disks[i], SIZE_MAX);
        quorum_encode(net->nodes[i], &net->disks[i]);
        quorum_written(net->nodes[i]);
    }
}

static void collect(struct net *net, size_t i)
{
    struct quorum_message message;
    write_disk(net, i);
    while (quorum_take(net->nodes[i], &message)) {
        size_t to = (size_t)message.to.bytes[0] - 1;
        /* Nothing of a vote leaves before it is on disk. */
        ck_assert(!net->disk_stuck[i] || !quorum_must_write(net->nodes[i]) ||
                  buf_head(&message.bytes)[KIND_AT] != QUORUM_AGREEMENT);
        if (to >= net->count || net->cut[i][to] || net->dead[to] || net->flight_count == 2048) {
            buf_deinit(&message.bytes);
            continue;
        }
        net->flights[net->flight_count].from = i;
        net->flights[net->flight_count].to = to;
        net->flights[net->flight_count++].bytes = message.bytes;
    }
}

static void step(struct net *net)
{
    net->now_ms += STEP_MS;
    size_t arriving = net->flight_count;
    for (size_t i = 0; i < arriving; i++) {
        size_t to = net->flights[i].to;
        if (!net->dead[to] && !net->cut[net->flights[i].from][to]) {
            ck_assert_int_eq(
                quorum_receive(net->nodes[to], buf_bytes(&net->flights[i].bytes), net->now_ms),
                TORC_OK);
            collect(net, to);
        }
        buf_deinit(&net->flights[i].bytes);
    }
    net->flight_count -= arriving;
    memmove(&net->flights[0], &net->flights[arriving], net->flight_count * sizeof(net->flights[0]));
    for (size_t i = 0; i < net->count; i++) {
        if (net->dead[i]) {
            continue;
        }
        if (!net->lazy[i]) {
            net->reports[i].complete_epoch = view_of(net, i)->epoch;
        }
        ck_assert_int_eq(quorum_set_report(net->nodes[i], &net->reports[i]), TORC_OK);
        quorum_tick(net->nodes[i], net->now_ms);
        quorum_consider(net->nodes[i], net->facts, net->fact_count, net->now_ms);
        collect(net, i);
    }
}

static void run(struct net *net, uint64_t length_ms)
{
    for (uint64_t end = net->now_ms + length_ms; net->now_ms < end;) {
        step(net);
    }
}

/* Runs until the observer's view says so of that node; how long it took. */
static uint64_t run_until_status(struct net *net, size_t observer, size_t i, int status,
                                 uint64_t limit_ms)
{
    uint64_t start_ms = net->now_ms;
    while (status_of(net, observer, i) != status) {
        step(net);
        ck_assert_uint_le(net->now_ms - start_ms, limit_ms);
    }
    return net->now_ms - start_ms;
}

static bool has_lease(const struct net *net, size_t i)
{
    return quorum_lease_until_ms(net->nodes[i]) > net->now_ms;
}

START_TEST(everybody_gets_and_keeps_a_lease)
{
    struct net net;
    net_init(&net, 4, 3);
    run(&net, 50);
    for (unsigned i = 0; i < 300; i++) {
        step(&net);
        for (size_t node = 0; node < 4; node++) {
            uint64_t until = quorum_lease_until_ms(net.nodes[node]);
            ck_assert(has_lease(&net, node));
            ck_assert_uint_le(until, net.now_ms + LEASE * 98 / 100);
        }
    }
    ck_assert_uint_eq(view_of(&net, 0)->epoch, 5); /* and nothing to decide */
    net_deinit(&net);
}
END_TEST

START_TEST(a_majority_of_voters_is_enough_for_a_lease_and_less_is_not)
{
    struct net net;
    net_init(&net, 4, 3);
    run(&net, 50);
    net.cut[3][0] = net.cut[0][3] = true;
    run(&net, 2 * LEASE);
    ck_assert(has_lease(&net, 3));
    ck_assert_int_eq(status_of(&net, 1, 3), NODE_UP); /* two of three hear it */
    net.cut[3][1] = net.cut[1][3] = true;
    run(&net, LEASE);
    ck_assert(!has_lease(&net, 3));
    net_deinit(&net);
}
END_TEST

START_TEST(a_silent_node_goes_down_after_one_lease_and_not_before)
{
    for (size_t victim = 0; victim < 4; victim += 3) { /* a voter, and one that does not vote */
        struct net net;
        net_init(&net, 4, 3);
        run(&net, 2 * LEASE);
        uint64_t until = quorum_lease_until_ms(net.nodes[victim]);
        size_t observer = victim == 0 ? 1 : 0;
        for (size_t i = 0; i < 4; i++) {
            net.cut[i][victim] = net.cut[victim][i] = true;
        }
        uint64_t took = run_until_status(&net, observer, victim, NODE_DOWN, 2 * LEASE);
        ck_assert_uint_ge(net.now_ms, until);
        ck_assert_uint_le(took, LEASE + 700);
        ck_assert(!has_lease(&net, victim));
        ck_assert_uint_eq(view_of(&net, observer)->epoch, 6);
        /* It comes back, catches up, and is up again. */
        memset(net.cut, 0, sizeof(net.cut));
        run_until_status(&net, observer, victim, NODE_UP, 2 * LEASE);
        run(&net, 500);
        ck_assert(has_lease(&net, victim));
        ck_assert_uint_le(view_of(&net, observer)->epoch, 9);
        for (size_t i = 0; i < 4; i++) {
            ck_assert_uint_eq(view_of(&net, i)->epoch, view_of(&net, observer)->epoch);
        }
        net_deinit(&net);
    }
}
END_TEST

START_TEST(a_minority_decides_nothing)
{
    struct net net;
    net_init(&net, 3, 3);
    run(&net, LEASE);
    net.dead[1] = net.dead[2] = true;
    run(&net, 5 * LEASE);
    ck_assert_uint_eq(view_of(&net, 0)->epoch, 5);
    ck_assert(!has_lease(&net, 0));
    net_deinit(&net);
}
END_TEST

START_TEST(nothing_of_a_vote_leaves_before_it_is_on_disk)
{
    struct net net;
    net_init(&net, 3, 3);
    run(&net, 2 * LEASE);
    net.disk_stuck[0] = net.disk_stuck[1] = true;
    net.dead[2] = true;
    run(&net, 4 * LEASE);
    ck_assert(quorum_must_write(net.nodes[0]));
    ck_assert_uint_eq(view_of(&net, 0)->epoch, 5);
    ck_assert_uint_eq(view_of(&net, 1)->epoch, 5);
    net.disk_stuck[0] = false; /* one disk is no majority */
    run(&net, 2 * LEASE);
    ck_assert_uint_eq(view_of(&net, 0)->epoch, 5);
    net.disk_stuck[1] = false;
    run_until_status(&net, 0, 2, NODE_DOWN, 2 * LEASE);
    net_deinit(&net);
}
END_TEST

START_TEST(a_vote_survives_a_restart)
{
    struct net net;
    net_init(&net, 3, 3);
    struct view *present = make_view(3, 3);
    struct view *next = view_clone(present);
    next->epoch = 6;
    next->nodes[2].leaving = true;
    ck_assert_int_eq(view_seal(next), 0);
    struct quorum_wire wire = {
        .kind = QUORUM_AGREEMENT,
        .sender = id_of(0),
        .incarnation = 10,
        .epoch = 5,
        .agreement = {
            .kind = AGREEMENT_ACCEPT, .instance = 6, .ballot = {9, id_of(0)}, .view = next}};
    /* The tag of this cluster, from a message of its own. */
    quorum_tick(net.nodes[0], net.now_ms);
    struct quorum_message message;
    struct quorum_wire seen;
    ck_assert(quorum_take(net.nodes[0], &message));
    ck_assert_int_eq(quorum_wire_decode(&seen, buf_bytes(&message.bytes), NULL), TORC_OK);
    buf_deinit(&message.bytes);
    wire.cluster_tag = seen.cluster_tag;
    struct buf bytes = {0};
    quorum_wire_encode(&wire, &bytes);
    ck_assert_int_eq(quorum_receive(net.nodes[1], buf_bytes(&bytes), net.now_ms), TORC_OK);
    ck_assert(quorum_must_write(net.nodes[1]));
    write_disk(&net, 1);
    ck_assert_int_eq(quorum_check_durable(buf_bytes(&net.disks[1])), TORC_OK);
    quorum_destroy(net.nodes[1]);
    start(&net, 1, present, 11);
    net.dead[0] = true; /* whoever proposed it */
    run(&net, LEASE + 500);
    ck_assert_uint_ge(view_of(&net, 1)->epoch, 6);
    ck_assert(view_of(&net, 1)->nodes[2].leaving);
    buf_deinit(&bytes);
    view_release(next);
    view_release(present);
    net_deinit(&net);
}
END_TEST

START_TEST(damaged_memory_is_refused)
{
    struct net net;
    net_init(&net, 1, 1);
    write_disk(&net, 0);
    struct buf *disk = &net.disks[0];
    ck_assert_uint_gt(buf_size(disk), 0);
    for (size_t size = 1; size < buf_size(disk); size++) {
        ck_assert_int_eq(quorum_check_durable((struct bytes){buf_head(disk), size}), TORC_ECORRUPT);
    }
    ck_assert_int_eq(quorum_check_durable((struct bytes){NULL, 0}), TORC_OK);
    buf_head(disk)[0] = 2;
    ck_assert_int_eq(quorum_check_durable(buf_bytes(disk)), TORC_EVERSION);
    struct quorum_options options = {.self = id_of(0)};
    ck_assert_ptr_null(quorum_create(&options, view_of(&net, 0), buf_bytes(disk), 0));
    net_deinit(&net);
}
END_TEST

START_TEST(strange_messages_change_nothing)
{
    struct net net;
    net_init(&net, 1, 1);
    struct quorum_wire wire = {
        .kind = QUORUM_LEASE_REQUEST, .cluster_tag = 1, .sender = id_of(1), .epoch = 99};
    struct buf bytes = {0};
    struct node_id who;
    quorum_wire_encode(&wire, &bytes);
    ck_assert_int_eq(quorum_receive(net.nodes[0], buf_bytes(&bytes), net.now_ms), TORC_EINVAL);
    buf_head(&bytes)[4] = 9;
    ck_assert_int_eq(quorum_receive(net.nodes[0], buf_bytes(&bytes), net.now_ms), TORC_EVERSION);
    buf_head(&bytes)[0] = 9;
    ck_assert_int_eq(quorum_receive(net.nodes[0], buf_bytes(&bytes), net.now_ms), TORC_ECORRUPT);
    ck_assert_uint_eq(quorum_counters(net.nodes[0])->refused, 3);
    ck_assert(!quorum_behind(net.nodes[0], &who));
    buf_deinit(&bytes);
    net_deinit(&net);
}
END_TEST

START_TEST(an_accused_node_is_waited_for_and_then_has_to_catch_up)
{
    struct net net;
    net_init(&net, 4, 3);
    run(&net, LEASE);
    struct node_id third = id_of(2);
    net.reports[3].slow = &third;
    net.reports[3].slow_count = 1;
    uint64_t until = 0;
    uint64_t accused_ms = net.now_ms;
    net.lazy[2] = true;
    while (status_of(&net, 0, 2) == NODE_UP) {
        until = quorum_lease_until_ms(net.nodes[2]);
        step(&net);
        ck_assert_uint_le(net.now_ms, accused_ms + 2 * LEASE);
    }
    ck_assert_int_eq(status_of(&net, 0, 2), NODE_SYNCING);
    ck_assert_uint_ge(net.now_ms, until);
    net.reports[3].slow_count = 0;
    run(&net, LEASE);
    ck_assert_int_eq(status_of(&net, 0, 2), NODE_SYNCING); /* it has not caught up */
    ck_assert(!has_lease(&net, 2));
    net.lazy[2] = false;
    run_until_status(&net, 0, 2, NODE_UP, LEASE);
    run(&net, 500);
    ck_assert(has_lease(&net, 2));
    net_deinit(&net);
}
END_TEST

/* Two that cannot reach each other accuse each other: one gives way, not both. */
START_TEST(of_two_that_accuse_each_other_one_gives_way)
{
    struct net net;
    net_init(&net, 4, 3);
    run(&net, LEASE);
    struct node_id second = id_of(1);
    struct node_id third = id_of(2);
    net.reports[2].slow = &second;
    net.reports[1].slow = &third;
    net.reports[1].slow_count = net.reports[2].slow_count = 1;
    net.lazy[1] = net.lazy[2] = true;
    run(&net, 2 * LEASE);
    ck_assert_int_eq(status_of(&net, 0, 1), NODE_UP);
    ck_assert_int_eq(status_of(&net, 0, 2), NODE_SYNCING);
    net_deinit(&net);
}
END_TEST

START_TEST(an_accusation_that_is_withdrawn_leads_to_nothing)
{
    struct net net;
    net_init(&net, 3, 3);
    run(&net, LEASE);
    struct node_id third = id_of(2);
    net.reports[0].slow = &third;
    net.reports[0].slow_count = 1;
    run(&net, LEASE / 2);
    net.reports[0].slow_count = 0;
    run(&net, 3 * LEASE);
    ck_assert_uint_eq(view_of(&net, 0)->epoch, 5);
    ck_assert(has_lease(&net, 2));
    net_deinit(&net);
}
END_TEST

static void wish(struct net *net, size_t node, const struct quorum_wish *wished)
{
    ck_assert_int_eq(quorum_wish(net->nodes[node], wished, net->now_ms + 1000), TORC_OK);
}

START_TEST(wishes_are_heard)
{
    struct net net;
    net_init(&net, 4, 3);
    run(&net, LEASE);
    struct node_id third = id_of(2);
    struct node_id fourth = id_of(3);
    /* Of a node that does not vote. */
    wish(&net, 3, &(struct quorum_wish){.prefer = &third});
    run(&net, 500);
    ck_assert(view_of(&net, 0)->nodes[2].preferred);
    ck_assert_uint_eq(view_of(&net, 0)->epoch, 6);
    run(&net, 2000);
    ck_assert_uint_eq(view_of(&net, 0)->epoch, 6); /* once */

    net.dead[3] = true;
    run_until_status(&net, 0, 3, NODE_DOWN, 3 * LEASE);
    wish(&net, 0, &(struct quorum_wish){.forget = &fourth});
    run(&net, 500);
    ck_assert(view_of(&net, 1)->nodes[3].removing);
    net_deinit(&net);
}
END_TEST

/* Each is granted once, though the next comes before the one who made it asks again. */
START_TEST(wishes_of_two_nodes_follow_each_other)
{
    struct net net;
    net_init(&net, 3, 3);
    run(&net, LEASE);
    for (size_t i = 0; i < 4; i++) {
        struct node_id id = id_of(i % 2);
        wish(&net, i % 2, &(struct quorum_wish){.prefer = &id});
        run(&net, 110);
        ck_assert_uint_eq(view_of(&net, 2)->epoch, 6 + i);
        ck_assert(view_of(&net, 2)->nodes[i % 2].preferred);
    }
    run(&net, 3000);
    ck_assert_uint_eq(view_of(&net, 2)->epoch, 9);
    net_deinit(&net);
}
END_TEST

START_TEST(a_farewell_spares_the_wait)
{
    struct net net;
    net_init(&net, 4, 3);
    run(&net, 2 * LEASE);
    quorum_leave(net.nodes[3], net.now_ms);
    ck_assert(!has_lease(&net, 3));
    run_until_status(&net, 0, 3, NODE_DOWN, LEASE / 4);
    ck_assert(!has_lease(&net, 3)); /* also not by answers that were under way */
    net_deinit(&net);
}
END_TEST

START_TEST(a_newer_view_is_taken_over_and_an_older_is_not)
{
    struct net net;
    net_init(&net, 2, 1);
    struct view *newer = make_view(2, 1);
    newer->epoch = 8;
    struct view *foreign = make_view(2, 1);
    ck_assert(!quorum_offer(net.nodes[1], foreign, net.now_ms)); /* no newer */
    struct view *stranger = view_clone(newer);
    stranger->cluster_id = id_of(101);
    ck_assert_int_eq(view_seal(stranger), 0);
    ck_assert(!quorum_offer(net.nodes[1], stranger, net.now_ms));
    ck_assert(quorum_offer(net.nodes[1], newer, net.now_ms));
    ck_assert_uint_eq(view_of(&net, 1)->epoch, 8);
    /* Whoever is behind finds out by the first message. */
    run(&net, 50);
    struct node_id who;
    ck_assert(quorum_behind(net.nodes[0], &who));
    ck_assert(node_id_equal(&who, &(struct node_id){{2, 1}}));
    ck_assert(quorum_offer(net.nodes[0], newer, net.now_ms));
    ck_assert(!quorum_behind(net.nodes[0], &who));
    view_release(stranger);
    view_release(foreign);
    view_release(newer);
    net_deinit(&net);
}
END_TEST

/* Support belongs to an epoch: who has voted to end this one renews none under it. */
START_TEST(a_voter_renews_nothing_under_an_epoch_it_has_voted_to_end)
{
    struct net net;
    net_init(&net, 4, 3);
    run(&net, 50);
    struct quorum_message message;
    struct quorum_wire wire;
    while (quorum_take(net.nodes[3], &message)) {
        buf_deinit(&message.bytes);
    }
    quorum_tick(net.nodes[3], net.now_ms + 500); /* asks for its lease */
    ck_assert(quorum_take(net.nodes[3], &message));
    uint64_t grants = quorum_counters(net.nodes[1])->lease_grants;
    struct bytes request = buf_bytes(&message.bytes);
    ck_assert_int_eq(quorum_receive(net.nodes[1], request, net.now_ms), TORC_OK);
    ck_assert_uint_eq(quorum_counters(net.nodes[1])->lease_grants, grants + 1);

    struct view *next = view_clone(view_of(&net, 1));
    next->epoch++;
    next->nodes[2].leaving = true;
    ck_assert_int_eq(view_seal(next), 0);
    ck_assert_int_eq(quorum_wire_decode(&wire, request, NULL), TORC_OK);
    wire.kind = QUORUM_AGREEMENT;
    wire.sender = id_of(0);
    wire.agreement = (struct agreement_message){
        .kind = AGREEMENT_ACCEPT, .instance = 6, .ballot = {9, id_of(0)}, .view = next};
    struct buf bytes = {0};
    quorum_wire_encode(&wire, &bytes);
    ck_assert_int_eq(quorum_receive(net.nodes[1], buf_bytes(&bytes), net.now_ms), TORC_OK);
    ck_assert_int_eq(quorum_receive(net.nodes[1], request, net.now_ms), TORC_OK);
    ck_assert_uint_eq(quorum_counters(net.nodes[1])->lease_grants, grants + 1);
    buf_deinit(&bytes);
    buf_deinit(&message.bytes);
    view_release(next);
    net_deinit(&net);
}
END_TEST

static size_t count_moved(const struct view *view)
{
    size_t count = 0;
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        count += view_slot_moved(view, (uint16_t)slot);
    }
    return count;
}

/* A change begins with the slots moved that stay where they are; the others go together, as far as
 * their primaries are ready at about one time. */
START_TEST(slots_wait_for_those_of_other_nodes)
{
    static uint8_t all[SLOT_COUNT / 8];
    memset(all, 0xff, sizeof(all));
    for (int late = 0; late < 2; late++) {
        struct net net;
        net_init(&net, 4, 3);
        run(&net, LEASE);
        net.facts[0] = (struct member_fact){
            .node = {.id = id_of(3), .incarnation = 10, .host = "host", .weight_asked = 200}};
        net.fact_count = 1;
        while (!view_of(&net, 0)->changing) {
            step(&net);
        }
        uint64_t epoch = view_of(&net, 0)->epoch;
        size_t alike = count_moved(view_of(&net, 0));
        ck_assert_uint_gt(alike, SLOT_COUNT / 4);
        ck_assert_uint_lt(alike, SLOT_COUNT);
        for (size_t i = 0; i < 3; i++) {
            net.reports[i].ready = all;
        }
        run(&net, 800);
        ck_assert_uint_eq(view_of(&net, 0)->epoch, epoch);
        net.reports[3].ready = late == 0 ? all : NULL;
        run(&net, 500);
        ck_assert_uint_gt(view_of(&net, 0)->epoch, epoch);
        size_t moved = count_moved(view_of(&net, 0));
        if (late == 0) {
            ck_assert_uint_ge(view_of(&net, 0)->epoch,
                              epoch + 1); /* all at once, or even the end */
            ck_assert(moved == SLOT_COUNT || !view_of(&net, 0)->changing);
        } else {
            ck_assert_uint_gt(moved, alike);
            ck_assert_uint_lt(moved, SLOT_COUNT);
        }
        net_deinit(&net);
    }
}
END_TEST

/* ---- what must not happen ---- */

/* It has had no time to ask yet when the view that admits it comes. */
START_TEST(a_joiner_is_not_called_silent_before_it_could_speak)
{
    struct net net;
    net_init(&net, 4, 3);
    net.dead[3] = true;
    quorum_destroy(net.nodes[3]);
    struct view *first = make_view(3, 3);
    struct view *second = view_clone(first);
    second->epoch = 6;
    ck_assert_int_eq(view_seal(second), 0);
    for (size_t i = 0; i < 3; i++) {
        ck_assert(quorum_offer(net.nodes[i], second, net.now_ms));
    }
    /* (The view of net_init had four nodes; node 4 is made a stranger by one of three.) */
    start(&net, 3, second, 20);
    run(&net, 2 * LEASE);
    struct member_fact fact = {
        .node = {.id = id_of(3), .incarnation = 20, .host = "host", .weight_current = 100}};
    net.facts[0] = fact;
    net.fact_count = 1;
    net.dead[3] = false;
    for (unsigned i = 0; i < 200; i++) {
        step(&net);
        int status = status_of(&net, 0, 3);
        ck_assert_msg(status == 0 || status == NODE_UP, "step %u: %d", i, status);
        for (size_t voter = 0; voter < 3; voter++) { /* what it says takes a while */
            net.cut[3][voter] = i < 50;
        }
    }
    ck_assert_int_eq(status_of(&net, 0, 3), NODE_UP);
    ck_assert(has_lease(&net, 3));
    view_release(first);
    view_release(second);
    net_deinit(&net);
}
END_TEST

/* A node that one voter alone still hears: down, and then no view after the other. */
START_TEST(views_do_not_follow_each_other_without_end)
{
    for (size_t hearer = 0; hearer < 3; hearer++) {
        struct net net;
        net_init(&net, 4, 3);
        run(&net, LEASE);
        for (size_t i = 0; i < 3; i++) {
            net.cut[3][i] = net.cut[i][3] = i != hearer;
        }
        run(&net, 6 * LEASE);
        ck_assert_int_eq(status_of(&net, 0, 3), NODE_DOWN);
        ck_assert_uint_le(view_of(&net, 0)->epoch, 6);
        memset(net.cut, 0, sizeof(net.cut));
        run_until_status(&net, 0, 3, NODE_UP, 3 * LEASE);
        net_deinit(&net);
    }
}
END_TEST

/* A proposal to take a node down comes to nothing, for the node is heard again: the voters that
 * were asked to accept it must not deny that node its lease for ever. */
START_TEST(what_was_withheld_for_a_proposal_is_given_again_when_it_is_dropped)
{
    struct net net;
    net_init(&net, 4, 3);
    run(&net, LEASE);
    struct view *present = make_view(4, 3);
    struct view *next = view_clone(present);
    next->epoch = 6;
    next->nodes[3].status = NODE_DOWN;
    next->nodes[3].last_up = 5;
    ck_assert_int_eq(view_seal(next), 0);
    struct quorum_message message;
    struct quorum_wire seen;
    quorum_tick(net.nodes[0], net.now_ms + 500);
    ck_assert(quorum_take(net.nodes[0], &message));
    ck_assert_int_eq(quorum_wire_decode(&seen, buf_bytes(&message.bytes), NULL), TORC_OK);
    buf_deinit(&message.bytes);
    struct quorum_wire wire = {
        .kind = QUORUM_AGREEMENT,
        .cluster_tag = seen.cluster_tag,
        .sender = id_of(0),
        .incarnation = 10,
        .epoch = 5,
        .agreement = {
            .kind = AGREEMENT_ACCEPT, .instance = 6, .ballot = {9, id_of(0)}, .view = next}};
    struct buf bytes = {0};
    quorum_wire_encode(&wire, &bytes);
    for (size_t i = 1; i < 3; i++) {
        ck_assert_int_eq(quorum_receive(net.nodes[i], buf_bytes(&bytes), net.now_ms), TORC_OK);
        ck_assert(!quorum_must_write(net.nodes[i])); /* it has accepted nothing */
    }
    ck_assert(has_lease(&net, 3));
    run(&net, 4 * LEASE);
    ck_assert(has_lease(&net, 3));
    ck_assert_int_eq(status_of(&net, 0, 3), NODE_UP);
    buf_deinit(&bytes);
    view_release(next);
    view_release(present);
    net_deinit(&net);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quorum");
    TCase *tcase = tcase_create("quorum");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, everybody_gets_and_keeps_a_lease);
    tcase_add_test(tcase, a_majority_of_voters_is_enough_for_a_lease_and_less_is_not);
    tcase_add_test(tcase, a_silent_node_goes_down_after_one_lease_and_not_before);
    tcase_add_test(tcase, a_minority_decides_nothing);
    tcase_add_test(tcase, nothing_of_a_vote_leaves_before_it_is_on_disk);
    tcase_add_test(tcase, a_vote_survives_a_restart);
    tcase_add_test(tcase, damaged_memory_is_refused);
    tcase_add_test(tcase, strange_messages_change_nothing);
    tcase_add_test(tcase, an_accused_node_is_waited_for_and_then_has_to_catch_up);
    tcase_add_test(tcase, of_two_that_accuse_each_other_one_gives_way);
    tcase_add_test(tcase, an_accusation_that_is_withdrawn_leads_to_nothing);
    tcase_add_test(tcase, wishes_are_heard);
    tcase_add_test(tcase, wishes_of_two_nodes_follow_each_other);
    tcase_add_test(tcase, a_farewell_spares_the_wait);
    tcase_add_test(tcase, a_newer_view_is_taken_over_and_an_older_is_not);
    tcase_add_test(tcase, a_voter_renews_nothing_under_an_epoch_it_has_voted_to_end);
    tcase_add_test(tcase, slots_wait_for_those_of_other_nodes);
    tcase_add_test(tcase, a_joiner_is_not_called_silent_before_it_could_speak);
    tcase_add_test(tcase, views_do_not_follow_each_other_without_end);
    tcase_add_test(tcase, what_was_withheld_for_a_proposal_is_given_again_when_it_is_dropped);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
