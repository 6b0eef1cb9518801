#include "client/connection.h"

#include "base/error.h"
#include "client/clock.h"
#include "client/handle.h"
#include "client/reply.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection *connection_create(struct node *node)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection != NULL) {
        connection->node = node;
        connection->fd = -1;
    }
    return connection;
}

void connection_destroy(struct connection *connection)
{
    assert(connection->queue.count == 0);
    assert(connection->flights.count == 0);
    connection_close(connection);
    free(connection);
}

void connection_close(struct connection *connection)
{
    assert(!connection->flushing && !connection->receiving);
    if (connection->fd >= 0) {
        close(connection->fd);
        connection->fd = -1;
    }
    if (connection->resolution != NULL) {
        resolver_abandon(connection->resolution);
        connection->resolution = NULL;
    }
    if (connection->addresses != NULL) {
        freeaddrinfo(connection->addresses);
        connection->addresses = NULL;
        connection->address = NULL;
    }
    if (connection->reader != NULL) {
        redisReaderFree(connection->reader);
        connection->reader = NULL;
    }
    greeting_deinit(&connection->greeting);
    connection->state = CONNECTION_CLOSED;
    connection->failed = false;
    connection->wants_write = false;
    connection->watches_write = false;
    connection->unparsed = false;
    connection->sending = NULL;
}

void connection_fail(struct connection *connection, int error, const char *text)
{
    if (connection->failed) {
        return;
    }
    connection->failed = true;
    connection->error = error;
    (void)snprintf(connection->error_text, sizeof(connection->error_text), "%s",
                   text != NULL ? text : torc_strerror(error));
    if (connection->fd >= 0) {
        (void)shutdown(connection->fd, SHUT_RDWR);
    }
}

/* strerror_r as glibc has it. */
static void errno_text(char text[CONNECTION_ERROR_SIZE], const char *what, int number)
{
    char buffer[96];
    (void)snprintf(text, CONNECTION_ERROR_SIZE, "%s: %s", what,
                   strerror_r(number, buffer, sizeof(buffer)));
}

static void fail_with_errno(struct connection *connection, int error, const char *what, int number)
{
    char text[CONNECTION_ERROR_SIZE];
    errno_text(text, what, number);
    connection_fail(connection, error, text);
}

static int watch(const struct torc *handle, struct connection *connection, int operation,
                 uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.ptr = connection}};
    return epoll_ctl(handle->epoll_fd, operation, connection->fd, &event);
}

/* Begins to connect to the addresses from `address` on, until one does not fail at once. `number`
 * is why the one before failed. */
static void try_addresses(struct torc *handle, struct connection *connection, int number)
{
    const int on = 1;
    connection->state = CONNECTION_CONNECTING;
    for (; connection->address != NULL; connection->address = connection->address->ai_next) {
        const struct addrinfo *address = connection->address;
        int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            number = errno;
            continue;
        }
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        connection->fd = fd;
        if ((connect(fd, address->ai_addr, address->ai_addrlen) == 0 || errno == EINPROGRESS) &&
            watch(handle, connection, EPOLL_CTL_ADD, EPOLLOUT) == 0) {
            return;
        }
        number = errno;
        close(fd);
        connection->fd = -1;
    }
    fail_with_errno(connection, TORC_ECONNECT, "cannot connect", number);
}

static void resolved(struct torc *handle, struct connection *connection, int failed)
{
    if (failed != 0) {
        char text[CONNECTION_ERROR_SIZE];
        (void)snprintf(text, sizeof(text), "cannot resolve the host name: %s",
                       gai_strerror(failed));
        connection_fail(connection, failed == EAI_MEMORY ? TORC_ENOMEM : TORC_ERESOLVE, text);
        return;
    }
    connection->address = connection->addresses;
    try_addresses(handle, connection, 0);
}

void connection_open(struct torc *handle, struct connection *connection)
{
    assert(connection->state == CONNECTION_CLOSED);
    connection->error = TORC_OK;
    connection->sent = 0;
    connection->state = CONNECTION_RESOLVING;
    connection->connect_deadline_ms = clock_now_ms() + handle->options.connect_timeout_ms;
    connection->reader = reply_reader_create();
    if (connection->reader == NULL ||
        greeting_init(&connection->greeting, &handle->options, connection->node->use) != TORC_OK) {
        connection_fail(connection, TORC_ENOMEM, NULL);
        return;
    }
    connection->queued = connection->greeting.size;
    int failed = resolver_numeric(&connection->node->endpoint, &connection->addresses);
    if (failed != EAI_NONAME) {
        resolved(handle, connection, failed);
        return;
    }
    connection->addresses = NULL;
    connection->resolution = resolver_start(&connection->node->endpoint, handle->event_fd);
    if (connection->resolution == NULL) {
        connection_fail(connection, TORC_ENOMEM, NULL);
    }
}

