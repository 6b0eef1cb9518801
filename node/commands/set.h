/*
 * What the handlers of sets share.
 */
#ifndef TORC_NODE_COMMANDS_SET_H
#define TORC_NODE_COMMANDS_SET_H

#include "node/store/draw.h"

extern const struct member_source set_source;

#endif
