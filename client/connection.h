/*
 * One TCP connection to a node, never blocking: requests are queued with the number of the call
 * they belong to, and replies come back in that order. It does not know what is in them. One owner.
 *
 *      out        bytes queued, not yet taken by the kernel
 *      flights    calls queued, not yet answered; each with where its last byte is in the stream,
 * so that after a failure it is known which of them the node cannot have seen whole
 */
#ifndef TORC_CLIENT_CONNECTION_H
#define TORC_CLIENT_CONNECTION_H

#include "base/attributes.h"
#include "base/buf.h"
#include "client/endpoint.h"

#include <hiredis/hiredis.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

#define CONNECTION_ERROR_SIZE 160

enum connection_state { CONNECTION_CLOSED, CONNECTION_CONNECTING, CONNECTION_OPEN };

struct flight {
    size_t call;  /* whatever number the owner gave */
    uint64_t end; /* of its request in the stream of bytes: sent whole once `sent` is there */
};

struct connection {
    struct endpoint endpoint;
    enum connection_state state;
    int fd;
    struct addrinfo *addresses; /* of the host; while connecting */
    struct addrinfo *address;   /* the one being tried */
    unsigned connect_timeout_ms;
    uint64_t connect_deadline_ms; /* of this address */
    struct buf out;
    uint64_t queued; /* bytes since the connection was opened */
    uint64_t sent;   /* of these, taken by the kernel */
    redisReader *reader;
    struct flight *flights;
    size_t flight_first;
    size_t flight_count; /* from flight_first on */
    size_t flight_capacity;
    bool busy; /* in its owner's list of those that have something to do */
    int error; /* why it is closed; 0 if nobody has tried yet, or it was closed on purpose */
    char error_text[CONNECTION_ERROR_SIZE];
};

/* Closed. NULL without memory. */
struct connection *connection_create(const struct endpoint *endpoint);
void connection_destroy(struct connection *connection);

/* Starts connecting, or finds that impossible: then it is closed again, and `error` says why:
 * TORC_ERESOLVE, TORC_ECONNECT, TORC_ENOMEM. Each address of the host may take timeout_ms.
 * Resolving a host name blocks. */
void connection_open(struct connection *connection, uint64_t now_ms, unsigned timeout_ms);
/* Before an idle open connection is used again: closes it if the node has closed it, or has said
 * something unasked. */
void connection_check_idle(struct connection *connection);

/* Queues a request, also while closed or connecting. 0 or TORC_ENOMEM; nothing is queued then. */
int connection_push(struct connection *connection, size_t call, struct bytes request) TORC_MUST_USE;

/* What to poll for; 0 when closed. */
short connection_events(const struct connection *connection);
/* Does what is possible without waiting: connects, writes, reads. `readable`: poll said so. On
 * failure it is closed, with `error` TORC_ECONNECT, TORC_ECLOSED or TORC_ENOMEM; flights stay. */
void connection_advance(struct connection *connection, bool readable, uint64_t now_ms);

/* The next whole reply, of the first flight, which is taken off; owned by the caller. False: there
 * is none yet, or it cannot be read: then it is closed with TORC_EPROTOCOL or TORC_ENOMEM. */
bool connection_take_reply(struct connection *connection, struct flight *flight,
                           redisReply **reply);
/* Takes off the first flight without a reply, after a failure. False: there is none. */
bool connection_take_flight(struct connection *connection, struct flight *flight);

/* Closes it. `error` 0: on purpose. `text` NULL: that of the error. Flights stay. */
void connection_close(struct connection *connection, int error, const char *text);

#endif
