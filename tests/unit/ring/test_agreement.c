#include "base/prng.h"
#include "ring/agreement.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES_USED 5
#define VALUES 3
#define FLIGHT_MAX 256

static struct node_id id_of(size_t number)
{
    return (struct node_id){{(uint8_t)(number + 1), 1}};
}

/* A network of agreements and what is under way between them. */
struct flight {
    size_t from, to;
    struct agreement_message message; /* its view is retained */
};

struct durable {
    struct ballot promised, accepted;
    const struct view *view; /* retained */
};

struct world {
    const struct view *present;
    const struct view *values[VALUES]; /* for the next epoch */
    struct agreement nodes[NODES_USED];
    struct durable disks[NODES_USED];
    bool may_accept[NODES_USED];
    bool dead[NODES_USED];
    size_t count;
    struct flight flights[FLIGHT_MAX];
    size_t flight_count;
    const struct view *decided[NODES_USED]; /* retained */
    uint64_t now_ms;
    uint64_t seed;
};

static struct view *make_view(size_t voters, uint64_t epoch, uint8_t value)
{
    struct view *view = view_create();
    view->epoch = epoch;
    view->cluster_name[0] = (char)('a' + value);
    for (size_t i = 0; i < NODES_USED; i++) {
        struct view_node node = {.id = id_of(i), .host = "host", .status = NODE_UP};
        ck_assert_int_eq(view_put_node(view, &node), 0);
    }
    for (size_t i = 0; i < voters; i++) {
        view->voters[view->voter_count++] = id_of(i);
    }
    ck_assert_int_eq(view_seal(view), 0);
    return view;
}

static void start(struct world *world, size_t i)
{
    struct node_id id = id_of(i);
    agreement_init(&world->nodes[i], &id, world->seed * 100 + i);
    agreement_install(&world->nodes[i], world->present);
    agreement_restore(&world->nodes[i], &world->disks[i].promised, &world->disks[i].accepted,
                      world->disks[i].view);
}

/* With the views of another world, which take a while to make. */
static void world_init_like(struct world *world, const struct world *like, uint64_t seed)
{
    memset(world, 0, sizeof(*world));
    world->count = like->count;
    world->seed = seed;
    world->present = view_retain(like->present);
    for (size_t i = 0; i < VALUES; i++) {
        world->values[i] = view_retain(like->values[i]);
    }
    for (size_t i = 0; i < world->count; i++) {
        world->may_accept[i] = true;
        start(world, i);
    }
}

static void world_init(struct world *world, size_t voters, uint64_t seed)
{
    struct world like = {.count = voters, .present = make_view(voters, 7, 0)};
    for (uint8_t i = 0; i < VALUES; i++) {
        like.values[i] = make_view(voters, 8, (uint8_t)(i + 1));
    }
    world_init_like(world, &like, seed);
    for (size_t i = 0; i < VALUES; i++) {
        view_release(like.values[i]);
    }
    view_release(like.present);
}

static void drop(struct world *world, size_t at)
{
    view_release(world->flights[at].message.view);
    world->flights[at] = world->flights[--world->flight_count];
}

static void world_deinit(struct world *world)
{
    while (world->flight_count > 0) {
        drop(world, 0);
    }
    for (size_t i = 0; i < world->count; i++) {
        agreement_deinit(&world->nodes[i]);
        view_release(world->disks[i].view);
        view_release(world->decided[i]);
    }
    for (size_t i = 0; i < VALUES; i++) {
        view_release(world->values[i]);
    }
    view_release(world->present);
}

/* Writes what must be written, then lets out what wants out. */
static void flush(struct world *world, size_t i)
{
    struct agreement *node = &world->nodes[i];
    struct agreement_outgoing out;
    if (node->dirty) {
        view_release(world->disks[i].view);
        world->disks[i] =
            (struct durable){node->promised, node->accepted,
                             node->accepted_view == NULL ? NULL : view_retain(node->accepted_view)};
        node->dirty = false;
    }
    while (agreement_take(node, &out)) {
        ck_assert(!node_id_equal(&out.to, &node->self));
        if (world->flight_count == FLIGHT_MAX) {
            drop(world, 0);
        }
        world->flights[world->flight_count++] =
            (struct flight){i, (size_t)(out.to.bytes[0] - 1), out.message};
    }
    const struct view *decided = agreement_take_decided(node);
    if (decided != NULL) {
        if (world->decided[i] != NULL) {
            ck_assert_ptr_eq(world->decided[i], decided);
            view_release(decided);
        } else {
            world->decided[i] = decided;
        }
    }
}

