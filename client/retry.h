/*
 * When to try again: exponential backoff with full jitter under each call's deadline, and a budget
 * that all calls of a handle share. Pure; values.
 *
 * The budget paces, it does not refuse: a retry that finds it empty waits for another turn, so a
 * fail-over is waited for, but what a handle adds to the load of a cluster in trouble is bounded.
 * Retries that succeed refill it, so that calls that piled up flow again, faster and faster, once
 * the trouble is over. Sources: "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015: full
 * jitter); gRPC's retry throttling (proposal A6) for tokens that successes give back.
 */
#ifndef TORC_CLIENT_RETRY_H
#define TORC_CLIENT_RETRY_H

#include "base/prng.h"

#include <stdbool.h>
#include <stdint.h>

/* What one call has tried. Zeroed = nothing yet. */
struct retry {
    uint8_t redirects; /* MOVED or ASK, followed at once */
    uint8_t delays;    /* waits so far, or 255 */
};

struct retry_budget {
    uint32_t tokens; /* thousandths of a retry */
    uint64_t filled_ms;
};

void retry_budget_init(struct retry_budget *budget, uint64_t now_ms);
/* A call was answered; `retried`: it was not its first attempt. */
void retry_budget_succeeded(struct retry_budget *budget, bool retried);

/*
 * After an attempt that is to be made again. `redirected`: a node has named another one, which
 * costs neither wait nor budget for REDIRECTS_AT_ONCE times. True: try again after *delay_ms.
 * False: that would be at or after the deadline.
 */
bool retry_next(struct retry *retry, struct retry_budget *budget, bool redirected, uint64_t now_ms,
                uint64_t deadline_ms, struct prng *prng, uint64_t *delay_ms);

#endif
