/*
 * One value of a container, or a member, or a field, in a dump: docs/protocol.md. Internal to the
 * store.
 */
#ifndef TORC_NODE_STORE_DUMP_VALUE_H
#define TORC_NODE_STORE_DUMP_VALUE_H

#include "base/codec.h"

void dump_write_value(struct buf *out, struct bytes value);
/* Borrowed from the payload, which fails if there is none, or if it is written too long. */
struct bytes dump_read_value(struct reader *payload);

#endif
