/*
 * Which node serves a slot, as far as this client knows: the newest topology it has seen, and the
 * slots of which a node has said since (MOVED) that they are elsewhere. Pure; under the handle's
 * lock.
 */
#ifndef TORC_CLIENT_ROUTING_H
#define TORC_CLIENT_ROUTING_H

#include "client/topology.h"

struct routing_exception {
    uint16_t slot;
    struct endpoint owner;
};

struct routing {
    struct topology *topology; /* owned; NULL before the first one */
    struct routing_exception exceptions[ROUTING_EXCEPTIONS_MAX]; /* oldest first */
    size_t exception_count;
};

enum routing_verdict {
    ROUTING_NEWER,   /* or the first, or of a kind that has no epochs: to be adopted */
    ROUTING_SAME,    /* the epoch that is known already */
    ROUTING_OLDER,   /* the sender is behind */
    ROUTING_FOREIGN, /* of another cluster */
};

void routing_deinit(struct routing *routing);
enum routing_verdict routing_judge(const struct routing *routing, const struct topology *topology);
/* Takes the topology over. Exceptions end with the topology that they are from. */
void routing_adopt(struct routing *routing, struct topology *topology);

/* Takes note of MOVED; forgets the oldest exception when there are too many. */
void routing_moved(struct routing *routing, uint16_t slot, const struct endpoint *owner);
/* Forgets what MOVED said of a node that turned out not to be reachable. */
void routing_distrust(struct routing *routing, const struct endpoint *owner);
/* Where MOVED said that the slot is; NULL: it said nothing. */
const struct endpoint *routing_exception(const struct routing *routing, uint16_t slot);

#endif
