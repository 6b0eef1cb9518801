/*
 * Lets the first, second, third ... allocation of the client fail, all the way from connecting to a
 * peer to splitting keys: each time TORC_ENOMEM, no crash, and after it a handle that works. The
 * peer is a thread with canned answers; only the thread of the client fails. With a sanitizer,
 * which has an allocator of its own, nothing fails and the calls are only made.
 */
#include "base/buf.h"
#include "ring/view.h"
#include "tests/unit/client/support/made.h"
#include "torc/torc.h"

#include <check.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_FAIL 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CAN_FAIL 0
#else
#define CAN_FAIL 1
#endif
#else
#define CAN_FAIL 1
#endif

static _Thread_local size_t allocations_left = SIZE_MAX;
static _Thread_local bool has_failed;

#if CAN_FAIL
/* glibc's allocator, under the names that a program may not take. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

static bool spend(void)
{
    if (allocations_left == 0) {
        has_failed = true;
        return false;
    }
    allocations_left -= allocations_left == SIZE_MAX ? 0 : 1;
    return true;
}

void *malloc(size_t size)
{
    return spend() ? __libc_malloc(size) : NULL;
}

void *calloc(size_t count, size_t size)
{
    return spend() ? __libc_calloc(count, size) : NULL;
}

void *realloc(void *block, size_t size)
{
    return spend() ? __libc_realloc(block, size) : NULL;
}
#endif

/* One node, alone in its cluster, that knows GET, SET, MGET and MSET. */
struct peer {
    int listener;
    char seeds[32];
    struct buf view; /* as a bulk reply */
};

static const char commands[] =
    "*4\r\n*6\r\n$3\r\nget\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n"
    "*6\r\n$3\r\nset\r\n:-3\r\n*0\r\n:1\r\n:1\r\n:1\r\n"
    "*6\r\n$4\r\nmget\r\n:-2\r\n*1\r\n+readonly\r\n:1\r\n:-1\r\n:1\r\n"
    "*6\r\n$4\r\nmset\r\n:-3\r\n*0\r\n:1\r\n:-1\r\n:2\r\n";

/* The answer to the request at the front of the text; *size is that of the request. NULL:
 * incomplete. */
