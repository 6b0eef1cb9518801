#include "base/error.h"
#include "node/peers.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct node_id id_of(unsigned number)
{
    struct node_id id = {{(uint8_t)number, (uint8_t)(number >> 8), 1}};
    return id;
}

static struct peer *get(struct peers *peers, unsigned number)
{
    struct node_id id = id_of(number);
    struct peer *peer = peers_get(peers, &id);
    ck_assert_ptr_nonnull(peer);
    return peer;
}

START_TEST(test_get_and_find)
{
    struct peers *peers = peers_create();
    struct node_id unknown = id_of(9);
    struct peer *first = get(peers, 1);
    struct peer *second = get(peers, 2);
    ck_assert_ptr_ne(first, second);
    ck_assert_uint_eq(first->index, 0);
    ck_assert_uint_eq(second->index, 1);
    ck_assert_ptr_eq(get(peers, 1), first);
    ck_assert_ptr_eq(peers_find(peers, &second->id), second);
    ck_assert_ptr_eq(peers_at(peers, 1), second);
    ck_assert_ptr_null(peers_find(peers, &unknown));
    ck_assert_uint_eq(atomic_load(&peers->count), 2);
    peers_destroy(peers);
    peers_destroy(NULL);
}
END_TEST

START_TEST(test_limit)
{
    struct peers *peers = peers_create();
    for (unsigned i = 0; i < NODES_MAX; i++) {
        ck_assert_uint_eq(get(peers, i)->index, i);
    }
    struct node_id one_more = id_of(NODES_MAX);
    ck_assert_ptr_null(peers_get(peers, &one_more));
    ck_assert_uint_eq(get(peers, 17)->index, 17);
    peers_destroy(peers);
}
END_TEST

START_TEST(test_address)
{
    struct peers *peers = peers_create();
    struct peer *peer = get(peers, 1);
    struct gossip_address address = {.ip = {1, 2, 3}, .port = 17001};
    struct gossip_address found;
    ck_assert(!peer_address(peer, &found));
    peer_set_address(peer, &address);
    ck_assert(peer_address(peer, &found));
    ck_assert_uint_eq(found.port, 17001);
    ck_assert_int_eq(memcmp(found.ip, address.ip, sizeof(found.ip)), 0);
    peers_destroy(peers);
}
END_TEST

START_TEST(test_streams)
{
    struct peers *peers = peers_create();
    struct peer *peer = get(peers, 1);
    struct peer *other = get(peers, 2);
    ck_assert_int_eq(peer_open_streams(peers, peer, 3), TORC_OK);
    ck_assert_int_eq(peer_open_streams(peers, other, 1), TORC_OK);
    struct replica_stream *streams[3];
    for (unsigned i = 0; i < 3; i++) {
        streams[i] = atomic_load(&peer->streams[i]);
        ck_assert_ptr_nonnull(streams[i]);
        ck_assert_uint_eq(streams[i]->shard, i);
        ck_assert_uint_eq(streams[i]->peer, peer->index);
        ck_assert_uint_eq(streams[i]->generation, i + 1);
    }
    ck_assert_uint_eq(atomic_load(&other->streams[0])->generation, 4);
    ck_assert_ptr_null(atomic_load(&peer->streams[3]));
    ck_assert_int_eq(peer_open_streams(peers, peer, 3), TORC_OK); /* those there stay */
    ck_assert_ptr_eq(atomic_load(&peer->streams[2]), streams[2]);

    struct op op = {.kind = OP_EFFECT};
    uint64_t position = 0;
    struct ack_set set = {0};
    ck_assert_int_eq(replica_stream_append(streams[0], &op, &position), TORC_OK);
    ack_set_add(&set, streams[0], position, position);
    ck_assert_int_eq(ack_set_state(&set, 0), ACKS_PENDING);
    peer_close_streams(peers, peer, 3);
    ck_assert_int_eq(ack_set_state(&set, 0), ACKS_DONE); /* the stream is still there to be asked */
    ck_assert_uint_eq(streams[0]->stream.acked, streams[0]->stream.appended);
    ck_assert_ptr_null(atomic_load(&peer->streams[0]));
    peer_close_streams(peers, peer, 3); /* nothing left to close */

    ck_assert_int_eq(peer_open_streams(peers, peer, 1), TORC_OK);
    ck_assert_ptr_ne(atomic_load(&peer->streams[0]), streams[0]);
    ck_assert_uint_eq(atomic_load(&peer->streams[0])->generation, 5);
    ack_set_deinit(&set);
    peers_destroy(peers);
}
END_TEST

