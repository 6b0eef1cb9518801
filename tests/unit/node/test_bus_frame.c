#include "base/error.h"
#include "node/bus_frame.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct frame sample = {
    .kind = FRAME_REQUEST,
    .flags = FRAME_FLAG_RESP3,
    .slot = 0x0201,
    .id = 0x0807060504030201,
    .payload = {"abc", 3},
};

static const struct hello hello_sample = {
    .version = BUS_PROTOCOL_VERSION,
    .purpose = BUS_STREAM,
    .shard = 7,
    .generation = 0x1122334455667788,
    .cluster_id = {{1, 2, 3}},
    .node_id = {{4, 5, 6}},
    .incarnation = 99,
};

/* Decodes an exact copy on the heap, so that the sanitizer sees a read past the end. */
static int decode_copy(struct bytes input, struct frame *frame, size_t *consumed)
{
    char *copy = malloc(input.size + 1);
    memcpy(copy + 1, input.data, input.size);
    int result = frame_decode((struct bytes){copy + 1, input.size}, frame, consumed);
    free(copy);
    return result;
}

START_TEST(test_bytes)
{
    static const uint8_t wire[] = {3, 0, 0, 0, 4, 1, 1, 2, 1, 2, 3, 4, 5, 6, 7, 8, 'a', 'b', 'c'};
    struct buf out = {0};
    frame_encode(&out, &sample);
    ck_assert(bytes_equal(buf_bytes(&out), (struct bytes){(const char *)wire, sizeof(wire)}));
    buf_deinit(&out);
}
END_TEST

START_TEST(test_round_trip)
{
    for (unsigned kind = FRAME_HELLO; kind <= FRAME_RESPONSE; kind++) {
        struct buf out = {0};
        struct frame frame = sample;
        struct frame decoded;
        size_t consumed = 0;
        frame.kind = (uint8_t)kind;
        frame.slot = kind % 2 == 0 ? FRAME_NO_SLOT : SLOT_COUNT - 1;
        frame.flags = (uint8_t)(kind * 50);
        frame.payload.size = kind % 4;
        frame_encode(&out, &frame);
        ck_assert_int_eq(frame_decode(buf_bytes(&out), &decoded, &consumed), TORC_OK);
        ck_assert_uint_eq(consumed, FRAME_HEADER_SIZE + frame.payload.size);
        ck_assert_uint_eq(decoded.kind, kind);
        ck_assert_uint_eq(decoded.flags, frame.flags);
        ck_assert_uint_eq(decoded.slot, frame.slot);
        ck_assert_uint_eq(decoded.id, frame.id);
        ck_assert(bytes_equal(decoded.payload, frame.payload));
        buf_deinit(&out);
    }
}
END_TEST

START_TEST(test_every_cut_is_incomplete)
{
    struct buf out = {0};
    struct frame frame;
    size_t consumed = 0;
    frame_encode(&out, &sample);
    for (size_t size = 0; size < buf_size(&out); size++) {
        ck_assert_int_eq(decode_copy((struct bytes){buf_head(&out), size}, &frame, &consumed),
                         TORC_EAGAIN);
    }
    buf_deinit(&out);
}
END_TEST

/* The header alone, with these fields. */
static int decode_header(uint8_t kind, uint16_t slot, uint32_t size)
{
    struct buf out = {0};
    struct frame frame = {.kind = kind, .slot = slot};
    size_t consumed = 0;
    frame_header_encode(&out, &frame, 0);
    for (unsigned i = 0; i < 4; i++) {
        buf_head(&out)[i] = (char)(size >> (8 * i));
    }
    int result = decode_copy(buf_bytes(&out), &frame, &consumed);
    buf_deinit(&out);
    return result;
}

/* Refused as soon as the header is there: nobody collects a payload that will be refused. */
START_TEST(test_refused)
{
    ck_assert_int_eq(decode_header(0, 0, 1), TORC_ECORRUPT);
    ck_assert_int_eq(decode_header(FRAME_TOLD + 1, 0, 0), TORC_ECORRUPT);
    ck_assert_int_eq(decode_header(FRAME_CANCEL, 0, 1), TORC_ECORRUPT);
    ck_assert_int_eq(decode_header(FRAME_REQUEST, SLOT_COUNT - 1, 1), TORC_EAGAIN);
    ck_assert_int_eq(decode_header(FRAME_REQUEST, SLOT_COUNT, 1), TORC_ECORRUPT);
    ck_assert_int_eq(decode_header(FRAME_REQUEST, FRAME_NO_SLOT - 1, 1), TORC_ECORRUPT);
    ck_assert_int_eq(decode_header(FRAME_REQUEST, FRAME_NO_SLOT, 1), TORC_EAGAIN);
    ck_assert_int_eq(decode_header(FRAME_REQUEST, 0, BUS_FRAME_SIZE_MAX), TORC_EAGAIN);
    ck_assert_int_eq(decode_header(FRAME_REQUEST, 0, BUS_FRAME_SIZE_MAX + 1), TORC_ECORRUPT);
    ck_assert_int_eq(decode_header(FRAME_RESPONSE, 0, UINT32_MAX), TORC_ECORRUPT);
    for (unsigned kind = FRAME_HELLO; kind <= FRAME_REFUSED; kind++) {
        ck_assert_int_eq(decode_header((uint8_t)kind, FRAME_NO_SLOT, 256), TORC_EAGAIN);
        ck_assert_int_eq(decode_header((uint8_t)kind, FRAME_NO_SLOT, 257), TORC_ECORRUPT);
    }
}
END_TEST

