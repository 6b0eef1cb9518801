/* A link against a peer that the test plays itself, over a socket of this machine and a loop that
 * the test turns by hand. */
#include "base/error.h"
#include "node/clock.h"
#include "node/link.h"
#include "node/net.h"
#include "node/node.h"
#include "node/peers.h"

#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUESTS 200
#define LIMIT_MS 10000 /* for what takes no time at all */

struct fixture {
    struct node node;
    struct peer *peer;
    struct link link;
    struct ev_loop *loop;
    int listener;
    int connection; /* the peer's side */
    struct buf in;  /* what the peer has read */
};

struct request {
    struct link_request request;
    unsigned done; /* how often */
    int result;
    uint8_t status;
    char reply[32];
    struct link *again; /* sends itself once more when it ends */
};

static void on_done(struct link_request *link_request, int result, const struct frame *frame)
{
    struct request *request = (struct request *)link_request;
    request->done++;
    request->result = result;
    ck_assert_int_eq(frame != NULL, result == TORC_OK);
    if (frame != NULL) {
        request->status = frame->flags;
        snprintf(request->reply, sizeof(request->reply), "%.*s", (int)frame->payload.size,
                 frame->payload.data);
    }
    if (request->again != NULL) {
        struct link *link = request->again;
        request->again = NULL;
        request->result = link_send(link, link_request, FRAME_NO_SLOT, 0, (struct bytes){NULL, 0},
                                    BYTES_LITERAL("again"));
    }
}

static struct view *make_view(const struct node_id *self)
{
    struct view *view = view_create();
    struct view_node node = {.id = *self,
                             .host = "host",
                             .client_port = 1,
                             .direct_port = 2,
                             .http_port = 3,
                             .bus_port = 4,
                             .status = NODE_UP,
                             .weight_asked = WEIGHT_UNIT,
                             .weight_current = WEIGHT_UNIT,
                             .weight_target = WEIGHT_UNIT};
    view->epoch = 1;
    view->copies = 1;
    view->cluster_id.bytes[0] = 77;
    ck_assert_int_eq(view_put_node(view, &node), TORC_OK);
    ck_assert_int_eq(view_seal(view), TORC_OK);
    return view;
}

static struct fixture *setup(void)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct node *node = &fixture->node;
    struct node_id peer_id = {{2}};
    struct sockaddr_in bound = {0};
    socklen_t size = sizeof(bound);
    log_init(&node->log, -1, LOG_ERROR, "test");
    pthread_mutex_init(&node->view_lock, NULL);
    node->id.bytes[0] = 1;
    node->incarnation = 9;
    node->view = make_view(&node->id);
    node->peers = peers_create();
    fixture->peer = peers_get(node->peers, &peer_id);
    fixture->loop = ev_loop_new(EVFLAG_AUTO);
    fixture->connection = -1;
    ck_assert_int_eq(net_listen("127.0.0.1", 0, false, &fixture->listener), TORC_OK);
    ck_assert_int_eq(getsockname(fixture->listener, (struct sockaddr *)&bound, &size), 0);
    struct gossip_address address = {.port = 0};
    ck_assert_int_eq(net_resolve("127.0.0.1", ntohs(bound.sin_port), &address), TORC_OK);
    peer_set_address(fixture->peer, &address);
    link_init(&fixture->link, node, fixture->peer, fixture->loop);
    return fixture;
}

static void teardown(struct fixture *fixture)
{
    link_deinit(&fixture->link);
    if (fixture->connection >= 0) {
        close(fixture->connection);
    }
    close(fixture->listener);
    ev_loop_destroy(fixture->loop);
    buf_deinit(&fixture->in);
    view_release(fixture->node.view);
    peers_destroy(fixture->node.peers);
    pthread_mutex_destroy(&fixture->node.view_lock);
    free(fixture);
}

/* Turns the loop without waiting, until the condition holds. */
#define TURN_UNTIL(fixture, condition)                                                             \
    do {                                                                                           \
        uint64_t deadline_ms = clock_monotonic_ms() + LIMIT_MS;                                    \
        while (!(condition)) {                                                                     \
            ck_assert_uint_lt(clock_monotonic_ms(), deadline_ms);                                  \
            ev_run((fixture)->loop, EVRUN_NOWAIT);                                                 \
        }                                                                                          \
    } while (0)

