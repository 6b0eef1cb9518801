/* Both ends of the replication streams, one stream towards each peer: see node/stream_sender.c and
 * node/stream_receiver.c, which do the same with sockets. */
#include "base/codec.h"
#include "base/error.h"
#include "tests/sim/cluster_node.h"

#include <assert.h>
#include <stdlib.h>

#define RECONNECT_US 50000
#define CONNECT_LIMIT_US 1000000
#define WINDOW_SIZE (32u * 1024) /* under way in a connection */
#define CHUNK_MAX 3000
#define ROOM_SIZE (16u * 1024) /* backlog above which a refill waits */

/* ---- what copies see ---- */

static struct replica_stream *stream_to(void *context, uint16_t peer, uint16_t slot)
{
    struct sim_node *node = context;
    (void)slot;
    return node->streams[peer];
}

static bool stream_ended(void *context, struct replica_stream *stream)
{
    (void)context;
    return stream->ended;
}

static bool stream_has_room(void *context, struct replica_stream *stream)
{
    (void)context;
    return stream->stream.appended - stream->stream.acked < ROOM_SIZE;
}

static void append_op(void *context, struct replica_stream *stream, const struct op *op,
                      uint64_t *position)
{
    struct sim_node *node = context;
    if (stream_append(&stream->stream, op, position) != TORC_OK) {
        abort();
    }
    uint64_t backlog = stream->stream.appended - stream->stream.acked;
    if (backlog > node->cluster->seen.backlog_max) {
        node->cluster->seen.backlog_max = backlog;
    }
}

static enum member_acks stream_acks(void *context, struct replica_stream *stream, uint64_t first,
                                    uint64_t last)
{
    (void)context;
    if (stream->stream.acked < last) {
        return MEMBER_ACKS_PENDING;
    }
    return stream_was_skipped(&stream->stream, first, last) ? MEMBER_ACKS_SKIPPED
                                                            : MEMBER_ACKS_DONE;
}

void sim_rim_init(struct sim_node *node)
{
    enum variant variant = node->cluster->variant;
    node->rim = (struct copy_rim){
        .context = node,
        .stream_to = stream_to,
        .stream_ended = stream_ended,
        .stream_has_room = stream_has_room,
        .stream_append = append_op,
        .stream_acks = stream_acks,
        .break_serve_before_joined = variant == VARIANT_SERVE_BEFORE_JOINED,
        .break_attach_early = variant == VARIANT_ATTACH_EARLY,
        .break_wrong_cursor_side = variant == VARIANT_WRONG_CURSOR_SIDE,
        .break_move_early = variant == VARIANT_MOVE_EARLY,
        .break_old_epoch = variant == VARIANT_OLD_EPOCH,
    };
    sim_rim_init_data(&node->rim);
}

/* ---- life ---- */

struct replica_stream *sim_stream_open(struct sim_node *node, uint16_t peer, uint64_t incarnation)
{
    struct replica_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL) {
        abort();
    }
    stream_init(&stream->stream);
    stream->peer = peer;
    stream->incarnation = incarnation;
    stream->generation = ++node->last_generation;
    stream->progress_ms = sim_now_ms(node);
    node->streams[peer] = stream;
    return stream;
}

static void sender_close(struct sim_node *node, uint16_t peer)
{
    struct sim_sender *sender = &node->senders[peer];
    struct network *network = &node->cluster->network;
    sender->state = SENDER_IDLE;
    sender->retry_us = network->now_us + RECONNECT_US;
    /* A beginning of what is under way still arrives. */
    network_tear(network, CHANNEL_STREAM, node->index, peer, prng_unit(&network->prng));
    network_tear(network, CHANNEL_ACKS, peer, node->index, 0);
}

void sim_stream_end(struct sim_node *node, uint16_t peer)
{
    struct replica_stream *stream = node->streams[peer];
    stream->ended = true;
    stream_end(&stream->stream);
    stream->next_ended = node->ended;
    node->ended = stream;
    node->streams[peer] = NULL;
    sender_close(node, peer);
    node->senders[peer].retry_us = 0;
}

static void stream_destroy(struct replica_stream *stream)
{
    stream_deinit(&stream->stream);
    free(stream);
}

void sim_streams_destroy(struct sim_node *node)
{
    for (uint16_t peer = 0; peer < NETWORK_NODES_MAX; peer++) {
        if (node->streams[peer] != NULL) {
            stream_destroy(node->streams[peer]);
            node->streams[peer] = NULL;
        }
        node->senders[peer] = (struct sim_sender){0};
        buf_deinit(&node->receivers[peer].in);
        node->receivers[peer] = (struct sim_receiver){0};
    }
    while (node->ended != NULL) {
        struct replica_stream *stream = node->ended;
        node->ended = stream->next_ended;
        stream_destroy(stream);
    }
}

