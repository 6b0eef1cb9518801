/*
 * Telling clients that what they keep has changed: a message that is put into the inbox of the
 * worker whose client it is for, under the lock of the slot that changes, so that it is there
 * before anybody can know of the change; and what that worker makes of it.
 *
 *      slot's lock: posting ─► inbox of a worker ─► invalidation_collect ─► connection
 *
 * The worker empties its inbox before it sleeps, and before it executes a command without keys for
 * a client that is told of changes: what was changed before a PING is executed is on the wire
 * before its reply. On one connection a message comes behind the replies to what was executed
 * before it.
 */
#ifndef TORC_NODE_INVALIDATION_H
#define TORC_NODE_INVALIDATION_H

#include "base/bytes.h"
#include "node/peers.h"

#include <stdint.h>

struct invalidation;
struct node;
struct worker;

/* A client of this node: which worker's, and its id. */
typedef uint64_t client_place;
#define CLIENT_PLACE_ID_BITS 56
static inline client_place client_place_of(unsigned worker_index, uint64_t id)
{
    return (uint64_t)worker_index << CLIENT_PLACE_ID_BITS | id;
}
static inline unsigned client_place_worker(client_place place)
{
    return (unsigned)(place >> CLIENT_PLACE_ID_BITS);
}
static inline uint64_t client_place_id(client_place place)
{
    return place & ((UINT64_C(1) << CLIENT_PLACE_ID_BITS) - 1);
}

/* One change that is being told to many. */
struct posting {
    struct node *node;
    const struct worker *self;            /* whose thread this is; NULL = none's */
    struct bytes key;                     /* borrowed; data NULL: everything */
    struct invalidation *by[WORKERS_MAX]; /* being filled, for each worker; NULL = none */
};

void posting_init(struct posting *posting, struct node *node, const struct worker *self,
                  struct bytes key);
/* To be told to `to`, on behalf of the client `from`, which is another one when that has said so.
 * Without memory the process stops: a client would keep what is no longer so. */
void posting_add(struct posting *posting, client_place to, client_place from);
/* Posts what has been added. */
void posting_send(struct posting *posting);

/* Of the worker: tells its clients what has been posted. */
void invalidation_collect(struct worker *worker);
/* Of the worker at its end: frees what nobody will be told. */
void invalidation_discard(struct worker *worker);

/* The channel on which a RESP2 client is told. */
#define INVALIDATION_CHANNEL "__redis__:invalidate"

#endif
