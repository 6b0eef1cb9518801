#include "bench/connection.h"

#include "base/error.h"
#include "bench/clock.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_S 2.0
#define SILENCE_TIMEOUT_MS 5000     /* sent bytes that the peer's kernel does not confirm */
#define OUTPUT_KEEP_SIZE (1u << 20) /* capacity kept after a connection broke */
#define RING_CAPACITY_MIN 16

static const char *error_text(int error_number)
{
    const char *text = strerrordesc_np(error_number);
    return text != NULL ? text : "unknown error";
}

static struct operation ring_pop(struct connection *connection)
{
    assert(connection->count > 0);
    struct operation operation = connection->ring[connection->head];
    connection->head = (connection->head + 1) & (connection->capacity - 1);
    connection->count--;
    return operation;
}

static int ring_grow(struct connection *connection)
{
    size_t capacity = connection->capacity > 0 ? connection->capacity * 2 : RING_CAPACITY_MIN;
    struct operation *ring = calloc(capacity, sizeof(ring[0]));
    if (ring == NULL) {
        return TORC_ENOMEM;
    }
    for (size_t i = 0; i < connection->count; i++) {
        ring[i] = connection->ring[(connection->head + i) & (connection->capacity - 1)];
    }
    free(connection->ring);
    connection->ring = ring;
    connection->capacity = capacity;
    connection->head = 0;
    return TORC_OK;
}

int connection_push(struct connection *connection, const struct operation *operation)
{
    if (connection->count == connection->capacity && ring_grow(connection) != TORC_OK) {
        return TORC_ENOMEM;
    }
    size_t at = (connection->head + connection->count) & (connection->capacity - 1);
    connection->ring[at] = *operation;
    connection->count++;
    return TORC_OK;
}

bool connection_waits_for(const struct connection *connection, enum operation_kind kind,
                          uint64_t hash)
{
    for (size_t i = 0; i < connection->count; i++) {
        const struct operation *operation =
            &connection->ring[(connection->head + i) & (connection->capacity - 1)];
        if (operation->hash == hash && operation->kind == kind && !operation->silent) {
            return true;
        }
    }
    return false;
}

static void close_socket(struct connection *connection)
{
    struct ev_loop *loop = connection->context->loop;
    ev_io_stop(loop, &connection->readable);
    ev_io_stop(loop, &connection->writable);
    ev_timer_stop(loop, &connection->timer);
    if (connection->fd >= 0) {
        (void)close(connection->fd);
        connection->fd = -1;
    }
    connection->state = CONNECTION_CLOSED;
}

/* Everything that waits is lost, then the owner hears of it. */
static void break_down(struct connection *connection, const char *reason)
{
    const struct connection_events *events = connection->context->events;
    bool was_up = connection->state == CONNECTION_UP;
    close_socket(connection);
    buf_reset(&connection->out, OUTPUT_KEEP_SIZE);
    if (reply_reader_reset(&connection->reader) != TORC_OK) {
        reason = "out of memory";
    }
    while (connection->count > 0) {
        struct operation operation = ring_pop(connection);
        events->lost(connection, &operation);
    }
    events->down(connection, reason, was_up);
}

static void become_up(struct connection *connection)
{
    struct ev_loop *loop = connection->context->loop;
    ev_timer_stop(loop, &connection->timer);
    ev_io_stop(loop, &connection->writable);
    connection->state = CONNECTION_UP;
    connection->attempts = 0;
    connection->context->events->up(connection);
    connection->ever_up = true;
    ev_io_start(loop, &connection->readable);
    connection_flush(connection);
}

void connection_flush(struct connection *connection)
{
    struct connection_context *context = connection->context;
    struct buf *out = &connection->out;
    connection->dirty = false;
    if (connection->state != CONNECTION_UP || buf_size(out) == 0 ||
        ev_is_active(&connection->writable)) {
        return;
    }
    if (out->failed) {
        break_down(connection, "out of memory");
        return;
    }
    ssize_t size = send(connection->fd, buf_head(out), buf_size(out), MSG_NOSIGNAL);
    if (size < 0 && errno != EAGAIN && errno != EINTR) {
        break_down(connection, error_text(errno));
        return;
    }
    if (size > 0) {
        context->stats->bytes_out += (uint64_t)size;
        buf_consume(out, (size_t)size);
    }
    if (buf_size(out) > 0) {
        ev_io_start(context->loop, &connection->writable);
    }
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    struct connection *connection = watcher->data;
    (void)revents;
    connection->context->now_ns = clock_now_ns();
    if (connection->state == CONNECTION_UP) {
        ev_io_stop(loop, watcher);
        connection_flush(connection);
        return;
    }
    int error_number = 0;
    socklen_t size = sizeof(error_number);
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error_number, &size) != 0) {
        error_number = errno;
    }
    if (error_number != 0) {
        break_down(connection, error_text(error_number));
        return;
    }
    become_up(connection);
}

/* Keeps the text of an error that answers no request. */
static int refuse(struct connection *connection, const struct reply *reply)
{
    if (reply->kind != REPLY_ERROR) {
        return TORC_EPROTOCOL;
    }
    (void)snprintf(connection->refusal, sizeof(connection->refusal), "%s", reply->error);
    return TORC_EREPLY;
}

