/*
 * Leases: who may serve as primary, and until when. Pure. One owner (the quorum).
 *
 *      holder: asks every voter ──► may serve until the majority's youngest request + length
 *      voter:  supports whoever asks, for the length, counted from when the request *arrived*
 *
 * A voter accepts no view that takes from a node what it has, while it supports that node. So while
 * a node has a lease, no majority can have accepted such a view, and nobody else has become primary
 * of its slots.
 *
 * Clocks: each side uses its own, which never jumps and goes on while the process or the machine is
 * stopped (CLOCK_BOOTTIME). The holder counts LEASE_HOLDER_PERMILLE of the length, so clocks whose
 * rates differ by LEASE_DRIFT_PERMILLE each, one fast and one slow, are harmless.
 */
#ifndef TORC_RING_LEASE_H
#define TORC_RING_LEASE_H

#include "base/attributes.h"
#include "base/limits.h"
#include "ring/node_id.h"
#include "ring/view.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEASE_HOLDER_PERMILLE 980
#define LEASE_DRIFT_PERMILLE 10
static_assert(LEASE_HOLDER_PERMILLE * (1000 + LEASE_DRIFT_PERMILLE) <=
                  1000 * (1000 - LEASE_DRIFT_PERMILLE),
              "a slow holder ends before a fast voter");

/* ---- the voter's side ---- */

struct support {
    struct node_id id;
    uint64_t incarnation;
    uint64_t until_ms; /* supported until then */
    uint64_t heard_ms; /* when it last asked */
    bool ended;        /* it said itself that this incarnation serves nothing any more */
};

struct supports {
    struct support *items; /* sorted by id */
    size_t count;
    size_t capacity;
    uint64_t grace_until_ms; /* until then everybody counts as supported */
};

void supports_init(struct supports *supports);
void supports_deinit(struct supports *supports);
/* Everybody counts as supported until then: at a start, whose memory of what it granted is gone,
 * and when the set of voters changes, because others may have granted what this voter does not know
 * of.
 */
void supports_grace(struct supports *supports, uint64_t until_ms);
/* The node asked, in that incarnation. With `length_ms` it is supported for so long from now on,
 * else it was only heard. A newer incarnation ends the support of an older one: that process is
 * gone, or this one could not have been started. 0, TORC_ENOMEM, TORC_ESTALE (an older
 * incarnation). */
int supports_note(struct supports *supports, const struct node_id *id, uint64_t incarnation,
                  uint64_t length_ms, uint64_t now_ms) TORC_MUST_USE;
/* A view was installed. Nodes that are new in it, or run anew, count as heard now: they had no time
 * to ask. Without memory they do not. */
void supports_expect(struct supports *supports, const struct view *view, uint64_t now_ms);
/* The node says that it serves nothing any more. */
void supports_end(struct supports *supports, const struct node_id *id, uint64_t incarnation);
/* Not heard from for `length_ms`, or known to be gone. During a grace nobody is silent merely
 * because nothing was heard. */
bool supports_silent(const struct supports *supports, const struct node_id *id,
                     uint64_t incarnation, uint64_t length_ms, uint64_t now_ms);
/* NULL if it never asked. */
const struct support *supports_find(const struct supports *supports, const struct node_id *id);
/* True if `next` takes from a supported node what it has under `present`: makes it down or syncing,
 * removes it, or replaces its incarnation. */
bool supports_forbid(const struct supports *supports, const struct view *present,
                     const struct view *next, uint64_t now_ms);
/* True if `next` takes from this node what it has under `present`: nothing from one that was to be
 * removed, owns nothing, and has carried out the view that says so. */
bool lease_is_taken(const struct view_node *node, const struct view *next);

/* ---- the holder's side ---- */

struct lease {
    struct node_id voters[VOTERS_MAX];
    size_t voter_count;
    uint64_t until_ms[VOTERS_MAX]; /* granted by that voter */
    uint64_t carried_ms;           /* from the voters of earlier views */
};

void lease_init(struct lease *lease);
/* A view was installed. What other voters have granted stays good until it runs out: new voters
 * count everybody as supported for as long. */
void lease_install(struct lease *lease, const struct view *view);
/* The voter granted what was asked for at `asked_ms`; of a length of `length_ms`. */
void lease_grant(struct lease *lease, const struct node_id *voter, uint64_t asked_ms,
                 uint64_t length_ms);
/* May serve before this instant of its own clock; 0 = never had a lease. */
uint64_t lease_until_ms(const struct lease *lease);
/* Gives up what was granted. */
void lease_drop(struct lease *lease);

#endif
