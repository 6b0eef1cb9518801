/*
 * Every node this node ever dealt with: how to reach it, the streams towards it, and where its
 * streams towards us stand. A peer's index is good for as long as the process runs.
 */
#ifndef TORC_NODE_PEERS_H
#define TORC_NODE_PEERS_H

#include "base/attributes.h"
#include "base/limits.h"
#include "node/streams.h"
#include "ring/gossip.h"
#include "ring/node_id.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORKERS_MAX 64 /* one bit each in a stream's `waiting` */

/* Where one stream of a peer towards us stands. */
struct receive_state {
    uint64_t incarnation; /* of the sender */
    uint64_t generation;  /* of the stream */
    uint64_t position;    /* everything up to here was applied or skipped */
    uint64_t skipped;     /* end of the last operation that was skipped; 0 = none */
    uint64_t connection;  /* session number of the one connection that may feed it */
};

struct peer {
    struct node_id id; /* constant */
    uint16_t index;    /* constant */

    /* lock */
    pthread_mutex_t lock;
    struct gossip_address address; /* of its bus; port 0 = not known yet */
    uint64_t incarnation;
    struct receive_state receive[WORKERS_MAX];

    _Atomic uint64_t asked_epoch; /* of the newest view under which it asked for its slots here */

    /* written by the control thread; NULL = no stream to it */
    _Atomic(struct replica_stream *) streams[WORKERS_MAX];
};

struct peers {
    pthread_mutex_t lock;
    _Atomic size_t count;
    _Atomic(struct peer *) items[NODES_MAX];
    struct replica_stream *closed; /* lock */
    uint64_t last_generation;      /* lock */
};

struct peers *peers_create(void);
void peers_destroy(struct peers *peers);
/* The peer of that id, created if need be; NULL when there are too many or no memory. */
struct peer *peers_get(struct peers *peers, const struct node_id *id);
struct peer *peers_find(struct peers *peers, const struct node_id *id); /* NULL if unknown */
struct peer *peers_at(struct peers *peers, uint16_t index);

/* Address to connect to; false while unknown. */
bool peer_address(struct peer *peer, struct gossip_address *out);
void peer_set_address(struct peer *peer, const struct gossip_address *address);

/* Control thread. Starts streams to the peer if it has none; 0 or TORC_ENOMEM. */
int peer_open_streams(struct peers *peers, struct peer *peer, unsigned shards) TORC_MUST_USE;
/* Control thread, no slot uses them any more: nobody waits for them from now on; the caller wakes
 * the workers. */
void peer_close_streams(struct peers *peers, struct peer *peer, unsigned shards);

/* A stream connection of the peer begins: *out tells from where it should send, and what was
 * skipped last. `connection` becomes the only one that may feed the stream. False: the peer has
 * begun a newer one. This comes late, or it was for another node, which was at our address before.
 */
bool peer_receive_begin(struct peer *peer, unsigned shard, uint64_t incarnation,
                        uint64_t generation, uint64_t connection,
                        struct receive_state *out) TORC_MUST_USE;
/* Around applying what the connection brought, so that no other connection of the same stream
 * applies anything meanwhile. begin: false, and nothing to end, if another connection has taken
 * over. end notes progress, and the last position skipped on the way (0 = none). Lock order: peer,
 * then slot. */
bool peer_receive_apply_begin(struct peer *peer, unsigned shard, uint64_t connection) TORC_MUST_USE;
void peer_receive_apply_end(struct peer *peer, unsigned shard, uint64_t position, uint64_t skipped);

#endif
