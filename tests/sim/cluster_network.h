/*
 * The network and the clock of a simulated cluster: one queue of events in virtual microseconds,
 * datagrams that may be lost, doubled and reordered, and channels, which keep their order, wait
 * while a link is cut, and lose their tail when they are torn. Every random choice comes from one
 * seed. It knows nothing of what the packets mean.
 */
#ifndef TORC_TESTS_SIM_CLUSTER_NETWORK_H
#define TORC_TESTS_SIM_CLUSTER_NETWORK_H

#include "base/bytes.h"
#include "base/prng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETWORK_NODES_MAX 20 /* processes with an id of their own, ever */

enum channel_kind {
    CHANNEL_CONTROL, /* views, votes, takeovers: connections of the control thread */
    CHANNEL_STREAM,  /* operations, from the primary to a replica */
    CHANNEL_ACKS,    /* the way back of the same connection */
    CHANNEL_KINDS,
};

enum packet_kind {
    PACKET_GOSSIP,
    PACKET_GOSSIP_STATE, /* control; number: 1 = an answer is wanted */
    PACKET_QUORUM,       /* datagram or control */
    PACKET_VIEW_ASK,     /* control */
    PACKET_VIEW,         /* control */
    PACKET_TAKEOVER,     /* control; number: of the request */
    PACKET_ANSWER,       /* control; number: of the request, first: epoch, second: 1 = it is one */
    PACKET_HELLO,        /* stream; number: connection, first: generation, second: incarnation */
    PACKET_DATA,         /* stream; number: connection */
    PACKET_WELCOME,      /* acks; number: connection, first: position, second: skipped */
    PACKET_ACKS,         /* acks; number: connection */
    PACKET_REQUEST,      /* of a client */
    PACKET_REPLY,        /* to a client: `to` is its number */
};

struct packet {
    struct packet *next;
    uint16_t from, to;
    uint8_t kind; /* enum packet_kind */
    uint64_t number, first, second;
    uint64_t ready_us; /* on a channel: not before */
    size_t size;
    char data[];
};

enum event_kind {
    EVENT_PACKET,  /* a datagram arrives */
    EVENT_CHANNEL, /* index: of the channel, whose head may be there */
    EVENT_TICK,    /* index: node, number: its run */
    EVENT_WRITTEN, /* index: node, number: its run */
    EVENT_CLIENT,  /* index: client, number: its request */
    EVENT_FAULT,   /* the next fault is due */
    EVENT_MEND,    /* index: of the fault that ends, number: when */
    EVENT_STRIKE,  /* index: of the node that crashes */
};

struct event {
    uint64_t at_us;
    uint64_t order; /* of creation: breaks ties */
    uint8_t kind;   /* enum event_kind */
    uint32_t index;
    uint64_t number;
    struct packet *packet; /* owned */
};

struct link {     /* one way */
    unsigned cut; /* faults that cut it now */
    uint32_t slow_us;
    double loss; /* of datagrams, beside that of the network */
};

struct channel {
    struct packet *head, **tail;
    size_t count, bytes;
    bool scheduled;
};

struct network {
    struct prng prng;
    uint64_t now_us;
    struct event *queue; /* binary heap */
    size_t queue_count, queue_capacity;
    uint64_t order;
    uint64_t trace_hash;
    uint32_t delay_us_min, delay_us_max;
    double loss, duplicate, reorder;
    struct link links[NETWORK_NODES_MAX][NETWORK_NODES_MAX];
    struct channel channels[CHANNEL_KINDS][NETWORK_NODES_MAX][NETWORK_NODES_MAX];
    uint64_t packets;
    size_t channel_bytes_max, channel_count_max; /* ever, of the fullest */
};

void network_init(struct network *network, uint64_t seed);
void network_deinit(struct network *network);

void network_trace(struct network *network, uint64_t value);
/* Uniform in [low, high]. */
uint64_t network_random(struct network *network, uint64_t low, uint64_t high);
bool network_chance(struct network *network, double probability);

void network_push(struct network *network, struct event event);
/* Takes the next event and moves the clock; false when it is not before `end_us`. */
bool network_next(struct network *network, uint64_t end_us, struct event *out);

/* `head`: everything but the data, which is copied. */
struct packet *network_packet(const struct packet *head, struct bytes data);
/* Owned by the network from here on. */
void network_datagram(struct network *network, struct packet *packet);
void network_send(struct network *network, enum channel_kind kind, struct packet *packet);
/* Client traffic: a plain delay, a small loss, no links. */
void network_client(struct network *network, struct packet *packet);

/* An EVENT_CHANNEL: the packet that has arrived, owned by the caller; or NULL: not yet. `ready`:
 * whether the receiver takes anything now. *torn: the link was cut for too long. */
struct packet *network_arrive(struct network *network, uint32_t index, bool ready, bool *torn);
uint16_t network_channel_to(uint32_t index);
uint16_t network_channel_from(uint32_t index);
enum channel_kind network_channel_kind(uint32_t index);
/* Loses what is under way; what is left of a `share` stays, as a beginning. */
void network_tear(struct network *network, enum channel_kind kind, uint16_t from, uint16_t to,
                  double share);
size_t network_under_way(const struct network *network, enum channel_kind kind, uint16_t from,
                         uint16_t to);

#endif
