#include "client/retry.h"

#include "client/limits.h"

bool retry_next(struct retry *retry, bool only_moved, uint64_t now_ms, uint64_t deadline_ms,
                struct prng *prng, uint64_t *delay_ms)
{
    uint64_t delay = 0;
    if (only_moved && retry->redirects < REDIRECTS_AT_ONCE) {
        retry->redirects++;
    } else {
        uint64_t full = RETRY_DELAY_MS_MAX;
        if (retry->delays < 16 && ((uint64_t)RETRY_DELAY_MS_MIN << retry->delays) < full) {
            full = (uint64_t)RETRY_DELAY_MS_MIN << retry->delays;
        }
        retry->delays++;
        /* Half of it is chance, so that clients that failed together do not return together. */
        delay = full / 2 + prng_below(prng, full / 2 + 1);
    }
    if (now_ms + delay >= deadline_ms) {
        return false;
    }
    *delay_ms = delay;
    return true;
}
