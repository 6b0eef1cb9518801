/*
 * The output of torc-ring as JSON, for programs; what is in it is written down in torc-ring(1).
 * Pure.
 */
#ifndef TORC_CLIENT_RING_RENDER_JSON_H
#define TORC_CLIENT_RING_RENDER_JSON_H

#include "client/ring/progress.h"
#include "client/ring/proposal.h"
#include "client/ring/summary.h"

#include <jansson.h>

/* All return a new reference, or NULL without memory. */
json_t *render_status_json(const struct summary *summary);
json_t *render_slots_json(const struct view *view, char *const *keys, int count);
/* outcome: what has become of it, as in torc-ring(1). */
json_t *render_plan_json(const struct proposal *proposal, const char *outcome);
json_t *render_progress_json(const struct progress *progress);

#endif
