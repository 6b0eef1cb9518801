/*
 * The engine of a handle: everything that happens to calls between being submitted and being
 * answered. All functions want the handle's lock held.
 */
#ifndef TORC_CLIENT_ENGINE_H
#define TORC_CLIENT_ENGINE_H

#include "client/handle.h"

/* One turn, by who has the role: timers, writing, waiting until something happens, reading. Does
 * not wait if the waiter (may be NULL) has nothing to wait for, nor after until_ms. */
void engine_step(struct torc *handle, const struct waiter *waiter, uint64_t until_ms);

/* Takes the call in. 0; TORC_EOVERLOAD: too much is outstanding; it is not taken then, and has a
 * text. */
int engine_submit(struct torc *handle, struct call *call) TORC_MUST_USE;
/* Sends what has been submitted; unless blocking calls are being gathered. */
void engine_flush(struct torc *handle);
/* In any case. */
void engine_flush_now(struct torc *handle);
/* For blocking calls: those that were answered together go together. */
void engine_flush_together(struct torc *handle);
/* Sends it if nothing else is on its way to the same node, or enough has come together; else the
 * next turn, which the reply to what is on its way brings about, sends it. */
void engine_flush_corked(struct torc *handle, struct call *call);

/* Something is to be done at that time. */
void engine_due(struct torc *handle, uint64_t due_ms);
/* Wakes whoever polls. */
void engine_kick(struct torc *handle);

/* Ends a call that is in no list: with call->reply, or with call->error and text. */
void engine_complete(struct torc *handle, struct call *call);
/* The same, with an error that is noted now. */
void engine_fail(struct torc *handle, struct call *call, int error, const struct endpoint *endpoint,
                 const char *reason);
/* Fails whatever is live, and closes all connections; nobody else uses the handle any more. */
void engine_shut(struct torc *handle);

#endif
