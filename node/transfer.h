/*
 * The wire forms of torc.take and the answering side of it: says what this node holds of some
 * slots, and sends them down the replication stream of the node that takes them over.
 */
#ifndef TORC_NODE_TRANSFER_H
#define TORC_NODE_TRANSFER_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* How far a copy of a slot goes. Copies of equal standing are equal. */
struct standing {
    bool complete;
    uint64_t effect_epoch;
    uint64_t sequence;
};

struct slot;
/* Slot lock held. A copy that is being refilled is not complete. */
struct standing slot_standing(const struct slot *slot);

/* < 0 when `a` goes less far. An incomplete one goes nowhere. */
int standing_compare(const struct standing *a, const struct standing *b);

#define STANDING_SIZE 17
#define SEND_REQUEST_SIZE (2 + STANDING_SIZE)

void standing_encode(struct buf *out, const struct standing *standing);
void standing_decode(const char *in, struct standing *out); /* STANDING_SIZE bytes */

enum send_status { SEND_DONE, SEND_LATER };

#endif
