/*
 * A proposal as text: who would have what before and after, what would move, and how long it would
 * take. Lines of at most 80 columns. Pure.
 */
#ifndef TORC_CLIENT_RING_RENDER_PLAN_H
#define TORC_CLIENT_RING_RENDER_PLAN_H

#include "client/ring/cells.h"
#include "client/ring/proposal.h"

/* Appends; no memory shows in out->failed. */
void render_plan(struct buf *out, const struct proposal *proposal, struct look look);
/* What is to be done, or that there is nothing to do, and why; one line. */
void render_plan_title(struct buf *out, const struct proposal *proposal);

#endif
