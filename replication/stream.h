/*
 * The sender's side of the ordered stream towards one replica: what was appended and not yet
 * acknowledged, so that a broken connection is resumed and not refilled.
 *
 *      acked ............ sent ............ appended        positions, in bytes since the start
 *        |  in flight      |  to be sent     |
 *        +-- backlog ------------------------+
 *
 * Pure: whoever owns it locks it and moves the bytes. A position that was skipped (the replica no
 * longer takes operations of that slot from us) must never count as acknowledged.
 */
#ifndef TORC_REPLICATION_STREAM_H
#define TORC_REPLICATION_STREAM_H

#include "base/attributes.h"
#include "replication/backlog.h"
#include "replication/op.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAM_SKIPPED_MAX 4096 /* remembered */

struct stream {
    struct backlog backlog;
    uint64_t acked;
    uint64_t sent;
    uint64_t appended;
    uint64_t forgotten; /* of the positions up to here it is no longer known which were skipped */
    uint64_t *skipped;  /* end positions the replica refused, ascending */
    size_t skipped_count;
    size_t skipped_capacity;
};

void stream_init(struct stream *stream);
void stream_deinit(struct stream *stream);

/* Appends one operation; *position is where it ends, which is what an acknowledgement must reach.
 * 0 or TORC_ENOMEM (nothing appended). */
int stream_append(struct stream *stream, const struct op *op, uint64_t *position) TORC_MUST_USE;

/* The next that may be sent: whole operations, except for what was sent of the first. Stays where
 * it is until it is acknowledged, or the stream ends. stream_sent says how much of it went out. */
struct bytes stream_to_send(const struct stream *stream);
void stream_sent(struct stream *stream, size_t size);

/* Nobody waits for it any more: it counts as acknowledged, and its memory is given back. */
void stream_end(struct stream *stream);

/* The replica holds everything up to `position`. 0, or TORC_ECORRUPT if it never was sent. Older
 * positions are ignored. */
int stream_ack(struct stream *stream, uint64_t position) TORC_MUST_USE;
/* The replica did not take the operation that ends at `position`. 0, TORC_ECORRUPT, TORC_ENOMEM. */
int stream_skip(struct stream *stream, uint64_t position) TORC_MUST_USE;
/* True if an operation ending in [first, last] was skipped, or may have been: of STREAM_SKIPPED_MAX
 * and more, the oldest are forgotten. */
bool stream_was_skipped(const struct stream *stream, uint64_t first, uint64_t last);

/* A new connection: the replica says where it stands, and the last position that it skipped (0 =
 * none). 0: sending goes on from there. When it skipped something and the connection broke before
 * that was heard, what it had taken meanwhile may have been skipped. TORC_ESTALE: it lacks what is
 * no longer in the backlog, or claims what never was sent. */
int stream_resume(struct stream *stream, uint64_t position, uint64_t skipped) TORC_MUST_USE;

#endif
