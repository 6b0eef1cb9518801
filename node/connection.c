#include "node/connection.h"

#include "base/error.h"
#include "node/blocking.h"
#include "node/clients.h"
#include "node/clock.h"
#include "node/dispatch.h"
#include "node/net.h"
#include "node/once.h"
#include "node/request_text.h"
#include "node/resp/reply.h"
#include "node/tracking.h"
#include "node/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_SIZE_EXPECTED                                                                        \
    (128u * 1024)                   /* of a forwarded request, before the first ones are known */
#define CHUNK_SENT_MIN (16u * 1024) /* of replies: are sent without being copied */
#define CHUNK_KEPT (256u * 1024)    /* of the worker's buffer for them */
#define KEEP_BYTES 4096             /* of buffer, on a connection that is between two bursts */

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events);
static void on_writable(struct ev_loop *loop, ev_io *watcher, int events);

/* ---- life ---- */

void connection_open(struct worker *worker, int fd, enum session_access access)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        close(fd);
        return;
    }
    net_tune(fd);
    connection->worker = worker;
    connection->reply_size = REPLY_SIZE_EXPECTED;
    struct session *session = &connection->session;
    session->access = access;
    session->fd = fd;
    session->worker_index = worker->index;
    session->created_ms = clock_wall_ms();
    session->protocol = 2;
    session->protocol_shown = 2;
    session->last_active_ms = session->created_ms;
    net_peer_name(fd, session->address, sizeof(session->address));
    net_local_name(fd, session->local_address, sizeof(session->local_address));
    session_register(&worker->node->sessions, session);
    clients_add(&worker->clients, connection);
    request_parser_init(&connection->parser);
    connection->next = worker->connections;
    if (worker->connections != NULL) {
        worker->connections->previous = connection;
    }
    worker->connections = connection;
    ev_io_init(&connection->reader, on_readable, fd, EV_READ);
    ev_io_init(&connection->writer, on_writable, fd, EV_WRITE);
    connection->reader.data = connection;
    connection->writer.data = connection;
    ev_io_start(worker->loop, &connection->reader);
    connection->reading = true;
}

static void forget_operations(struct connection *connection)
{
    struct operation *operation = connection->first;
    while (operation != NULL) {
        struct operation *next = operation->next;
        operation->connection = NULL; /* freed when it finishes */
        if (operation->done) {
            operation_destroy(operation);
        } else if (operation->blocked != NULL) {
            blocking_abandon(operation);
        }
        operation = next;
    }
}

static void leave_flush_list(struct connection *connection)
{
    struct connection **at = &connection->worker->flush_first;
    while (connection->flush_wanted && *at != connection) {
        at = &(*at)->flush_next;
    }
    if (connection->flush_wanted) {
        *at = connection->flush_next;
    }
}

void connection_close(struct connection *connection)
{
    struct worker *worker = connection->worker;
    ev_io_stop(worker->loop, &connection->reader);
    ev_io_stop(worker->loop, &connection->writer);
    tracking_end(worker->node, &connection->session);
    clients_remove(&worker->clients, connection);
    session_unregister(&worker->node->sessions, &connection->session);
    close(connection->session.fd);
    if (connection->blocked != NULL) {
        connection_unblock(connection);
    }
    leave_flush_list(connection);
    forget_operations(connection);
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        worker->connections = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    request_parser_deinit(&connection->parser);
    buf_deinit(&connection->in);
    buf_deinit(&connection->out);
    free(connection);
}

/* ---- replies, in order ---- */

static void append_operation(struct connection *connection, struct operation *operation)
{
    operation->connection = connection;
    if (connection->last != NULL) {
        connection->last->next = operation;
    } else {
        connection->first = operation;
    }
    connection->last = operation;
    connection->pending_count++;
}

static void count_sent(struct connection *connection, size_t size)
{
    stat_add(&connection->worker->stats.bytes_out, (uint64_t)size);
    stat_add(&connection->session.bytes_out, (uint64_t)size);
}

/* Takes the replies of the chunk into the output. Many bytes of them go out from where they are, if
 * nothing is before them; that sending fails shows when the rest is written. */
