#include "base/error.h"
#include "ring/gossip_members.h"

#include <check.h>
#include <stdlib.h>

static struct gossip_members members;
static struct prng prng;

static void setup(void)
{
    prng_init(&prng, 3);
    gossip_members_init(&members, 4);
}

static void teardown(void)
{
    gossip_members_deinit(&members);
}

static struct node_id id_of(uint32_t number)
{
    struct node_id id = {{0}};
    memcpy(id.bytes, &number, sizeof(number));
    id.bytes[NODE_ID_SIZE - 1] = 1;
    return id;
}

static struct gossip_peer *add(uint32_t number)
{
    struct gossip_peer *peer = NULL;
    struct node_id id = id_of(number);
    ck_assert_int_eq(gossip_members_add(&members, &id, &prng, &peer), TORC_OK);
    return peer;
}

static struct gossip_peer *find(uint32_t number)
{
    struct node_id id = id_of(number);
    return gossip_members_find(&members, &id);
}

static void check_indexes(void)
{
    for (size_t i = 0; i < members.count; i++) {
        ck_assert_uint_eq(members.peers[i]->index, i);
        ck_assert(gossip_members_find(&members, &members.peers[i]->member.id) == members.peers[i]);
    }
}

START_TEST(the_table_agrees_with_a_simple_model)
{
    bool present[300] = {false};
    size_t count = 0;
    for (int i = 0; i < 20000; i++) {
        uint32_t number = (uint32_t)prng_below(&prng, 300);
        struct gossip_peer *peer = find(number);
        ck_assert_int_eq(peer != NULL, present[number]);
        if (peer == NULL) {
            add(number);
            count++;
        } else {
            gossip_members_remove(&members, peer);
            count--;
        }
        present[number] = !present[number];
        ck_assert_uint_eq(members.count, count);
        ck_assert_uint_eq(members.live_count, count);
    }
    check_indexes();
}
END_TEST

START_TEST(a_round_meets_every_live_member_once)
{
    struct gossip_peer *self = add(0);
    for (uint32_t i = 1; i < 40; i++) {
        add(i);
    }
    gossip_members_set_status(&members, find(7), GOSSIP_DEAD, 1);
    gossip_members_set_status(&members, find(8), GOSSIP_LEFT, 1);
    int met[41] = {0};
    members.cursor = members.count; /* a new round */
    for (int i = 0; i < 38; i++) {
        uint32_t number;
        if (i == 20) {
            add(40); /* still met in this round */
        }
        struct gossip_peer *peer = gossip_members_next(&members, self, &prng);
        memcpy(&number, peer->member.id.bytes, sizeof(number));
        met[number]++;
    }
    for (int i = 0; i < 41; i++) {
        bool skipped = i == 0 || i == 7 || i == 8;
        ck_assert_int_eq(met[i], skipped ? 0 : 1);
    }
}
END_TEST

START_TEST(alone_there_is_nobody_to_probe)
{
    struct gossip_peer *self = add(0);
    ck_assert_ptr_null(gossip_members_next(&members, self, &prng));
    gossip_members_set_status(&members, add(1), GOSSIP_DEAD, 1);
    ck_assert_ptr_null(gossip_members_next(&members, self, &prng));
}
END_TEST

START_TEST(statuses_keep_lists_and_counts)
{
    struct gossip_peer *peer = add(1);
    struct node_id accuser = id_of(9);
    add(2);
    ck_assert_int_eq(gossip_members_suspect(&members, peer, &accuser, 500, 10), TORC_OK);
    ck_assert_int_eq(peer->member.status, GOSSIP_SUSPECT);
    ck_assert(TAILQ_FIRST(&members.suspects) == peer);
    ck_assert_uint_eq(members.live_count, 2);
    ck_assert_int_eq(gossip_members_suspect(&members, peer, &accuser, 500, 20), TORC_OK);
    ck_assert_uint_eq(peer->suspicion->started_ms, 20);
    gossip_members_set_status(&members, peer, GOSSIP_DEAD, 30);
    ck_assert_ptr_null(peer->suspicion);
    ck_assert(TAILQ_EMPTY(&members.suspects));
    ck_assert(TAILQ_FIRST(&members.gone) == peer);
    ck_assert_uint_eq(peer->gone_ms, 30);
    ck_assert_uint_eq(members.live_count, 1);
    gossip_members_set_status(&members, peer, GOSSIP_ALIVE, 40);
    ck_assert(TAILQ_EMPTY(&members.gone));
    ck_assert_uint_eq(members.live_count, 2);
}
END_TEST

