/* How copies reach the data and the streams of a node that is put together in memory. */
#include "node/slot_rim.h"

#include "base/error.h"
#include "support/fake_node.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOT 7
#define KEYS 500
#define EXPIRES_MS UINT64_C(4000000000000) /* far ahead */

static struct fake_node *fake;
static struct slot *slot;
static const struct copy_rim *rim; /* of the worker */

static void install(enum node_status first, enum node_status second, enum node_status third)
{
    struct fake_view view = {
        .epoch = atomic_load(&fake->node.epoch) + 1, .copies = 3, .status = {first, second, third}};
    ck_assert(fake_node_install(fake, &view));
}

static void setup(void)
{
    fake = fake_node_create();
    slot = &fake->node.slots[SLOT];
    rim = &fake->worker.rim.copies;
}

static void teardown(void)
{
    fake_node_destroy(fake);
}

/* The slot is led here, by a copy that is complete; its members are wanted. */
static void lead(void)
{
    const struct copy_answers nothing = {.best_peer = PEER_NONE};
    install(NODE_UP, NODE_UP, NODE_UP);
    slot->copy.role = COPY_PRIMARY;
    slot->copy.stage = COPY_ASKING;
    ck_assert(copy_resolve(&slot->copy, rim, &nothing));
}

/* The slot is led by the second node. */
static void follow(void)
{
    install(NODE_UP, NODE_UP, NODE_UP);
    slot->copy.role = COPY_FOLLOWER;
    slot->copy.leader = fake_peer(fake, 1);
}

static enum copy_verdict receive(uint8_t kind, uint64_t sequence, struct bytes payload)
{
    struct op op = {.kind = kind,
                    .slot = SLOT,
                    .view_epoch = slot->copy.epoch,
                    .epoch = slot->copy.epoch,
                    .sequence = sequence,
                    .payload = payload};
    return copy_receive(&slot->copy, rim, &op, fake_peer(fake, 1), 1, slot->copy.epoch);
}

/* ---- effects ---- */

/* Parsing may write to what it is given. */
static bool apply(const char *effects)
{
    char text[256];
    snprintf(text, sizeof(text), "%s", effects);
    return rim->data_apply(rim->context, SLOT, bytes_of(text));
}

#define SET_A "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
#define INCR_A "*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"
#define RPUSH_A "*3\r\n$5\r\nRPUSH\r\n$1\r\na\r\n$1\r\nx\r\n"
#define SET_B "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n"
#define GET_A "*2\r\n$3\r\nGET\r\n$1\r\na\r\n"

START_TEST(test_effects)
{
    ck_assert(apply(SET_A));
    ck_assert_str_eq(fake_get(slot_keys(slot), "a"), "1");
    ck_assert(apply(INCR_A SET_B INCR_A)); /* of one transaction: all, in order */
    ck_assert_str_eq(fake_get(slot_keys(slot), "a"), "3");
    ck_assert_str_eq(fake_get(slot_keys(slot), "b"), "2");
    ck_assert_uint_eq(stat_read(&fake->worker.stats.effects_applied), 2);
    ck_assert_uint_eq(keyspace_count(slot_keys(&fake->node.slots[SLOT + 1])), 0);
    ck_assert(apply("*2\r\n$14\r\ntorc.flushslot\r\n$1\r\n7\r\n"));
    ck_assert_uint_eq(keyspace_count(slot_keys(slot)), 0);
    /* What fails here failed, or would have failed, there as well: the stream goes on. */
    ck_assert(apply(SET_A));
    ck_assert(apply(RPUSH_A));
    ck_assert_str_eq(fake_get(slot_keys(slot), "a"), "1");
    ck_assert_uint_eq(buf_size(&fake->worker.effects), 0); /* and tells nobody of it */
}
END_TEST

