/*
 * The member table of gossip, and the queue of rumours to pass on. A rumour is not stored: the
 * queue holds members, and what is sent is what the table says of them at that moment, so that
 * newer news of a member replaces older and the queue never outgrows the table.
 *
 *   peers[]     every member, self included, in probe order (shuffled at the end of each round)
 *   slots[]     open addressing on the id, at most half full
 *   buckets[n]  members whose rumour was sent n times; sent again from the lowest n first
 *   suspects    members under suspicion        gone    dead and left, longest gone first
 *   forgotten   ring of removed ids with the incarnation that must not come back
 */
#ifndef TORC_RING_GOSSIP_MEMBERS_H
#define TORC_RING_GOSSIP_MEMBERS_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/prng.h"
#include "ring/gossip.h"
#include "ring/gossip_suspicion.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* A rumour is sent LAMBDA x log2(members + 1) times by each member (SWIM, section 4.1). */
#define GOSSIP_TRANSMITS_LAMBDA 2
#define GOSSIP_TRANSMITS_MIN 4
#define GOSSIP_TRANSMITS_MAX 32
#define GOSSIP_FORGOTTEN_MAX 1024 /* removed members remembered; the oldest give way */

struct gossip_peer {
    struct gossip_member member; /* what callers see; meta points into `meta` */
    char *meta;                  /* owned; NULL when empty */
    uint32_t index;              /* in peers[] */
    bool provisional; /* introduced from outside; no alive update of it was heard as yet */
    bool introduced;  /* it answered a ping that carried our own alive update */
    bool wanted;      /* its messages show a newer state than we know: ask for its alive update */
    bool in_full;     /* the rumour of it to pass on is one of its details */
    int64_t details;  /* refutation of the address and meta held; -1 = of no known one */
    int64_t details_newest;               /* and of the newest heard of */
    uint64_t epoch_told;                  /* newest epoch an event was made of */
    uint64_t gone_ms;                     /* since when it is dead or left */
    struct gossip_suspicion *suspicion;   /* owned; exactly while suspect */
    TAILQ_ENTRY(gossip_peer) status_link; /* in suspects or gone */
    bool queued;
    uint8_t transmits; /* bucket it is queued in */
    TAILQ_ENTRY(gossip_peer) queue_link;
};

TAILQ_HEAD(gossip_peer_list, gossip_peer);

struct gossip_forgotten {
    struct node_id id;
    uint64_t incarnation;
};

struct gossip_members {
    struct gossip_peer **peers;
    size_t count;
    size_t capacity;
    size_t cursor; /* next of the round; peers before it were probed */
    struct gossip_peer **slots;
    size_t slot_count; /* power of two */
    uint64_t hash_seed;
    size_t live_count; /* alive or suspect, self included */
    struct gossip_peer_list suspects;
    struct gossip_peer_list gone;
    struct gossip_peer_list buckets[GOSSIP_TRANSMITS_MAX];
    size_t queued_count;
    struct gossip_forgotten *forgotten; /* ring of GOSSIP_FORGOTTEN_MAX; NULL until needed */
    size_t forgotten_count;             /* ever remembered */
};

void gossip_members_init(struct gossip_members *members, uint64_t hash_seed);
void gossip_members_deinit(struct gossip_members *members);

struct gossip_peer *gossip_members_find(const struct gossip_members *members,
                                        const struct node_id *id);
/* A new, alive member at a random place of what is left of the round; the id must be new. When the
 * table is full a member that is gone makes room. TORC_ENOMEM, TORC_ETOOBIG (full). */
int gossip_members_add(struct gossip_members *members, const struct node_id *id, struct prng *prng,
                       struct gossip_peer **out) TORC_MUST_USE;
void gossip_members_remove(struct gossip_members *members, struct gossip_peer *peer);

/* Copies; size <= GOSSIP_META_SIZE_MAX. 0 or TORC_ENOMEM, and then the old meta stays. */
int gossip_peer_set_meta(struct gossip_peer *peer, struct bytes meta) TORC_MUST_USE;
/* Alive, dead or left; ends a suspicion. */
void gossip_members_set_status(struct gossip_members *members, struct gossip_peer *peer,
                               enum gossip_status status, uint64_t now_ms);
/* Begins a suspicion, or begins it anew. 0 or TORC_ENOMEM, and then nothing changed. */
int gossip_members_suspect(struct gossip_members *members, struct gossip_peer *peer,
                           const struct node_id *accuser, uint32_t period_ms,
                           uint64_t now_ms) TORC_MUST_USE;

/* The next live member of the round other than `self`; starts a new, shuffled round at the end of
 * one. NULL when there is none. */
struct gossip_peer *gossip_members_next(struct gossip_members *members,
                                        const struct gossip_peer *self, struct prng *prng);

/* Removed for good: these remember it, and tell. */
void gossip_members_forget(struct gossip_members *members, const struct node_id *id,
                           uint64_t incarnation);
bool gossip_members_is_forgotten(const struct gossip_members *members, const struct node_id *id,
                                 uint64_t incarnation);

/* Queues the rumour of a member as if sent `transmits` times already; a queued one is moved. */
void gossip_queue_put(struct gossip_members *members, struct gossip_peer *peer, unsigned transmits);
void gossip_queue_remove(struct gossip_members *members, struct gossip_peer *peer);
/* How often a rumour is sent at the present size. */
unsigned gossip_queue_limit(const struct gossip_members *members);
/* The rumour went out once more: to a later bucket, or out of the queue at the limit. */
void gossip_queue_sent(struct gossip_members *members, struct gossip_peer *peer);

#endif
