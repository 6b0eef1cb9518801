/*
 * The order in which nodes are shown. Pure.
 */
#ifndef TORC_CLIENT_RING_NODE_ORDER_H
#define TORC_CLIENT_RING_NODE_ORDER_H

#include "ring/view.h"

/* Indexes into the view's nodes by zone, then by address, numbers in it counting as numbers: as
 * machines are numbered. The caller's to free(); NULL without memory. */
size_t *node_order(const struct view *view);

#endif