START_TEST(test_effects_that_no_primary_sends)
{
    static const char *const unlawful[] = {
        GET_A,                                        /* changes nothing */
        "*1\r\n$4\r\nPING\r\n",                       /* nor does this */
        "*2\r\n$7\r\nnothing\r\n$1\r\na\r\n",         /* no command */
        "*2\r\n$3\r\nSET\r\n$1\r\na\r\n",             /* an argument is missing */
        "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n",       /* bytes are missing */
        "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$-7\r\n1\r\n", /* no size */
    };
    for (size_t i = 0; i < sizeof(unlawful) / sizeof(unlawful[0]); i++) {
        ck_assert_msg(!apply(unlawful[i]), "%s", unlawful[i]);
    }
    ck_assert(!apply(SET_B GET_A)); /* the second of two */
    ck_assert_str_eq(fake_get(slot_keys(slot), "a"), "");
    follow();
    ck_assert_int_eq(receive(OP_REFILL_BEGIN, 0, (struct bytes){NULL, 0}), COPY_APPLIED);
    ck_assert_int_eq(receive(OP_REFILL_END, 4, (struct bytes){NULL, 0}), COPY_APPLIED);
    char text[64];
    snprintf(text, sizeof(text), "%s", unlawful[0]);
    ck_assert_int_eq(receive(OP_EFFECT, 5, bytes_of(text)), COPY_BROKEN);
    snprintf(text, sizeof(text), "%s", SET_A);
    ck_assert_int_eq(receive(OP_EFFECT, 5, bytes_of(text)), COPY_APPLIED);
    ck_assert_str_eq(fake_get(slot_keys(slot), "a"), "1");
}
END_TEST

/* ---- refills ---- */

static uint64_t expiry_of(struct keyspace *keys, struct bytes name)
{
    return keyspace_expire_at_ms(keys, keyspace_find(keys, name, key_hash(name)));
}

/* Key, expiry and dump, of a slot of this node that serves as the sender's. */
static enum copy_verdict receive_key(const char *key, const char *value, uint64_t expire_at_ms)
{
    struct bytes name = bytes_of(key);
    struct keyspace *elsewhere = slot_keys(&fake->node.slots[SLOT + 1]);
    struct object *object = NULL;
    struct buf dump = {0};
    struct buf payload = {0};
    ck_assert_int_eq(
        keyspace_set_string(elsewhere, name, key_hash(name), bytes_of(value), 0, &object), TORC_OK);
    object_dump(object, &dump);
    op_encode_refill_key(&payload, name, expire_at_ms, buf_size(&dump));
    buf_append(&payload, buf_head(&dump), buf_size(&dump));
    enum copy_verdict verdict = receive(OP_REFILL_KEY, 0, buf_bytes(&payload));
    buf_deinit(&dump);
    buf_deinit(&payload);
    return verdict;
}

START_TEST(test_refill)
{
    const struct bytes nothing = {NULL, 0};
    struct keyspace *before = slot_keys(slot);
    struct keyspace *incoming = slot->incoming;
    follow();
    fake_set(fake, SLOT, "old", "1", 0);
    ck_assert_int_eq(receive(OP_REFILL_BEGIN, 0, nothing), COPY_APPLIED);
    ck_assert_int_eq(receive_key("first", "x", EXPIRES_MS), COPY_APPLIED);
    ck_assert_int_eq(receive_key("second", "y", 0), COPY_APPLIED);
    ck_assert_int_eq(receive_key("third", "z", 0), COPY_APPLIED);
    ck_assert_int_eq(receive_key("second", "yy", 0), COPY_APPLIED); /* changed meanwhile */
    ck_assert_int_eq(receive(OP_REFILL_DROP, 0, bytes_of("third")), COPY_APPLIED);
    ck_assert_int_eq(receive(OP_REFILL_DROP, 0, bytes_of("never")), COPY_APPLIED);
    /* What was there stays until the end. */
    ck_assert_ptr_eq(slot_keys(slot), before);
    ck_assert_str_eq(fake_get(before, "old"), "1");
    ck_assert_uint_eq(keyspace_count(before), 1);
    ck_assert_uint_eq(keyspace_count(incoming), 2);

    ck_assert_int_eq(receive(OP_REFILL_END, 9, nothing), COPY_APPLIED);
    ck_assert_ptr_eq(slot_keys(slot), incoming);
    ck_assert_ptr_eq(slot->incoming, before);
    ck_assert_uint_eq(keyspace_count(before), 0);
    ck_assert_uint_eq(keyspace_count(incoming), 2);
    ck_assert_str_eq(fake_get(slot_keys(slot), "first"), "x");
    ck_assert_str_eq(fake_get(slot_keys(slot), "second"), "yy");
    struct bytes name = bytes_of("first");
    ck_assert_uint_eq(expiry_of(slot_keys(slot), name), EXPIRES_MS);
    ck_assert_uint_eq(slot->copy.sequence, 9);

    /* And the other way round. */
    ck_assert_int_eq(receive(OP_REFILL_BEGIN, 0, nothing), COPY_APPLIED);
    ck_assert_int_eq(receive_key("fourth", "w", 0), COPY_APPLIED);
    ck_assert_int_eq(receive(OP_REFILL_END, 12, nothing), COPY_APPLIED);
    ck_assert_ptr_eq(slot_keys(slot), before);
    ck_assert_uint_eq(keyspace_count(before), 1);
    ck_assert_str_eq(fake_get(before, "fourth"), "w");
}
END_TEST