/* The address being tried has failed. */
static void try_next_address(struct torc *handle, struct connection *connection, int number)
{
    close(connection->fd);
    connection->fd = -1;
    connection->address = connection->address->ai_next;
    try_addresses(handle, connection, number);
}

static void advance_connecting(struct torc *handle, struct connection *connection)
{
    struct pollfd poll_fd = {.fd = connection->fd, .events = POLLOUT};
    int number = 0;
    socklen_t size = sizeof(number);
    if (poll(&poll_fd, 1, 0) <= 0) {
        return;
    }
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &number, &size) != 0) {
        number = errno;
    }
    if (number == 0 && watch(handle, connection, EPOLL_CTL_MOD, EPOLLIN) != 0) {
        number = errno;
    }
    if (number != 0) {
        try_next_address(handle, connection, number);
        return;
    }
    freeaddrinfo(connection->addresses);
    connection->addresses = NULL;
    connection->address = NULL;
    connection->state = CONNECTION_OPEN;
    connection->received_ms = clock_now_ms();
}

void connection_advance(struct torc *handle, struct connection *connection)
{
    if (connection->state == CONNECTION_RESOLVING && connection->resolution != NULL) {
        int failed;
        if (resolver_take(connection->resolution, &failed, &connection->addresses)) {
            connection->resolution = NULL;
            resolved(handle, connection, failed);
        }
    } else if (connection->state == CONNECTION_CONNECTING) {
        advance_connecting(handle, connection);
    }
    if (connection->state != CONNECTION_OPEN && !connection->failed &&
        clock_now_ms() >= connection->connect_deadline_ms) {
        if (connection->state == CONNECTION_RESOLVING) {
            connection_fail(connection, TORC_ERESOLVE,
                            "cannot resolve the host name: no answer in time");
        } else {
            fail_with_errno(connection, TORC_ECONNECT, "cannot connect", ETIMEDOUT);
        }
    }
}

void connection_check_idle(struct connection *connection)
{
    char byte;
    assert(connection->state == CONNECTION_OPEN);
    ssize_t size = recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (size > 0 && connection->node->use == NODE_TRACKED) {
        return; /* it tells of a change */
    }
    if (size >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        connection_fail(connection, TORC_OK, "it was closed while it was idle");
    }
}

/* What one writev takes, and the calls whose bytes it reads. */
struct parcel {
    struct iovec parts[1 + 3 * FLUSH_CALLS_MAX]; /* greeting; of a call: ASKING, head, bytes */
    struct call *calls[FLUSH_CALLS_MAX];
    size_t part_count;
    size_t call_count;
    size_t size;
};

static const char asking[] = "*1\r\n$6\r\nASKING\r\n";
#define ASKING_SIZE (sizeof(asking) - 1)

/* Adds the bytes, but for the first *skip, which is lowered by what was left out. */
static void pack_part(struct parcel *parcel, const char *data, size_t size, size_t *skip)
{
    const size_t left_out = *skip < size ? *skip : size;
    *skip -= left_out;
    if (left_out < size) {
        parcel->parts[parcel->part_count++] =
            (struct iovec){(char *)(uintptr_t)data + left_out, size - left_out};
        parcel->size += size - left_out;
    }
}

/* Adds the bytes of the call from `skip` on. */
static void pack(struct parcel *parcel, struct call *call, size_t skip)
{
    if (call->asking) {
        pack_part(parcel, asking, ASKING_SIZE, &skip);
    }
    pack_part(parcel, call_head(call), call->head_size, &skip);
    pack_part(parcel, call->request + call->head_replaces, call->size - call->head_replaces, &skip);
    parcel->calls[parcel->call_count++] = call;
    call->pins++;
}

static size_t whole_size(const struct call *call)
{
    return call_sent_size(call) + (call->asking ? ASKING_SIZE : 0);
}

