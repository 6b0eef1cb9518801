/*
 * Clients that keep what they have read and want to hear when it changes (CLIENT TRACKING). What a
 * client has read is noted in the slot, under the slot's lock and in the execution that reads it;
 * whatever changes a key takes it out under that lock and posts who is to be told (invalidation.h).
 * So nothing that was answered changes without its reader being told, for as long as this node
 * serves the slot; and when it stops, it tells of all that is noted there, under the lock under
 * which it stops. A node without a lease serves nothing: it tells every client that everything may
 * have changed.
 *
 *      slot ─► tracked keys ─► watchers = (tracker, client id) ─► destination: that client, or the
 *                                                                  one that it redirects to
 *
 * A tracker belongs to one client at a time and is never freed, so that watchers may point to those
 * of clients that are gone; the id tells.
 */
#ifndef TORC_NODE_TRACKING_H
#define TORC_NODE_TRACKING_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "node/spinlock.h"
#include "node/tracked.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct command;
struct connection;
struct execution;
struct node;
struct session;
struct slot;
struct tracker;
struct worker;

struct tracking {
    struct spinlock lock;
    struct tracker *first;  /* lock: of clients that track */
    struct tracker *unused; /* lock */
    /* any thread */
    _Atomic uint32_t clients;
    _Atomic uint32_t peers;        /* connections of other nodes that track for their clients */
    _Atomic uint32_t broadcasting; /* of them, by BCAST */
    _Atomic uint64_t keys, items, prefixes;
    _Atomic bool told_lease_lost; /* every client has been told, and nothing is noted since */
    pthread_mutex_t telling;      /* while every client is being told that */
};

void tracking_init(struct tracking *tracking);
void tracking_deinit(struct tracking *tracking); /* no client is left */

/* ---- the client's worker ---- */

struct tracking_options {
    unsigned flags;               /* of enum session_tracking: SESSION_BCAST and so on */
    uint64_t redirect;            /* client id; 0 = none */
    const struct bytes *prefixes; /* of BCAST; copied */
    size_t prefix_count;
};

/* CLIENT TRACKING ON, once it is known to be lawful. 0, TORC_ENOTFOUND (nobody to redirect to),
 * TORC_ENOMEM; on failure nothing changed. */
int tracking_begin(struct node *node, struct session *session,
                   const struct tracking_options *options) TORC_MUST_USE;
/* CLIENT TRACKING OFF, and a client's end. */
void tracking_end(struct node *node, struct session *session);
/* The prefixes of a client, sorted; borrowed until the next change. */
const struct bytes *tracking_prefixes(const struct session *session, size_t *count);

/* True if what the command reads is to be noted: it is one that reads keys, and the client has not
 * said otherwise. Of BCAST nothing is noted, but what is read elsewhere has to be told of. */
bool tracking_wants(unsigned flags, const struct command *command);
/* Before a command without keys of a client that tracks, or is told: all that was posted before is
 * behind the replies so far, and in front of the one that follows. */
void tracking_settle(struct connection *connection);
/* The client may keep what it is about to be told, which was read where nobody notes it for this
 * node: behind the reply it is told to forget that again. */
void tracking_forget_at_once(struct worker *worker, const struct session *session,
                             const struct command *command, const struct bytes *argv, size_t argc);
/* Notes the keys of the command in that table, which is the worker's own or of a slot whose lock is
 * held, for the client. */
void tracking_note_keys(struct worker *worker, struct tracked **tracked,
                        const struct session *session, const struct command *command,
                        const struct bytes *argv, size_t argc);
/* Tells of keys that were taken out of a table, a list (NULL = none), and frees them. */
void tracking_tell_taken(struct worker *worker, struct tracked_key *taken);
/* Of the worker, while worker->tracks_too_much. */
void tracking_trim(struct worker *worker);

/* ---- any thread, slot lock held ---- */

/* True if a change in the slot has to be told. */
#define tracking_is_due(node, slot)                                                                \
    ((slot)->tracked != NULL ||                                                                    \
     atomic_load_explicit(&(node)->tracking.broadcasting, memory_order_relaxed) > 0)
/* Notes what was just executed for a client. */
void tracking_note(struct worker *worker, struct slot *slot, const struct execution *execution);
/* The command has changed something: any of its keys. */
void tracking_changed(struct worker *worker, struct slot *slot, const struct execution *execution);
/* A key has gone by itself. */
void tracking_key_gone(struct worker *worker, struct slot *slot, struct bytes key, uint64_t hash);
/* All keys of the slot have gone. */
void tracking_slot_flushed(struct node *node, struct slot *slot, const struct worker *self);
/* The slot is not served here any more; nobody hears from here what becomes of its keys. */
void tracking_slot_lost(struct node *node, struct slot *slot);

/* ---- any thread, no lock held ---- */

/* Tells every client that tracks that everything may have changed. */
void tracking_tell_all(struct node *node, const struct worker *self);
/* Has the lease ended, every client is told, once; when this returns, the messages are posted. */
void tracking_follow_lease(struct node *node, const struct worker *self);
/* Frees what is noted in a slot, at the end of the node. */
void tracking_drop(struct node *node, struct slot *slot);

#endif
