/* Both sides of torc.take, of a node that is put together in memory: what it answers, read from its
 * reply and from the stream towards the taker, and what it does when it asks and nobody is there.
 */
#include "node/take.h"

#include "base/codec.h"
#include "base/error.h"
#include "node/call.h"
#include "node/commands/handlers.h"
#include "support/fake_node.h"

#include <check.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOT 7
#define EPOCH 5
#define STANDING_SIZE 17
#define SYNTAX "-ERR syntax error\r\n"

enum { QUERY = 1, SEND = 2, STOP = 3 }; /* kinds of requests */
enum { DONE, LATER };                   /* answers to a send, one byte for each slot */
enum { COMPLETE = 1, ACTING = 2 };      /* first byte of a standing */

static struct fake_node *fake;
static struct copy *copy; /* of SLOT */
static struct buf reply;
static struct buf request;

static void setup(void)
{
    fake = fake_node_create();
    copy = &fake->node.slots[SLOT].copy;
    struct fake_view view = {.epoch = EPOCH, .copies = 3, .status = {NODE_UP, NODE_UP, NODE_UP}};
    ck_assert(fake_node_install(fake, &view));
}

static void teardown(void)
{
    buf_deinit(&reply);
    buf_deinit(&request);
    fake_node_destroy(fake);
}

/* A complete copy with two keys, which goes as far as effect 77. */
static void fill(enum copy_role role)
{
    fake_set(fake, SLOT, "first", "1", 0);
    fake_set(fake, SLOT, "second", "2", UINT64_C(4000000000000));
    copy->role = (uint8_t)role;
    copy->complete = true;
    copy->effect_epoch = 3;
    copy->sequence = 77;
}

static void begin_request(int kind, uint64_t epoch)
{
    buf_reset(&request, SIZE_MAX);
    write_u8(&request, (uint8_t)kind);
    write_u64(&request, epoch);
}

/* Has the second node (or whoever) ask for what is in `request`. */
static const char *take_as(struct bytes who)
{
    struct bytes argv[] = {BYTES_LITERAL("torc.take"), who, buf_bytes(&request)};
    struct reply_writer writer = {.out = &reply, .protocol = 2};
    struct call call = {.argv = argv, .argc = 3, .reply = &writer, .worker = &fake->worker};
    buf_reset(&reply, SIZE_MAX);
    torc_take_command(&call);
    buf_append(&reply, "", 1);
    return buf_head(&reply);
}

static const char *take(void)
{
    char id[NODE_ID_TEXT_SIZE];
    struct node_id asker = fake_id(1);
    node_id_format(&asker, id);
    return take_as(bytes_of(id));
}

static const char *take_slot(int kind, uint64_t epoch, uint16_t slot)
{
    begin_request(kind, epoch);
    write_u16(&request, slot);
    return take();
}

/* The contents of the bulk that was replied, which is this long. */
static const char *bulk(size_t size)
{
    char head[16];
    snprintf(head, sizeof(head), "$%zu\r\n", size);
    ck_assert_uint_eq(buf_size(&reply), strlen(head) + size + 2 + 1);
    ck_assert_int_eq(memcmp(buf_head(&reply), head, strlen(head)), 0);
    return buf_head(&reply) + strlen(head);
}

static void expect_standing(const char *at, bool complete, uint64_t effect_epoch, uint64_t sequence)
{
    struct reader reader;
    reader_init(&reader, (struct bytes){at, STANDING_SIZE});
    ck_assert_uint_eq(read_u8(&reader), complete);
    ck_assert_uint_eq(read_u64(&reader), effect_epoch);
    ck_assert_uint_eq(read_u64(&reader), sequence);
}

static bool is_try_again(const char *text)
{
    return strncmp(text, "-TRYAGAIN ", 10) == 0;
}

/* ---- answering ---- */

