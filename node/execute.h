/*
 * Executes commands here: under the slot's lock, telling the replicas.
 */
#ifndef TORC_NODE_EXECUTE_H
#define TORC_NODE_EXECUTE_H

#include "base/attributes.h"
#include "node/call.h"
#include "node/command.h"
#include "node/slots.h"
#include "node/streams.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blocked;
struct worker;

/* What to execute and where its traces go. */
struct execution {
    const struct command *command; /* resolved */
    const struct bytes *argv;
    size_t argc;
    uint16_t slot;           /* of the keys; ignored by execute_local */
    uint64_t hash;           /* of the first key */
    struct session *session; /* who asks */
    int protocol;
    const struct once *once; /* of a write that has a name; NULL = none */
    uint64_t once_age_ms;    /* of a client's: since it was first sent */
    struct buf *out;         /* the reply is appended */
    struct ack_set *acks;    /* what the reply must wait for is added */
    bool tracked;            /* the session's client keeps what it reads: see tracking.h */
};

/* False if this node does not serve the slot now, or takes no writes for it, or has no lease:
 * nothing was done. Sets worker->guarded: the reply must not leave without a lease. */
bool execute_in_slot(struct worker *worker, const struct execution *execution) TORC_MUST_USE;
/* The same of a blocking command. With blocked->waiting after it there is no reply: it waits. */
bool execute_blocking(struct worker *worker, const struct execution *execution,
                      struct blocked *blocked) TORC_MUST_USE;
/* Of one that waits. Slot lock held, and the slot is served here. False: it still waits, and the
 * reply is as it was. */
bool execute_waiting(struct worker *worker, struct slot *slot,
                     const struct execution *execution) TORC_MUST_USE;
/* A command without a slot, or the node's own part of one that concerns every node. */
void execute_local(struct worker *worker, const struct execution *execution);

/* Slot lock held, and the slot is served here: numbers `effects` (RESP commands), which were just
 * executed, and tells the members. `keys`: what they may have changed; NULL: any key. */
void slot_publish(struct worker *worker, struct slot *slot, struct bytes effects,
                  const struct bytes *keys, size_t key_count);
/* Slot lock held: adds what a reply about this slot must wait for. */
void slot_collect_acks(const struct worker *worker, const struct slot *slot, struct ack_set *acks);

#endif
