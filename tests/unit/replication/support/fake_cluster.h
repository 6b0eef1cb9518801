/*
 * A few nodes in memory: each has copies of the slots, data of sixteen one-letter keys a slot, and
 * ordered streams to the others. What is sent arrives when the test says so. Peer n is node n of
 * every view. Checks with Check, so a failure is the test's.
 */
#ifndef TORC_TESTS_UNIT_REPLICATION_SUPPORT_FAKE_CLUSTER_H
#define TORC_TESTS_UNIT_REPLICATION_SUPPORT_FAKE_CLUSTER_H

#include "base/limits.h"
#include "replication/copy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_NODES 4
#define FAKE_KEYS 16
#define FAKE_SCAN_KEY_BYTES 10 /* of a budget: what one key takes */
#define FAKE_NOT_SMALL 'm'     /* a value that takes so many bytes; another takes 1 */
#define FAKE_NOT_SMALL_SIZE 4096

struct fake_op {
    struct op op; /* its payload is owned */
    uint64_t end;
    bool answered;
    bool skipped;
};

struct replica_stream {
    uint16_t from, to;
    uint64_t generation;
    bool ended;
    bool full; /* has no room */
    struct fake_op *ops;
    size_t count;
    size_t delivered;
    uint64_t appended;
    struct replica_stream *made_before;
};

struct fake_cluster;

struct fake_node {
    struct fake_cluster *cluster;
    uint16_t number;
    uint64_t epoch;          /* of the view that is installed */
    const struct view *view; /* it; retained */
    struct copy_rim rim;
    struct copy copies[SLOT_COUNT];
    char data[SLOT_COUNT][FAKE_KEYS]; /* value of key 'a' + i; 0 = does not exist */
    char incoming[SLOT_COUNT][FAKE_KEYS];
};

struct fake_cluster {
    struct fake_node *nodes[FAKE_NODES];
    struct replica_stream *streams[FAKE_NODES][FAKE_NODES]; /* from, to; NULL or the last */
    bool cut[FAKE_NODES][FAKE_NODES];                       /* no new stream can be made */
    struct replica_stream *made;
    uint64_t generation;
    unsigned compared, differing, passed; /* checks that have arrived: equal, and so on */
};

void fake_cluster_init(struct fake_cluster *cluster);
void fake_cluster_deinit(struct fake_cluster *cluster);

/* Nodes 0 .. count-1, all up, equal weights; not sealed. */
struct view *fake_view(size_t count, uint8_t copies, uint64_t epoch);
/* A changed copy with the next epoch; not sealed. */
struct view *fake_next(const struct view *view);
/* The same, in which a change is under way that takes everything from node 0; not sealed. */
struct view *fake_change(const struct view *view);
void fake_seal(struct view *view);
/* A slot that a view of so many nodes places at `first`, then `second`. */
uint16_t fake_slot(size_t count, uint8_t copies, uint16_t first, uint16_t second);

/* One slot, or (`slot` < 0) all of them. `demoted` as of struct copy_view. */
void fake_install(struct fake_cluster *cluster, uint16_t node, const struct view *view, int slot,
                  bool demoted);
struct copy *fake_copy(struct fake_cluster *cluster, uint16_t node, uint16_t slot);
/* At a primary: sets the key, or deletes it (value 0), and publishes. Returns the end of what must
 * be acknowledged by each member that is attached. */
void fake_write(struct fake_cluster *cluster, uint16_t node, uint16_t slot, char key, char value);
/* The same of a write with a name; the effect is a key and its value, as "a1". */
void fake_write_once(struct fake_cluster *cluster, uint16_t node, uint16_t slot, const char *effect,
                     const struct once *once, struct bytes reply);
/* The next operation from one to the other arrives. False: there is none, or it is to wait. */
bool fake_deliver(struct fake_cluster *cluster, uint16_t from, uint16_t to);
void fake_deliver_all(struct fake_cluster *cluster);
/* Steps the primary and delivers, until nothing moves. */
void fake_join(struct fake_cluster *cluster, uint16_t primary, uint16_t slot);
/* The connection is gone, and what has not arrived with it. */
void fake_break_stream(struct fake_cluster *cluster, uint16_t from, uint16_t to);
/* All writes to the slot so far are acknowledged by the members that are attached. */
bool fake_is_acked(struct fake_cluster *cluster, uint16_t primary, uint16_t slot);
void fake_expect_equal(const struct fake_cluster *cluster, uint16_t a, uint16_t b, uint16_t slot);
struct copy_member *fake_member(struct fake_cluster *cluster, uint16_t primary, uint16_t slot,
                                uint16_t peer);
/* Kinds of the operations that went from one to the other, as letters: E effect, B begin, K key, N
 * end, D drop, C confirm, O outcome, P piece, T an effect on one
 * that is sent in pieces, = check. Into out[64]. */
void fake_kinds(const struct fake_cluster *cluster, uint16_t from, uint16_t to, char out[64]);

#endif