START_TEST(test_query)
{
    fill(COPY_FOLLOWER);
    begin_request(QUERY, EPOCH);
    write_u16(&request, SLOT);
    write_u16(&request, SLOT_COUNT - 1);
    take();
    const char *answer = bulk(2 * STANDING_SIZE);
    expect_standing(answer, true, 3, 77);
    expect_standing(answer + STANDING_SIZE, false, 0, 0);
    begin_request(QUERY, EPOCH);
    take();
    bulk(0);
    struct op op;
    ck_assert(!fake_next_op(fake_stream(fake, 1), &op)); /* nobody asked for data */
}
END_TEST

/* Only under the very same view is it sure that this node serves none of these slots. */
START_TEST(test_another_view)
{
    fill(COPY_FOLLOWER);
    for (int kind = QUERY; kind <= STOP; kind++) {
        ck_assert(is_try_again(take_slot(kind, EPOCH - 1, SLOT)));
        ck_assert(is_try_again(take_slot(kind, EPOCH + 1, SLOT)));
    }
    begin_request(QUERY, EPOCH + 1); /* about nothing, and still not of this view */
    ck_assert(is_try_again(take()));
    copy->epoch = EPOCH + 1; /* the next one is being installed */
    ck_assert(is_try_again(take_slot(QUERY, EPOCH, SLOT)));
    copy->epoch = EPOCH - 1; /* this one is being installed */
    ck_assert(is_try_again(take_slot(QUERY, EPOCH, SLOT)));
    copy->epoch = EPOCH;
    take_slot(QUERY, EPOCH, SLOT);
    expect_standing(bulk(STANDING_SIZE), true, 3, 77);
}
END_TEST

START_TEST(test_junk)
{
    static const char junk[] = "\x01\x05\0\0\0\0\0\0\0\x07\0\x07";
    for (size_t size = 0; size < sizeof(junk); size++) {
        begin_request(QUERY, EPOCH);
        buf_reset(&request, SIZE_MAX);
        buf_append(&request, junk, size);
        const char *answer = take();
        bool lawful = size >= 9 && (size - 9) % 2 == 0;
        ck_assert_msg((strcmp(answer, SYNTAX) == 0) == !lawful, "%zu: %s", size, answer);
    }
    ck_assert_str_eq(take_slot(0, EPOCH, SLOT), SYNTAX);
    ck_assert_str_eq(take_slot(STOP + 1, EPOCH, SLOT), SYNTAX);
    for (int kind = QUERY; kind <= STOP; kind++) {
        ck_assert_str_eq(take_slot(kind, EPOCH, SLOT_COUNT), SYNTAX);
        ck_assert_str_eq(take_slot(kind, EPOCH, UINT16_MAX), SYNTAX);
    }
    begin_request(QUERY, EPOCH);
    ck_assert(is_try_again(take_as(bytes_of("nobody"))));
    ck_assert(is_try_again(take_as(bytes_of("0909090909090909090909090909090909090909"))));

    struct bytes argv[] = {BYTES_LITERAL("torc.take"), BYTES_LITERAL("query")};
    struct reply_writer writer = {.out = &reply, .protocol = 2};
    struct call call = {.argv = argv, .argc = 2, .reply = &writer, .worker = &fake->worker};
    buf_reset(&reply, SIZE_MAX);
    torc_take_command(&call);
    ck_assert(bytes_equal(buf_bytes(&reply), BYTES_LITERAL(SYNTAX)));
    slot_lock(&fake->node.slots[SLOT]); /* nobody left it locked */
    slot_unlock(&fake->node.slots[SLOT]);
}
END_TEST

static char send_status(void)
{
    take_slot(SEND, EPOCH, SLOT);
    return *bulk(1);
}

