/*
 * A network of gossip instances in one thread and virtual time, every random choice from one seed:
 * delay, loss, duplication, reordering, one-way and two-way cuts, stopped and crashed processes.
 * The same seed and the same calls give the same run, which trace_hash proves. Each node's clock
 * starts somewhere else, so that no instant of one node means anything to another.
 */
#ifndef TORC_TESTS_SIM_GOSSIP_NETWORK_H
#define TORC_TESTS_SIM_GOSSIP_NETWORK_H

#include "base/prng.h"
#include "ring/gossip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETWORK_NOBODY SIZE_MAX
#define NETWORK_NEVER UINT64_MAX
#define NETWORK_PACKET_OVERHEAD 28 /* IPv4 and UDP headers, counted on every datagram */

struct network_options {
    uint64_t seed;
    size_t node_count;
    uint32_t delay_ms_min, delay_ms_max; /* uniform; 0 and 0 = 1..10 */
    double loss;                         /* probabilities, for each datagram */
    double duplicate;
    double reorder;                /* kept back for ten times the usual delay */
    size_t meta_size;              /* of each node */
    uint32_t dead_forget_ms;       /* 0 = the default of gossip */
    bool datagrams_only;           /* no state exchange when a node joins */
    uint32_t exchange_interval_ms; /* state exchange of each node with a random one; 0 = none */
};

enum network_node_state {
    NETWORK_STOPPED, /* never started, crashed, or left */
    NETWORK_RUNNING,
    NETWORK_PAUSED, /* as after SIGSTOP: what arrives waits in the socket buffer */
};

struct network_packet {
    struct network_packet *next;
    size_t from, to;
    size_t size;
    uint8_t data[];
};

struct network_node {
    struct gossip *gossip; /* NULL while stopped */
    struct node_id id;
    struct gossip_address address;
    uint64_t incarnation;
    uint64_t cluster_tag;
    uint64_t clock_offset_ms;
    enum network_node_state state;
    uint64_t wake_ms; /* of the wake-up that counts; others in the queue are stale */
    struct network_packet *backlog, **backlog_tail; /* arrived while paused */
    size_t backlog_count;
    uint64_t bytes_sent, bytes_received;     /* since network_reset_bytes, with overhead */
    uint64_t events[GOSSIP_EVENT_EPOCH + 1]; /* by kind, since the node was started */
};

struct network_event {
    uint64_t at_ms;
    uint64_t order; /* of creation: breaks ties */
    size_t node;    /* to wake, when there is no packet */
    struct network_packet *packet;
};

struct network {
    struct network_options options;
    struct prng prng;
    uint64_t now_ms;
    struct network_node *nodes;
    bool *cut;                   /* [from * node_count + to] */
    struct network_event *queue; /* binary heap */
    size_t queue_count, queue_capacity;
    uint64_t order;
    uint64_t next_exchange_ms;
    uint64_t trace_hash;
    uint64_t false_deaths; /* DEAD reported of a node that was running or paused at the time */
    uint64_t datagrams;    /* handed to the network */
    size_t datagram_size_max;
};

/* The seed for a test: TORC_SIM_SEED from the environment, else `fallback`. */
uint64_t network_seed(uint64_t fallback);

/* Fails a Check test with the seed that repeats it. */
#define network_check(network, condition)                                                          \
    ck_assert_msg((condition), "TORC_SIM_SEED=%llu: %s",                                           \
                  (unsigned long long)(network)->options.seed, #condition)

/* All nodes stopped. Aborts without memory, as everything here. */
struct network *network_create(const struct network_options *options);
void network_destroy(struct network *network);

/* Starts a node, or starts it again with a higher incarnation; it knows only `seed_node` (which may
 * be NETWORK_NOBODY). */
void network_start(struct network *network, size_t node, size_t seed_node);
/* Node 0, then all others through it, `gap_ms` apart. */
void network_start_all(struct network *network, uint64_t gap_ms);
void network_crash(struct network *network, size_t node);
void network_pause(struct network *network, size_t node);
void network_resume(struct network *network, size_t node);
void network_leave(struct network *network, size_t node);
/* Every other running node forgets it. */
void network_forget(struct network *network, size_t node);
/* Full state both ways over a reliable connection; false when cut or stopped. */
bool network_exchange(struct network *network, size_t a, size_t b);

void network_cut(struct network *network, size_t from, size_t to, bool cut);
/* Nodes below `split` and the others no longer reach each other. */
void network_partition(struct network *network, size_t split);
void network_heal(struct network *network);

void network_run(struct network *network, uint64_t duration_ms);
/* Runs until the condition holds, looking every 50 ms; how long it took, or NETWORK_NEVER. */
uint64_t network_run_until(struct network *network, bool (*condition)(const struct network *),
                           uint64_t limit_ms);

/* Every running node holds every running node alive, and nobody else alive or suspect. */
bool network_is_converged(const struct network *network);
/* What `observer` says of `node`; 0 when it does not know it. */
enum gossip_status network_status(const struct network *network, size_t observer, size_t node);
/* All other running nodes say so of it (0: none of them knows it). */
bool network_all_say(const struct network *network, size_t node, enum gossip_status status);

void network_reset_bytes(struct network *network);
/* Bytes a second, in plus out, since the reset `duration_ms` ago: average and worst running node.
 */
void network_byte_rates(const struct network *network, uint64_t duration_ms, double *mean,
                        double *worst);

#endif