/* Hands out all whole replies in what was fed. 0, TORC_EPROTOCOL, TORC_EREPLY. */
static int take_replies(struct connection *connection)
{
    const struct connection_events *events = connection->context->events;
    for (;;) {
        const struct reply *reply = NULL;
        if (reply_reader_next(&connection->reader, &reply) != TORC_OK) {
            return TORC_EPROTOCOL;
        }
        if (reply == NULL) {
            return TORC_OK;
        }
        if (connection->count == 0) {
            /* Nobody asked: a server that is full, say, sends an error and hangs up. */
            return refuse(connection, reply);
        }
        struct operation operation = ring_pop(connection);
        if (!operation.silent) {
            events->reply(connection, &operation, reply);
        }
    }
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    struct connection *connection = watcher->data;
    struct connection_context *context = connection->context;
    (void)loop;
    (void)revents;
    ssize_t size = recv(connection->fd, context->read_buffer, context->read_size, 0);
    context->now_ns = clock_now_ns();
    if (size <= 0) {
        if (size == 0) {
            break_down(connection, "closed by the server");
        } else if (errno != EAGAIN && errno != EINTR) {
            break_down(connection, error_text(errno));
        }
        return;
    }
    context->stats->bytes_in += (uint64_t)size;
    /* hiredis moves what is left of its buffer to the front for each kilobyte consumed: small
     * meals keep that cheap. */
    for (size_t at = 0; at < (size_t)size;) {
        size_t meal = (size_t)size - at;
        if (meal > context->feed_size) {
            meal = context->feed_size;
        }
        struct bytes bytes = {context->read_buffer + at, meal};
        if (reply_reader_feed(&connection->reader, bytes) != TORC_OK) {
            break_down(connection, "out of memory");
            return;
        }
        int result = take_replies(connection);
        if (result != TORC_OK) {
            break_down(connection, result == TORC_EREPLY ? connection->refusal
                                                         : "the server does not speak RESP");
            return;
        }
        at += meal;
    }
    context->events->replies_end(connection);
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    struct connection *connection = watcher->data;
    (void)loop;
    (void)revents;
    connection->context->now_ns = clock_now_ns();
    if (connection->state == CONNECTION_CONNECTING) {
        break_down(connection, "timed out");
    } else if (connection->failure != NULL) {
        const char *reason = connection->failure;
        connection->failure = NULL;
        break_down(connection, reason);
    } else {
        connection->context->events->retry(connection);
    }
}

struct connection *connection_create(struct connection_context *context, void *owner,
                                     const struct address *address)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        return NULL;
    }
    if (reply_reader_init(&connection->reader) != TORC_OK) {
        free(connection);
        return NULL;
    }
    connection->context = context;
    connection->owner = owner;
    connection->address = *address;
    connection->fd = -1;
    ev_init(&connection->readable, on_readable);
    ev_init(&connection->writable, on_writable);
    ev_init(&connection->timer, on_timer);
    connection->readable.data = connection;
    connection->writable.data = connection;
    connection->timer.data = connection;
    return connection;
}

void connection_destroy(struct connection *connection)
{
    if (connection == NULL) {
        return;
    }
    close_socket(connection);
    reply_reader_deinit(&connection->reader);
    buf_deinit(&connection->out);
    free(connection->ring);
    free(connection);
}

static void set_timer(struct connection *connection, double seconds)
{
    ev_timer_stop(connection->context->loop, &connection->timer);
    ev_timer_set(&connection->timer, seconds, 0.0);
    ev_timer_start(connection->context->loop, &connection->timer);
}

/* A non-blocking socket on its way to one of the host's addresses, another one at each attempt.
 * NULL, or why not. */
static const char *start_connect(struct connection *connection)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[8];
    (void)snprintf(port, sizeof(port), "%u", (unsigned)connection->address.port);
    int result = getaddrinfo(connection->address.host, port, &hints, &found);
    if (result != 0) {
        return gai_strerror(result);
    }
    unsigned count = 0;
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        count++;
    }
    assert(count > 0); /* getaddrinfo succeeded */
    const struct addrinfo *chosen = found;
    for (unsigned skip = connection->attempts % count; skip > 0; skip--) {
        chosen = chosen->ai_next;
    }
    const char *failure = NULL;
    int fd = socket(chosen->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int one = 1;
    const unsigned silence_ms = SILENCE_TIMEOUT_MS;
    if (fd < 0 || (connect(fd, chosen->ai_addr, chosen->ai_addrlen) != 0 && errno != EINPROGRESS)) {
        failure = error_text(errno);
        if (fd >= 0) {
            (void)close(fd);
        }
    } else {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        /* A host that vanished sends no reset; without this its connections would wait for ever. */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof(silence_ms));
        connection->fd = fd;
    }
    freeaddrinfo(found);
    return failure;
}

void connection_open(struct connection *connection)
{
    assert(connection->state == CONNECTION_CLOSED);
    if (connection->reader.reader == NULL && reply_reader_reset(&connection->reader) != TORC_OK) {
        connection->failure = "out of memory";
    } else {
        connection->failure = start_connect(connection);
    }
    connection->attempts++;
    if (connection->failure != NULL) {
        set_timer(connection, 0.0);
        return;
    }
    connection->state = CONNECTION_CONNECTING;
    ev_io_set(&connection->readable, connection->fd, EV_READ);
    ev_io_set(&connection->writable, connection->fd, EV_WRITE);
    ev_io_start(connection->context->loop, &connection->writable);
    set_timer(connection, CONNECT_TIMEOUT_S);
}

void connection_retry_after(struct connection *connection, double seconds)
{
    assert(connection->state == CONNECTION_CLOSED);
    connection->failure = NULL;
    set_timer(connection, seconds);
}
