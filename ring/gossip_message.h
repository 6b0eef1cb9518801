/*
 * Bytes of gossip: datagrams and the records of the full state exchange. The layout is
 * docs/protocol.md. Decoding refuses whatever it does not know to the last byte; nothing
 * that was decoded is trusted beyond its shape.
 */
#ifndef TORC_RING_GOSSIP_MESSAGE_H
#define TORC_RING_GOSSIP_MESSAGE_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/codec.h"
#include "base/limits.h"
#include "ring/gossip.h"

#include <assert.h>
#include <stdint.h>

#define GOSSIP_VERSION 1
/* A datagram before it is sealed: room is left for a nonce, a tag and a key number. */
#define GOSSIP_PLAIN_SIZE_MAX (GOSSIP_DATAGRAM_SIZE_MAX - 48)
#define GOSSIP_ADDRESS_SIZE 18
#define GOSSIP_SENDER_SIZE (NODE_ID_SIZE + 8 + 4 + 8 + 8 + 8 + 4)
/* magic, version, type, flags, cluster tag, sequence, sender, subject, update count */
#define GOSSIP_HEADER_SIZE (4 + 1 + 1 + 1 + 8 + 4 + GOSSIP_SENDER_SIZE + NODE_ID_SIZE + 1)
#define GOSSIP_UPDATE_SIZE_MIN (1 + NODE_ID_SIZE + 8 + 4)
#define GOSSIP_UPDATE_SIZE_MAX                                                                     \
    (GOSSIP_UPDATE_SIZE_MIN + 4 + GOSSIP_ADDRESS_SIZE + 2 + GOSSIP_META_SIZE_MAX)
#define GOSSIP_UPDATES_MAX ((GOSSIP_PLAIN_SIZE_MAX - GOSSIP_HEADER_SIZE) / GOSSIP_UPDATE_SIZE_MIN)

static_assert(GOSSIP_PLAIN_SIZE_MAX == 1352, "the figure in docs/protocol.md");
static_assert(GOSSIP_HEADER_SIZE + 2 * GOSSIP_UPDATE_SIZE_MAX <= GOSSIP_PLAIN_SIZE_MAX,
              "our own update and one of another member fit one datagram");
static_assert(GOSSIP_UPDATES_MAX <= UINT8_MAX, "the count of updates is one byte");
static_assert(sizeof(((struct gossip_datagram *)0)->data) == GOSSIP_DATAGRAM_SIZE_MAX,
              "gossip.h and limits.h agree");

enum gossip_type {
    GOSSIP_PING = 1,         /* subject: who is meant; anyone else keeps silent */
    GOSSIP_ACK = 2,          /* subject: who is alive; not the sender when a helper relays it */
    GOSSIP_PING_REQUEST = 3, /* subject: whom to ping on the sender's behalf */
    GOSSIP_NACK = 4,         /* subject: who has not answered the helper, which itself is well */
    GOSSIP_UPDATE = 5,       /* carries updates only; subject: zero */
};

/* "I lack your alive update." Acted upon in a ping and in an ack. */
#define GOSSIP_FLAG_WANT_ALIVE 1u

/* What a node says of itself at the head of everything it sends. */
struct gossip_sender {
    struct node_id id;
    uint64_t incarnation;
    uint32_t refutation;
    uint64_t epoch;
    struct gossip_load load;
};

/*
 * A rumour of one member. Its details are its address and meta; `details` is the refutation at
 * which they last changed, so that a brief alive update, which leaves them out, still tells a
 * receiver whether it has the latest.
 */
struct gossip_update {
    enum gossip_status status;
    bool brief; /* alive without the details */
    struct node_id id;
    uint64_t incarnation;
    uint32_t refutation;
    struct node_id accuser;        /* suspect only */
    uint32_t details;              /* alive only; at most `refutation` */
    struct gossip_address address; /* alive and not brief */
    struct bytes meta;             /* alive and not brief; borrowed */
};

struct gossip_message {
    enum gossip_type type;
    uint8_t flags;
    uint32_t sequence; /* of the probe; 0 in updates */
    struct gossip_sender sender;
    struct node_id subject;
    size_t update_count;
    struct gossip_update updates[GOSSIP_UPDATES_MAX];
};

/* Encoded size of an update. */
size_t gossip_update_size(const struct gossip_update *update);

/* Appends the encoding; the caller has kept it within GOSSIP_PLAIN_SIZE_MAX. */
void gossip_message_encode(const struct gossip_message *message, uint64_t cluster_tag,
                           struct buf *out);
/* Metas are borrowed from `data`. TORC_ECORRUPT, TORC_EVERSION, TORC_EINVAL (another cluster). */
int gossip_message_decode(struct gossip_message *out, struct bytes data,
                          uint64_t cluster_tag) TORC_MUST_USE;

/* Head of the full state; `count` records follow. */
void gossip_state_head_encode(const struct gossip_sender *sender, uint64_t cluster_tag,
                              uint32_t count, struct buf *out);
/* The reader is left at the first record. Errors as above; count is at most NODES_MAX. */
int gossip_state_head_decode(struct reader *reader, uint64_t cluster_tag,
                             struct gossip_sender *sender, uint32_t *count) TORC_MUST_USE;
/* A record is a member with its address and meta, whatever its status. No accuser. */
void gossip_state_record_encode(const struct gossip_update *update, struct buf *out);
/* TORC_ECORRUPT when it is not one. */
int gossip_state_record_decode(struct reader *reader, struct gossip_update *out) TORC_MUST_USE;

#endif
