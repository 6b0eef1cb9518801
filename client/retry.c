#include "client/retry.h"

#include "client/limits.h"

#define TOKEN 1000u

void retry_budget_init(struct retry_budget *budget, uint64_t now_ms)
{
    *budget = (struct retry_budget){.tokens = RETRY_BUDGET_MAX * TOKEN, .filled_ms = now_ms};
}

static void fill(struct retry_budget *budget, uint64_t tokens)
{
    const uint64_t full = (uint64_t)RETRY_BUDGET_MAX * TOKEN;
    tokens += budget->tokens;
    budget->tokens = (uint32_t)(tokens < full ? tokens : full);
}

void retry_budget_succeeded(struct retry_budget *budget, bool retried)
{
    fill(budget, retried ? 2 * TOKEN : TOKEN / 10);
}

static bool spend(struct retry_budget *budget, uint64_t now_ms)
{
    if (now_ms > budget->filled_ms) {
        uint64_t passed_ms = now_ms - budget->filled_ms;
        passed_ms = passed_ms < 60000 ? passed_ms : 60000;
        fill(budget, passed_ms * RETRY_BUDGET_PER_SECOND * TOKEN / 1000);
        budget->filled_ms = now_ms;
    }
    if (budget->tokens < TOKEN) {
        return false;
    }
    budget->tokens -= TOKEN;
    return true;
}

bool retry_next(struct retry *retry, struct retry_budget *budget, bool redirected, uint64_t now_ms,
                uint64_t deadline_ms, struct prng *prng, uint64_t *delay_ms)
{
    uint64_t delay = 0;
    if (redirected && retry->redirects < REDIRECTS_AT_ONCE) {
        retry->redirects++;
    } else {
        uint64_t full = RETRY_DELAY_MS_MAX;
        if (retry->delays < 16 && ((uint64_t)RETRY_DELAY_MS_MIN << retry->delays) < full) {
            full = (uint64_t)RETRY_DELAY_MS_MIN << retry->delays;
        }
        if (retry->delays < UINT8_MAX) {
            retry->delays++;
        }
        delay = 1 + prng_below(prng, full);
        if (!spend(budget, now_ms)) {
            delay += RETRY_DELAY_MS_MAX;
        }
    }
    if (now_ms + delay >= deadline_ms) {
        return false;
    }
    *delay_ms = delay;
    return true;
}
