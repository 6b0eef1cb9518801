#include "replication/op.h"

#include "base/codec.h"
#include "base/error.h"
#include "base/limits.h"

#include <assert.h>

#define OP_SIZE_MIN (OP_HEADER_SIZE - sizeof(uint32_t))

size_t op_size(const struct op *op)
{
    return OP_HEADER_SIZE + op->payload.size + op->more.size;
}

void op_encode(struct buf *out, const struct op *op)
{
    assert(op->payload.size + op->more.size <= BUS_FRAME_SIZE_MAX);
    write_u32(out, (uint32_t)(op_size(op) - sizeof(uint32_t)));
    write_u8(out, op->kind);
    write_u8(out, op->flags);
    write_u16(out, op->slot);
    write_u64(out, op->view_epoch);
    write_u64(out, op->epoch);
    write_u64(out, op->sequence);
    buf_append(out, op->payload.data, op->payload.size);
    buf_append(out, op->more.data, op->more.size);
}

int op_decode(struct bytes input, struct op *out, size_t *consumed)
{
    struct reader reader;
    reader_init(&reader, input);
    if (input.size < OP_HEADER_SIZE) {
        return TORC_EAGAIN;
    }
    size_t size = read_u32(&reader);
    if (size < OP_SIZE_MIN || size > OP_SIZE_MIN + BUS_FRAME_SIZE_MAX) {
        return TORC_ECORRUPT;
    }
    out->kind = read_u8(&reader);
    out->flags = read_u8(&reader);
    out->slot = read_u16(&reader);
    out->view_epoch = read_u64(&reader);
    out->epoch = read_u64(&reader);
    out->sequence = read_u64(&reader);
    if (out->kind < OP_EFFECT || out->kind > OP_CHECK || out->slot >= SLOT_COUNT ||
        (out->flags & ~(OP_FLAG_KEEP | OP_FLAG_CONFIRM | OP_FLAG_ONCE | OP_FLAG_FIRST)) != 0) {
        return TORC_ECORRUPT;
    }
    if (input.size < sizeof(uint32_t) + size) {
        return TORC_EAGAIN;
    }
    out->payload = (struct bytes){input.data + OP_HEADER_SIZE, size - OP_SIZE_MIN};
    out->more = (struct bytes){NULL, 0};
    *consumed = sizeof(uint32_t) + size;
    return TORC_OK;
}

void op_encode_refill_key(struct buf *out, struct bytes key, uint64_t expire_at_ms,
                          size_t dump_size)
{
    write_bytes32(out, key);
    write_u64(out, expire_at_ms);
    write_u32(out, (uint32_t)dump_size);
}

int op_decode_refill_key(struct bytes payload, struct bytes *key, uint64_t *expire_at_ms,
                         struct bytes *dump)
{
    struct reader reader;
    reader_init(&reader, payload);
    *key = read_bytes32(&reader, REQUEST_BULK_SIZE_MAX);
    *expire_at_ms = read_u64(&reader);
    *dump = read_bytes32(&reader, BUS_FRAME_SIZE_MAX);
    return reader_finish(&reader);
}

static void write_place(struct buf *out, struct op_place place)
{
    write_u64(out, place.key);
    write_u64(out, place.part);
}

static struct op_place read_place(struct reader *reader)
{
    uint64_t key = read_u64(reader);
    return (struct op_place){key, read_u64(reader)};
}

static bool is_place(struct op_place place)
{
    return place.key <= OP_PLACE_MAX && place.part <= OP_PLACE_MAX;
}

/* Whether the range goes forward; and not beyond values that it takes a part of. */
static bool is_range(struct op_place from, struct op_place to)
{
    if (to.key == from.key && to.part != 0) {
        return to.part > from.part;
    }
    bool within = from.part != 0 || to.part != 0;
    return within ? to.part == 0 && to.key == (from.key + 1) % (OP_PLACE_MAX + 1)
                  : op_place_is_end(to) || to.key > from.key;
}

void op_encode_check(struct buf *out, uint64_t run, const struct op_range *range)
{
    write_u64(out, run);
    write_place(out, range->from);
    write_place(out, range->to);
    write_u64(out, range->count);
    write_u64(out, range->digest);
}

int op_decode_check(struct bytes payload, uint64_t *run, struct op_range *range)
{
    struct reader reader;
    reader_init(&reader, payload);
    *run = read_u64(&reader);
    range->from = read_place(&reader);
    range->to = read_place(&reader);
    range->count = read_u64(&reader);
    range->digest = read_u64(&reader);
    if (!is_place(range->from) || !is_place(range->to) || !is_range(range->from, range->to)) {
        return TORC_ECORRUPT;
    }
    return reader_finish(&reader);
}
