/* One instance, spoken to by hand. Whole clusters are in tests/sim/test_gossip_*.c. */
#include "ring/gossip.h"

#include "base/error.h"
#include "ring/gossip_message.h"

#include <check.h>
#include <stdlib.h>

#define TAG 99u

static struct gossip *gossip;
static const struct gossip_address self_address = {.ip = {[15] = 1}, .port = 1};
static const struct gossip_address peer_address = {.ip = {[15] = 2}, .port = 2};

static struct node_id id_of(uint8_t first)
{
    struct node_id id = {{0}};
    id.bytes[0] = first;
    return id;
}

static void setup(void)
{
    struct gossip_options options = {
        .self = id_of(1),
        .incarnation = 10,
        .address = self_address,
        .cluster_tag = TAG,
        .meta = bytes_of("self"),
        .seed = 5,
    };
    gossip = gossip_create(&options, 0);
    ck_assert_ptr_nonnull(gossip);
}

static void teardown(void)
{
    gossip_destroy(gossip);
}

static struct gossip_message from_peer(enum gossip_type type, uint8_t subject)
{
    return (struct gossip_message){
        .type = type,
        .sequence = 42,
        .sender = {.id = id_of(2), .incarnation = 1},
        .subject = id_of(subject),
    };
}

static int receive(const struct gossip_message *message, uint64_t now_ms)
{
    struct buf buf = {0};
    gossip_message_encode(message, TAG, &buf);
    int rc = gossip_receive(gossip, &peer_address, buf_bytes(&buf), now_ms);
    buf_deinit(&buf);
    return rc;
}

static void hear(struct gossip_update update, uint64_t now_ms)
{
    struct gossip_message message = from_peer(GOSSIP_UPDATE, 0);
    message.update_count = 1;
    message.updates[0] = update;
    ck_assert_int_eq(receive(&message, now_ms), TORC_OK);
}

static struct gossip_update alive(uint8_t id, uint64_t incarnation, uint32_t refutation)
{
    return (struct gossip_update){
        .status = GOSSIP_ALIVE,
        .id = id_of(id),
        .incarnation = incarnation,
        .refutation = refutation,
        .details = refutation,
        .address = peer_address,
        .meta = bytes_of("peer"),
    };
}

static struct gossip_update ill(enum gossip_status status, uint8_t id, uint64_t incarnation,
                                uint32_t refutation)
{
    return (struct gossip_update){
        .status = status,
        .id = id_of(id),
        .incarnation = incarnation,
        .refutation = refutation,
        .accuser = id_of(9),
    };
}

static struct gossip_datagram taken; /* what the last sent() decoded; its metas are borrowed */

static bool sent(struct gossip_message *out)
{
    if (!gossip_take_datagram(gossip, &taken)) {
        return false;
    }
    struct bytes data = {(const char *)taken.data, taken.size};
    ck_assert_int_eq(gossip_message_decode(out, data, TAG), TORC_OK);
    return true;
}

static const struct gossip_update *find_update(const struct gossip_message *message, uint8_t id)
{
    for (size_t i = 0; i < message->update_count; i++) {
        if (message->updates[i].id.bytes[0] == id) {
            return &message->updates[i];
        }
    }
    return NULL;
}

static void expect_event(enum gossip_event_kind kind, uint8_t id)
{
    struct gossip_event event;
    ck_assert(gossip_take_event(gossip, &event));
    ck_assert_int_eq(event.kind, kind);
    ck_assert_uint_eq(event.id.bytes[0], id);
}

static void expect_no_event(void)
{
    struct gossip_event event;
    ck_assert(!gossip_take_event(gossip, &event));
}

static const struct gossip_member *member(uint8_t id)
{
    struct node_id wanted = id_of(id);
    return gossip_find(gossip, &wanted);
}

