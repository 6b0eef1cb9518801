#include "base/error.h"
#include "base/limits.h"
#include "replication/op.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct op sample = {
    .kind = OP_EFFECT,
    .flags = 0,
    .slot = 0x0201,
    .view_epoch = 0x2827262524232221,
    .epoch = 0x0807060504030201,
    .sequence = 0x1817161514131211,
    .payload = {"abc", 3},
};

static int decode(struct bytes input, struct op *out, size_t *consumed)
{
    *consumed = 12345;
    return op_decode(input, out, consumed);
}

static void expect_equal(const struct op *a, const struct op *b)
{
    ck_assert_uint_eq(a->kind, b->kind);
    ck_assert_uint_eq(a->flags, b->flags);
    ck_assert_uint_eq(a->slot, b->slot);
    ck_assert_uint_eq(a->view_epoch, b->view_epoch);
    ck_assert_uint_eq(a->epoch, b->epoch);
    ck_assert_uint_eq(a->sequence, b->sequence);
    ck_assert(bytes_equal(a->payload, b->payload));
}

START_TEST(test_bytes)
{
    static const uint8_t wire[] = {
        31,   0,    0,    0,                            /* size of what follows */
        1,    0,                                        /* kind, flags */
        1,    2,                                        /* slot */
        0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, /* view epoch */
        1,    2,    3,    4,    5,    6,    7,    8,    /* epoch */
        0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, /* sequence */
        'a',  'b',  'c',
    };
    struct buf out = {0};
    op_encode(&out, &sample);
    ck_assert(bytes_equal(buf_bytes(&out), (struct bytes){(const char *)wire, sizeof(wire)}));
    buf_deinit(&out);
}
END_TEST

START_TEST(test_round_trip)
{
    static const uint8_t flags[] = {0, OP_FLAG_KEEP, OP_FLAG_CONFIRM, OP_FLAG_ONCE};
    static const uint16_t slots[] = {0, 1, SLOT_COUNT - 1};
    for (unsigned kind = OP_EFFECT; kind <= OP_CHECK; kind++) {
        for (size_t i = 0; i < sizeof(flags) * 3 * 4; i++) {
            struct op op = {.kind = (uint8_t)kind,
                            .flags = flags[i % sizeof(flags)],
                            .slot = slots[i / sizeof(flags) % 3],
                            .view_epoch = i == 2 ? UINT64_MAX : 7 * i,
                            .epoch = i == 0 ? UINT64_MAX : i,
                            .sequence = i == 1 ? UINT64_MAX : 1000 * i,
                            .payload = {"payload", i % 8}};
            struct buf out = {0};
            struct op decoded;
            size_t consumed = 0;
            op_encode(&out, &op);
            ck_assert_uint_eq(buf_size(&out), OP_HEADER_SIZE + op.payload.size);
            ck_assert_int_eq(decode(buf_bytes(&out), &decoded, &consumed), TORC_OK);
            ck_assert_uint_eq(consumed, buf_size(&out));
            expect_equal(&decoded, &op);
            struct op in_two = op; /* the same, whatever part of it follows the payload */
            in_two.payload.size /= 2;
            in_two.more = (struct bytes){op.payload.data + in_two.payload.size,
                                         op.payload.size - in_two.payload.size};
            struct buf same = {0};
            op_encode(&same, &in_two);
            ck_assert(bytes_equal(buf_bytes(&same), buf_bytes(&out)));
            buf_deinit(&same);
            buf_deinit(&out);
        }
    }
}
END_TEST

/* An exact copy on the heap, so that the sanitizer sees a read past the end. */
static int decode_copy(struct bytes input, size_t size)
{
    char *copy = malloc(size + 1);
    struct op op;
    size_t consumed = 0;
    memcpy(copy + 1, input.data, size);
    int result = decode((struct bytes){copy + 1, size}, &op, &consumed);
    free(copy);
    return result;
}

START_TEST(test_every_cut_is_incomplete)
{
    struct buf out = {0};
    op_encode(&out, &sample);
    for (size_t size = 0; size < buf_size(&out); size++) {
        ck_assert_int_eq(decode_copy(buf_bytes(&out), size), TORC_EAGAIN);
    }
    ck_assert_int_eq(decode_copy(buf_bytes(&out), buf_size(&out)), TORC_OK);
    buf_deinit(&out);
}
END_TEST

