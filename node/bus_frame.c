#include "node/bus_frame.h"

#include "base/codec.h"
#include "base/error.h"

#include <assert.h>

#define HELLO_MAGIC 0x43524f54u /* "TORC" on the wire */
#define HELLO_SIZE_MAX 256      /* so that garbage is refused before it is collected */

void frame_header_encode(struct buf *out, const struct frame *frame, size_t payload_size)
{
    assert(payload_size <= BUS_FRAME_SIZE_MAX);
    write_u32(out, (uint32_t)payload_size);
    write_u8(out, frame->kind);
    write_u8(out, frame->flags);
    write_u16(out, frame->slot);
    write_u64(out, frame->id);
}

void frame_encode(struct buf *out, const struct frame *frame)
{
    frame_header_encode(out, frame, frame->payload.size);
    buf_append(out, frame->payload.data, frame->payload.size);
}

int frame_decode(struct bytes input, struct frame *out, size_t *consumed)
{
    struct reader reader;
    reader_init(&reader, input);
    if (input.size < FRAME_HEADER_SIZE) {
        return TORC_EAGAIN;
    }
    size_t size = read_u32(&reader);
    out->kind = read_u8(&reader);
    out->flags = read_u8(&reader);
    out->slot = read_u16(&reader);
    out->id = read_u64(&reader);
    if (out->kind < FRAME_HELLO || out->kind > FRAME_TOLD || size > BUS_FRAME_SIZE_MAX ||
        (out->kind <= FRAME_REFUSED && size > HELLO_SIZE_MAX) ||
        (out->kind == FRAME_CANCEL && size > 0) ||
        (out->slot >= SLOT_COUNT && out->slot != FRAME_NO_SLOT)) {
        return TORC_ECORRUPT;
    }
    if (input.size < FRAME_HEADER_SIZE + size) {
        return TORC_EAGAIN;
    }
    out->payload = (struct bytes){input.data + FRAME_HEADER_SIZE, size};
    *consumed = FRAME_HEADER_SIZE + size;
    return TORC_OK;
}

void wait_terms_encode(struct buf *out, const struct wait_terms *terms)
{
    write_u32(out, terms->limit_ms);
    write_u64(out, terms->waited_ms);
}

int wait_terms_decode(struct bytes *payload, struct wait_terms *out)
{
    struct reader reader;
    reader_init(&reader, *payload);
    out->limit_ms = read_u32(&reader);
    out->waited_ms = read_u64(&reader);
    if (reader.failed || out->limit_ms == 0) {
        return TORC_ECORRUPT;
    }
    payload->data += WAIT_TERMS_SIZE;
    payload->size -= WAIT_TERMS_SIZE;
    return TORC_OK;
}

struct bytes frame_bulk(const struct frame *frame)
{
    struct bytes reply = frame->payload;
    size_t at = 1;
    size_t size = 0;
    if (reply.size == 0 || reply.data[0] != '$') {
        return (struct bytes){NULL, 0};
    }
    while (at < reply.size && reply.data[at] >= '0' && reply.data[at] <= '9') {
        size = size * 10 + (size_t)(reply.data[at] - '0');
        at++;
    }
    if (at == 1 || size > reply.size || at + 2 + size + 2 != reply.size) {
        return (struct bytes){NULL, 0};
    }
    return (struct bytes){reply.data + at + 2, size};
}

/* Writes a frame whose payload size is known only once it is written. */
static size_t begin_frame(struct buf *out, enum frame_kind kind)
{
    size_t at = buf_size(out);
    struct frame frame = {.kind = (uint8_t)kind, .slot = FRAME_NO_SLOT};
    frame_header_encode(out, &frame, 0);
    return at;
}

static void end_frame(struct buf *out, size_t at)
{
    if (out->failed) {
        return;
    }
    uint32_t size = (uint32_t)(buf_size(out) - at - FRAME_HEADER_SIZE);
    uint8_t *head = (uint8_t *)buf_head(out) + at;
    for (unsigned i = 0; i < sizeof(size); i++) {
        head[i] = (uint8_t)(size >> (8 * i));
    }
}

void hello_encode(struct buf *out, const struct hello *hello)
{
    size_t at = begin_frame(out, FRAME_HELLO);
    write_u32(out, HELLO_MAGIC);
    write_u16(out, hello->version);
    write_u8(out, hello->purpose);
    write_u16(out, hello->shard);
    write_u64(out, hello->generation);
    buf_append(out, hello->cluster_id.bytes, NODE_ID_SIZE);
    buf_append(out, hello->node_id.bytes, NODE_ID_SIZE);
    write_u64(out, hello->incarnation);
    end_frame(out, at);
}

int hello_decode(struct bytes payload, struct hello *out)
{
    struct reader reader;
    reader_init(&reader, payload);
    if (read_u32(&reader) != HELLO_MAGIC) {
        return TORC_EPROTOCOL;
    }
    out->version = read_u16(&reader);
    if (!reader.failed && out->version != BUS_PROTOCOL_VERSION) {
        return TORC_EVERSION;
    }
    out->purpose = read_u8(&reader);
    out->shard = read_u16(&reader);
    out->generation = read_u64(&reader);
    read_raw(&reader, out->cluster_id.bytes, NODE_ID_SIZE);
    read_raw(&reader, out->node_id.bytes, NODE_ID_SIZE);
    out->incarnation = read_u64(&reader);
    if (out->purpose != BUS_REQUESTS && out->purpose != BUS_STREAM) {
        return TORC_ECORRUPT;
    }
    return reader_finish(&reader);
}

void welcome_encode(struct buf *out, const struct welcome *welcome)
{
    size_t at = begin_frame(out, FRAME_WELCOME);
    write_u16(out, welcome->version);
    buf_append(out, welcome->node_id.bytes, NODE_ID_SIZE);
    write_u64(out, welcome->incarnation);
    write_u64(out, welcome->position);
    write_u64(out, welcome->skipped);
    end_frame(out, at);
}

int welcome_decode(struct bytes payload, struct welcome *out)
{
    struct reader reader;
    reader_init(&reader, payload);
    out->version = read_u16(&reader);
    if (!reader.failed && out->version != BUS_PROTOCOL_VERSION) {
        return TORC_EVERSION;
    }
    read_raw(&reader, out->node_id.bytes, NODE_ID_SIZE);
    out->incarnation = read_u64(&reader);
    out->position = read_u64(&reader);
    out->skipped = read_u64(&reader);
    return reader_finish(&reader);
}

void ack_encode(struct buf *out, enum ack_kind kind, uint64_t position)
{
    write_u8(out, (uint8_t)kind);
    write_u64(out, position);
}

int ack_decode(struct bytes input, enum ack_kind *kind, uint64_t *position)
{
    if (input.size < ACK_SIZE) {
        return TORC_EAGAIN;
    }
    struct reader reader;
    reader_init(&reader, (struct bytes){input.data, ACK_SIZE});
    uint8_t wire_kind = read_u8(&reader);
    *position = read_u64(&reader);
    if (wire_kind != ACK_UP_TO && wire_kind != ACK_SKIPPED) {
        return TORC_ECORRUPT;
    }
    *kind = (enum ack_kind)wire_kind;
    return TORC_OK;
}
