/* A write with a name that another node asks for is made once, and answered the same each time:
 * asked of a node that is put together in memory, of which no thread runs. */
#include "base/error.h"
#include "node/bus_server.h"
#include "node/clock.h"
#include "node/link.h"
#include "node/operation.h"
#include "node/request_text.h"
#include "node/streams.h"
#include "ring/slot.h"
#include "support/fake_node.h"

#include <check.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN 77

static struct fake_node *fake;
static struct worker *worker;
static struct bus_connection *bus;
static char key[16]; /* in a slot that this node leads */

static void setup(void)
{
    fake = fake_node_create();
    worker = &fake->worker;
    fake_give_lease(fake);
    bus = fake_bus_open(fake);
}

static void teardown(void)
{
    for (size_t i = 0; i < FAKE_NODES; i++) {
        if (worker->links[i] != NULL) {
            link_deinit(worker->links[i]);
            free(worker->links[i]);
            worker->links[i] = NULL;
        }
    }
    operations_abandon(worker);
    if (worker->bus_connections != NULL) {
        bus_connection_close(bus);
    }
    ev_loop_destroy(worker->loop);
    worker->loop = NULL;
    fake_node_destroy(fake);
}

/* It leads every slot, alone; or all three nodes have a copy of each. */
static void lead(enum node_status others)
{
    struct fake_view view = {.epoch = 5, .copies = 3, .status = {NODE_UP, others, others}};
    ck_assert(fake_node_install(fake, &view));
    fake_node_settle(fake);
    unsigned number = 0;
    do {
        snprintf(key, sizeof(key), "key%u", number++);
    } while (!slot_serves(&fake->node.slots[slot_of_key(bytes_of(key))]));
}

static struct slot *slot(void)
{
    return &fake->node.slots[slot_of_key(bytes_of(key))];
}

static const char *value(void)
{
    return fake_get(slot_keys(slot()), key);
}

/* The peer asks: `verb` with the key and perhaps a value. id 0: without a name. */
static void ask_flagged(uint8_t flags, uint64_t id, uint64_t settled, const char *verb,
                        const char *argument)
{
    struct once once = {.origin = ORIGIN, .id = id, .settled = settled};
    struct buf payload = {0};
    if (id != 0) {
        once_encode(&payload, &once);
    }
    buf_append_format(&payload, "*%d\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n", argument == NULL ? 2 : 3,
                      strlen(verb), verb, strlen(key), key);
    if (argument != NULL) {
        buf_append_format(&payload, "$%zu\r\n%s\r\n", strlen(argument), argument);
    }
    flags |= id != 0 ? FRAME_FLAG_ONCE : 0;
    struct frame frame = {FRAME_REQUEST, flags, slot_of_key(bytes_of(key)), 1, buf_bytes(&payload)};
    frame_encode(&bus->in, &frame);
    buf_deinit(&payload);
    bus->held = true; /* as if it had waited for a view: it is looked at */
    worker->bus_held++;
    bus_connections_tick(worker, clock_monotonic_ms());
}

static void ask(uint64_t id, uint64_t settled, const char *verb, const char *argument)
{
    ask_flagged(0, id, settled, verb, argument);
}

static void expect_nothing(void)
{
    ck_assert_uint_eq(buf_size(&bus->out), 0);
}

/* The peer was answered with what begins so, and nothing else. */
static void expect(enum response_status status, const char *reply)
{
    struct frame frame;
    size_t consumed = 0;
    ck_assert_int_eq(frame_decode(buf_bytes(&bus->out), &frame, &consumed), TORC_OK);
    ck_assert_uint_eq(frame.flags, status);
    ck_assert_msg(frame.payload.size >= strlen(reply) &&
                      memcmp(frame.payload.data, reply, strlen(reply)) == 0,
                  "%.*s", (int)frame.payload.size, frame.payload.data);
    buf_consume(&bus->out, consumed);
    expect_nothing();
}

static void acknowledge_all(void)
{
    for (size_t i = 1; i < FAKE_NODES; i++) {
        fake_acknowledge(fake_stream(fake, i));
    }
    operations_check_acks(worker);
}

