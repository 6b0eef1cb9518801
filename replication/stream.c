#include "replication/stream.h"

#include "base/error.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void stream_init(struct stream *stream)
{
    memset(stream, 0, sizeof(*stream));
}

void stream_deinit(struct stream *stream)
{
    backlog_deinit(&stream->backlog);
    free(stream->skipped);
    stream_init(stream);
}

int stream_append(struct stream *stream, const struct op *op, uint64_t *position)
{
    size_t size = op_size(op);
    struct buf *out = backlog_reserve(&stream->backlog, size);
    if (out == NULL) {
        return TORC_ENOMEM;
    }
    op_encode(out, op);
    backlog_commit(&stream->backlog, size);
    stream->appended += size;
    assert(stream->backlog.size == stream->appended - stream->acked);
    *position = stream->appended;
    return TORC_OK;
}

struct bytes stream_to_send(const struct stream *stream)
{
    return backlog_at(&stream->backlog, (size_t)(stream->sent - stream->acked));
}

void stream_sent(struct stream *stream, size_t size)
{
    stream->sent += size;
    assert(stream->sent <= stream->appended);
}

void stream_end(struct stream *stream)
{
    backlog_deinit(&stream->backlog);
    stream->sent = stream->acked = stream->appended;
}

int stream_ack(struct stream *stream, uint64_t position)
{
    if (position > stream->sent) {
        return TORC_ECORRUPT;
    }
    if (position > stream->acked) {
        backlog_consume(&stream->backlog, (size_t)(position - stream->acked));
        stream->acked = position;
    }
    return TORC_OK;
}

int stream_skip(struct stream *stream, uint64_t position)
{
    if (position > stream->sent || position <= stream->acked ||
        (stream->skipped_count > 0 && position < stream->skipped[stream->skipped_count - 1])) {
        return TORC_ECORRUPT;
    }
    if (stream->skipped_count == STREAM_SKIPPED_MAX) {
        /* Whoever waited for the oldest ones has most likely been told; who has not must not take
         * them for acknowledged. */
        size_t half = STREAM_SKIPPED_MAX / 2;
        if (stream->forgotten < stream->skipped[half - 1]) {
            stream->forgotten = stream->skipped[half - 1];
        }
        memmove(stream->skipped, stream->skipped + half, half * sizeof(*stream->skipped));
        stream->skipped_count = half;
    }
    if (stream->skipped_count == stream->skipped_capacity) {
        size_t capacity = stream->skipped_capacity == 0 ? 16 : 2 * stream->skipped_capacity;
        uint64_t *skipped = realloc(stream->skipped, capacity * sizeof(*skipped));
        if (skipped == NULL) {
            return TORC_ENOMEM;
        }
        stream->skipped = skipped;
        stream->skipped_capacity = capacity;
    }
    stream->skipped[stream->skipped_count++] = position;
    return TORC_OK;
}

bool stream_was_skipped(const struct stream *stream, uint64_t first, uint64_t last)
{
    if (first <= stream->forgotten) {
        return true;
    }
    for (size_t i = stream->skipped_count; i > 0 && stream->skipped[i - 1] >= first; i--) {
        if (stream->skipped[i - 1] <= last) {
            return true;
        }
    }
    return false;
}

int stream_resume(struct stream *stream, uint64_t position, uint64_t skipped)
{
    if (position < stream->acked || position > stream->sent || skipped > position) {
        return TORC_ESTALE;
    }
    /* What lies beyond is sent again, and skipped again if it must be. */
    while (stream->skipped_count > 0 && stream->skipped[stream->skipped_count - 1] > position) {
        stream->skipped_count--;
    }
    uint64_t heard = stream->skipped_count == 0 ? 0 : stream->skipped[stream->skipped_count - 1];
    if (skipped > stream->acked && skipped > heard) {
        stream->forgotten = skipped;
    }
    stream->sent = position;
    return stream_ack(stream, position);
}
