#include "client/connection.h"

#include "base/error.h"
#include "client/limits.h"
#include "client/reply.h"
#include "torc/torc.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLIGHT_CAPACITY_MIN 16

struct connection *connection_create(const struct endpoint *endpoint)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection != NULL) {
        connection->endpoint = *endpoint;
        connection->fd = -1;
    }
    return connection;
}

void connection_destroy(struct connection *connection)
{
    connection_close(connection, TORC_OK, NULL);
    buf_deinit(&connection->out);
    free(connection->flights);
    free(connection);
}

void connection_close(struct connection *connection, int error, const char *text)
{
    if (connection->fd >= 0) {
        close(connection->fd);
        connection->fd = -1;
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
    connection->state = CONNECTION_CLOSED;
    connection->error = error;
    (void)snprintf(connection->error_text, sizeof(connection->error_text), "%s",
                   text != NULL ? text : torc_strerror(error));
    buf_reset(&connection->out, 0);
}

/* strerror_r, as POSIX has it or as glibc does, in one text. */
static void close_with_errno(struct connection *connection, int error, const char *what, int number)
{
    char text[CONNECTION_ERROR_SIZE];
    char buffer[96];
    (void)snprintf(text, sizeof(text), "%s: %s", what, strerror_r(number, buffer, sizeof(buffer)));
    connection_close(connection, error, text);
}

static void close_without_memory(struct connection *connection)
{
    connection_close(connection, TORC_ENOMEM, NULL);
}

/* Begins to connect to the addresses from `address` on, until one does not fail at once. `number`
 * is why the one before failed. */
static void try_addresses(struct connection *connection, uint64_t now_ms, int number)
{
    const int on = 1;
    for (; connection->address != NULL; connection->address = connection->address->ai_next) {
        const struct addrinfo *address = connection->address;
        int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            number = errno;
            continue;
        }
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (connect(fd, address->ai_addr, address->ai_addrlen) == 0 || errno == EINPROGRESS) {
            connection->fd = fd;
            connection->connect_deadline_ms = now_ms + connection->connect_timeout_ms;
            return;
        }
        number = errno;
        close(fd);
    }
    close_with_errno(connection, TORC_ECONNECT, "cannot connect", number);
}

/* The address being tried has failed. */
static void try_next_address(struct connection *connection, uint64_t now_ms, int number)
{
    close(connection->fd);
    connection->fd = -1;
    connection->address = connection->address->ai_next;
    try_addresses(connection, now_ms, number);
}

void connection_open(struct connection *connection, uint64_t now_ms, unsigned timeout_ms)
{
    assert(connection->state == CONNECTION_CLOSED);
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char port[8];
    connection->error = TORC_OK;
    connection->connect_timeout_ms = timeout_ms;
    connection->queued = 0;
    connection->sent = 0;
    connection->reader = reply_reader_create();
    if (connection->reader == NULL) {
        close_without_memory(connection);
        return;
    }
    (void)snprintf(port, sizeof(port), "%u", connection->endpoint.port);
    int failed = getaddrinfo(connection->endpoint.host, port, &hints, &connection->addresses);
    if (failed != 0) {
        connection->addresses = NULL;
        char text[CONNECTION_ERROR_SIZE];
        (void)snprintf(text, sizeof(text), "cannot resolve the host name: %s",
                       gai_strerror(failed));
        connection_close(connection, failed == EAI_MEMORY ? TORC_ENOMEM : TORC_ERESOLVE, text);
        return;
    }
    connection->state = CONNECTION_CONNECTING;
    connection->address = connection->addresses;
    try_addresses(connection, now_ms, 0);
}

void connection_check_idle(struct connection *connection)
{
    char byte;
    if (connection->state != CONNECTION_OPEN || connection->flight_count > 0) {
        return;
    }
    bool unread = connection->reader->pos < connection->reader->len;
    ssize_t size = recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (unread || size >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        connection_close(connection, TORC_OK, NULL);
    }
}

static int reserve_flight(struct connection *connection)
{
    if (connection->flight_count == 0) {
        connection->flight_first = 0;
    }
    size_t end = connection->flight_first + connection->flight_count;
    if (end < connection->flight_capacity) {
        return TORC_OK;
    }
    size_t capacity = connection->flight_capacity == 0 ? FLIGHT_CAPACITY_MIN : 2 * end;
    struct flight *flights = realloc(connection->flights, capacity * sizeof(*flights));
    if (flights == NULL) {
        return TORC_ENOMEM;
    }
    connection->flights = flights;
    connection->flight_capacity = capacity;
    return TORC_OK;
}

