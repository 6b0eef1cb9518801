#include "client/breaker.h"

#include "client/limits.h"

bool breaker_is_open(const struct breaker *breaker, uint64_t now_ms)
{
    return breaker->state != BREAKER_CLOSED && now_ms < breaker->until_ms;
}

bool breaker_allows(struct breaker *breaker, uint64_t now_ms, unsigned open_ms)
{
    if (breaker->state == BREAKER_CLOSED) {
        return true;
    }
    if (breaker_is_open(breaker, now_ms)) {
        return false;
    }
    breaker->state = BREAKER_HALF_OPEN;
    breaker->until_ms = now_ms + open_ms;
    return true;
}

void breaker_succeeded(struct breaker *breaker)
{
    *breaker = (struct breaker){.state = BREAKER_CLOSED};
}

void breaker_failed(struct breaker *breaker, uint64_t now_ms, unsigned limit, unsigned open_ms,
                    struct prng *prng)
{
    breaker->failures++;
    if (breaker->state == BREAKER_OPEN ||
        (breaker->state == BREAKER_CLOSED && breaker->failures < limit)) {
        return;
    }
    uint64_t full = (uint64_t)open_ms << breaker->openings;
    breaker->openings += breaker->openings < BREAKER_OPENINGS_MAX ? 1 : 0;
    breaker->state = BREAKER_OPEN;
    breaker->until_ms = now_ms + full / 2 + prng_below(prng, full / 2 + 1);
}
