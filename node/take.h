/*
 * Carries the questions and answers of taking slots over (replication/takeover.h) between nodes.
 * The asking side is the control thread's; the answering side runs on the workers.
 */
#ifndef TORC_NODE_TAKE_H
#define TORC_NODE_TAKE_H

#include "replication/copy.h"

#include <stdbool.h>
#include <stdint.h>

struct control;
struct take;

/* NULL without memory. */
struct take *take_create(struct control *control);
void take_destroy(struct take *take);
/* A view was installed: begin anew. */
void take_restart(struct take *take, const struct copy_view *installed);
/* Does what is due; call every few milliseconds. */
void take_tick(struct take *take, uint64_t now_ms);

/* False once nothing is asked for any more. */
bool take_is_under_way(const struct take *take);
/* True while slots are not taken over because that peer has not answered. */
bool take_waits_for(const struct take *take, uint16_t peer);

#endif
