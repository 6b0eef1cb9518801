/*
 * Taking slots over. A node that a view makes primary of a slot first asks every other node that is
 * up what it holds: their answers say that they have installed the view, so that nobody else serves
 * the slot any more, and who has the latest of it. It then has that one send the slot, unless it
 * has as much itself, and serves. A node that is made replica has the primary send it.
 *
 *      new view ─► ask (torc.take query) ─► all answered ─► have sent (torc.take send) ─► serve
 *
 * The slot travels in the replication stream, in order with everything else about it. This side is
 * the control thread's; the answering side runs on the workers.
 */
#ifndef TORC_NODE_TAKE_H
#define TORC_NODE_TAKE_H

#include "base/attributes.h"

#include <stdbool.h>
#include <stdint.h>

struct control;
struct take;

/* NULL without memory. */
struct take *take_create(struct control *control);
void take_destroy(struct take *take);
/* A view was installed: begin anew. */
void take_restart(struct take *take);
/* Does what is due; call every few milliseconds. True once nothing is missing. */
bool take_tick(struct take *take, uint64_t now_ms);

#endif
