#include "node/dispatch.h"

#include "base/error.h"
#include "node/blocking.h"
#include "node/command_errors.h"
#include "node/commands/handlers.h"
#include "node/commands/subscription.h"
#include "node/connection.h"
#include "node/execute.h"
#include "node/gather.h"
#include "node/once.h"
#include "node/operation.h"
#include "node/peers.h"
#include "node/request_text.h"
#include "node/tracking.h"
#include "node/worker.h"
#include "ring/slot.h"

#include <string.h>

void dispatch_prepare(struct worker *worker, struct prepared *prepared)
{
    const struct node *node = worker->node;
    prepared->argv = worker->arguments.items + prepared->request.first;
    prepared->slot = FRAME_NO_SLOT;
    prepared->named = false;
    prepared->command = command_find(node->commands, prepared->argv[0]);
    if (prepared->command == NULL) {
        return;
    }
    if (TORC_UNLIKELY(prepared->command->handler == torc_once_command)) {
        once_unwrap(node->commands, prepared);
    }
    if (prepared->command->subcommands != NULL) {
        const struct command *resolved =
            command_resolve(prepared->command, prepared->argv, prepared->request.count);
        prepared->command = resolved != NULL ? resolved : prepared->command;
    }
    size_t first_key = (size_t)prepared->command->first_key; /* never negative */
    if (first_key > 0 && first_key < prepared->request.count) {
        struct bytes key = prepared->argv[first_key];
        prepared->slot = slot_of_key(key);
        prepared->hash = key_hash(key);
        __builtin_prefetch(&node->slots[prepared->slot], 1);
        __builtin_prefetch(store_keyspace(node->store, prepared->slot));
    }
}

void dispatch_prefetch_table(const struct worker *worker, const struct prepared *prepared)
{
    if (prepared->slot != FRAME_NO_SLOT) {
        keyspace_prefetch(slot_keys(&worker->node->slots[prepared->slot]), prepared->hash);
    }
}

void dispatch_prefetch_object(const struct worker *worker, const struct prepared *prepared)
{
    if (prepared->slot != FRAME_NO_SLOT) {
        struct slot *slot = &worker->node->slots[prepared->slot];
        slot_lock(slot);
        keyspace_prefetch_object(slot_keys(slot), prepared->hash);
        slot_unlock(slot);
    }
}

/* True if all keys are in the slot of the first one. */
static bool keys_in_one_slot(const struct command *command, const struct bytes *argv, size_t argc,
                             uint16_t slot)
{
    size_t end = command_keys_end(command, argv, argc);
    for (size_t i = command_key_next(command, (size_t)command->first_key); i < end;
         i = command_key_next(command, i)) {
        if (slot_of_key(argv[i]) != slot) {
            return false;
        }
    }
    return true;
}

static bool is_split(enum command_route route)
{
    return route == ROUTE_SPLIT_ARRAY || route == ROUTE_SPLIT_SUM || route == ROUTE_SPLIT_OK;
}

static bool is_node_wide(enum command_route route)
{
    return route != ROUTE_LOCAL && route != ROUTE_SLOT && !is_split(route);
}

/* True if the slot went from here to that node in a view that it may not know yet. It would send a
 * client back, who might come and go until it gives up. */
static bool is_unaware(struct worker *worker, uint16_t slot, const struct node_id *owner)
{
    struct node *node = worker->node;
    slot_lock(&node->slots[slot]);
    uint64_t left_epoch = node->slots[slot].left_epoch;
    slot_unlock(&node->slots[slot]);
    const struct peer *peer = left_epoch == 0 ? NULL : peers_find(node->peers, owner);
    return peer != NULL && atomic_load(&peer->asked_epoch) < left_epoch;
}

bool dispatch_reply_moved(struct worker *worker, uint16_t slot, struct reply_writer *writer)
{
    const struct view *view = worker_view(worker);
    if (view->epoch != atomic_load_explicit(&worker->node->epoch, memory_order_relaxed)) {
        return false;
    }
    uint16_t owners[COPIES_MAX];
    if (view_owners(view, slot, owners) == 0) {
        reply_error(writer, "CLUSTERDOWN slot %u has no owner that is up", slot);
        return true;
    }
    const struct view_node *owner = &view->nodes[owners[0]];
    if (node_id_equal(&owner->id, &worker->node->id) || is_unaware(worker, slot, &owner->id)) {
        return false;
    }
    reply_error(writer, "MOVED %u %s:%u", slot, owner->host, owner->direct_port);
    stat_add(&worker->stats.moved_replies, 1);
    return true;
}