static void deliver(struct world *world, size_t at, bool keep)
{
    struct flight flight = world->flights[at];
    if (flight.message.view != NULL) {
        view_retain(flight.message.view);
    }
    if (!keep) {
        drop(world, at);
    }
    if (!world->dead[flight.to]) {
        struct node_id from = id_of(flight.from);
        agreement_receive(&world->nodes[flight.to], &from, &flight.message,
                          world->may_accept[flight.to], world->now_ms);
        flush(world, flight.to);
    }
    view_release(flight.message.view);
}

static void restart(struct world *world, size_t i)
{
    agreement_deinit(&world->nodes[i]);
    start(world, i);
}

static void propose(struct world *world, size_t i, const struct view *value)
{
    agreement_propose(&world->nodes[i], value, world->now_ms);
    flush(world, i);
}

static void tick(struct world *world, size_t i)
{
    agreement_tick(&world->nodes[i], world->may_accept[i], world->now_ms);
    flush(world, i);
}

static void deliver_all(struct world *world)
{
    while (world->flight_count > 0) {
        deliver(world, 0, false);
    }
}

/* Everything arrives, everybody ticks, for so long. */
static void run(struct world *world, uint64_t length_ms)
{
    for (uint64_t end = world->now_ms + length_ms; world->now_ms < end; world->now_ms += 5) {
        deliver_all(world);
        for (size_t i = 0; i < world->count; i++) {
            if (!world->dead[i]) {
                tick(world, i);
            }
        }
    }
}

static const struct view *any_decided(const struct world *world)
{
    const struct view *decided = NULL;
    for (size_t i = 0; i < world->count; i++) {
        if (world->decided[i] != NULL) {
            ck_assert_msg(decided == NULL || decided == world->decided[i],
                          "two views decided, seed %" PRIu64, world->seed);
            decided = world->decided[i];
        }
    }
    return decided;
}

static size_t count_flights(const struct world *world, uint8_t kind)
{
    size_t count = 0;
    for (size_t i = 0; i < world->flight_count; i++) {
        count += world->flights[i].message.kind == kind;
    }
    return count;
}

START_TEST(ballots_are_ordered)
{
    struct ballot none = {0};
    struct ballot a = {1, id_of(0)};
    struct ballot b = {1, id_of(1)};
    struct ballot c = {2, id_of(0)};
    struct ballot nobody = {0, id_of(3)};
    ck_assert_int_lt(ballot_compare(&none, &a), 0);
    ck_assert_int_lt(ballot_compare(&a, &b), 0);
    ck_assert_int_lt(ballot_compare(&b, &c), 0);
    ck_assert_int_gt(ballot_compare(&c, &a), 0);
    ck_assert_int_eq(ballot_compare(&b, &b), 0);
    ck_assert_int_eq(ballot_compare(&none, &nobody), 0);
}
END_TEST

START_TEST(a_single_voter_decides_alone_once_it_may_accept)
{
    struct world world;
    world_init(&world, 1, 1);
    world.may_accept[0] = false;
    propose(&world, 0, world.values[0]);
    run(&world, 300);
    ck_assert_ptr_null(world.decided[0]);
    world.may_accept[0] = true;
    run(&world, 100);
    ck_assert_ptr_eq(world.decided[0], world.values[0]);
    ck_assert_uint_eq(world.flight_count, 0);
    world_deinit(&world);
}
END_TEST