START_TEST(a_ping_is_answered_and_a_stranger_is_asked_who_it_is)
{
    struct gossip_message ping = from_peer(GOSSIP_PING, 1);
    struct gossip_message answer;
    ck_assert_int_eq(receive(&ping, 10), TORC_OK);
    ck_assert(sent(&answer));
    ck_assert_int_eq(answer.type, GOSSIP_ACK);
    ck_assert_uint_eq(answer.sequence, 42);
    ck_assert_uint_eq(answer.flags, GOSSIP_FLAG_WANT_ALIVE);
    ck_assert_uint_eq(taken.to.port, peer_address.port);
    ck_assert_ptr_null(member(2));
    ping.update_count = 1;
    ping.updates[0] = alive(2, 1, 0);
    ck_assert_int_eq(receive(&ping, 20), TORC_OK);
    ck_assert(sent(&answer));
    ck_assert_uint_eq(answer.flags, 0);
    expect_event(GOSSIP_EVENT_JOINED, 2);
    ck_assert_uint_eq(member(2)->heard_ms, 20);
    ck_assert(bytes_equal(member(2)->meta, bytes_of("peer")));
    /* One meant for somebody else is not. */
    ping.subject = id_of(7);
    ck_assert_int_eq(receive(&ping, 30), TORC_OK);
    ck_assert(!sent(&answer));
}
END_TEST

START_TEST(whoever_wants_our_update_gets_it)
{
    struct gossip_message ack = from_peer(GOSSIP_ACK, 2);
    struct gossip_message answer;
    ack.flags = GOSSIP_FLAG_WANT_ALIVE;
    ck_assert_int_eq(receive(&ack, 10), TORC_OK);
    ck_assert(sent(&answer));
    ck_assert_int_eq(answer.type, GOSSIP_UPDATE);
    const struct gossip_update *update = find_update(&answer, 1);
    ck_assert_ptr_nonnull(update);
    ck_assert(!update->brief && bytes_equal(update->meta, bytes_of("self")));
    /* In an update the flag is not answered, or two could go on for ever. */
    struct gossip_message wanting = from_peer(GOSSIP_UPDATE, 0);
    wanting.flags = GOSSIP_FLAG_WANT_ALIVE;
    ck_assert_int_eq(receive(&wanting, 20), TORC_OK);
    ck_assert(!sent(&answer));
}
END_TEST

START_TEST(load_and_epoch_are_taken_from_the_header)
{
    struct gossip_message message = from_peer(GOSSIP_UPDATE, 0);
    hear(alive(2, 1, 0), 10);
    expect_event(GOSSIP_EVENT_JOINED, 2);
    message.sender.epoch = 4;
    message.sender.load.key_count = 1234;
    ck_assert_int_eq(receive(&message, 20), TORC_OK);
    ck_assert_int_eq(receive(&message, 21), TORC_OK);
    expect_event(GOSSIP_EVENT_EPOCH, 2);
    expect_no_event();
    ck_assert_uint_eq(member(2)->epoch, 4);
    ck_assert_uint_eq(member(2)->load.key_count, 1234);
    gossip_set_epoch(gossip, 5);
    message.sender.epoch = 5;
    ck_assert_int_eq(receive(&message, 22), TORC_OK);
    expect_no_event();
    message.sender.epoch = 6;
    ck_assert_int_eq(receive(&message, 23), TORC_OK);
    expect_event(GOSSIP_EVENT_EPOCH, 2);
    /* Another process of the same id does not speak for this one. */
    message.sender.incarnation = 0;
    message.sender.load.key_count = 1;
    ck_assert_int_eq(receive(&message, 99), TORC_OK);
    ck_assert_uint_eq(member(2)->load.key_count, 1234);
    ck_assert_uint_eq(member(2)->heard_ms, 23);
}
END_TEST

START_TEST(precedence)
{
    hear(alive(3, 2, 0), 10);
    expect_event(GOSSIP_EVENT_JOINED, 3);
    hear(ill(GOSSIP_SUSPECT, 3, 1, 9), 11); /* an older process */
    expect_no_event();
    hear(ill(GOSSIP_SUSPECT, 3, 2, 0), 12);
    expect_event(GOSSIP_EVENT_SUSPECT, 3);
    hear(alive(3, 2, 0), 13); /* of the same age: does not help it */
    expect_no_event();
    ck_assert_int_eq(member(3)->status, GOSSIP_SUSPECT);
    hear(alive(3, 2, 1), 14);
    expect_event(GOSSIP_EVENT_UPDATED, 3);
    hear(ill(GOSSIP_DEAD, 3, 2, 0), 15);
    ck_assert_int_eq(member(3)->status, GOSSIP_ALIVE);
    hear(ill(GOSSIP_DEAD, 3, 2, 1), 16);
    expect_event(GOSSIP_EVENT_DEAD, 3);
    hear(alive(3, 2, 1), 17);
    hear(ill(GOSSIP_SUSPECT, 3, 2, 5), 18);
    expect_no_event();
    hear(alive(3, 3, 0), 19); /* a new process */
    expect_event(GOSSIP_EVENT_JOINED, 3);
    hear(ill(GOSSIP_LEFT, 3, 3, 1), 20);
    expect_event(GOSSIP_EVENT_LEFT, 3);
    hear(alive(3, 3, 1), 21);
    expect_no_event();
    hear(ill(GOSSIP_DEAD, 4, 1, 0), 22); /* unknown: not made known by its death */
    ck_assert_ptr_null(member(4));
}
END_TEST