/* Moves calls from the queue to the flights, and packs what is to be sent. */
static void fill(struct torc *handle, struct connection *connection, struct parcel *parcel)
{
    parcel->part_count = 0;
    parcel->call_count = 0;
    parcel->size = 0;
    size_t greeted = (size_t)connection->sent;
    pack_part(parcel, connection->greeting.bytes, connection->greeting.size, &greeted);
    struct call *call = connection->sending;
    while (parcel->call_count < FLUSH_CALLS_MAX && parcel->size < FLUSH_SIZE_MAX) {
        size_t skip = 0;
        if (call != NULL) {
            const uint64_t start = call->end - whole_size(call);
            skip = connection->sent > start ? (size_t)(connection->sent - start) : 0;
        } else {
            call = call_list_take(&connection->queue);
            if (call == NULL) {
                return;
            }
            if (call->named) {
                names_write_head(handle, call);
            }
            connection->queued += whole_size(call);
            call->end = connection->queued;
            call->place = CALL_IN_FLIGHT;
            call_list_append(&connection->flights, call);
            if (connection->sending == NULL) {
                connection->sending = call;
            }
        }
        pack(parcel, call, skip);
        call = call->next;
    }
}

static void note_sent(struct connection *connection, size_t size)
{
    connection->sent += size;
    while (connection->sending != NULL && connection->sending->end <= connection->sent) {
        connection->sending = connection->sending->next;
    }
}

void connection_flush(struct torc *handle, struct connection *connection)
{
    struct parcel parcel;
    if (connection->state != CONNECTION_OPEN || connection->failed || connection->flushing ||
        connection->wants_write) {
        return;
    }
    connection->flushing = true;
    for (;;) {
        fill(handle, connection, &parcel);
        if (parcel.part_count == 0) {
            break;
        }
        const int fd = connection->fd;
        const struct msghdr message = {.msg_iov = parcel.parts, .msg_iovlen = parcel.part_count};
        handle_unlock(handle);
        const ssize_t size = sendmsg(fd, &message, MSG_NOSIGNAL);
        const int number = errno;
        handle_lock(handle);
        for (size_t i = 0; i < parcel.call_count; i++) {
            call_unpin(parcel.calls[i]);
        }
        if (connection->failed) {
            break;
        }
        if (size < 0 && number != EAGAIN && number != EWOULDBLOCK && number != EINTR) {
            fail_with_errno(connection, TORC_ECLOSED, "the connection broke", number);
            break;
        }
        note_sent(connection, size > 0 ? (size_t)size : 0);
        if ((size < 0 && number != EINTR) || (size >= 0 && (size_t)size < parcel.size)) {
            connection->wants_write = true;
            connection->watches_write = true;
            if (watch(handle, connection, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT) != 0) {
                fail_with_errno(connection, TORC_ECLOSED, "the connection broke", errno);
            }
            break;
        }
    }
    if (!connection->failed && connection->watches_write && !connection->wants_write) {
        connection->watches_write = false;
        (void)watch(handle, connection, EPOLL_CTL_MOD, EPOLLIN);
    }
    connection->flushing = false;
}

static int read_once(struct connection *connection, bool *more, char text[CONNECTION_ERROR_SIZE])
{
    char bytes[RECEIVE_SIZE];
    const ssize_t size = recv(connection->fd, bytes, sizeof(bytes), 0);
    if (size > 0) {
        *more = (size_t)size == sizeof(bytes);
        connection->unparsed = true;
        if (redisReaderFeed(connection->reader, bytes, (size_t)size) != REDIS_OK) {
            (void)snprintf(text, CONNECTION_ERROR_SIZE, "%s", torc_strerror(TORC_ENOMEM));
            return TORC_ENOMEM;
        }
        return TORC_OK;
    }
    if (size == 0) {
        (void)snprintf(text, CONNECTION_ERROR_SIZE, "the node closed the connection");
        return TORC_ECLOSED;
    }
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        errno_text(text, "the connection broke", errno);
        return TORC_ECLOSED;
    }
    return TORC_OK;
}

int connection_receive(struct connection *connection, redisReply **replies, size_t *count,
                       bool *more, char text[CONNECTION_ERROR_SIZE])
{
    *count = 0;
    *more = false;
    if (!connection->unparsed) {
        int result = read_once(connection, more, text);
        if (result != TORC_OK) {
            return result;
        }
    }
    while (connection->unparsed && *count < REPLIES_AT_ONCE) {
        void *reply = NULL;
        if (redisReaderGetReply(connection->reader, &reply) != REDIS_OK) {
            const bool memory = connection->reader->err == REDIS_ERR_OOM;
            (void)snprintf(text, CONNECTION_ERROR_SIZE, "unreadable reply: %.100s",
                           connection->reader->errstr);
            return memory ? TORC_ENOMEM : TORC_EPROTOCOL;
        }
        if (reply == NULL) {
            connection->unparsed = false;
        } else {
            replies[(*count)++] = reply;
        }
    }
    *more = *more || connection->unparsed;
    return TORC_OK;
}