static void take_chunk(struct connection *connection)
{
    struct worker *worker = connection->worker;
    struct buf *chunk = &worker->chunk;
    if (buf_size(chunk) >= CHUNK_SENT_MIN && buf_size(&connection->out) == 0 && !chunk->failed) {
        ssize_t sent = send(connection->session.fd, buf_head(chunk), buf_size(chunk), MSG_NOSIGNAL);
        if (sent > 0) {
            count_sent(connection, (size_t)sent);
            buf_consume(chunk, (size_t)sent);
        }
    }
    buf_append(&connection->out, buf_head(chunk), buf_size(chunk));
    connection->out.failed = connection->out.failed || chunk->failed;
    buf_reset(chunk, CHUNK_KEPT);
}

void connection_seal(struct connection *connection)
{
    struct worker *worker = connection->worker;
    if (buf_size(&worker->chunk) == 0) {
        ack_set_deinit(&worker->chunk_acks); /* of replies that nobody wants */
        worker->chunk_replies = 0;
        return;
    }
    bool guarded = worker->guarded;
    worker->guarded = false;
    if (connection->first == NULL &&
        (worker->chunk_acks.count == 0 || ack_set_state(&worker->chunk_acks, 0) == ACKS_DONE) &&
        (!guarded || worker_may_answer(worker, worker->term))) {
        take_chunk(connection);
        ack_set_deinit(&worker->chunk_acks);
        worker->chunk_replies = 0;
        return;
    }
    struct operation *operation = operation_create(worker, ASKER_CLIENT);
    if (operation == NULL) {
        connection->out.failed = true; /* replies would be missing: the connection ends */
        buf_reset(&worker->chunk, 0);
        ack_set_deinit(&worker->chunk_acks);
        worker->chunk_replies = 0;
        return;
    }
    operation->reply = worker->chunk;
    operation->acks = worker->chunk_acks;
    operation->reply_count = worker->chunk_replies;
    operation->guarded = guarded;
    operation->term = worker->term;
    buf_init(&worker->chunk);
    worker->chunk_acks = (struct ack_set){0};
    worker->chunk_replies = 0;
    append_operation(connection, operation);
    operation_finish(operation);
}

void connection_seal_late(struct connection *connection, uint64_t wait_ms)
{
    struct operation *last = connection->last;
    connection_seal(connection);
    struct operation *operation = connection->last;
    if (operation != NULL && operation != last && !operation->done) {
        operation->late = true;
        operation->deadline_ms = clock_monotonic_ms() + wait_ms;
    }
}

void connection_push(struct connection *connection, struct operation *operation)
{
    struct worker *worker = connection->worker;
    /* The request that begins this operation was counted with the chunk; its reply is not in it. */
    worker->chunk_replies--;
    connection_seal(connection);
    append_operation(connection, operation);
}

/* Behind the last reply that is awaited but for that to a command that waits for values; NULL:
 * there is none. */
static struct operation *last_before_blocked(const struct connection *connection)
{
    struct operation *last = connection->first;
    if (connection->blocked == NULL || last == NULL) {
        return connection->last;
    }
    if (last == connection->blocked) {
        return NULL;
    }
    while (last->next != connection->blocked) {
        last = last->next;
    }
    return last;
}

void connection_tell(struct connection *connection, struct buf *message)
{
    struct operation *last = last_before_blocked(connection);
    connection->out.failed = connection->out.failed || message->failed;
    if (last == NULL) {
        buf_append(&connection->out, buf_head(message), buf_size(message));
    } else if (last->done) {
        buf_append(&last->reply, buf_head(message), buf_size(message));
        connection->out.failed = connection->out.failed || last->reply.failed;
    } else {
        struct operation *told = operation_create(connection->worker, ASKER_CLIENT);
        if (told == NULL) {
            connection->out.failed = true; /* it would miss it: the connection ends */
        } else {
            told->connection = connection;
            told->reply = *message;
            told->done = true;
            told->next = last->next;
            last->next = told;
            connection->last = told->next == NULL ? told : connection->last;
            connection->pending_count++;
            buf_init(message);
        }
    }
    buf_deinit(message);
    connection_want_flush(connection);
}

void connection_block(struct connection *connection, struct operation *operation)
{
    struct worker *worker = connection->worker;
    connection->blocked = operation;
    connection->session.halted = true;
    connection_push(connection, operation);
    operation_start(operation);
    if (connection->blocked != NULL) {
        atomic_store(&connection->session.blocking, SESSION_BLOCKED);
        atomic_fetch_add_explicit(&worker->node->blocked_clients, 1, memory_order_relaxed);
    }
}

