/*
 * One client's connection: reads and parses requests in batches, keeps the order of the replies,
 * and reads no further while too much is outstanding. One thread: its worker.
 *
 *      socket ─► in ─► batch of requests ─► executed ─► chunk ─┬─► out ─► socket
 *                                   └─► operations, in order ──┘
 */
#ifndef TORC_NODE_CONNECTION_H
#define TORC_NODE_CONNECTION_H

#include "base/buf.h"
#include "node/operation.h"
#include "node/resp/request.h"
#include "node/session.h"

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct worker;

struct connection {
    struct worker *worker;
    ev_io reader;
    ev_io writer;
    struct request_parser parser;
    struct buf in;  /* unread requests; empty, and without memory, while the client is idle */
    struct buf out; /* replies ready to be sent */
    struct operation *first, *last; /* replies awaited, in order */
    struct operation *blocked;      /* the last of them, while it waits for values */
    size_t pending_count;
    size_t reply_size; /* of late, on average: how much the pending ones may come to */
    bool reading;      /* the reader watcher is active */
    bool writing;      /* the writer watcher is active */
    bool half_closed;  /* the client has sent all it will; it still gets its replies */
    bool stalled;      /* in may hold requests that were left because too much was outstanding */
    bool flush_wanted; /* is in the worker's list of connections to look after */
    struct connection *flush_next;
    struct connection *next, *previous; /* of the worker */
    struct connection *id_next;         /* see clients.h */
    uint64_t told_all_at; /* the place in its output behind the last message that everything has
                             changed; see invalidation.c */
    struct session session;
};

/* Takes over the socket. Closes it on failure. */
void connection_open(struct worker *worker, int fd, enum session_access access);
/* Frees it; operations under way finish without it. */
void connection_close(struct connection *connection);
/* Ends the chunk of replies under way: what follows on this connection queues behind it. */
void connection_seal(struct connection *connection);
/* The same with one reply, an integer: 0 when it is not acknowledged after that time. */
void connection_seal_late(struct connection *connection, uint64_t wait_ms);
/* Sends what is no reply to a request: behind the replies to all that was executed before, but not
 * behind that to a command that waits for values. Takes the bytes out of the buffer. */
void connection_tell(struct connection *connection, struct buf *message);
/* Queues an operation whose reply comes next in order. Seals first. */
void connection_push(struct connection *connection, struct operation *operation);
/* An operation of its queue is done: moves what is ready to the output. */
void connection_advance(struct connection *connection);
/* Pushes a blocking command, and starts it: until it has its reply nothing that comes after it is
 * executed. */
void connection_block(struct connection *connection, struct operation *operation);
/* It has. */
void connection_unblock(struct connection *connection);
/* Ends its waiting if CLIENT UNBLOCK asked for that; false if it did not. */
bool connection_end_waiting(struct connection *connection);
/* Has the worker write and go on reading before it sleeps. */
void connection_want_flush(struct connection *connection);
/* Does so. May close the connection. */
void connection_flush(struct connection *connection);

#endif
