#include "node/bus_server.h"

#include "base/error.h"
#include "node/blocking.h"
#include "node/clock.h"
#include "node/execute.h"
#include "node/net.h"
#include "node/operation.h"
#include "node/peers.h"
#include "node/tracking.h"
#include "node/worker.h"
#include "ring/slot.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEEP_BYTES (64u * 1024)
#define READ_SIZE (64u * 1024)
#define GREETING_LIMIT_MS 5000 /* a peer says hello at once; garbage and port scanners do not */

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events);
static void on_writable(struct ev_loop *loop, ev_io *watcher, int events);

void bus_connection_open(struct worker *worker, int fd)
{
    struct bus_connection *bus = calloc(1, sizeof(*bus));
    if (bus == NULL) {
        close(fd);
        return;
    }
    net_tune(fd);
    bus->worker = worker;
    bus->fd = fd;
    bus->state = BUS_GREETING;
    bus->opened_ms = clock_monotonic_ms();
    bus->number = ((uint64_t)(worker->index + 1) << 48) | ++worker->last_bus_number;
    bus->session.access = ACCESS_BUS;
    bus->session.protocol = 2;
    bus->session.worker_index = worker->index;
    bus->session.id = bus->number; /* no client's: those are small */
    bus->next = worker->bus_connections;
    if (worker->bus_connections != NULL) {
        worker->bus_connections->previous = bus;
    }
    worker->bus_connections = bus;
    ev_io_init(&bus->reader, on_readable, fd, EV_READ);
    ev_io_init(&bus->writer, on_writable, fd, EV_WRITE);
    bus->reader.data = bus;
    bus->writer.data = bus;
    ev_io_start(worker->loop, &bus->reader);
}

void bus_connection_close(struct bus_connection *bus)
{
    struct worker *worker = bus->worker;
    ev_io_stop(worker->loop, &bus->reader);
    ev_io_stop(worker->loop, &bus->writer);
    close(bus->fd);
    tracking_end(worker->node, &bus->session);
    worker->bus_held -= bus->held;
    for (struct operation *at = bus->first; at != NULL;) {
        struct operation *next = at->next;
        at->bus = NULL; /* freed when it finishes */
        if (at->blocked != NULL) {
            blocking_abandon(at);
        }
        at = next;
    }
    if (bus->previous != NULL) {
        bus->previous->next = bus->next;
    } else {
        worker->bus_connections = bus->next;
    }
    if (bus->next != NULL) {
        bus->next->previous = bus->previous;
    }
    buf_deinit(&bus->in);
    buf_deinit(&bus->out);
    free(bus->refused);
    free(bus);
}

void bus_respond(struct bus_connection *bus, uint64_t id, enum response_status status,
                 struct bytes reply)
{
    if (reply.size > BUS_FRAME_SIZE_MAX) {
        reply = BYTES_LITERAL("-ERR the reply is too large to be passed between nodes\r\n");
    }
    struct frame frame = {FRAME_RESPONSE, (uint8_t)status, FRAME_NO_SLOT, id, reply};
    frame_encode(&bus->out, &frame);
    bus->dirty = true;
}

bool bus_tell(struct worker *worker, uint64_t number, const struct bytes *key)
{
    struct bus_connection *bus = worker->bus_connections;
    while (bus != NULL && bus->number != number) {
        bus = bus->next;
    }
    if (bus == NULL) {
        return false;
    }
    struct frame frame = {.kind = FRAME_TOLD, .slot = FRAME_NO_SLOT, .payload = {NULL, 0}};
    if (key != NULL) {
        frame.slot = slot_of_key(*key);
        frame.payload = *key;
    }
    frame_encode(&bus->out, &frame);
    bus->dirty = true;
    if (buf_size(&bus->out) > CONNECTION_TOLD_MAX + BUS_OUTPUT_PAUSE) {
        (void)shutdown(bus->fd,
                       SHUT_RDWR); /* it does not read: then it knows that it missed some */
    }
    return true;
}

