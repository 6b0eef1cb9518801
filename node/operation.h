/*
 * A reply on its way: something asked for that could not be answered on the spot, because another
 * node must do it, a replica must acknowledge it, a slot is being taken over, or an earlier reply
 * on the same connection is still missing. One thread: the worker that began it.
 *
 *      asked by a client      in its connection's queue, answered in order
 *      asked by a gather      one part of a command over many keys or nodes
 *      asked by a peer        a request on the bus, answered in any order
 *
 * Life: created, then any number of attempts (held, sent, executed), then finished with reply
 * bytes, then, once the replicas have acknowledged, delivered and destroyed.
 */
#ifndef TORC_NODE_OPERATION_H
#define TORC_NODE_OPERATION_H

#include "base/buf.h"
#include "node/link.h"
#include "node/streams.h"
#include "replication/outcomes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blocked;
struct bus_connection;
struct command;
struct connection;
struct gather;
struct worker;

enum asker { ASKER_CLIENT, ASKER_GATHER, ASKER_PEER };

struct operation {
    struct worker *worker;
    enum asker asker;
    struct connection *connection; /* ASKER_CLIENT; NULL once the client is gone */
    struct gather *parent;         /* ASKER_GATHER */
    struct bus_connection *bus;    /* ASKER_PEER; NULL once the peer is gone */
    uint64_t peer_request_id;      /* ASKER_PEER */
    size_t part;                   /* ASKER_GATHER: which part of it */
    uint64_t sequence;             /* the worker's: the order in which they were begun */
    struct operation *next;        /* in the asker's queue */
    struct operation *previous;    /* ASKER_PEER */

    struct buf reply;
    unsigned reply_count; /* replies in it: that many errors when they cannot be vouched for */
    bool done;            /* reply is complete and may be delivered */
    bool late;            /* at its deadline it is answered with 0, which is no error */
    bool silent;          /* the client wants no reply (CLIENT REPLY) */
    bool tracked;         /* the client keeps what it reads: see tracking.h */
    uint32_t told_before; /* far_stamp when it was sent */

    struct ack_set acks; /* to be acknowledged before delivery */
    bool guarded;        /* executed here: not delivered without a lease */
    uint64_t term;       /* in which it was executed */
    struct operation *wait_next, *wait_previous;
    uint64_t deadline_ms; /* monotonic */

    const struct command *command; /* of what is to be executed; NULL for a chunk of replies */
    struct buf request;            /* it, as RESP */
    uint16_t slot;                 /* FRAME_NO_SLOT: goes to `node_index` */
    uint16_t target;               /* without a slot: peer index; PEER_NONE = this node */
    int protocol;
    struct link_request link_request;
    struct operation *held_next;

    /* A write on its way to another node has a name, so that it can be asked for again: */
    struct once once;                            /* id 0 = none */
    bool listed;                                 /* the name is one of the worker's own */
    bool uncertain;                              /* it may have been made */
    uint16_t target_sent;                        /* peer that was asked */
    uint64_t named_ms;                           /* since when; monotonic */
    struct operation *once_next, *once_previous; /* of the worker, by id */

    struct blocked *blocked; /* of a blocking command; owned; NULL = none */
    struct gather *gather;   /* this is the gather's own place in the client's queue */
};

/* NULL without memory. */
struct operation *operation_create(struct worker *worker, enum asker asker);
void operation_destroy(struct operation *operation);

/*
 * Does what the operation asks: executes it here if this node serves the slot, sends it to the node
 * that does, or holds it while that is being settled. The operation is not to be touched
 * afterwards.
 */
void operation_start(struct operation *operation);
/* Before it is started: the client has named the write itself, and sent it first so long ago. */
void operation_set_name(struct operation *operation, const struct once *once, uint64_t age_ms);
/* The reply bytes are in: deliver now or when the acknowledgements are. */
void operation_finish(struct operation *operation);
/* It is not to be asked for again under its name: whoever leads the slot has said that it was not
 * made. */
void operation_forget_name(struct operation *operation);
/* Finishes with this error in place of all of its replies. */
void operation_fail(struct operation *operation, const char *error);

/* A write is asked for again for so long; after that its outcome may be forgotten where it was
 * made. */
#define OPERATION_REPEAT_LIMIT_MS 60000

/* Of the worker, after a newer view: what was asked of a node that no longer leads the slot is
 * asked of the one that does. */
void operations_follow_view(struct worker *worker);
/* Of the worker: delivers what has been acknowledged meanwhile. */
void operations_check_acks(struct worker *worker);
/* Of the worker: tries the held ones again, fails those past their deadline. */
void operations_tick(struct worker *worker, uint64_t now_ms);
/* Of the worker, at its end: frees what is still held or waiting. */
void operations_abandon(struct worker *worker);
/* True if the command must not be executed now but be held: an earlier one for the slot is held on
 * this worker, or writes are paused. */
bool operations_must_hold(const struct worker *worker, const struct command *command,
                          uint16_t slot);

#endif
