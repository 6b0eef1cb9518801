#include "node/slot_rim.h"

#include "base/error.h"
#include "node/call.h"
#include "node/command.h"
#include "node/node.h"
#include "node/peers.h"
#include "node/worker.h"

#include <stdlib.h>

/* More waits, so that refills need bounded memory. */
#define BACKLOG_WHILE_REFILLING (4u * 1024 * 1024)

static struct slot *slot_of(const struct slot_rim *rim, uint16_t slot)
{
    return &rim->node->slots[slot];
}

/* ---- streams ---- */

static struct replica_stream *stream_to(void *context, uint16_t peer, uint16_t slot)
{
    const struct slot_rim *rim = context;
    struct node *node = rim->node;
    struct replica_stream *stream =
        atomic_load(&peers_at(node->peers, peer)->streams[slot % node->worker_count]);
    return stream == NULL || atomic_load(&stream->closing) ? NULL : stream;
}

static bool stream_ended(void *context, struct replica_stream *stream)
{
    (void)context;
    return atomic_load_explicit(&stream->closing, memory_order_acquire);
}

static bool stream_has_room(void *context, struct replica_stream *stream)
{
    (void)context;
    return atomic_load_explicit(&stream->backlog_size, memory_order_relaxed) <
           BACKLOG_WHILE_REFILLING;
}

static void stream_append_op(void *context, struct replica_stream *stream, const struct op *op,
                             uint64_t *position)
{
    struct slot_rim *rim = context;
    struct node *node = rim->node;
    rim->appended_bytes += OP_HEADER_SIZE + op->payload.size;
    rim->appended_keys += op->kind == OP_REFILL_KEY;
    if (replica_stream_append(stream, op, position) != TORC_OK) {
        /* The effect is made and cannot be told: going on would let the copies differ. */
        log_error(&node->log, "out of memory for replication: stopping");
        abort();
    }
    if (!atomic_exchange(&stream->dirty, true)) {
        struct worker *sender = node->workers[stream->shard];
        atomic_store(&sender->streams_dirty, true);
        if (sender != rim->worker) {
            worker_wake(sender);
        }
    }
}

static enum member_acks stream_acks(void *context, struct replica_stream *stream, uint64_t first,
                                    uint64_t last)
{
    (void)context;
    if (atomic_load_explicit(&stream->acked, memory_order_acquire) < last) {
        return MEMBER_ACKS_PENDING;
    }
    if (!atomic_load_explicit(&stream->skipped_any, memory_order_acquire)) {
        return MEMBER_ACKS_DONE;
    }
    spin_lock(&stream->lock);
    bool skipped = stream_was_skipped(&stream->stream, first, last);
    spin_unlock(&stream->lock);
    return skipped ? MEMBER_ACKS_SKIPPED : MEMBER_ACKS_DONE;
}

/* ---- data ---- */

static void data_clear(void *context, uint16_t slot)
{
    keyspace_discard(slot_keys(slot_of(context, slot)));
}

/* The command of one effect, executed. False: it is none that a primary would send. */
static bool apply_command(struct worker *worker, struct slot *slot, const struct bytes *argv,
                          size_t argc)
{
    const struct command *command = command_find(worker->node->commands, argv[0]);
    command = command == NULL ? NULL : command_resolve(command, argv, argc);
    if (command == NULL || command->handler == NULL || !command_arity_ok(command, argc) ||
        (command->flags & COMMAND_WRITE) == 0) {
        return false;
    }
    struct reply_writer writer = {.out = &worker->effects, .protocol = 2};
    struct call call = {.command = command,
                        .argv = argv,
                        .argc = argc,
                        .now_ms = worker->now_wall_ms,
                        .keys = slot_keys(slot),
                        .reply = &writer,
                        .worker = worker,
                        .applying = true};
    if (command->first_key > 0) {
        call.hash = key_hash(argv[command->first_key]);
    }
    command->handler(&call);
    if (writer.errors > 0) {
        log_error(&worker->node->log, "an effect on slot %u failed at this replica: %.*s",
                  slot->copy.index, (int)argv[0].size, argv[0].data);
    }
    buf_reset(&worker->effects, WORKER_READ_BUFFER_SIZE);
    return true;
}

