/*
 * A whole cluster in one thread and virtual time, everything from one seed: real quorums, gossip,
 * copies, takeovers, streams and keyspaces; simulated network, clocks, disks and clients. Checkers
 * look on. The same seed gives the same run, which the trace hash proves.
 *
 *      cluster_network   events, datagrams, channels       cluster_client    who asks, and what
 *      cluster_node      life, messages, disk              cluster_faults    what goes wrong
 *      cluster_view      views, reports, takeovers         check_*           what must hold
 *      cluster_stream    both ends of the streams          cluster_data      data and replies
 */
#ifndef TORC_TESTS_SIM_CLUSTER_H
#define TORC_TESTS_SIM_CLUSTER_H

#include "base/attributes.h"
#include "base/limits.h"
#include "ring/node_id.h"
#include "ring/view.h"
#include "tests/sim/cluster_network.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLUSTER_CLIENTS_MAX 8
#define CLUSTER_TAGS 14        /* slots that are used, the first ones most */
#define CLUSTER_KEYS_PER_TAG 8 /* the first two of each tag are hot */
#define CLUSTER_KEYS (CLUSTER_TAGS * CLUSTER_KEYS_PER_TAG)
#define CLUSTER_VIEWS_MAX 1024 /* epochs in one run */
#define CLUSTER_FAULTS_MAX 64  /* at one time */

struct sim_node;
struct history;

/* Deliberate mistakes: each must be seen by a checker. */
enum variant {
    VARIANT_NONE,
    VARIANT_LEASE_WAIT,         /* voters accept without waiting for leases */
    VARIANT_PROMISE_NOT_KEPT,   /* voters forget at a restart */
    VARIANT_RENEW_AFTER_ACCEPT, /* voters renew leases under an epoch they have voted to end */
    VARIANT_SERVE_BEFORE_JOINED,
    VARIANT_ATTACH_EARLY,
    VARIANT_WRONG_CURSOR_SIDE,
    VARIANT_MOVE_EARLY,
    VARIANT_OLD_EPOCH,
    VARIANT_ASK_NOBODY,
    VARIANT_GO_ON,
    VARIANT_LEASE_NOT_CHECKED,  /* a reply leaves without a look at the lease */
    VARIANT_REPLY_FIRST,        /* a reply leaves before the replicas have acknowledged */
    VARIANT_INCARNATION_REUSED, /* a restarted process says that it is the one before */
    VARIANT_EMPTY_IS_COMPLETE,  /* a restarted process claims to hold what it held */
    VARIANT_EXPIRY_AT_REPLICA,  /* a replica deletes what has expired by itself */
    VARIANT_MADE_AGAIN,         /* a write that is sent again is made again */
    VARIANT_NAMES_STAY,         /* a refill does not tell what became of writes */
    VARIANT_COUNT,
};
const char *variant_name(enum variant variant);
/* VARIANT_COUNT if there is none of that name. */
enum variant variant_find(const char *name);

/* Drawn from the seed. */
struct cluster_setup {
    unsigned nodes; /* at the beginning */
    unsigned copies;
    unsigned clients;
    uint32_t lease_ms;
    uint64_t replace_after_ms;
    uint64_t fault_gap_ms; /* between faults, on average */
    uint64_t faulty_ms;    /* how long there are faults */
    bool churn;            /* nodes join and leave */
    bool wild;             /* more fails at a time than there are copies */
    double clock_drift;    /* at most, 0.01 = 1 % */
    size_t step_budget;    /* bytes of a refill at a time */
};

enum cluster_client_state { CLIENT_IDLE, CLIENT_WAITING };

struct cluster_client {
    enum cluster_client_state state;
    uint16_t target;
    uint64_t number;  /* of the request under way */
    uint64_t attempt; /* of this number */
    uint64_t begun_us;
    uint64_t give_up_us;  /* when the operation has failed, or is of unknown outcome */
    bool maybe;           /* some attempt may have been executed */
    size_t operations[2]; /* index into the histories of its keys */
    struct bytes request; /* owned */
    uint64_t done, failed, unknown;
};