START_TEST(test_asked_twice_is_made_once)
{
    lead(NODE_DOWN);
    ask(1, 1, "INCR", NULL);
    expect(RESPONSE_DONE, ":1\r\n");
    uint64_t sequence = slot()->copy.sequence;
    ask(1, 1, "INCR", NULL);
    expect(RESPONSE_DONE, ":1\r\n");
    ck_assert_str_eq(value(), "1");
    ck_assert_uint_eq(slot()->copy.sequence, sequence);
    ask(2, 1, "INCR", NULL);
    expect(RESPONSE_DONE, ":2\r\n");
    ask(1, 1, "INCR", NULL);
    expect(RESPONSE_DONE, ":1\r\n"); /* as it was then */
    ask(0, 0, "INCR", NULL);
    ask(0, 0, "INCR", NULL);
    ck_assert_str_eq(value(), "4"); /* those without a name are made each time */
}
END_TEST

START_TEST(test_one_effect_goes_to_the_members)
{
    struct op op;
    lead(NODE_UP);
    ask(1, 1, "INCR", NULL);
    expect_nothing();
    for (size_t i = 1; i < FAKE_NODES; i++) {
        struct replica_stream *stream = fake_stream(fake, i);
        ck_assert(fake_next_op(stream, &op));
        ck_assert_uint_eq(op.kind, OP_EFFECT);
        ck_assert_uint_eq(op.flags, OP_FLAG_ONCE);
        struct once once;
        struct bytes payload = op.payload;
        ck_assert_int_eq(once_decode(&payload, &once), TORC_OK);
        ck_assert_uint_eq(once.origin, ORIGIN);
        ck_assert_uint_eq(once.id, 1);
    }
    uint64_t appended = fake_stream(fake, 1)->stream.appended;
    ask(1, 1, "INCR", NULL);
    ck_assert_uint_eq(fake_stream(fake, 1)->stream.appended, appended);
    expect_nothing(); /* it waits for the members like the first one */
    acknowledge_all();
    struct frame frame;
    size_t consumed = 0;
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(frame_decode(buf_bytes(&bus->out), &frame, &consumed), TORC_OK);
        ck_assert_uint_eq(frame.flags, RESPONSE_DONE);
        ck_assert(bytes_equal(frame.payload, BYTES_LITERAL(":1\r\n")));
        buf_consume(&bus->out, consumed);
    }
    expect_nothing();
    ask(1, 1, "INCR", NULL);
    expect(RESPONSE_DONE, ":1\r\n");
    ck_assert_str_eq(value(), "1");
}
END_TEST

/* A write that changed nothing is not kept: made later, it comes to what is right then. */
START_TEST(test_what_changed_nothing_is_not_kept)
{
    lead(NODE_DOWN);
    ask(1, 1, "SET", "text");
    expect(RESPONSE_DONE, "+OK\r\n");
    ask(2, 1, "INCR", NULL);
    expect(RESPONSE_DONE, "-ERR value is not an integer");
    ask(3, 1, "DEL", NULL);
    expect(RESPONSE_DONE, ":1\r\n");
    ask(2, 1, "INCR", NULL);
    expect(RESPONSE_DONE, ":1\r\n");
    ask(3, 1, "DEL", NULL);
    expect(RESPONSE_DONE, ":1\r\n");
    ck_assert_str_eq(value(), "1");
}
END_TEST

START_TEST(test_reply_too_long_to_keep)
{
    char *text = calloc(1, OUTCOME_REPLY_SIZE_MAX + 1);
    memset(text, 'x', OUTCOME_REPLY_SIZE_MAX);
    lead(NODE_DOWN);
    ask(1, 1, "SET", text);
    expect(RESPONSE_DONE, "+OK\r\n");
    ask(2, 1, "GETDEL", NULL);
    expect(RESPONSE_DONE, "$1024\r\nxxx");
    ask(3, 1, "SET", "kept");
    expect(RESPONSE_DONE, "+OK\r\n");
    ask(2, 1, "GETDEL", NULL);
    expect(RESPONSE_DONE, "-UNCERTAIN the write was made");
    ck_assert_str_eq(value(), "kept");
    free(text);
}
END_TEST

