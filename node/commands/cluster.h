/*
 * What the commands about the cluster share: the present view together with what gossip holds of
 * its nodes.
 */
#ifndef TORC_NODE_COMMANDS_CLUSTER_H
#define TORC_NODE_COMMANDS_CLUSTER_H

#include "base/attributes.h"
#include "node/call.h"
#include "node/command.h"
#include "node/commands/cluster_text.h"
#include "ring/view.h"

struct node;

struct cluster_state {
    const struct view *view;        /* retained; NULL before the node has joined */
    struct cluster_member *members; /* parallel to view->nodes */
};

/* 0 or TORC_ENOMEM. Any thread; takes the gossip lock for a moment. */
int cluster_state_take(struct cluster_state *out, struct node *node) TORC_MUST_USE;
void cluster_state_release(struct cluster_state *state);

/* The slot that an argument names; false: it is none. */
bool cluster_read_slot(const struct call *call, size_t index, uint16_t *slot);

#endif
