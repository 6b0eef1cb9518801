#include "node/stream_sender.h"

#include "base/error.h"
#include "node/bus_frame.h"
#include "node/clock.h"
#include "node/net.h"
#include "node/peers.h"
#include "node/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECONNECT_DELAY_MS 50
#define CONNECT_LIMIT_MS 2000
#define READ_SIZE (16u * 1024)

enum sender_state { SENDER_IDLE, SENDER_CONNECTING, SENDER_GREETING, SENDER_OPEN };

struct stream_sender {
    struct worker *worker;
    struct peer *peer;
    struct replica_stream *stream; /* that the connection is for */
    enum sender_state state;
    int fd;
    bool writing;
    ev_io reader;
    ev_io writer;
    struct buf in;
    struct buf out; /* the greeting */
    uint64_t retry_at_ms;
    uint64_t opened_ms;
};

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events);
static void on_writable(struct ev_loop *loop, ev_io *watcher, int events);

struct stream_sender *stream_sender_create(struct worker *worker, struct peer *peer)
{
    struct stream_sender *sender = calloc(1, sizeof(*sender));
    if (sender != NULL) {
        sender->worker = worker;
        sender->peer = peer;
        sender->fd = -1;
    }
    return sender;
}

static void sender_close(struct stream_sender *sender)
{
    if (sender->fd >= 0) {
        ev_io_stop(sender->worker->loop, &sender->reader);
        ev_io_stop(sender->worker->loop, &sender->writer);
        close(sender->fd);
    }
    sender->fd = -1;
    sender->writing = false;
    sender->state = SENDER_IDLE;
    sender->retry_at_ms = clock_monotonic_ms() + RECONNECT_DELAY_MS;
    buf_reset(&sender->in, 0);
    buf_reset(&sender->out, 0);
}

void stream_sender_destroy(struct stream_sender *sender)
{
    if (sender != NULL) {
        sender_close(sender);
        buf_deinit(&sender->in);
        buf_deinit(&sender->out);
        free(sender);
    }
}

static void sender_connect(struct stream_sender *sender, uint64_t now_ms)
{
    struct node *node = sender->worker->node;
    struct gossip_address address;
    const struct view *view = worker_view(sender->worker);
    if (view == NULL || now_ms < sender->retry_at_ms || !peer_address(sender->peer, &address)) {
        return;
    }
    if (net_connect(&address, &sender->fd) != TORC_OK) {
        sender->fd = -1;
        sender->retry_at_ms = now_ms + RECONNECT_DELAY_MS;
        return;
    }
    struct hello hello = {.version = BUS_PROTOCOL_VERSION,
                          .purpose = BUS_STREAM,
                          .shard = (uint16_t)sender->worker->index,
                          .generation = sender->stream->generation,
                          .cluster_id = view->cluster_id,
                          .node_id = node->id,
                          .incarnation = node->incarnation};
    hello_encode(&sender->out, &hello);
    sender->state = SENDER_CONNECTING;
    sender->opened_ms = now_ms;
    ev_io_init(&sender->reader, on_readable, sender->fd, EV_READ);
    ev_io_init(&sender->writer, on_writable, sender->fd, EV_WRITE);
    sender->reader.data = sender;
    sender->writer.data = sender;
    ev_io_start(sender->worker->loop, &sender->reader);
    ev_io_start(sender->worker->loop, &sender->writer);
    sender->writing = true;
}

/* Sends the next of the backlog from where it is, so that nobody waits for the network under the
 * lock; others append meanwhile. Returns how much; 0: there is nothing; < 0: as send(). */
static ssize_t send_backlog(struct stream_sender *sender)
{
    struct replica_stream *stream = sender->stream;
    spin_lock(&stream->lock);
    struct bytes next = stream_to_send(&stream->stream);
    stream->sending = next.size > 0;
    spin_unlock(&stream->lock);
    if (next.size == 0) {
        return 0;
    }
    ssize_t sent = send(sender->fd, next.data, next.size, MSG_NOSIGNAL);
    int error = errno;
    spin_lock(&stream->lock);
    stream->sending = false;
    if (atomic_load(&stream->closed)) {
        stream_end(&stream->stream);
    } else if (sent > 0) {
        stream_sent(&stream->stream, (size_t)sent);
    }
    spin_unlock(&stream->lock);
    errno = error;
    return sent;
}

static ssize_t send_greeting(struct stream_sender *sender)
{
    ssize_t sent = send(sender->fd, buf_head(&sender->out), buf_size(&sender->out), MSG_NOSIGNAL);
    if (sent > 0) {
        buf_consume(&sender->out, (size_t)sent);
    }
    return sent;
}

static void sender_write(struct stream_sender *sender)
{
    while (!sender->writing && (buf_size(&sender->out) > 0 || sender->state == SENDER_OPEN)) {
        ssize_t sent = buf_size(&sender->out) > 0 ? send_greeting(sender) : send_backlog(sender);
        if (sent == 0) {
            return;
        }
        if (sent < 0 && errno == EAGAIN) {
            ev_io_start(sender->worker->loop, &sender->writer);
            sender->writing = true;
        } else if (sent < 0 && errno != EINTR) {
            sender_close(sender);
            return;
        }
    }
}

