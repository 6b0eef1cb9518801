/*
 * The input is what arrives on a stream connection. Read in one piece and in every pair of pieces
 * it must give the same operations; each encodes again to the same bytes, and so do the key in it
 * that a refill carries and the range that a check does. A sender's stream that appends them gives
 * out the same bytes.
 */
#include "base/error.h"
#include "replication/op.h"
#include "replication/stream.h"

#include <assert.h>

#define SPLITS_MAX 64 /* of long inputs only the first few places are tried */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_refill_key(struct bytes payload)
{
    struct bytes key;
    struct bytes dump;
    uint64_t expire_at_ms;
    if (op_decode_refill_key(payload, &key, &expire_at_ms, &dump) == TORC_OK) {
        struct buf out = {0};
        op_encode_refill_key(&out, key, expire_at_ms, dump.size);
        buf_append(&out, dump.data, dump.size);
        assert(bytes_equal(buf_bytes(&out), payload));
        buf_deinit(&out);
    }
}

static void check_range(struct bytes payload)
{
    uint64_t run;
    struct op_range range;
    if (op_decode_check(payload, &run, &range) == TORC_OK) {
        struct buf out = {0};
        struct op_place from = range.from, to = range.to;
        assert(from.key <= OP_PLACE_MAX && from.part <= OP_PLACE_MAX);
        assert(to.key <= OP_PLACE_MAX && to.part <= OP_PLACE_MAX);
        assert((to.key == 0 && to.part == 0) || to.key > from.key ||
               (to.key == from.key && to.part > from.part));
        bool parts = from.part != 0 || to.part != 0;
        bool next = to.part == 0 && to.key == (from.key + 1) % (OP_PLACE_MAX + 1);
        assert(!parts || (to.key == from.key && to.part != 0) || next);
        op_encode_check(&out, run, &range);
        assert(bytes_equal(buf_bytes(&out), payload));
        buf_deinit(&out);
    }
}

/* Reads operations from `used` to `limit`, into the stream if there is one; *end is what stopped
 * it. Returns how far it came. */
static size_t read_ops(struct bytes input, size_t used, size_t limit, struct stream *stream,
                       int *end)
{
    while (*end != TORC_ECORRUPT) {
        struct op op;
        size_t consumed = 0;
        struct bytes left = {input.data + used, limit - used};
        *end = op_decode(left, &op, &consumed);
        if (*end != TORC_OK) {
            break;
        }
        assert(consumed == OP_HEADER_SIZE + op.payload.size);
        assert(consumed <= left.size);
        used += consumed;
        if (stream != NULL) {
            uint64_t position = 0;
            int result = stream_append(stream, &op, &position);
            assert(result == TORC_OK);
            assert(position == used);
            check_refill_key(op.payload);
            check_range(op.payload);
        }
    }
    return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = {(const char *)data, size};
    struct stream stream;
    int whole_end = TORC_OK;
    stream_init(&stream);
    size_t whole = read_ops(input, 0, size, &stream, &whole_end);
    assert(bytes_equal(stream_to_send(&stream), (struct bytes){input.data, whole}));
    stream_deinit(&stream);
    for (size_t split = 0; split <= size && split < SPLITS_MAX; split++) {
        int end = TORC_OK;
        size_t used = read_ops(input, 0, split, NULL, &end);
        used = read_ops(input, used, size, NULL, &end);
        assert(used == whole);
        assert(end == whole_end);
    }
    check_refill_key(input);
    check_range(input);
    return 0;
}
