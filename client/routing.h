/*
 * Which node serves a slot, as far as this client knows: the newest view it has seen, and the slots
 * of which a node has said since (MOVED) that they are elsewhere. Pure; one owner.
 */
#ifndef TORC_CLIENT_ROUTING_H
#define TORC_CLIENT_ROUTING_H

#include "base/attributes.h"
#include "client/endpoint.h"
#include "client/limits.h"
#include "ring/view.h"

#include <stdbool.h>

struct routing_exception {
    uint16_t slot;
    struct endpoint owner;
};

struct routing {
    const struct view *view; /* retained; NULL before the first one */
    struct routing_exception exceptions[ROUTING_EXCEPTIONS_MAX]; /* oldest first */
    size_t exception_count;
};

enum routing_verdict {
    ROUTING_ADOPTED, /* it is newer, or the first; it is used from now on */
    ROUTING_SAME,    /* the epoch that is known already */
    ROUTING_OLDER,   /* the sender is behind */
    ROUTING_FOREIGN, /* of another cluster; not used */
};

void routing_init(struct routing *routing);
void routing_deinit(struct routing *routing);

/* Adopts the view, retaining it, if it is newer. Exceptions end with the view that they are from.
 */
enum routing_verdict routing_offer(struct routing *routing, const struct view *view);
/* Adopts it in any case: when the cluster that was known is gone. */
void routing_adopt(struct routing *routing, const struct view *view);

/* Takes note of MOVED; forgets the oldest exception when there are too many. */
void routing_moved(struct routing *routing, uint16_t slot, const struct endpoint *owner);
/* Forgets what MOVED said of a node that turned out not to be reachable. */
void routing_distrust(struct routing *routing, const struct endpoint *owner);

/* The direct port of the slot's primary. False: no owner is up, or there is no view. */
bool routing_owner(const struct routing *routing, uint16_t slot, struct endpoint *out);
/* The client port of some node that is up; every `turn` names another, in a circle. False: none. */
bool routing_any(const struct routing *routing, size_t turn, struct endpoint *out);
/* True if the endpoint is a client or direct port of a node of the view. */
bool routing_knows(const struct routing *routing, const struct endpoint *endpoint);

#endif
