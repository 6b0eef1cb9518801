#include "base/error.h"
#include "base/prng.h"
#include "replication/stream.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Appends an operation with a payload of that size; returns where it ends. */
#define PAYLOAD_MAX 40000 /* more than half a block of the backlog */

static uint64_t append(struct stream *stream, size_t size)
{
    static const char payload[PAYLOAD_MAX];
    struct op op = {.kind = OP_EFFECT, .epoch = 1, .sequence = 1, .payload = {payload, size}};
    uint64_t position = 0;
    ck_assert_int_eq(stream_append(stream, &op, &position), TORC_OK);
    ck_assert_uint_eq(position, stream->appended);
    return position;
}

static void send_all(struct stream *stream)
{
    for (size_t size; (size = stream_to_send(stream).size) > 0;) {
        stream_sent(stream, size);
    }
}

START_TEST(test_append_send_ack)
{
    struct stream stream;
    stream_init(&stream);
    ck_assert_uint_eq(stream_to_send(&stream).size, 0);
    uint64_t first = append(&stream, 3);
    ck_assert_uint_eq(first, OP_HEADER_SIZE + 3);
    uint64_t second = append(&stream, 0);
    ck_assert_uint_eq(second, first + OP_HEADER_SIZE);
    struct bytes next = stream_to_send(&stream);
    ck_assert_uint_eq(next.size, second);

    /* An operation may go out in pieces. */
    stream_sent(&stream, 5);
    ck_assert_uint_eq(stream_to_send(&stream).size, second - 5);
    ck_assert_ptr_eq(stream_to_send(&stream).data, next.data + 5);
    stream_sent(&stream, second - 5);
    ck_assert_uint_eq(stream_to_send(&stream).size, 0);

    ck_assert_int_eq(stream_ack(&stream, first), TORC_OK);
    ck_assert_uint_eq(stream.acked, first);
    ck_assert_int_eq(stream_ack(&stream, 1), TORC_OK); /* older: ignored */
    ck_assert_uint_eq(stream.acked, first);
    ck_assert_int_eq(stream_ack(&stream, second), TORC_OK);
    ck_assert_uint_eq(stream.backlog.size, 0);

    uint64_t third = append(&stream, 1);
    ck_assert_uint_eq(third, second + OP_HEADER_SIZE + 1);
    ck_assert_uint_eq(stream_to_send(&stream).size, third - second);
    stream_deinit(&stream);
}
END_TEST

START_TEST(test_end)
{
    struct stream stream;
    stream_init(&stream);
    append(&stream, 10);
    send_all(&stream);
    uint64_t end = append(&stream, PAYLOAD_MAX);
    stream_end(&stream);
    ck_assert_uint_eq(stream.acked, end);
    ck_assert_uint_eq(stream_to_send(&stream).size, 0);
    stream_deinit(&stream);
}
END_TEST

START_TEST(test_ack_of_what_was_not_sent)
{
    struct stream stream;
    stream_init(&stream);
    uint64_t end = append(&stream, 10);
    ck_assert_int_eq(stream_ack(&stream, end), TORC_ECORRUPT);
    stream_sent(&stream, end - 1);
    ck_assert_int_eq(stream_ack(&stream, end), TORC_ECORRUPT);
    ck_assert_uint_eq(stream.acked, 0);
    stream_sent(&stream, 1);
    ck_assert_int_eq(stream_ack(&stream, end), TORC_OK);
    ck_assert_int_eq(stream_ack(&stream, UINT64_MAX), TORC_ECORRUPT);
    stream_deinit(&stream);
}
END_TEST

START_TEST(test_skip)
{
    struct stream stream;
    uint64_t end[5];
    stream_init(&stream);
    for (size_t i = 0; i < 5; i++) {
        end[i] = append(&stream, i);
    }
    ck_assert_int_eq(stream_skip(&stream, end[0]), TORC_ECORRUPT); /* not sent */
    send_all(&stream);
    ck_assert_int_eq(stream_skip(&stream, end[1]), TORC_OK);
    ck_assert_int_eq(stream_skip(&stream, end[3]), TORC_OK);
    ck_assert_int_eq(stream_skip(&stream, end[2]), TORC_ECORRUPT); /* not in order */
    ck_assert_int_eq(stream_ack(&stream, end[4]), TORC_OK);
    ck_assert_int_eq(stream_skip(&stream, end[4]), TORC_ECORRUPT); /* acknowledged already */
    ck_assert(!stream_was_skipped(&stream, end[0], end[0]));
    ck_assert(stream_was_skipped(&stream, end[1], end[1]));
    ck_assert(!stream_was_skipped(&stream, end[2], end[2]));
    ck_assert(stream_was_skipped(&stream, end[3], end[3]));
    ck_assert(!stream_was_skipped(&stream, end[4], end[4]));
    ck_assert(stream_was_skipped(&stream, end[0], end[4]));
    ck_assert(stream_was_skipped(&stream, end[0], end[1]));
    ck_assert(stream_was_skipped(&stream, end[2], end[4]));
    stream_deinit(&stream);
}
END_TEST

