/* What was executed leaves this node only while it holds its lease, and only under the term in
 * which it was executed: asked of a node that is put together in memory, of which no thread runs.
 */
#include "base/error.h"
#include "node/bus_server.h"
#include "node/clock.h"
#include "node/connection.h"
#include "node/dispatch.h"
#include "node/operation.h"
#include "ring/slot.h"
#include "support/fake_node.h"

#include <check.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNCERTAIN "-UNCERTAIN the replicas did not acknowledge in time, or this node lost its lease"

static struct fake_node *fake;
static struct worker *worker;
static struct connection *client;
static struct buf text;

static void end_lease(void)
{
    atomic_store(&fake->node.lease_until_ms, clock_lease_ms());
}

/* This node may have been deposed, and leads again. */
static void change_term(void)
{
    atomic_fetch_add(&fake->node.term, 1);
}

static void setup(void)
{
    fake = fake_node_create();
    worker = &fake->worker;
    client = calloc(1, sizeof(*client));
    ck_assert_ptr_nonnull(client);
    client->worker = worker;
    client->session.access = ACCESS_ANY;
    client->session.protocol = 2;
    client->reading = true;
    request_parser_init(&client->parser);
    fake_give_lease(fake);
}

static void teardown(void)
{
    operations_abandon(worker);
    connection_advance(client);
    ck_assert_ptr_null(client->first);
    request_parser_deinit(&client->parser);
    buf_deinit(&client->out);
    free(client);
    buf_deinit(&text);
    fake_node_destroy(fake);
}

/* It leads every slot, alone; or all three nodes have a copy of each. */
static void lead(enum node_status others)
{
    struct fake_view view = {.epoch = 5, .copies = 3, .status = {NODE_UP, others, others}};
    ck_assert(fake_node_install(fake, &view));
    fake_node_settle(fake);
}

/* What has come in since the worker was woken: executed, its replies not sealed yet. */
static void dispatch_line(const char *line)
{
    char copy[256];
    struct prepared prepared = {0};
    snprintf(copy, sizeof(copy), "%s\r\n", line);
    worker->arguments.count = 0;
    ck_assert_int_eq(
        request_parse(&client->parser, copy, strlen(copy), &worker->arguments, &prepared.request),
        REQUEST_COMPLETE);
    dispatch_prepare(worker, &prepared);
    dispatch(client, &prepared);
}

static void run(const char *line)
{
    worker_begin(worker);
    dispatch_line(line);
    connection_seal(client);
}

/* What the client has been answered so far, and not been asked for yet. */
static const char *answers(void)
{
    buf_reset(&text, SIZE_MAX);
    buf_append(&text, buf_head(&client->out), buf_size(&client->out));
    buf_append(&text, "", 1);
    buf_reset(&client->out, SIZE_MAX);
    return buf_head(&text);
}

static void expect_uncertain(size_t count)
{
    const char *at = answers();
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(strncmp(at, UNCERTAIN, strlen(UNCERTAIN)) == 0, "%s", at);
        at = strchr(at, '\n') + 1;
    }
    ck_assert_str_eq(at, "");
}

static const char *value(const char *key)
{
    return fake_get(slot_keys(&fake->node.slots[slot_of_key(bytes_of(key))]), key);
}

static void expect_waiting(size_t count)
{
    ck_assert_str_eq(answers(), "");
    ck_assert_uint_eq(atomic_load(&worker->waiting_count), count);
}

START_TEST(test_with_a_lease)
{
    lead(NODE_DOWN);
    run("SET a 1");
    ck_assert_str_eq(answers(), "+OK\r\n");
    run("GET a");
    ck_assert_str_eq(answers(), "$1\r\n1\r\n");
    expect_waiting(0);
}
END_TEST

/* The process was stopped between executing and answering: it comes out when the lease is back, for
 * nobody led meanwhile. */
START_TEST(test_lease_ends_before_the_answer)
{
    static const char *const lines[] = {"SET a 1", "GET a"};
    static const char *const replies[] = {"+OK\r\n", "$1\r\n1\r\n"};
    lead(NODE_DOWN);
    for (size_t i = 0; i < 2; i++) {
        worker_begin(worker);
        dispatch_line(lines[i]);
        end_lease();
        connection_seal(client);
        expect_waiting(1);
        operations_check_acks(worker);
        operations_tick(worker, clock_monotonic_ms());
        expect_waiting(1);
        fake_give_lease(fake);
        operations_check_acks(worker);
        ck_assert_str_eq(answers(), replies[i]);
        expect_waiting(0);
    }
    ck_assert_str_eq(value("a"), "1");
}
END_TEST

