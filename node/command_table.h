/*
 * The commands as they are written down, for the index over them: see command.h for lookup. Ends
 * with a NULL name. Constant; any thread.
 */
#ifndef TORC_NODE_COMMAND_TABLE_H
#define TORC_NODE_COMMAND_TABLE_H

#include "node/command.h"

extern const struct command command_list[];

#endif
