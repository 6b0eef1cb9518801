/*
 * What is in each slot, and what is asked of it, by CLUSTER SLOT-STATS of the nodes that lead them.
 * Pure; one owner.
 */
#ifndef TORC_CLIENT_RING_MEASURE_H
#define TORC_CLIENT_RING_MEASURE_H

#include "base/limits.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

/* One copy of one slot. */
struct slot_measure {
    bool known;
    uint64_t keys;
    uint64_t bytes;
    uint64_t commands; /* since its node began to lead it */
    double ops;        /* a second; by measure_set_ops */
};

struct measure {
    struct slot_measure slots[SLOT_COUNT];
    bool has_ops;
};

/* Takes a node's reply in; of a slot that two speak of, the later counts. An error (an older node
 * has no such command), or what is no such reply, leaves its slots unknown. */
void measure_read(struct measure *measure, const redisReply *reply);

/* Sets the ops of all slots from what they were `seconds` before. A slot that has changed hands
 * meanwhile counts as idle. */
void measure_set_ops(struct measure *measure, const struct measure *before, double seconds);

/* How many slots nothing is known of. */
uint32_t measure_unknown(const struct measure *measure);

#endif