void stream_sender_poll(struct stream_sender *sender, uint64_t now_ms)
{
    struct replica_stream *stream =
        atomic_load_explicit(&sender->peer->streams[sender->worker->index], memory_order_acquire);
    if (stream != sender->stream) {
        if (sender->state != SENDER_IDLE) {
            sender_close(sender);
        }
        sender->retry_at_ms = 0;
        sender->stream = stream;
    }
    if (stream == NULL) {
        return;
    }
    atomic_store(&stream->dirty, false);
    if (sender->state == SENDER_IDLE) {
        sender_connect(sender, now_ms);
    } else if (sender->state != SENDER_OPEN && now_ms > sender->opened_ms + CONNECT_LIMIT_MS) {
        sender_close(sender);
    } else if (sender->state == SENDER_OPEN) {
        sender_write(sender);
    }
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)events;
    struct stream_sender *sender = watcher->data;
    if (sender->state == SENDER_CONNECTING) {
        if (net_connect_result(sender->fd) != TORC_OK) {
            sender_close(sender);
            return;
        }
        sender->state = SENDER_GREETING;
    }
    ev_io_stop(loop, &sender->writer);
    sender->writing = false;
    sender_write(sender);
}

/* Makes what the stream knows known to those who wait. Stream's lock held. */
static void publish_acks(struct replica_stream *stream)
{
    if (stream->stream.skipped_count > 0 || stream->stream.forgotten > 0) {
        atomic_store_explicit(&stream->skipped_any, true, memory_order_release);
    }
    atomic_store_explicit(&stream->backlog_size, stream->stream.appended - stream->stream.acked,
                          memory_order_relaxed);
    atomic_store_explicit(&stream->acked, stream->stream.acked, memory_order_release);
}

/* Members that were skipped have lost their place, and are to be attached anew. */
static void note_skips(struct stream_sender *sender)
{
    if (atomic_load_explicit(&sender->stream->skipped_any, memory_order_acquire)) {
        atomic_store(&sender->worker->refills.due, true);
    }
}

static void wake_waiting(struct stream_sender *sender)
{
    uint64_t waiting = atomic_exchange(&sender->stream->waiting, 0);
    struct node *node = sender->worker->node;
    for (unsigned i = 0; waiting != 0 && i < node->worker_count; i++, waiting >>= 1) {
        if ((waiting & 1) == 0) {
            continue;
        }
        if (i == sender->worker->index) {
            sender->worker->acks_arrived = true;
        } else {
            worker_wake(node->workers[i]);
        }
    }
}

/* False: the connection is to be closed. */
static bool accept_welcome(struct stream_sender *sender, const struct frame *frame)
{
    struct welcome welcome;
    if (frame->kind != FRAME_WELCOME || welcome_decode(frame->payload, &welcome) != TORC_OK ||
        !node_id_equal(&welcome.node_id, &sender->peer->id)) {
        return false;
    }
    struct replica_stream *stream = sender->stream;
    spin_lock(&stream->lock);
    int result = stream_resume(&stream->stream, welcome.position, welcome.skipped);
    publish_acks(stream);
    spin_unlock(&stream->lock);
    if (result != TORC_OK) {
        /* It has started anew; the view that says so closes this stream. */
        log_debug(&sender->worker->node->log,
                  "replication: a replica stands where this stream cannot go on");
        return false;
    }
    sender->state = SENDER_OPEN;
    note_skips(sender);
    wake_waiting(sender); /* for what was acknowledged by the position */
    return true;
}

/* False: the replica talks nonsense. */
static bool accept_acks(struct stream_sender *sender)
{
    struct replica_stream *stream = sender->stream;
    struct bytes all = buf_bytes(&sender->in);
    size_t used = 0;
    bool skips = false;
    int result = TORC_OK;
    spin_lock(&stream->lock);
    while (result == TORC_OK && !atomic_load(&stream->closed)) {
        enum ack_kind kind = ACK_UP_TO;
        uint64_t position = 0;
        result = ack_decode((struct bytes){all.data + used, all.size - used}, &kind, &position);
        if (result == TORC_OK) {
            result = kind == ACK_UP_TO ? stream_ack(&stream->stream, position)
                                       : stream_skip(&stream->stream, position);
            skips = skips || kind != ACK_UP_TO;
            used += ACK_SIZE;
        }
    }
    publish_acks(stream);
    spin_unlock(&stream->lock);
    buf_consume(&sender->in, used < all.size ? used : all.size);
    if (skips) {
        note_skips(sender);
    }
    wake_waiting(sender);
    if (refills_wanted(&sender->worker->refills)) {
        sender->worker->acks_arrived = true; /* there is room for more of a refill */
    }
    return result == TORC_EAGAIN;
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    struct stream_sender *sender = watcher->data;
    ssize_t got = -1;
    if (buf_reserve(&sender->in, READ_SIZE) == TORC_OK) {
        got = recv(sender->fd, buf_tail(&sender->in), buf_room(&sender->in), 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
    }
    struct replica_stream *now = atomic_load(&sender->peer->streams[sender->worker->index]);
    if (got <= 0 || now != sender->stream) {
        sender_close(sender);
        return;
    }
    buf_commit(&sender->in, (size_t)got);
    bool lawful = true;
    if (sender->state == SENDER_GREETING) {
        struct frame frame;
        size_t consumed = 0;
        int result = frame_decode(buf_bytes(&sender->in), &frame, &consumed);
        if (result == TORC_EAGAIN) {
            return;
        }
        lawful = result == TORC_OK && accept_welcome(sender, &frame);
        if (lawful) {
            buf_consume(&sender->in, consumed);
        }
    }
    if (lawful && sender->state == SENDER_OPEN && buf_size(&sender->in) > 0) {
        lawful = accept_acks(sender);
    }
    if (!lawful) {
        sender_close(sender);
        return;
    }
    sender_write(sender);
}