void connection_unblock(struct connection *connection)
{
    struct worker *worker = connection->worker;
    connection->blocked = NULL;
    connection->session.halted = connection->session.close_after_reply;
    if (atomic_exchange(&connection->session.blocking, SESSION_FREE) != SESSION_FREE) {
        atomic_fetch_sub_explicit(&worker->node->blocked_clients, 1, memory_order_relaxed);
    }
    if (connection->stalled) {
        connection_want_flush(connection);
    }
}

bool connection_end_waiting(struct connection *connection)
{
    int wanted = atomic_load(&connection->session.blocking);
    if (connection->blocked == NULL || wanted <= SESSION_BLOCKED) {
        return false;
    }
    blocking_end_early(connection->blocked,
                       wanted == SESSION_UNBLOCK_ERROR ? UNBLOCK_ERROR : UNBLOCK_TIMEOUT);
    return true;
}

void connection_advance(struct connection *connection)
{
    while (connection->first != NULL && connection->first->done) {
        struct operation *operation = connection->first;
        connection->first = operation->next;
        if (connection->first == NULL) {
            connection->last = NULL;
        }
        connection->pending_count--;
        connection->reply_size = (3 * connection->reply_size + buf_size(&operation->reply)) / 4;
        if (buf_size(&connection->out) == 0 && connection->out.capacity < KEEP_BYTES &&
            !connection->out.failed) {
            struct buf swapped = connection->out;
            connection->out = operation->reply;
            operation->reply = swapped;
        } else {
            buf_append(&connection->out, buf_head(&operation->reply), buf_size(&operation->reply));
        }
        operation_destroy(operation);
    }
    connection_want_flush(connection);
}

/* ---- writing ---- */

void connection_want_flush(struct connection *connection)
{
    if (!connection->flush_wanted) {
        connection->flush_wanted = true;
        connection->flush_next = connection->worker->flush_first;
        connection->worker->flush_first = connection;
    }
}

/* False: the connection is gone. */
static bool write_out(struct connection *connection)
{
    struct worker *worker = connection->worker;
    if (connection->out.failed) {
        log_warning(&worker->node->log, "out of memory for replies to %s: closing it",
                    connection->session.address);
        connection_close(connection);
        return false;
    }
    while (buf_size(&connection->out) > 0 && !connection->writing) {
        ssize_t written = send(connection->session.fd, buf_head(&connection->out),
                               buf_size(&connection->out), MSG_NOSIGNAL);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0 && errno == EAGAIN) {
            ev_io_start(worker->loop, &connection->writer);
            connection->writing = true;
            break;
        }
        if (written < 0) {
            connection_close(connection);
            return false;
        }
        count_sent(connection, (size_t)written);
        buf_consume(&connection->out, (size_t)written);
    }
    atomic_store_explicit(&connection->session.output_bytes, buf_size(&connection->out),
                          memory_order_relaxed);
    if (buf_size(&connection->out) == 0) {
        buf_reset(&connection->out, KEEP_BYTES);
        bool finished = connection->session.close_after_reply || connection->half_closed;
        if (finished && connection->first == NULL && !connection->stalled) {
            connection_close(connection);
            return false;
        }
    }
    return true;
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)events;
    struct connection *connection = watcher->data;
    ev_io_stop(loop, &connection->writer);
    connection->writing = false;
    connection_flush(connection);
}

/* ---- reading ---- */

static bool paused(const struct connection *connection)
{
    struct node *node = connection->worker->node;
    uint64_t until = atomic_load_explicit(&node->pause_until_ms, memory_order_relaxed);
    return TORC_UNLIKELY(until != 0) && until > clock_wall_ms() &&
           !atomic_load_explicit(&node->pause_writes_only, memory_order_relaxed);
}

/* True while more requests may be begun. */
static bool may_begin(const struct connection *connection)
{
    return connection->pending_count < CONNECTION_PENDING_MAX &&
           connection->pending_count * connection->reply_size <= CONNECTION_PENDING_BYTES &&
           buf_size(&connection->out) < CONNECTION_OUTPUT_PAUSE && !connection->session.halted &&
           !paused(connection);
}

static void reply_protocol_error(struct connection *connection, const char *error)
{
    struct worker *worker = connection->worker;
    struct reply_writer writer = {.out = &worker->chunk, .protocol = 2};
    reply_error(&writer, "ERR %s", error);
    worker->chunk_replies++;
    stat_add(&worker->stats.protocol_errors, 1);
    session_end(&connection->session);
}

