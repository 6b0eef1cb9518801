/*
 * Questions to particular nodes, for tools that look at a cluster: blocking, without routing, sent
 * once. Without the lock.
 */
#ifndef TORC_CLIENT_ASK_H
#define TORC_CLIENT_ASK_H

#include "client/handle.h"

/*
 * Asks each of these nodes, whatever its place in the cluster, one thing, all at the same time:
 * argv[0] is the command. replies[i] is the caller's, an error reply too; where it is NULL,
 * errors[i] says why: TORC_ENOMEM, TORC_ERESOLVE, TORC_ECONNECT, TORC_ECLOSED, TORC_ETIMEOUT,
 * TORC_EPROTOCOL. 0, or TORC_ENOMEM: nobody was asked.
 */
int ask_each(struct torc *handle, const struct endpoint *endpoints, size_t count,
             const struct bytes *argv, size_t argc, unsigned timeout_ms, redisReply **replies,
             int *errors) TORC_MUST_USE;
/* The same for one node; what would be errors[0] is returned. */
int ask_one(struct torc *handle, const struct endpoint *endpoint, const struct bytes *argv,
            size_t argc, unsigned timeout_ms, redisReply **reply) TORC_MUST_USE;
/* Looks for a newer view now. True if somebody of this cluster answered in time. */
bool ask_for_newer(struct torc *handle, unsigned timeout_ms);
/* The view that is known; retained for the caller. NULL: none, or this is no Torc cluster. */
const struct view *ask_view(struct torc *handle);

#endif