/* ---- sending ---- */

static void connect_peer(struct sim_node *node, uint16_t peer)
{
    struct sim_sender *sender = &node->senders[peer];
    uint64_t now_us = node->cluster->network.now_us;
    if (now_us < sender->retry_us) {
        return;
    }
    sender->connection = (uint64_t)node->index << 48 | ++node->last_connection;
    sender->state = SENDER_GREETING;
    sender->opened_us = now_us;
    sender->stream = node->streams[peer];
    sim_send(node, CHANNEL_STREAM,
             (struct packet){.to = peer,
                             .kind = PACKET_HELLO,
                             .number = sender->connection,
                             .first = sender->stream->generation,
                             .second = node->incarnation},
             (struct bytes){NULL, 0});
}

static void send_data(struct sim_node *node, uint16_t peer)
{
    struct network *network = &node->cluster->network;
    struct stream *stream = &node->streams[peer]->stream;
    for (;;) {
        struct bytes next = stream_to_send(stream);
        if (next.size == 0 || node->dying ||
            network_under_way(network, CHANNEL_STREAM, node->index, peer) > WINDOW_SIZE) {
            return;
        }
        size_t size = (size_t)network_random(network, 1, CHUNK_MAX);
        size = size < next.size ? size : next.size;
        sim_send(node, CHANNEL_STREAM,
                 (struct packet){
                     .to = peer, .kind = PACKET_DATA, .number = node->senders[peer].connection},
                 (struct bytes){next.data, size});
        stream_sent(stream, size);
    }
}

void sim_streams_send(struct sim_node *node)
{
    uint64_t now_us = node->cluster->network.now_us;
    for (uint16_t peer = 0; peer < (uint16_t)node->cluster->node_count; peer++) {
        struct sim_sender *sender = &node->senders[peer];
        if (node->streams[peer] == NULL) {
            continue;
        }
        if (sender->state != SENDER_IDLE && sender->stream != node->streams[peer]) {
            sender_close(node, peer);
            sender->retry_us = 0;
        }
        if (sender->state == SENDER_IDLE) {
            connect_peer(node, peer);
        } else if (sender->state == SENDER_GREETING &&
                   now_us > sender->opened_us + CONNECT_LIMIT_US) {
            sender_close(node, peer);
        } else if (sender->state == SENDER_OPEN) {
            send_data(node, peer);
        }
    }
}

void sim_stream_broken(struct sim_node *node, uint16_t peer)
{
    if (node->senders[peer].state != SENDER_IDLE) {
        sender_close(node, peer);
    }
}

static void take_welcome(struct sim_node *node, const struct packet *packet)
{
    struct sim_sender *sender = &node->senders[packet->from];
    struct replica_stream *stream = node->streams[packet->from];
    if (sender->state != SENDER_GREETING || sender->connection != packet->number ||
        stream != sender->stream) {
        return;
    }
    if (stream_resume(&stream->stream, packet->first, packet->second) != TORC_OK) {
        sender_close(node, packet->from); /* the view that says why ends this stream */
        return;
    }
    sender->state = SENDER_OPEN;
}

enum ack_kind { ACK_UP_TO = 1, ACK_SKIPPED = 2 };

static void take_acks(struct sim_node *node, const struct packet *packet)
{
    struct sim_sender *sender = &node->senders[packet->from];
    struct replica_stream *stream = node->streams[packet->from];
    if (sender->state != SENDER_OPEN || sender->connection != packet->number ||
        stream != sender->stream) {
        return;
    }
    struct reader reader;
    reader_init(&reader, (struct bytes){packet->data, packet->size});
    int result = TORC_OK;
    while (reader_left(&reader) > 0 && result == TORC_OK) {
        uint8_t kind = read_u8(&reader);
        uint64_t position = read_u64(&reader);
        result = kind == ACK_UP_TO ? stream_ack(&stream->stream, position)
                                   : stream_skip(&stream->stream, position);
    }
    if (result != TORC_OK) {
        cluster_fail(node->cluster,
                     "stream: node %u gets an acknowledgement from %u that cannot be", node->index,
                     packet->from);
    }
}

/* ---- receiving ---- */

static void take_hello(struct sim_node *node, const struct packet *packet)
{
    struct sim_receiver *receiver = &node->receivers[packet->from];
    if (receiver->incarnation > packet->second) {
        return; /* an earlier run of it */
    }
    if (receiver->incarnation != packet->second || receiver->generation != packet->first) {
        receiver->incarnation = packet->second;
        receiver->generation = packet->first;
        receiver->position = 0;
        receiver->skipped = 0;
    }
    receiver->connection = packet->number;
    receiver->held = false;
    receiver->broken = false;
    buf_reset(&receiver->in, 0);
    sim_send(node, CHANNEL_ACKS,
             (struct packet){.to = packet->from,
                             .kind = PACKET_WELCOME,
                             .number = packet->number,
                             .first = receiver->position,
                             .second = receiver->skipped},
             (struct bytes){NULL, 0});
}