/* However many are skipped, none of them ever counts as acknowledged. */
START_TEST(test_many_skipped)
{
    struct stream stream;
    uint64_t first = 0;
    stream_init(&stream);
    for (unsigned i = 0; i < 3 * STREAM_SKIPPED_MAX; i++) {
        uint64_t end = append(&stream, 0);
        first = i == 0 ? end : first;
        send_all(&stream);
        ck_assert_int_eq(stream_skip(&stream, end), TORC_OK);
        ck_assert_int_eq(stream_ack(&stream, end), TORC_OK);
        ck_assert_uint_le(stream.skipped_count, STREAM_SKIPPED_MAX);
    }
    for (uint64_t at = first; at <= stream.appended; at += OP_HEADER_SIZE) {
        ck_assert(stream_was_skipped(&stream, at, at));
    }
    uint64_t taken = append(&stream, 0);
    send_all(&stream);
    ck_assert_int_eq(stream_ack(&stream, taken), TORC_OK);
    ck_assert(!stream_was_skipped(&stream, taken, taken));
    stream_deinit(&stream);
}
END_TEST

START_TEST(test_resume)
{
    struct stream stream;
    uint64_t end[4];
    stream_init(&stream);
    ck_assert_int_eq(stream_resume(&stream, 0, 0), TORC_OK);
    for (size_t i = 0; i < 3; i++) {
        end[i] = append(&stream, 7);
    }
    send_all(&stream);
    end[3] = append(&stream, 7);
    ck_assert_int_eq(stream_ack(&stream, end[0]), TORC_OK);
    ck_assert_int_eq(stream_resume(&stream, 0, 0), TORC_ESTALE);
    ck_assert_int_eq(stream_resume(&stream, end[0] - 1, 0), TORC_ESTALE);
    ck_assert_int_eq(stream_resume(&stream, end[3], 0), TORC_ESTALE); /* appended and never sent */
    ck_assert_int_eq(stream_resume(&stream, end[3] + 1, 0), TORC_ESTALE);
    ck_assert_uint_eq(stream.sent, end[2]);
    ck_assert_uint_eq(stream.acked, end[0]);

    ck_assert_int_eq(stream_resume(&stream, end[1], 0), TORC_OK);
    ck_assert_uint_eq(stream.acked, end[1]);
    ck_assert_uint_eq(stream_to_send(&stream).size, end[3] - end[1]);
    ck_assert_int_eq(stream_ack(&stream, end[2]), TORC_ECORRUPT); /* not on this connection */
    stream_deinit(&stream);
}
END_TEST

START_TEST(test_resume_forgets_skips_to_come_again)
{
    struct stream stream;
    stream_init(&stream);
    uint64_t first = append(&stream, 1);
    uint64_t second = append(&stream, 1);
    send_all(&stream);
    ck_assert_int_eq(stream_skip(&stream, first), TORC_OK);
    ck_assert_int_eq(stream_skip(&stream, second), TORC_OK);
    ck_assert_int_eq(stream_resume(&stream, first, first), TORC_OK);
    ck_assert(stream_was_skipped(&stream, first, first));
    ck_assert(!stream_was_skipped(&stream, second, second));
    send_all(&stream);
    ck_assert_int_eq(stream_ack(&stream, second), TORC_OK);
    ck_assert(!stream_was_skipped(&stream, second, second));
    stream_deinit(&stream);
}
END_TEST

/* ---- against a model: a replica that holds bytes, and a network that loses connections ---- */

#define OPS_MAX 2000

struct model {
    struct stream stream;
    struct prng prng;
    size_t count;
    uint64_t end[OPS_MAX]; /* of each operation */
    bool skipped[OPS_MAX]; /* the replica refused it, last time it saw it */
    uint64_t last;         /* position it skipped last */
    uint64_t received;     /* bytes that reached the replica, whole operations */
    bool deaf;             /* the connection is breaking: the sender hears nothing any more */
    struct buf wire;       /* what the stream gave out, from `received` on */
};

