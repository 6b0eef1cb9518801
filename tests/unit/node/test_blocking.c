/* Commands that wait, as another node asks for them: of a node that is put together in memory, of
 * which no thread runs. */
#include "base/error.h"
#include "node/blocking.h"
#include "node/bus_server.h"
#include "node/clock.h"
#include "node/operation.h"
#include "node/streams.h"
#include "ring/slot.h"
#include "support/fake_node.h"

#include <check.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN 77
#define WORDS_MAX 8

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

static struct slot *slot(void)
{
    return &fake->node.slots[slot_of_key(bytes_of(key))];
}

static void teardown(void)
{
    if (worker->bus_connections != NULL) {
        bus_connection_close(bus);
    }
    blocking_collect(worker);
    operations_abandon(worker);
    ck_assert_ptr_null(slot()->waiters);
    ck_assert_uint_eq(atomic_load(&fake->node.waiting_commands), 0);
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

/* The peer sends a frame. */
static void give(const struct frame *frame)
{
    frame_encode(&bus->in, frame);
    bus->held = true; /* as if it had waited for a view: it is looked at */
    worker->bus_held++;
    bus_connections_tick(worker, clock_monotonic_ms());
    blocking_collect(worker);
}

/* A request of the peer, with the words up to NULL; "K" stands for the key. */
struct asked {
    uint64_t number;         /* of the request */
    uint64_t name;           /* 0 = none */
    struct wait_terms terms; /* limit 0 = none */
    const char *words[WORDS_MAX];
};

static void ask(const struct asked *asked)
{
    struct once once = {.origin = ORIGIN, .id = asked->name, .settled = 1};
    struct buf payload = {0};
    uint8_t flags = 0;
    size_t count = 0;
    if (asked->name != 0) {
        once_encode(&payload, &once);
        flags |= FRAME_FLAG_ONCE;
    }
    if (asked->terms.limit_ms != 0) {
        wait_terms_encode(&payload, &asked->terms);
        flags |= FRAME_FLAG_WAIT;
    }
    while (asked->words[count] != NULL) {
        count++;
    }
    buf_append_format(&payload, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        const char *word = strcmp(asked->words[i], "K") == 0 ? key : asked->words[i];
        buf_append_format(&payload, "$%zu\r\n%s\r\n", strlen(word), word);
    }
    struct frame frame = {FRAME_REQUEST, flags, slot_of_key(bytes_of(key)), asked->number,
                          buf_bytes(&payload)};
    give(&frame);
    buf_deinit(&payload);
}

static void wait_for_value(uint64_t number, uint64_t name, uint64_t waited_ms)
{
    const struct asked asked = {number, name, {FAKE_LONG_MS, waited_ms}, {"BLPOP", "K", "0"}};
    ask(&asked);
}

static void push(const char *value)
{
    const struct asked asked = {99, 0, {0, 0}, {"RPUSH", "K", value}};
    ask(&asked);
}

static void expect_nothing(void)
{
    ck_assert_uint_eq(buf_size(&bus->out), 0);
}

/* The next answer that the peer gets is to that request, and ends so. */
static void expect(uint64_t number, enum response_status status, const char *end)
{
    struct frame frame;
    size_t consumed = 0;
    ck_assert_int_eq(frame_decode(buf_bytes(&bus->out), &frame, &consumed), TORC_OK);
    ck_assert_uint_eq(frame.id, number);
    ck_assert_uint_eq(frame.flags, status);
    size_t size = strlen(end);
    ck_assert_msg(frame.payload.size >= size &&
                      memcmp(frame.payload.data + frame.payload.size - size, end, size) == 0,
                  "%.*s", (int)frame.payload.size, frame.payload.data);
    buf_consume(&bus->out, consumed);
}

static size_t waiting(void)
{
    return atomic_load(&fake->node.waiting_commands);
}

START_TEST(test_served_in_turn)
{
    lead(NODE_DOWN);
    wait_for_value(1, 1, 0);
    wait_for_value(2, 2, 0);
    wait_for_value(3, 3, 60000); /* it has waited elsewhere */
    expect_nothing();
    ck_assert_uint_eq(waiting(), 3);
    push("a");
    expect(99, RESPONSE_DONE, ":1\r\n");
    expect(3, RESPONSE_DONE, "a\r\n");
    expect_nothing();
    push("b");
    expect(99, RESPONSE_DONE, ":1\r\n");
    expect(1, RESPONSE_DONE, "b\r\n");
    push("c");
    expect(99, RESPONSE_DONE, ":1\r\n");
    expect(2, RESPONSE_DONE, "c\r\n");
    push("d");
    expect(99, RESPONSE_DONE, ":1\r\n");
    expect_nothing();
    wait_for_value(4, 4, 0);
    expect(4, RESPONSE_DONE, "d\r\n");
}
END_TEST

/* The members are told of a pop, under the name of who waited, and the reply waits for them. */
START_TEST(test_members_are_told_of_a_pop)
{
    struct op op;
    lead(NODE_UP);
    wait_for_value(1, 5, 0);
    ck_assert(!fake_next_op(fake_stream(fake, 1), &op));
    push("a");
    ck_assert(fake_next_op(fake_stream(fake, 1), &op));
    ck_assert_ptr_nonnull(memmem(op.payload.data, op.payload.size, "RPUSH", 5));
    ck_assert(fake_next_op(fake_stream(fake, 1), &op));
    struct once once;
    struct bytes payload = op.payload;
    ck_assert_uint_eq(op.flags, OP_FLAG_ONCE);
    ck_assert_int_eq(once_decode(&payload, &once), TORC_OK);
    ck_assert_uint_eq(once.id, 5);
    ck_assert_ptr_nonnull(memmem(payload.data, payload.size, "LPOP", 4));
    ck_assert_ptr_null(memmem(payload.data, payload.size, "BLPOP", 5));
    ck_assert(!fake_next_op(fake_stream(fake, 1), &op));
    expect_nothing();
    for (size_t i = 1; i < FAKE_NODES; i++) {
        fake_acknowledge(fake_stream(fake, i));
    }
    operations_check_acks(worker);
    struct frame frame;
    size_t consumed = 0;
    unsigned answered = 0; /* in either order */
    while (frame_decode(buf_bytes(&bus->out), &frame, &consumed) == TORC_OK) {
        ck_assert_uint_eq(frame.flags, RESPONSE_DONE);
        answered += frame.id == 1 ? 1 : frame.id == 99 ? 10 : 100;
        buf_consume(&bus->out, consumed);
    }
    ck_assert_uint_eq(answered, 11);
}
END_TEST

/* Asked for again, by a new connection or after the answer was lost. */
START_TEST(test_asked_again_is_served_once)
{
    lead(NODE_DOWN);
    wait_for_value(1, 1, 0);
    wait_for_value(2, 1, 10);
    ck_assert_uint_eq(waiting(), 1);
    push("a");
    expect(99, RESPONSE_DONE, ":1\r\n");
    expect(2, RESPONSE_DONE, "a\r\n");
    push("b");
    expect(99, RESPONSE_DONE, ":1\r\n");
    wait_for_value(3, 1, 20);
    expect(3, RESPONSE_DONE, "a\r\n");
    expect_nothing();
    wait_for_value(4, 2, 0);
    expect(4, RESPONSE_DONE, "b\r\n");
}
END_TEST

START_TEST(test_taken_back)
{
    struct frame cancel = {.kind = FRAME_CANCEL, .slot = FRAME_NO_SLOT, .id = 1};
    lead(NODE_DOWN);
    give(&cancel); /* of what is not known: answered already */
    expect_nothing();
    wait_for_value(1, 1, 0);
    wait_for_value(2, 2, 0);
    give(&cancel);
    expect(1, RESPONSE_NOTHING, "");
    ck_assert_uint_eq(waiting(), 1);
    push("a");
    expect(99, RESPONSE_DONE, ":1\r\n");
    expect(2, RESPONSE_DONE, "a\r\n");
    expect_nothing();
}
END_TEST

START_TEST(test_peer_that_is_gone_takes_nothing)
{
    lead(NODE_DOWN);
    wait_for_value(1, 1, 0);
    wait_for_value(2, 2, 0);
    bus_connection_close(bus);
    ck_assert_uint_eq(waiting(), 0);
    ck_assert_ptr_null(slot()->waiters);
    ev_loop_destroy(worker->loop);
    bus = fake_bus_open(fake);
    push("a");
    wait_for_value(3, 3, 0);
    expect(99, RESPONSE_DONE, ":1\r\n");
    expect(3, RESPONSE_DONE, "a\r\n");
}
END_TEST

START_TEST(test_time_is_over)
{
    const struct asked asked = {1, 1, {1, 0}, {"BLPOP", "K", "0"}};
    lead(NODE_DOWN);
    ask(&asked);
    uint64_t deadline_ms = clock_monotonic_ms() + FAKE_LONG_MS;
    while (buf_size(&bus->out) == 0) {
        ck_assert_uint_lt(clock_monotonic_ms(), deadline_ms);
        ev_run(worker->loop, EVRUN_ONCE);
    }
    expect(1, RESPONSE_NOTHING, "");
    ck_assert_uint_eq(waiting(), 0);
}
END_TEST

/* What it waits for may not come here any more. */
START_TEST(test_slot_that_is_lost)
{
    struct fake_view down = {.epoch = 6, .copies = 3, .status = {NODE_DOWN, NODE_UP, NODE_UP}};
    lead(NODE_UP);
    wait_for_value(1, 1, 0);
    wait_for_value(2, 2, 0);
    ck_assert(fake_node_install(fake, &down));
    ck_assert_uint_eq(waiting(), 0);
    worker_follow_view(worker);
    blocking_collect(worker);
    operations_tick(worker, clock_monotonic_ms());
    expect(2, RESPONSE_NOT_OWNER, "");
    expect(1, RESPONSE_NOT_OWNER, "");
    expect_nothing();
}
END_TEST

/* One that serves another that serves a third; and values of another type serve nobody. */
START_TEST(test_one_serves_another)
{
    char other[32], third[32];
    lead(NODE_DOWN);
    snprintf(other, sizeof(other), "{%s}other", key);
    snprintf(third, sizeof(third), "{%s}third", key);
    const struct asked last = {3, 3, {FAKE_LONG_MS, 0}, {"BRPOP", third, "0"}};
    const struct asked second = {2, 2, {FAKE_LONG_MS, 0}, {"BRPOPLPUSH", other, third, "0"}};
    const struct asked first = {
        1, 1, {FAKE_LONG_MS, 0}, {"BLMOVE", "K", other, "LEFT", "LEFT", "0"}};
    const struct asked sorted = {4, 4, {FAKE_LONG_MS, 0}, {"BZPOPMIN", "K", "0"}};
    ask(&last);
    ask(&second);
    ask(&sorted);
    ask(&first);
    push("a");
    expect(99, RESPONSE_DONE, ":1\r\n");
    expect(1, RESPONSE_DONE, "a\r\n");
    expect(2, RESPONSE_DONE, "a\r\n");
    expect(3, RESPONSE_DONE, "a\r\n");
    expect_nothing();
    push("b");
    expect(99, RESPONSE_DONE, ":1\r\n");
    expect_nothing();
    ck_assert_uint_eq(waiting(), 1);
}
END_TEST

START_TEST(test_terms_that_are_refused)
{
    static const struct asked unlawful[] = {
        {1, 1, {0, 0}, {"BLPOP", "K", "0"}},    /* none, and it may wait */
        {1, 1, {1000, 0}, {"LPOP", "K", NULL}}, /* of one that does not wait */
    };
    for (size_t i = 0; i < sizeof(unlawful) / sizeof(unlawful[0]); i++) {
        lead(NODE_DOWN);
        ask(&unlawful[i]);
        ck_assert_ptr_null(worker->bus_connections); /* closed */
        teardown();
        setup();
    }
    lead(NODE_DOWN);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("blocking");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_served_in_turn);
    tcase_add_test(tests, test_members_are_told_of_a_pop);
    tcase_add_test(tests, test_asked_again_is_served_once);
    tcase_add_test(tests, test_taken_back);
    tcase_add_test(tests, test_peer_that_is_gone_takes_nothing);
    tcase_add_test(tests, test_time_is_over);
    tcase_add_test(tests, test_slot_that_is_lost);
    tcase_add_test(tests, test_one_serves_another);
    tcase_add_test(tests, test_terms_that_are_refused);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