START_TEST(test_several)
{
    struct buf out = {0};
    for (unsigned i = 0; i < 5; i++) {
        struct op op = sample;
        op.sequence = i;
        op.payload.size = i % 4;
        op_encode(&out, &op);
    }
    struct bytes left = buf_bytes(&out);
    for (unsigned i = 0; i < 5; i++) {
        struct op op;
        size_t consumed = 0;
        ck_assert_int_eq(decode(left, &op, &consumed), TORC_OK);
        ck_assert_uint_eq(op.sequence, i);
        ck_assert_uint_eq(op.payload.size, i % 4);
        left.data += consumed;
        left.size -= consumed;
    }
    ck_assert_uint_eq(left.size, 0);
    buf_deinit(&out);
}
END_TEST

#define KIND_LAST OP_CHECK
#define FLAGS_KNOWN (unsigned)(OP_FLAG_KEEP | OP_FLAG_CONFIRM | OP_FLAG_ONCE | OP_FLAG_FIRST)

static int decode_with(size_t at, uint8_t value)
{
    struct buf out = {0};
    op_encode(&out, &sample);
    buf_head(&out)[at] = (char)value;
    struct op op;
    size_t consumed = 0;
    int result = decode(buf_bytes(&out), &op, &consumed);
    buf_deinit(&out);
    return result;
}

START_TEST(test_refused)
{
    for (unsigned kind = 0; kind < 256; kind++) {
        bool lawful = kind >= OP_EFFECT && kind <= KIND_LAST;
        ck_assert_int_eq(decode_with(4, (uint8_t)kind), lawful ? TORC_OK : TORC_ECORRUPT);
    }
    for (unsigned flags = 0; flags < 256; flags++) {
        bool lawful = (flags & ~FLAGS_KNOWN) == 0;
        ck_assert_int_eq(decode_with(5, (uint8_t)flags), lawful ? TORC_OK : TORC_ECORRUPT);
    }
    ck_assert_int_eq(decode_with(7, 0x3f), TORC_OK); /* slots */
    ck_assert_int_eq(decode_with(7, 0x40), TORC_ECORRUPT);
    ck_assert_int_eq(decode_with(7, 0xff), TORC_ECORRUPT);
    ck_assert_int_eq(decode_with(0, 28), TORC_OK); /* sizes: 28 is an empty payload */
    ck_assert_int_eq(decode_with(0, 27), TORC_ECORRUPT);
    ck_assert_int_eq(decode_with(0, 0), TORC_ECORRUPT);
    ck_assert_int_eq(decode_with(3, 0xff), TORC_ECORRUPT);
}
END_TEST

/* What is refused is refused as soon as the header is there, not when its payload has arrived. */
START_TEST(test_size_limit)
{
    struct buf out = {0};
    op_encode(&out, &sample);
    uint32_t largest = OP_HEADER_SIZE - 4 + BUS_FRAME_SIZE_MAX;
    for (uint32_t extra = 0; extra < 2; extra++) {
        for (unsigned i = 0; i < 4; i++) {
            buf_head(&out)[i] = (char)((largest + extra) >> (8 * i));
        }
        ck_assert_int_eq(decode_copy(buf_bytes(&out), OP_HEADER_SIZE),
                         extra == 0 ? TORC_EAGAIN : TORC_ECORRUPT);
    }
    buf_deinit(&out);
}
END_TEST

START_TEST(test_refill_key)
{
    struct buf out = {0};
    struct bytes key;
    struct bytes dump;
    uint64_t expire_at_ms = 0;
    op_encode_refill_key(&out, BYTES_LITERAL("the\0key"), 0x0102030405060708, strlen("dump"));
    buf_append_text(&out, "dump");
    ck_assert_uint_eq(buf_size(&out), 4 + 7 + 8 + 4 + 4);
    ck_assert_int_eq(op_decode_refill_key(buf_bytes(&out), &key, &expire_at_ms, &dump), TORC_OK);
    ck_assert(bytes_equal(key, BYTES_LITERAL("the\0key")));
    ck_assert_uint_eq(expire_at_ms, 0x0102030405060708);
    ck_assert(bytes_equal(dump, BYTES_LITERAL("dump")));
    for (size_t size = 0; size < buf_size(&out); size++) {
        ck_assert_int_eq(
            op_decode_refill_key((struct bytes){buf_head(&out), size}, &key, &expire_at_ms, &dump),
            TORC_ECORRUPT);
    }
    buf_append(&out, "x", 1);
    ck_assert_int_eq(op_decode_refill_key(buf_bytes(&out), &key, &expire_at_ms, &dump),
                     TORC_ECORRUPT);
    buf_deinit(&out);
}
END_TEST

