/*
 * How a handle learns what the cluster looks like: from its seeds at first, from the nodes it knows
 * later. It asks for a view (TORC.VIEW); a server that does not know that is asked for CLUSTER
 * SLOTS, and one that knows neither is a plain server that has everything. Questions are calls like
 * any others, so nobody waits here. The handle's lock is held.
 */
#ifndef TORC_CLIENT_DISCOVER_H
#define TORC_CLIENT_DISCOVER_H

#include "client/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct torc;
struct call;
struct topology;

enum discover_state {
    DISCOVER_IDLE,
    DISCOVER_JOINING,    /* asking a seed */
    DISCOVER_PAUSING,    /* the seeds have no cluster yet; asked again at due_ms */
    DISCOVER_REFRESHING, /* asking for a newer view */
};

struct discover {
    enum discover_state state;
    size_t index;         /* of the candidate that is asked */
    size_t start;         /* REFRESHING: the node that the circle begins with */
    size_t asked;         /* REFRESHING: nodes asked so far */
    uint64_t deadline_ms; /* JOINING: of the whole round */
    uint64_t due_ms;      /* PAUSING */
    unsigned pauses;
    bool forming;               /* a seed said that it has no cluster yet */
    bool answered;              /* the last refresh was, by somebody of this cluster */
    uint64_t refreshes;         /* that have ended */
    struct topology *found;     /* JOINING: what the seed said, until its commands are known too */
    struct topology *foreign;   /* REFRESHING: of another cluster, from a seed */
    int error;                  /* of the last seed */
    char text[ERROR_TEXT_SIZE]; /* of all seeds */
};

/* Begins to join, if that is not under way: for calls that are in handle->unrouted, which are sent
 * when it is done, or fail with what the seeds said. */
void discover_join(struct torc *handle);
/* Timers: joins again, or asks for a newer view if one is wanted and due. */
void discover_run(struct torc *handle, uint64_t now_ms);
/* An unrouted call has waited too long: notes why. */
void discover_explain(struct torc *handle, struct call *call);
void discover_deinit(struct discover *discover);

#endif
