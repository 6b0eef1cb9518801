/*
 * A change of the ring before it is made: what the operator asked for, the weights that follow from
 * it, and what they will do. Pure; one owner.
 */
#ifndef TORC_CLIENT_RING_PROPOSAL_H
#define TORC_CLIENT_RING_PROPOSAL_H

#include "client/ring/change.h"
#include "client/ring/forecast.h"
#include "client/ring/rebalance.h"

/* What a proposal is made of. */
struct proposal_input {
    const struct view *view; /* sealed; no change is under way. Retained by the proposal */
    const struct change_request *request; /* copied; its texts are borrowed */
    const struct measure *measure;        /* borrowed for the call */
    const struct summary *summary;        /* borrowed for the call; of `view` */
};

struct proposal {
    const struct view *view; /* one reference */
    struct change_request request;
    struct change change;       /* no steps: there is nothing to do */
    struct rebalance rebalance; /* of CHANGE_REBALANCE */
    const struct view *next;    /* one reference; NULL if there is nothing to do */
    struct forecast forecast;   /* empty if there is nothing to do */
};

/* 0, or the errors of change_create with one line in `error`. */
int proposal_create(struct proposal *out, const struct proposal_input *input,
                    char error[RING_ERROR_SIZE]) TORC_MUST_USE;
void proposal_deinit(struct proposal *proposal);

/* Appends the arguments of TORC.RING behind its name: CHANGE, the tag of the ring, and id and
 * weight of each step, each with a zero behind it. *count: how many. */
void proposal_encode(const struct proposal *proposal, struct buf *out, size_t *count);

#endif