START_TEST(a_majority_is_enough_and_less_is_not)
{
    struct world world;
    world_init(&world, 5, 1);
    world.dead[4] = world.dead[3] = true;
    propose(&world, 0, world.values[1]);
    run(&world, 100);
    ck_assert_ptr_eq(world.decided[0], world.values[1]);
    ck_assert_ptr_null(world.decided[1]); /* hears of it as a view */
    world_deinit(&world);

    world_init(&world, 5, 1);
    world.dead[4] = world.dead[3] = world.dead[2] = true;
    propose(&world, 0, world.values[1]);
    run(&world, 1400);
    ck_assert_ptr_null(any_decided(&world));
    ck_assert(!agreement_is_idle(&world.nodes[0], world.now_ms));
    run(&world, 200); /* it gives up, and waits a while */
    ck_assert_int_eq((int)world.nodes[0].phase, AGREEMENT_IDLE);
    run(&world, 400);
    ck_assert(agreement_is_idle(&world.nodes[0], world.now_ms));
    world.dead[2] = false;
    propose(&world, 0, world.values[1]);
    run(&world, 100);
    ck_assert_ptr_eq(world.decided[0], world.values[1]);
    world_deinit(&world);
}
END_TEST

/* An even number: half of it is no majority. */
START_TEST(half_is_no_majority)
{
    struct world world;
    world_init(&world, 4, 1);
    world.dead[2] = world.dead[3] = true;
    propose(&world, 0, world.values[0]);
    run(&world, 1000);
    ck_assert_ptr_null(any_decided(&world));
    world.dead[2] = false;
    run(&world, 100);
    ck_assert_ptr_nonnull(any_decided(&world));
    world_deinit(&world);
}
END_TEST

START_TEST(answers_of_one_voter_count_once)
{
    struct world world;
    world_init(&world, 5, 1);
    propose(&world, 0, world.values[0]);
    while (world.flight_count > 1) {
        drop(&world, 1);
    }
    deliver(&world, 0, false);
    ck_assert_uint_eq(count_flights(&world, AGREEMENT_PROMISE), 1);
    for (int i = 0; i < 4; i++) {
        deliver(&world, 0, true);
    }
    ck_assert_int_eq((int)world.nodes[0].phase, AGREEMENT_PREPARING);
    world_deinit(&world);
}
END_TEST

START_TEST(lost_messages_are_sent_again)
{
    struct world world;
    world_init(&world, 3, 1);
    propose(&world, 0, world.values[0]);
    for (unsigned kind = AGREEMENT_PREPARE; kind <= AGREEMENT_ACCEPTED; kind++) {
        ck_assert_uint_eq(count_flights(&world, (uint8_t)kind), 2);
        while (world.flight_count > 0) {
            drop(&world, 0);
        }
        world.now_ms += 59;
        tick(&world, 0);
        bool next_phase = world.nodes[0].phase == AGREEMENT_ACCEPTING && kind < AGREEMENT_ACCEPT;
        ck_assert_uint_eq(world.flight_count, next_phase ? 2 : 0);
        world.now_ms += 1;
        tick(&world, 0);
        ck_assert_uint_gt(world.flight_count, 0);
        /* So far it has come again; let it come one step further. */
        size_t batch = world.flight_count;
        for (size_t i = 0; i < batch; i++) {
            deliver(&world, 0, false);
        }
        if (kind == AGREEMENT_PROMISE) {
            deliver_all(&world);
            tick(&world, 0);
        }
    }
    deliver_all(&world);
    ck_assert_ptr_eq(world.decided[0], world.values[0]);
    world_deinit(&world);
}
END_TEST

/* Only node 2 has accepted node 0's view when node 0 falls silent. */
static void accept_at_one(struct world *world)
{
    world_init(world, 3, 1);
    propose(world, 0, world->values[0]);
    deliver_all(world);
    world->may_accept[0] = false;
    tick(world, 0);
    for (size_t i = world->flight_count; i > 0; i--) {
        if (world->flights[i - 1].to == 2) {
            deliver(world, i - 1, false);
        }
    }
    while (world->flight_count > 0) {
        drop(world, 0);
    }
    world->dead[0] = true;
    ck_assert_ptr_eq(world->nodes[2].accepted_view, world->values[0]);
}