START_TEST(test_send)
{
    static const enum copy_role roles[] = {COPY_FOLLOWER, COPY_NONE};
    struct keyspace *received = fake->node.slots[SLOT].incoming;
    struct replica_stream *stream = fake_stream(fake, 1);
    for (size_t i = 0; i < 2; i++) {
        struct op op;
        struct bytes key;
        struct bytes dump;
        uint64_t expire_at_ms = 0;
        fill(roles[i]);
        ck_assert_int_eq(send_status(), DONE);
        ck_assert(fake_next_op(stream, &op));
        ck_assert_uint_eq(op.kind, OP_REFILL_BEGIN);
        for (size_t j = 0; j < 2; j++) {
            ck_assert(fake_next_op(stream, &op));
            ck_assert_uint_eq(op.kind, OP_REFILL_KEY);
            ck_assert_uint_eq(op.slot, SLOT);
            ck_assert_int_eq(op_decode_refill_key(op.payload, &key, &expire_at_ms, &dump), TORC_OK);
            ck_assert_int_eq(keyspace_restore(received, key, key_hash(key), dump, expire_at_ms),
                             TORC_OK);
        }
        ck_assert(fake_next_op(stream, &op));
        ck_assert_uint_eq(op.kind, OP_REFILL_END);
        ck_assert_uint_eq(op.flags & OP_FLAG_KEEP, 0);
        ck_assert_uint_eq(op.view_epoch, EPOCH);
        ck_assert_uint_eq(op.epoch, 3);
        ck_assert_uint_eq(op.sequence, 77);
        ck_assert(!fake_next_op(stream, &op));
        ck_assert_str_eq(fake_get(received, "first"), "1");
        ck_assert_str_eq(fake_get(received, "second"), "2");
        keyspace_clear(received);
    }
    struct op op;
    ck_assert(!fake_next_op(fake_stream(fake, 2), &op)); /* only to the one that asked */
}
END_TEST

/* What is served until its new primary asks is so while it only looks, and whoever else asks. */
START_TEST(test_stop)
{
    struct slot *slot = &fake->node.slots[SLOT];
    fill(COPY_PRIMARY);
    copy->stage = COPY_SERVING;
    copy->acting = copy->stays = true;
    copy->leader = fake_peer(fake, 2);
    take_slot(QUERY, EPOCH, SLOT);
    ck_assert_int_eq(bulk(STANDING_SIZE)[0], COMPLETE | ACTING);
    take_slot(STOP, EPOCH, SLOT);
    ck_assert_int_eq(bulk(STANDING_SIZE)[0], COMPLETE | ACTING);
    ck_assert(slot_serves(slot));
    copy->leader = fake_peer(fake, 1);
    take_slot(STOP, EPOCH + 1, SLOT); /* of another view */
    ck_assert(slot_serves(slot));
    ck_assert_uint_eq(slot->left_epoch, 0);
    take_slot(STOP, EPOCH, SLOT);
    expect_standing(bulk(STANDING_SIZE), true, 3, 77);
    ck_assert(!slot_serves(slot));
    ck_assert_int_eq(copy->role, COPY_FOLLOWER);
    ck_assert_uint_eq(slot->left_epoch, EPOCH); /* who sent clients away knows to whom */
}
END_TEST

/* Each of these alone has the taker ask again, and nothing is sent. */
START_TEST(test_send_later)
{
    struct replica_stream *stream = fake_stream(fake, 1);
    struct op op;
    fill(COPY_FOLLOWER);
    copy->complete = false;
    ck_assert_int_eq(send_status(), LATER);
    copy->complete = true;

    copy->role = COPY_PRIMARY; /* by our view it is ours */
    ck_assert_int_eq(send_status(), LATER);
    copy->role = COPY_FOLLOWER;

    atomic_store(&stream->closing, true);
    ck_assert_int_eq(send_status(), LATER);
    atomic_store(&stream->closing, false);

    atomic_store(&stream->backlog_size, UINT64_C(1) << 30);
    ck_assert_int_eq(send_status(), LATER);
    atomic_store(&stream->backlog_size, 0);

    ck_assert(!fake_next_op(stream, &op));
    ck_assert_int_eq(send_status(), DONE);
}
END_TEST

/* One slot can be sent and the other cannot. */
START_TEST(test_send_several)
{
    fill(COPY_FOLLOWER);
    begin_request(SEND, EPOCH);
    write_u16(&request, SLOT + 1);
    write_u16(&request, SLOT);
    take();
    const char *answer = bulk(2);
    ck_assert_int_eq(answer[0], LATER);
    ck_assert_int_eq(answer[1], DONE);
}
END_TEST