/* What is to become of the request later; NULL without memory. */
static struct operation *make_operation(const struct connection *connection,
                                        const struct execution *execution)
{
    struct operation *operation = operation_create(connection->worker, ASKER_CLIENT);
    if (operation != NULL) {
        operation->command = execution->command;
        operation->slot = execution->slot;
        operation->protocol = execution->protocol;
        operation->silent = connection->session.reply_mode != REPLY_ON;
        operation->tracked = execution->tracked;
        if (execution->once != NULL) {
            operation_set_name(operation, execution->once, execution->once_age_ms);
        }
        request_append(&operation->request, execution->argc, execution->argv);
    }
    return operation;
}

/* The slot is not served here, or earlier requests for it wait: begin an operation. */
static void begin_operation(struct connection *connection, const struct execution *execution)
{
    struct worker *worker = connection->worker;
    struct reply_writer writer = {.out = &worker->chunk, .protocol = execution->protocol};
    if (connection->session.access == ACCESS_DIRECT &&
        dispatch_reply_moved(worker, execution->slot, &writer)) {
        return;
    }
    struct operation *operation = make_operation(connection, execution);
    if (operation == NULL) {
        reply_error(&writer, "ERR out of memory");
        return;
    }
    connection_push(connection, operation);
    operation_start(operation);
}

static void begin_blocking(struct connection *connection, const struct execution *execution)
{
    struct reply_writer writer = {.out = execution->out, .protocol = execution->protocol};
    struct operation *operation = make_operation(connection, execution);
    if (operation == NULL ||
        blocking_of_client(operation, execution->argv, execution->argc) != TORC_OK) {
        if (operation != NULL) {
            operation_destroy(operation);
        }
        reply_error(&writer, "ERR out of memory");
        return;
    }
    connection_block(connection, operation);
}

/* Writes the error that keeps the request from being tried at all; false if there is none. */
static bool refuse(struct connection *connection, const struct prepared *prepared,
                   struct reply_writer *writer)
{
    const struct command *command = prepared->command;
    const struct bytes *argv = prepared->argv;
    size_t argc = prepared->request.count;
    if (command == NULL || (command->flags & COMMAND_INTERNAL) != 0) {
        reply_unknown_command(writer, argv, argc);
    } else if (command->handler == NULL) {
        if (argc < 2) {
            reply_wrong_arity(writer, command);
        } else {
            reply_unknown_subcommand(writer, command, argv, argc);
        }
    } else if (!command_arity_ok(command, argc) ||
               (command->route == ROUTE_SPLIT_OK && argc % (size_t)command->key_step != 1)) {
        reply_wrong_arity(writer, command);
    } else if ((command->flags & COMMAND_LOADING) == 0 && worker_view(connection->worker) == NULL) {
        reply_error(writer, CALL_NOT_JOINED);
    } else {
        return false;
    }
    return true;
}

enum noting {
    NOTE_NOTHING,
    NOTE_READS,   /* what the command reads is to be noted */
    NOTE_REFUSED, /* the client may not send that, and has been told so */
};

/* Of a client that is told of changes. */
static enum noting prepare_tracking(struct connection *connection, const struct prepared *prepared)
{
    struct worker *worker = connection->worker;
    struct session *session = &connection->session;
    const struct command *command = prepared->command;
    struct reply_writer writer = {.out = &worker->chunk, .protocol = session->protocol};
    unsigned tracking = atomic_load_explicit(&session->tracking, memory_order_relaxed);
    if (prepared->slot == FRAME_NO_SLOT) {
        tracking_settle(connection);
    }
    bool lawful = command != NULL && command->handler != NULL &&
                  command_arity_ok(command, prepared->request.count);
    if (lawful && subscription_refuses(session, command, &writer)) {
        worker->chunk_replies++;
        stat_add(&worker->stats.error_replies, 1);
        return NOTE_REFUSED;
    }
    /* CLIENT CACHING speaks of this command; as in Redis any CLIENT command may stand between. */
    if ((tracking & SESSION_CACHING) != 0 &&
        (command == NULL || strncmp(command->name, "client|", strlen("client|")) != 0)) {
        atomic_fetch_and(&session->tracking, ~(unsigned)SESSION_CACHING);
    }
    return lawful && tracking_wants(tracking, command) ? NOTE_READS : NOTE_NOTHING;
}

