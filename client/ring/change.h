/*
 * A change of the ring: the weights that it wants, the view in which it is under way, and whether
 * the cluster has begun it. Pure; one owner.
 */
#ifndef TORC_CLIENT_RING_CHANGE_H
#define TORC_CLIENT_RING_CHANGE_H

#include "client/ring/options.h"
#include "ring/view.h"

/* What is wanted of one node. */
struct change_step {
    struct node_id id;
    uint32_t weight_before; /* thousandths */
    uint32_t weight;        /* 0 if it is to be removed */
    bool remove;
};

struct change {
    struct change_step *steps; /* owned; only nodes of which something is wanted */
    size_t step_count;
};

/* How far a change has come that was proposed in view `before`. */
enum change_state {
    CHANGE_WAITING, /* nothing has happened */
    CHANGE_BEGUN,   /* it is under way */
    CHANGE_DONE,    /* the ring is as it was wanted */
    CHANGE_FOREIGN, /* another change is under way, or was made */
};

/*
 * The change that the operator asks for, of a settled view; not CHANGE_REBALANCE. No steps: all is
 * as it is wanted already. 0, TORC_ENOMEM, TORC_ENOTFOUND or TORC_EINVAL (node_name_find; or it
 * cannot be, as when nobody would be left with weight), with one line in `error`.
 */
int change_create(struct change *out, const struct view *view, const struct change_request *request,
                  char error[RING_ERROR_SIZE]) TORC_MUST_USE;
/* The change to these weights, one for each node of the view, in thousandths. 0 or TORC_ENOMEM. */
int change_of_weights(struct change *out, const struct view *view,
                      const uint32_t *weights) TORC_MUST_USE;
void change_deinit(struct change *change);

/* A sealed view that follows `view`, in which the change is under way and nothing has moved; the
 * caller's. NULL without memory. */
struct view *change_apply(const struct change *change, const struct view *view);

/* By what `now` says of the nodes of which something is wanted: what others ask for themselves may
 * be part of the same change. */
enum change_state change_look(const struct change *change, const struct view *before,
                              const struct view *now);

/* A change was under way in `before`, and none is in `now`: true if it came to its end, false if it
 * was turned back after `before`. */
bool change_came_to_its_end(const struct view *before, const struct view *now);

#endif
