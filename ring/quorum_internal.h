/*
 * Inside the quorum: the one struct and what its files offer each other. Nothing outside
 * ring/quorum*.c includes this.
 *
 *   quorum.c          life, the public face, views, what leaves the node
 *   quorum_lease.c    asking for the lease, answering those who ask
 *   quorum_judge.c    what is known of each node; whether another view is called for
 *   quorum_message.c  bytes             quorum_peers.c   what was heard from others
 */
#ifndef TORC_RING_QUORUM_INTERNAL_H
#define TORC_RING_QUORUM_INTERNAL_H

#include "ring/agreement.h"
#include "ring/lease.h"
#include "ring/quorum.h"
#include "ring/quorum_message.h"
#include "ring/quorum_peers.h"

#define QUORUM_QUEUE_MAX 16384 /* messages not yet taken: more are as if lost on the way */

struct quorum_queue {
    struct quorum_message *items; /* ring */
    size_t head, count, capacity;
};

struct quorum {
    struct quorum_options options;
    const struct view *view; /* retained */
    struct agreement agreement;
    struct supports supports;
    struct lease lease;
    struct quorum_peers peers;

    /* The last view that this voter was asked to accept and could not, for it supports a node that
     * the view takes down: it renews that support no more, or neither side would ever get its way.
     * It does again when nobody asks any more. */
    const struct view *withheld_for; /* retained; NULL = none */
    uint64_t withheld_until_ms;

    /* What this node says. */
    uint64_t complete_epoch;
    bool leaving;
    bool left;
    bool has_ready;
    uint8_t ready[SLOT_COUNT / 8];
    size_t slow_count;
    struct node_id slow[QUORUM_SLOW_MAX];

    struct node_id prefer, forget; /* wishes of this node; zero = none */
    struct ring_wish ring;         /* the same; owned */
    uint64_t wish_until_ms;
    /* As voters heard them. Those of ids are for this epoch; one for the ring says itself whether
     * it still counts. */
    struct node_id asked_prefer, asked_forget;
    struct ring_wish asked_ring; /* owned */
    uint64_t asked_ring_ms;      /* when it was heard last */

    struct node_id ahead; /* a node with a newer view */
    uint64_t ahead_epoch;
    uint64_t ahead_until_ms;

    uint64_t now_ms; /* of the last call */
    uint64_t lease_at_ms, report_at_ms, wish_at_ms;
    uint64_t answered_ms[VOTERS_MAX]; /* by voter of the view: when it last answered; 0 = never */
    uint64_t ready_epoch;             /* view under which some slots may move, */
    uint64_t ready_since_ms;          /* and since when */
    uint64_t looked_epoch;            /* view of which it has: see membership_input.looked */
    uint64_t pending_since_ms;        /* another view is called for; 0 = none is */

    struct quorum_queue plain;  /* may leave at any time */
    struct quorum_queue sealed; /* only once everything is written */
    struct quorum_counters counters;
};

/* quorum.c */
struct quorum_wire quorum_wire_begin(const struct quorum *quorum, enum quorum_kind kind);
void quorum_send(struct quorum *quorum, const struct node_id *to, const struct quorum_wire *wire);
void quorum_note_ahead(struct quorum *quorum, const struct node_id *who, uint64_t epoch);
bool quorum_is_voter(const struct quorum *quorum);
/* Whether this voter's supports allow the view. */
bool quorum_may_accept(const struct quorum *quorum, const struct view *next);
/* The node's lease is not renewed, so that a view can be accepted. */
bool quorum_withholds(const struct quorum *quorum, const struct view_node *node);

/* quorum_lease.c */
void quorum_ask_lease(struct quorum *quorum, bool farewell);
int quorum_handle_request(struct quorum *quorum, const struct quorum_wire *wire);
void quorum_handle_answer(struct quorum *quorum, const struct quorum_wire *wire);

/* quorum_judge.c */
/* Voters of a lower id that this one hears. */
size_t quorum_rank(const struct quorum *quorum);
/* Replicas are said to hold up writes, and of those it is the one to give way. */
bool quorum_is_accused(const struct quorum *quorum, const struct node_id *id);
bool quorum_hears(const struct quorum *quorum, const struct node_id *id);

#endif
