/*
 * How long a blocking command may wait: a number of seconds with any fraction; 0 = for ever.
 */
#ifndef TORC_NODE_COMMANDS_TIMEOUT_H
#define TORC_NODE_COMMANDS_TIMEOUT_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "node/call.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads it, rounded up to milliseconds. NULL, or what is wrong with it (without "ERR "; static).
 * With `now_ms` added it fits into 63 bits. */
const char *timeout_read(struct bytes text, uint64_t now_ms, uint64_t *timeout_ms) TORC_MUST_USE;

/* Index of the argument that says it, of a command with COMMAND_BLOCKING and keys. */
size_t timeout_index(const struct command *command, size_t argc);

/* True if that argument is lawful; else replies what is wrong with it. */
bool timeout_ok(struct call *call) TORC_MUST_USE;

#endif