START_TEST(a_brief_update_withdraws_a_suspicion_and_keeps_the_details)
{
    struct gossip_update brief = alive(3, 2, 4);
    brief.brief = true;
    brief.details = 0;
    hear(brief, 9); /* of a stranger: nothing to go by */
    ck_assert_ptr_null(member(3));
    hear(alive(3, 2, 0), 10);
    hear(ill(GOSSIP_SUSPECT, 3, 2, 3), 11);
    ck_assert_int_eq(member(3)->status, GOSSIP_SUSPECT);
    hear(brief, 12);
    ck_assert_int_eq(member(3)->status, GOSSIP_ALIVE);
    ck_assert_uint_eq(member(3)->refutation, 4);
    ck_assert(bytes_equal(member(3)->meta, bytes_of("peer")));
    /* Details that changed meanwhile are taken even when they arrive late. */
    brief.refutation = 6;
    brief.details = 5;
    hear(brief, 13);
    struct gossip_update late = alive(3, 2, 5);
    late.meta = bytes_of("late");
    hear(late, 14);
    ck_assert_uint_eq(member(3)->refutation, 6);
    ck_assert(bytes_equal(member(3)->meta, bytes_of("late")));
    hear(alive(3, 2, 4), 15); /* and older ones are not */
    ck_assert(bytes_equal(member(3)->meta, bytes_of("late")));
}
END_TEST

START_TEST(slander_is_denied_at_once)
{
    struct gossip_message answer;
    hear(ill(GOSSIP_SUSPECT, 1, 10, 0), 10);
    ck_assert_uint_eq(member(1)->refutation, 1);
    ck_assert(sent(&answer));
    ck_assert_int_eq(answer.type, GOSSIP_UPDATE);
    const struct gossip_update *update = find_update(&answer, 1);
    ck_assert(update != NULL && update->status == GOSSIP_ALIVE && update->refutation == 1);
    ck_assert_uint_eq(gossip_counters(gossip)->refutations, 1);
    ck_assert_uint_eq(gossip_local_health(gossip), 1);
    hear(ill(GOSSIP_SUSPECT, 1, 10, 0), 11); /* old news */
    ck_assert_uint_eq(member(1)->refutation, 1);
    hear(ill(GOSSIP_DEAD, 1, 10, 7), 12);
    ck_assert_uint_eq(member(1)->refutation, 8);
    hear(ill(GOSSIP_DEAD, 1, 11, 0), 13); /* another process has our id */
    ck_assert_uint_eq(member(1)->refutation, 8);
    /* In a ping even old slander is answered: the sender has not heard our denial. */
    while (sent(&answer)) {
    }
    struct gossip_message ping = from_peer(GOSSIP_PING, 1);
    ping.update_count = 1;
    ping.updates[0] = ill(GOSSIP_SUSPECT, 1, 10, 0);
    ck_assert_int_eq(receive(&ping, 14), TORC_OK);
    ck_assert(sent(&answer));
    ck_assert_int_eq(answer.type, GOSSIP_ACK);
    ck_assert_ptr_nonnull(find_update(&answer, 1));
}
END_TEST