START_TEST(a_full_table_gives_up_the_dead_only)
{
    struct gossip_peer *peer = NULL;
    struct node_id id = id_of(NODES_MAX);
    for (uint32_t i = 0; i < NODES_MAX; i++) {
        add(i);
    }
    ck_assert_int_eq(gossip_members_add(&members, &id, &prng, &peer), TORC_ETOOBIG);
    for (uint32_t i = 0; i < NODES_MAX / 2; i++) {
        gossip_members_set_status(&members, find(i), GOSSIP_DEAD, 1);
    }
    ck_assert_int_eq(gossip_members_add(&members, &id, &prng, &peer), TORC_OK);
    ck_assert_uint_eq(members.count, NODES_MAX);
    for (uint32_t i = NODES_MAX / 2; i < NODES_MAX; i++) {
        ck_assert_ptr_nonnull(find(i));
    }
    check_indexes();
}
END_TEST

START_TEST(a_rumour_is_sent_so_often_and_no_more)
{
    struct gossip_peer *peer = NULL;
    for (uint32_t i = 0; i < 15; i++) {
        peer = add(i);
    }
    ck_assert_uint_eq(gossip_queue_limit(&members), 8); /* 2 x log2(16) */
    gossip_queue_put(&members, peer, 0);
    gossip_queue_put(&members, peer, 0);
    ck_assert_uint_eq(members.queued_count, 1);
    for (unsigned i = 0; i < 8; i++) {
        ck_assert(peer->queued);
        ck_assert_uint_eq(peer->transmits, i);
        gossip_queue_sent(&members, peer);
    }
    ck_assert(!peer->queued);
    ck_assert_uint_eq(members.queued_count, 0);
    gossip_queue_put(&members, peer, 7);
    gossip_members_remove(&members, peer); /* takes its rumour along */
    ck_assert_uint_eq(members.queued_count, 0);
    ck_assert(TAILQ_EMPTY(&members.buckets[7]));
}
END_TEST

START_TEST(the_forgotten_stay_out_at_their_incarnation)
{
    struct node_id id = id_of(1);
    ck_assert(!gossip_members_is_forgotten(&members, &id, 0));
    gossip_members_forget(&members, &id, 5);
    ck_assert(gossip_members_is_forgotten(&members, &id, 4));
    ck_assert(gossip_members_is_forgotten(&members, &id, 5));
    ck_assert(!gossip_members_is_forgotten(&members, &id, 6));
    gossip_members_forget(&members, &id, 3);
    ck_assert(gossip_members_is_forgotten(&members, &id, 5));
    for (uint32_t i = 2; i <= GOSSIP_FORGOTTEN_MAX; i++) {
        struct node_id other = id_of(i);
        gossip_members_forget(&members, &other, 1);
    }
    ck_assert(gossip_members_is_forgotten(&members, &id, 5));
    struct node_id last = id_of(GOSSIP_FORGOTTEN_MAX + 1);
    gossip_members_forget(&members, &last, 1);
    ck_assert(!gossip_members_is_forgotten(&members, &id, 5)); /* the oldest gave way */
    ck_assert(gossip_members_is_forgotten(&members, &last, 1));
}
END_TEST

START_TEST(metas_are_copied)
{
    struct gossip_peer *peer = add(1);
    char text[] = "abc";
    ck_assert_int_eq(gossip_peer_set_meta(peer, bytes_of(text)), TORC_OK);
    text[0] = 'x';
    ck_assert(bytes_equal(peer->member.meta, bytes_of("abc")));
    ck_assert_int_eq(gossip_peer_set_meta(peer, (struct bytes){NULL, 0}), TORC_OK);
    ck_assert_uint_eq(peer->member.meta.size, 0);
}
END_TEST