static bool peer_accepts(struct fixture *fixture)
{
    fixture->connection = accept4(fixture->listener, NULL, NULL, SOCK_NONBLOCK);
    return fixture->connection >= 0;
}

/* The next frame that reached the peer; false: not yet. It is good until the next call. */
static bool peer_reads(struct fixture *fixture, struct frame *frame, size_t *used)
{
    buf_consume(&fixture->in, *used);
    *used = 0;
    if (frame_decode(buf_bytes(&fixture->in), frame, used) == TORC_OK) {
        return true;
    }
    ck_assert_int_eq(buf_reserve(&fixture->in, 65536), TORC_OK);
    ssize_t got = recv(fixture->connection, buf_tail(&fixture->in), buf_room(&fixture->in), 0);
    ck_assert(got > 0 || errno == EAGAIN);
    if (got > 0) {
        buf_commit(&fixture->in, (size_t)got);
    }
    return frame_decode(buf_bytes(&fixture->in), frame, used) == TORC_OK;
}

static void peer_writes(struct fixture *fixture, struct buf *out)
{
    ck_assert_int_eq(send(fixture->connection, buf_head(out), buf_size(out), MSG_NOSIGNAL),
                     (ssize_t)buf_size(out));
    buf_deinit(out);
}

static void peer_welcomes(struct fixture *fixture, uint8_t id)
{
    struct buf out = {0};
    struct welcome welcome = {.version = BUS_PROTOCOL_VERSION, .node_id = {{id}}};
    welcome_encode(&out, &welcome);
    peer_writes(fixture, &out);
}

static void peer_responds(struct fixture *fixture, uint64_t id, uint8_t status, const char *reply)
{
    struct buf out = {0};
    struct frame frame = {FRAME_RESPONSE, status, FRAME_NO_SLOT, id, bytes_of(reply)};
    frame_encode(&out, &frame);
    peer_writes(fixture, &out);
}

static int send_request(struct fixture *fixture, struct request *request, uint16_t slot)
{
    *request = (struct request){.request = {.deadline_ms = UINT64_MAX, .done = on_done}};
    return link_send(&fixture->link, &request->request, slot, FRAME_FLAG_RESP3,
                     BYTES_LITERAL("comm"), BYTES_LITERAL("and"));
}

/* Sends one request and brings the link to where the peer has read it; its id. */
static uint64_t begin(struct fixture *fixture, struct request *request)
{
    struct frame frame = {0};
    size_t used = 0;
    ck_assert_int_eq(send_request(fixture, request, 5), TORC_OK);
    TURN_UNTIL(fixture, peer_accepts(fixture));
    TURN_UNTIL(fixture, peer_reads(fixture, &frame, &used));
    ck_assert_uint_eq(frame.kind, FRAME_HELLO);
    struct hello hello;
    ck_assert_int_eq(hello_decode(frame.payload, &hello), TORC_OK);
    ck_assert_uint_eq(hello.purpose, BUS_REQUESTS);
    ck_assert_uint_eq(hello.cluster_id.bytes[0], 77);
    ck_assert(node_id_equal(&hello.node_id, &fixture->node.id));
    ck_assert_uint_eq(hello.incarnation, 9);
    peer_welcomes(fixture, 2);
    TURN_UNTIL(fixture, fixture->link.state == LINK_OPEN);
    link_flush(&fixture->link);
    TURN_UNTIL(fixture, peer_reads(fixture, &frame, &used));
    buf_consume(&fixture->in, used);
    ck_assert_uint_eq(frame.kind, FRAME_REQUEST);
    ck_assert_uint_eq(frame.slot, 5);
    ck_assert_uint_eq(frame.flags, FRAME_FLAG_RESP3);
    ck_assert(bytes_equal(frame.payload, BYTES_LITERAL("command")));
    ck_assert_uint_eq(request->done, 0);
    return frame.id;
}

