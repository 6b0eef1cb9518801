/*
 * The receiving side of the bus: peers' connections, carrying requests or a replication stream. One
 * thread: the worker that accepted it.
 */
#ifndef TORC_NODE_BUS_SERVER_H
#define TORC_NODE_BUS_SERVER_H

#include "base/buf.h"
#include "base/bytes.h"
#include "node/bus_frame.h"
#include "node/session.h"

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct operation;
struct peer;
struct worker;

enum bus_state { BUS_GREETING, BUS_SERVING_REQUESTS, BUS_RECEIVING_STREAM };

struct bus_connection {
    struct worker *worker;
    ev_io reader;
    ev_io writer;
    int fd;
    enum bus_state state;
    bool writing;
    bool paused; /* requests: too many replies are unsent; `in` may hold more requests */
    bool dirty;  /* out has something to write before the worker sleeps */
    bool held;   /* stream: its next operation belongs to a view that is not installed here yet */
    struct buf in;
    struct buf out;
    struct peer *peer;
    unsigned shard;          /* stream */
    uint64_t generation;     /* stream */
    uint64_t number;         /* tells connections of one stream apart */
    uint64_t position;       /* stream: everything before was applied or skipped */
    bool superseded;         /* stream: a newer connection has taken over */
    uint64_t opened_ms;      /* monotonic */
    struct operation *first; /* requests being carried out */
    uint8_t *refused;        /* bitmap of slots; owned; NULL = none. See bus_refuse */
    struct session session;  /* as which requests are executed */
    struct bus_connection *next, *previous; /* of the worker */
};

void bus_connection_open(struct worker *worker, int fd);
void bus_connection_close(struct bus_connection *bus);
/* Answers one request. */
void bus_respond(struct bus_connection *bus, uint64_t id, enum response_status status,
                 struct bytes reply);
/* Tells the peer at the connection of that number that a key which it reads for its clients has
 * changed; NULL: any may have. False: it is gone. */
bool bus_tell(struct worker *worker, uint64_t number, const struct bytes *key);
/* Says that this node does not lead the slot. What the peer has under way for it is refused
 * likewise, whatever view comes meanwhile, so that nothing overtakes this one: until the peer
 * begins anew, with FRAME_FLAG_FIRST. */
void bus_refuse(struct bus_connection *bus, uint16_t slot, uint64_t id);
/* Ends a request of a peer, which may be gone by now. */
void bus_operation_destroy(struct operation *operation);
/* Writes what is queued; may close it. */
void bus_connection_flush(struct bus_connection *bus);
/* Of the worker: goes on with streams that waited for a view; closes peers that never said hello.
 */
void bus_connections_tick(struct worker *worker, uint64_t now_ms);

/* stream_receiver.c: applies whole operations from the front of `input`; returns the bytes used,
 * which may be fewer when a view is missing (sets bus->held). *broken: the peer talks nonsense. */
size_t stream_receive(struct bus_connection *bus, struct bytes input, bool *broken);

#endif
