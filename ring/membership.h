/*
 * What the next view should be: a pure function of the present one and of what is known of its
 * members. It decides nothing by itself; the quorum proposes what it says.
 *
 *      silent for a lease ─► down        heard again ─► syncing        holds all it owns ─► up
 *      new, or another weight ─► a target ring ─► slots move ─► the target becomes current
 */
#ifndef TORC_RING_MEMBERSHIP_H
#define TORC_RING_MEMBERSHIP_H

#include "base/attributes.h"
#include "ring/ring_wish.h"
#include "ring/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a member says of itself, through gossip; it may not be in the view yet. */
struct member_fact {
    struct view_node node; /* id, incarnation, host, ports, zone; weight_asked */
    bool waits;            /* for somebody to give it that weight: see ring_wish.h */
};

/* What is known of one node of the view. */
struct member_state {
    uint64_t incarnation; /* the newest that was heard of */
    bool heard;           /* speaks now, in that incarnation */
    bool silent;  /* a majority of voters has not heard from the view's incarnation of it for
                     a lease, or knows it to be gone */
    bool accused; /* holds up writes, and its support has run out */
    bool leaving; /* wants to */
    uint64_t complete_epoch; /* it has carried out this epoch: serves what it leads, and follows
                                what it copies */
    uint64_t down_ms;        /* for how long it has been down */
    const uint8_t
        *ready; /* bit per slot: it leads it, and it may move; of this epoch; NULL = none */
};

struct membership_input {
    const struct view *view;           /* sealed */
    const struct member_state *states; /* one for each of view->nodes */
    const struct member_fact *facts;   /* sorted by id */
    size_t fact_count;
    uint64_t replace_after_ms;    /* a node down for so long is given up; 0 = never */
    const struct node_id *prefer; /* make it primary of all it owns; NULL = no wish */
    const struct node_id *forget; /* remove it, if it is down; NULL = no wish */
    const struct ring_wish *ring; /* NULL = no wish */
    bool *looked; /* set once no slot of the view moves by itself; then only those that primaries
                     tell of are looked at. For each view anew; NULL = look always */
};

/* The next view, not sealed and with the epoch set, or NULL when nothing is to change (or there is
 * no memory). */
struct view *membership_next(const struct membership_input *input);

#endif