START_TEST(test_refill_that_begins_anew_or_ends_early)
{
    const struct bytes nothing = {NULL, 0};
    follow();
    fake_set(fake, SLOT, "old", "1", 0);
    ck_assert_int_eq(receive(OP_REFILL_BEGIN, 0, nothing), COPY_APPLIED);
    ck_assert_int_eq(receive_key("first", "x", 0), COPY_APPLIED);
    ck_assert_int_eq(receive(OP_REFILL_BEGIN, 0, nothing), COPY_APPLIED);
    ck_assert_uint_eq(keyspace_count(slot->incoming), 0);
    ck_assert_int_eq(receive_key("second", "y", 0), COPY_APPLIED);
    install(NODE_DOWN, NODE_UP, NODE_UP); /* whoever was sending may be gone */
    ck_assert(!slot->copy.receiving);
    ck_assert_uint_eq(keyspace_count(slot->incoming), 0);
    ck_assert_str_eq(fake_get(slot_keys(slot), "old"), "1");
}
END_TEST

START_TEST(test_refill_with_damaged_keys)
{
    const struct bytes nothing = {NULL, 0};
    struct buf payload = {0};
    follow();
    ck_assert_int_eq(receive(OP_REFILL_BEGIN, 0, nothing), COPY_APPLIED);
    op_encode_refill_key(&payload, bytes_of("key"), 0, strlen("no dump at all"));
    buf_append_text(&payload, "no dump at all");
    ck_assert_int_eq(receive(OP_REFILL_KEY, 0, buf_bytes(&payload)), COPY_BROKEN);
    ck_assert_int_eq(receive(OP_REFILL_KEY, 0, bytes_of("x")), COPY_BROKEN);
    ck_assert_uint_eq(keyspace_count(slot->incoming), 0);
    buf_deinit(&payload);
}
END_TEST

/* ---- what a refill of another reads ---- */

struct visited {
    unsigned count[KEYS];
    uint64_t expire_at_ms;
    struct keyspace *into;
    size_t absent;
};

static void visit(void *context, const struct copy_key *key)
{
    struct visited *visited = context;
    unsigned number = 0;
    char name[16] = {0};
    memcpy(name, key->key.data, key->key.size);
    ck_assert_int_eq(sscanf(name, "key%u", &number), 1);
    visited->count[number]++;
    visited->expire_at_ms = key->expire_at_ms;
    visited->absent += key->dump.data == NULL;
    if (key->dump.data != NULL) {
        ck_assert_int_eq(keyspace_restore(visited->into, key->key, key_hash(key->key), key->dump,
                                          key->expire_at_ms),
                         TORC_OK);
    }
}

START_TEST(test_scan_dumps_every_key)
{
    static struct visited visited;
    size_t calls = 0;
    uint64_t cursor = 0;
    memset(&visited, 0, sizeof(visited));
    visited.into = slot->incoming;
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key%u", i);
        fake_set(fake, SLOT, key, key + 2, i == 3 ? EXPIRES_MS : 0);
    }
    do {
        cursor = rim->data_scan(rim->context, SLOT, cursor, 1000, visit, &visited);
        calls++;
    } while (cursor != 0);
    ck_assert_uint_gt(calls, KEYS / 100); /* a budget of 1 000 bytes is a handful of keys */
    ck_assert_uint_eq(keyspace_count(slot->incoming), KEYS);
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key%u", i);
        ck_assert_uint_ge(visited.count[i], 1);
        ck_assert_str_eq(fake_get(slot->incoming, key), key + 2);
    }
    struct bytes name = bytes_of("key3");
    ck_assert_uint_eq(expiry_of(slot->incoming, name), EXPIRES_MS);
    ck_assert_uint_eq(visited.absent, 0);
}
END_TEST