/* ---- asking ---- */

static struct take *begin_taking(uint64_t epoch, enum node_status others)
{
    struct fake_view view = {.epoch = epoch, .copies = 3, .status = {NODE_UP, others, others}};
    ck_assert(fake_node_install(fake, &view));
    fake->control.take = take_create(&fake->control);
    ck_assert_ptr_nonnull(fake->control.take);
    struct copy_view installed = {.view = fake->node.view,
                                  .self = view_find(fake->node.view, &fake->node.id),
                                  .peers = fake->control.peers_of_view};
    take_restart(fake->control.take, &installed);
    atomic_store(&fake->worker.view_came, false);
    (void)fake_marked(fake);
    return fake->control.take;
}

static size_t count_stage(enum copy_stage stage)
{
    size_t count = 0;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct copy *at = &fake->node.slots[i].copy;
        count += at->role == COPY_PRIMARY && at->stage == stage;
    }
    return count;
}

/* Nobody is up who could hold anything: every slot is taken at once, and the workers are told. */
START_TEST(test_take_alone)
{
    struct take *taking = begin_taking(EPOCH + 1, NODE_DOWN);
    size_t asking = count_stage(COPY_ASKING);
    ck_assert_uint_gt(asking, 0);
    take_tick(taking, 1000);
    ck_assert_uint_eq(count_stage(COPY_ASKING), 0);
    ck_assert_uint_ge(count_stage(COPY_JOINING), asking);
    ck_assert_uint_eq(fake_marked(fake), asking);
    ck_assert(atomic_load(&fake->worker.view_came));
    ck_assert(!take_waits_for(taking, fake_peer(fake, 1)));
    atomic_store(&fake->worker.view_came, false); /* told once */
    take_tick(taking, 1010);
    ck_assert(!atomic_load(&fake->worker.view_came));
    fake_node_step(fake);
    ck_assert_uint_eq(count_stage(COPY_SERVING), SLOT_COUNT);
    take_destroy(taking);
}
END_TEST

/* Those that are up are waited for, for as long as the view counts on them. */
START_TEST(test_take_waits)
{
    struct take *taking = begin_taking(EPOCH + 1, NODE_UP);
    size_t asking = count_stage(COPY_ASKING);
    fake->control.loop = ev_loop_new(EVFLAG_AUTO);
    for (uint64_t now_ms = 1000; now_ms < 60000; now_ms += 1000) {
        take_tick(taking, now_ms); /* their addresses are not known: no connection comes about */
        ck_assert(take_waits_for(taking, fake_peer(fake, 1)));
        ck_assert(take_waits_for(taking, fake_peer(fake, 2)));
    }
    ck_assert_uint_eq(count_stage(COPY_ASKING), asking);
    ck_assert_uint_eq(fake_marked(fake), 0);

    struct fake_view view = {
        .epoch = EPOCH + 2, .copies = 3, .status = {NODE_UP, NODE_DOWN, NODE_DOWN}};
    ck_assert(fake_node_install(fake, &view));
    struct copy_view installed = {.view = fake->node.view, .peers = fake->control.peers_of_view};
    take_restart(taking, &installed);
    take_tick(taking, 60000);
    ck_assert(!take_waits_for(taking, fake_peer(fake, 1)));
    ck_assert_uint_eq(count_stage(COPY_ASKING), 0);
    for (size_t i = 0; i < NODES_MAX; i++) {
        if (fake->control.links[i] != NULL) {
            link_deinit(fake->control.links[i]);
            free(fake->control.links[i]);
        }
    }
    take_destroy(taking);
    ev_loop_destroy(fake->control.loop);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("take");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_query);
    tcase_add_test(tests, test_another_view);
    tcase_add_test(tests, test_junk);
    tcase_add_test(tests, test_send);
    tcase_add_test(tests, test_stop);
    tcase_add_test(tests, test_send_later);
    tcase_add_test(tests, test_send_several);
    tcase_add_test(tests, test_take_alone);
    tcase_add_test(tests, test_take_waits);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
