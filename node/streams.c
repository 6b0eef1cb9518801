#include "node/streams.h"

#include "base/error.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct replica_stream *replica_stream_create(uint16_t peer, unsigned shard, uint64_t generation)
{
    struct replica_stream *stream = calloc(1, sizeof(*stream));
    if (stream != NULL) {
        stream->peer = peer;
        stream->shard = shard;
        stream->generation = generation;
        stream_init(&stream->stream);
    }
    return stream;
}

void replica_stream_destroy(struct replica_stream *stream)
{
    if (stream != NULL) {
        stream_deinit(&stream->stream);
        free(stream);
    }
}

static const struct ack_range *ranges_of(const struct ack_set *set)
{
    return set->many != NULL ? set->many : set->few;
}

void ack_set_deinit(struct ack_set *set)
{
    free(set->many);
    *set = (struct ack_set){0};
}

static void make_room(struct ack_set *set)
{
    size_t capacity = set->many == NULL ? ACK_SET_INLINE : set->capacity;
    if (set->count < capacity) {
        return;
    }
    assert(capacity > 0);
    struct ack_range *many = realloc(set->many, 2 * capacity * sizeof(*many));
    if (many == NULL) {
        abort();
    }
    if (set->many == NULL) {
        memcpy(many, set->few, sizeof(set->few));
    }
    set->many = many;
    set->capacity = 2 * capacity;
}

void ack_set_add(struct ack_set *set, struct replica_stream *stream, uint64_t first, uint64_t last)
{
    struct ack_range *ranges = set->many != NULL ? set->many : set->few;
    for (size_t i = 0; i < set->count; i++) {
        if (ranges[i].stream == stream) {
            ranges[i].first = first < ranges[i].first ? first : ranges[i].first;
            ranges[i].last = last > ranges[i].last ? last : ranges[i].last;
            return;
        }
    }
    make_room(set);
    ranges = set->many != NULL ? set->many : set->few;
    ranges[set->count++] = (struct ack_range){stream, first, last};
}

void ack_set_merge(struct ack_set *set, const struct ack_set *from)
{
    const struct ack_range *ranges = ranges_of(from);
    for (size_t i = 0; i < from->count; i++) {
        ack_set_add(set, ranges[i].stream, ranges[i].first, ranges[i].last);
    }
}

static enum ack_state range_state(const struct ack_range *range)
{
    struct replica_stream *stream = range->stream;
    if (atomic_load_explicit(&stream->acked, memory_order_acquire) < range->last) {
        return atomic_load_explicit(&stream->closed, memory_order_acquire) ? ACKS_DONE
                                                                           : ACKS_PENDING;
    }
    if (!atomic_load_explicit(&stream->skipped_any, memory_order_acquire)) {
        return ACKS_DONE;
    }
    spin_lock(&stream->lock);
    bool skipped = stream_was_skipped(&stream->stream, range->first, range->last);
    spin_unlock(&stream->lock);
    return skipped ? ACKS_FAILED : ACKS_DONE;
}

enum ack_state ack_set_state(const struct ack_set *set, uint64_t worker_bit)
{
    enum ack_state state = ACKS_DONE;
    for (size_t i = 0; i < set->count; i++) {
        const struct ack_range *range = &ranges_of(set)[i];
        enum ack_state one = range_state(range);
        if (one == ACKS_PENDING && worker_bit != 0) {
            /* Ask first and look again: an acknowledgement in between would wake nobody. */
            atomic_fetch_or(&range->stream->waiting, worker_bit);
            one = range_state(range);
        }
        if (one == ACKS_FAILED) {
            return ACKS_FAILED;
        }
        if (one == ACKS_PENDING) {
            state = ACKS_PENDING;
        }
    }
    return state;
}

int replica_stream_append(struct replica_stream *stream, const struct op *op, uint64_t *position)
{
    spin_lock(&stream->lock);
    int result = stream_append(&stream->stream, op, position);
    uint64_t backlog = stream->stream.appended - stream->stream.acked;
    spin_unlock(&stream->lock);
    atomic_store_explicit(&stream->backlog_size, backlog, memory_order_relaxed);
    return result;
}
