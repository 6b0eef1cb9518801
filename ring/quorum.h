/*
 * One node's part in governing the cluster: it agrees with the other voters on views, grants and
 * holds leases, and proposes what membership says. Pure: messages, facts and the time go in;
 * messages and views come out. One owner: the control thread, or the simulator.
 *
 *      receive, tick, consider ──► [ must be written: encode, write, written ] ──► take messages,
 * view
 *
 * Nothing may be taken out while quorum_must_write says so: what a voter promises must be on disk
 * before anybody hears of it. If the disk refuses, nothing leaves, and the others go on without it.
 */
#ifndef TORC_RING_QUORUM_H
#define TORC_RING_QUORUM_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "ring/membership.h"
#include "ring/node_id.h"
#include "ring/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUORUM_MAGIC                                                                               \
    "TORQ" /* how every message begins: datagrams share a port with those of gossip */

struct quorum;

struct quorum_options {
    struct node_id self;
    uint64_t incarnation;
    uint64_t seed;
    uint64_t replace_after_ms; /* 0 = never */
    /* Deliberate mistakes, for the simulator to prove that it sees them. */
    bool break_lease_wait;       /* accepts views without waiting for leases to run out */
    bool break_promise_not_kept; /* forgets promises and acceptances at a restart: see must_write */
    bool break_renew_after_accept; /* renews leases under an epoch it has voted to end */
};

struct quorum_message {
    struct node_id to;
    bool datagram; /* small, may be lost, is repeated: over UDP; else over TCP, at most once, in any
                      order */
    struct buf bytes;
};

/* What only this node knows about how it carries out the present view. */
struct quorum_report {
    uint64_t complete_epoch;    /* of the newest view that is carried out here */
    const uint8_t *ready;       /* SLOT_COUNT / 8 bytes; NULL = none: see member_state */
    const struct node_id *slow; /* replicas that hold up writes */
    size_t slow_count;
    bool leaving;
};

/* NULL without memory. `view`: the first, or the remembered one; retained. `durable`: what
 * quorum_encode gave before the restart, or empty. TORC_ECORRUPT is reported by NULL as well: check
 * it first. `now_ms`: of a clock that never jumps and goes on while the machine sleeps. */
struct quorum *quorum_create(const struct quorum_options *options, const struct view *view,
                             struct bytes durable, uint64_t now_ms);
void quorum_destroy(struct quorum *quorum);
/* 0, TORC_ECORRUPT, TORC_EVERSION, TORC_ENOMEM. */
int quorum_check_durable(struct bytes durable) TORC_MUST_USE;

/* A message arrived. 0; TORC_ECORRUPT, TORC_EVERSION, TORC_EINVAL (another cluster's): refused, and
 * nothing changed; TORC_ENOMEM. */
int quorum_receive(struct quorum *quorum, struct bytes message, uint64_t now_ms) TORC_MUST_USE;
/* Does what is due; call every few milliseconds. */
void quorum_tick(struct quorum *quorum, uint64_t now_ms);
/* Looks whether another view is called for, and proposes it if that is this node's to do. `facts`
 * sorted by id. */
void quorum_consider(struct quorum *quorum, const struct member_fact *facts, size_t fact_count,
                     uint64_t now_ms);
/* A view came from elsewhere. True if it is newer, and of this cluster. Retains. */
bool quorum_offer(struct quorum *quorum, const struct view *view, uint64_t now_ms);
/* What this node says from now on; copied. */
int quorum_set_report(struct quorum *quorum, const struct quorum_report *report) TORC_MUST_USE;
/* What the voters may be asked for: to make a node primary of all it owns, to remove one that is
 * down, to change the ring. */
struct quorum_wish {
    const struct node_id *prefer; /* NULL = no such wish */
    const struct node_id *forget; /* the same */
    const struct ring_wish *ring; /* the same; copied */
};
/* Asks the voters, instead of what was asked for before, until a view grants it or `until_ms`. 0 or
 * TORC_ENOMEM (nothing is asked for). */
int quorum_wish(struct quorum *quorum, const struct quorum_wish *wish,
                uint64_t until_ms) TORC_MUST_USE;
/* This node serves nothing from now on: tells the voters, so that nobody waits for its lease. */
void quorum_leave(struct quorum *quorum, uint64_t now_ms);

/* encode, write, written: with nothing else in between, and in one piece with the view of
 * quorum_view, or a restart might hold votes against the wrong one. */
bool quorum_must_write(const struct quorum *quorum);
void quorum_encode(const struct quorum *quorum, struct buf *out);
void quorum_written(struct quorum *quorum);

/* The newest decided view that this node knows; borrowed until the next call that is not const. */
const struct view *quorum_view(const struct quorum *quorum);
/* The next message; the caller owns its bytes. False: there is none, or something must be written
 * first. */
bool quorum_take(struct quorum *quorum, struct quorum_message *out);
/* Some node is known to have a newer view than this one; false = none. */
bool quorum_behind(const struct quorum *quorum, struct node_id *who);
/* Serving as primary is allowed before this instant; 0 = not at all. */
uint64_t quorum_lease_until_ms(const struct quorum *quorum);

struct quorum_counters {
    uint64_t received, sent, refused;
    uint64_t lease_requests, lease_grants, lease_refusals;
    uint64_t proposals, decisions;
};
const struct quorum_counters *quorum_counters(const struct quorum *quorum);

#endif
