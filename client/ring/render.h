/*
 * What torc-ring shows to people of the ring as it is: lines of at most 80 columns, cut where they
 * must be ("~" stands for what is missing; JSON has everything). Pure.
 */
#ifndef TORC_CLIENT_RING_RENDER_H
#define TORC_CLIENT_RING_RENDER_H

#include "base/buf.h"
#include "client/ring/cells.h"
#include "client/ring/summary.h"

/* All append; no memory shows in out->failed. */

/* After summary_judge. */
void render_status(struct buf *out, const struct summary *summary, struct look look);
/* keys: zero-terminated. */
void render_slots(struct buf *out, const struct view *view, char *const *keys, int count);

#endif