START_TEST(suspicion_shrinks_with_independent_accusers)
{
    struct gossip_suspicion suspicion;
    struct node_id accusers[5];
    for (uint32_t i = 0; i < 5; i++) {
        accusers[i] = id_of(i);
    }
    gossip_suspicion_start(&suspicion, &accusers[0], 10, 500, 1000);
    ck_assert_uint_eq(suspicion.min_ms, 2000);
    ck_assert_uint_eq(suspicion.deadline_ms, 1000 + 12000);
    ck_assert(!gossip_suspicion_confirm(&suspicion, &accusers[0]));
    uint64_t last = suspicion.deadline_ms;
    for (size_t i = 1; i <= GOSSIP_CONFIRMATIONS_MAX; i++) {
        ck_assert(gossip_suspicion_confirm(&suspicion, &accusers[i]));
        ck_assert(!gossip_suspicion_confirm(&suspicion, &accusers[i]));
        ck_assert_uint_lt(suspicion.deadline_ms, last);
        last = suspicion.deadline_ms;
    }
    ck_assert_uint_eq(suspicion.deadline_ms, 1000 + 2000);
    ck_assert(!gossip_suspicion_confirm(&suspicion, &accusers[4]));
    /* Fewer can confirm where there are fewer; the first confirmation counts most. */
    gossip_suspicion_start(&suspicion, &accusers[0], 2, 500, 0);
    ck_assert_uint_eq(suspicion.deadline_ms, 2000);
    gossip_suspicion_start(&suspicion, &accusers[0], 3, 500, 0);
    ck_assert(gossip_suspicion_confirm(&suspicion, &accusers[1]));
    ck_assert_uint_eq(suspicion.deadline_ms, 2000);
    /* Longer in a larger cluster: log10(1000) = 3. */
    gossip_suspicion_start(&suspicion, &accusers[0], 1000, 500, 0);
    ck_assert_uint_ge(suspicion.min_ms, 5900);
    ck_assert_uint_le(suspicion.min_ms, 6000);
}
END_TEST

START_TEST(last_calls_come_before_the_end)
{
    struct gossip_suspicion suspicion;
    struct node_id accuser = id_of(1);
    gossip_suspicion_start(&suspicion, &accuser, 2, 500, 0); /* until 2000 */
    ck_assert(!gossip_suspicion_call_is_due(&suspicion, 999));
    ck_assert(gossip_suspicion_call_is_due(&suspicion, 1000));
    suspicion.calls = 1;
    ck_assert(!gossip_suspicion_call_is_due(&suspicion, 1499));
    ck_assert(gossip_suspicion_call_is_due(&suspicion, 1500));
    suspicion.calls = GOSSIP_SUSPICION_CALLS;
    ck_assert(!gossip_suspicion_call_is_due(&suspicion, 1999));
}
END_TEST

START_TEST(logarithms)
{
    ck_assert_uint_eq(gossip_log2_milli(1), 0);
    ck_assert_uint_eq(gossip_log2_milli(2), 1000);
    ck_assert_uint_eq(gossip_log2_milli(3), 1500);
    ck_assert_uint_eq(gossip_log2_milli(4096), 12000);
    ck_assert_uint_eq(gossip_log2_milli(UINT32_MAX), 31999);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gossip_members");
    TCase *tests = tcase_create("members");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_table_agrees_with_a_simple_model);
    tcase_add_test(tests, a_round_meets_every_live_member_once);
    tcase_add_test(tests, alone_there_is_nobody_to_probe);
    tcase_add_test(tests, statuses_keep_lists_and_counts);
    tcase_add_test(tests, a_full_table_gives_up_the_dead_only);
    tcase_add_test(tests, a_rumour_is_sent_so_often_and_no_more);
    tcase_add_test(tests, the_forgotten_stay_out_at_their_incarnation);
    tcase_add_test(tests, metas_are_copied);
    tcase_add_test(tests, suspicion_shrinks_with_independent_accusers);
    tcase_add_test(tests, last_calls_come_before_the_end);
    tcase_add_test(tests, logarithms);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
