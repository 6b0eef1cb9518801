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
 * Asks each of these nodes, whatever its place in the cluster, one thing, all at the same time:
 * argv[0] is the command. It is sent once, whatever comes of it. replies[i] is the caller's, an
 * error reply too; where it is NULL, errors[i] says why: TORC_ENOMEM, TORC_ERESOLVE, TORC_ECONNECT,
 * TORC_ECLOSED, TORC_ETIMEOUT, TORC_EPROTOCOL. The text of the first of them is the handle's. 0;
 * TORC_ENOMEM, TORC_ETOOBIG: nobody was asked.
 */
int exchange_ask_each(struct torc *handle, const struct endpoint *endpoints, size_t count,
                      const struct bytes *argv, size_t argc, uint64_t deadline_ms,
                      redisReply **replies, int *errors) TORC_MUST_USE;

/* The same for one node; what would be errors[0] is returned. */
int exchange_ask(struct torc *handle, const struct endpoint *endpoint, const struct bytes *argv,
                 size_t argc, uint64_t deadline_ms, redisReply **reply) TORC_MUST_USE;

#endif