START_TEST(test_request_and_response)
{
    struct fixture *fixture = setup();
    struct request request;
    uint64_t id = begin(fixture, &request);
    peer_responds(fixture, id, RESPONSE_NOT_OWNER, "reply");
    TURN_UNTIL(fixture, request.done == 1);
    ck_assert_int_eq(request.result, TORC_OK);
    ck_assert_uint_eq(request.status, RESPONSE_NOT_OWNER);
    ck_assert_str_eq(request.reply, "reply");
    teardown(fixture);
    ck_assert_uint_eq(request.done, 1);
}
END_TEST

START_TEST(test_answers_in_any_order)
{
    struct fixture *fixture = setup();
    struct request first;
    struct request *requests = calloc(REQUESTS, sizeof(*requests));
    uint64_t ids[REQUESTS];
    peer_responds(fixture, begin(fixture, &first), 0, "");
    for (size_t i = 0; i < REQUESTS; i++) {
        ck_assert_int_eq(send_request(fixture, &requests[i], (uint16_t)i), TORC_OK);
    }
    link_flush(&fixture->link);
    struct frame frame;
    size_t used = 0;
    for (size_t i = 0; i < REQUESTS; i++) {
        TURN_UNTIL(fixture, peer_reads(fixture, &frame, &used));
        ck_assert_uint_eq(frame.slot, i); /* sent in order */
        ids[i] = frame.id;
    }
    for (size_t i = 0; i < REQUESTS; i++) {
        size_t at = i * 77 % REQUESTS;
        char reply[16];
        snprintf(reply, sizeof(reply), "%zu", at);
        peer_responds(fixture, ids[at], RESPONSE_DONE, reply);
    }
    for (size_t i = 0; i < REQUESTS; i++) {
        char reply[16];
        snprintf(reply, sizeof(reply), "%zu", i);
        TURN_UNTIL(fixture, requests[i].done == 1);
        ck_assert_str_eq(requests[i].reply, reply);
    }
    free(requests);
    teardown(fixture);
}
END_TEST

START_TEST(test_late_and_foreign_answers_find_nobody)
{
    struct fixture *fixture = setup();
    struct request request;
    uint64_t id = begin(fixture, &request);
    link_expire(&fixture->link, 10);
    ck_assert_uint_eq(request.done, 0); /* not past its deadline */
    link_expire(&fixture->link, UINT64_MAX);
    ck_assert_uint_eq(request.done, 1);
    ck_assert_int_eq(request.result, TORC_ETIMEOUT);

    /* The next one takes the same place in the table; the late answer is not for it. */
    struct request next;
    ck_assert_int_eq(send_request(fixture, &next, 6), TORC_OK);
    link_flush(&fixture->link);
    peer_responds(fixture, id, RESPONSE_DONE, "late");
    peer_responds(fixture, next.request.id, RESPONSE_DONE, "in time");
    peer_responds(fixture, next.request.id, RESPONSE_DONE, "twice");
    TURN_UNTIL(fixture, next.done == 1);
    ck_assert_str_eq(next.reply, "in time");
    ck_assert_uint_eq(request.done, 1);
    ck_assert_uint_eq((uint32_t)id, (uint32_t)next.request.id);
    teardown(fixture);
    ck_assert_uint_eq(next.done, 1);
}
END_TEST

START_TEST(test_deadlines)
{
    struct fixture *fixture = setup();
    struct request requests[5];
    peer_responds(fixture, begin(fixture, &requests[0]), 0, "");
    TURN_UNTIL(fixture, requests[0].done == 1);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(send_request(fixture, &requests[i], 1), TORC_OK);
        requests[i].request.deadline_ms = i % 2 == 0 ? 100 : 200;
    }
    requests[2].again = &fixture->link;
    link_expire(&fixture->link, 100);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_uint_eq(requests[i].done,
                          i == 2 ? 2 : i % 2 == 0); /* 2 was sent again, in vain */
    }
    link_expire(&fixture->link, 200);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_uint_eq(requests[i].done, i == 2 ? 2 : 1);
        ck_assert_int_eq(requests[i].result, TORC_ETIMEOUT);
    }
    teardown(fixture);
}
END_TEST

/* What the test marked so. */
static bool is_gone(void *context, const struct link_request *request)
{
    return request->deadline_ms == *(const uint64_t *)context;
}

