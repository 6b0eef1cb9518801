/*
 * When a handle asks for a newer view: one question at a time, never two within an interval, and at
 * a moment that is chance, so that a thousand clients that learn of a change together neither ask
 * together nor ask one node. Pure; a value.
 *
 *      wanted --jitter--> due --> asking --answered--> interval --> wanted ...
 */
#ifndef TORC_CLIENT_REFRESH_H
#define TORC_CLIENT_REFRESH_H

#include "base/prng.h"

#include <stdbool.h>
#include <stdint.h>

/* Zeroed = nothing is wanted. */
struct refresh {
    bool wanted;
    bool asking;
    uint64_t due_ms;      /* wanted: not before */
    uint64_t earliest_ms; /* of the next question */
};

/* Something does not fit the view. `urgent`: calls cannot be served without a newer one, because a
 * node is not reachable; else the slot that has moved is known, and there is time. */
void refresh_want(struct refresh *refresh, bool urgent, uint64_t now_ms, struct prng *prng);
/* True: ask now; refresh_done must follow. */
bool refresh_begin(struct refresh *refresh, uint64_t now_ms);
/* It was answered, or nobody answered. */
void refresh_done(struct refresh *refresh, uint64_t now_ms, struct prng *prng);
/* When refresh_begin will be true; UINT64_MAX: not without another refresh_want. */
uint64_t refresh_due(const struct refresh *refresh);

#endif