START_TEST(an_introduced_member_joins_when_it_is_heard_of)
{
    struct gossip_message ping;
    struct node_id id = id_of(2);
    ck_assert_int_eq(gossip_introduce(gossip, &id, 0, &peer_address, bytes_of(""), 5), TORC_OK);
    expect_no_event();
    ck_assert_uint_eq(member(2)->heard_ms, 0);
    ck_assert_uint_eq(gossip_next_ms(gossip), 5);
    gossip_tick(gossip, 5);
    ck_assert(sent(&ping));
    ck_assert_int_eq(ping.type, GOSSIP_PING);
    ck_assert_uint_eq(ping.flags, GOSSIP_FLAG_WANT_ALIVE);
    const struct gossip_update *own = find_update(&ping, 1);
    ck_assert(own != NULL && !own->brief);
    struct gossip_message ack = from_peer(GOSSIP_ACK, 2);
    ack.sequence = ping.sequence;
    ack.update_count = 1;
    ack.updates[0] = alive(2, 1, 0);
    ck_assert_int_eq(receive(&ack, 6), TORC_OK);
    expect_event(GOSSIP_EVENT_JOINED, 2);
    ck_assert_uint_eq(member(2)->incarnation, 1);
    /* Known at that incarnation: nothing changes. */
    ck_assert_int_eq(gossip_introduce(gossip, &id, 1, &self_address, bytes_of("x"), 7), TORC_OK);
    ck_assert_uint_eq(member(2)->address.port, peer_address.port);
    struct gossip_address nowhere = {.port = 0};
    ck_assert_int_eq(gossip_introduce(gossip, &id, 9, &nowhere, bytes_of(""), 7), TORC_EINVAL);
    char large[GOSSIP_META_SIZE_MAX + 1] = {0};
    ck_assert_int_eq(
        gossip_introduce(gossip, &id, 9, &peer_address, (struct bytes){large, sizeof(large)}, 7),
        TORC_ETOOBIG);
}
END_TEST

/* Ticks at every due time up to and including end_ms. */
static void tick_until(uint64_t end_ms)
{
    while (gossip_next_ms(gossip) <= end_ms) {
        gossip_tick(gossip, gossip_next_ms(gossip));
    }
}

START_TEST(a_silent_member_is_asked_after_suspected_and_dead)
{
    struct gossip_message message;
    for (uint8_t i = 2; i < 6; i++) {
        hear(alive(i, 1, 0), 0);
        expect_event(GOSSIP_EVENT_JOINED, i);
    }
    unsigned pings = 0;
    unsigned requests = 0;
    tick_until(1100);
    while (sent(&message)) {
        pings += message.type == GOSSIP_PING;
        requests += message.type == GOSSIP_PING_REQUEST;
    }
    ck_assert_uint_ge(pings, 2);
    ck_assert_uint_ge(requests, 3);
    tick_until(60000);
    ck_assert_uint_eq(gossip_counters(gossip)->deaths, 4);
    ck_assert_uint_ge(gossip_local_health(gossip), 4);
    for (uint8_t i = 2; i < 6; i++) {
        ck_assert_int_eq(member(i)->status, GOSSIP_DEAD);
    }
    tick_until(200000);
    ck_assert_uint_eq(gossip_member_count(gossip), 1);
}
END_TEST

START_TEST(a_process_that_was_stopped_accuses_nobody)
{
    for (uint8_t i = 2; i < 6; i++) {
        hear(alive(i, 1, 0), 0);
        expect_event(GOSSIP_EVENT_JOINED, i);
    }
    tick_until(600); /* a ping is out */
    hear(ill(GOSSIP_SUSPECT, 2, 1, 0), 610);
    expect_event(GOSSIP_EVENT_SUSPECT, 2);
    gossip_tick(gossip, 100000);
    expect_no_event();
    ck_assert_int_eq(member(2)->status, GOSSIP_SUSPECT);
    ck_assert_uint_ge(gossip_local_health(gossip), 1);
    tick_until(130000); /* from here on its time runs again */
    ck_assert_int_eq(member(2)->status, GOSSIP_DEAD);
}
END_TEST

