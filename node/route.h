/*
 * Where a worker sends requests for a slot that a view has given to another node: to whoever led it
 * before, which serves it until the new one asks for it (copy.h, acting), and says so when it does
 * not. A hint, as the view is: only the slot itself says whether it is served. One thread, the
 * worker's.
 */
#ifndef TORC_NODE_ROUTE_H
#define TORC_NODE_ROUTE_H

#include "base/limits.h"
#include "ring/view.h"

#include <stdbool.h>
#include <stdint.h>

struct peers;

struct route {
    uint16_t before[SLOT_COUNT]; /* peer; PEER_NONE: whoever leads by the view */
};

void route_init(struct route *route);
/* The worker goes from one view to the next. Both may be NULL. */
void route_follow_view(struct route *route, struct peers *peers, const struct node_id *self,
                       const struct view *from, const struct view *to);
/* The peer has not served the slot. True if it had been asked because it led before: whoever leads
 * by the view is to be asked now. */
bool route_refused(struct route *route, uint16_t slot, uint16_t peer);

#endif
