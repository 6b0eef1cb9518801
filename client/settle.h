/*
 * What a reply, a failure or a deadline means for a call: it is answered, ends with an error, or is
 * tried again, here or elsewhere, now or later. The handle's lock is held.
 */
#ifndef TORC_CLIENT_SETTLE_H
#define TORC_CLIENT_SETTLE_H

#include "client/handle.h"

/* The next reply of a connection; taken over. */
void settle_reply(struct torc *handle, struct connection *connection, redisReply *reply);
/* If the connection has failed and nobody is at it: closes it, and settles the calls on it. */
void settle_failed(struct torc *handle, struct connection *connection);
/* Calls that never got as far as a connection: nobody serves the slot; the node is left alone. */
void settle_unserved(struct torc *handle, struct call *call);
void settle_unavailable(struct torc *handle, struct call *call, const struct node *node);
/* Its time, or that of its attempt, is over, wherever it is. */
void settle_expired(struct torc *handle, struct call *call, uint64_t now_ms);

#endif
