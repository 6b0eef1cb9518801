/*
 * How an operator names a node: its id, the beginning of it, or where it listens. Pure.
 */
#ifndef TORC_CLIENT_RING_NODE_NAME_H
#define TORC_CLIENT_RING_NODE_NAME_H

#include "base/attributes.h"
#include "client/ring/options.h"
#include "ring/view.h"

#define NODE_PREFIX_MIN 4 /* characters of an id, so that a slip is not taken for a name */

/* Sets *index to the node of the view that `name` means: an id, a unique beginning of one, or
 * host:port of any of its ports, the host as the node announces it. 0, or TORC_ENOTFOUND (nobody,
 * or several) or TORC_EINVAL (it can be no name) with one line in `error`. */
int node_name_find(const struct view *view, const char *name, size_t *index,
                   char error[RING_ERROR_SIZE]) TORC_MUST_USE;

#endif