void bus_operation_destroy(struct operation *operation)
{
    if (operation->bus != NULL) {
        if (operation->previous != NULL) {
            operation->previous->next = operation->next;
        } else {
            operation->bus->first = operation->next;
        }
        if (operation->next != NULL) {
            operation->next->previous = operation->previous;
        }
    }
    operation_destroy(operation);
}

void bus_connection_flush(struct bus_connection *bus)
{
    bus->dirty = false;
    if (bus->out.failed) {
        bus_connection_close(bus);
        return;
    }
    while (buf_size(&bus->out) > 0 && !bus->writing) {
        ssize_t written = send(bus->fd, buf_head(&bus->out), buf_size(&bus->out), MSG_NOSIGNAL);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0 && errno == EAGAIN) {
            ev_io_start(bus->worker->loop, &bus->writer);
            bus->writing = true;
            return;
        }
        if (written < 0) {
            bus_connection_close(bus);
            return;
        }
        buf_consume(&bus->out, (size_t)written);
    }
    if (buf_size(&bus->out) == 0) {
        buf_reset(&bus->out, KEEP_BYTES);
    }
    if (bus->paused && buf_size(&bus->out) < BUS_OUTPUT_PAUSE / 2) {
        bus->paused = false;
        bus->held = true; /* goes on at the next tick, also with what has come already */
        bus->worker->bus_held++;
    }
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)events;
    struct bus_connection *bus = watcher->data;
    ev_io_stop(loop, &bus->writer);
    bus->writing = false;
    bus_connection_flush(bus);
}

/* ---- greeting ---- */

static void refuse(struct bus_connection *bus, const char *why)
{
    char from[SESSION_ADDRESS_SIZE];
    net_peer_name(bus->fd, from, sizeof(from));
    log_warning(&bus->worker->node->log, "bus: refused a connection from %s: %s", from, why);
    struct frame frame = {FRAME_REFUSED, 0, FRAME_NO_SLOT, 0, bytes_of(why)};
    frame_encode(&bus->out, &frame);
    ssize_t ignored = send(bus->fd, buf_head(&bus->out), buf_size(&bus->out), MSG_NOSIGNAL);
    (void)ignored; /* a courtesy: the connection is closed whether it arrives or not */
}

/* False: refused, and to be closed. */
static bool greet(struct bus_connection *bus, const struct frame *frame)
{
    struct node *node = bus->worker->node;
    struct hello hello;
    int result = frame->kind == FRAME_HELLO ? hello_decode(frame->payload, &hello) : TORC_EPROTOCOL;
    if (result != TORC_OK) {
        refuse(bus, result == TORC_EVERSION ? "another version of the bus protocol"
                                            : "this is not the bus protocol of Torc");
        return false;
    }
    const struct view *view = worker_view(bus->worker);
    if (view == NULL || !node_id_equal(&view->cluster_id, &hello.cluster_id)) {
        refuse(bus, view == NULL ? "the node has not joined a cluster yet" : "another cluster");
        return false;
    }
    if (hello.purpose == BUS_STREAM && hello.shard >= WORKERS_MAX) {
        refuse(bus, "no such stream");
        return false;
    }
    bus->peer = peers_get(node->peers, &hello.node_id);
    if (bus->peer == NULL) {
        refuse(bus, "too many nodes");
        return false;
    }
    struct welcome welcome = {
        .version = BUS_PROTOCOL_VERSION, .node_id = node->id, .incarnation = node->incarnation};
    if (hello.purpose == BUS_STREAM) {
        bus->shard = hello.shard;
        /* One of an earlier run of the sender may have had the same number. */
        bus->generation = hello.incarnation << 32 ^ hello.generation;
        struct receive_state state;
        if (!peer_receive_begin(bus->peer, bus->shard, hello.incarnation, hello.generation,
                                bus->number, &state)) {
            refuse(bus, "a stream older than one that has begun");
            return false;
        }
        bus->position = welcome.position = state.position;
        welcome.skipped = state.skipped;
        bus->state = BUS_RECEIVING_STREAM;
    } else {
        bus->state = BUS_SERVING_REQUESTS;
    }
    welcome_encode(&bus->out, &welcome);
    bus->dirty = true;
    return true;
}