/* The same request, from a connection that had been given up long ago. */
START_TEST(test_settled_is_not_made_again)
{
    lead(NODE_DOWN);
    ask(1, 1, "INCR", NULL);
    expect(RESPONSE_DONE, ":1\r\n");
    ask(2, 2, "INCR", NULL);
    expect(RESPONSE_DONE, ":2\r\n");
    ask(1, 1, "INCR", NULL);
    expect(RESPONSE_DONE, "-UNCERTAIN ");
    ck_assert_str_eq(value(), "2");
}
END_TEST

/* The answer is unknown to this node; asked again it says what it was. */
START_TEST(test_uncertain_and_asked_again)
{
    lead(NODE_UP);
    ask(1, 1, "INCR", NULL);
    expect_nothing();
    operations_tick(worker, clock_monotonic_ms() + FAKE_LONG_MS); /* the members do not answer */
    expect(RESPONSE_UNCERTAIN, "-UNCERTAIN ");
    ask(1, 1, "INCR", NULL);
    expect_nothing();
    acknowledge_all();
    expect(RESPONSE_DONE, ":1\r\n");

    ask(2, 1, "INCR", NULL);
    atomic_fetch_add(&fake->node.term, 1); /* this node may have been deposed */
    operations_check_acks(worker);
    expect(RESPONSE_UNCERTAIN, "-UNCERTAIN ");
    worker_begin(worker);
    acknowledge_all();
    ask(2, 1, "INCR", NULL);
    expect(RESPONSE_DONE, ":2\r\n");
    ck_assert_str_eq(value(), "2");
}
END_TEST

START_TEST(test_held_and_made_later)
{
    lead(NODE_DOWN);
    slot()->copy.stage = COPY_JOINING; /* being taken over */
    ask(1, 1, "INCR", NULL);
    ask(1, 1, "INCR", NULL); /* a broken connection later */
    expect_nothing();
    slot()->copy.stage = COPY_SERVING;
    worker_begin(worker);
    operations_tick(worker, clock_monotonic_ms());
    ck_assert_str_eq(value(), "1");
    struct frame frame;
    size_t consumed = 0;
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(frame_decode(buf_bytes(&bus->out), &frame, &consumed), TORC_OK);
        ck_assert(bytes_equal(frame.payload, BYTES_LITERAL(":1\r\n")));
        buf_consume(&bus->out, consumed);
    }
    expect_nothing();
}
END_TEST

START_TEST(test_not_the_owner)
{
    struct fake_view down = {.epoch = 6, .copies = 3, .status = {NODE_DOWN, NODE_UP, NODE_UP}};
    lead(NODE_UP);
    ck_assert(fake_node_install(fake, &down));
    ask(1, 1, "INCR", NULL);
    expect(RESPONSE_NOT_OWNER, "");
    ck_assert_str_eq(value(), "");
}
END_TEST

/* It leads the slot again before those have arrived that were sent behind a refused one. */
START_TEST(test_nothing_overtakes_what_was_refused)
{
    struct fake_view down = {.epoch = 6, .copies = 3, .status = {NODE_DOWN, NODE_UP, NODE_UP}};
    struct fake_view alone = {.epoch = 8, .copies = 3, .status = {NODE_UP, NODE_DOWN, NODE_DOWN}};
    lead(NODE_UP);
    ck_assert(fake_node_install(fake, &down));
    ask_flagged(FRAME_FLAG_FIRST, 1, 1, "INCR", NULL);
    expect(RESPONSE_NOT_OWNER, "");
    ck_assert(fake_node_install(fake, &alone));
    fake_node_settle(fake);
    worker_begin(worker);
    ask(2, 1, "INCR", NULL);
    expect(RESPONSE_NOT_OWNER, "");
    ask_flagged(FRAME_FLAG_FIRST, 1, 1, "INCR", NULL);
    expect(RESPONSE_DONE, ":1\r\n");
    ask(2, 1, "INCR", NULL);
    expect(RESPONSE_DONE, ":2\r\n");
}
END_TEST

