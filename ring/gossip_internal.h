/*
 * Inside gossip: the one struct and what its files offer each other. Nothing outside ring/gossip*.c
 * includes this.
 *
 *   gossip.c         life, the public face, receipt of datagrams
 *   gossip_probe.c   probing: ping, ping-request through helpers, relays, timers
 *   gossip_rumour.c  what a rumour changes; suspicion, death, refutation
 *   gossip_send.c    composing datagrams within their size and the byte budget; the two out-queues
 *   gossip_state.c   the full state exchange
 */
#ifndef TORC_RING_GOSSIP_INTERNAL_H
#define TORC_RING_GOSSIP_INTERNAL_H

#include "ring/gossip.h"
#include "ring/gossip_members.h"
#include "ring/gossip_message.h"

#define GOSSIP_HELPERS 3      /* asked to ping a member that did not answer (SWIM's k) */
#define GOSSIP_HEALTH_MAX 8   /* Lifeguard's S */
#define GOSSIP_RELAYS_MAX 64  /* pings in flight on behalf of others */
#define GOSSIP_NUDGE_PROBES 8 /* every so many probes, a dead member is pinged as well */
#define GOSSIP_PUSHES 2       /* datagrams of nothing but rumours in a period, when there are any */
#define GOSSIP_CALLS 4        /* last calls to suspects in a period, however many there are */
#define GOSSIP_FAREWELLS 8    /* members told in person that we leave */
#define GOSSIP_MERGE_TRANSMITS 2 /* sends of what was learned from a full state exchange */
/* Bytes of rumours on messages that are not pings or acks: enough for the buddy's suspicion. */
#define GOSSIP_SIDE_UPDATES_SIZE 160

/* What one node sends in a second, with IPv4 and UDP headers; as much arrives, so that both
 * directions stay under 25 000. Rumours are held back when it is spent; probes never are. */
#define GOSSIP_BUDGET_BYTES_PER_SECOND 9500
#define GOSSIP_BUDGET_BURST 5000
#define GOSSIP_PACKET_OVERHEAD 28
#define GOSSIP_OUTBOX_MAX 256
#define GOSSIP_EVENTS_MAX 16384

struct gossip_probe {
    bool active;   /* sent and not acknowledged */
    bool indirect; /* helpers were asked */
    bool told;     /* the ping carried our own alive update */
    struct node_id target;
    uint32_t sequence;
    uint64_t indirect_ms; /* when to ask helpers */
    unsigned helpers;
    unsigned nacks;
};

/* A ping sent for another member; kept in order of time. */
struct gossip_relay {
    bool settled; /* acknowledged, or its nack was sent */
    bool answered;
    struct node_id target;
    uint32_t sequence;           /* ours */
    uint32_t requester_sequence; /* theirs */
    struct gossip_address requester;
    uint64_t nack_ms;
    uint64_t expire_ms;
};

struct gossip {
    /* Fixed at creation. */
    uint64_t cluster_tag;
    uint32_t period_ms, probe_timeout_ms, dead_forget_ms;

    struct prng prng;
    struct gossip_members members;
    struct gossip_peer *self;
    struct buf scratch; /* datagram being encoded */
    bool leaving;

    /* gossip_probe.c */
    uint32_t sequence;
    unsigned health;
    unsigned probes_to_nudge;
    unsigned calls_left; /* in this period */
    struct gossip_probe probe;
    uint64_t probe_ms; /* end of this period */
    uint64_t push_ms;
    uint64_t sweep_ms;
    struct gossip_relay relays[GOSSIP_RELAYS_MAX]; /* ring */
    size_t relay_head, relay_count;

    /* gossip_rumour.c: about the message being handled */
    bool slandered; /* it spoke ill of us */
    bool refuted;   /* and was not yet denied: we did now */

    /* gossip_send.c */
    int64_t budget_bytes;
    uint64_t budget_ms;
    struct gossip_datagram *outbox; /* ring */
    size_t outbox_head, outbox_count, outbox_capacity;
    struct gossip_event *events; /* ring */
    size_t event_head, event_count, event_capacity;

    struct gossip_counters counters;
};

/* gossip_send.c */
struct gossip_outgoing {
    enum gossip_type type;
    uint8_t flags;
    uint32_t sequence;
    struct node_id subject;
    struct gossip_address to;
    struct gossip_peer *recipient; /* NULL when unknown */
    bool own;                      /* our own update goes along, whatever the budget */
    bool filler;                   /* spare room tells of a member at random */
    size_t updates_size;           /* room for rumours; 0 = what the datagram holds */
};
void gossip_send(struct gossip *gossip, const struct gossip_outgoing *outgoing, uint64_t now_ms);
/* Sends nothing but updates to a member. */
void gossip_send_update(struct gossip *gossip, const struct gossip_address *to,
                        struct gossip_peer *recipient, bool own, uint64_t now_ms);
struct gossip_sender gossip_self_sender(const struct gossip *gossip);
void gossip_emit(struct gossip *gossip, enum gossip_event_kind kind, const struct node_id *id);

/* gossip_rumour.c */
/* `transmits_left`: how often what is new is passed on; 0 = as often as any rumour. */
void gossip_apply(struct gossip *gossip, const struct gossip_update *update,
                  unsigned transmits_left, uint64_t now_ms);
void gossip_accuse(struct gossip *gossip, struct gossip_peer *peer, const struct node_id *accuser,
                   uint64_t now_ms);
/* Declares overdue suspects dead; forgets those long gone. */
void gossip_sweep_members(struct gossip *gossip, uint64_t now_ms);
/* Learns from the head of a message; returns the sender, NULL when it is not a member. */
struct gossip_peer *gossip_heed_sender(struct gossip *gossip, const struct gossip_sender *sender,
                                       uint64_t now_ms);
/* The update that says what the table says of a member; with details if they are known and `full`.
 */
struct gossip_update gossip_update_of(const struct gossip_peer *peer, bool full);

/* gossip_probe.c */
void gossip_probe_init(struct gossip *gossip, uint64_t now_ms);
void gossip_handle_ack(struct gossip *gossip, const struct gossip_message *message,
                       struct gossip_peer *sender, uint64_t now_ms);
void gossip_handle_nack(struct gossip *gossip, const struct gossip_message *message);
void gossip_handle_ping_request(struct gossip *gossip, const struct gossip_address *from,
                                const struct gossip_message *message, uint64_t now_ms);
void gossip_health_change(struct gossip *gossip, int delta);

#endif