START_TEST(what_an_earlier_ballot_may_have_decided_is_kept)
{
    struct world world;
    accept_at_one(&world);
    propose(&world, 1, world.values[1]); /* hears of it from node 2 */
    run(&world, 200);
    ck_assert_ptr_eq(world.decided[1], world.values[0]);
    world_deinit(&world);
}
END_TEST

START_TEST(what_was_accepted_survives_a_restart)
{
    struct world world;
    accept_at_one(&world);
    restart(&world, 2);
    ck_assert_ptr_eq(world.nodes[2].accepted_view, world.values[0]);
    propose(&world, 1, world.values[1]);
    run(&world, 200);
    ck_assert_ptr_eq(world.decided[1], world.values[0]);
    world_deinit(&world);
}
END_TEST

START_TEST(another_ends_what_was_begun_and_has_nothing_of_its_own)
{
    struct world world;
    accept_at_one(&world);
    propose(&world, 1, NULL);
    run(&world, 200);
    ck_assert_ptr_eq(world.decided[1], world.values[0]);
    world_deinit(&world);

    world_init(&world, 3, 1);
    propose(&world, 1, NULL); /* there is nothing to end */
    run(&world, 200);
    ck_assert_ptr_null(any_decided(&world));
    ck_assert(agreement_is_idle(&world.nodes[1], world.now_ms));
    world_deinit(&world);
}
END_TEST

START_TEST(of_two_that_were_accepted_the_later_ballot_counts)
{
    struct world world;
    accept_at_one(&world); /* value 0, at node 2 */
    world.dead[2] = true;
    world.dead[0] = false;
    world.may_accept[0] = true;
    world.may_accept[1] = false;
    propose(&world, 1, world.values[1]); /* gets promises of 0 and 1, is accepted by 0 alone */
    deliver_all(&world);
    tick(&world, 1);
    size_t accepts = count_flights(&world, AGREEMENT_ACCEPT);
    ck_assert_uint_eq(accepts, 2);
    for (size_t i = world.flight_count; i > 0; i--) {
        if (world.flights[i - 1].to == 0) {
            deliver(&world, i - 1, false);
        }
    }
    while (world.flight_count > 0) {
        drop(&world, 0);
    }
    ck_assert_ptr_eq(world.nodes[0].accepted_view, world.values[1]);
    ck_assert_ptr_null(any_decided(&world));
    /* Now all three are asked: 0 says value 1, of the later ballot; 2 says value 0. */
    world.dead[2] = false;
    restart(&world, 1);
    world.may_accept[1] = true;
    for (int i = 0; i < 20 && any_decided(&world) == NULL; i++) {
        propose(&world, 1, world.values[2]);
        run(&world, 200);
    }
    ck_assert_ptr_eq(any_decided(&world), world.values[1]);
    world_deinit(&world);
}
END_TEST

START_TEST(an_older_ballot_is_refused_also_after_a_restart)
{
    struct world world;
    world_init(&world, 3, 1);
    struct agreement_message prepare = {
        .kind = AGREEMENT_PREPARE, .instance = 8, .ballot = {5, id_of(2)}};
    struct node_id from = id_of(2);
    agreement_receive(&world.nodes[1], &from, &prepare, true, 0);
    ck_assert(world.nodes[1].dirty);
    flush(&world, 1);
    ck_assert_uint_eq(count_flights(&world, AGREEMENT_PROMISE), 1);
    restart(&world, 1);
    for (unsigned kind = AGREEMENT_PREPARE; kind <= AGREEMENT_ACCEPT; kind += 2) {
        struct node_id other = id_of(0);
        struct agreement_message older = {.kind = (uint8_t)kind,
                                          .instance = 8,
                                          .ballot = {4, other},
                                          .view =
                                              kind == AGREEMENT_ACCEPT ? world.values[0] : NULL};
        agreement_receive(&world.nodes[1], &other, &older, true, 0);
    }
    flush(&world, 1);
    ck_assert_uint_eq(count_flights(&world, AGREEMENT_REFUSED), 2);
    ck_assert_uint_eq(world.flights[world.flight_count - 1].message.other.number, 5);
    ck_assert_ptr_null(world.nodes[1].accepted_view);
    world_deinit(&world);
}
END_TEST

