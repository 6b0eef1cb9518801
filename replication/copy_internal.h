/*
 * What the two files of a copy offer each other. Nothing outside replication/copy*.c includes this.
 */
#ifndef TORC_REPLICATION_COPY_INTERNAL_H
#define TORC_REPLICATION_COPY_INTERNAL_H

#include "replication/copy.h"

/* Notes the outcome, creating the table if need be; stops the process without memory. */
void copy_note_outcome(struct outcomes **outcomes, const struct once *once, struct bytes reply);

#endif
