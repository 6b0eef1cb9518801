/*
 * What becomes of a client's request: refused, executed here, sent to the slot's owner, answered
 * MOVED, or split over several.
 */
#ifndef TORC_NODE_DISPATCH_H
#define TORC_NODE_DISPATCH_H

#include "node/command.h"
#include "node/resp/reply.h"
#include "node/resp/request.h"

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct worker;

/* A request of the batch with what is known before it is executed. */
struct prepared {
    struct request request;
    const struct command *command; /* NULL: unknown */
    const struct bytes *argv;
    uint64_t hash; /* of the first key */
    uint16_t slot; /* of the first key; FRAME_NO_SLOT without keys */
    bool named;    /* it came in a TORC.ONCE, whose arguments stand before argv: see once.h */
};

/* Finds the command and the slot, and starts pulling the slot's memory. */
void dispatch_prepare(struct worker *worker, struct prepared *prepared);
/* What is pulled next depends on what was pulled before, so each step is made for the whole batch
 * before the next: the line of the table, then the object. */
void dispatch_prefetch_table(const struct worker *worker, const struct prepared *prepared);
void dispatch_prefetch_object(const struct worker *worker, const struct prepared *prepared);
/* Replies MOVED; false when this node itself is to be the owner, or the owner may not know that it
 * is, or this worker knows an old view. */
bool dispatch_reply_moved(struct worker *worker, uint16_t slot, struct reply_writer *writer);
/* Carries it out; replies go to the worker's chunk or to the connection's queue. */
void dispatch(struct connection *connection, const struct prepared *prepared);

#endif
