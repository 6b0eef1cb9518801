/*
 * The one channel that can be subscribed to: that on which clients of RESP2 are told of changes
 * (CLIENT TRACKING ... REDIRECT). A client that is subscribed, and speaks RESP2, may send hardly
 * anything else, for it could not tell replies from messages.
 */
#ifndef TORC_NODE_COMMANDS_SUBSCRIPTION_H
#define TORC_NODE_COMMANDS_SUBSCRIPTION_H

#include "node/command.h"
#include "node/resp/reply.h"
#include "node/session.h"

#include <stdbool.h>

/* Owning worker. */
bool session_is_subscribed(const struct session *session);
/* Replies the error, if the client may not send the command while it is subscribed. */
bool subscription_refuses(const struct session *session, const struct command *command,
                          struct reply_writer *writer);

#endif
