/* The answering side of torc.take, asked of a node that is put together by hand: no thread runs and
 * nothing is sent; what would be sent is read from the stream towards the taker. */
#include "base/codec.h"
#include "base/error.h"
#include "node/call.h"
#include "node/commands/handlers.h"
#include "node/node.h"
#include "node/peers.h"
#include "node/transfer.h"
#include "node/worker.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOT 7
#define EPOCH 5

struct fixture {
    struct node node;
    struct worker worker;
    struct worker *workers[1];
    struct peer *taker;
    struct peer *other;
    struct replica_stream *stream; /* towards the taker */
    struct slot *slot;             /* SLOT */
    struct buf reply;
};

static struct node_id id_of(uint8_t number)
{
    return (struct node_id){{number}};
}

static struct replica_stream *open_stream(struct fixture *fixture, struct peer *peer)
{
    ck_assert_int_eq(peer_open_streams(fixture->node.peers, peer, 1), TORC_OK);
    struct replica_stream *stream = atomic_load(&peer->streams[0]);
    atomic_store(&stream->dirty, true); /* so that no worker need be woken: there is none */
    return stream;
}

static struct fixture *setup(void)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct node *node = &fixture->node;
    log_init(&node->log, -1, LOG_ERROR, "test");
    node->id = id_of(1);
    node->workers = fixture->workers;
    node->worker_count = 1;
    fixture->workers[0] = &fixture->worker;
    fixture->worker.node = node;
    node->peers = peers_create();
    node->store = store_create();
    node->slots = calloc(SLOT_COUNT, sizeof(*node->slots));
    atomic_store(&node->epoch, EPOCH);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        node->slots[i].index = (uint16_t)i;
        node->slots[i].epoch = EPOCH;
        node->slots[i].source = PEER_NONE;
        node->slots[i].leader = PEER_NONE;
        node->slots[i].keys = store_keyspace(node->store, (uint16_t)i);
    }
    struct node_id ids[] = {id_of(2), id_of(3)};
    fixture->taker = peers_get(node->peers, &ids[0]);
    fixture->other = peers_get(node->peers, &ids[1]);
    fixture->stream = open_stream(fixture, fixture->taker);
    fixture->slot = &node->slots[SLOT];
    return fixture;
}

static void teardown(struct fixture *fixture)
{
    buf_deinit(&fixture->reply);
    free(fixture->node.slots);
    store_destroy(fixture->node.store);
    peers_destroy(fixture->node.peers);
    free(fixture);
}

/* A complete copy that goes so far, with two keys in it. */
static void fill(struct slot *slot, enum slot_role role)
{
    struct object *object = NULL;
    for (unsigned i = 0; i < 2; i++) {
        struct bytes key = bytes_of(i == 0 ? "first" : "second");
        ck_assert_int_eq(keyspace_set_string(slot->keys, key, key_hash(key), bytes_of("value"),
                                             1000 * i, &object),
                         TORC_OK);
    }
    slot->role = (uint8_t)role;
    slot->complete = true;
    slot->epoch = EPOCH;
    slot->effect_epoch = 3;
    slot->sequence = 77;
}

/* Calls torc.take; the reply is in fixture->reply. */
static void take_with(struct fixture *fixture, const char *verb, const char *epoch, uint8_t who,
                      struct bytes slots)
{
    char id_text[NODE_ID_TEXT_SIZE];
    struct node_id id = id_of(who);
    node_id_format(&id, id_text);
    buf_reset(&fixture->reply, 0);
    struct reply_writer writer = {.out = &fixture->reply, .protocol = 2};
    struct bytes argv[] = {BYTES_LITERAL("torc.take"), bytes_of(verb), bytes_of(epoch),
                           bytes_of(id_text), slots};
    struct call call = {.argv = argv, .argc = 5, .reply = &writer, .worker = &fixture->worker};
    torc_take_command(&call);
}

static bool reply_starts(const struct fixture *fixture, const char *text)
{
    return buf_size(&fixture->reply) >= strlen(text) &&
           memcmp(buf_head(&fixture->reply), text, strlen(text)) == 0;
}

/* The contents of the bulk reply, which is this long. */
static const char *bulk(const struct fixture *fixture, size_t size)
{
    char head[16];
    snprintf(head, sizeof(head), "$%zu\r\n", size);
    ck_assert(reply_starts(fixture, head));
    ck_assert_uint_eq(buf_size(&fixture->reply), strlen(head) + size + 2);
    return buf_head(&fixture->reply) + strlen(head);
}

/* Has SLOT sent to the taker, which says that it stands there itself. */
static enum send_status send_to(struct fixture *fixture, const struct standing *theirs)
{
    struct buf slots = {0};
    write_u16(&slots, SLOT);
    standing_encode(&slots, theirs);
    take_with(fixture, "send", "5", 2, buf_bytes(&slots));
    buf_deinit(&slots);
    return (enum send_status) * bulk(fixture, 1);
}