/* Requests to a node that does not lead their slots any more: each ends, also one that is sent
 * again on the way, and their answers find nobody. */
START_TEST(test_giving_up)
{
    struct fixture *fixture = setup();
    struct request requests[4];
    uint64_t mark = 100;
    uint64_t id = begin(fixture, &requests[0]);
    for (size_t i = 1; i < 4; i++) {
        ck_assert_int_eq(send_request(fixture, &requests[i], 1), TORC_OK);
    }
    requests[0].request.deadline_ms = mark;
    requests[2].request.deadline_ms = mark;
    requests[2].again = &fixture->link;
    link_give_up(&fixture->link, is_gone, &mark);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(requests[i].done, i == 2 ? 2 : i == 0);
    }
    ck_assert_int_eq(requests[0].result, TORC_ECLOSED);
    peer_responds(fixture, id, RESPONSE_DONE, "late");
    peer_responds(fixture, requests[1].request.id, RESPONSE_DONE, "in time");
    TURN_UNTIL(fixture, requests[1].done == 1);
    ck_assert_str_eq(requests[1].reply, "in time");
    ck_assert_uint_eq(requests[0].done, 1);
    ck_assert_int_eq(fixture->link.state, LINK_OPEN);
    teardown(fixture);
}
END_TEST

START_TEST(test_connection_breaks)
{
    struct fixture *fixture = setup();
    struct request request;
    begin(fixture, &request);
    close(fixture->connection);
    fixture->connection = -1;
    TURN_UNTIL(fixture, request.done == 1);
    ck_assert_int_eq(request.result, TORC_ECLOSED);
    ck_assert_int_eq(fixture->link.state, LINK_IDLE);
    ck_assert_int_eq(send_request(fixture, &request, 1), TORC_ECONNECT); /* too soon */

    /* A while later it connects again. */
    fixture->link.retry_at_ms = 0;
    buf_reset(&fixture->in, 0);
    peer_responds(fixture, begin(fixture, &request), 0, "back");
    TURN_UNTIL(fixture, request.done == 1);
    ck_assert_str_eq(request.reply, "back");
    teardown(fixture);
}
END_TEST

START_TEST(test_nobody_listens)
{
    struct fixture *fixture = setup();
    struct request request;
    close(fixture->listener);
    fixture->listener = -1;
    int result = send_request(fixture, &request, 1);
    if (result == TORC_OK) {
        TURN_UNTIL(fixture, request.done == 1);
        result = request.result;
    }
    ck_assert_int_eq(result, TORC_ECONNECT);
    teardown(fixture);
}
END_TEST

START_TEST(test_unknown_address)
{
    struct fixture *fixture = setup();
    struct request request;
    struct gossip_address unknown = {.port = 0};
    peer_set_address(fixture->peer, &unknown);
    ck_assert_int_eq(send_request(fixture, &request, 1), TORC_ECONNECT);
    ck_assert_uint_eq(request.done, 0);
    teardown(fixture);
}
END_TEST

/* Sends one request and has the peer answer the hello with these bytes. */
static int greet_with(struct buf *answer)
{
    struct fixture *fixture = setup();
    struct request request;
    ck_assert_int_eq(send_request(fixture, &request, 5), TORC_OK);
    TURN_UNTIL(fixture, peer_accepts(fixture));
    TURN_UNTIL(fixture, fixture->link.state == LINK_GREETING);
    peer_writes(fixture, answer);
    TURN_UNTIL(fixture, request.done == 1);
    teardown(fixture);
    return request.result;
}

