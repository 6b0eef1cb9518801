/*
 * What somebody asks of the ring: other weights for some nodes, that some be removed, or that the
 * change under way be turned back. It names the ring that it starts from, so that of two wishes at
 * one time only the first is granted, and none is granted twice. A value; one owner.
 */
#ifndef TORC_RING_RING_WISH_H
#define TORC_RING_RING_WISH_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/codec.h"
#include "ring/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring_wish_node {
    struct node_id id;
    uint32_t weight; /* thousandths; 0 when it is to be removed */
    bool remove;     /* once it owns nothing; at once if it is down */
};

struct ring_wish {
    uint64_t tag; /* view_ring_tag of the view that it was made for; 0 = there is no wish */
    bool cancel;  /* turn the change under way back; no nodes then */
    size_t count;
    struct ring_wish_node *nodes; /* owned */
};

void ring_wish_deinit(struct ring_wish *wish); /* leaves it without a wish */
/* 0 or TORC_ENOMEM (*out is without a wish). */
int ring_wish_copy(struct ring_wish *out, const struct ring_wish *wish) TORC_MUST_USE;
/* Adds a node; of one that is named twice the last counts. 0, TORC_ENOMEM, TORC_ETOOBIG. */
int ring_wish_add(struct ring_wish *wish, const struct ring_wish_node *node) TORC_MUST_USE;

/*
 * Whether the view can grant it. The view is sealed. 0; TORC_ESTALE: the ring is another by now;
 * TORC_EAGAIN: a ring change is under way; TORC_ENOTFOUND: no change is under way to be turned
 * back, or a node is not in the view; TORC_EEXIST: the change is being turned back already;
 * TORC_EINVAL: a weight over WEIGHT_MAX, or nobody who is there would be left with a weight.
 */
int ring_wish_check(const struct ring_wish *wish, const struct view *view) TORC_MUST_USE;
/* Puts it into the view that is to follow, which is not sealed; of a wish that was checked. The
 * caller begins or turns back the change. */
void ring_wish_apply(const struct ring_wish *wish, struct view *next);

void ring_wish_write(const struct ring_wish *wish, struct buf *out);
/* *out is the caller's to deinit. 0, TORC_ENOMEM; what is malformed shows in reader->failed. */
int ring_wish_read(struct reader *reader, struct ring_wish *out) TORC_MUST_USE;

#endif
