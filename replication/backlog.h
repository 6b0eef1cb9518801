/*
 * A queue of bytes in blocks: what is appended at once lies in one block, and stays where it is
 * until it is consumed. So nothing is copied to make room, and what was read from it may be used
 * while others append. Zeroed is empty. Pure.
 *
 *      consumed ─►│ block │ ─► │ block │ ─► │ block  ...room │ ◄─ appended
 */
#ifndef TORC_REPLICATION_BACKLOG_H
#define TORC_REPLICATION_BACKLOG_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"

#include <stddef.h>

struct backlog_block;

struct backlog {
    struct backlog_block *first, *last; /* NULL = none; owned */
    size_t size;                        /* bytes appended and not consumed */
};

void backlog_deinit(struct backlog *backlog); /* empty again */
/* Where `size` bytes can be appended; backlog_commit says that they were. NULL without memory. */
struct buf *backlog_reserve(struct backlog *backlog, size_t size);
void backlog_commit(struct backlog *backlog, size_t size);
/* The bytes behind the first `offset`, up to the end of their block. Stay until consumed. */
struct bytes backlog_at(const struct backlog *backlog, size_t offset);
void backlog_consume(struct backlog *backlog, size_t size);

#endif
