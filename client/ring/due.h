/*
 * What each node ought to have by its weight. Pure.
 */
#ifndef TORC_CLIENT_RING_DUE_H
#define TORC_CLIENT_RING_DUE_H

#include "ring/view.h"

#include <stddef.h>
#include <stdint.h>

/*
 * out[i]: the part of all slots of which node i is due a copy, when each slot has `copies`: by
 * weight, but never more than all of them, what a node cannot take being the others'. The sum is
 * the number of copies, or of nodes with weight if those are fewer; 0 for nodes without weight.
 */
void due_shares(const uint32_t *weights, size_t count, unsigned copies, double *out);

/*
 * The weight that a node's operator intends it to have, in thousandths: the --weight that it was
 * started with, for the ring's may be one that rebalance has chosen. But 0 for a node that has been
 * drained, and the ring's for one that was started without any.
 */
uint32_t due_intended(const struct view_node *node);

/* By which shares something is due: by `shares` or by `others` (NULL: none), whichever gives more.
 * A weight that was chosen so as to even something out is as good a reason as one that was asked
 * for.
 */
struct due_by {
    const double *shares;
    const double *others;
};

/* The most that a node has over what it is due of the sum of has[]: 0.1 = 10 %. Nodes without share
 * do not count. 0 when there is nothing. */
double due_excess(const double *has, const struct due_by *by, size_t count);
/* What each is due of `total`, into out[]. */
void due_parts(double total, const struct due_by *by, size_t count, double *out);

#endif