START_TEST(test_names_that_are_refused)
{
    static const struct bytes payloads[] = {
        BYTES_LITERAL("*2\r\n$4\r\nINCR\r\n"), /* cut short */
        BYTES_LITERAL(
            "0123456\0\0\0\0\0\0\0\0\00001234567*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"), /* id 0 */
    };
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        lead(NODE_DOWN);
        struct frame frame = {FRAME_REQUEST, FRAME_FLAG_ONCE, slot_of_key(BYTES_LITERAL("a")), 1,
                              payloads[i]};
        frame_encode(&bus->in, &frame);
        bus->held = true;
        worker->bus_held++;
        bus_connections_tick(worker, clock_monotonic_ms());
        ck_assert_ptr_null(worker->bus_connections); /* closed */
        teardown();
        setup();
    }
}
END_TEST

/* ---- the asking side ---- */

/* A write of a client that is gone meanwhile. */
static struct operation *begin_write(void)
{
    struct operation *operation = operation_create(worker, ASKER_CLIENT);
    ck_assert_ptr_nonnull(operation);
    operation->command = command_find(fake->node.commands, BYTES_LITERAL("incr"));
    operation->slot = slot_of_key(bytes_of(key));
    struct bytes argv[] = {BYTES_LITERAL("INCR"), bytes_of(key)};
    request_append(&operation->request, 2, argv);
    operation_start(operation);
    return operation;
}

/* To whom the slot's writes are sent; nothing leaves it. */
static struct link *open_link(size_t node)
{
    struct link *link = worker_link(worker, fake_peer(fake, node));
    ck_assert_ptr_nonnull(link);
    link->state = LINK_CONNECTING;
    link->opened_ms = clock_monotonic_ms();
    return link;
}

static bool is_this(void *context, const struct link_request *request)
{
    return request == context;
}

/* The leader has answered the later one first, that it cannot vouch for it. */
START_TEST(test_sent_again_in_order)
{
    struct fake_view down = {.epoch = 6, .copies = 3, .status = {NODE_SYNCING, NODE_UP, NODE_DOWN}};
    lead(NODE_UP);
    ck_assert(fake_node_install(fake, &down));
    worker_follow_view(worker);
    struct link *link = open_link(1);
    struct operation *operations[] = {begin_write(), begin_write(), begin_write()};
    ck_assert_ptr_eq(link->first, &operations[0]->link_request);
    ck_assert_ptr_eq(link->last, &operations[2]->link_request);

    link_give_up(link, is_this, &operations[2]->link_request);
    link_give_up(link, is_this, &operations[1]->link_request);
    operations_tick(worker, clock_monotonic_ms());
    struct operation *late = begin_write();
    ck_assert_ptr_eq(link->last, &operations[0]->link_request); /* the others wait for it */

    link_give_up(link, is_this, &operations[0]->link_request);
    buf_reset(&link->out, 0);
    operations_tick(worker, clock_monotonic_ms());
    for (size_t i = 0; i < 4; i++) {
        struct frame frame;
        size_t consumed = 0;
        ck_assert_int_eq(frame_decode(buf_bytes(&link->out), &frame, &consumed), TORC_OK);
        ck_assert_uint_eq(frame.flags, FRAME_FLAG_ONCE | (i == 0 ? FRAME_FLAG_FIRST : 0));
        buf_consume(&link->out, consumed);
    }
    const struct link_request *sent = link->first;
    for (size_t i = 0; i < 3; i++, sent = sent->next) {
        ck_assert_ptr_eq(sent, &operations[i]->link_request);
        ck_assert_uint_eq(operations[i]->once.id, i + 1); /* the same name */
    }
    ck_assert_ptr_eq(sent, &late->link_request);
    ck_assert_ptr_null(sent->next);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("once");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_asked_twice_is_made_once);
    tcase_add_test(tests, test_one_effect_goes_to_the_members);
    tcase_add_test(tests, test_what_changed_nothing_is_not_kept);
    tcase_add_test(tests, test_reply_too_long_to_keep);
    tcase_add_test(tests, test_settled_is_not_made_again);
    tcase_add_test(tests, test_uncertain_and_asked_again);
    tcase_add_test(tests, test_held_and_made_later);
    tcase_add_test(tests, test_not_the_owner);
    tcase_add_test(tests, test_nothing_overtakes_what_was_refused);
    tcase_add_test(tests, test_names_that_are_refused);
    tcase_add_test(tests, test_sent_again_in_order);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