/* ---- requests ---- */

/* NULL after it has answered that there is no memory. */
static struct operation *add_operation(struct bus_connection *bus, const struct frame *frame,
                                       const struct execution *execution)
{
    struct operation *operation = operation_create(bus->worker, ASKER_PEER);
    if (operation == NULL) {
        bus_respond(bus, frame->id, RESPONSE_DONE, BYTES_LITERAL("-ERR out of memory\r\n"));
        return NULL;
    }
    operation->bus = bus;
    operation->peer_request_id = frame->id;
    operation->command = execution->command;
    operation->slot = frame->slot;
    operation->protocol = execution->protocol;
    operation->tracked = execution->tracked;
    if (execution->once != NULL) {
        operation->once = *execution->once;
    }
    operation->next = bus->first;
    if (bus->first != NULL) {
        bus->first->previous = operation;
    }
    bus->first = operation;
    return operation;
}

static void hold_request(struct bus_connection *bus, const struct frame *frame,
                         const struct execution *execution, struct buf *reply, struct ack_set *acks,
                         bool executed)
{
    struct operation *operation = add_operation(bus, frame, execution);
    if (operation == NULL) {
        return;
    }
    if (executed) {
        operation->reply = *reply;
        operation->acks = *acks;
        operation->guarded = bus->worker->guarded;
        operation->term = bus->worker->term;
        buf_init(reply);
        *acks = (struct ack_set){0};
        operation_finish(operation);
    } else {
        buf_append(&operation->request, frame->payload.data, frame->payload.size);
        operation_start(operation);
    }
}

/* Of a blocking command: it may be answered at once, or wait. */
static void begin_blocking(struct bus_connection *bus, const struct frame *frame,
                           const struct execution *execution, const struct wait_terms *terms)
{
    struct operation *operation = add_operation(bus, frame, execution);
    if (operation == NULL) {
        return;
    }
    buf_append(&operation->request, frame->payload.data, frame->payload.size);
    if (operation->request.failed || blocking_of_peer(operation, terms) != TORC_OK) {
        operation_fail(operation, "ERR out of memory");
        return;
    }
    operation_start(operation);
}

void bus_refuse(struct bus_connection *bus, uint16_t slot, uint64_t id)
{
    if (bus->refused == NULL) {
        bus->refused = calloc(SLOT_COUNT / 8, 1);
    }
    if (bus->refused == NULL) {
        (void)shutdown(bus->fd, SHUT_RDWR); /* then all of its requests come to nothing */
        return;
    }
    bus->refused[slot / 8] |= (uint8_t)(1u << slot % 8);
    bus_respond(bus, id, RESPONSE_NOT_OWNER, (struct bytes){NULL, 0});
}

/* True if one that went before it was refused. */
static bool follows_a_refused(struct bus_connection *bus, const struct frame *frame)
{
    if (bus->refused == NULL) {
        return false;
    }
    uint8_t bit = (uint8_t)(1u << frame->slot % 8);
    if ((frame->flags & FRAME_FLAG_FIRST) != 0) {
        bus->refused[frame->slot / 8] &= (uint8_t)~bit;
    }
    return (bus->refused[frame->slot / 8] & bit) != 0;
}

/* A request that waits, or has just been answered, is not to wait any longer. */
static void cancel_request(struct bus_connection *bus, uint64_t id)
{
    struct operation *at = bus->first;
    while (at != NULL && at->peer_request_id != id) {
        at = at->next;
    }
    if (at != NULL && at->blocked != NULL) {
        blocking_end_early(at, UNBLOCK_TIMEOUT);
    }
}

