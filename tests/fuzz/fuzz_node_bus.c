/*
 * The input is what a peer sends on the bus. Read as frames in one piece and in every pair of
 * pieces it must give the same frames; what is a hello, a welcome, acknowledgements or a member's
 * meta encodes again to the same bytes.
 */
#include "base/error.h"
#include "node/bus_frame.h"
#include "node/member_meta.h"

#include <assert.h>
#include <string.h>

#define SPLITS_MAX 64 /* of long inputs only the first few places are tried */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What one reading came to. */
struct outcome {
    size_t used;
    size_t frames;
    uint64_t digest;
    int end; /* TORC_EAGAIN or TORC_ECORRUPT */
};

static void digest_bytes(struct outcome *outcome, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        outcome->digest = (outcome->digest ^ (uint8_t)bytes.data[i]) * 0x100000001b3u;
    }
}

/* Reads frames as a connection does, from where it stands to as far as `limit`. */
static void read_frames(struct outcome *outcome, struct bytes input, size_t limit)
{
    while (outcome->end != TORC_ECORRUPT) {
        struct frame frame;
        size_t consumed = 0;
        outcome->end = frame_decode(
            (struct bytes){input.data + outcome->used, limit - outcome->used}, &frame, &consumed);
        if (outcome->end != TORC_OK) {
            return;
        }
        assert(consumed == FRAME_HEADER_SIZE + frame.payload.size);
        assert(consumed <= limit - outcome->used);
        struct buf again = {0};
        frame_encode(&again, &frame);
        assert(
            bytes_equal(buf_bytes(&again), (struct bytes){input.data + outcome->used, consumed}));
        buf_deinit(&again);
        digest_bytes(outcome, frame.payload);
        outcome->used += consumed;
        outcome->frames++;
    }
}

static void check_frames(struct bytes input)
{
    struct outcome whole = {0};
    read_frames(&whole, input, input.size);
    for (size_t split = 0; split <= input.size && split < SPLITS_MAX; split++) {
        struct outcome parts = {0};
        read_frames(&parts, input, split);
        read_frames(&parts, input, input.size);
        assert(parts.used == whole.used);
        assert(parts.frames == whole.frames);
        assert(parts.digest == whole.digest);
        assert(parts.end == whole.end);
    }
}

/* `out` is a frame that must have this payload. */
static void expect_payload(struct buf *out, struct bytes payload)
{
    struct frame frame;
    size_t consumed = 0;
    int result = frame_decode(buf_bytes(out), &frame, &consumed);
    assert(result == TORC_OK);
    assert(bytes_equal(frame.payload, payload));
    buf_deinit(out);
}

static void check_greetings(struct bytes payload)
{
    struct hello hello;
    struct welcome welcome;
    struct buf out = {0};
    if (hello_decode(payload, &hello) == TORC_OK) {
        hello_encode(&out, &hello);
        expect_payload(&out, payload);
    }
    if (welcome_decode(payload, &welcome) == TORC_OK) {
        welcome_encode(&out, &welcome);
        expect_payload(&out, payload);
    }
}

static void check_acks(struct bytes input)
{
    enum ack_kind kind;
    uint64_t position;
    while (ack_decode(input, &kind, &position) == TORC_OK) {
        struct buf out = {0};
        ack_encode(&out, kind, position);
        assert(bytes_equal(buf_bytes(&out), (struct bytes){input.data, ACK_SIZE}));
        buf_deinit(&out);
        input.data += ACK_SIZE;
        input.size -= ACK_SIZE;
    }
}

static void check_meta(struct bytes input)
{
    struct member_meta meta;
    if (member_meta_decode(&meta, input) == TORC_OK) {
        struct buf out = {0};
        int result = member_meta_encode(&meta, &out);
        assert(result == TORC_OK);
        assert(bytes_equal(buf_bytes(&out), input));
        buf_deinit(&out);
    }
}

static void check_payload(struct bytes payload)
{
    check_greetings(payload);
    check_acks(payload);
    check_meta(payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = {(const char *)data, size};
    struct frame frame;
    size_t consumed = 0;
    check_frames(input);
    check_payload(input);
    if (frame_decode(input, &frame, &consumed) == TORC_OK) {
        check_payload(frame.payload);
    }
    return 0;
}