static bool data_apply(void *context, uint16_t index, struct bytes effects)
{
    const struct slot_rim *rim = context;
    struct worker *worker = rim->worker;
    struct request_parser parser;
    request_parser_init(&parser);
    /* The effects lie in the connection's own buffer; parsing may write to it. */
    char *text = (char *)(uintptr_t)effects.data;
    size_t used = 0;
    bool lawful = true;
    while (lawful && used < effects.size) {
        struct request request;
        worker->replayed.count = 0;
        lawful = request_parse(&parser, text + used, effects.size - used, &worker->replayed,
                               &request) == REQUEST_COMPLETE;
        if (lawful) {
            used += request.consumed;
            lawful = apply_command(worker, slot_of(rim, index),
                                   worker->replayed.items + request.first, request.count);
        }
    }
    request_parser_deinit(&parser);
    stat_add(&worker->stats.effects_applied, 1);
    return lawful;
}

struct visit {
    copy_key_visitor *visit;
    void *context;
    struct buf dump;
};

static void visit_object(void *context, const struct object *object)
{
    struct visit *visit = context;
    buf_reset(&visit->dump, SIZE_MAX);
    object_dump(object, &visit->dump);
    if (visit->dump.failed) {
        abort(); /* a copy with a key missing would look whole */
    }
    struct copy_key key = {.key = object_key(object),
                           .expire_at_ms = object_expire_at_ms(object),
                           .dump = buf_bytes(&visit->dump)};
    visit->visit(visit->context, &key);
}

static void data_key(void *context, uint16_t slot, struct bytes key, copy_key_visitor *visit,
                     void *visitor_context)
{
    const struct object *object =
        keyspace_find(slot_keys(slot_of(context, slot)), key, key_hash(key));
    if (object == NULL) {
        struct copy_key absent = {.key = key, .dump = {NULL, 0}};
        visit(visitor_context, &absent);
        return;
    }
    struct visit wrapped = {visit, visitor_context, {0}};
    visit_object(&wrapped, object);
    buf_deinit(&wrapped.dump);
}

static uint64_t data_scan(void *context, uint16_t slot, uint64_t cursor, size_t budget,
                          copy_key_visitor *visit, void *visitor_context)
{
    struct visit wrapped = {visit, visitor_context, {0}};
    uint64_t next = keyspace_scan_bytes(slot_keys(slot_of(context, slot)), cursor, budget,
                                        visit_object, &wrapped);
    buf_deinit(&wrapped.dump);
    return next;
}

/* ---- refills ---- */

static void incoming_begin(void *context, uint16_t slot)
{
    keyspace_discard(slot_of(context, slot)->incoming);
}

static bool incoming_key(void *context, uint16_t slot, const struct copy_key *key)
{
    const struct slot_rim *rim = context;
    struct keyspace *incoming = slot_of(rim, slot)->incoming;
    uint64_t hash = key_hash(key->key);
    if (key->dump.data == NULL) {
        keyspace_delete(incoming, key->key, hash);
        return true;
    }
    int result = keyspace_restore(incoming, key->key, hash, key->dump, key->expire_at_ms);
    if (result == TORC_ENOMEM) {
        log_error(&rim->node->log, "out of memory for a copy of slot %u: stopping", slot);
        abort();
    }
    return result == TORC_OK;
}

static void incoming_end(void *context, uint16_t index)
{
    struct slot *slot = slot_of(context, index);
    struct keyspace *before = slot_keys(slot);
    atomic_store_explicit(&slot->keys, slot->incoming, memory_order_relaxed);
    slot->incoming = before;
    keyspace_discard(before);
}

static void incoming_drop(void *context, uint16_t slot)
{
    keyspace_discard(slot_of(context, slot)->incoming);
}

/* ---- taking over ---- */

static struct copy *lock_copy(void *context, uint16_t slot)
{
    struct slot *locked = slot_of(context, slot);
    slot_lock(locked);
    return &locked->copy;
}

static void unlock_copy(void *context, uint16_t slot)
{
    slot_unlock(slot_of(context, slot));
}

void slot_rim_init(struct slot_rim *rim, struct node *node, struct worker *worker)
{
    *rim = (struct slot_rim){.node = node, .worker = worker};
    rim->copies = (struct copy_rim){.context = rim,
                                    .stream_to = stream_to,
                                    .stream_ended = stream_ended,
                                    .stream_has_room = stream_has_room,
                                    .stream_append = stream_append_op,
                                    .stream_acks = stream_acks,
                                    .data_clear = data_clear,
                                    .data_apply = data_apply,
                                    .data_key = data_key,
                                    .data_scan = data_scan,
                                    .incoming_begin = incoming_begin,
                                    .incoming_key = incoming_key,
                                    .incoming_end = incoming_end,
                                    .incoming_drop = incoming_drop};
    rim->takeover = (struct takeover_rim){
        .context = rim, .lock = lock_copy, .unlock = unlock_copy, .copies = &rim->copies};
}
