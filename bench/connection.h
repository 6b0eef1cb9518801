/*
 * One connection of one client: a non-blocking socket in a libev loop, an output buffer, and the
 * operations that wait for their replies, in order. It knows nothing of workloads; what happens is
 * told to its owner through struct connection_events. All of it belongs to one worker thread.
 *
 *   opened --> CONNECTING --> UP --(broken)--> events.lost for every operation, events.down
 *                   '-----(refused, 2 s)-----> the same            '--> connection_open again
 */
#ifndef TORC_BENCH_CONNECTION_H
#define TORC_BENCH_CONNECTION_H

#include "base/attributes.h"
#include "base/buf.h"
#include "bench/address.h"
#include "bench/reply.h"
#include "bench/stats.h"

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct operation {
    uint64_t start_ns; /* when it was sent, or should have been (open loop) */
    uint64_t key;      /* index in the key space or in the trace */
    uint64_t hash;     /* of a trace key; 0 else */
    uint8_t kind;      /* enum operation_kind */
    uint8_t attempts;  /* redirections followed so far */
    bool silent;       /* its reply counts for nothing: ASKING */
    bool load;         /* part of the loading */
};

struct connection;

struct connection_events {
    void (*up)(struct connection *connection);
    /* `reply` is borrowed until return. May push operations, may not close connections. */
    void (*reply)(struct connection *connection, const struct operation *operation,
                  const struct reply *reply);
    /* After the last reply of one read. */
    void (*replies_end)(struct connection *connection);
    /* The operation will have no reply: the connection broke. May not push operations. */
    void (*lost)(struct connection *connection, const struct operation *operation);
    /* It is closed; `reason` is borrowed until return. May push operations and set the retry timer.
     */
    void (*down)(struct connection *connection, const char *reason, bool was_up);
    /* The time set by connection_retry_after has come. */
    void (*retry)(struct connection *connection);
};

/* What the connections of one worker share. */
struct connection_context {
    struct ev_loop *loop;
    const struct connection_events *events;
    struct stats *stats; /* bytes_in and bytes_out are counted here */
    char *read_buffer;
    size_t read_size;
    size_t feed_size; /* bytes given to the reply reader at a time */
    uint64_t now_ns;  /* time of the event being handled */
};

enum connection_state {
    CONNECTION_CLOSED,
    CONNECTION_CONNECTING,
    CONNECTION_UP,
};

struct connection {
    struct connection_context *context;
    void *owner;            /* for the events */
    struct address address; /* where it goes */
    enum connection_state state;
    unsigned attempts; /* since it was last up */
    bool ever_up;
    bool dirty; /* owner's mark: has something to flush */
    int fd;     /* -1 when closed */
    ev_io readable;
    ev_io writable;
    ev_timer timer;      /* CONNECTING: time-out; CLOSED: retry */
    const char *failure; /* CLOSED: why opening failed at once; reported by the timer */
    char refusal[REPLY_ERROR_SIZE_MAX + 1]; /* an error that the server sent unasked */
    struct reply_reader reader;
    struct buf out;         /* unsent requests */
    struct operation *ring; /* waiting for replies, oldest at head; capacity is a power of two */
    size_t head;
    size_t count;
    size_t capacity;
};

/* `context` and `owner` outlive the connection. NULL without memory. */
struct connection *connection_create(struct connection_context *context, void *owner,
                                     const struct address *address);
/* No events are told. */
void connection_destroy(struct connection *connection);

/* Begins to connect to connection->address. Only when CLOSED. What comes of it is told by up or
 * down, never before this returns. */
void connection_open(struct connection *connection);
/* events.retry after that time. Only when CLOSED. */
void connection_retry_after(struct connection *connection, double seconds);

/* Notes an operation whose request was appended to connection->out. 0 or TORC_ENOMEM. */
int connection_push(struct connection *connection, const struct operation *operation) TORC_MUST_USE;
/* Sends what is in `out` with one write, as soon as it is up. May end in events.down. */
void connection_flush(struct connection *connection);
/* True when an operation of that kind and trace hash waits for its reply. */
bool connection_waits_for(const struct connection *connection, enum operation_kind kind,
                          uint64_t hash);

#endif