START_TEST(test_not_welcome)
{
    struct buf out = {0};
    struct welcome other = {.version = BUS_PROTOCOL_VERSION, .node_id = {{3}}};
    struct welcome newer = {.version = BUS_PROTOCOL_VERSION + 1, .node_id = {{2}}};
    struct frame refused = {FRAME_REFUSED, 0, FRAME_NO_SLOT, 0, BYTES_LITERAL("another cluster")};
    struct frame early = {FRAME_RESPONSE, 0, FRAME_NO_SLOT, 0, BYTES_LITERAL("+OK\r\n")};
    frame_encode(&out, &refused);
    ck_assert_int_eq(greet_with(&out), TORC_ECONNECT);
    welcome_encode(&out, &other); /* another node has this address by now */
    ck_assert_int_eq(greet_with(&out), TORC_ECONNECT);
    welcome_encode(&out, &newer);
    ck_assert_int_eq(greet_with(&out), TORC_ECONNECT);
    frame_encode(&out, &early);
    ck_assert_int_eq(greet_with(&out), TORC_ECONNECT);
    buf_append_text(&out, "HTTP/1.1 400 Bad Request\r\n\r\n");
    ck_assert_int_eq(greet_with(&out), TORC_ECONNECT);
}
END_TEST

/* After the welcome, whatever is no response breaks the link. */
START_TEST(test_nonsense_later)
{
    for (unsigned i = 0; i < 3; i++) {
        struct fixture *fixture = setup();
        struct request request;
        struct buf out = {0};
        struct frame wrong = {FRAME_REQUEST, 0, FRAME_NO_SLOT, 0, BYTES_LITERAL("*1\r\n")};
        uint64_t id = begin(fixture, &request);
        wrong.id = i == 0 ? id : 1u << 20; /* no such place in the table */
        wrong.kind = i == 0 ? FRAME_REQUEST : FRAME_RESPONSE;
        frame_encode(&out, &wrong);
        if (i == 2) {
            memset(buf_head(&out), 0xff, FRAME_HEADER_SIZE);
        }
        peer_writes(fixture, &out);
        TURN_UNTIL(fixture, request.done == 1);
        ck_assert_int_eq(request.result, TORC_ECLOSED);
        teardown(fixture);
    }
}
END_TEST

START_TEST(test_deinit_ends_what_is_under_way)
{
    struct fixture *fixture = setup();
    struct request requests[3];
    begin(fixture, &requests[0]);
    for (size_t i = 1; i < 3; i++) {
        ck_assert_int_eq(send_request(fixture, &requests[i], 1), TORC_OK);
    }
    teardown(fixture);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(requests[i].done, 1);
        ck_assert_int_eq(requests[i].result, TORC_ECLOSED);
    }
}
END_TEST

/* ---- giving up ---- */

static bool has_deadline(void *context, const struct link_request *request)
{
    const uint64_t *deadline_ms = context; /* which tells them apart here */
    return request->deadline_ms == *deadline_ms;
}

START_TEST(test_give_up_on_nothing)
{
    struct fixture *fixture = setup();
    struct request request;
    uint64_t other = 1;
    link_give_up(&fixture->link, has_deadline, &other); /* nothing was ever sent */
    uint64_t id = begin(fixture, &request);
    link_give_up(&fixture->link, has_deadline, &other);
    ck_assert_uint_eq(request.done, 0);
    peer_responds(fixture, id, RESPONSE_DONE, "reply");
    TURN_UNTIL(fixture, request.done == 1);
    ck_assert_int_eq(request.result, TORC_OK);
    teardown(fixture);
}
END_TEST

/* The others go on: the connection is not touched. */
START_TEST(test_give_up_on_some)
{
    struct fixture *fixture = setup();
    struct request first;
    struct request requests[6];
    uint64_t given_up = 5000;
    peer_responds(fixture, begin(fixture, &first), 0, "");
    TURN_UNTIL(fixture, first.done == 1);
    for (size_t i = 0; i < 6; i++) {
        ck_assert_int_eq(send_request(fixture, &requests[i], (uint16_t)i), TORC_OK);
        requests[i].request.deadline_ms = i % 2 == 0 ? given_up : given_up + 1;
    }
    link_flush(&fixture->link);
    link_give_up(&fixture->link, has_deadline, &given_up);
    for (size_t i = 0; i < 6; i++) {
        ck_assert_uint_eq(requests[i].done, i % 2 == 0);
        ck_assert(i % 2 != 0 || requests[i].result == TORC_ECLOSED);
    }
    ck_assert_int_eq(fixture->link.state, LINK_OPEN);
    /* One that is sent now takes the place of one that was given up; the late answer to that finds
     * nobody. */
    struct request next;
    ck_assert_int_eq(send_request(fixture, &next, 9), TORC_OK);
    link_flush(&fixture->link);
    for (size_t i = 0; i < 6; i++) {
        peer_responds(fixture, requests[i].request.id, RESPONSE_DONE, i % 2 == 0 ? "late" : "good");
    }
    peer_responds(fixture, next.request.id, RESPONSE_DONE, "next");
    TURN_UNTIL(fixture, next.done == 1);
    ck_assert_str_eq(next.reply, "next");
    for (size_t i = 0; i < 6; i++) {
        ck_assert_uint_eq(requests[i].done, 1);
        ck_assert_str_eq(requests[i].reply, i % 2 == 0 ? "" : "good");
    }
    teardown(fixture);
    ck_assert_uint_eq(requests[0].done, 1);
}
END_TEST