/* The command of a request, whose arguments are in worker->replayed; NULL: it is none of ours. */
static const struct command *parse_command(struct bus_connection *bus, const struct frame *frame,
                                           const struct bytes **argv, size_t *argc)
{
    struct worker *worker = bus->worker;
    struct request_parser parser;
    struct request request;
    request_parser_init(&parser);
    worker->replayed.count = 0;
    /* The payload lies in our own input buffer; parsing may write to it. */
    char *text = buf_head(&bus->in) + (frame->payload.data - buf_head(&bus->in));
    enum request_status status =
        request_parse(&parser, text, frame->payload.size, &worker->replayed, &request);
    request_parser_deinit(&parser);
    if (status != REQUEST_COMPLETE || request.consumed != frame->payload.size) {
        return NULL;
    }
    *argv = worker->replayed.items + request.first;
    *argc = request.count;
    const struct command *command = command_find(worker->node->commands, **argv);
    command = command == NULL ? NULL : command_resolve(command, *argv, *argc);
    return command != NULL && command->handler != NULL && command_arity_ok(command, *argc) ? command
                                                                                           : NULL;
}

/* Whether the peer wants what the command reads noted, and that can be done. */
static bool is_tracked(struct bus_connection *bus, const struct frame *frame,
                       const struct command *command)
{
    const struct tracking_options options = {0};
    return (frame->flags & FRAME_FLAG_TRACKED) != 0 && command->first_key > 0 &&
           (command->flags & COMMAND_READONLY) != 0 &&
           (bus->session.tracker != NULL ||
            tracking_begin(bus->worker->node, &bus->session, &options) == TORC_OK);
}

/* It was executed, or is to be held. Acknowledgements are looked at first: a view that puts this
 * node down changes the term before it ends the streams, after which nobody is waited for. */
static void answer_request(struct bus_connection *bus, const struct frame *frame,
                           const struct execution *execution, struct ack_set *acks, bool executed)
{
    struct worker *worker = bus->worker;
    const bool acknowledged = executed && ack_set_state(acks, 0) == ACKS_DONE;
    if (acknowledged && (!worker->guarded || worker_may_answer(worker, worker->term))) {
        bus_respond(bus, frame->id, execution->tracked ? RESPONSE_NOTED : RESPONSE_DONE,
                    buf_bytes(&worker->chunk));
        buf_reset(&worker->chunk, WORKER_READ_BUFFER_SIZE);
    } else {
        hold_request(bus, frame, execution, &worker->chunk, acks, executed);
    }
    worker->guarded = false;
    ack_set_deinit(acks);
}

/* False: the peer talks nonsense. */
static bool serve_request(struct bus_connection *bus, const struct frame *received)
{
    struct worker *worker = bus->worker;
    const struct bytes *argv = NULL;
    size_t argc = 0;
    struct frame bare = *received; /* without the name */
    const struct frame *frame = &bare;
    struct once once;
    bool named = (bare.flags & FRAME_FLAG_ONCE) != 0;
    bool waits = (bare.flags & FRAME_FLAG_WAIT) != 0;
    struct wait_terms terms = {0};
    if ((named && once_decode(&bare.payload, &once) != TORC_OK) ||
        (waits && wait_terms_decode(&bare.payload, &terms) != TORC_OK)) {
        return false;
    }
    const struct command *command = parse_command(bus, frame, &argv, &argc);
    if (command == NULL) {
        return false;
    }
    bool keyed = command->first_key > 0;
    if (waits != (keyed && (command->flags & COMMAND_BLOCKING) != 0) ||
        keyed != (frame->slot != FRAME_NO_SLOT) ||
        (keyed && slot_of_key(argv[command->first_key]) != frame->slot)) {
        return false;
    }
    bus->session.protocol = (frame->flags & FRAME_FLAG_RESP3) != 0 ? 3 : 2;
    struct ack_set acks = {0};
    struct execution execution = {.command = command,
                                  .argv = argv,
                                  .argc = argc,
                                  .slot = frame->slot,
                                  .session = &bus->session,
                                  .protocol = bus->session.protocol,
                                  .once = named ? &once : NULL,
                                  .out = &worker->chunk,
                                  .acks = &acks,
                                  .tracked = is_tracked(bus, frame, command)};
    stat_add(&worker->stats.commands_from_peers, 1);
    if (TORC_UNLIKELY(waits)) {
        begin_blocking(bus, frame, &execution, &terms);
        return true;
    }
    if (keyed && follows_a_refused(bus, frame)) {
        bus_refuse(bus, frame->slot, frame->id);
        return true;
    }
    bool executed = true;
    if (!keyed && command_is_node_wide(command) && atomic_load(&worker->node->unserved_slots) > 0) {
        bus_respond(bus, frame->id, RESPONSE_NOT_OWNER, (struct bytes){NULL, 0});
        return true; /* our part would lack the slots that are being taken over: asked again */
    }
    if (!keyed) {
        execute_local(worker, &execution);
    } else {
        execution.hash = key_hash(argv[command->first_key]);
        executed = !operations_must_hold(worker, command, frame->slot) &&
                   execute_in_slot(worker, &execution);
    }
    answer_request(bus, frame, &execution, &acks, executed);
    return true;
}

