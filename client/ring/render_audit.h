/*
 * What came of an audit: text of at most 80 columns, and JSON. Pure.
 */
#ifndef TORC_CLIENT_RING_RENDER_AUDIT_H
#define TORC_CLIENT_RING_RENDER_AUDIT_H

#include "client/ring/audit.h"
#include "client/ring/cells.h"

#include <jansson.h>

/* Appends; no memory shows in out->failed. */
void render_audit(struct buf *out, const struct audit *audit, double seconds, struct look look);
/* How far the comparing is, without a newline. */
void render_audit_progress(struct buf *out, const struct audit *audit, struct look look);
/* A new reference; NULL without memory. */
json_t *render_audit_json(const struct audit *audit, double seconds);

#endif