/* Not now is not never: the proposer goes on asking, and has the view accepted once it may be. */
START_TEST(a_voter_that_may_not_accept_yet_is_asked_again)
{
    struct world world;
    world_init(&world, 3, 1);
    world.may_accept[1] = world.may_accept[2] = false;
    propose(&world, 0, world.values[0]);
    run(&world, 1000);
    ck_assert_ptr_null(any_decided(&world));
    ck_assert_ptr_null(world.nodes[1].accepted_view);
    ck_assert_int_eq((int)world.nodes[0].phase, AGREEMENT_ACCEPTING);
    world.may_accept[2] = true;
    run(&world, 100);
    ck_assert_ptr_eq(world.decided[0], world.values[0]);
    world_deinit(&world);
}
END_TEST

START_TEST(duelling_proposers_end_with_one_view)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world world;
        world_init(&world, 5, seed);
        unsigned rounds = 0;
        for (; any_decided(&world) == NULL && rounds < 400; rounds++) {
            for (size_t i = 0; i < 3; i++) {
                propose(&world, i, world.values[i]);
            }
            size_t batch = world.flight_count; /* one step for all of them at a time */
            for (size_t i = 0; i < batch; i++) {
                deliver(&world, 0, false);
            }
            world.now_ms += 5;
            for (size_t i = 0; i < 5; i++) {
                tick(&world, i);
            }
        }
        ck_assert_uint_lt(rounds, 400);
        ck_assert_ptr_nonnull(any_decided(&world));
        world_deinit(&world);
    }
}
END_TEST

START_TEST(a_refused_proposer_waits_longer_each_time_and_outbids)
{
    struct world world;
    world_init(&world, 3, 3);
    uint64_t number = 0;
    for (unsigned round = 1; round <= 12; round++) {
        propose(&world, 0, world.values[0]);
        ck_assert_uint_gt(world.nodes[0].ballot.number, number);
        number = world.nodes[0].ballot.number + 10;
        struct node_id from = id_of(1);
        struct agreement_message refused = {.kind = AGREEMENT_REFUSED,
                                            .instance = 8,
                                            .ballot = world.nodes[0].ballot,
                                            .other = {number, from}};
        agreement_receive(&world.nodes[0], &from, &refused, true, world.now_ms);
        ck_assert_int_eq((int)world.nodes[0].phase, AGREEMENT_IDLE);
        ck_assert(!agreement_is_idle(&world.nodes[0], world.now_ms));
        uint64_t steps = round < 8 ? round : 8;
        ck_assert_uint_le(world.nodes[0].retry_at_ms, world.now_ms + 40 * steps * steps);
        world.now_ms += 40 * steps * steps;
    }
    world_deinit(&world);
}
END_TEST

START_TEST(strangers_and_other_instances_are_ignored)
{
    struct world world;
    world_init(&world, 3, 1);
    struct agreement_message prepare = {
        .kind = AGREEMENT_PREPARE, .instance = 8, .ballot = {5, id_of(2)}};
    struct node_id stranger = id_of(4);
    struct node_id voter = id_of(2);
    world.nodes[1].dirty = false;
    agreement_receive(&world.nodes[1], &stranger, &prepare, true, 0);
    prepare.instance = 9;
    agreement_receive(&world.nodes[1], &voter, &prepare, true, 0);
    prepare.instance = 7;
    agreement_receive(&world.nodes[1], &voter, &prepare, true, 0);
    ck_assert(!world.nodes[1].dirty);
    ck_assert_uint_eq(world.nodes[1].outgoing_count, 0);
    world_deinit(&world);
}
END_TEST

START_TEST(a_new_view_begins_a_new_instance)
{
    struct world world;
    accept_at_one(&world);
    agreement_install(&world.nodes[2], world.values[1]);
    ck_assert_ptr_null(world.nodes[2].accepted_view);
    ck_assert_uint_eq(world.nodes[2].promised.number, 0);
    ck_assert(world.nodes[2].dirty);
    struct node_id from = id_of(0);
    struct agreement_message late = {
        .kind = AGREEMENT_ACCEPT, .instance = 8, .ballot = {9, from}, .view = world.values[0]};
    agreement_receive(&world.nodes[2], &from, &late, true, 0);
    ck_assert_ptr_null(world.nodes[2].accepted_view);
    world_deinit(&world);
}
END_TEST

