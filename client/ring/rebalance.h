/*
 * Weights that even out what is measured: slots, bytes or operations, relative to what each node is
 * intended to have (due_intended). Weights are tried out with the placement that the ring would
 * make of them, so that what is foretold is what will be. Pure.
 */
#ifndef TORC_CLIENT_RING_REBALANCE_H
#define TORC_CLIENT_RING_REBALANCE_H

#include "base/attributes.h"
#include "ring/view.h"

#include <stdbool.h>
#include <stdint.h>

/* Below that it is not worth moving anything: what is written meanwhile changes more. */
#define REBALANCE_GAIN_MIN 0.02

struct rebalance_input {
    const struct view *view; /* sealed; no change is under way */
    const double *measure;   /* of each slot: of one copy */
    bool copies;             /* replicas count too: what is measured is held, not done */
};

struct rebalance {
    uint32_t *weights;     /* owned; thousandths, one for each node of the view */
    double imbalance_now;  /* the most over what is due: 0.1 = 10 % */
    double imbalance_best; /* with `weights` */
    bool worthwhile;       /* it is better by REBALANCE_GAIN_MIN at least */
};

/* Nodes without weight stay without; the sum of the weights is the sum of the intended ones,
 * nearly. Of weights that are about equally good, those that move the least. 0 or TORC_ENOMEM. */
int rebalance_find(struct rebalance *out, const struct rebalance_input *input) TORC_MUST_USE;
void rebalance_deinit(struct rebalance *rebalance);

#endif
