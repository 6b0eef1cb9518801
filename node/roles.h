/*
 * Installs views: gives each slot its role, opens and closes streams. The control thread installs;
 * the slots change under their locks while the workers run.
 */
#ifndef TORC_NODE_ROLES_H
#define TORC_NODE_ROLES_H

#include "base/attributes.h"
#include "node/slot_rim.h"
#include "ring/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct node;
struct slot;

/* Makes the view the node's own if it is newer: gives every slot its role, opens and closes
 * streams, publishes the view and wakes the workers. Retains the view. `peers`: room for the peer
 * of each of its nodes (NODES_MAX), filled in. True if it was newer. */
bool roles_install(struct node *node, const struct slot_rim *rim, const struct view *view,
                   uint16_t *peers);

/* The slot, which is locked, was served here and is not any more: whoever waits for its values, or
 * keeps them, is told. Any thread. */
void roles_slot_stopped(struct node *node, struct slot *slot);

/* How far the node is with what its view asks of it. */
struct roles_state {
    size_t unready;  /* slots that it leads and does not serve, or does not follow yet */
    size_t unserved; /* of those, the ones it leads */
};
struct roles_state roles_look(struct node *node);

#endif