struct cluster_fault {
    uint8_t kind; /* 0 = free */
    uint16_t a, b;
    uint64_t until_us;
};

struct cluster {
    uint64_t seed;
    enum variant variant;
    bool verbose;
    struct cluster_setup setup;
    struct network network;
    struct sim_node *nodes[NETWORK_NODES_MAX]; /* the index is the peer everywhere */
    size_t node_count;
    struct cluster_client clients[CLUSTER_CLIENTS_MAX];
    struct cluster_fault faults[CLUSTER_FAULTS_MAX];
    struct history *history;
    bool faulty;    /* faults may begin */
    uint8_t strike; /* what befalls the nodes at the next view: see cluster_faults.c; 0 = nothing */
    bool loading;   /* clients ask */
    bool comparing; /* primaries have their copies compared, all the time */
    int64_t last_value;

    /* checkers */
    const struct view *views[CLUSTER_VIEWS_MAX]; /* retained; by epoch */
    uint64_t newest_epoch;
    uint64_t lost_us[SLOT_COUNT]; /* when it last came to that; 0 = never */
    bool lost[SLOT_COUNT];        /* no copy that counts is left: its loss is lawful */
    struct {
        uint64_t moves, crashes, losses, takeovers, installs, unknown, refused, skips;
        uint64_t compared, passed; /* ranges of copies: equal, not to be compared */
        uint64_t backlog_max, replies_max;
    } seen;
    char *failure; /* owned; NULL = all is well */
    char **lines;  /* ring of the last events; owned */
    size_t line_count;
};

struct cluster *cluster_create(uint64_t seed, enum variant variant, bool verbose);
void cluster_destroy(struct cluster *cluster);
/* The whole: faults, healing, checks. True when all is well. */
bool cluster_run(struct cluster *cluster);

/* Notes an event for whoever reads a failure. */
void cluster_note(struct cluster *cluster, const char *format, ...) TORC_PRINTF(2, 3);
/* The first failure stands. */
void cluster_fail(struct cluster *cluster, const char *format, ...) TORC_PRINTF(2, 3);

/* The last events, for whoever reads a failure. */
void cluster_print_lines(const struct cluster *cluster);

/* ---- clients ---- */

void cluster_clients_start(struct cluster *cluster);
void cluster_client_event(struct cluster *cluster, uint32_t client, uint64_t number);
void cluster_client_reply(struct cluster *cluster, const struct packet *packet);
bool cluster_clients_idle(const struct cluster *cluster);
void cluster_clients_destroy(struct cluster *cluster);
/* "k3{t1}": the text of a key, and its slot. */
struct bytes cluster_key(unsigned key, char text[24]);
uint16_t cluster_slot(unsigned key);

/* ---- faults ---- */

void cluster_faults_begin(struct cluster *cluster);
void cluster_fault_event(struct cluster *cluster);
void cluster_mend_event(struct cluster *cluster, uint32_t fault, uint64_t until_us);
/* A node is the first to install a view. */
void cluster_strike(struct cluster *cluster, uint16_t first);
void cluster_strike_event(struct cluster *cluster, uint16_t node, uint64_t left);
/* Ends every fault and starts what was stopped. */
void cluster_heal(struct cluster *cluster);
/* Somebody wishes that a node that will not come back be removed. */
void cluster_forget_gone(struct cluster *cluster);

/* ---- checkers ---- */

/* After every event of a node: nobody else serves what it serves. */
void check_primary(struct cluster *cluster, const struct sim_node *node);
/* A node has installed a view. */
void check_view(struct cluster *cluster, const struct sim_node *node, const struct view *view);
/* A process has ended, or a view was decided: which losses are lawful now? */
void check_losses(struct cluster *cluster);
/* What was acknowledged last, and nobody touched since, is there. */
void check_durable(struct cluster *cluster);
/* Empty when all has healed, else what has not. */
void check_healed(struct cluster *cluster, char *why, size_t why_size);
void check_describe(struct cluster *cluster);
void check_equal(struct cluster *cluster);
void check_bounds(struct cluster *cluster);

#endif