/* Parses up to a batch; returns how many requests. *used grows by what they took. */
static size_t parse_batch(struct connection *connection, char *data, size_t size, size_t *used,
                          struct prepared *batch, bool *more)
{
    struct worker *worker = connection->worker;
    size_t count = 0;
    *more = false;
    worker->arguments.count = 0;
    while (count < CONNECTION_BATCH_MAX) {
        enum request_status status = request_parse(&connection->parser, data + *used, size - *used,
                                                   &worker->arguments, &batch[count].request);
        if (status == REQUEST_COMPLETE) {
            *used += batch[count].request.consumed;
            count++;
        } else if (status == REQUEST_EMPTY) {
            *used += batch[count].request.consumed;
        } else if (status == REQUEST_MORE) {
            *more = true;
            return count;
        } else {
            /* What came before the error is executed and answered first. */
            batch[count].request.error = status == REQUEST_NO_MEMORY
                                             ? "Protocol error: out of memory"
                                             : batch[count].request.error;
            batch[count].request.count = 0;
            return count + 1;
        }
    }
    return count;
}

/* Returns how many were executed: fewer when one has the connection wait, or end. */
static size_t execute_batch(struct connection *connection, struct prepared *batch, size_t count)
{
    struct worker *worker = connection->worker;
    for (size_t i = 0; i < count; i++) {
        batch[i].slot = FRAME_NO_SLOT;
        if (batch[i].request.count > 0) {
            dispatch_prepare(worker, &batch[i]);
        }
    }
    for (size_t i = 0; i < count && count > 1; i++) {
        dispatch_prefetch_table(worker, &batch[i]);
    }
    for (size_t i = 0; i < count && count > 1; i++) {
        dispatch_prefetch_object(worker, &batch[i]);
    }
    size_t done = 0;
    while (done < count && !connection->session.halted) {
        const struct prepared *prepared = &batch[done++];
        if (prepared->request.count > 0) {
            dispatch(connection, prepared);
        } else {
            reply_protocol_error(connection, prepared->request.error);
        }
        if (TORC_UNLIKELY(buf_size(&worker->chunk) >= CHUNK_SENT_MIN)) {
            connection_seal(connection); /* so that it need not grow with the batch */
        }
    }
    stat_add(&worker->stats.commands, done);
    stat_add(&connection->session.command_count, done);
    return done;
}

/* Requests that were parsed and have to wait, as they would have been sent: parsing may have
 * changed their bytes. What cannot be parsed was not taken from the input. */
static void keep_rest(struct connection *connection, const struct prepared *batch, size_t count,
                      struct buf *rest)
{
    for (size_t i = 0; i < count; i++) {
        size_t before = batch[i].named ? ONCE_ARGUMENTS : 0;
        if (batch[i].request.count > 0) {
            request_append(rest, batch[i].request.count + before, batch[i].argv - before);
        }
    }
    request_parser_deinit(&connection->parser); /* what follows begins elsewhere now */
    request_parser_init(&connection->parser);
    connection->stalled = true;
}

/* Executes the requests in data; returns the bytes used. `rest` gets requests among them that are
 * to be executed later, before what comes behind. */
static size_t process(struct connection *connection, char *data, size_t size, struct buf *rest)
{
    struct worker *worker = connection->worker;
    struct prepared batch[CONNECTION_BATCH_MAX];
    size_t used = 0;
    bool more = false;
    worker_begin(worker);
    atomic_store_explicit(&connection->session.last_active_ms, worker->now_wall_ms,
                          memory_order_relaxed);
    connection->stalled = false;
    while (used < size && !more) {
        if (!may_begin(connection)) {
            connection->stalled = !connection->session.close_after_reply;
            break;
        }
        size_t count = parse_batch(connection, data, size, &used, batch, &more);
        size_t done = execute_batch(connection, batch, count);
        if (TORC_UNLIKELY(connection->blocked != NULL && done < count)) {
            keep_rest(connection, batch + done, count - done, rest);
        }
        connection_seal(connection);
    }
    return connection->session.close_after_reply ? size : used;
}

/* Room for the rest of a large bulk, so that it is read into place at once; but never much more
 * than what has come already, for the size is only the client's claim. */
