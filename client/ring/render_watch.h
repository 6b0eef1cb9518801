/*
 * The change under way, as it is watched: one line of at most 80 columns, again and again, and what
 * there is to say when it is over. Pure.
 */
#ifndef TORC_CLIENT_RING_RENDER_WATCH_H
#define TORC_CLIENT_RING_RENDER_WATCH_H

#include "client/ring/cells.h"
#include "client/ring/progress.h"

/* Appends without a newline. */
void render_progress(struct buf *out, const struct progress *progress, struct look look);
/* Appends the last lines, after a change that took so long. */
void render_end(struct buf *out, const struct progress *progress, double seconds);

#endif
