/* The replica's side of a replication stream: checks each operation and applies it to its slot. */
#include "node/bus_server.h"

#include "base/error.h"
#include "node/command.h"
#include "node/execute.h"
#include "node/peers.h"
#include "node/worker.h"
#include "replication/op.h"

enum verdict {
    OP_APPLIED,
    OP_SKIPPED, /* not ours to take from this sender: it must not count as acknowledged */
    OP_LATER,   /* of a view that is not installed here yet */
    OP_BROKEN,
};

/* Executes the commands of an effect. Slot lock held. False: they are not commands. */
static bool apply_commands(struct worker *worker, struct slot *slot, char *text, size_t size)
{
    struct request_parser parser;
    request_parser_init(&parser);
    size_t used = 0;
    bool ok = true;
    while (ok && used < size) {
        struct request request;
        worker->replayed.count = 0;
        ok = request_parse(&parser, text + used, size - used, &worker->replayed, &request) ==
             REQUEST_COMPLETE;
        if (!ok) {
            break;
        }
        used += request.consumed;
        const struct bytes *argv = worker->replayed.items + request.first;
        const struct command *command = command_find(worker->node->commands, argv[0]);
        command = command == NULL ? NULL : command_resolve(command, argv, request.count);
        ok =
            command != NULL && command->handler != NULL && command_arity_ok(command, request.count);
        if (!ok) {
            break;
        }
        struct reply_writer writer = {.out = &worker->effects, .protocol = 2};
        struct call call = {.command = command,
                            .argv = argv,
                            .argc = request.count,
                            .now_ms = worker->now_wall_ms,
                            .keys = slot->keys,
                            .reply = &writer,
                            .worker = worker,
                            .applying = true};
        if (command->first_key > 0) {
            call.hash = key_hash(argv[command->first_key]);
        }
        command->handler(&call);
        if (writer.errors > 0) {
            log_error(&worker->node->log, "an effect on slot %u failed at this replica: %.*s",
                      slot->index, (int)argv[0].size, argv[0].data);
        }
        buf_reset(&worker->effects, WORKER_READ_BUFFER_SIZE);
    }
    request_parser_deinit(&parser);
    return ok;
}

static enum verdict apply_effect(struct worker *worker, struct slot *slot, const struct op *op)
{
    if (!slot->complete) {
        return OP_SKIPPED;
    }
    if (op->sequence <= slot->sequence && op->epoch <= slot->effect_epoch) {
        return OP_APPLIED; /* sent again after a reconnect */
    }
    if (op->sequence != slot->sequence + 1) {
        log_error(&worker->node->log, "slot %u: operation %llu after %llu: taking it over anew",
                  slot->index, (unsigned long long)op->sequence,
                  (unsigned long long)slot->sequence);
        slot->complete = false;
        slot->need_take = true;
        return OP_SKIPPED;
    }
    /* The payload lies in the connection's own buffer; parsing may write to it. */
    if (!apply_commands(worker, slot, (char *)(uintptr_t)op->payload.data, op->payload.size)) {
        return OP_BROKEN;
    }
    slot->sequence = op->sequence;
    slot->effect_epoch = op->epoch;
    stat_add(&worker->stats.effects_applied, 1);
    return OP_APPLIED;
}

static enum verdict apply_refill_key(struct slot *slot, const struct op *op)
{
    struct bytes key;
    struct bytes dump;
    uint64_t expire_at_ms = 0;
    if (!slot->receiving) {
        return OP_SKIPPED;
    }
    if (op_decode_refill_key(op->payload, &key, &expire_at_ms, &dump) != TORC_OK) {
        return OP_BROKEN;
    }
    int result = keyspace_restore(slot->keys, key, key_hash(key), dump, expire_at_ms);
    return result == TORC_OK ? OP_APPLIED : OP_BROKEN;
}

static enum verdict apply_refill_end(struct worker *worker, struct slot *slot, const struct op *op,
                                     struct peer *sender)
{
    bool kept = (op->flags & OP_FLAG_KEEP) != 0 && slot->complete && slot->sequence == op->sequence;
    if (!slot->need_take || !(slot->receiving || kept)) {
        return OP_SKIPPED;
    }
    slot->receiving = false;
    slot->complete = true;
    slot->need_take = false;
    slot->sequence = op->sequence;
    slot->effect_epoch = op->epoch;
    if (slot->role == SLOT_PRIMARY) {
        slot->source = PEER_NONE;
        struct replica_stream *stream = atomic_load_explicit(
            &sender->streams[slot->index % worker->node->worker_count], memory_order_acquire);
        if ((op->flags & OP_FLAG_FOLLOW) != 0 && stream != NULL && !atomic_load(&stream->closing) &&
            slot->replica_count < SLOT_REPLICAS_MAX) {
            slot->replicas[slot->replica_count] = stream;
            slot->positions[slot->replica_count] = 0;
            slot->replica_count++;
        }
    }
    return OP_APPLIED;
}

/* Effects come from whom we listen to: who leads the slot, or led it until it is settled what the
 * next one takes over, so that what was under way at a change of views is not refused. */
static enum verdict take_effect(struct worker *worker, struct slot *slot, const struct op *op,
                                uint16_t sender)
{
    if (slot->source == sender) {
        return apply_effect(worker, slot, op);
    }
    if (op->epoch > atomic_load(&worker->node->epoch)) {
        return OP_LATER; /* under that view the sender may be the one to listen to */
    }
    /* One that leads the slot, and need not tell us any more, loses nothing when we do not listen.
     */
    return slot->leader == sender ? OP_APPLIED : OP_SKIPPED;
}

static enum verdict take_refill(struct worker *worker, struct slot *slot, const struct op *op,
                                struct peer *sender)
{
    if (!slot->need_take || (slot->source != sender->index && slot->leader != sender->index)) {
        bool newer = op->epoch > atomic_load(&worker->node->epoch);
        return newer && op->kind != OP_REFILL_END ? OP_LATER : OP_SKIPPED;
    }
    slot->source = sender->index;
    if (op->kind == OP_REFILL_BEGIN) {
        keyspace_clear(slot->keys);
        slot->complete = false;
        slot->receiving = true;
        return OP_APPLIED;
    }
    return op->kind == OP_REFILL_KEY ? apply_refill_key(slot, op)
                                     : apply_refill_end(worker, slot, op, sender);
}

static enum verdict apply(struct bus_connection *bus, const struct op *op)
{
    struct worker *worker = bus->worker;
    struct slot *slot = &worker->node->slots[op->slot];
    enum verdict verdict = OP_SKIPPED;
    slot_lock(slot);
    int64_t before = (int64_t)keyspace_memory(slot->keys);
    if (op->kind == OP_EFFECT) {
        verdict = take_effect(worker, slot, op, bus->peer->index);
    } else {
        verdict = take_refill(worker, slot, op, bus->peer);
    }
    int64_t after = (int64_t)keyspace_memory(slot->keys);
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
        enum verdict verdict = result == TORC_OK ? apply(bus, &op) : OP_BROKEN;
        if (verdict == OP_BROKEN) {
            *broken = true;
            return used;
        }
        if (verdict == OP_LATER) {
            bus->held = true;
            worker->bus_held++;
            ev_io_stop(worker->loop, &bus->reader);
            return used;
        }
        used += consumed;
        bus->position += consumed;
        /* Nobody waits for a refill's operations, so only effects are worth a word. */
        if (verdict == OP_SKIPPED && op.kind == OP_EFFECT) {
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
