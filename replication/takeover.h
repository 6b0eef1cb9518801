/*
 * How a node takes over the slots that a view makes it primary of. It asks every other node that is
 * up what it holds: the answer says that the node has installed this very view, which of those
 * slots it still serves nevertheless (acting), and how far its copies go. When all have answered,
 * those who act are told to stop, and say how far they have come. A copy that goes further than
 * ours is sent for; then the owners are attached (copy_step), and the slot is served.
 *
 *      new view ─► query ─► all have answered ─► stop ─► resolve ─► (send) ─► copy_step ─► serving
 *      old primary: serves ............................┘
 *
 * A node that is not up any more is not waited for: the view that says so was accepted only after
 * its lease had run out. Pure; one owner (the control thread, or the simulator), but for
 * takeover_serve, which any thread may call.
 */
#ifndef TORC_REPLICATION_TAKEOVER_H
#define TORC_REPLICATION_TAKEOVER_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "replication/copy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct takeover;

/* How copies are reached; each is locked between the two calls. */
struct takeover_rim {
    void *context;
    struct copy *(*lock)(void *context, uint16_t slot);
    void (*unlock)(void *context, uint16_t slot);
    /* The slot was served here until now, and is locked. NULL: nobody wants to know. */
    void (*stopped)(void *context, uint16_t slot);
    /* The slot's members may be attached; likewise. */
    void (*resolved)(void *context, uint16_t slot);
    const struct copy_rim *copies;
    /* Deliberate mistakes, for the simulator to prove that it sees them. */
    bool break_ask_nobody; /* serves without having asked */
    bool break_go_on;      /* who is told to stop does not */
};

/* NULL without memory. The rim is borrowed until it is destroyed. */
struct takeover *takeover_create(const struct takeover_rim *rim);
void takeover_destroy(struct takeover *takeover);
/* A view was installed in every copy: begins anew. Retains the view; copies `peers`. 0 or
 * TORC_ENOMEM (nothing is taken over: call again). */
int takeover_begin(struct takeover *takeover, const struct copy_view *installed) TORC_MUST_USE;
/* What to ask that peer now, if anything: appends the request. One at a time; until it is answered
 * there is no next. */
enum takeover_request {
    TAKEOVER_NOTHING,
    TAKEOVER_QUESTION,
    TAKEOVER_STOP, /* what it has served until now is served nowhere for a moment */
};
enum takeover_request takeover_request(struct takeover *takeover, uint16_t peer, uint64_t now_ms,
                                       struct buf *out);
/* The answer to the last request, made under the view of that epoch; data NULL when there was none.
 */
void takeover_answered(struct takeover *takeover, uint16_t peer, uint64_t epoch,
                       struct bytes answer, uint64_t now_ms);
/* Of the view that it works for; 0 before the first. */
uint64_t takeover_epoch(const struct takeover *takeover);
/* True while nothing goes on because that peer has not answered. */
bool takeover_waits_for(const struct takeover *takeover, uint16_t peer);
/* Resolves what can be. Returns how many slots are not resolved yet. */
size_t takeover_tick(struct takeover *takeover, uint64_t now_ms);
size_t takeover_unresolved(const struct takeover *takeover);

/* The answering side: `asker` is a peer, `own_epoch` that of the view installed here. 0,
 * TORC_ESTALE (another view is installed here), TORC_ECORRUPT. */
int takeover_serve(const struct takeover_rim *rim, uint16_t asker, uint64_t own_epoch,
                   struct bytes request, struct buf *answer) TORC_MUST_USE;

#endif
