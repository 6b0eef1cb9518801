/* The replica's side of a replication stream: checks each operation and applies it to its slot. */
#include "node/bus_server.h"

#include "base/error.h"
#include "node/check.h"
#include "node/peers.h"
#include "node/worker.h"
#include "replication/op.h"

static enum copy_verdict apply(struct bus_connection *bus, const struct op *op)
{
    struct worker *worker = bus->worker;
    struct slot *slot = &worker->node->slots[op->slot];
    slot_lock(slot);
    int64_t before = (int64_t)keyspace_memory(slot_keys(slot));
    enum copy_verdict verdict = copy_receive(&slot->copy, &worker->rim.copies, op, bus->peer->index,
                                             bus->generation, atomic_load(&worker->node->epoch));
    int64_t after = (int64_t)keyspace_memory(slot_keys(slot));
    slot_unlock(slot);
    atomic_fetch_add_explicit(&worker->node->copied_since_bytes, after - before,
                              memory_order_relaxed);
    return verdict;
}

/* Applies operations until one is not all there, must wait, or breaks the stream; the bytes used.
 */
static size_t apply_all(struct bus_connection *bus, struct bytes input, uint64_t *skipped,
                        bool *broken)
{
    struct worker *worker = bus->worker;
    size_t used = 0;
    for (;;) {
        struct op op;
        size_t consumed = 0;
        int result =
            op_decode((struct bytes){input.data + used, input.size - used}, &op, &consumed);
        if (result == TORC_EAGAIN) {
            return used;
        }
        enum copy_verdict verdict = result == TORC_OK ? apply(bus, &op) : COPY_BROKEN;
        if (verdict == COPY_BROKEN) {
            *broken = true;
            return used;
        }
        if (verdict == COPY_LATER) {
            bus->held = true;
            worker->bus_held++;
            ev_io_stop(worker->loop, &bus->reader);
            return used;
        }
        used += consumed;
        bus->position += consumed;
        if (op.kind == OP_CHECK) {
            check_note(worker, bus->peer, &op, verdict);
        }
        /* Nobody waits for the middle of a refill. */
        bool awaited = op.kind == OP_EFFECT || op.kind == OP_REFILL_END || op.kind == OP_CONFIRM;
        if (verdict == COPY_SKIPPED && awaited) {
            *skipped = bus->position;
            ack_encode(&bus->out, ACK_SKIPPED, *skipped);
            stat_add(&worker->stats.effects_refused, 1);
        }
    }
}

size_t stream_receive(struct bus_connection *bus, struct bytes input, bool *broken)
{
    uint64_t skipped = 0;
    if (!peer_receive_apply_begin(bus->peer, bus->shard, bus->number)) {
        *broken = true; /* a newer connection of the same stream has taken over */
        bus->superseded = true;
        return 0;
    }
    size_t used = apply_all(bus, input, &skipped, broken);
    peer_receive_apply_end(bus->peer, bus->shard, bus->position, skipped);
    if (used > 0) {
        ack_encode(&bus->out, ACK_UP_TO, bus->position);
        bus->dirty = true;
    }
    return used;
}
