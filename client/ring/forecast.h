/*
 * What a change of the ring will do: a plan, and what is in the slots that it moves. Pure; one
 * owner.
 */
#ifndef TORC_CLIENT_RING_FORECAST_H
#define TORC_CLIENT_RING_FORECAST_H

#include "base/attributes.h"
#include "client/ring/measure.h"
#include "client/ring/summary.h"
#include "ring/plan.h"

/* Bytes a second that a node is assumed to send when it has no limit of its own. */
#define RATE_ASSUMED (100.0 * 1024 * 1024)

/* What a node has, its replicas included in keys and bytes. */
struct load {
    double slots; /* that it leads */
    double keys;
    double bytes;
    double ops; /* a second, in the slots that it leads */
};

struct forecast {
    struct plan *plan;   /* owned */
    struct load *before; /* owned; one for each of plan->nodes */
    struct load *after;  /* owned; likewise */
    double keys_moved;   /* copies of keys to be sent */
    double bytes_moved;
    uint32_t primaries_least; /* the same of plan->primaries_moved */
    uint32_t copies_least;    /* plan->copies_moved can be no less, for the nodes to hold as much as
                                they  will */
    uint32_t slots_unknown;   /* whose content is not known and counts as nothing */
    bool has_ops;
    double seconds;    /* until the node that has most to send has sent it */
    double rate;       /* bytes a second, of that node */
    bool rate_assumed; /* it is RATE_ASSUMED */
    struct imbalance imbalance_before;
    struct imbalance imbalance_after;
};

/* What a forecast is made of; all borrowed for the call. */
struct forecast_input {
    const struct view *now;  /* sealed; no change is under way */
    const struct view *next; /* of change_apply */
    const struct measure *measure;
    const struct summary *summary; /* of `now`: the limits of its nodes */
    bool by_intent; /* what is due goes by due_intended and not by the weights of the two rings */
};

/* 0 or TORC_ENOMEM. */
int forecast_create(struct forecast *out, const struct forecast_input *input) TORC_MUST_USE;
void forecast_deinit(struct forecast *forecast);

#endif