static const char *answer(const char *text, size_t *size)
{
    static const struct {
        const char *request;
        const char *reply;
    } known[] = {
        {"*1\r\n$7\r\nCOMMAND\r\n", commands},
        {"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", "$5\r\nvalue\r\n"},
        {"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n", "+OK\r\n"},
        {"*2\r\n$4\r\nMGET\r\n$1\r\na\r\n", "*1\r\n$5\r\nvalue\r\n"},
        {"*2\r\n$4\r\nMGET\r\n$1\r\nb\r\n", "*1\r\n$-1\r\n"},
        {"*3\r\n$4\r\nMSET\r\n$1\r\na\r\n$1\r\nb\r\n", "+OK\r\n"},
        {"*1\r\n$9\r\nTORC.VIEW\r\n", ""},
        {"*2\r\n$6\r\nCLIENT\r\n$2\r\nID\r\n", ":7\r\n"},
        {"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n",
         "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n"},
        {"*2\r\n$9\r\nSUBSCRIBE\r\n$20\r\n__redis__:invalidate\r\n",
         "*3\r\n$9\r\nsubscribe\r\n$20\r\n__redis__:invalidate\r\n:1\r\n"},
        {"*5\r\n$6\r\nCLIENT\r\n$8\r\nTRACKING\r\n$2\r\nON\r\n$8\r\nREDIRECT\r\n$1\r\n7\r\n",
         "+OK\r\n"},
        {"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n", "%1\r\n$5\r\nproto\r\n:3\r\n"},
        {"*3\r\n$6\r\nCLIENT\r\n$8\r\nTRACKING\r\n$2\r\nON\r\n", "+OK\r\n"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        *size = strlen(known[i].request);
        if (strncmp(text, known[i].request, *size) == 0) {
            return known[i].reply;
        }
    }
    return NULL;
}

static void serve(const struct peer *peer, int fd)
{
    char text[4096];
    size_t have = 0;
    for (ssize_t got; (got = recv(fd, text + have, sizeof(text) - 1 - have, 0)) > 0;) {
        size_t size;
        have += (size_t)got;
        text[have] = '\0';
        for (const char *reply; (reply = answer(text, &size)) != NULL;) {
            struct bytes sent = reply[0] == '\0' ? buf_bytes(&peer->view) : bytes_of(reply);
            (void)send(fd, sent.data, sent.size, MSG_NOSIGNAL);
            have -= size;
            memmove(text, text + size, have + 1);
        }
    }
    close(fd);
}

/* One client at a time, but it may have a connection to each of the two ports: they are one here.
 */
static void *serve_one(void *context)
{
    const struct peer *peer = ((void **)context)[0];
    serve(peer, (int)(intptr_t)((void **)context)[1]);
    free(context);
    return NULL;
}

static void *accept_all(void *context)
{
    struct peer *peer = context;
    for (int fd; (fd = accept(peer->listener, NULL, NULL)) >= 0;) {
        pthread_t thread;
        const int on = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        void **arguments = malloc(2 * sizeof(void *));
        arguments[0] = peer;
        arguments[1] = (void *)(intptr_t)fd;
        ck_assert_int_eq(pthread_create(&thread, NULL, serve_one, arguments), 0);
        pthread_detach(thread);
    }
    return NULL;
}

static void start(struct peer *peer)
{
    pthread_t thread;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    memset(peer, 0, sizeof(*peer));
    peer->listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(peer->listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(peer->listener, 16), 0);
    ck_assert_int_eq(getsockname(peer->listener, (struct sockaddr *)&address, &size), 0);
    const uint16_t port = ntohs(address.sin_port);
    (void)snprintf(peer->seeds, sizeof(peer->seeds), "127.0.0.1:%u", port);

    struct view *made = made_view(1, 1, 1, 0);
    struct view *view = view_clone(made);
    struct buf encoded = {0};
    (void)snprintf(view->nodes[0].host, sizeof(view->nodes[0].host), "127.0.0.1");
    view->nodes[0].client_port = view->nodes[0].direct_port = port;
    ck_assert_int_eq(view_seal(view), 0);
    view_encode(view, &encoded);
    buf_append_format(&peer->view, "$%zu\r\n", buf_size(&encoded));
    buf_append(&peer->view, buf_head(&encoded), buf_size(&encoded));
    buf_append_text(&peer->view, "\r\n");
    ck_assert(!peer->view.failed);
    buf_deinit(&encoded);
    view_release(view);
    view_release(made);
    ck_assert_int_eq(pthread_create(&thread, NULL, accept_all, peer), 0);
    pthread_detach(thread);
}

static int load_value(struct torc *torc, struct torc_bytes key, struct torc_value *value,
                      void *context)
{
    (void)torc;
    (void)key;
    (void)context;
    return torc_value_set(value, torc_text("loaded"));
}

static void note_result(struct torc *torc, int error, redisReply *reply, void *context)
{
    (void)torc;
    (void)reply;
    *(int *)context = error;
}

/* A future, a callback in the loop of this thread, and a key that is got or loaded. */
static int use_asynchronously(struct torc *torc)
{
    const struct torc_load_options from = {.load = load_value, .ttl_ms = 1000};
    struct torc_value value = {NULL, 0};
    int called = 1;
    struct torc_future *future = torc_submit(torc, "GET %s", "a");
    int error = future == NULL ? torc_error_code(torc) : torc_wait(future, -1, NULL);
    torc_future_free(future);
    if (error == 0) {
        struct pollfd poll_fd = {.fd = torc_fd(torc), .events = POLLIN};
        error = torc_async(torc, note_result, &called, "GET %s", "a");
        while (error == 0 && called == 1) {
            (void)poll(&poll_fd, 1, -1);
            (void)torc_process(torc);
        }
        error = error != 0 ? error : called;
    }
    error = error != 0 ? error : torc_get_or_load(torc, torc_text("a"), &from, &value);
    torc_value_free(&value);
    return error;
}

static void note_message(struct torc *torc, const struct torc_message *message, void *context)
{
    (void)torc;
    *(bool *)context = message->event == TORC_MESSAGE;
}

/* A subscription, until something has come, or cannot; and a value that is kept near. */
static int use_what_lasts(struct torc *torc)
{
    bool came = false;
    struct torc_subscription *subscription;
    struct torc_near_stats stats = {0};
    const struct torc_bytes name = torc_text("a");
    const struct torc_subscribe_options options = {
        .names = &name, .count = 1, .on_message = note_message, .context = &came};
    struct pollfd poll_fd = {.fd = torc_fd(torc), .events = POLLIN};
    int error = torc_subscribe(torc, &options, &subscription);
    while (error == 0 && !came && !has_failed) {
        (void)poll(&poll_fd, 1, -1);
        error = torc_process(torc);
    }
    while (error == 0 && stats.hits == 0 && !has_failed) {
        struct torc_value value;
        error = torc_get(torc, name, &value);
        torc_value_free(&value);
        (void)torc_process(torc);
        (void)torc_near_stats(torc, &stats);
    }
    torc_unsubscribe(subscription);
    return error;
}

/* Everything that a program does with the library. 0, or the first error. */
static int use(const struct peer *peer)
{
    const struct torc_options options = {.seeds = peer->seeds, .near_bytes = 65536};
    const struct torc_bytes keys[] = {torc_text("a"), torc_text("b")};
    const struct torc_pair pair = {keys[0], keys[1]};
    struct torc *torc = NULL;
    struct torc_pipeline *pipeline = NULL;
    struct torc_value values[2] = {{NULL, 0}, {NULL, 0}};
    int error = torc_connect(&options, &torc);
    if (error == 0) {
        (void)torc_fd(torc); /* no other thread does anything, whose allocations would not fail */
        redisReply *reply = torc_command(torc, "GET %s", "a");
        error = reply == NULL ? torc_error_code(torc) : 0;
        torc_reply_free(reply);
    }
    error = error != 0 ? error : torc_get(torc, keys[0], &values[0]);
    torc_value_free(&values[0]);
    error = error != 0 ? error : torc_set(torc, keys[0], keys[1], NULL);
    error = error != 0 ? error : torc_mget(torc, keys, 2, values);
    torc_value_free(&values[0]);
    error = error != 0 ? error : torc_mset(torc, &pair, 1);
    error = error != 0 ? error : torc_pipeline_create(torc, &pipeline);
    error = error != 0 ? error : torc_pipeline_append(pipeline, "GET %b", "a", (size_t)1);
    error = error != 0 ? error : torc_pipeline_execute(pipeline);
    torc_pipeline_destroy(pipeline);
    error = error != 0 ? error : use_asynchronously(torc);
    error = error != 0 ? error : use_what_lasts(torc);
    /* However it failed: with memory the same handle works. */
    allocations_left = SIZE_MAX;
    if (torc != NULL) {
        ck_assert_int_eq(torc_get(torc, keys[0], &values[0]), 0);
        ck_assert_str_eq(values[0].data, "value");
        torc_value_free(&values[0]);
    }
    torc_close(torc);
    return error;
}

START_TEST(every_failed_allocation_is_an_error)
{
    static struct peer peer; /* its threads outlive the test */
    unsigned failures = 0;
    start(&peer);
    for (size_t granted = 0;; granted++) {
        has_failed = false;
        allocations_left = CAN_FAIL ? granted : SIZE_MAX;
        int error = use(&peer);
        if (!has_failed) {
            ck_assert_int_eq(error, 0);
            break;
        }
        /* The system's own may do without, as qsort does, or have a word of its own. */
        ck_assert_msg(error == TORC_ENOMEM || error == 0, "allocation %zu: %d", granted, error);
        failures += error == TORC_ENOMEM;
        ck_assert_uint_lt(granted, 2000);
    }
    ck_assert(!CAN_FAIL || failures > 50);
    close(peer.listener);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("no_memory");
    tcase_add_test(tests, every_failed_allocation_is_an_error);
    tcase_set_timeout(tests, 60);
    Suite *suite = suite_create("client/no_memory");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