static size_t room_wanted(const struct connection *connection)
{
    size_t size = buf_size(&connection->in);
    const struct request_parser *parser = &connection->parser;
    size_t end = parser->bulk_size > 0 ? parser->offset + (size_t)parser->bulk_size + 2 : 0;
    size_t claimed = end > size ? end - size : 0;
    size_t trusted = size > CONNECTION_READ_TRUST ? size : CONNECTION_READ_TRUST;
    size_t wanted = claimed < trusted ? claimed : trusted;
    return wanted > CONNECTION_READ_SIZE ? wanted : CONNECTION_READ_SIZE;
}

static void put_before_unread(struct connection *connection, struct buf *rest)
{
    if (TORC_UNLIKELY(buf_size(rest) > 0)) {
        buf_append(rest, buf_head(&connection->in), buf_size(&connection->in));
        buf_deinit(&connection->in);
        connection->in = *rest;
    }
}

static void process_in(struct connection *connection)
{
    if (buf_size(&connection->in) > 0) {
        struct buf rest = {0};
        buf_consume(&connection->in, process(connection, buf_head(&connection->in),
                                             buf_size(&connection->in), &rest));
        put_before_unread(connection, &rest);
        if (buf_size(&connection->in) == 0) {
            buf_reset(&connection->in, 0);
        }
    }
}

/* Reads once and executes; false: the connection is gone. */
static bool read_once(struct connection *connection)
{
    struct worker *worker = connection->worker;
    bool direct = buf_size(&connection->in) == 0;
    if (!direct && buf_reserve(&connection->in, room_wanted(connection)) != TORC_OK) {
        connection_close(connection);
        return false;
    }
    if (buf_size(&connection->in) > CONNECTION_INPUT_MAX) {
        log_warning(&worker->node->log, "%s: a request of over %zu bytes: closing it",
                    connection->session.address, (size_t)CONNECTION_INPUT_MAX);
        connection_close(connection);
        return false;
    }
    char *where = direct ? worker->read_buffer : buf_tail(&connection->in);
    size_t room = direct ? WORKER_READ_BUFFER_SIZE : buf_room(&connection->in);
    ssize_t got = recv(connection->session.fd, where, room, 0);
    if (got < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            connection_close(connection);
            return false;
        }
        return true;
    }
    if (got == 0) {
        connection->half_closed = true;
        return true;
    }
    stat_add(&worker->stats.bytes_in, (uint64_t)got);
    stat_add(&connection->session.bytes_in, (uint64_t)got);
    if (direct) {
        struct buf rest = {0};
        size_t used = process(connection, where, (size_t)got, &rest);
        put_before_unread(connection, &rest);
        buf_append(&connection->in, where + used, (size_t)got - used);
    } else {
        buf_commit(&connection->in, (size_t)got);
        process_in(connection);
    }
    if (connection->in.failed) {
        connection_close(connection);
        return false;
    }
    return true;
}

static void update_reading(struct connection *connection)
{
    bool wanted = !connection->half_closed && !connection->stalled && may_begin(connection);
    if (TORC_UNLIKELY(connection->blocked != NULL)) {
        wanted = !connection->half_closed && buf_size(&connection->in) < CONNECTION_BLOCKED_INPUT;
    }
    if (wanted != connection->reading) {
        if (wanted) {
            ev_io_start(connection->worker->loop, &connection->reader);
        } else {
            ev_io_stop(connection->worker->loop, &connection->reader);
        }
        connection->reading = wanted;
    }
}

/* Writes what there is; false: the connection is gone. One that waits and sends nothing any more
 * cannot be told from one whose client is gone. */
static bool write_or_close(struct connection *connection)
{
    if (!write_out(connection)) {
        return false;
    }
    if (connection->blocked != NULL && connection->half_closed) {
        connection_close(connection);
        return false;
    }
    return true;
}

void connection_flush(struct connection *connection)
{
    if (!write_or_close(connection)) {
        return;
    }
    if (connection->stalled && may_begin(connection)) {
        process_in(connection);
        if (!write_or_close(connection)) {
            return;
        }
        if (connection->stalled && may_begin(connection)) {
            connection_want_flush(connection); /* let others have their turn */
        }
    }
    update_reading(connection);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    struct connection *connection = watcher->data;
    /* Replies to all that were ready are written one after the other: the first wakes the client's
     * machine, and the others find it awake. */
    if (read_once(connection)) {
        connection_want_flush(connection);
    }
}
