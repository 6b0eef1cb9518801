/*
 * A node that tells which of the keys that were read there have changed (CLIENT TRACKING): how it
 * is brought to that, what it tells, and whether it still lives. The near cache's half that knows
 * connections; the handle's lock is held.
 *
 *      data    a connection on which cached keys are read: the node remembers which
 *      push    another one, to which it tells of what changes, where `redirected`: subscribed to
 *              __redis__:invalidate. Else the data connection speaks RESP3, and hears of them
 *
 *      DOWN ──► GREETING ──speaks RESP3──────────────────► ASKING ──► READY
 *        └──────────┴──hiredis or the node does not──► SUBSCRIBING
 *
 * The data connection is asked in turn whether it lives, and then, where there is one, the push
 * connection: when the last has answered, everything that had changed when the question was put is
 * known here. If either breaks, what was read over it is void, and it is DOWN.
 */
#ifndef TORC_CLIENT_NEAR_NODE_H
#define TORC_CLIENT_NEAR_NODE_H

#include "client/endpoint.h"
#include "client/near_table.h"
#include "client/subscription.h"

struct node;

enum near_state {
    NEAR_DOWN,        /* until due_ms, or nobody has asked for anything */
    NEAR_GREETING,    /* the data connection is made, and asked to speak RESP3 */
    NEAR_SUBSCRIBING, /* the push connection is being made */
    NEAR_ASKING,      /* the node is asked to track */
    NEAR_READY
};

/* A node, by the endpoint at which it serves its slots. */
struct near_node {
    struct near_node *next;
    struct endpoint endpoint;
    struct near_table *table; /* what is read from it; borrowed */
    enum near_state state;
    struct near_source source;
    bool redirected; /* changes are told over the push connection */
    struct subscription push;
    struct node *data;    /* NULL: DOWN, or SUBSCRIBING */
    uint64_t due_ms;      /* DOWN: not tried before. READY: asked next whether it lives */
    uint64_t asked_ms;    /* when that was asked last */
    bool awaiting;        /* the answer */
    bool resting;         /* nothing has been read since it was asked last: it is not asked */
    uint64_t invalidated; /* messages */
};

/* DOWN, to be tried at once; the caller frees it, DOWN. NULL without memory. */
struct near_node *near_node_create(const struct endpoint *endpoint, struct near_table *table);

/* It is DOWN, and asked to tell of changes: after one call or several it is READY, or DOWN again.
 * Until it is DOWN somebody polls, also while nobody waits. */
void near_node_begin(struct torc *handle, struct near_node *node);
/* It is READY, and something is read from it. */
void near_node_use(struct torc *handle, struct near_node *node, uint64_t now_ms);
/* It is READY, and its time has come. */
void near_node_run(struct torc *handle, struct near_node *node, uint64_t now_ms);
/* It does not tell of changes any more, if it did; it may be tried again after so long. */
void near_node_end(struct torc *handle, struct near_node *node, uint64_t delay_ms);
/* Something of RESP3 has come unasked on its data connection; borrowed. */
void near_node_told(struct near_node *node, const redisReply *push);
/* What was read from it is void. */
void near_node_void(struct near_node *node);

#endif
