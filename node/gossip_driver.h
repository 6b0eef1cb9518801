/*
 * Moves gossip: datagrams in and out, what its events lead to, and the exchange of whole states
 * over the bus. Control thread.
 */
#ifndef TORC_NODE_GOSSIP_DRIVER_H
#define TORC_NODE_GOSSIP_DRIVER_H

#include "base/attributes.h"
#include "ring/view.h"

#include <stdint.h>

struct control;

/* Creates the node's gossip for the cluster of this view. TORC_E..., logged. */
int gossip_driver_start(struct control *control, const struct view *view) TORC_MUST_USE;
/* Reads what has arrived and acts on it. */
void gossip_driver_receive(struct control *control);
/* Does what is due, sends what there is to send. */
void gossip_driver_tick(struct control *control, uint64_t now_ms);
/* Exchanges the whole state with a random node. */
void gossip_driver_exchange(struct control *control);
/* Tells the others what this node says of itself now. */
void gossip_driver_publish(struct control *control);
void gossip_driver_leave(struct control *control);

#endif
