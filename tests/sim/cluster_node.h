/*
 * One simulated node: what a torc-node process is, without threads and sockets. A process is one
 * incarnation of it; a crash takes its memory and leaves its disk.
 */
#ifndef TORC_TESTS_SIM_CLUSTER_NODE_H
#define TORC_TESTS_SIM_CLUSTER_NODE_H

#include "base/buf.h"
#include "node/store/store.h"
#include "replication/copy.h"
#include "replication/stream.h"
#include "replication/takeover.h"
#include "ring/gossip.h"
#include "ring/quorum.h"
#include "tests/sim/cluster.h"

enum sim_state {
    SIM_STOPPED, /* crashed: may be started again, with its disk */
    SIM_RUNNING,
    SIM_PAUSED, /* as after SIGSTOP */
    SIM_GONE,   /* its disk is lost, or it has left for good */
};

/* The stream towards a peer: what copies see as struct replica_stream. */
struct replica_stream {
    struct stream stream;
    uint16_t peer;
    uint64_t incarnation; /* of the peer, by the view that opened it */
    uint64_t generation;
    bool ended;           /* nobody waits for it any more */
    uint64_t progress;    /* acknowledged when that was last looked at */
    uint64_t progress_ms; /* when it last had nothing outstanding, or an acknowledgement came */
    struct replica_stream *next_ended; /* kept until the process ends */
};

enum sender_state { SENDER_IDLE, SENDER_GREETING, SENDER_OPEN };

struct sim_sender {
    struct replica_stream *stream; /* that the connection is for; borrowed */
    enum sender_state state;
    uint64_t connection;
    uint64_t retry_us, opened_us;
};

/* Where the stream of a peer towards us stands. */
struct sim_receiver {
    uint64_t incarnation, generation; /* of the sender, of the stream */
    uint64_t position, skipped;
    uint64_t connection;
    struct buf in;
    bool held; /* an operation waits for a view */
    bool broken;
};

struct sim_asking {    /* takeover requests */
    uint64_t number;   /* of the one under way; 0 = none */
    uint64_t epoch;    /* for which it is */
    uint64_t asked_ms; /* when it was sent */
};

#define REPLY_WAITS_MAX COPY_MEMBERS_MAX

/* A reply that waits: for replicas, or for the lease. */
struct sim_reply {
    struct sim_reply *next;
    struct packet *packet; /* owned */
    uint64_t term;
    size_t wait_count;
    struct {
        struct replica_stream *stream;
        uint64_t position;
    } waits[REPLY_WAITS_MAX];
};

struct sim_disk {
    struct buf view, durable;
    uint64_t incarnation;
};

struct sim_node {
    struct cluster *cluster;
    uint16_t index;
    struct node_id id;
    enum sim_state state;
    uint64_t run; /* grows at every start and stop: events of older ones are stale */

    /* the machine */
    uint64_t clock_offset_ms;
    int64_t clock_drift_ppm;
    uint64_t wall_offset_ms; /* of its wall clock, which jumps */
    struct sim_disk disk;
    unsigned disk_full; /* faults that fill it now */
    unsigned doomed;    /* dies after so many more packets; 0 = does not */
    bool dying;         /* nothing leaves it any more; gone at the end of this event */
    struct packet *backlog, **backlog_tail; /* datagrams that arrived while it was paused */
    size_t backlog_count;

    /* the process */
    uint64_t incarnation;
    uint32_t weight;
    bool leaving;
    struct quorum *quorum;
    struct gossip *gossip;
    struct takeover *takeover;
    struct takeover_rim takeover_rim;
    struct copy_rim rim;
    struct copy copies[SLOT_COUNT];
    struct copy_check checks[SLOT_COUNT];
    struct store *stores[2];
    struct keyspace *keys[SLOT_COUNT], *incoming[SLOT_COUNT];
    const struct view *view; /* retained; installed */
    bool in_view;            /* in this incarnation */
    uint64_t term;
    uint64_t stale_now_ms; /* requests are executed by this clock; 0 = by the true one */
    uint64_t last_generation, last_connection, last_request;
    struct replica_stream *streams[NETWORK_NODES_MAX]; /* NULL = none */
    struct replica_stream *ended;
    struct sim_sender senders[NETWORK_NODES_MAX];
    struct sim_receiver receivers[NETWORK_NODES_MAX];
    struct sim_asking asking[NETWORK_NODES_MAX];
    struct sim_reply *replies, **replies_tail;
    size_t reply_count;
    uint64_t complete_epoch; /* of the view that has been carried out here */
    uint64_t look_ms;        /* when that is looked at again */
    uint64_t ask_view_ms, consider_ms, report_ms, exchange_ms, introduce_ms, expire_ms;
    struct buf writing; /* what is being written; empty = nothing */
    struct buf writing_view;
    bool write_under_way;
    uint64_t serving; /* bit s: slot s is served, leases aside */
};