START_TEST(test_one_key_as_it_is_now)
{
    static struct visited visited;
    memset(&visited, 0, sizeof(visited));
    visited.into = slot->incoming;
    fake_set(fake, SLOT, "key1", "value", EXPIRES_MS);
    rim->data_key(rim->context, SLOT, bytes_of("key1"), visit, &visited);
    ck_assert_uint_eq(visited.count[1], 1);
    ck_assert_uint_eq(visited.absent, 0);
    ck_assert_uint_eq(visited.expire_at_ms, EXPIRES_MS);
    ck_assert_str_eq(fake_get(slot->incoming, "key1"), "value");
    rim->data_key(rim->context, SLOT, bytes_of("key2"), visit, &visited);
    ck_assert_uint_eq(visited.count[2], 1);
    ck_assert_uint_eq(visited.absent, 1);
}
END_TEST

/* ---- streams ---- */

START_TEST(test_stream_towards_a_peer)
{
    install(NODE_UP, NODE_UP, NODE_DOWN);
    fake_peer(fake, 1);
    struct replica_stream *stream = fake_stream(fake, 1);
    ck_assert_ptr_eq(rim->stream_to(rim->context, fake_peer(fake, 1), SLOT), stream);
    ck_assert(!rim->stream_ended(rim->context, stream));
    ck_assert_ptr_null(rim->stream_to(rim->context, fake_peer(fake, 2), SLOT));
    ck_assert(rim->stream_has_room(rim->context, stream));
    atomic_store(&stream->backlog_size, 64u * 1024 * 1024);
    ck_assert(!rim->stream_has_room(rim->context, stream));
    atomic_store(&stream->closing, true); /* no slot may take it up again */
    ck_assert_ptr_null(rim->stream_to(rim->context, fake_peer(fake, 1), SLOT));
    ck_assert(rim->stream_ended(rim->context, stream));
}
END_TEST

/* Each worker sends the slots that are its own modulo the number of workers. */
START_TEST(test_stream_of_the_slot)
{
    static struct worker second;
    struct worker *workers[] = {&fake->worker, &second};
    struct node_id id = fake_id(1);
    struct peer *peer = peers_get(fake->node.peers, &id);
    fake->node.workers = workers;
    fake->node.worker_count = 2;
    atomic_store(&second.woken, true);
    ck_assert_int_eq(peer_open_streams(fake->node.peers, peer, 2), TORC_OK);
    for (uint16_t i = 0; i < 4; i++) {
        struct replica_stream *stream = rim->stream_to(rim->context, peer->index, i);
        ck_assert_ptr_eq(stream, atomic_load(&peer->streams[i % 2]));
        ck_assert_uint_eq(stream->shard, i % 2);
    }
    /* What is appended wakes the one that sends it. */
    uint64_t position = 0;
    struct op op = {.kind = OP_CONFIRM, .slot = SLOT};
    rim->stream_append(rim->context, atomic_load(&peer->streams[1]), &op, &position);
    ck_assert_uint_eq(position, OP_HEADER_SIZE);
    ck_assert_uint_eq(fake->worker.rim.appended_bytes, OP_HEADER_SIZE);
    ck_assert(atomic_load(&second.streams_dirty));
    ck_assert(!atomic_load(&fake->worker.streams_dirty));
    ck_assert(atomic_load(&atomic_load(&peer->streams[1])->dirty));
    fake->node.workers = fake->workers;
    fake->node.worker_count = 1;
}
END_TEST

