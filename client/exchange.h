/*
 * One round of a batch: every waiting call is sent to where it belongs, to all nodes at the same
 * time, and the replies are awaited. What a reply or a failure means for the call is settled here;
 * whether there is another round is not.
 */
#ifndef TORC_CLIENT_EXCHANGE_H
#define TORC_CLIENT_EXCHANGE_H

#include "client/handle.h"

/* Afterwards no call is CALL_WAITING or CALL_SENT, and handle->findings says what came up. At
 * deadline_ms what is unanswered is done with TORC_ETIMEOUT. */
void exchange_round(struct torc *handle, struct batch *batch, uint64_t deadline_ms);

/*
 * Asks one node, whatever its place in the cluster, one thing. `name` is a command without
 * arguments. *reply is the caller's; error replies are replies. On failure the handle's error text
 * says why. 0, TORC_ENOMEM, TORC_ERESOLVE, TORC_ECONNECT, TORC_ECLOSED, TORC_ETIMEOUT,
 * TORC_EPROTOCOL.
 */
int exchange_ask(struct torc *handle, const struct endpoint *endpoint, const char *name,
                 uint64_t deadline_ms, redisReply **reply) TORC_MUST_USE;

#endif
