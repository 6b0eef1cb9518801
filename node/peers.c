#include "node/peers.h"

#include "base/error.h"

#include <assert.h>
#include <stdlib.h>

struct peers *peers_create(void)
{
    struct peers *peers = calloc(1, sizeof(*peers));
    if (peers != NULL) {
        pthread_mutex_init(&peers->lock, NULL);
    }
    return peers;
}

void peers_destroy(struct peers *peers)
{
    if (peers == NULL) {
        return;
    }
    for (size_t i = 0; i < peers->count; i++) {
        struct peer *peer = peers->items[i];
        for (unsigned shard = 0; shard < WORKERS_MAX; shard++) {
            replica_stream_destroy(peer->streams[shard]);
        }
        pthread_mutex_destroy(&peer->lock);
        free(peer);
    }
    while (peers->closed != NULL) {
        struct replica_stream *stream = peers->closed;
        peers->closed = stream->next_closed;
        replica_stream_destroy(stream);
    }
    pthread_mutex_destroy(&peers->lock);
    free(peers);
}

struct peer *peers_at(struct peers *peers, uint16_t index)
{
    assert(index < atomic_load(&peers->count));
    return atomic_load_explicit(&peers->items[index], memory_order_acquire);
}

struct peer *peers_find(struct peers *peers, const struct node_id *id)
{
    size_t count = atomic_load_explicit(&peers->count, memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
        struct peer *peer = peers_at(peers, (uint16_t)i);
        if (node_id_equal(&peer->id, id)) {
            return peer;
        }
    }
    return NULL;
}

struct peer *peers_get(struct peers *peers, const struct node_id *id)
{
    struct peer *peer = peers_find(peers, id);
    if (peer != NULL) {
        return peer;
    }
    pthread_mutex_lock(&peers->lock);
    peer = peers_find(peers, id);
    size_t count = atomic_load(&peers->count);
    if (peer == NULL && count < NODES_MAX) {
        peer = calloc(1, sizeof(*peer));
        if (peer != NULL) {
            peer->id = *id;
            peer->index = (uint16_t)count;
            pthread_mutex_init(&peer->lock, NULL);
            atomic_store_explicit(&peers->items[count], peer, memory_order_release);
            atomic_store_explicit(&peers->count, count + 1, memory_order_release);
        }
    }
    pthread_mutex_unlock(&peers->lock);
    return peer;
}

bool peer_address(struct peer *peer, struct gossip_address *out)
{
    pthread_mutex_lock(&peer->lock);
    *out = peer->address;
    pthread_mutex_unlock(&peer->lock);
    return out->port != 0;
}

void peer_set_address(struct peer *peer, const struct gossip_address *address)
{
    pthread_mutex_lock(&peer->lock);
    peer->address = *address;
    pthread_mutex_unlock(&peer->lock);
}

int peer_open_streams(struct peers *peers, struct peer *peer, unsigned shards)
{
    for (unsigned shard = 0; shard < shards; shard++) {
        if (atomic_load(&peer->streams[shard]) != NULL) {
            continue;
        }
        pthread_mutex_lock(&peers->lock);
        uint64_t generation = ++peers->last_generation;
        pthread_mutex_unlock(&peers->lock);
        struct replica_stream *stream = replica_stream_create(peer->index, shard, generation);
        if (stream == NULL) {
            return TORC_ENOMEM;
        }
        atomic_store_explicit(&peer->streams[shard], stream, memory_order_release);
    }
    return TORC_OK;
}

void peer_close_streams(struct peers *peers, struct peer *peer, unsigned shards)
{
    for (unsigned shard = 0; shard < shards; shard++) {
        struct replica_stream *stream = atomic_exchange(&peer->streams[shard], NULL);
        if (stream == NULL) {
            continue;
        }
        atomic_store_explicit(&stream->closed, true, memory_order_release);
        /* The struct stays, for replies that still point at it; its backlog need not. */
        spin_lock(&stream->lock);
        if (!stream->sending) { /* or its worker does that */
            stream_end(&stream->stream);
        }
        spin_unlock(&stream->lock);
        pthread_mutex_lock(&peers->lock);
        stream->next_closed = peers->closed;
        peers->closed = stream;
        pthread_mutex_unlock(&peers->lock);
    }
}

bool peer_receive_begin(struct peer *peer, unsigned shard, uint64_t incarnation,
                        uint64_t generation, uint64_t connection, struct receive_state *out)
{
    assert(shard < WORKERS_MAX);
    pthread_mutex_lock(&peer->lock);
    struct receive_state *state = &peer->receive[shard];
    bool late = incarnation < state->incarnation ||
                (incarnation == state->incarnation && generation < state->generation);
    bool begins = incarnation != state->incarnation || generation != state->generation;
    if (begins && !late) {
        *state = (struct receive_state){.incarnation = incarnation, .generation = generation};
    }
    if (!late) {
        state->connection = connection;
    }
    *out = *state;
    pthread_mutex_unlock(&peer->lock);
    return !late;
}

bool peer_receive_apply_begin(struct peer *peer, unsigned shard, uint64_t connection)
{
    pthread_mutex_lock(&peer->lock);
    bool ours = peer->receive[shard].connection == connection;
    if (!ours) {
        pthread_mutex_unlock(&peer->lock);
    }
    return ours;
}

void peer_receive_apply_end(struct peer *peer, unsigned shard, uint64_t position, uint64_t skipped)
{
    peer->receive[shard].position = position;
    if (skipped != 0) {
        peer->receive[shard].skipped = skipped;
    }
    pthread_mutex_unlock(&peer->lock);
}
