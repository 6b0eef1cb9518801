/*
 * What the files of a copy offer each other. Nothing outside replication/copy*.c includes this.
 */
#ifndef TORC_REPLICATION_COPY_INTERNAL_H
#define TORC_REPLICATION_COPY_INTERNAL_H

#include "replication/copy.h"

/* Notes the outcome, creating the table if need be; stops the process without memory. */
void copy_note_outcome(struct outcomes **outcomes, const struct once *once, struct bytes reply);

/* copy_receive of an OP_CHECK. */
enum copy_verdict copy_receive_check(const struct copy *copy, const struct copy_rim *rim,
                                     const struct op *op, uint16_t sender, uint64_t generation);

#endif
