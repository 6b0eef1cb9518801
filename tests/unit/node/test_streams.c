#include "base/error.h"
#include "node/streams.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define STREAMS 9

/* Appends an empty operation and pretends that it was sent; returns where it ends. */
static uint64_t append(struct replica_stream *stream)
{
    struct op op = {.kind = OP_EFFECT, .epoch = 1, .sequence = 1};
    uint64_t position = 0;
    ck_assert_int_eq(replica_stream_append(stream, &op, &position), TORC_OK);
    spin_lock(&stream->lock);
    stream_sent(&stream->stream, OP_HEADER_SIZE);
    spin_unlock(&stream->lock);
    return position;
}

/* What the sender does with an acknowledgement. */
static void acknowledge(struct replica_stream *stream, uint64_t position)
{
    spin_lock(&stream->lock);
    ck_assert_int_eq(stream_ack(&stream->stream, position), TORC_OK);
    spin_unlock(&stream->lock);
    atomic_store_explicit(&stream->acked, position, memory_order_release);
}

static void skip(struct replica_stream *stream, uint64_t position)
{
    spin_lock(&stream->lock);
    ck_assert_int_eq(stream_skip(&stream->stream, position), TORC_OK);
    spin_unlock(&stream->lock);
    atomic_store_explicit(&stream->skipped_any, true, memory_order_release);
}

static struct replica_stream *make_stream(unsigned shard)
{
    struct replica_stream *stream = replica_stream_create(3, shard, 100 + shard);
    ck_assert_ptr_nonnull(stream);
    return stream;
}

START_TEST(test_create)
{
    struct replica_stream *stream = make_stream(2);
    ck_assert_uint_eq(stream->peer, 3);
    ck_assert_uint_eq(stream->shard, 2);
    ck_assert_uint_eq(stream->generation, 102);
    ck_assert(!atomic_load(&stream->closed));
    uint64_t first = append(stream);
    ck_assert_uint_eq(atomic_load(&stream->backlog_size), first);
    append(stream);
    ck_assert_uint_eq(atomic_load(&stream->backlog_size), 2 * first);
    replica_stream_destroy(stream);
    replica_stream_destroy(NULL);
}
END_TEST

START_TEST(test_empty_set)
{
    struct ack_set set = {0};
    ck_assert_int_eq(ack_set_state(&set, 0), ACKS_DONE);
    ck_assert_int_eq(ack_set_state(&set, 1), ACKS_DONE);
    ack_set_deinit(&set);
}
END_TEST

START_TEST(test_one_stream)
{
    struct replica_stream *stream = make_stream(0);
    struct ack_set set = {0};
    uint64_t first = append(stream);
    uint64_t second = append(stream);
    uint64_t third = append(stream);
    ack_set_add(&set, stream, second, second);
    ck_assert_int_eq(ack_set_state(&set, 0), ACKS_PENDING);
    acknowledge(stream, first);
    ck_assert_int_eq(ack_set_state(&set, 0), ACKS_PENDING);
    acknowledge(stream, second);
    ck_assert_int_eq(ack_set_state(&set, 0), ACKS_DONE);

    /* The same stream again widens the range. */
    ack_set_add(&set, stream, third, third);
    ck_assert_uint_eq(set.count, 1);
    ck_assert_int_eq(ack_set_state(&set, 0), ACKS_PENDING);
    acknowledge(stream, third);
    ck_assert_int_eq(ack_set_state(&set, 0), ACKS_DONE);
    ack_set_add(&set, stream, first, first);
    ck_assert_uint_eq(set.few[0].first, first);
    ck_assert_uint_eq(set.few[0].last, third);
    ack_set_deinit(&set);
    replica_stream_destroy(stream);
}
END_TEST

