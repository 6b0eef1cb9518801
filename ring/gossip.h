/*
 * Gossip: who is alive, SWIM (Das, Gupta, Motivala 2002) with Lifeguard (Dadgar, Phillips, Currey
 * 2018). Sans-I/O: datagrams and the time go in, datagrams and events come out; it knows no socket,
 * clock or thread. One owner (the node's control thread, or the simulator).
 *
 * It decides nothing about ownership: what it says of a member is a hint to the agreement, which
 * alone changes the view.
 */
#ifndef TORC_RING_GOSSIP_H
#define TORC_RING_GOSSIP_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "ring/node_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GOSSIP_META_SIZE_MAX                                                                       \
    420 /* what a member says of itself fits a datagram with room to spare */

/* Where datagrams go: IPv6, or IPv4 mapped into it (::ffff:a.b.c.d); host byte order port. */
struct gossip_address {
    uint8_t ip[16];
    uint16_t port;
};

enum gossip_status {
    GOSSIP_ALIVE = 1,
    GOSSIP_SUSPECT = 2,
    GOSSIP_DEAD = 3,
    GOSSIP_LEFT = 4, /* said goodbye */
};

/* Figures a node tells of itself in every message of its own; newest wins. */
struct gossip_load {
    uint64_t key_count;
    uint64_t memory_bytes;
    uint32_t operations_per_second;
};

struct gossip_member {
    struct node_id id;
    uint64_t incarnation; /* of the process: grows at each start */
    uint32_t refutation;  /* grows when the member denies a suspicion; ordered after incarnation */
    struct gossip_address address;
    enum gossip_status status;
    uint64_t epoch;    /* newest view epoch it was heard to know */
    uint64_t heard_ms; /* when a message of its own last arrived here; 0 = never */
    struct gossip_load load;
    struct bytes meta; /* opaque to gossip: what the node says of itself (ports, zone, weight);
                          borrowed until the member changes */
};

struct gossip_options {
    struct node_id self;
    uint64_t incarnation;
    struct gossip_address address; /* as others reach it */
    uint64_t cluster_tag;          /* messages of another tag are refused and counted */
    struct bytes meta;             /* copied */
    uint64_t seed;                 /* of the member's random choices */
    uint32_t period_ms;            /* between probes; 0 = 500 */
    uint32_t probe_timeout_ms;     /* for a direct ack, before asking others; 0 = 200 */
    uint32_t dead_forget_ms;       /* after which a dead or left member is forgotten; 0 = 60 000 */
};

enum gossip_event_kind {
    GOSSIP_EVENT_JOINED, /* first heard of, or back from the dead */
    GOSSIP_EVENT_SUSPECT,
    GOSSIP_EVENT_DEAD,
    GOSSIP_EVENT_LEFT,
    GOSSIP_EVENT_UPDATED, /* meta, address or incarnation changed, or a suspicion was withdrawn */
    GOSSIP_EVENT_EPOCH,   /* it knows a newer epoch than we do: fetch the view from it; once for
                             each member and epoch */
};

struct gossip_event {
    enum gossip_event_kind kind;
    struct node_id id;
};

struct gossip_datagram {
    struct gossip_address to;
    size_t size;
    uint8_t data[1400];
};

struct gossip_counters {
    uint64_t received, sent, bytes_received, bytes_sent;
    uint64_t refused_corrupt, refused_version, refused_cluster;
    uint64_t refused_forgotten; /* from a member that gossip_forget removed */
    uint64_t probes, probes_failed, suspicions, refutations, deaths;
    uint64_t events_dropped, datagrams_dropped, members_refused; /* over a limit or no memory */
};

struct gossip;

/* NULL without memory. `now_ms` is monotonic and starts wherever the caller likes. */
struct gossip *gossip_create(const struct gossip_options *options, uint64_t now_ms);
void gossip_destroy(struct gossip *gossip);

/* Tells of a member learned by other means (a seed, the view): it is probed from now on. Ignored
 * when the member is known at that incarnation or a newer one, was forgotten at it, or is
 * ourselves. JOINED is reported when it is first heard of through gossip, and until then it is not
 * spoken of to others; an incarnation or meta that is not known may be 0 or empty and is learned
 * from the member. Call it again from time to time for every member that ought to be there: one
 * that was dead for dead_forget_ms is known no more. 0, TORC_ENOMEM, TORC_EINVAL (port 0),
 * TORC_ETOOBIG (meta, or NODES_MAX members). */
int gossip_introduce(struct gossip *gossip, const struct node_id *id, uint64_t incarnation,
                     const struct gossip_address *address, struct bytes meta,
                     uint64_t now_ms) TORC_MUST_USE;
/* Forgets a member for good: used when a view removes it. It stays out at the incarnation known
 * here and at older ones, and its messages are refused. No event. Nothing when it is not known. */
void gossip_forget(struct gossip *gossip, const struct node_id *id);

/* A datagram arrived. `from` is where it came from. 0, or why it was refused: TORC_ECORRUPT,
 * TORC_EVERSION, TORC_EINVAL (another cluster), TORC_ESTALE (the sender was forgotten). Refused
 * datagrams change nothing but counters. */
int gossip_receive(struct gossip *gossip, const struct gossip_address *from, struct bytes data,
                   uint64_t now_ms);
/* Does what is due. Call at gossip_next_ms or sooner; a call that is late by more than the probe
 * timeout is taken to mean that this process was stopped, and then nobody is accused for silence.
 */
void gossip_tick(struct gossip *gossip, uint64_t now_ms);
uint64_t gossip_next_ms(const struct gossip *gossip);

/* Takes the next thing to send or to act on; false when there is none. */
bool gossip_take_datagram(struct gossip *gossip, struct gossip_datagram *out);
bool gossip_take_event(struct gossip *gossip, struct gossip_event *out);

/* The full state, for an exchange over a reliable connection: both sides encode, both merge. When
 * joining, with the seed; later now and then with a random member. Appends to `out`; look at its
 * `failed`. Merge: errors as in gossip_receive, and then nothing was merged. */
void gossip_encode_state(struct gossip *gossip, struct buf *out);
int gossip_merge_state(struct gossip *gossip, struct bytes state, uint64_t now_ms) TORC_MUST_USE;

/* What this member tells of itself from now on. set_meta: 0, TORC_ETOOBIG, TORC_ENOMEM. */
int gossip_set_meta(struct gossip *gossip, struct bytes meta) TORC_MUST_USE;
void gossip_set_epoch(struct gossip *gossip, uint64_t epoch);
void gossip_set_load(struct gossip *gossip, const struct gossip_load *load);
/* Queues the farewell to several members; take the datagrams, send them, then destroy. From here on
 * nothing is answered. */
void gossip_leave(struct gossip *gossip, uint64_t now_ms);

/* Members, self included; index 0 .. count-1 in no stable order; borrowed until the next call that
 * is not const. */
size_t gossip_member_count(const struct gossip *gossip);
const struct gossip_member *gossip_member_at(const struct gossip *gossip, size_t index);
const struct gossip_member *gossip_find(const struct gossip *gossip, const struct node_id *id);
const struct gossip_counters *gossip_counters(const struct gossip *gossip);
/* 0 (healthy) .. 8: Lifeguard's local health multiplier. */
unsigned gossip_local_health(const struct gossip *gossip);

#endif