START_TEST(test_lease_that_does_not_come_back)
{
    lead(NODE_DOWN);
    worker_begin(worker);
    dispatch_line("SET a 1");
    end_lease();
    connection_seal(client);
    operations_tick(worker, clock_monotonic_ms() + FAKE_LONG_MS);
    expect_uncertain(1);
    expect_waiting(0);
}
END_TEST

START_TEST(test_term_changes_before_the_answer)
{
    lead(NODE_DOWN);
    worker_begin(worker);
    dispatch_line("SET a 1");
    dispatch_line("GET a");
    change_term(); /* it never was without a lease, as far as it can tell */
    connection_seal(client);
    expect_uncertain(2); /* one for each reply */
    run("GET a");
    ck_assert_str_eq(answers(), "$1\r\n1\r\n");
}
END_TEST

START_TEST(test_term_changes_while_it_waits)
{
    lead(NODE_DOWN);
    worker_begin(worker);
    dispatch_line("GET a");
    end_lease();
    connection_seal(client);
    expect_waiting(1);
    change_term();
    operations_check_acks(worker);
    expect_uncertain(1);
}
END_TEST

/* Without a lease nothing is executed: it is held until there is one, or too late. */
START_TEST(test_without_a_lease)
{
    lead(NODE_DOWN);
    end_lease();
    run("SET a 1");
    run("GET a");
    ck_assert_str_eq(value("a"), "");
    expect_waiting(0);
    worker_begin(worker);
    operations_tick(worker, clock_monotonic_ms());
    ck_assert_str_eq(value("a"), "");
    fake_give_lease(fake);
    worker_begin(worker);
    operations_tick(worker, clock_monotonic_ms());
    ck_assert_str_eq(answers(), "+OK\r\n$1\r\n1\r\n");

    end_lease();
    run("SET a 2");
    worker_begin(worker);
    operations_tick(worker, clock_monotonic_ms() + FAKE_LONG_MS);
    ck_assert_int_eq(strncmp(answers(), "-CLUSTERDOWN ", 13), 0);
    ck_assert_str_eq(value("a"), "1");
}
END_TEST

/* One that was held is executed later than it was asked for: its guard is of then. */
START_TEST(test_held_over_a_change_of_term)
{
    lead(NODE_DOWN);
    struct slot *slot = &fake->node.slots[slot_of_key(bytes_of("a"))];
    slot->copy.stage = COPY_JOINING; /* being taken over */
    run("SET a 1");
    expect_waiting(0);
    change_term();
    slot->copy.stage = COPY_SERVING;
    worker_begin(worker);
    operations_tick(worker, clock_monotonic_ms());
    ck_assert_str_eq(answers(), "+OK\r\n");

    slot->copy.stage = COPY_JOINING;
    run("SET a 2");
    slot->copy.stage = COPY_SERVING;
    worker_begin(worker);
    change_term(); /* between looking at the term and answering */
    operations_tick(worker, clock_monotonic_ms());
    expect_uncertain(1);
}
END_TEST

START_TEST(test_what_needs_no_lease)
{
    lead(NODE_DOWN);
    end_lease();
    run("PING");
    run("ECHO hi");
    ck_assert_str_eq(answers(), "+PONG\r\n$2\r\nhi\r\n");
    worker_begin(worker);
    dispatch_line("PING");
    change_term();
    connection_seal(client);
    ck_assert_str_eq(answers(), "+PONG\r\n");
}
END_TEST

/* A reply that waits holds up those behind it, and no more than that. */
START_TEST(test_order_of_replies)
{
    lead(NODE_DOWN);
    worker_begin(worker);
    dispatch_line("SET a 1");
    end_lease();
    connection_seal(client);
    run("PING");
    ck_assert_str_eq(answers(), "");
    change_term();
    fake_give_lease(fake);
    operations_check_acks(worker);
    const char *answered = answers();
    ck_assert_int_eq(strncmp(answered, UNCERTAIN, strlen(UNCERTAIN)), 0);
    ck_assert_str_eq(strchr(answered, '\n') + 1, "+PONG\r\n");
}
END_TEST