START_TEST(test_acknowledgements)
{
    install(NODE_UP, NODE_UP, NODE_UP);
    struct replica_stream *stream = fake_stream(fake, 1);
    struct op op = {.kind = OP_CONFIRM, .slot = SLOT};
    uint64_t ends[3];
    for (size_t i = 0; i < 3; i++) {
        rim->stream_append(rim->context, stream, &op, &ends[i]);
    }
    ck_assert_int_eq(rim->stream_acks(rim->context, stream, ends[0], ends[0]), MEMBER_ACKS_PENDING);
    fake_skip_last(stream, ends[1]);
    ck_assert_int_eq(rim->stream_acks(rim->context, stream, ends[1], ends[1]), MEMBER_ACKS_PENDING);
    fake_acknowledge(stream);
    ck_assert_int_eq(rim->stream_acks(rim->context, stream, ends[0], ends[0]), MEMBER_ACKS_DONE);
    ck_assert_int_eq(rim->stream_acks(rim->context, stream, ends[1], ends[1]), MEMBER_ACKS_SKIPPED);
    ck_assert_int_eq(rim->stream_acks(rim->context, stream, ends[2], ends[2]), MEMBER_ACKS_DONE);
    ck_assert_int_eq(rim->stream_acks(rim->context, stream, ends[0], ends[2]), MEMBER_ACKS_SKIPPED);
}
END_TEST

/* A member is refilled from the data, and what changes meanwhile is sent as it is by then. */
START_TEST(test_refill_of_a_member)
{
    lead();
    struct replica_stream *stream = fake_stream(fake, 1);
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key%u", i);
        fake_set(fake, SLOT, key, "before", 0);
    }
    ck_assert(copy_step(&slot->copy, rim, 1000));
    fake_set(fake, SLOT, "key0", "after", 0);
    struct bytes gone = bytes_of("key1");
    ck_assert(keyspace_delete(slot_keys(slot), gone, key_hash(gone)));
    struct bytes changed[] = {bytes_of("key0"), gone};
    copy_publish(&slot->copy, rim, bytes_of("?"), changed, 2);
    while (slot->copy.stage != COPY_SERVING) {
        copy_step(&slot->copy, rim, 1000);
    }

    struct op op;
    struct keyspace *received = slot->incoming;
    size_t begun = 0;
    size_t ended = 0;
    while (fake_next_op(stream, &op)) {
        struct bytes key;
        struct bytes dump;
        uint64_t expire_at_ms = 0;
        begun += op.kind == OP_REFILL_BEGIN;
        ended += op.kind == OP_REFILL_END;
        ck_assert_uint_ne(op.kind, OP_EFFECT); /* it is in what the refill brings */
        if (op.kind == OP_REFILL_DROP) {
            keyspace_delete(received, op.payload, key_hash(op.payload));
        } else if (op.kind == OP_REFILL_KEY) {
            ck_assert_int_eq(op_decode_refill_key(op.payload, &key, &expire_at_ms, &dump), TORC_OK);
            ck_assert_int_eq(keyspace_restore(received, key, key_hash(key), dump, expire_at_ms),
                             TORC_OK);
        } else if (op.kind == OP_REFILL_END) {
            ck_assert_uint_eq(op.sequence, slot->copy.sequence);
        }
    }
    ck_assert_uint_eq(begun, 1);
    ck_assert_uint_eq(ended, 1);
    ck_assert_uint_eq(keyspace_count(received), KEYS - 1);
    ck_assert_str_eq(fake_get(received, "key0"), "after");
    ck_assert_str_eq(fake_get(received, "key1"), "");
    ck_assert_str_eq(fake_get(received, "key2"), "before");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slot_rim");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_effects);
    tcase_add_test(tests, test_effects_that_no_primary_sends);
    tcase_add_test(tests, test_refill);
    tcase_add_test(tests, test_refill_that_begins_anew_or_ends_early);
    tcase_add_test(tests, test_refill_with_damaged_keys);
    tcase_add_test(tests, test_scan_dumps_every_key);
    tcase_add_test(tests, test_one_key_as_it_is_now);
    tcase_add_test(tests, test_stream_towards_a_peer);
    tcase_add_test(tests, test_stream_of_the_slot);
    tcase_add_test(tests, test_acknowledgements);
    tcase_add_test(tests, test_refill_of_a_member);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
