/*
 * Agreement on the next view: single-decree Paxos among the voters of the present one (Lamport,
 * Paxos Made Simple, 2001). The instance is the epoch to be decided: the present one plus 1. Pure:
 * messages and the time go in, messages and a decision come out. One owner (the quorum).
 *
 *      propose ─► PREPARE ─► PROMISE × majority ─► ACCEPT ─► ACCEPTED × majority ─► decided
 *
 * What an acceptor promises or accepts must be on disk before anything that is taken out of here
 * afterwards leaves the node: while `dirty` is set, write `promised`, `accepted` and
 * `accepted_view` first.
 */
#ifndef TORC_RING_AGREEMENT_H
#define TORC_RING_AGREEMENT_H

#include "base/attributes.h"
#include "base/prng.h"
#include "ring/node_id.h"
#include "ring/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ballots are ordered by number, then by node. Number 0 is none, and before all others. */
struct ballot {
    uint64_t number;
    struct node_id node;
};

int ballot_compare(const struct ballot *a, const struct ballot *b);

enum agreement_kind {
    AGREEMENT_PREPARE = 1, /* promise to take part in nothing before this ballot */
    AGREEMENT_PROMISE = 2, /* promised; with what was accepted before, if anything */
    AGREEMENT_ACCEPT = 3,  /* accept this view */
    AGREEMENT_ACCEPTED = 4,
    AGREEMENT_REFUSED = 5, /* a later ballot was promised (see `other`), or not now */
};

struct agreement_message {
    uint8_t kind;         /* enum agreement_kind */
    uint64_t instance;    /* the epoch to be decided */
    struct ballot ballot; /* the proposer's */
    struct ballot other; /* promise: that of the accepted view, if any; refused: the promised one */
    const struct view *view; /* promise: accepted before, or NULL; accept: proposed */
};

struct agreement_outgoing {
    struct node_id to; /* a voter; never this node */
    struct agreement_message message;
};

enum agreement_phase { AGREEMENT_IDLE, AGREEMENT_PREPARING, AGREEMENT_ACCEPTING };

struct agreement {
    struct node_id self;
    struct prng prng;
    const struct view *view; /* retained; the last one decided */
    bool dirty;              /* the acceptor's part has changed since it was written */

    /* acceptor: durable */
    struct ballot promised;
    struct ballot accepted;
    const struct view *accepted_view; /* retained; NULL = none */
    uint64_t accepted_at_ms;          /* since when the decision is overdue; not durable */

    /* proposer */
    enum agreement_phase phase;
    struct ballot ballot;
    uint64_t highest_number;   /* of any ballot heard of in this instance */
    const struct view *wanted; /* retained; ours; NULL = only to finish what another has begun */
    const struct view
        *value; /* retained; what is proposed: `wanted`, or what was accepted before */
    struct ballot value_ballot;
    uint8_t answered; /* bit v: voter v has promised, or accepted, in this phase */
    uint64_t repeat_at_ms;
    uint64_t give_up_at_ms;
    uint64_t retry_at_ms; /* after being refused */
    unsigned failures;

    /* outgoing: what is lost here is sent again */
    struct agreement_outgoing outgoing[4 * VOTERS_MAX];
    size_t outgoing_count;
    const struct view *decided; /* retained; NULL = not yet */
};

void agreement_init(struct agreement *agreement, const struct node_id *self, uint64_t seed);
void agreement_deinit(struct agreement *agreement);

/* The view is the decided one of its epoch: forgets every older instance and begins the next. */
void agreement_install(struct agreement *agreement, const struct view *view);
/* Of a restart: what was on disk for the instance behind the installed view. Retains. */
void agreement_restore(struct agreement *agreement, const struct ballot *promised,
                       const struct ballot *accepted, const struct view *accepted_view);

/* Proposes `next` (epoch: the present plus 1), unless a proposal is under way or backs off. This
 * node must be a voter. Another view may be decided in its place. `next` NULL: finishes what was
 * begun. */
void agreement_propose(struct agreement *agreement, const struct view *next, uint64_t now_ms);
bool agreement_is_idle(const struct agreement *agreement, uint64_t now_ms);

/* A message of a voter of the present view, for the present instance. `may_accept`: of an ACCEPT,
 * whether nothing that this voter has promised others stands against its view. */
void agreement_receive(struct agreement *agreement, const struct node_id *from,
                       const struct agreement_message *message, bool may_accept, uint64_t now_ms);
/* Repeats what was not answered; gives up what cannot be had. `may_accept`: of the view that this
 * node itself proposes. */
void agreement_tick(struct agreement *agreement, bool may_accept, uint64_t now_ms);

/* Takes the next message; its view, if any, is retained for the caller. */
bool agreement_take(struct agreement *agreement, struct agreement_outgoing *out);
/* Takes the decided view, retained for the caller; NULL while there is none. */
const struct view *agreement_take_decided(struct agreement *agreement);

#endif