/* Of the slots that this node leads, which keys: two of different slots. */
static void keys_led_here(char first[16], char second[16])
{
    char *names[] = {first, second};
    unsigned number = 0;
    for (size_t i = 0; i < 2; i++) {
        do {
            snprintf(names[i], 16, "key%u", number++);
        } while (!slot_serves(&fake->node.slots[slot_of_key(bytes_of(names[i]))]));
    }
    ck_assert_uint_ne(slot_of_key(bytes_of(first)), slot_of_key(bytes_of(second)));
}

static void acknowledge_all(void)
{
    for (size_t i = 1; i < FAKE_NODES; i++) {
        fake_acknowledge(fake_stream(fake, i));
    }
    operations_check_acks(worker);
}

START_TEST(test_lease_ends_while_replicas_are_waited_for)
{
    char line[64];
    char first[16];
    char second[16];
    lead(NODE_UP);
    keys_led_here(first, second);
    snprintf(line, sizeof(line), "SET %s 1", first);
    run(line);
    expect_waiting(1);
    end_lease();
    acknowledge_all();
    expect_waiting(1);
    fake_give_lease(fake);
    operations_check_acks(worker);
    ck_assert_str_eq(answers(), "+OK\r\n");

    run(line);
    expect_waiting(1);
    change_term();
    acknowledge_all();
    expect_uncertain(1);
}
END_TEST

/* Streams that a view ends are waited for no more. That must not count as acknowledged when the
 * same view has put this node down. */
START_TEST(test_deposed_while_replicas_are_waited_for)
{
    static const struct {
        const char *verb, *value;
        bool split;
    } forms[] = {{"SET", "1", false},
                 {"GET", "", false},
                 {"MSET", "1", true},
                 {"MGET", "", true},
                 {"DEL", "", true}};
    char line[64];
    char first[16];
    char second[16];
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        lead(NODE_UP);
        keys_led_here(first, second);
        snprintf(line, sizeof(line), "MSET %s 0 %s 0", first, second);
        run(line); /* what readers see must be acknowledged first as well */
        snprintf(line, sizeof(line), "%s %s %s %s %s", forms[i].verb, first, forms[i].value,
                 forms[i].split ? second : "", forms[i].split ? forms[i].value : "");
        run(line);
        ck_assert_str_eq(answers(), "");
        struct fake_view down = {
            .epoch = 6, .copies = 3, .status = {NODE_DOWN, NODE_DOWN, NODE_UP}};
        ck_assert(fake_node_install(fake, &down));
        down.epoch = 7;
        down.status[2] = NODE_DOWN;
        ck_assert(fake_node_install(fake, &down));
        fake_give_lease(fake);
        operations_check_acks(worker);
        expect_uncertain(2);
        expect_waiting(0);
        teardown();
        setup();
    }
}
END_TEST

/* The keys of one command are in several slots: its reply is guarded like any other. */
START_TEST(test_lease_ends_during_a_split_command)
{
    char line[64];
    char first[16];
    char second[16];
    lead(NODE_UP);
    keys_led_here(first, second);
    snprintf(line, sizeof(line), "MSET %s 1 %s 2", first, second);
    run(line);
    expect_waiting(1);
    end_lease();
    acknowledge_all();
    expect_waiting(1);
    fake_give_lease(fake);
    operations_check_acks(worker);
    ck_assert_str_eq(answers(), "+OK\r\n");

    /* And what comes after it in the batch is guarded by what it does itself. */
    worker_begin(worker);
    dispatch_line(line);
    acknowledge_all();
    ck_assert_str_eq(answers(), "+OK\r\n");
    dispatch_line("PING");
    end_lease();
    connection_seal(client);
    ck_assert_str_eq(answers(), "+PONG\r\n");
}
END_TEST