static void model_append(struct model *model)
{
    if (model->count < OPS_MAX) {
        size_t size_max = prng_below(&model->prng, 4) == 0 ? PAYLOAD_MAX : 100;
        size_t size = (size_t)prng_below(&model->prng, size_max);
        model->end[model->count++] = append(&model->stream, size);
    }
}

static void model_send(struct model *model)
{
    struct bytes next = stream_to_send(&model->stream);
    uint64_t left = model->stream.appended - model->stream.sent;
    ck_assert_uint_le(next.size, left);
    ck_assert(next.size > 0 || left == 0);
    size_t size = (size_t)prng_below(&model->prng, next.size + 1);
    buf_append(&model->wire, next.data, size);
    stream_sent(&model->stream, size);
}

/* The replica takes one whole operation and says that it did, or that it did not. */
static void model_receive(struct model *model)
{
    struct op op;
    size_t consumed = 0;
    if (op_decode(buf_bytes(&model->wire), &op, &consumed) != TORC_OK) {
        return;
    }
    buf_consume(&model->wire, consumed);
    model->received += consumed;
    size_t index = 0;
    while (model->end[index] != model->received) {
        index++;
        ck_assert_uint_lt(index, model->count); /* every operation arrives whole and in order */
    }
    model->skipped[index] = prng_below(&model->prng, 4) == 0;
    if (model->skipped[index]) {
        model->last = model->received;
        model->deaf = model->deaf || prng_below(&model->prng, 4) == 0;
        if (!model->deaf) {
            ck_assert_int_eq(stream_skip(&model->stream, model->received), TORC_OK);
        }
    }
}

static void model_check(struct model *model)
{
    struct stream *stream = &model->stream;
    ck_assert_uint_le(stream->acked, stream->sent);
    ck_assert_uint_le(stream->sent, stream->appended);
    ck_assert_uint_eq(stream->backlog.size, stream->appended - stream->acked);
    ck_assert_uint_le(stream->acked, model->received);
    for (size_t i = 0; i < model->count && model->end[i] <= stream->acked; i++) {
        bool counts = !stream_was_skipped(stream, model->end[i], model->end[i]);
        ck_assert(!counts || !model->skipped[i]); /* and exactly so while nothing was lost */
        ck_assert(counts || model->skipped[i] || stream->forgotten >= model->end[i]);
    }
}

START_TEST(test_model)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct model *model = calloc(1, sizeof(*model));
        prng_init(&model->prng, seed);
        stream_init(&model->stream);
        for (unsigned step = 0; step < 400; step++) {
            switch (prng_below(&model->prng, 8)) {
            case 0:
            case 1: model_append(model); break;
            case 2:
            case 3: model_send(model); break;
            case 4:
            case 5: model_receive(model); break;
            case 6:
                if (!model->deaf) {
                    ck_assert_int_eq(stream_ack(&model->stream, model->received), TORC_OK);
                }
                break;
            default: /* the connection breaks, and what was under way is lost */
                buf_reset(&model->wire, 0);
                model->deaf = false;
                ck_assert_int_eq(stream_resume(&model->stream, model->received, model->last),
                                 TORC_OK);
            }
            model_check(model);
        }
        buf_reset(&model->wire, 0);
        model->deaf = false;
        ck_assert_int_eq(stream_resume(&model->stream, model->received, model->last), TORC_OK);
        while (model->received < model->stream.appended) {
            model_send(model);
            model_receive(model);
            if (model->deaf) {
                buf_reset(&model->wire, 0);
                model->deaf = false;
                ck_assert_int_eq(stream_resume(&model->stream, model->received, model->last),
                                 TORC_OK);
            }
        }
        ck_assert_int_eq(stream_ack(&model->stream, model->received), TORC_OK);
        model_check(model);
        ck_assert_uint_eq(model->stream.acked, model->stream.appended);
        stream_deinit(&model->stream);
        buf_deinit(&model->wire);
        free(model);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_append_send_ack);
    tcase_add_test(tests, test_end);
    tcase_add_test(tests, test_ack_of_what_was_not_sent);
    tcase_add_test(tests, test_skip);
    tcase_add_test(tests, test_many_skipped);
    tcase_add_test(tests, test_resume);
    tcase_add_test(tests, test_resume_forgets_skips_to_come_again);
    tcase_add_test(tests, test_model);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
