/*
 * One node's copy of one slot: its role, how far its data goes, whom it listens to, and, of a
 * primary, the members it feeds. Primary-backup after PacificA (Lin et al. 2008). Pure: data and
 * streams are reached through a rim of callbacks. Whoever calls holds the slot's lock.
 *
 *   primary    ASKING ─► (FETCHING) ─► JOINING ─► SERVING ─► (acting) one stage after another, by
 *              view; acting: by the view another leads, and has not asked yet
 *     member   WANTED ─► REFILLING ─► FOLLOWING ─► ATTACHED        an owner, or one that is to be
 *   follower   listens to its source; attached: gets every effect, in order; confirmed: nothing is
 *              acknowledged without it
 *
 * Invariant: every owner by the view that is up holds every acknowledged write. So a primary serves
 * only when all owners are attached, and a reply waits for every attached member. One that is to be
 * an owner is not waited for until it has caught up: it may be out of reach. Only once it has been
 * told that it is waited for does it call itself ready, and a view can make it an owner.
 */
#ifndef TORC_REPLICATION_COPY_H
#define TORC_REPLICATION_COPY_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "replication/op.h"
#include "replication/outcomes.h"
#include "replication/pieces.h"
#include "ring/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COPY_PEER_NONE UINT16_MAX
#define COPY_MEMBERS_MAX (COPIES_MAX + VIEW_LEARNERS_MAX)

struct replica_stream; /* the ordered stream towards one node; whoever drives this defines it */
struct copy;

/* How far a copy goes. Copies of equal standing are equal. */
struct standing {
    bool complete;
    uint64_t effect_epoch; /* under which the last effect was made */
    uint64_t sequence;     /* of the last effect */
};
/* < 0 when `a` goes less far. An incomplete one goes nowhere. */
int standing_compare(const struct standing *a, const struct standing *b);

enum copy_role {
    COPY_NONE, /* not ours; data, if any, waits until the new owners are known to have it */
    COPY_PRIMARY,
    COPY_FOLLOWER, /* an owner, or one that is to be; or waiting for somebody to lead */
};

enum copy_stage { /* of a primary */
                  COPY_IDLE,
                  COPY_ASKING,   /* what do the others hold, and have they stopped? */
                  COPY_FETCHING, /* another holds more, and sends it */
                  COPY_JOINING,  /* the owners are being attached */
                  COPY_SERVING,
};

enum member_stage {
    MEMBER_WANTED,
    MEMBER_REFILLING,
    MEMBER_FOLLOWING, /* gets every effect; has not acknowledged the end of its refill */
    MEMBER_ATTACHED,  /* is waited for */
};

struct copy_member {
    struct replica_stream *stream; /* NULL: none as yet */
    uint64_t position;             /* in the stream: end of the last operation */
    uint64_t attached_at;          /* in the stream: end of the operation that attached it */
    uint64_t cursor;               /* where its refill goes on */
    struct pieces *pieces;         /* of a refill: its big keys; owned; NULL = none */
    uint16_t peer;
    uint8_t stage; /* enum member_stage */
    bool owner;  /* nothing is served without it: an owner by the view, or one that was attached and
                    lost its place, for a view that counts on it may be under way */
    bool target; /* the slot is to move to it */
    bool syncing; /* by the view */
    bool equal;   /* holds exactly what we hold: nothing need be sent */
    bool scanned; /* of a refill: every key was sent, but for some of the big ones */
};

struct copy {
    uint8_t role;   /* enum copy_role */
    uint8_t stage;  /* enum copy_stage */
    bool complete;  /* the data is whole: every effect up to `sequence` is in it */
    bool receiving; /* between the begin and the end of a refill; the data before it stays until
                       then */
    bool attached;  /* follower: it gets every effect from its source */
    bool confirmed; /* follower: and is waited for */
    bool needed;    /* follower: the node is not ready without it */
    bool owner;     /* follower: an owner by the view */
    bool may_serve; /* the node is up by the view */
    bool holds;     /* primary: ours is one of the copies that count; else what we hold is void */
    bool movable;   /* primary: the slot is to move, and its new owners can be had; changes only in
                       copy_install */
    bool acting;    /* primary: the view has another lead; served here until that one asks */
    bool stays;     /* acting: the copy is kept as a follower's afterwards */
    bool untouched; /* the last view said of it what the one before said */
    uint8_t member_count;
    uint16_t leader;       /* peer that leads by the view; COPY_PEER_NONE = we, or nobody */
    uint16_t source;       /* peer whose operations may change this copy */
    uint16_t index;        /* of the slot; constant */
    uint64_t generation;   /* of the stream that attached us, or refills us */
    uint64_t epoch;        /* of the view that gave the role */
    uint64_t none_since;   /* COPY_NONE: since that epoch */
    uint64_t demoted_at;   /* epoch of the view that last did away with what had attached it */
    uint64_t effect_epoch; /* standing */
    uint64_t sequence;
    struct copy_member *members; /* primary; owned */
    struct outcomes *outcomes;   /* of forwarded writes; owned; NULL = none */
    struct outcomes *incoming;   /* the same of the refill under way */
};