START_TEST(a_relay_pings_answers_and_reports_silence)
{
    struct gossip_message message;
    hear(alive(2, 1, 0), 0);
    hear(alive(3, 1, 0), 0);
    struct gossip_message request = from_peer(GOSSIP_PING_REQUEST, 3);
    ck_assert_int_eq(receive(&request, 1), TORC_OK);
    ck_assert(sent(&message));
    ck_assert_int_eq(message.type, GOSSIP_PING);
    ck_assert_uint_eq(message.subject.bytes[0], 3);
    struct gossip_message ack = from_peer(GOSSIP_ACK, 3);
    ack.sender.id = id_of(3);
    ack.sequence = message.sequence;
    ck_assert_int_eq(receive(&ack, 2), TORC_OK);
    ck_assert(sent(&message));
    ck_assert_int_eq(message.type, GOSSIP_ACK);
    ck_assert_uint_eq(message.sequence, 42);
    ck_assert_uint_eq(message.subject.bytes[0], 3);
    ck_assert_int_eq(receive(&ack, 3), TORC_OK); /* a duplicate */
    ck_assert(!sent(&message));

    ck_assert_int_eq(receive(&request, 10), TORC_OK);
    bool nacked = false;
    tick_until(10 + 160);
    while (sent(&message)) {
        nacked |= message.type == GOSSIP_NACK && message.sequence == 42;
    }
    ck_assert(nacked);
    /* Of a member that we do not know we can only say that. */
    request.subject = id_of(77);
    ck_assert_int_eq(receive(&request, 180), TORC_OK);
    ck_assert(sent(&message));
    ck_assert_int_eq(message.type, GOSSIP_NACK);
}
END_TEST

START_TEST(a_flood_of_requests_is_bounded)
{
    struct gossip_message message;
    struct gossip_message request = from_peer(GOSSIP_PING_REQUEST, 3);
    hear(alive(3, 1, 0), 0);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(receive(&request, 1), TORC_OK);
    }
    unsigned pings = 0;
    while (sent(&message)) {
        pings += message.type == GOSSIP_PING;
    }
    ck_assert_uint_ge(pings, 1);
    ck_assert_uint_le(pings, 64);
}
END_TEST

START_TEST(refused_datagrams_change_nothing_but_counters)
{
    struct buf buf = {0};
    struct gossip_message ping = from_peer(GOSSIP_PING, 1);
    struct gossip_message answer;
    const struct gossip_counters *counters = gossip_counters(gossip);
    gossip_message_encode(&ping, TAG + 1, &buf);
    ck_assert_int_eq(gossip_receive(gossip, &peer_address, buf_bytes(&buf), 1), TORC_EINVAL);
    buf_head(&buf)[4]++;
    ck_assert_int_eq(gossip_receive(gossip, &peer_address, buf_bytes(&buf), 1), TORC_EVERSION);
    ck_assert_int_eq(gossip_receive(gossip, &peer_address, bytes_of("x"), 1), TORC_ECORRUPT);
    ck_assert_uint_eq(counters->refused_cluster, 1);
    ck_assert_uint_eq(counters->refused_version, 1);
    ck_assert_uint_eq(counters->refused_corrupt, 1);
    ck_assert_uint_eq(counters->received, 3);
    ck_assert(!sent(&answer));
    ck_assert_uint_eq(gossip_member_count(gossip), 1);
    buf_deinit(&buf);
}
END_TEST

START_TEST(a_forgotten_member_is_refused)
{
    struct node_id id = id_of(2);
    struct gossip_message ping = from_peer(GOSSIP_PING, 1);
    hear(alive(2, 1, 0), 1);
    hear(alive(3, 1, 0), 1);
    expect_event(GOSSIP_EVENT_JOINED, 2);
    expect_event(GOSSIP_EVENT_JOINED, 3);
    gossip_forget(gossip, &id);
    ck_assert_ptr_null(member(2));
    expect_no_event();
    ck_assert_int_eq(receive(&ping, 2), TORC_ESTALE);
    ck_assert_uint_eq(gossip_counters(gossip)->refused_forgotten, 1);
    ck_assert_int_eq(gossip_introduce(gossip, &id, 1, &peer_address, bytes_of(""), 3), TORC_OK);
    ck_assert_ptr_null(member(2));
    ping.sender.id = id_of(3); /* nor by the word of another */
    ping.update_count = 1;
    ping.updates[0] = alive(2, 1, 50);
    ck_assert_int_eq(receive(&ping, 4), TORC_OK);
    ck_assert_ptr_null(member(2));
    ping.updates[0] = alive(2, 2, 0);
    ck_assert_int_eq(receive(&ping, 5), TORC_OK);
    expect_event(GOSSIP_EVENT_JOINED, 2);
}
END_TEST