int connection_push(struct connection *connection, size_t call, struct bytes request)
{
    if (reserve_flight(connection) != TORC_OK || buf_reserve(&connection->out, request.size) != 0) {
        connection->out.failed = false;
        return TORC_ENOMEM;
    }
    buf_append(&connection->out, request.data, request.size);
    connection->queued += request.size;
    connection->flights[connection->flight_first + connection->flight_count++] =
        (struct flight){.call = call, .end = connection->queued};
    return TORC_OK;
}

short connection_events(const struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_CONNECTING: return POLLOUT;
    case CONNECTION_OPEN:
        return (short)(buf_size(&connection->out) > 0 ? POLLIN | POLLOUT : POLLIN);
    case CONNECTION_CLOSED: break;
    }
    return 0;
}

static void finish_connecting(struct connection *connection, uint64_t now_ms)
{
    struct pollfd poll_fd = {.fd = connection->fd, .events = POLLOUT};
    if (poll(&poll_fd, 1, 0) <= 0) {
        if (now_ms >= connection->connect_deadline_ms) {
            try_next_address(connection, now_ms, ETIMEDOUT);
        }
        return;
    }
    int number = 0;
    socklen_t size = sizeof(number);
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &number, &size) != 0) {
        number = errno;
    }
    if (number != 0) {
        try_next_address(connection, now_ms, number);
        return;
    }
    freeaddrinfo(connection->addresses);
    connection->addresses = NULL;
    connection->address = NULL;
    connection->state = CONNECTION_OPEN;
}

static void send_out(struct connection *connection)
{
    while (buf_size(&connection->out) > 0) {
        ssize_t size = send(connection->fd, buf_head(&connection->out), buf_size(&connection->out),
                            MSG_NOSIGNAL);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK) {
                close_with_errno(connection, TORC_ECLOSED, "the connection broke", errno);
            }
            return;
        }
        buf_consume(&connection->out, (size_t)size);
        connection->sent += (uint64_t)size;
    }
    buf_reset(&connection->out, BUFFER_KEPT);
}

static void receive(struct connection *connection)
{
    char bytes[RECEIVE_SIZE];
    ssize_t size = recv(connection->fd, bytes, sizeof(bytes), 0);
    if (size > 0) {
        if (redisReaderFeed(connection->reader, bytes, (size_t)size) != REDIS_OK) {
            close_without_memory(connection);
        }
    } else if (size == 0) {
        connection_close(connection, TORC_ECLOSED, "the node closed the connection");
    } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        close_with_errno(connection, TORC_ECLOSED, "the connection broke", errno);
    }
}

void connection_advance(struct connection *connection, bool readable, uint64_t now_ms)
{
    if (connection->state == CONNECTION_CONNECTING) {
        finish_connecting(connection, now_ms);
    }
    /* Reading comes first: when the node has answered and closed, the answers count. */
    if (connection->state == CONNECTION_OPEN && readable) {
        receive(connection);
    }
    if (connection->state == CONNECTION_OPEN) {
        send_out(connection);
    }
}

bool connection_take_flight(struct connection *connection, struct flight *flight)
{
    if (connection->flight_count == 0) {
        return false;
    }
    *flight = connection->flights[connection->flight_first++];
    connection->flight_count--;
    if (connection->flight_count == 0 && connection->flight_capacity > ARGUMENTS_KEPT) {
        free(connection->flights);
        connection->flights = NULL;
        connection->flight_capacity = 0;
    }
    return true;
}

bool connection_take_reply(struct connection *connection, struct flight *flight, redisReply **reply)
{
    void *parsed = NULL;
    if (connection->state != CONNECTION_OPEN || connection->flight_count == 0) {
        return false;
    }
    if (redisReaderGetReply(connection->reader, &parsed) != REDIS_OK) {
        char text[CONNECTION_ERROR_SIZE];
        bool memory = connection->reader->err == REDIS_ERR_OOM;
        (void)snprintf(text, sizeof(text), "unreadable reply: %.100s", connection->reader->errstr);
        connection_close(connection, memory ? TORC_ENOMEM : TORC_EPROTOCOL, text);
        return false;
    }
    if (parsed == NULL) {
        return false;
    }
    *reply = parsed;
    return connection_take_flight(connection, flight);
}