/* What a connection does with what it brought; false if it may not. */
static bool receive(struct peer *peer, unsigned shard, uint64_t connection, uint64_t position,
                    uint64_t skipped)
{
    bool ours = peer_receive_apply_begin(peer, shard, connection);
    if (ours) {
        peer_receive_apply_end(peer, shard, position, skipped);
    }
    return ours;
}

/* A connection that may begin, and where the stream stands. */
static void expect_begin(struct peer *peer, unsigned shard, uint64_t incarnation,
                         uint64_t generation, uint64_t connection, uint64_t position,
                         uint64_t skipped)
{
    struct receive_state state;
    ck_assert(peer_receive_begin(peer, shard, incarnation, generation, connection, &state));
    ck_assert_uint_eq(state.position, position);
    ck_assert_uint_eq(state.skipped, skipped);
}

START_TEST(test_receive)
{
    struct peers *peers = peers_create();
    struct peer *peer = get(peers, 1);
    expect_begin(peer, 0, 5, 1, 100, 0, 0);
    ck_assert(receive(peer, 0, 100, 24, 0));
    ck_assert(receive(peer, 0, 100, 48, 0));
    ck_assert(!receive(peer, 0, 99, 72, 0)); /* not the one that feeds it */

    /* A new connection of the same stream goes on; the old one is told so. */
    expect_begin(peer, 0, 5, 1, 101, 48, 0);
    ck_assert(!receive(peer, 0, 100, 72, 0));
    ck_assert(receive(peer, 0, 101, 72, 0));

    /* The last position skipped is remembered with it. */
    ck_assert(receive(peer, 0, 101, 96, 96));
    ck_assert(receive(peer, 0, 101, 120, 0));
    expect_begin(peer, 0, 5, 1, 101, 120, 96);

    /* Another shard, generation or incarnation is another stream. */
    expect_begin(peer, 1, 5, 1, 102, 0, 0);
    expect_begin(peer, 0, 5, 1, 103, 120, 96);
    expect_begin(peer, 0, 5, 2, 104, 0, 0);
    ck_assert(receive(peer, 0, 104, 24, 0));
    expect_begin(peer, 0, 6, 2, 105, 0, 0);
    expect_begin(get(peers, 2), 0, 6, 2, 106, 0, 0);
    expect_begin(peer, WORKERS_MAX - 1, 6, 2, 107, 0, 0);
    peers_destroy(peers);
}
END_TEST

/* One that was for whoever had our address before, or that was slow to get here, leaves alone what
 * has begun: a sender does not go on with a stream that stands before what it no longer has. */
START_TEST(test_receive_late)
{
    struct peers *peers = peers_create();
    struct peer *peer = get(peers, 1);
    struct receive_state state;
    expect_begin(peer, 0, 5, 9, 100, 0, 0);
    ck_assert(receive(peer, 0, 100, 24, 0));
    ck_assert(!peer_receive_begin(peer, 0, 5, 8, 101, &state));
    ck_assert(!peer_receive_begin(peer, 0, 4, 10, 102, &state));
    ck_assert(receive(peer, 0, 100, 48, 48));
    expect_begin(peer, 0, 5, 9, 103, 48, 48);
    expect_begin(peer, 1, 5, 8, 104, 0, 0);
    expect_begin(peer, 0, 6, 1, 105, 0, 0);
    ck_assert(!receive(peer, 0, 103, 72, 0));
    peers_destroy(peers);
}
END_TEST

/* ---- many threads meet the same nodes at once ---- */

#define THREADS 4
#define PEERS 200

static void *meet_all(void *context)
{
    struct peers *peers = context;
    for (unsigned i = 0; i < PEERS; i++) {
        struct node_id id = id_of(i);
        struct peer *peer = peers_get(peers, &id);
        if (peer == NULL || !node_id_equal(&peer->id, &id) ||
            peers_at(peers, peer->index) != peer) {
            return "wrong";
        }
    }
    return NULL;
}

START_TEST(test_threads)
{
    struct peers *peers = peers_create();
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, meet_all, peers), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        ck_assert_ptr_null(wrong);
    }
    ck_assert_uint_eq(atomic_load(&peers->count), PEERS);
    peers_destroy(peers);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("peers");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_get_and_find);
    tcase_add_test(tests, test_limit);
    tcase_add_test(tests, test_address);
    tcase_add_test(tests, test_streams);
    tcase_add_test(tests, test_receive);
    tcase_add_test(tests, test_receive_late);
    tcase_add_test(tests, test_threads);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
