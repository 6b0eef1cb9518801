/*
 * Telling a slot's replicas about an effect that the dispatcher did not see, because the command
 * works on many slots and locks them one by one: FLUSHALL.
 */
#ifndef TORC_NODE_SLOTS_REPLICATE_H
#define TORC_NODE_SLOTS_REPLICATE_H

#include "base/bytes.h"

#include <stddef.h>

struct call;
struct slot;

/* Gives the effect the slot's next sequence number and appends it to the streams of its replicas;
 * the reply of `call` waits for them as it does for any write. Slot lock held. */
void slot_replicate(struct call *call, struct slot *slot, size_t argc, const struct bytes *argv);

#endif