/* What one stream knows of a range of positions. */
enum member_acks { MEMBER_ACKS_PENDING, MEMBER_ACKS_DONE, MEMBER_ACKS_SKIPPED };

/* One key of the slot, as a refill carries it. `dump.data` NULL: it does not exist, or is so big
 * that it is to be sent in pieces. */
struct copy_key {
    struct bytes key;
    uint64_t expire_at_ms;
    struct bytes dump; /* or a piece */
    bool big;
};
typedef void copy_key_visitor(void *context, const struct copy_key *key);

/* What to do with an effect on a key of whose value the receiver holds the beginning. */
enum piece_verdict {
    PIECE_TELL,  /* it does the same to that; the cursor may have changed */
    PIECE_SKIP,  /* nothing: what it concerns is still to be sent */
    PIECE_BEGIN, /* send it again from the beginning */
};

/* How a copy reaches its data and its streams. `context` is handed to each. */
struct copy_rim {
    void *context;
    /* The stream towards that peer which carries this slot; NULL while there is none that goes on.
     */
    struct replica_stream *(*stream_to)(void *context, uint16_t peer, uint16_t slot);
    bool (*stream_ended)(void *context, struct replica_stream *stream);
    /* More may be sent that nobody waits for. */
    bool (*stream_has_room)(void *context, struct replica_stream *stream);
    /* Appends an operation; *position is its end. It cannot fail: without memory the process stops,
     * for the copies would differ. */
    void (*stream_append)(void *context, struct replica_stream *stream, const struct op *op,
                          uint64_t *position);
    /* Of operations that end in [first, last]. */
    enum member_acks (*stream_acks)(void *context, struct replica_stream *stream, uint64_t first,
                                    uint64_t last);
    /* The data. */
    void (*data_clear)(void *context, uint16_t slot);
    bool (*data_apply)(void *context, uint16_t slot, struct bytes effects); /* false: not lawful */
    void (*data_key)(void *context, uint16_t slot, struct bytes key, copy_key_visitor *visit,
                     void *visitor_context); /* as it is now */
    /* Visits some keys from the cursor on, about `budget` bytes of them; where to go on, 0 = done.
     * A key that is there from the first call to the last is visited. */
    uint64_t (*data_scan)(void *context, uint16_t slot, uint64_t cursor, size_t budget,
                          copy_key_visitor *visit, void *visitor_context);
    /* Visits the next piece of a key's value, about `budget` bytes of it; where to go on, 0 = that
     * was the last. Does not visit one that is not there, or not big any more. */
    uint64_t (*data_piece)(void *context, uint16_t slot, struct bytes key, uint64_t cursor,
                           size_t budget, copy_key_visitor *visit, void *visitor_context);
    /* True if the effects are one command on this one key, and no other. */
    bool (*effect_is_on)(void *context, struct bytes effects, struct bytes key);
    enum piece_verdict (*piece_effect)(void *context, uint16_t slot, struct bytes effects,
                                       uint64_t *cursor);
    /* Where a range from there on ends, of about `budget` bytes; and count and digest of what is in
     * a range. Where they differ between two copies, so do the copies. */
    struct op_place (*data_range_end)(void *context, uint16_t slot, struct op_place from,
                                      size_t budget);
    void (*data_digest)(void *context, uint16_t slot, struct op_range *range);
    /* A second copy, which takes the place of the first at the end. */
    void (*incoming_begin)(void *context, uint16_t slot);
    bool (*incoming_key)(void *context, uint16_t slot,
                         const struct copy_key *key); /* false: unlawful */
    bool (*incoming_piece)(void *context, uint16_t slot, const struct copy_key *key, bool first);
    bool (*incoming_apply)(void *context, uint16_t slot, struct bytes effects);
    void (*incoming_end)(void *context, uint16_t slot);
    void (*incoming_drop)(void *context, uint16_t slot);

    /* Deliberate mistakes, for the simulator to prove that it sees them. */
    bool break_serve_before_joined;
    bool break_attach_early;      /* a refill ends one batch before it is done */
    bool break_wrong_cursor_side; /* what changes during a refill is not sent again */
    bool break_move_early;        /* a slot moves while its new owners are refilled */
    bool break_old_epoch;         /* operations of deposed primaries are taken */
};

void copy_init(struct copy *copy, uint16_t index);
void copy_deinit(struct copy *copy);

/* ---- views ---- */

struct copy_view {
    const struct view *view;
    int self;              /* this node in view->nodes; -1 = not in it, or an earlier run of it */
    const uint16_t *peers; /* peer of each of view->nodes */
    bool demoted; /* this node is not up in this view, and has not been syncing without a gap:
                     others may have gone on without it, and what attached it counts no more */
    const struct view *like; /* what was installed before, if the view is like it (view_is_like); or
                                NULL */
};
/* A newer view: gives the copy its role. 0, or TORC_ENOMEM (nothing changed). */
int copy_install(struct copy *copy, const struct copy_rim *rim,
                 const struct copy_view *installed) TORC_MUST_USE;

