/* The part of gossip_members.h that deals with rumours to send and with removed members. */
#include "base/error.h"
#include "ring/gossip_members.h"

#include <assert.h>
#include <stdlib.h>

void gossip_queue_remove(struct gossip_members *members, struct gossip_peer *peer)
{
    if (peer->queued) {
        TAILQ_REMOVE(&members->buckets[peer->transmits], peer, queue_link);
        peer->queued = false;
        members->queued_count--;
    }
}

unsigned gossip_queue_limit(const struct gossip_members *members)
{
    uint32_t log2_milli = gossip_log2_milli((uint32_t)members->live_count + 1);
    unsigned limit = (GOSSIP_TRANSMITS_LAMBDA * log2_milli + 999) / 1000;
    limit = limit < GOSSIP_TRANSMITS_MIN ? GOSSIP_TRANSMITS_MIN : limit;
    return limit > GOSSIP_TRANSMITS_MAX ? GOSSIP_TRANSMITS_MAX : limit;
}

void gossip_queue_put(struct gossip_members *members, struct gossip_peer *peer, unsigned transmits)
{
    assert(transmits < GOSSIP_TRANSMITS_MAX);
    gossip_queue_remove(members, peer);
    peer->transmits = (uint8_t)transmits;
    peer->queued = true;
    members->queued_count++;
    TAILQ_INSERT_TAIL(&members->buckets[transmits], peer, queue_link);
}

void gossip_queue_sent(struct gossip_members *members, struct gossip_peer *peer)
{
    assert(peer->queued);
    gossip_queue_remove(members, peer);
    unsigned transmits = peer->transmits + 1u;
    if (transmits >= gossip_queue_limit(members)) {
        peer->in_full = false;
        return;
    }
    peer->transmits = (uint8_t)transmits;
    peer->queued = true;
    members->queued_count++;
    TAILQ_INSERT_TAIL(&members->buckets[transmits], peer, queue_link);
}

void gossip_members_forget(struct gossip_members *members, const struct node_id *id,
                           uint64_t incarnation)
{
    size_t filled = members->forgotten_count < GOSSIP_FORGOTTEN_MAX ? members->forgotten_count
                                                                    : GOSSIP_FORGOTTEN_MAX;
    if (members->forgotten == NULL) {
        members->forgotten = calloc(GOSSIP_FORGOTTEN_MAX, sizeof(*members->forgotten));
        if (members->forgotten == NULL) {
            return; /* it may come back as a rumour; whoever removed it will remove it again */
        }
    }
    for (size_t i = 0; i < filled; i++) {
        if (node_id_equal(&members->forgotten[i].id, id)) {
            if (members->forgotten[i].incarnation < incarnation) {
                members->forgotten[i].incarnation = incarnation;
            }
            return;
        }
    }
    members->forgotten[members->forgotten_count++ % GOSSIP_FORGOTTEN_MAX] =
        (struct gossip_forgotten){*id, incarnation};
}

bool gossip_members_is_forgotten(const struct gossip_members *members, const struct node_id *id,
                                 uint64_t incarnation)
{
    size_t filled = members->forgotten_count < GOSSIP_FORGOTTEN_MAX ? members->forgotten_count
                                                                    : GOSSIP_FORGOTTEN_MAX;
    for (size_t i = 0; i < filled; i++) {
        if (node_id_equal(&members->forgotten[i].id, id)) {
            return incarnation <= members->forgotten[i].incarnation;
        }
    }
    return false;
}
