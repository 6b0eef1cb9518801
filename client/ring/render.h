/*
 * The output of torc-ring as text: lines of at most 80 columns, cut where they must be ("~" stands
 * for what is missing; JSON has everything). Pure.
 */
#ifndef TORC_CLIENT_RING_RENDER_H
#define TORC_CLIENT_RING_RENDER_H

#include "base/buf.h"
#include "client/ring/summary.h"

#include <stdbool.h>

#define RENDER_WIDTH 80

/* Both append; no memory shows in out->failed. `colour`: with the escapes of a terminal. */
void render_status(struct buf *out, const struct summary *summary, bool colour);
/* keys: zero-terminated. */
void render_slots(struct buf *out, const struct view *view, char *const *keys, int count);

/* 5 columns at most: "999", "12.3k", "456M"; steps of 1000, or of 1024 for bytes. */
#define RENDER_SHORT_SIZE 8
void render_short_number(char out[RENDER_SHORT_SIZE], uint64_t number, unsigned step);
/* Printable ASCII as it is, everything else as \xNN. */
void render_key(struct buf *out, struct bytes key);

#endif