static inline bool copy_serves(const struct copy *copy)
{
    return copy->stage == COPY_SERVING;
}
static inline struct standing copy_standing(const struct copy *copy)
{
    return (struct standing){copy->complete, copy->effect_epoch, copy->sequence};
}
/* True if the node has done what the view asks of it for this slot. */
bool copy_is_ready(const struct copy *copy);
/* The one that leads by the view asks for the slot: an acting primary stops, and becomes what the
 * view says. True if it was one. */
bool copy_yield(struct copy *copy);

/* ---- taking over: see takeover.h ---- */

/* What the others have answered. */
struct copy_answers {
    struct standing best;   /* the highest of another copy that counts */
    uint16_t best_peer;     /* whose that is */
    struct standing least;  /* the lowest of the copies that count and are whole */
    struct standing source; /* of the copy that ours follows; incomplete if it did not answer */
    bool may_wait;          /* for what is on its way in the stream of our source */
};
/* All have answered. False: it is waited for, ask again. */
bool copy_resolve(struct copy *copy, const struct copy_rim *rim,
                  const struct copy_answers *answers);
/* Of a member: its copy equals ours as it is now. */
void copy_note_equal(struct copy *copy, uint16_t peer);
/* Sends the whole of it to the peer, which leads it by our view and asked for it. False: not now.
 */
bool copy_send_whole(struct copy *copy, const struct copy_rim *rim, uint16_t peer);

/* ---- primary ---- */

/* An effect was executed here, and nobody has to be told. */
static inline void copy_count_effect(struct copy *copy)
{
    copy->sequence++;
    copy->effect_epoch = copy->epoch;
}
/* An effect was executed here: numbers it and tells the members. `keys`: those that it may have
 * changed; NULL: any. */
void copy_publish(struct copy *copy, const struct copy_rim *rim, struct bytes effects,
                  const struct bytes *keys, size_t key_count);
/* The same of a write that another node forwarded: its outcome is kept with the copies. */
void copy_publish_once(struct copy *copy, const struct copy_rim *rim, struct bytes effects,
                       const struct bytes *keys, size_t key_count, const struct once *once,
                       struct bytes reply);
/* Forgets outcomes that nobody asks for any more: see outcomes_age. */
void copy_age(struct copy *copy);
/* Clients wait for members to be attached; or one is being refilled, and all that is written is
 * sent to it whole until that has ended. */
bool copy_is_urgent(const struct copy *copy);
/* Goes on attaching members, with about `budget` bytes to each; 0: without beginning a refill nor
 * sending keys. True while there is more to do. */
bool copy_step(struct copy *copy, const struct copy_rim *rim, size_t budget);
/* After copy_step: it may go on without a byte of a refill, for what is missing is an
 * acknowledgement or a stream. */
bool copy_awaits(const struct copy *copy);
/* Who bytes of a refill are to be sent to; COPY_PEER_NONE: nobody, or several. */
uint16_t copy_lacking(const struct copy *copy);
/* Of a slot that is to move: its new owners are waited for and have acknowledged that, so that it
 * may move at any moment. */
bool copy_can_move(const struct copy *copy, const struct copy_rim *rim);

/* How far a primary has compared a slot with its members. See copy_check. */
struct copy_check {
    uint64_t run;          /* tells checks from earlier ones of this sender */
    struct op_place place; /* where it goes on */
    uint64_t sent;         /* ranges, each counted for each member */
    uint64_t unsent;       /* likewise: to members that do not get every effect */
};
enum copy_check_result {
    COPY_CHECK_MORE,
    COPY_CHECK_DONE,
    COPY_CHECK_LATER, /* the stream towards a member has no room */
    COPY_CHECK_GONE,  /* the slot is not led here any more, or not yet */
};
/* Tells the members what the next range of about `budget` bytes comes to. As their streams are
 * ordered, each must hold the same when that arrives. Nothing waits for it. */
enum copy_check_result copy_check(const struct copy *copy, const struct copy_rim *rim,
                                  struct copy_check *check, size_t budget);

/* After a newer view: a member that is attached by our reckoning may not be so by its own, when one
 * of us has missed a view. Those who are syncing are told again at each, all of them when it was us
 * (`missed`). */
void copy_attach_again(struct copy *copy, const struct copy_rim *rim, bool missed);

/* ---- follower ---- */

enum copy_verdict {
    COPY_APPLIED,
    COPY_SKIPPED, /* it must not count as acknowledged, and the sender be told */
    COPY_LATER,   /* of a view that is not installed here yet */
    COPY_BROKEN,  /* not lawful: the stream must end */
    COPY_DIFFERS, /* a check: this copy is not what its primary holds; else it is COPY_APPLIED */
    COPY_PASSED,  /* a check, and there is nothing to compare: this copy does not follow the sender
                   */
};
enum copy_verdict copy_receive(struct copy *copy, const struct copy_rim *rim, const struct op *op,
                               uint16_t sender, uint64_t generation, uint64_t own_epoch);

#endif