static void reply_crossslot(const struct execution *execution)
{
    struct reply_writer writer = {.out = execution->out, .protocol = execution->protocol};
    reply_error(&writer, "CROSSSLOT Keys in request don't hash to the same slot");
}

/* True if something that was sent to another node for this slot may have to be executed first. The
 * direct port waits only for what it has sent itself: replicas are read there all the time. */
static bool must_wait_behind(const struct connection *connection, uint16_t slot)
{
    return worker_is_behind(connection->worker, slot) &&
           (connection->session.access == ACCESS_ANY || connection->last != NULL);
}

/* WAIT, which has no keys, waits for replicas; the others wait for values. */
static void carry_out_blocking(struct connection *connection, struct execution *execution)
{
    struct worker *worker = connection->worker;
    if (execution->command->route == ROUTE_LOCAL) {
        worker->chunk_replies--;
        connection_seal(connection); /* what came before does not wait with it */
        worker->chunk_replies = 1;
        execute_local(worker, execution);
        connection_seal_late(connection, worker->wait_ms);
    } else if (!keys_in_one_slot(execution->command, execution->argv, execution->argc,
                                 execution->slot)) {
        reply_crossslot(execution);
    } else {
        begin_blocking(connection, execution);
    }
}

static void carry_out(struct connection *connection, struct execution *execution)
{
    struct worker *worker = connection->worker;
    enum command_route route = execution->command->route;
    if (TORC_UNLIKELY((execution->command->flags & COMMAND_BLOCKING) != 0)) {
        carry_out_blocking(connection, execution);
        return;
    }
    if (route == ROUTE_LOCAL ||
        (is_node_wide(route) && connection->session.access == ACCESS_DIRECT)) {
        execute_local(worker, execution);
        return;
    }
    if (is_node_wide(route)) {
        gather_nodes(connection, execution);
        return;
    }
    bool single_key = execution->command->last_key == execution->command->first_key;
    if (!single_key && (is_split(route) || route == ROUTE_SLOT) &&
        !keys_in_one_slot(execution->command, execution->argv, execution->argc, execution->slot)) {
        if (is_split(route) && connection->session.access == ACCESS_ANY &&
            execution->once == NULL) {
            gather_keys(connection, execution);
        } else {
            reply_crossslot(execution);
        }
        return;
    }
    if (operations_must_hold(worker, execution->command, execution->slot) ||
        must_wait_behind(connection, execution->slot) || !execute_in_slot(worker, execution)) {
        begin_operation(connection, execution);
    }
}

void dispatch(struct connection *connection, const struct prepared *prepared)
{
    enum noting noting = NOTE_NOTHING;
    if (TORC_UNLIKELY(atomic_load_explicit(&connection->session.tracking, memory_order_relaxed) !=
                      0)) {
        noting = prepare_tracking(connection, prepared);
        if (noting == NOTE_REFUSED) {
            return;
        }
    }
    struct worker *worker = connection->worker;
    struct session *session = &connection->session;
    struct reply_writer writer = {.out = &worker->chunk, .protocol = session->protocol};
    if (session->reply_mode == REPLY_SKIP_NEXT) {
        session->reply_mode = REPLY_SKIP_THIS;
    }
    size_t before = buf_size(&worker->chunk);
    struct operation *last = connection->last;
    worker->chunk_replies++;
    if (refuse(connection, prepared, &writer)) {
        stat_add(&worker->stats.error_replies, 1);
    } else {
        struct execution execution = {.command = prepared->command,
                                      .argv = prepared->argv,
                                      .argc = prepared->request.count,
                                      .slot = prepared->slot,
                                      .hash = prepared->hash,
                                      .session = session,
                                      .protocol = session->protocol,
                                      .out = &worker->chunk,
                                      .acks = &worker->chunk_acks,
                                      .tracked = noting == NOTE_READS};
        struct once once;
        if (TORC_UNLIKELY(prepared->named)) {
            once_read(prepared, &once, &execution.once_age_ms);
            execution.once = &once;
        }
        atomic_store_explicit(&session->last_command, prepared->command, memory_order_relaxed);
        carry_out(connection, &execution);
    }
    if (TORC_UNLIKELY(session->reply_mode != REPLY_ON)) {
        if (connection->last == last && buf_size(&worker->chunk) >= before) {
            worker->chunk.end = worker->chunk.start + before;
            worker->chunk_replies--;
        }
        if (session->reply_mode == REPLY_SKIP_THIS) {
            session->reply_mode = REPLY_ON;
        }
    }
}
