/*
 * What became of writes that have a name, because other nodes forwarded them or a client named them
 * itself: so that one whose answer was lost, because a connection or a primary went away, can be
 * asked for again and is not made twice. Kept with each copy of a slot, and replicated with the
 * effects. Pure; the slot's lock.
 *
 *      origin    one thread of one run of one node that forwards, or one client (TORC.ONCE)
 *      id        its writes, in order
 *      settled   ids below it have been answered for good
 */
#ifndef TORC_REPLICATION_OUTCOMES_H
#define TORC_REPLICATION_OUTCOMES_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A longer reply is not kept: the write is still made once, and who asks again is told so. */
#define OUTCOME_REPLY_SIZE_MAX 1024
#define ONCE_SIZE 24
/* In the origin of every client, and of no node. */
#define ONCE_ORIGIN_CLIENT (UINT64_C(1) << 63)
/* Clients whose outcomes a slot keeps; nodes are few, clients may be any number. Some 150 bytes
 * each. */
#ifdef TORC_TINY_LIMITS
#define OUTCOME_CLIENTS_MAX 8
#else
#define OUTCOME_CLIENTS_MAX 256
#endif

/* Names a write for good. */
struct once {
    uint64_t origin;
    uint64_t id; /* 1 is the first */
    uint64_t settled;
};

void once_encode(struct buf *out, const struct once *once); /* ONCE_SIZE bytes */
/* From the front of `input`, which is moved on. 0 or TORC_ECORRUPT (cut short, id 0). */
int once_decode(struct bytes *input, struct once *out) TORC_MUST_USE;

struct outcomes;

/* NULL without memory. */
struct outcomes *outcomes_create(void);
void outcomes_destroy(struct outcomes *outcomes); /* NULL is allowed */
/* The reply that was given, borrowed until the next change; data NULL: that write was not made
 * here. Size 0: it was, and its reply was too long to keep, or is
 * settled. `outcomes` may be NULL. */
struct bytes outcomes_find(const struct outcomes *outcomes, const struct once *once);
/* True: by a later write of the same origin this one has been answered for good. A request for it
 * that comes now was long on its way, through another connection, and must not be made again. */
bool outcomes_settled(const struct outcomes *outcomes, const struct once *once);
/* True: the origin is a client's whose outcomes are not kept, and there is no room for another's
 * until some have aged. Only who admits writes asks: a copy keeps whatever it is told. */
bool outcomes_full(const struct outcomes *outcomes, const struct once *once);
/* Notes the reply to a write, and forgets what is settled. 0 or TORC_ENOMEM. */
int outcomes_note(struct outcomes *outcomes, const struct once *once,
                  struct bytes reply) TORC_MUST_USE;
size_t outcomes_count(const struct outcomes *outcomes); /* `outcomes` may be NULL */
/* Forgets what was there at the last call already: call it less often than anybody asks again for.
 */
void outcomes_age(struct outcomes *outcomes);

typedef void outcomes_visitor(void *context, const struct once *once, struct bytes reply);
void outcomes_each(const struct outcomes *outcomes, outcomes_visitor *visit, void *context);

#endif
