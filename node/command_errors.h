/*
 * The replies to requests that name no command, or name one with the wrong arguments: the
 * dispatcher's, worded as Redis words them. Each writes one error reply.
 */
#ifndef TORC_NODE_COMMAND_ERRORS_H
#define TORC_NODE_COMMAND_ERRORS_H

#include "node/command.h"
#include "node/resp/reply.h"

void reply_unknown_command(struct reply_writer *writer, const struct bytes *argv, size_t argc);
/* argv[1] is no subcommand of this container. argc >= 2. */
void reply_unknown_subcommand(struct reply_writer *writer, const struct command *container,
                              const struct bytes *argv, size_t argc);
void reply_wrong_arity(struct reply_writer *writer, const struct command *command);

#endif