/* ---- exploration ---- */

static void explore_step(struct world *world, struct prng *prng, size_t proposers)
{
    size_t node = (size_t)prng_below(prng, world->count);
    uint64_t choice = prng_below(prng, 100);
    if (choice < 62 && world->flight_count > 0) { /* in any order, sometimes twice */
        deliver(world, (size_t)prng_below(prng, world->flight_count), prng_below(prng, 8) == 0);
    } else if (choice < 70 && world->flight_count > 0) {
        drop(world, (size_t)prng_below(prng, world->flight_count));
    } else if (choice < 78) {
        size_t proposer = (size_t)prng_below(prng, proposers);
        propose(world, proposer, prng_below(prng, 6) == 0 ? NULL : world->values[proposer]);
    } else if (choice < 92) {
        world->now_ms += prng_below(prng, 80);
        tick(world, node);
    } else if (choice < 95) {
        world->may_accept[node] = !world->may_accept[node];
    } else {
        restart(world, node);
    }
    any_decided(world);
}

static void explore(const struct world *like, size_t proposers, uint64_t seed)
{
    struct world world;
    struct prng prng;
    prng_init(&prng, seed);
    world_init_like(&world, like, seed);
    for (unsigned step = 0; step < 600; step++) {
        explore_step(&world, &prng, proposers);
    }
    /* Then the network heals, and it must be decided. */
    memset(world.may_accept, true, sizeof(world.may_accept));
    for (unsigned i = 0; i < 100 && any_decided(&world) == NULL; i++) {
        propose(&world, i % proposers, world.values[i % proposers]);
        run(&world, 100);
    }
    ck_assert_msg(any_decided(&world) != NULL, "nothing decided, seed %" PRIu64, seed);
    world_deinit(&world);
}

START_TEST(no_two_views_are_ever_decided)
{
    const char *given = getenv("TORC_TEST_SEED");
    uint64_t first = given == NULL ? 1 : strtoull(given, NULL, 10);
    uint64_t count = given == NULL ? 300 : 1;
    printf("agreement: seeds %" PRIu64 " to %" PRIu64 "\n", first, first + count - 1);
    fflush(stdout);
    struct world three;
    struct world five;
    world_init(&three, 3, 1);
    world_init(&five, 5, 1);
    for (uint64_t seed = first; seed < first + count; seed++) {
        explore(&three, 2, seed);
        explore(&three, 3, seed);
        explore(&five, 3, seed);
    }
    world_deinit(&three);
    world_deinit(&five);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("agreement");
    TCase *tcase = tcase_create("agreement");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, ballots_are_ordered);
    tcase_add_test(tcase, a_single_voter_decides_alone_once_it_may_accept);
    tcase_add_test(tcase, a_majority_is_enough_and_less_is_not);
    tcase_add_test(tcase, half_is_no_majority);
    tcase_add_test(tcase, answers_of_one_voter_count_once);
    tcase_add_test(tcase, lost_messages_are_sent_again);
    tcase_add_test(tcase, what_an_earlier_ballot_may_have_decided_is_kept);
    tcase_add_test(tcase, what_was_accepted_survives_a_restart);
    tcase_add_test(tcase, another_ends_what_was_begun_and_has_nothing_of_its_own);
    tcase_add_test(tcase, of_two_that_were_accepted_the_later_ballot_counts);
    tcase_add_test(tcase, an_older_ballot_is_refused_also_after_a_restart);
    tcase_add_test(tcase, a_voter_that_may_not_accept_yet_is_asked_again);
    tcase_add_test(tcase, duelling_proposers_end_with_one_view);
    tcase_add_test(tcase, a_refused_proposer_waits_longer_each_time_and_outbids);
    tcase_add_test(tcase, strangers_and_other_instances_are_ignored);
    tcase_add_test(tcase, a_new_view_begins_a_new_instance);
    tcase_add_test(tcase, no_two_views_are_ever_decided);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
