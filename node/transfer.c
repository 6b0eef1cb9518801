#include "node/transfer.h"

#include "base/codec.h"
#include "base/error.h"
#include "node/call.h"
#include "node/commands/handlers.h"
#include "node/peers.h"
#include "node/worker.h"
#include "replication/op.h"

#include <stdlib.h>

#define BACKLOG_WHILE_SENDING                                                                      \
    (32u * 1024 * 1024) /* more waits, so that refills need bounded memory */

int standing_compare(const struct standing *a, const struct standing *b)
{
    if (a->complete != b->complete) {
        return a->complete ? 1 : -1;
    }
    if (a->effect_epoch != b->effect_epoch) {
        return a->effect_epoch > b->effect_epoch ? 1 : -1;
    }
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

void standing_encode(struct buf *out, const struct standing *standing)
{
    write_u8(out, standing->complete);
    write_u64(out, standing->effect_epoch);
    write_u64(out, standing->sequence);
}

void standing_decode(const char *in, struct standing *out)
{
    struct reader reader;
    reader_init(&reader, (struct bytes){in, STANDING_SIZE});
    out->complete = read_u8(&reader) != 0;
    out->effect_epoch = read_u64(&reader);
    out->sequence = read_u64(&reader);
}

struct standing slot_standing(const struct slot *slot)
{
    return (struct standing){slot->complete && !slot->receiving, slot->effect_epoch,
                             slot->sequence};
}

/* The slot that two bytes of a request name. */
static unsigned slot_at(const char *in)
{
    return (uint8_t)in[0] | (unsigned)((unsigned)(uint8_t)in[1] << 8);
}

/* True if the request is whole items of that size, each of which begins with a slot. */
static bool slots_lawful(struct bytes slots, size_t item_size)
{
    for (size_t i = 0; i + item_size <= slots.size; i += item_size) {
        if (slot_at(slots.data + i) >= SLOT_COUNT) {
            return false;
        }
    }
    return slots.size % item_size == 0;
}

/* ---- query ---- */

static void answer_query(struct call *call, struct bytes slots, uint64_t epoch)
{
    struct node *node = worker_node(call->worker);
    struct buf out = {0};
    bool same = true; /* under another view we might lead the slot, and go on serving it */
    for (size_t i = 0; i < slots.size; i += sizeof(uint16_t)) {
        struct slot *slot = &node->slots[slot_at(slots.data + i)];
        slot_lock(slot);
        struct standing standing = slot_standing(slot);
        same = same && slot->epoch == epoch;
        if (slot->role != SLOT_PRIMARY) {
            /* What is said now must stay true: nothing more from whoever led it before. */
            slot->source = slot->leader;
        }
        slot_unlock(slot);
        standing_encode(&out, &standing);
    }
    if (!same) {
        reply_error(call->reply, "TRYAGAIN another view is installed here");
    } else if (out.failed) {
        call_reply_no_memory(call);
    } else {
        reply_bulk(call->reply, buf_bytes(&out));
    }
    buf_deinit(&out);
}

/* ---- send ---- */

struct dump_walk {
    struct worker *worker;
    struct slot *slot;
    struct replica_stream *stream;
    struct buf payload;
    struct buf dump;
};

static void append_op(struct worker *worker, struct replica_stream *stream, const struct op *op,
                      uint64_t *position)
{
    if (replica_stream_append(stream, op, position) != TORC_OK) {
        /* Part of a slot is in the stream and the rest cannot follow. */
        log_error(&worker->node->log, "out of memory for a slot transfer: stopping");
        abort();
    }
}

static void dump_key(void *context, const struct object *object)
{
    struct dump_walk *walk = context;
    buf_reset(&walk->payload, SIZE_MAX);
    buf_reset(&walk->dump, SIZE_MAX);
    object_dump(object, &walk->dump);
    op_encode_refill_key(&walk->payload, object_key(object), object_expire_at_ms(object),
                         buf_bytes(&walk->dump));
    struct op op = {.kind = OP_REFILL_KEY,
                    .slot = walk->slot->index,
                    .epoch = walk->slot->epoch,
                    .payload = buf_bytes(&walk->payload)};
    uint64_t position = 0;
    append_op(walk->worker, walk->stream, &op, &position);
}

/* Appends the slot, whole, to the stream. Slot lock held. */
static void send_slot(struct worker *worker, struct slot *slot, struct replica_stream *stream,
                      bool equal, bool follow)
{
    struct op op = {.kind = OP_REFILL_BEGIN, .slot = slot->index, .epoch = slot->epoch};
    uint64_t position = 0;
    if (!equal) {
        append_op(worker, stream, &op, &position);
        struct dump_walk walk = {.worker = worker, .slot = slot, .stream = stream};
        uint64_t cursor = 0;
        do {
            cursor = keyspace_scan(slot->keys, cursor, SIZE_MAX, dump_key, &walk);
        } while (cursor != 0);
        buf_deinit(&walk.payload);
        buf_deinit(&walk.dump);
    }
    op.kind = OP_REFILL_END;
    op.flags = (uint8_t)((equal ? OP_FLAG_KEEP : 0) | (follow ? OP_FLAG_FOLLOW : 0));
    op.epoch = slot->effect_epoch;
    op.sequence = slot->sequence;
    append_op(worker, stream, &op, &position);
    if (!atomic_exchange(&stream->dirty, true)) {
        struct worker *sender = worker->node->workers[stream->shard];
        atomic_store(&sender->streams_dirty, true);
        worker_wake(sender);
    }
}

static bool has_replica(const struct slot *slot, const struct replica_stream *stream)
{
    for (unsigned i = 0; i < slot->replica_count; i++) {
        if (slot->replicas[i] == stream) {
            return true;
        }
    }
    return false;
}

/* Slot lock held. */
static enum send_status try_send(struct worker *worker, struct slot *slot, struct peer *taker,
                                 const struct standing *theirs)
{
    struct replica_stream *stream =
        atomic_load(&taker->streams[slot->index % worker->node->worker_count]);
    struct standing ours = slot_standing(slot);
    if (stream == NULL || atomic_load(&stream->closing) || !ours.complete ||
        (slot->role == SLOT_PRIMARY && slot->need_take) ||
        atomic_load(&stream->backlog_size) > BACKLOG_WHILE_SENDING) {
        return SEND_LATER;
    }
    bool equal = standing_compare(&ours, theirs) == 0;
    if (slot->role == SLOT_PRIMARY) {
        if (!has_replica(slot, stream) && slot->replica_count == SLOT_REPLICAS_MAX) {
            return SEND_LATER;
        }
        send_slot(worker, slot, stream, equal, false);
        if (!has_replica(slot, stream)) {
            slot->replicas[slot->replica_count] = stream;
            slot->positions[slot->replica_count] = 0;
            slot->replica_count++;
        }
        return SEND_DONE;
    }
    /* We led it, or held a copy: the taker leads it now, and we are its replica from here, with
     * nothing to be sent back: for good, or until those that are to be its replicas have taken
     * over. */
    bool follow = slot->leader == taker->index;
    send_slot(worker, slot, stream, equal, follow);
    if (follow) {
        slot->source = taker->index;
        slot->need_take = false;
    }
    return SEND_DONE;
}

static void answer_send(struct call *call, struct peer *taker, struct bytes requests)
{
    struct worker *worker = call->worker;
    struct buf out = {0};
    for (size_t i = 0; i < requests.size; i += SEND_REQUEST_SIZE) {
        const char *at = requests.data + i;
        struct slot *slot = &worker->node->slots[slot_at(at)];
        struct standing theirs;
        standing_decode(at + 2, &theirs);
        slot_lock(slot);
        enum send_status status = try_send(worker, slot, taker, &theirs);
        slot_unlock(slot);
        write_u8(&out, (uint8_t)status);
    }
    if (out.failed) {
        call_reply_no_memory(call);
    } else {
        reply_bulk(call->reply, buf_bytes(&out));
    }
    buf_deinit(&out);
}

/* torc.take query|send EPOCH NODE-ID SLOTS */
void torc_take_command(struct call *call)
{
    struct node *node = worker_node(call->worker);
    int64_t epoch = 0;
    struct node_id id;
    if (call->argc != 5 || !call_argument_int64(call, 2, &epoch)) {
        if (call->argc != 5) {
            call_reply_syntax_error(call);
        }
        return;
    }
    struct peer *taker =
        node_id_parse(&id, call->argv[3]) == TORC_OK ? peers_find(node->peers, &id) : NULL;
    if (taker == NULL || atomic_load(&node->epoch) != (uint64_t)epoch) {
        reply_error(call->reply, "TRYAGAIN another view is installed here");
    } else if (call_argument_is(call, 1, "query") &&
               slots_lawful(call->argv[4], sizeof(uint16_t))) {
        answer_query(call, call->argv[4], (uint64_t)epoch);
    } else if (call_argument_is(call, 1, "send") &&
               slots_lawful(call->argv[4], SEND_REQUEST_SIZE)) {
        answer_send(call, taker, call->argv[4]);
    } else {
        call_reply_syntax_error(call);
    }
}
