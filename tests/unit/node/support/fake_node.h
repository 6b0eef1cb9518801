/*
 * A node put together in memory: one worker and a control thread of which none runs, and no socket.
 * It is the first of three nodes; what it would send is read from its streams. Checks with Check,
 * so a failure is the test's.
 */
#ifndef TORC_TESTS_UNIT_NODE_FAKE_NODE_H
#define TORC_TESTS_UNIT_NODE_FAKE_NODE_H

#include "node/bus_server.h"
#include "node/control.h"
#include "node/node.h"
#include "node/peers.h"
#include "node/worker.h"
#include "replication/op.h"

#include <stdbool.h>
#include <stdint.h>

#define FAKE_NODES 3
#define FAKE_SELF 0
#define FAKE_LEASE_MS 1000
#define FAKE_LONG_MS 600000 /* no test takes as long */

struct fake_node {
    struct node node;
    struct worker worker;
    struct worker *workers[1];
    struct control control;
};

struct node_id fake_id(size_t index);

struct fake_node *fake_node_create(void);
void fake_node_destroy(struct fake_node *fake);

/* What tests say of a view; the statuses and incarnations are those of its three nodes. */
struct fake_view {
    uint64_t epoch;
    uint8_t copies; /* 0 = 2 */
    enum node_status status[FAKE_NODES];
    uint64_t incarnation[FAKE_NODES]; /* 0 = 1 */
    bool joining;                     /* the third has no weight yet, and is to get one */
};
/* The voter is the second, so that what voters are told leaves this node. */
struct view *fake_view_create(const struct fake_view *described);
/* Installs such a view; as roles_install. */
bool fake_node_install(struct fake_node *fake, const struct fake_view *described);

/* Everything is taken over and caught up: each slot that it leads holds all there is, its members
 * are attached and have acknowledged; each that it follows was refilled by its leader. */
void fake_node_settle(struct fake_node *fake);
/* Goes on attaching members, once. */
void fake_node_step(struct fake_node *fake);
/* For how many slots the worker was told since the last call that members may be to attach. */
size_t fake_marked(struct fake_node *fake);

/* Its worker may serve for as long as any test takes. */
void fake_give_lease(struct fake_node *fake);
/* A peer's connection, from which nothing is read and to which nothing is written, and a loop for
 * the worker. The caller closes it and destroys the loop. */
struct bus_connection *fake_bus_open(struct fake_node *fake);

struct replica_stream *fake_stream(struct fake_node *fake, size_t index); /* NULL: none */
uint16_t fake_peer(struct fake_node *fake, size_t index);
/* The other node has acknowledged all that was appended; or has skipped the last operation. */
void fake_acknowledge(struct replica_stream *stream);
void fake_skip_last(struct replica_stream *stream, uint64_t position);
/* The next operation that would be sent; false: there is none. Borrows from the stream. */
bool fake_next_op(struct replica_stream *stream, struct op *op);

/* Sets a key of a slot without telling anybody. */
void fake_set(struct fake_node *fake, uint16_t slot, const char *key, const char *value,
              uint64_t expire_at_ms);
/* The value of a string in these keys; "" = none. Borrowed until the next call. */
const char *fake_get(struct keyspace *keys, const char *key);

#endif
