/*
 * WAIT: how many replicas have every write that was made before it. One worker.
 */
#ifndef TORC_NODE_WAIT_H
#define TORC_NODE_WAIT_H

#include <stdbool.h>

struct command;

/* The reply to this command may be late: it has a place of its own among the replies. */
bool command_may_wait(const struct command *command);

#endif
