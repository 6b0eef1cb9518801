/*
 * Moves the quorum: its messages in and out, what must be on disk, the views it decides, and what
 * this node reports of itself. Control thread, unless said.
 */
#ifndef TORC_NODE_QUORUM_DRIVER_H
#define TORC_NODE_QUORUM_DRIVER_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "ring/view.h"

#include <stdbool.h>
#include <stdint.h>

struct control;

/* Begins with that view and with what was promised before a restart. TORC_E..., logged. */
int quorum_driver_start(struct control *control, const struct view *view,
                        struct bytes durable) TORC_MUST_USE;
/* A message came as a datagram. */
void quorum_driver_receive(struct control *control, struct bytes message);
/* A view came from elsewhere. */
void quorum_driver_offer(struct control *control, const struct view *view);
/* Does what is due: call every tick. */
void quorum_driver_tick(struct control *control);
/* At the end: frees the quorum and what came for it. */
void quorum_driver_stop(struct control *control);
/* Says goodbye to the voters: this node serves nothing any more. */
void quorum_driver_leave(struct control *control);

/* Any thread. A message of the quorum came over the bus. TORC_ENOMEM, TORC_EOVERLOAD. */
int quorum_driver_post(struct control *control, struct bytes message) TORC_MUST_USE;

#endif