START_TEST(test_many_streams)
{
    struct replica_stream *streams[STREAMS];
    struct ack_set set = {0};
    uint64_t position = 0;
    for (unsigned i = 0; i < STREAMS; i++) {
        streams[i] = make_stream(i);
        position = append(streams[i]);
        ack_set_add(&set, streams[i], position, position);
        ck_assert_uint_eq(set.count, i + 1);
        ck_assert_int_eq(set.many != NULL, i >= ACK_SET_INLINE);
    }
    /* Each of them alone keeps the set pending. */
    for (unsigned i = 0; i < STREAMS; i++) {
        ck_assert_int_eq(ack_set_state(&set, 0), ACKS_PENDING);
        acknowledge(streams[STREAMS - 1 - i], position);
    }
    ck_assert_int_eq(ack_set_state(&set, 0), ACKS_DONE);
    ack_set_deinit(&set);
    ck_assert_uint_eq(set.count, 0);
    ck_assert_ptr_null(set.many);
    for (unsigned i = 0; i < STREAMS; i++) {
        replica_stream_destroy(streams[i]);
    }
}
END_TEST

START_TEST(test_merge)
{
    struct replica_stream *streams[STREAMS];
    struct ack_set set = {0};
    struct ack_set other = {0};
    uint64_t first = 0;
    uint64_t second = 0;
    for (unsigned i = 0; i < STREAMS; i++) {
        streams[i] = make_stream(i);
        first = append(streams[i]);
        second = append(streams[i]);
    }
    for (unsigned i = 0; i < STREAMS; i++) {
        if (i % 2 == 0) {
            ack_set_add(&set, streams[i], first, first);
        }
        if (i % 3 == 0) {
            ack_set_add(&other, streams[i], second, second);
        }
    }
    ack_set_merge(&set, &other);
    ck_assert_uint_eq(set.count, 6); /* 0 2 4 6 8, 3 */
    ck_assert_uint_eq(other.count, 3);
    for (size_t i = 0; i < set.count; i++) {
        const struct ack_range *range = &set.many[i];
        unsigned shard = range->stream->shard;
        ck_assert_uint_eq(range->first, shard % 2 == 0 ? first : second);
        ck_assert_uint_eq(range->last, shard % 3 == 0 ? second : first);
    }
    struct ack_set empty = {0};
    ack_set_merge(&set, &empty);
    ck_assert_uint_eq(set.count, 6);
    ack_set_deinit(&set);
    ack_set_deinit(&other);
    for (unsigned i = 0; i < STREAMS; i++) {
        replica_stream_destroy(streams[i]);
    }
}
END_TEST

START_TEST(test_skipped_is_failed)
{
    struct replica_stream *stream = make_stream(0);
    struct replica_stream *other = make_stream(1);
    struct ack_set before = {0};
    struct ack_set hit = {0};
    struct ack_set around = {0};
    struct ack_set after = {0};
    uint64_t position[3];
    for (size_t i = 0; i < 3; i++) {
        position[i] = append(stream);
    }
    uint64_t elsewhere = append(other);
    ack_set_add(&before, stream, position[0], position[0]);
    ack_set_add(&hit, stream, position[1], position[1]);
    ack_set_add(&hit, other, elsewhere, elsewhere);
    ack_set_add(&around, stream, position[0], position[2]);
    ack_set_add(&after, stream, position[2], position[2]);
    skip(stream, position[1]);
    ck_assert_int_eq(ack_set_state(&hit, 0), ACKS_PENDING); /* not acknowledged so far */
    acknowledge(stream, position[2]);
    ck_assert_int_eq(ack_set_state(&before, 0), ACKS_DONE);
    ck_assert_int_eq(ack_set_state(&after, 0), ACKS_DONE);
    ck_assert_int_eq(ack_set_state(&around, 0), ACKS_FAILED);
    ck_assert_int_eq(ack_set_state(&hit, 0), ACKS_FAILED); /* whatever else is pending */
    ack_set_deinit(&before);
    ack_set_deinit(&hit);
    ack_set_deinit(&around);
    ack_set_deinit(&after);
    replica_stream_destroy(stream);
    replica_stream_destroy(other);
}
END_TEST

START_TEST(test_closed_is_waited_for_no_more)
{
    struct replica_stream *stream = make_stream(0);
    struct replica_stream *other = make_stream(1);
    struct ack_set set = {0};
    uint64_t position = append(stream);
    ack_set_add(&set, stream, position, position);
    ack_set_add(&set, other, append(other), position);
    atomic_store(&stream->closed, true);
    ck_assert_int_eq(ack_set_state(&set, 0), ACKS_PENDING);
    acknowledge(other, position);
    ck_assert_int_eq(ack_set_state(&set, 0), ACKS_DONE);
    ack_set_deinit(&set);
    replica_stream_destroy(stream);
    replica_stream_destroy(other);
}
END_TEST