static void write_ack(struct buf *acks, enum ack_kind kind, uint64_t position)
{
    write_u8(acks, (uint8_t)kind);
    write_u64(acks, position);
}

static void note_op(struct sim_node *node, uint16_t from, const struct op *op,
                    enum copy_verdict verdict)
{
    static const char *const kinds[] = {"?",     "effect",       "begin",   "key",
                                        "end",   "drop",         "confirm", "outcome",
                                        "piece", "piece effect", "check"};
    static_assert(sizeof(kinds) / sizeof(kinds[0]) == OP_CHECK + 1, "a name for each");
    bool quiet =
        verdict == COPY_APPLIED && op->kind != OP_REFILL_BEGIN && op->kind != OP_REFILL_END;
    if (!quiet) {
        cluster_note(node->cluster, "node %u from %u: slot %u %s%s %llu.%llu (epoch %llu) %s",
                     node->index, from, op->slot, kinds[op->kind],
                     (op->flags & OP_FLAG_KEEP) != 0 ? " keep" : "", (unsigned long long)op->epoch,
                     (unsigned long long)op->sequence, (unsigned long long)op->view_epoch,
                     verdict == COPY_APPLIED ? "applied" : "SKIPPED");
    }
}

/* Applies what is all there, until an operation has to wait for a view. */
static void apply_all(struct sim_node *node, uint16_t from)
{
    struct sim_receiver *receiver = &node->receivers[from];
    struct buf acks = {0};
    receiver->held = false;
    bool any = false;
    while (!receiver->held && !receiver->broken) {
        struct op op;
        size_t consumed = 0;
        int result = op_decode(buf_bytes(&receiver->in), &op, &consumed);
        if (result == TORC_EAGAIN) {
            break;
        }
        if (result == TORC_OK && op.kind == OP_REFILL_OUTCOME &&
            node->cluster->variant == VARIANT_NAMES_STAY) {
            receiver->position += consumed;
            buf_consume(&receiver->in, consumed);
            any = true;
            continue;
        }
        enum copy_verdict verdict =
            result != TORC_OK ? COPY_BROKEN
                              : copy_receive(&node->copies[op.slot], &node->rim, &op, from,
                                             receiver->generation, node->view->epoch);
        if (verdict == COPY_BROKEN) {
            cluster_fail(node->cluster, "stream: node %u cannot read what node %u sends",
                         node->index, from);
            receiver->broken = true;
            break;
        }
        if (verdict == COPY_LATER) {
            receiver->held = true;
            break;
        }
        receiver->position += consumed;
        any = true;
        if (op.kind == OP_CHECK) {
            check_compared(node, from, &op, verdict);
        } else {
            note_op(node, from, &op, verdict);
        }
        if (verdict == COPY_SKIPPED && (op.kind == OP_EFFECT || op.kind == OP_REFILL_END)) {
            receiver->skipped = receiver->position;
            write_ack(&acks, ACK_SKIPPED, receiver->position);
            node->cluster->seen.skips++;
        }
        buf_consume(&receiver->in, consumed);
    }
    if (any) {
        write_ack(&acks, ACK_UP_TO, receiver->position);
        sim_send(node, CHANNEL_ACKS,
                 (struct packet){.to = from, .kind = PACKET_ACKS, .number = receiver->connection},
                 buf_bytes(&acks));
    }
    buf_deinit(&acks);
}

void sim_receive_held(struct sim_node *node)
{
    for (uint16_t peer = 0; peer < (uint16_t)node->cluster->node_count; peer++) {
        if (node->receivers[peer].held) {
            apply_all(node, peer);
        }
    }
}

static void take_data(struct sim_node *node, const struct packet *packet)
{
    struct sim_receiver *receiver = &node->receivers[packet->from];
    if (receiver->connection != packet->number || receiver->broken) {
        return; /* of a connection that another has replaced */
    }
    buf_append(&receiver->in, packet->data, packet->size);
    if (!receiver->held) {
        apply_all(node, packet->from);
    }
}

void sim_stream_packet(struct sim_node *node, const struct packet *packet)
{
    switch ((enum packet_kind)packet->kind) {
    case PACKET_HELLO: take_hello(node, packet); break;
    case PACKET_DATA: take_data(node, packet); break;
    case PACKET_WELCOME: take_welcome(node, packet); break;
    case PACKET_ACKS: take_acks(node, packet); break;
    default: abort();
    }
}
