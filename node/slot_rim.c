#include "node/slot_rim.h"

#include "base/error.h"
#include "node/call.h"
#include "node/command.h"
#include "node/node.h"
#include "node/peers.h"
#include "node/piece_effect.h"
#include "node/refills.h"
#include "node/roles.h"
#include "node/store/piece.h"
#include "node/worker.h"

#include <stdlib.h>

#define PIECE_SIZE_MAX (1024u * 1024) /* also when the whole is sent at once */

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
    const struct slot_rim *rim = context;
    return atomic_load_explicit(&stream->backlog_size, memory_order_relaxed) <
           refills_backlog_max(rim->worker);
}

static void stream_append_op(void *context, struct replica_stream *stream, const struct op *op,
                             uint64_t *position)
{
    struct slot_rim *rim = context;
    struct node *node = rim->node;
    rim->appended_bytes += op_size(op);
    rim->appended_keys += op->kind == OP_REFILL_KEY;
    if (replica_stream_append(stream, op, position) != TORC_OK) {
        /* The effect is made and cannot be told: going on would let the copies differ. */
        log_error(&node->log, "out of memory for replication: stopping");
        abort();
    }
    if (op->kind == OP_CHECK) {
        stream->checked = *position;
    }
    /* Who sends it clears the mark before it takes the lock under which this was appended. */
    if (!atomic_load_explicit(&stream->dirty, memory_order_relaxed) &&
        !atomic_exchange(&stream->dirty, true)) {
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

/* The command of one effect; NULL: it is none that a primary would send. */
static const struct command *find_command(const struct worker *worker, const struct bytes *argv,
                                          size_t argc)
{
    const struct command *command = command_find(worker->node->commands, argv[0]);
    command = command == NULL ? NULL : command_resolve(command, argv, argc);
    return command == NULL || command->handler == NULL || !command_arity_ok(command, argc) ||
                   (command->flags & (COMMAND_WRITE | COMMAND_BLOCKING)) != COMMAND_WRITE
               ? NULL
               : command;
}

/* Executes the command of one effect. False: it is none that a primary would send. */
static bool apply_command(struct worker *worker, struct keyspace *keys, uint16_t slot,
                          const struct bytes *argv, size_t argc)
{
    const struct command *command = find_command(worker, argv, argc);
    if (command == NULL) {
        return false;
    }
    struct reply_writer writer = {.out = &worker->effects, .protocol = 2};
    struct call call = {.command = command,
                        .argv = argv,
                        .argc = argc,
                        .now_ms = worker->now_wall_ms,
                        .keys = keys,
                        .reply = &writer,
                        .worker = worker,
                        .applying = true};
    if (command->first_key > 0) {
        call.hash = key_hash(argv[command->first_key]);
    }
    command->handler(&call);
    if (writer.errors > 0) {
        log_error(&worker->node->log, "an effect on slot %u failed at this replica: %.*s", slot,
                  (int)argv[0].size, argv[0].data);
    }
    buf_reset(&worker->effects, WORKER_READ_BUFFER_SIZE);
    return true;
}

typedef bool command_visitor(void *context, const struct bytes *argv, size_t argc);

/* Visits each command of some effects until a visit returns false; false if one did, or if they are
 * not lawful. */
static bool each_command(struct argument_list *arguments, struct bytes effects,
                         command_visitor *visit, void *context)
{
    struct request_parser parser;
    request_parser_init(&parser);
    /* The effects lie in a buffer of this worker's; parsing may write to it. */
    char *text = (char *)(uintptr_t)effects.data;
    size_t used = 0;
    bool goes_on = true;
    while (goes_on && used < effects.size) {
        struct request request;
        arguments->count = 0;
        goes_on = request_parse(&parser, text + used, effects.size - used, arguments, &request) ==
                  REQUEST_COMPLETE;
        if (goes_on) {
            used += request.consumed;
            goes_on = visit(context, arguments->items + request.first, request.count);
        }
    }
    request_parser_deinit(&parser);
    return goes_on;
}

struct application {
    struct worker *worker;
    struct keyspace *keys;
    uint16_t slot;
};

static bool apply_visited(void *context, const struct bytes *argv, size_t argc)
{
    const struct application *application = context;
    return apply_command(application->worker, application->keys, application->slot, argv, argc);
}

static bool apply(const struct slot_rim *rim, uint16_t slot, struct keyspace *keys,
                  struct bytes effects)
{
    struct application application = {rim->worker, keys, slot};
    bool lawful = each_command(&rim->worker->replayed, effects, apply_visited, &application);
    stat_add(&rim->worker->stats.effects_applied, 1);
    return lawful;
}

static bool data_apply(void *context, uint16_t slot, struct bytes effects)
{
    return apply(context, slot, slot_keys(slot_of(context, slot)), effects);
}

struct visit {
    struct keyspace *keys;
    copy_key_visitor *visit;
    void *context;
    struct buf dump;
};

static void visit_object(void *context, const struct object *object)
{
    struct visit *visit = context;
    if (object_is_big(object)) {
        struct copy_key big = {.key = object_key(object), .big = true};
        visit->visit(visit->context, &big);
        return;
    }
    buf_reset(&visit->dump, SIZE_MAX);
    object_dump(object, &visit->dump);
    if (visit->dump.failed) {
        abort(); /* a copy with a key missing would look whole */
    }
    struct copy_key key = {.key = object_key(object),
                           .expire_at_ms = keyspace_expire_at_ms(visit->keys, object),
                           .dump = buf_bytes(&visit->dump)};
    visit->visit(visit->context, &key);
}

static void data_key(void *context, uint16_t slot, struct bytes key, copy_key_visitor *visit,
                     void *visitor_context)
{
    struct keyspace *keys = slot_keys(slot_of(context, slot));
    const struct object *object = keyspace_find(keys, key, key_hash(key));
    if (object == NULL) {
        struct copy_key absent = {.key = key, .dump = {NULL, 0}};
        visit(visitor_context, &absent);
        return;
    }
    struct visit wrapped = {keys, visit, visitor_context, {0}};
    visit_object(&wrapped, object);
    buf_deinit(&wrapped.dump);
}

static uint64_t data_scan(void *context, uint16_t slot, uint64_t cursor, size_t budget,
                          copy_key_visitor *visit, void *visitor_context)
{
    struct keyspace *keys = slot_keys(slot_of(context, slot));
    struct visit wrapped = {keys, visit, visitor_context, {0}};
    uint64_t next = keyspace_scan_bytes(keys, cursor, budget, visit_object, &wrapped);
    buf_deinit(&wrapped.dump);
    return next;
}

/* ---- big keys ---- */

static uint64_t data_piece(void *context, uint16_t slot, struct bytes key, uint64_t cursor,
                           size_t budget, copy_key_visitor *visit, void *visitor_context)
{
    struct keyspace *keys = slot_keys(slot_of(context, slot));
    const struct object *object = keyspace_find(keys, key, key_hash(key));
    if (object == NULL || !object_is_big(object)) {
        return 0;
    }
    struct buf piece = {0};
    budget = budget < PIECE_SIZE_MAX ? budget : PIECE_SIZE_MAX;
    uint64_t next = object_piece(object, cursor, budget, &piece);
    if (piece.failed) {
        abort(); /* a copy with a part of a key missing would look whole */
    }
    struct copy_key taken = {
        .key = key, .expire_at_ms = keyspace_expire_at_ms(keys, object), .dump = buf_bytes(&piece)};
    visit(visitor_context, &taken);
    buf_deinit(&piece);
    return next;
}

/* What a look at some effects is after. */
struct effect_look {
    const struct slot_rim *rim;
    struct bytes key;
    size_t commands;
    bool on_key_alone;
    uint16_t slot;
    uint64_t *cursor;
    enum piece_verdict verdict;
};

static bool look_at_keys(void *context, const struct bytes *argv, size_t argc)
{
    struct effect_look *look = context;
    const struct command *command = find_command(look->rim->worker, argv, argc);
    size_t first = command == NULL ? 0 : (size_t)command->first_key;
    look->commands++;
    look->on_key_alone = first > 0 && command_keys_end(command, argv, argc) == first + 1 &&
                         bytes_equal(argv[first], look->key);
    return look->on_key_alone && look->commands == 1;
}

static bool effect_is_on(void *context, struct bytes effects, struct bytes key)
{
    struct slot_rim *rim = context;
    struct effect_look look = {.rim = rim, .key = key};
    return rim->worker != NULL &&
           each_command(&rim->worker->looked_at, effects, look_at_keys, &look);
}

static bool judge_effect(void *context, const struct bytes *argv, size_t argc)
{
    struct effect_look *look = context;
    const struct command *command = find_command(look->rim->worker, argv, argc);
    struct bytes key = argv[command->first_key];
    const struct object *object =
        keyspace_find(slot_keys(slot_of(look->rim, look->slot)), key, key_hash(key));
    look->verdict = piece_effect(object, argv, argc, look->cursor);
    return true;
}

/* Of an effect of which effect_is_on says so. */
static enum piece_verdict judge_piece_effect(void *context, uint16_t slot, struct bytes effects,
                                             uint64_t *cursor)
{
    struct slot_rim *rim = context;
    struct effect_look look = {.rim = rim, .slot = slot, .cursor = cursor, .verdict = PIECE_BEGIN};
    (void)each_command(&rim->worker->looked_at, effects, judge_effect, &look);
    return look.verdict;
}

static struct digest_place digest_place(struct op_place place)
{
    return (struct digest_place){place.key, place.part};
}

static struct op_place data_range_end(void *context, uint16_t slot, struct op_place from,
                                      size_t budget)
{
    struct digest_place end =
        keyspace_digest_end(slot_keys(slot_of(context, slot)), digest_place(from), budget);
    return (struct op_place){end.key, end.part};
}

static void data_digest(void *context, uint16_t slot, struct op_range *range)
{
    struct keyspace_digest found;
    keyspace_digest_range(slot_keys(slot_of(context, slot)), digest_place(range->from),
                          digest_place(range->to), &found);
    range->count = found.count;
    range->digest = found.sum;
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

static bool incoming_piece(void *context, uint16_t slot, const struct copy_key *key, bool first)
{
    const struct slot_rim *rim = context;
    int result = keyspace_add_piece(slot_of(rim, slot)->incoming, key->key, key_hash(key->key),
                                    key->dump, key->expire_at_ms, first);
    if (result == TORC_ENOMEM) {
        log_error(&rim->node->log, "out of memory for a copy of slot %u: stopping", slot);
        abort();
    }
    return result == TORC_OK;
}

static bool incoming_apply(void *context, uint16_t slot, struct bytes effects)
{
    return apply(context, slot, slot_of(context, slot)->incoming, effects);
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

static void on_stopped(void *context, uint16_t slot)
{
    const struct slot_rim *rim = context;
    roles_slot_stopped(rim->node, slot_of(rim, slot));
}

static void on_resolved(void *context, uint16_t slot)
{
    const struct slot_rim *rim = context;
    refills_mark(rim->node, slot);
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
                                    .data_piece = data_piece,
                                    .effect_is_on = effect_is_on,
                                    .piece_effect = judge_piece_effect,
                                    .incoming_piece = incoming_piece,
                                    .incoming_apply = incoming_apply,
                                    .data_digest = data_digest,
                                    .data_range_end = data_range_end,
                                    .incoming_begin = incoming_begin,
                                    .incoming_key = incoming_key,
                                    .incoming_end = incoming_end,
                                    .incoming_drop = incoming_drop};
    rim->takeover = (struct takeover_rim){.context = rim,
                                          .lock = lock_copy,
                                          .unlock = unlock_copy,
                                          .stopped = on_stopped,
                                          .resolved = on_resolved,
                                          .copies = &rim->copies};
}
