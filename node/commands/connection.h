/*
 * Commands about the one connection that sends them. Handlers are declared in handlers.h; here is
 * what other commands share of them.
 */
#ifndef TORC_NODE_COMMANDS_CONNECTION_H
#define TORC_NODE_COMMANDS_CONNECTION_H

#include "base/bytes.h"
#include "node/call.h"
#include "node/command.h"

#include <stdbool.h>

/* The name a client gives itself; replies an error and returns false when it is too long or holds
 * spaces, newlines or special characters. The empty name removes it. Owning worker. */
bool connection_set_name(struct call *call, struct bytes name);
/* Printable ASCII without spaces: what CLIENT LIST can show without being taken apart wrongly. */
bool connection_text_is_plain(struct bytes text);

#endif