START_TEST(test_refill_key_empty)
{
    struct buf out = {0};
    struct bytes key;
    struct bytes dump;
    uint64_t expire_at_ms = 1;
    op_encode_refill_key(&out, (struct bytes){NULL, 0}, 0, 0);
    ck_assert_int_eq(op_decode_refill_key(buf_bytes(&out), &key, &expire_at_ms, &dump), TORC_OK);
    ck_assert_uint_eq(key.size + dump.size + expire_at_ms, 0);
    buf_deinit(&out);
}
END_TEST

#define CHECK_SIZE 56

static int decode_check(uint64_t run, const struct op_range *range, size_t cut, size_t more,
                        struct op_range *decoded)
{
    struct buf out = {0};
    uint64_t decoded_run = 0;
    op_encode_check(&out, run, range);
    ck_assert_uint_eq(buf_size(&out), CHECK_SIZE);
    for (size_t i = 0; i < more; i++) {
        buf_append(&out, "x", 1);
    }
    int result = op_decode_check((struct bytes){buf_head(&out), buf_size(&out) - cut}, &decoded_run,
                                 decoded);
    ck_assert(result != TORC_OK || decoded_run == run);
    buf_deinit(&out);
    return result;
}

START_TEST(test_check)
{
    const struct op_range range = {.from = {0x060504030201, 0x0c0b0a090807},
                                   .to = {0x060504030201, 0x161514131211},
                                   .count = 0x2827262524232221,
                                   .digest = 0x3837363534333231};
    struct op_range decoded = {0};
    ck_assert_int_eq(decode_check(0x4847464544434241, &range, 0, 0, &decoded), TORC_OK);
    ck_assert_mem_eq(&decoded, &range, sizeof(range));
    for (size_t cut = 1; cut <= CHECK_SIZE; cut++) {
        ck_assert_int_eq(decode_check(1, &range, cut, 0, &decoded), TORC_ECORRUPT);
    }
    ck_assert_int_eq(decode_check(1, &range, 0, 1, &decoded), TORC_ECORRUPT);
    struct buf out = {0};
    op_encode_check(&out, 7, &range);
    ck_assert_mem_eq(buf_head(&out), "\7\0\0\0\0\0\0\0\1\2\3\4\5\6\0\0\7\x8\x9", 19);
    buf_deinit(&out);
}
END_TEST

START_TEST(test_check_places)
{
    static const struct {
        struct op_place from, to;
        bool lawful;
    } cases[] = {
        {{0, 0}, {0, 0}, true},
        {{0, 0}, {1, 0}, true},
        {{5, 0}, {0, 0}, true},
        {{5, 0}, {5, 0}, false}, /* empty */
        {{5, 0}, {4, 0}, false},
        {{OP_PLACE_MAX, 0}, {0, 0}, true},
        {{OP_PLACE_MAX + 1, 0}, {0, 0}, false},
        {{0, 0}, {OP_PLACE_MAX, 0}, true},
        {{0, 0}, {OP_PLACE_MAX + 1, 0}, false},
        /* parts of values */
        {{5, 0}, {5, 7}, true},
        {{0, 0}, {0, 7}, true},
        {{5, 7}, {5, 8}, true},
        {{5, 7}, {5, 7}, false},
        {{5, 7}, {5, 6}, false},
        {{5, 7}, {6, 0}, true},
        {{5, 7}, {7, 0}, false}, /* and other keys */
        {{5, 7}, {6, 1}, false},
        {{5, 0}, {6, 1}, false},
        {{5, 7}, {0, 0}, false},
        {{OP_PLACE_MAX, 7}, {0, 0}, true},
        {{5, OP_PLACE_MAX}, {6, 0}, true},
        {{5, OP_PLACE_MAX + 1}, {6, 0}, false},
        {{5, 0}, {5, OP_PLACE_MAX + 1}, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct op_range range = {.from = cases[i].from, .to = cases[i].to};
        struct op_range decoded;
        ck_assert_int_eq(decode_check(1, &range, 0, 0, &decoded),
                         cases[i].lawful ? TORC_OK : TORC_ECORRUPT);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("op");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_bytes);
    tcase_add_test(tests, test_round_trip);
    tcase_add_test(tests, test_every_cut_is_incomplete);
    tcase_add_test(tests, test_several);
    tcase_add_test(tests, test_refused);
    tcase_add_test(tests, test_size_limit);
    tcase_add_test(tests, test_refill_key);
    tcase_add_test(tests, test_refill_key_empty);
    tcase_add_test(tests, test_check);
    tcase_add_test(tests, test_check_places);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
