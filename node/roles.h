/*
 * What a view makes of each slot at this node: installs views, and says which slots must still be
 * taken over. The control thread installs; the slots change under their locks while the workers
 * run.
 */
#ifndef TORC_NODE_ROLES_H
#define TORC_NODE_ROLES_H

#include "base/attributes.h"
#include "ring/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct node;

/* Makes the view the node's own if it is newer: gives every slot its role, opens and closes
 * streams, publishes the view and wakes the workers. Retains the view. True if it was newer. */
bool roles_install(struct node *node, const struct view *view);

/* Once every node that is up holds all it owns under this view: stops telling the replicas of
 * earlier views, and drops the data of slots that only others own. */
void roles_drop_former(struct node *node, const struct view *view);

/* Slots of ours that are not yet taken over. */
size_t roles_missing(struct node *node);

#endif
