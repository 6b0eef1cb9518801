/*
 * TORC.ONCE: a write that its client has named, so that it may send it again when it does not know
 * what became of it, and have it carried out once. The name stands before the command, which is
 * then prepared as if it had come alone:
 *
 *      TORC.ONCE  origin  id  settled  age  command ...
 *      '------------ ONCE_ARGUMENTS -----'  '-- argv of the prepared request
 *
 *      origin    32 hexadecimal digits, drawn by the client at random, once
 *      id        1, 2, ... of its writes: another for each, the same however often it is sent
 *      settled   ids below it have been answered, and are not sent again
 *      age       milliseconds since the write was first sent: 0 for the first time
 *
 * The worker's thread.
 */
#ifndef TORC_NODE_ONCE_H
#define TORC_NODE_ONCE_H

#include "node/dispatch.h"
#include "replication/outcomes.h"

#define ONCE_ARGUMENTS 5

/* Sets command, arguments and `named` to what is to be carried out, if all of it is lawful; else
 * leaves TORC.ONCE, whose own handler says what is not. */
void once_unwrap(const struct command_table *commands, struct prepared *prepared);
/* Of a request that is `named`. */
void once_read(const struct prepared *prepared, struct once *out, uint64_t *age_ms);

#endif
