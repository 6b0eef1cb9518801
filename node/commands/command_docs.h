/*
 * What the node tells about its commands, all of it from the table: COMMAND and its subcommands,
 * and every container's HELP.
 */
#ifndef TORC_NODE_COMMANDS_COMMAND_DOCS_H
#define TORC_NODE_COMMANDS_COMMAND_DOCS_H

#include "node/call.h"

/* Handler of every "<container>|help": lists the container's subcommands. */
void command_reply_help(struct call *call);

#endif
