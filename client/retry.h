/*
 * When to try again: delays that double, with jitter, and never past the deadline. Pure; a value.
 */
#ifndef TORC_CLIENT_RETRY_H
#define TORC_CLIENT_RETRY_H

#include "base/prng.h"

#include <stdbool.h>
#include <stdint.h>

struct retry {
    unsigned redirects; /* rounds that only followed MOVED */
    unsigned delays;    /* rounds that waited */
};

/*
 * After a round that left something to be tried again. `only_moved`: all of it was redirected,
 * which costs no wait for REDIRECTS_AT_ONCE rounds. True: try again after *delay_ms. False: that
 * would be at or after the deadline.
 */
bool retry_next(struct retry *retry, bool only_moved, uint64_t now_ms, uint64_t deadline_ms,
                struct prng *prng, uint64_t *delay_ms);

#endif
