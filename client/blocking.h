/*
 * Commands that may wait at the server, for as long as they say themselves: BLPOP and its kind.
 * Which these are the server's table of commands says. Pure.
 */
#ifndef TORC_CLIENT_BLOCKING_H
#define TORC_CLIENT_BLOCKING_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False for a command that may wait but does not as it is given: XREAD without BLOCK. */
bool blocking_waits(const struct bytes *argv, size_t argc);
/* `deadline_ms` and as long as the command itself says that it waits; UINT64_MAX: for ever. */
uint64_t blocking_deadline(const struct bytes *argv, size_t argc, uint64_t deadline_ms);

#endif
