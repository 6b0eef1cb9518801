/*
 * The replication streams of a node with their locks. Towards each peer there is one stream for
 * each worker of this node: stream k carries the slots with slot % workers == k and is sent by
 * worker k, so that sending needs no other thread. Any worker may append, under the slot's lock.
 *
 * Lock order: slot, then stream. Nothing else is taken under a stream's lock.
 */
#ifndef TORC_NODE_STREAMS_H
#define TORC_NODE_STREAMS_H

#include "base/attributes.h"
#include "node/spinlock.h"
#include "replication/stream.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define ACK_SET_INLINE 4 /* streams a reply waits for without allocating */

struct node;

struct replica_stream {
    /* constant after creation */
    uint16_t peer;       /* index in peers */
    unsigned shard;      /* worker that sends it */
    uint64_t generation; /* tells this stream from an earlier one to the same peer */

    struct spinlock lock;
    struct stream stream; /* lock */
    bool sending; /* lock; its worker reads from the backlog, which is not to end meanwhile */

    /* any thread */
    _Atomic uint64_t acked;        /* copy of stream.acked */
    _Atomic uint64_t backlog_size; /* bytes appended and not acknowledged */
    _Atomic bool skipped_any;      /* stream.skipped is not empty */
    _Atomic bool closed;  /* the view no longer counts the replica: nobody waits for it any more */
    _Atomic bool closing; /* about to be closed: no slot may take it up again */
    _Atomic bool dirty;   /* has something to send that its worker has not looked at */
    uint64_t checked;     /* worker `shard`: end of the last check of copies in it */
    _Atomic uint64_t waiting;           /* bit w: worker w waits for an acknowledgement */
    struct replica_stream *next_closed; /* peers lock: kept until the node stops */
};

struct replica_stream *replica_stream_create(uint16_t peer, unsigned shard, uint64_t generation);
void replica_stream_destroy(struct replica_stream *stream);

/*
 * Positions, one range a stream, that a reply waits for. Zeroed is empty. May be moved by
 * assignment when the source is zeroed; ack_set_deinit frees what many streams made it allocate.
 */
struct ack_range {
    struct replica_stream *stream;
    uint64_t first; /* end of the first operation waited for */
    uint64_t last;
};

struct ack_set {
    size_t count;
    size_t capacity; /* of `many` */
    struct ack_range few[ACK_SET_INLINE];
    struct ack_range *many; /* NULL while `few` suffices */
};

enum ack_state { ACKS_PENDING, ACKS_DONE, ACKS_FAILED };

void ack_set_deinit(struct ack_set *set);
/* Stops the process when there is no memory: a reply must never leave unacknowledged. */
void ack_set_add(struct ack_set *set, struct replica_stream *stream, uint64_t first, uint64_t last);
/* Adds all of `from`. */
void ack_set_merge(struct ack_set *set, const struct ack_set *from);
/* Where the set stands. With `worker_bit` it asks, for what is still pending, that the worker be
 * woken at the next acknowledgement. Any thread. */
enum ack_state ack_set_state(const struct ack_set *set, uint64_t worker_bit);

/* Appends to the stream; marking it dirty and waking its worker is the caller's. Slot lock held.
 * 0 or TORC_ENOMEM. */
int replica_stream_append(struct replica_stream *stream, const struct op *op,
                          uint64_t *position) TORC_MUST_USE;

#endif
