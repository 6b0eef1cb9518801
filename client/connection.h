/*
 * One TCP connection to a node, never blocking: calls are queued, sent in that order, and answered
 * in that order. It does not know what a reply means.
 *
 *      queue      calls that are not sent
 *      flights    calls that are sent, or are being sent, and not answered
 *      sending    the first of these that is not known to be sent whole
 *
 * Everything is under the handle's lock, except what takes time: one thread at a time writes
 * (`flushing`), whoever it is that has something to send, and one reads (`receiving`), who has the
 * engine's role; neither holds the lock meanwhile. A connection that has failed is closed when both
 * have let go of it.
 */
#ifndef TORC_CLIENT_CONNECTION_H
#define TORC_CLIENT_CONNECTION_H

#include "client/call.h"
#include "client/greeting.h"
#include "client/limits.h"
#include "client/node.h"
#include "client/resolver.h"

#define CONNECTION_ERROR_SIZE 160

enum connection_state {
    CONNECTION_CLOSED,
    CONNECTION_RESOLVING,
    CONNECTION_CONNECTING,
    CONNECTION_OPEN,
};

struct connection {
    struct node *node; /* whose it is */
    enum connection_state state;
    int fd;
    struct resolution *resolution; /* RESOLVING */
    struct addrinfo *addresses;    /* CONNECTING */
    struct addrinfo *address;      /* the one being tried */
    uint64_t connect_deadline_ms;  /* of all of that */
    struct greeting greeting;      /* its bytes are the first of the stream */
    struct call_list queue;
    struct call_list flights;
    struct call *sending;
    uint64_t queued;      /* bytes of flights since it was opened */
    uint64_t sent;        /* of these, known to be taken by the kernel */
    uint64_t received_ms; /* when something came last, or it was opened */
    bool wants_write;     /* the kernel takes no more, until epoll says so */
    bool watches_write;   /* epoll has been asked to */
    bool dirty;           /* in the handle's list of those to be flushed */
    struct connection *dirty_next;
    bool flushing;
    bool receiving;
    bool failed;
    int error; /* why it has failed; 0: closed on purpose */
    char error_text[CONNECTION_ERROR_SIZE];

    /* whoever is receiving */
    redisReader *reader;
    bool unparsed; /* there may be whole replies in the reader */
};

/* Closed. NULL without memory. */
struct connection *connection_create(struct node *node);
/* Closes it; there may be no calls on it. */
void connection_destroy(struct connection *connection);

/* Marks it as failed, with the first error that is told, and wakes up whoever is writing or
 * reading. `text` NULL: that of the error. */
void connection_fail(struct connection *connection, int error, const char *text);
/* Closes what is open; calls stay. Not while flushing or receiving. */
void connection_close(struct connection *connection);

/* Begins to connect. It may have failed afterwards: TORC_ENOMEM, TORC_ERESOLVE, TORC_ECONNECT. */
void connection_open(struct torc *handle, struct connection *connection);
/* Goes on with that. */
void connection_advance(struct torc *handle, struct connection *connection);
/* Before an idle open connection is used again: marks it as failed, with error 0, if the node has
 * closed it, or has said something unasked that is not news of changes. */
void connection_check_idle(struct connection *connection);

/* Sends what is queued, as much as the kernel takes, releasing the lock meanwhile. It may have
 * failed afterwards. Does nothing if it is not open, or another thread is at it. */
void connection_flush(struct torc *handle, struct connection *connection);

/* Without the lock, while receiving. Reads once, if the reader has nothing left, and parses up to
 * REPLIES_AT_ONCE replies, which are the caller's. *more: there may be more already. 0,
 * TORC_ECLOSED, TORC_EPROTOCOL, TORC_ENOMEM, with the reason in text; replies before that are good.
 */
int connection_receive(struct connection *connection, redisReply **replies, size_t *count,
                       bool *more, char text[CONNECTION_ERROR_SIZE]) TORC_MUST_USE;

#endif