static struct request *ended[8];
static size_t ended_count;

static void on_ended(struct link_request *link_request, int result, const struct frame *frame)
{
    ended[ended_count++] = (struct request *)link_request;
    on_done(link_request, result, frame);
}

/* So that whoever asks again asks in the same order. */
START_TEST(test_give_up_in_order)
{
    struct fixture *fixture = setup();
    struct request first;
    struct request requests[4];
    uint64_t given_up = 5000;
    peer_responds(fixture, begin(fixture, &first), 0, "");
    TURN_UNTIL(fixture, first.done == 1);
    ended_count = 0;
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(send_request(fixture, &requests[i], 1), TORC_OK);
        requests[i].request.deadline_ms = given_up;
        requests[i].request.done = on_ended;
    }
    link_give_up(&fixture->link, has_deadline, &given_up);
    ck_assert_uint_eq(ended_count, 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_ptr_eq(ended[i], &requests[i]);
        ck_assert_int_eq(requests[i].result, TORC_ECLOSED);
    }
    ck_assert_ptr_null(fixture->link.first);
    ck_assert_ptr_null(fixture->link.last);
    teardown(fixture);
}
END_TEST

static bool is_not_done(void *context, const struct link_request *request)
{
    const struct request *asked = (const struct request *)request;
    (void)context;
    return asked->done == 0;
}

START_TEST(test_give_up_while_done_sends)
{
    struct fixture *fixture = setup();
    struct request requests[3];
    begin(fixture, &requests[0]);
    for (size_t i = 1; i < 3; i++) {
        ck_assert_int_eq(send_request(fixture, &requests[i], 1), TORC_OK);
    }
    for (size_t i = 0; i < 3; i++) {
        requests[i].again = &fixture->link;
    }
    link_give_up(&fixture->link, is_not_done, NULL);
    size_t under_way = 0;
    for (const struct link_request *at = fixture->link.first; at != NULL; at = at->next) {
        ck_assert_ptr_eq(at, &requests[under_way].request);
        under_way++;
    }
    ck_assert_uint_eq(under_way, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(requests[i].done, 1);
        ck_assert_int_eq(requests[i].result, TORC_OK); /* of sending again */
        peer_responds(fixture, requests[i].request.id, RESPONSE_DONE, "again");
    }
    TURN_UNTIL(fixture, requests[2].done == 2);
    ck_assert_uint_eq(requests[0].done, 2);
    ck_assert_str_eq(requests[0].reply, "again");
    teardown(fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("link");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_request_and_response);
    tcase_add_test(tests, test_answers_in_any_order);
    tcase_add_test(tests, test_late_and_foreign_answers_find_nobody);
    tcase_add_test(tests, test_deadlines);
    tcase_add_test(tests, test_giving_up);
    tcase_add_test(tests, test_connection_breaks);
    tcase_add_test(tests, test_nobody_listens);
    tcase_add_test(tests, test_unknown_address);
    tcase_add_test(tests, test_not_welcome);
    tcase_add_test(tests, test_nonsense_later);
    tcase_add_test(tests, test_deinit_ends_what_is_under_way);
    tcase_add_test(tests, test_give_up_on_nothing);
    tcase_add_test(tests, test_give_up_on_some);
    tcase_add_test(tests, test_give_up_in_order);
    tcase_add_test(tests, test_give_up_while_done_sends);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