/* Every node is asked for its part, this one without a lease at hand. */
START_TEST(test_node_wide)
{
    lead(NODE_DOWN);
    run("SET a 1");
    ck_assert_str_eq(answers(), "+OK\r\n");
    end_lease();
    run("DBSIZE");
    expect_waiting(1);
    fake_give_lease(fake);
    operations_check_acks(worker);
    ck_assert_str_eq(answers(), ":1\r\n");
    end_lease();
    run("DBSIZE");
    change_term();
    fake_give_lease(fake);
    operations_check_acks(worker);
    expect_uncertain(1);
    client->session.access = ACCESS_DIRECT; /* its own part alone */
    end_lease();
    run("DBSIZE");
    expect_waiting(1);
    fake_give_lease(fake);
    operations_check_acks(worker);
    ck_assert_str_eq(answers(), ":1\r\n");
}
END_TEST

/* ---- asked by another node ---- */

static void close_bus(struct bus_connection *bus)
{
    bus_connection_close(bus);
    ev_loop_destroy(worker->loop);
    worker->loop = NULL;
}

static void ask(struct bus_connection *bus, const char *key, struct bytes request)
{
    struct frame frame = {FRAME_REQUEST, 0, slot_of_key(bytes_of(key)), 1, request};
    frame_encode(&bus->in, &frame);
    bus->held = true; /* as if it had waited for a view: it is looked at */
    worker->bus_held++;
    bus_connections_tick(worker, clock_monotonic_ms());
}

/* True if the peer was answered, and so. */
static bool answered(struct bus_connection *bus, enum response_status status, const char *reply)
{
    struct frame frame;
    size_t consumed = 0;
    if (frame_decode(buf_bytes(&bus->out), &frame, &consumed) != TORC_OK) {
        return false;
    }
    ck_assert_uint_eq(frame.flags, status);
    ck_assert_uint_ge(frame.payload.size, strlen(reply));
    ck_assert_int_eq(memcmp(frame.payload.data, reply, strlen(reply)), 0);
    buf_consume(&bus->out, consumed);
    return true;
}

#define SET_K BYTES_LITERAL("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n1\r\n")

START_TEST(test_asked_by_a_peer)
{
    lead(NODE_DOWN);
    struct bus_connection *bus = fake_bus_open(fake);
    ask(bus, "k", SET_K);
    ck_assert(answered(bus, RESPONSE_DONE, "+OK\r\n"));

    end_lease(); /* not executed */
    ask(bus, "k", BYTES_LITERAL("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n2\r\n"));
    ck_assert(!answered(bus, RESPONSE_DONE, ""));
    ck_assert_str_eq(value("k"), "1");
    fake_give_lease(fake);
    worker_begin(worker);
    operations_tick(worker, clock_monotonic_ms());
    ck_assert(answered(bus, RESPONSE_DONE, "+OK\r\n"));
    ck_assert_str_eq(value("k"), "2");

    /* A part of a node-wide command is executed, and not answered. */
    end_lease();
    struct frame frame = {FRAME_REQUEST, 0, FRAME_NO_SLOT, 1,
                          BYTES_LITERAL("*1\r\n$6\r\nDBSIZE\r\n")};
    for (size_t i = 0; i < 2; i++) {
        frame_encode(&bus->in, &frame);
        bus->held = true;
        worker->bus_held++;
        end_lease();
        bus_connections_tick(worker, clock_monotonic_ms());
        ck_assert(!answered(bus, RESPONSE_DONE, ""));
        if (i == 1) {
            change_term();
        }
        fake_give_lease(fake);
        operations_check_acks(worker);
        ck_assert(i == 0 ? answered(bus, RESPONSE_DONE, ":1\r\n")
                         : answered(bus, RESPONSE_UNCERTAIN, UNCERTAIN));
    }
    close_bus(bus);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lease_guard");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_with_a_lease);
    tcase_add_test(tests, test_lease_ends_before_the_answer);
    tcase_add_test(tests, test_lease_that_does_not_come_back);
    tcase_add_test(tests, test_term_changes_before_the_answer);
    tcase_add_test(tests, test_term_changes_while_it_waits);
    tcase_add_test(tests, test_without_a_lease);
    tcase_add_test(tests, test_held_over_a_change_of_term);
    tcase_add_test(tests, test_what_needs_no_lease);
    tcase_add_test(tests, test_order_of_replies);
    tcase_add_test(tests, test_lease_ends_while_replicas_are_waited_for);
    tcase_add_test(tests, test_deposed_while_replicas_are_waited_for);
    tcase_add_test(tests, test_lease_ends_during_a_split_command);
    tcase_add_test(tests, test_node_wide);
    tcase_add_test(tests, test_asked_by_a_peer);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