START_TEST(test_asking_to_be_woken)
{
    struct replica_stream *streams[2] = {make_stream(0), make_stream(1)};
    struct ack_set set = {0};
    uint64_t position = 0;
    for (size_t i = 0; i < 2; i++) {
        position = append(streams[i]);
        ack_set_add(&set, streams[i], position, position);
    }
    acknowledge(streams[0], position);
    ck_assert_int_eq(ack_set_state(&set, 0), ACKS_PENDING);
    ck_assert_uint_eq(atomic_load(&streams[1]->waiting), 0);
    ck_assert_int_eq(ack_set_state(&set, 4), ACKS_PENDING);
    ck_assert_int_eq(ack_set_state(&set, UINT64_C(1) << 63), ACKS_PENDING);
    ck_assert_uint_eq(atomic_load(&streams[0]->waiting), 0); /* nothing to wait for there */
    ck_assert_uint_eq(atomic_load(&streams[1]->waiting), 4 | UINT64_C(1) << 63);
    ack_set_deinit(&set);
    replica_stream_destroy(streams[0]);
    replica_stream_destroy(streams[1]);
}
END_TEST

/* ---- the handshake: no acknowledgement may slip between looking and asking ---- */

#define ROUNDS 50000
#define SPINS 1000 /* before the core is given to somebody else */

struct handshake {
    struct replica_stream *stream;
    _Atomic uint64_t appended; /* what the acknowledging side may acknowledge */
    _Atomic bool woken;
};

/* Acknowledges what is there and then wakes who asked, as the sender does. */
static void *acknowledger(void *context)
{
    struct handshake *handshake = context;
    uint64_t acked = 0;
    unsigned spins = 0;
    while (acked < ROUNDS * (uint64_t)OP_HEADER_SIZE) {
        uint64_t appended = atomic_load(&handshake->appended);
        if (appended == acked) {
            if (++spins % SPINS == 0) {
                sched_yield();
            }
            continue;
        }
        acked = appended;
        acknowledge(handshake->stream, acked);
        if (atomic_exchange(&handshake->stream->waiting, 0) != 0) {
            atomic_store(&handshake->woken, true);
        }
    }
    return NULL;
}

START_TEST(test_handshake)
{
    struct handshake handshake = {.stream = make_stream(0)};
    pthread_t thread;
    uint64_t slept = 0;
    ck_assert_int_eq(pthread_create(&thread, NULL, acknowledger, &handshake), 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct ack_set set = {0};
        atomic_store(&handshake.woken, false);
        uint64_t position = append(handshake.stream);
        ack_set_add(&set, handshake.stream, position, position);
        atomic_store(&handshake.appended, position);
        /* Now and then the acknowledgement comes between the first look and the asking. */
        for (unsigned wait = i % 1024; wait > 0; wait--) {
            atomic_signal_fence(memory_order_seq_cst);
        }
        /* Whoever sleeps on this answer must be woken; the test hangs if it is not. It may be woken
         * for nothing, by a question of the round before, and then asks again. */
        while (ack_set_state(&set, 1) == ACKS_PENDING) {
            slept++;
            for (unsigned spins = 1; !atomic_load(&handshake.woken); spins++) {
                if (spins % SPINS == 0) {
                    sched_yield();
                }
            }
            atomic_store(&handshake.woken, false);
        }
        ck_assert_int_eq(ack_set_state(&set, 0), ACKS_DONE);
        ack_set_deinit(&set);
    }
    pthread_join(thread, NULL);
    ck_assert_uint_eq(atomic_load(&handshake.stream->backlog_size) % OP_HEADER_SIZE, 0);
    ck_assert_uint_le(slept, 2 * ROUNDS);
    replica_stream_destroy(handshake.stream);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("streams");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_create);
    tcase_add_test(tests, test_empty_set);
    tcase_add_test(tests, test_one_stream);
    tcase_add_test(tests, test_many_streams);
    tcase_add_test(tests, test_merge);
    tcase_add_test(tests, test_skipped_is_failed);
    tcase_add_test(tests, test_closed_is_waited_for_no_more);
    tcase_add_test(tests, test_asking_to_be_woken);
    tcase_add_test(tests, test_handshake);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
