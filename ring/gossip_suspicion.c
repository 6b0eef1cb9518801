#include "ring/gossip_suspicion.h"

#include <assert.h>

uint32_t gossip_log2_milli(uint32_t value)
{
    assert(value > 0);
    uint32_t power = 31u - (uint32_t)__builtin_clz(value);
    uint64_t above = value - (UINT32_C(1) << power);
    return power * 1000 + (uint32_t)(above * 1000 >> power);
}

/* Duration after as many confirmations as there are accusers beyond the first:
 * max - (max - min) * log(confirmations + 1) / log(wanted + 1). */
static uint64_t duration_ms(const struct gossip_suspicion *suspicion)
{
    if (suspicion->confirmations_wanted == 0) {
        return suspicion->min_ms;
    }
    uint64_t have = gossip_log2_milli((uint32_t)suspicion->accuser_count);
    uint64_t want = gossip_log2_milli(suspicion->confirmations_wanted + 1);
    uint64_t shrink = (suspicion->max_ms - suspicion->min_ms) * have / want;
    return suspicion->max_ms - shrink;
}

void gossip_suspicion_start(struct gossip_suspicion *suspicion, const struct node_id *accuser,
                            size_t live_count, uint32_t period_ms, uint64_t now_ms)
{
    /* Neither the suspect nor the first accuser can confirm. */
    size_t others = live_count > 2 ? live_count - 2 : 0;
    /* log10 of the members, at least 1, in thousandths: log2 x 0.30103. */
    uint64_t scale = live_count == 0 ? 0 : gossip_log2_milli((uint32_t)live_count);
    scale = scale * 30103 / 100000;
    scale = scale < 1000 ? 1000 : scale;
    *suspicion = (struct gossip_suspicion){
        .started_ms = now_ms,
        .min_ms = GOSSIP_SUSPICION_PERIODS_MIN * scale * period_ms / 1000,
        .confirmations_wanted =
            others < GOSSIP_CONFIRMATIONS_MAX ? (unsigned)others : GOSSIP_CONFIRMATIONS_MAX,
        .accuser_count = 1,
    };
    suspicion->max_ms = GOSSIP_SUSPICION_MAX_FACTOR * suspicion->min_ms;
    suspicion->accusers[0] = *accuser;
    suspicion->deadline_ms = now_ms + duration_ms(suspicion);
}

bool gossip_suspicion_confirm(struct gossip_suspicion *suspicion, const struct node_id *accuser)
{
    if (suspicion->accuser_count > suspicion->confirmations_wanted) {
        return false;
    }
    for (size_t i = 0; i < suspicion->accuser_count; i++) {
        if (node_id_equal(&suspicion->accusers[i], accuser)) {
            return false;
        }
    }
    /* Shifts by the difference, not to an absolute time: the deadline may have been put off since
     * because this process was stopped. */
    uint64_t before = duration_ms(suspicion);
    suspicion->accusers[suspicion->accuser_count++] = *accuser;
    suspicion->deadline_ms -= before - duration_ms(suspicion);
    return true;
}

bool gossip_suspicion_call_is_due(const struct gossip_suspicion *suspicion, uint64_t now_ms)
{
    if (suspicion->calls == GOSSIP_SUSPICION_CALLS || now_ms >= suspicion->deadline_ms) {
        return false;
    }
    uint64_t total_ms = suspicion->deadline_ms - suspicion->started_ms;
    uint64_t left_ms = suspicion->deadline_ms - now_ms;
    return left_ms <= total_ms >> (1 + suspicion->calls);
}