/* Takes the next operation from the stream; 0 when there is none. */
static uint8_t next_op(struct fixture *fixture, struct op *op)
{
    size_t consumed = 0;
    struct stream *stream = &fixture->stream->stream;
    if (op_decode(stream_to_send(stream), op, &consumed) != TORC_OK) {
        return 0;
    }
    stream_sent(stream, consumed);
    ck_assert_uint_eq(op->slot, SLOT);
    return op->kind;
}

static const struct standing nothing = {0};

/* ---- standings ---- */

START_TEST(test_standing_order)
{
    /* From the least to the most; every pair is compared. */
    static const struct standing ordered[] = {
        {false, 0, 0}, {false, 0, 9}, {false, 9, 1},
        {true, 0, 0},  {true, 0, 1},  {true, 1, 0},
        {true, 1, 5},  {true, 2, 3},  {true, UINT64_MAX, UINT64_MAX},
    };
    const size_t count = sizeof(ordered) / sizeof(ordered[0]);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            int order = standing_compare(&ordered[i], &ordered[j]);
            ck_assert_int_eq((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}
END_TEST

START_TEST(test_standing_bytes)
{
    static const uint8_t wire[STANDING_SIZE] = {1, 8, 7, 6, 5, 4, 3, 2, 1, 9, 0, 0, 0, 0, 0, 0, 0};
    struct standing standing = {true, 0x0102030405060708, 9};
    struct standing decoded;
    struct buf out = {0};
    standing_encode(&out, &standing);
    ck_assert(bytes_equal(buf_bytes(&out), (struct bytes){(const char *)wire, sizeof(wire)}));
    standing_decode(buf_head(&out), &decoded);
    ck_assert(decoded.complete);
    ck_assert_int_eq(standing_compare(&decoded, &standing), 0);
    *buf_head(&out) = 0;
    standing_decode(buf_head(&out), &decoded);
    ck_assert(!decoded.complete);
    buf_deinit(&out);
}
END_TEST

START_TEST(test_standing_of_a_slot)
{
    struct slot slot = {.complete = true, .effect_epoch = 4, .sequence = 6};
    struct standing standing = slot_standing(&slot);
    ck_assert(standing.complete);
    ck_assert_uint_eq(standing.effect_epoch, 4);
    ck_assert_uint_eq(standing.sequence, 6);
    slot.receiving = true; /* what it has by now is not whole */
    ck_assert(!slot_standing(&slot).complete);
}
END_TEST

/* ---- query ---- */

START_TEST(test_query)
{
    struct fixture *fixture = setup();
    struct buf slots = {0};
    fill(fixture->slot, SLOT_REPLICA);
    write_u16(&slots, SLOT);
    write_u16(&slots, SLOT_COUNT - 1);
    take_with(fixture, "query", "5", 2, buf_bytes(&slots));
    const char *answer = bulk(fixture, 2 * STANDING_SIZE);
    struct standing first;
    struct standing last;
    standing_decode(answer, &first);
    standing_decode(answer + STANDING_SIZE, &last);
    ck_assert(first.complete);
    ck_assert_uint_eq(first.effect_epoch, 3);
    ck_assert_uint_eq(first.sequence, 77);
    ck_assert(!last.complete);
    take_with(fixture, "query", "5", 2, (struct bytes){NULL, 0});
    bulk(fixture, 0);
    /* Only under the very same view is it sure that we serve none of these slots. */
    static const char *const others[] = {"4", "6"};
    for (size_t i = 0; i < 2; i++) {
        take_with(fixture, "query", others[i], 2, buf_bytes(&slots));
        ck_assert(reply_starts(fixture, "-TRYAGAIN "));
    }
    fixture->slot->epoch = EPOCH + 1; /* the next view is being installed */
    take_with(fixture, "query", "5", 2, buf_bytes(&slots));
    ck_assert(reply_starts(fixture, "-TRYAGAIN "));
    buf_deinit(&slots);
    teardown(fixture);
}
END_TEST

/* What was said must stay true: from now on only the new primary changes the slot. */
START_TEST(test_query_ends_listening)
{
    struct fixture *fixture = setup();
    struct bytes slot = {"\x07\x00", 2};
    static const uint8_t roles[] = {SLOT_NONE, SLOT_REPLICA, SLOT_PRIMARY};
    for (size_t i = 0; i < sizeof(roles); i++) {
        fill(fixture->slot, (enum slot_role)roles[i]);
        fixture->slot->leader = fixture->taker->index;
        fixture->slot->source = fixture->other->index;
        take_with(fixture, "query", "5", 2, slot);
        ck_assert_uint_eq(fixture->slot->source,
                          roles[i] == SLOT_PRIMARY ? fixture->other->index : fixture->taker->index);
    }
    teardown(fixture);
}
END_TEST

START_TEST(test_refused)
{
    struct fixture *fixture = setup();
    struct bytes slot = {"\x07\x00", 2};
    take_with(fixture, "query", "6", 2, slot);
    ck_assert(reply_starts(fixture, "-TRYAGAIN"));
    take_with(fixture, "query", "-1", 2, slot);
    ck_assert(reply_starts(fixture, "-TRYAGAIN"));
    take_with(fixture, "query", "5", 9, slot); /* nobody we know */
    ck_assert(reply_starts(fixture, "-TRYAGAIN"));
    take_with(fixture, "query", "five", 2, slot);
    ck_assert(reply_starts(fixture, "-ERR"));
    take_with(fixture, "give", "5", 2, slot);
    ck_assert(reply_starts(fixture, "-ERR"));
    teardown(fixture);
}
END_TEST

START_TEST(test_malformed_slots)
{
    struct fixture *fixture = setup();
    char send[SEND_REQUEST_SIZE + 1] = {SLOT};
    take_with(fixture, "query", "5", 2, (struct bytes){"\x07\x00\x07", 3});
    ck_assert(reply_starts(fixture, "-ERR"));
    take_with(fixture, "query", "5", 2, (struct bytes){"\x00\x40", 2}); /* slot 16384 */
    ck_assert(reply_starts(fixture, "-ERR"));
    for (size_t size = 1; size <= sizeof(send); size++) {
        take_with(fixture, "send", "5", 2, (struct bytes){send, size});
        ck_assert_int_eq(reply_starts(fixture, "-ERR"), size != SEND_REQUEST_SIZE);
    }
    send[1] = 0x40;
    take_with(fixture, "send", "5", 2, (struct bytes){send, SEND_REQUEST_SIZE});
    ck_assert(reply_starts(fixture, "-ERR"));
    teardown(fixture);
}
END_TEST

/* ---- send ---- */

/* A begin, the two keys of fill() and an end. */
static void expect_refill(struct fixture *fixture, uint8_t end_flags)
{
    struct op op;
    bool seen[2] = {false, false};
    ck_assert_uint_eq(next_op(fixture, &op), OP_REFILL_BEGIN);
    ck_assert_uint_eq(op.epoch, EPOCH);
    for (unsigned i = 0; i < 2; i++) {
        struct bytes key;
        struct bytes dump;
        uint64_t expire_at_ms = 0;
        ck_assert_uint_eq(next_op(fixture, &op), OP_REFILL_KEY);
        ck_assert_int_eq(op_decode_refill_key(op.payload, &key, &expire_at_ms, &dump), TORC_OK);
        bool second = bytes_equal(key, BYTES_LITERAL("second"));
        ck_assert(second || bytes_equal(key, BYTES_LITERAL("first")));
        ck_assert(!seen[second]);
        ck_assert_uint_eq(expire_at_ms, second ? 1000 : 0);
        ck_assert_uint_gt(dump.size, 8);
        seen[second] = true;
    }
    ck_assert_uint_eq(next_op(fixture, &op), OP_REFILL_END);
    ck_assert_uint_eq(op.flags, end_flags);
    ck_assert_uint_eq(op.epoch, 3);
    ck_assert_uint_eq(op.sequence, 77);
    ck_assert_uint_eq(op.payload.size, 0);
    ck_assert_uint_eq(next_op(fixture, &op), 0);
}

START_TEST(test_primary_sends_and_has_a_replica)
{
    struct fixture *fixture = setup();
    struct slot *slot = fixture->slot;
    fill(slot, SLOT_PRIMARY);
    ck_assert_int_eq(send_to(fixture, &nothing), SEND_DONE);
    expect_refill(fixture, 0);
    ck_assert_uint_eq(slot->replica_count, 1);
    ck_assert_ptr_eq(slot->replicas[0], fixture->stream);
    ck_assert_uint_eq(slot->role, SLOT_PRIMARY);

    ck_assert_int_eq(send_to(fixture, &nothing), SEND_DONE); /* asked again: no second entry */
    expect_refill(fixture, 0);
    ck_assert_uint_eq(slot->replica_count, 1);
    teardown(fixture);
}
END_TEST

START_TEST(test_equal_copy_is_kept)
{
    struct fixture *fixture = setup();
    struct op op;
    fill(fixture->slot, SLOT_PRIMARY);
    struct standing equal = slot_standing(fixture->slot);
    ck_assert_int_eq(send_to(fixture, &equal), SEND_DONE);
    ck_assert_uint_eq(next_op(fixture, &op), OP_REFILL_END);
    ck_assert_uint_eq(op.flags, OP_FLAG_KEEP);
    ck_assert_uint_eq(op.sequence, 77);
    ck_assert_uint_eq(next_op(fixture, &op), 0);
    ck_assert_uint_eq(fixture->slot->replica_count, 1);
    teardown(fixture);
}
END_TEST

START_TEST(test_one_that_goes_further_is_replaced)
{
    struct fixture *fixture = setup();
    fill(fixture->slot, SLOT_PRIMARY);
    struct standing further = {true, 4, 78}; /* made by a primary whose view did not last */
    ck_assert_int_eq(send_to(fixture, &further), SEND_DONE);
    expect_refill(fixture, 0);
    teardown(fixture);
}
END_TEST

START_TEST(test_replica_hands_over_and_follows)
{
    struct fixture *fixture = setup();
    struct slot *slot = fixture->slot;
    fill(slot, SLOT_REPLICA);
    slot->leader = fixture->taker->index;
    slot->source = fixture->other->index;
    slot->need_take = true;
    ck_assert_int_eq(send_to(fixture, &nothing), SEND_DONE);
    expect_refill(fixture, OP_FLAG_FOLLOW);
    ck_assert_uint_eq(slot->source, fixture->taker->index);
    ck_assert(!slot->need_take);
    ck_assert_uint_eq(slot->replica_count, 0);
    teardown(fixture);
}
END_TEST

START_TEST(test_replica_of_another_does_not_follow)
{
    struct fixture *fixture = setup();
    struct slot *slot = fixture->slot;
    fill(slot, SLOT_REPLICA);
    slot->leader = fixture->other->index;
    slot->source = fixture->other->index;
    ck_assert_int_eq(send_to(fixture, &nothing), SEND_DONE);
    expect_refill(fixture, 0);
    ck_assert_uint_eq(slot->source, fixture->other->index);
    teardown(fixture);
}
END_TEST

START_TEST(test_without_a_role_it_still_sends)
{
    struct fixture *fixture = setup();
    fill(fixture->slot, SLOT_NONE);
    ck_assert_int_eq(send_to(fixture, &nothing), SEND_DONE);
    expect_refill(fixture, 0);
    ck_assert_uint_eq(fixture->slot->replica_count, 0);
    teardown(fixture);
}
END_TEST

/* Each of these alone makes the taker ask again, and nothing is sent. */
START_TEST(test_later)
{
    struct fixture *fixture = setup();
    struct slot *slot = fixture->slot;
    struct op op;
    fill(slot, SLOT_PRIMARY);

    slot->complete = false;
    ck_assert_int_eq(send_to(fixture, &nothing), SEND_LATER);
    slot->complete = true;

    slot->receiving = true;
    ck_assert_int_eq(send_to(fixture, &nothing), SEND_LATER);
    slot->receiving = false;

    slot->need_take = true;
    ck_assert_int_eq(send_to(fixture, &nothing), SEND_LATER);
    slot->need_take = false;

    atomic_store(&fixture->stream->closing, true);
    ck_assert_int_eq(send_to(fixture, &nothing), SEND_LATER);
    atomic_store(&fixture->stream->closing, false);

    atomic_store(&fixture->stream->backlog_size, UINT64_C(1) << 30);
    ck_assert_int_eq(send_to(fixture, &nothing), SEND_LATER);
    atomic_store(&fixture->stream->backlog_size, 0);

    slot->replica_count = SLOT_REPLICAS_MAX; /* all places are taken by others */
    ck_assert_int_eq(send_to(fixture, &nothing), SEND_LATER);
    slot->replica_count = 0;

    ck_assert_uint_eq(next_op(fixture, &op), 0);
    ck_assert_int_eq(send_to(fixture, &nothing), SEND_DONE);
    peer_close_streams(fixture->node.peers, fixture->taker, 1);
    slot->replica_count = 0;
    ck_assert_int_eq(send_to(fixture, &nothing), SEND_LATER);
    teardown(fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transfer");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_standing_order);
    tcase_add_test(tests, test_standing_bytes);
    tcase_add_test(tests, test_standing_of_a_slot);
    tcase_add_test(tests, test_query);
    tcase_add_test(tests, test_query_ends_listening);
    tcase_add_test(tests, test_refused);
    tcase_add_test(tests, test_malformed_slots);
    tcase_add_test(tests, test_primary_sends_and_has_a_replica);
    tcase_add_test(tests, test_equal_copy_is_kept);
    tcase_add_test(tests, test_one_that_goes_further_is_replaced);
    tcase_add_test(tests, test_replica_hands_over_and_follows);
    tcase_add_test(tests, test_replica_of_another_does_not_follow);
    tcase_add_test(tests, test_without_a_role_it_still_sends);
    tcase_add_test(tests, test_later);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
