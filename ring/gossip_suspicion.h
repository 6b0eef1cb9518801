/*
 * How long a suspicion lasts, after Lifeguard (section IV-B, "Local Health Aware Suspicion"): it
 * starts long and shrinks, logarithmically, with each further member that suspects the same on its
 * own. Values only.
 */
#ifndef TORC_RING_GOSSIP_SUSPICION_H
#define TORC_RING_GOSSIP_SUSPICION_H

#include "base/attributes.h"
#include "ring/node_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Independent confirmations that bring the suspicion down to its least duration. */
#define GOSSIP_CONFIRMATIONS_MAX 3
#define GOSSIP_SUSPICION_PERIODS_MIN 4 /* least duration, in periods, up to ten members */
#define GOSSIP_SUSPICION_CALLS 3       /* to the suspect itself, before it is declared dead */
#define GOSSIP_SUSPICION_MAX_FACTOR 6  /* longest duration, as a multiple of the least */

struct gossip_suspicion {
    uint64_t started_ms;
    uint64_t deadline_ms; /* when the suspect is declared dead */
    uint64_t min_ms, max_ms;
    unsigned calls;                /* last calls made to the suspect */
    unsigned confirmations_wanted; /* fewer than the maximum in a small cluster */
    size_t accuser_count;
    struct node_id accusers[1 + GOSSIP_CONFIRMATIONS_MAX]; /* distinct */
};

/* log2(value) in thousandths, linear between powers of two (never off by more than 87); value > 0.
 */
uint32_t gossip_log2_milli(uint32_t value);

/* Begins a suspicion among `live_count` members (ourselves and the suspect included). */
void gossip_suspicion_start(struct gossip_suspicion *suspicion, const struct node_id *accuser,
                            size_t live_count, uint32_t period_ms, uint64_t now_ms);
/* True when this accuser is new and counts: the suspicion is then worth passing on again. */
bool gossip_suspicion_confirm(struct gossip_suspicion *suspicion,
                              const struct node_id *accuser) TORC_MUST_USE;

/* True when the suspect is to be called once more before it is declared dead: when a half, a
 * quarter and an eighth of its time are left. The caller counts the calls. */
bool gossip_suspicion_call_is_due(const struct gossip_suspicion *suspicion, uint64_t now_ms);

#endif