/* cluster_node.c: life */
struct sim_node *sim_create(struct cluster *cluster);
void sim_destroy(struct sim_node *node);
void sim_write_first(struct sim_node *node, const struct view *view);
void sim_start(struct sim_node *node);
/* The process is gone at once. */
void sim_crash(struct sim_node *node);
void sim_pause(struct sim_node *node);
void sim_resume(struct sim_node *node);
uint64_t sim_now_ms(const struct sim_node *node);
/* The node asks the voters, for so long. */
void sim_wish(struct sim_node *node, const struct quorum_wish *wish, uint64_t limit_ms);
bool sim_has_lease(const struct sim_node *node);
void sim_packet(struct sim_node *node, struct packet *packet); /* owns the packet */
void sim_tick_event(struct sim_node *node, uint64_t run);
void sim_written_event(struct sim_node *node, uint64_t run);
void sim_send(struct sim_node *node, enum channel_kind channel, struct packet head,
              struct bytes data);
struct sim_node *sim_find(struct cluster *cluster, const struct node_id *id);

/* cluster_view.c: views, reports, takeovers */
void sim_install_newer(struct sim_node *node);
void sim_ask_view(struct sim_node *node, uint16_t from);
void sim_consider(struct sim_node *node);
void sim_report(struct sim_node *node);
void sim_takeovers(struct sim_node *node);
void sim_takeover_request(struct sim_node *node, const struct packet *packet);
void sim_takeover_answer(struct sim_node *node, const struct packet *packet);
bool sim_leads_nothing(const struct sim_node *node);

/* cluster_stream.c */
void sim_rim_init(struct sim_node *node);
struct replica_stream *sim_stream_open(struct sim_node *node, uint16_t peer, uint64_t incarnation);
void sim_stream_end(struct sim_node *node, uint16_t peer);
void sim_streams_destroy(struct sim_node *node);
void sim_streams_send(struct sim_node *node);
void sim_stream_broken(struct sim_node *node, uint16_t peer);
void sim_stream_packet(struct sim_node *node, const struct packet *packet);
void sim_receive_held(struct sim_node *node);

/* check_copies.c: the node asks its replicas to compare the next range of each slot. What they find
 * is a failure. */
void check_compare(struct sim_node *node);
void check_compared(struct sim_node *node, uint16_t from, const struct op *op,
                    enum copy_verdict verdict);

/* cluster_data.c */
void sim_rim_init_data(struct copy_rim *rim);
void sim_request(struct sim_node *node, const struct packet *packet);
void sim_replies(struct sim_node *node);
void sim_replies_drop(struct sim_node *node);
void sim_expire(struct sim_node *node);
uint64_t sim_digest(const struct sim_node *node, uint16_t slot);
int64_t sim_value(const struct sim_node *node, unsigned key);

/* What a client asks, and what it is told. */
struct sim_request {
    uint32_t client;
    uint64_t number, attempt;
    uint8_t kind;            /* enum operation_kind */
    unsigned key, key_count; /* 2: the key after it is set as well */
    int64_t argument, expected;
    uint32_t padding;     /* bytes behind the value */
    uint64_t ttl_ms;      /* 0 = none */
    size_t operations[2]; /* in the histories */
};

enum reply_status { REPLY_DONE, REPLY_ELSEWHERE, REPLY_UNCERTAIN };

struct sim_answer {
    uint64_t number, attempt;
    uint8_t status; /* enum reply_status */
    int64_t result;
    uint16_t hint; /* elsewhere: who leads it; NETWORK_NODES_MAX = not known */
};

/* The first that runs; NULL if none does. */
const struct sim_node *sim_any_running(const struct cluster *cluster);

#endif