START_TEST(test_wait_terms)
{
    struct wait_terms terms = {.limit_ms = 0x01020304, .waited_ms = 5};
    struct wait_terms decoded;
    struct buf out = {0};
    wait_terms_encode(&out, &terms);
    buf_append_text(&out, "rest");
    struct bytes payload = buf_bytes(&out);
    ck_assert_int_eq(memcmp(payload.data, "\4\3\2\1\5\0\0\0\0\0\0\0", WAIT_TERMS_SIZE), 0);
    ck_assert_int_eq(wait_terms_decode(&payload, &decoded), TORC_OK);
    ck_assert_uint_eq(decoded.limit_ms, terms.limit_ms);
    ck_assert_uint_eq(decoded.waited_ms, 5);
    ck_assert(bytes_equal(payload, BYTES_LITERAL("rest")));
    payload = (struct bytes){buf_head(&out), WAIT_TERMS_SIZE - 1};
    ck_assert_int_eq(wait_terms_decode(&payload, &decoded), TORC_ECORRUPT);
    ck_assert_uint_eq(payload.size, WAIT_TERMS_SIZE - 1);
    memset(buf_head(&out), 0, 4); /* no time at all */
    payload = buf_bytes(&out);
    ck_assert_int_eq(wait_terms_decode(&payload, &decoded), TORC_ECORRUPT);
    buf_deinit(&out);
}
END_TEST

START_TEST(test_other_protocols_are_refused)
{
    static const char *const openings[] = {
        "GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n",
        "*1\r\n$4\r\nPING\r\n*1\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on",
    };
    for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++) {
        struct frame frame;
        size_t consumed = 0;
        struct bytes input = {openings[i], FRAME_HEADER_SIZE};
        ck_assert_int_eq(decode_copy(input, &frame, &consumed), TORC_ECORRUPT);
    }
}
END_TEST

/* ---- hello and welcome ---- */

/* The payload of the frame in `out`, which is of that kind. */
static struct bytes payload_of(const struct buf *out, enum frame_kind kind)
{
    struct frame frame;
    size_t consumed = 0;
    ck_assert_int_eq(frame_decode(buf_bytes(out), &frame, &consumed), TORC_OK);
    ck_assert_uint_eq(consumed, buf_size(out));
    ck_assert_uint_eq(frame.kind, kind);
    ck_assert_uint_eq(frame.slot, FRAME_NO_SLOT);
    return frame.payload;
}

START_TEST(test_hello)
{
    struct buf out = {0};
    struct hello decoded;
    hello_encode(&out, &hello_sample);
    struct bytes payload = payload_of(&out, FRAME_HELLO);
    ck_assert_uint_eq(payload.size, 65);
    ck_assert_int_eq(memcmp(payload.data, "TORC", 4), 0);
    ck_assert_int_eq(hello_decode(payload, &decoded), TORC_OK);
    ck_assert_uint_eq(decoded.version, hello_sample.version);
    ck_assert_uint_eq(decoded.purpose, hello_sample.purpose);
    ck_assert_uint_eq(decoded.shard, hello_sample.shard);
    ck_assert_uint_eq(decoded.generation, hello_sample.generation);
    ck_assert(node_id_equal(&decoded.cluster_id, &hello_sample.cluster_id));
    ck_assert(node_id_equal(&decoded.node_id, &hello_sample.node_id));
    ck_assert_uint_eq(decoded.incarnation, hello_sample.incarnation);
    buf_deinit(&out);
}
END_TEST

static int hello_with(size_t at, uint8_t value)
{
    struct buf out = {0};
    struct hello decoded;
    hello_encode(&out, &hello_sample);
    buf_head(&out)[FRAME_HEADER_SIZE + at] = (char)value;
    int result = hello_decode(payload_of(&out, FRAME_HELLO), &decoded);
    buf_deinit(&out);
    return result;
}