START_TEST(leaving_says_goodbye_and_then_nothing)
{
    struct gossip_message message;
    for (uint8_t i = 2; i < 5; i++) {
        hear(alive(i, 1, 0), 0);
    }
    gossip_leave(gossip, 10);
    unsigned farewells = 0;
    while (sent(&message)) {
        const struct gossip_update *update = find_update(&message, 1);
        farewells += update != NULL && update->status == GOSSIP_LEFT && update->refutation == 1;
    }
    ck_assert_uint_eq(farewells, 3);
    struct gossip_message ping = from_peer(GOSSIP_PING, 1);
    ck_assert_int_eq(receive(&ping, 11), TORC_OK);
    gossip_tick(gossip, 10000);
    ck_assert(!sent(&message));
    ck_assert_uint_eq(gossip_next_ms(gossip), UINT64_MAX);
}
END_TEST

START_TEST(metas_have_a_limit)
{
    char large[GOSSIP_META_SIZE_MAX + 1] = {0};
    ck_assert_int_eq(gossip_set_meta(gossip, (struct bytes){large, sizeof(large)}), TORC_ETOOBIG);
    ck_assert_uint_eq(member(1)->refutation, 0);
    ck_assert_int_eq(gossip_set_meta(gossip, (struct bytes){large, sizeof(large) - 1}), TORC_OK);
    ck_assert_uint_eq(member(1)->refutation, 1);
    ck_assert_uint_eq(member(1)->meta.size, GOSSIP_META_SIZE_MAX);
}
END_TEST

START_TEST(state_is_merged_whole_or_not_at_all)
{
    struct gossip_options options = {
        .self = id_of(2),
        .incarnation = 1,
        .address = peer_address,
        .cluster_tag = TAG,
        .seed = 6,
    };
    struct gossip *other = gossip_create(&options, 0);
    struct buf state = {0};
    gossip_set_epoch(other, 3);
    gossip_encode_state(other, &state);
    for (size_t size = 0; size < buf_size(&state); size++) {
        struct bytes part = {buf_head(&state), size};
        ck_assert_int_ne(gossip_merge_state(gossip, part, 1), TORC_OK);
    }
    ck_assert_uint_eq(gossip_member_count(gossip), 1);
    ck_assert_int_eq(gossip_merge_state(gossip, buf_bytes(&state), 1), TORC_OK);
    expect_event(GOSSIP_EVENT_JOINED, 2);
    expect_event(GOSSIP_EVENT_EPOCH, 2);
    ck_assert_uint_eq(member(2)->heard_ms, 1);
    /* Merging it again, or our own, changes nothing. */
    ck_assert_int_eq(gossip_merge_state(gossip, buf_bytes(&state), 2), TORC_OK);
    buf_reset(&state, 0);
    gossip_encode_state(gossip, &state);
    ck_assert_int_eq(gossip_merge_state(gossip, buf_bytes(&state), 3), TORC_OK);
    expect_no_event();
    gossip_destroy(other);
    buf_deinit(&state);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gossip");
    TCase *tests = tcase_create("gossip");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_ping_is_answered_and_a_stranger_is_asked_who_it_is);
    tcase_add_test(tests, whoever_wants_our_update_gets_it);
    tcase_add_test(tests, load_and_epoch_are_taken_from_the_header);
    tcase_add_test(tests, precedence);
    tcase_add_test(tests, a_brief_update_withdraws_a_suspicion_and_keeps_the_details);
    tcase_add_test(tests, slander_is_denied_at_once);
    tcase_add_test(tests, an_introduced_member_joins_when_it_is_heard_of);
    tcase_add_test(tests, a_silent_member_is_asked_after_suspected_and_dead);
    tcase_add_test(tests, a_process_that_was_stopped_accuses_nobody);
    tcase_add_test(tests, a_relay_pings_answers_and_reports_silence);
    tcase_add_test(tests, a_flood_of_requests_is_bounded);
    tcase_add_test(tests, refused_datagrams_change_nothing_but_counters);
    tcase_add_test(tests, a_forgotten_member_is_refused);
    tcase_add_test(tests, leaving_says_goodbye_and_then_nothing);
    tcase_add_test(tests, metas_have_a_limit);
    tcase_add_test(tests, state_is_merged_whole_or_not_at_all);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