/* False: the peer talks nonsense. */
static bool take_frame(struct bus_connection *bus, const struct frame *frame)
{
    if (frame->kind == FRAME_CANCEL) {
        cancel_request(bus, frame->id);
        return true;
    }
    return frame->kind == FRAME_REQUEST && serve_request(bus, frame);
}

/* ---- reading ---- */

static size_t serve_frames(struct bus_connection *bus, bool *broken)
{
    size_t used = 0;
    struct bytes all = buf_bytes(&bus->in);
    while (bus->state != BUS_RECEIVING_STREAM && !bus->paused) {
        if (buf_size(&bus->out) > BUS_OUTPUT_PAUSE) {
            bus->paused = true; /* it asks faster than it reads */
            ev_io_stop(bus->worker->loop, &bus->reader);
            break;
        }
        struct frame frame;
        size_t consumed = 0;
        int result =
            frame_decode((struct bytes){all.data + used, all.size - used}, &frame, &consumed);
        if (result == TORC_EAGAIN) {
            break;
        }
        if (result != TORC_OK && bus->state == BUS_GREETING) {
            refuse(bus, "this is not the bus protocol of Torc");
        }
        if (result != TORC_OK ||
            !(bus->state == BUS_GREETING ? greet(bus, &frame) : take_frame(bus, &frame))) {
            *broken = true;
            break;
        }
        used += consumed;
    }
    return used;
}

/* Does what the input allows; false: closed. */
static bool consume_input(struct bus_connection *bus)
{
    bool broken = false;
    worker_begin(bus->worker);
    buf_consume(&bus->in, serve_frames(bus, &broken));
    if (!broken && bus->state == BUS_RECEIVING_STREAM && buf_size(&bus->in) > 0) {
        buf_consume(&bus->in, stream_receive(bus, buf_bytes(&bus->in), &broken));
    }
    if (broken) {
        if (bus->state != BUS_GREETING && !bus->superseded) {
            log_warning(&bus->worker->node->log, "bus: a peer sent what is not lawful: closing");
        }
        bus_connection_close(bus);
        return false;
    }
    if (buf_size(&bus->in) == 0) {
        buf_reset(&bus->in, KEEP_BYTES + READ_SIZE);
    }
    return true;
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    struct bus_connection *bus = watcher->data;
    if (buf_reserve(&bus->in, READ_SIZE) != TORC_OK) {
        bus_connection_close(bus);
        return;
    }
    ssize_t got = recv(bus->fd, buf_tail(&bus->in), buf_room(&bus->in), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        bus_connection_close(bus);
        return;
    }
    buf_commit(&bus->in, (size_t)got);
    if (consume_input(bus)) {
        bus_connection_flush(bus);
    }
}

void bus_connections_tick(struct worker *worker, uint64_t now_ms)
{
    struct bus_connection *bus = worker->bus_connections;
    while (bus != NULL) {
        struct bus_connection *next = bus->next;
        if (bus->state == BUS_GREETING && now_ms > bus->opened_ms + GREETING_LIMIT_MS) {
            bus_connection_close(bus);
        } else if (bus->held) {
            bus->held = false;
            worker->bus_held--;
            ev_io_start(worker->loop, &bus->reader);
            if (consume_input(bus)) {
                bus_connection_flush(bus);
            }
        }
        bus = next;
    }
}