START_TEST(test_hello_refused)
{
    ck_assert_int_eq(hello_with(0, 't'), TORC_EPROTOCOL);
    ck_assert_int_eq(hello_with(3, 0), TORC_EPROTOCOL);
    ck_assert_int_eq(hello_with(4, BUS_PROTOCOL_VERSION + 1), TORC_EVERSION);
    ck_assert_int_eq(hello_with(5, 1), TORC_EVERSION);
    ck_assert_int_eq(hello_with(6, BUS_REQUESTS), TORC_OK);
    ck_assert_int_eq(hello_with(6, 0), TORC_ECORRUPT);
    ck_assert_int_eq(hello_with(6, 3), TORC_ECORRUPT);
}
END_TEST

START_TEST(test_hello_cut)
{
    struct buf out = {0};
    struct hello decoded;
    hello_encode(&out, &hello_sample);
    struct bytes payload = payload_of(&out, FRAME_HELLO);
    for (size_t size = 0; size < payload.size; size++) {
        int wanted = size < 4 ? TORC_EPROTOCOL : TORC_ECORRUPT;
        ck_assert_int_eq(hello_decode((struct bytes){payload.data, size}, &decoded), wanted);
    }
    buf_append(&out, "x", 1);
    ck_assert_int_eq(hello_decode((struct bytes){buf_head(&out) + FRAME_HEADER_SIZE, 66}, &decoded),
                     TORC_ECORRUPT);
    buf_deinit(&out);
}
END_TEST

START_TEST(test_welcome)
{
    struct buf out = {0};
    struct welcome decoded;
    struct welcome welcome = {.version = BUS_PROTOCOL_VERSION,
                              .node_id = {{7, 8, 9}},
                              .incarnation = 5,
                              .position = 0x0102030405060708,
                              .skipped = 77};
    buf_append(&out, "before", 6); /* the frame is written behind what is queued already */
    welcome_encode(&out, &welcome);
    buf_consume(&out, 6);
    struct bytes payload = payload_of(&out, FRAME_WELCOME);
    ck_assert_int_eq(welcome_decode(payload, &decoded), TORC_OK);
    ck_assert_uint_eq(decoded.version, welcome.version);
    ck_assert(node_id_equal(&decoded.node_id, &welcome.node_id));
    ck_assert_uint_eq(decoded.incarnation, welcome.incarnation);
    ck_assert_uint_eq(decoded.position, welcome.position);
    ck_assert_uint_eq(decoded.skipped, 77);
    for (size_t size = 0; size < payload.size; size++) {
        ck_assert_int_eq(welcome_decode((struct bytes){payload.data, size}, &decoded),
                         TORC_ECORRUPT);
    }
    buf_head(&out)[FRAME_HEADER_SIZE] = BUS_PROTOCOL_VERSION + 1;
    ck_assert_int_eq(welcome_decode(payload, &decoded), TORC_EVERSION);
    buf_deinit(&out);
}
END_TEST

START_TEST(test_ack)
{
    static const uint8_t wire[] = {2, 8, 7, 6, 5, 4, 3, 2, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0};
    struct buf out = {0};
    enum ack_kind kind = ACK_UP_TO;
    uint64_t position = 0;
    ack_encode(&out, ACK_SKIPPED, 0x0102030405060708);
    ack_encode(&out, ACK_UP_TO, 1);
    ck_assert(bytes_equal(buf_bytes(&out), (struct bytes){(const char *)wire, sizeof(wire)}));
    ck_assert_int_eq(ack_decode(buf_bytes(&out), &kind, &position), TORC_OK);
    ck_assert_int_eq(kind, ACK_SKIPPED);
    ck_assert_uint_eq(position, 0x0102030405060708);
    buf_consume(&out, ACK_SIZE);
    for (size_t size = 0; size < ACK_SIZE; size++) {
        ck_assert_int_eq(ack_decode((struct bytes){buf_head(&out), size}, &kind, &position),
                         TORC_EAGAIN);
    }
    ck_assert_int_eq(ack_decode(buf_bytes(&out), &kind, &position), TORC_OK);
    ck_assert_int_eq(kind, ACK_UP_TO);
    for (unsigned wrong = 0; wrong < 256; wrong += wrong == 0 ? 3 : 1) {
        *buf_head(&out) = (char)wrong;
        ck_assert_int_eq(ack_decode(buf_bytes(&out), &kind, &position), TORC_ECORRUPT);
    }
    buf_deinit(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bus_frame");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_bytes);
    tcase_add_test(tests, test_round_trip);
    tcase_add_test(tests, test_every_cut_is_incomplete);
    tcase_add_test(tests, test_refused);
    tcase_add_test(tests, test_wait_terms);
    tcase_add_test(tests, test_other_protocols_are_refused);
    tcase_add_test(tests, test_hello);
    tcase_add_test(tests, test_hello_refused);
    tcase_add_test(tests, test_hello_cut);
    tcase_add_test(tests, test_welcome);
    tcase_add_test(tests, test_ack);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
