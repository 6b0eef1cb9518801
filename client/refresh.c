#include "client/refresh.h"

#include "client/limits.h"

#include <assert.h>

void refresh_want(struct refresh *refresh, bool urgent, uint64_t now_ms, struct prng *prng)
{
    const uint64_t spread = urgent ? REFRESH_URGENT_MS : REFRESH_SPREAD_MS;
    uint64_t due_ms = now_ms + prng_below(prng, spread);
    due_ms = due_ms > refresh->earliest_ms ? due_ms : refresh->earliest_ms;
    if (!refresh->wanted || due_ms < refresh->due_ms) {
        /* Many calls may want it: only the first draws, or the least of the draws would win. */
        if (!refresh->wanted || refresh->due_ms > now_ms + spread) {
            refresh->due_ms = due_ms;
        }
        refresh->wanted = true;
    }
}

bool refresh_begin(struct refresh *refresh, uint64_t now_ms)
{
    if (!refresh->wanted || refresh->asking || now_ms < refresh->due_ms) {
        return false;
    }
    refresh->wanted = false;
    refresh->asking = true;
    return true;
}

void refresh_done(struct refresh *refresh, uint64_t now_ms, struct prng *prng)
{
    assert(refresh->asking);
    refresh->asking = false;
    refresh->earliest_ms = now_ms + REFRESH_INTERVAL_MS / 2 + prng_below(prng, REFRESH_INTERVAL_MS);
    if (refresh->wanted && refresh->due_ms < refresh->earliest_ms) {
        refresh->due_ms = refresh->earliest_ms;
    }
}

uint64_t refresh_due(const struct refresh *refresh)
{
    return refresh->wanted && !refresh->asking ? refresh->due_ms : UINT64_MAX;
}
