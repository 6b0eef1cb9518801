/*
 * Frames on the bus, the TCP connections between nodes. Every connection opens with a hello and is
 * answered by a welcome or a refusal; a request connection then carries requests one way and
 * responses the other, matched by id and in any order; a stream connection carries replication
 * operations one way and acknowledgements the other. docs/protocol.md, "Bus", is normative.
 *
 *      size u32 | kind u8 | flags u8 | slot u16 | id u64 | payload of `size` bytes
 */
#ifndef TORC_NODE_BUS_FRAME_H
#define TORC_NODE_BUS_FRAME_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "ring/node_id.h"

#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER_SIZE 16
#define FRAME_NO_SLOT UINT16_MAX

enum frame_kind {
    FRAME_HELLO = 1,
    FRAME_WELCOME = 2,
    FRAME_REFUSED = 3,  /* payload: why, text */
    FRAME_REQUEST = 4,  /* payload: one command, RESP */
    FRAME_RESPONSE = 5, /* payload: its reply, RESP, when the status is done */
    FRAME_CANCEL = 6,   /* of a request that waits: answer it, with nothing if nothing has come */
    FRAME_TOLD = 7,     /* a key that was noted has changed; without a slot: any may have */
};

enum frame_flag {
    FRAME_FLAG_RESP3 = 1,    /* of a request: reply in RESP3 */
    FRAME_FLAG_ONCE = 2,     /* of a request: the payload begins with its name, see outcomes.h */
    FRAME_FLAG_WAIT = 4,     /* of a blocking command: then with its terms */
    FRAME_FLAG_TRACKED = 16, /* of a read: to be noted, see far.h */
    FRAME_FLAG_FIRST = 8,    /* of a request: the sender has no other under way for the slot */
};

/* Status of a response, in its flags. */
enum response_status {
    RESPONSE_DONE = 0,
    RESPONSE_NOT_OWNER = 1, /* not executed: the slot is another node's; look at the view again */
    RESPONSE_UNCERTAIN = 2, /* perhaps executed: one with a name may be asked for again */
    RESPONSE_NOTED = 4,     /* done, and what was read is noted: its next change will be told */
    RESPONSE_NOTHING = 3,   /* of a blocking command: nothing came in its time; not executed */
};

enum bus_purpose { BUS_REQUESTS = 1, BUS_STREAM = 2 };

struct frame {
    uint8_t kind;
    uint8_t flags;
    uint16_t slot;
    uint64_t id;
    struct bytes payload; /* borrowed from the input */
};

void frame_header_encode(struct buf *out, const struct frame *frame, size_t payload_size);
void frame_encode(struct buf *out, const struct frame *frame);
/* 0, TORC_EAGAIN (incomplete), TORC_ECORRUPT. */
int frame_decode(struct bytes input, struct frame *out, size_t *consumed) TORC_MUST_USE;

/* What a response's payload holds when it is one bulk reply, borrowed; data NULL when it is not. */
struct bytes frame_bulk(const struct frame *frame);

/* How a blocking command is to wait. */
#define WAIT_TERMS_SIZE 12
struct wait_terms {
    uint32_t limit_ms;  /* for so long, at least 1 */
    uint64_t waited_ms; /* it has waited elsewhere: its place in the queues; 0 = it comes anew */
};
void wait_terms_encode(struct buf *out, const struct wait_terms *terms);
/* Takes them from the front of a payload. 0, or TORC_ECORRUPT. */
int wait_terms_decode(struct bytes *payload, struct wait_terms *out) TORC_MUST_USE;

struct hello {
    uint16_t version;
    uint8_t purpose;     /* enum bus_purpose */
    uint16_t shard;      /* BUS_STREAM: which of the sender's streams */
    uint64_t generation; /* BUS_STREAM */
    struct node_id cluster_id;
    struct node_id node_id;
    uint64_t incarnation;
};
void hello_encode(struct buf *out, const struct hello *hello); /* the whole frame */
/* Of a FRAME_HELLO's payload. 0, TORC_EPROTOCOL (no Torc hello), TORC_EVERSION, TORC_ECORRUPT. */
int hello_decode(struct bytes payload, struct hello *out) TORC_MUST_USE;

struct welcome {
    uint16_t version;
    struct node_id node_id;
    uint64_t incarnation;
    uint64_t position; /* BUS_STREAM: send from here */
    uint64_t skipped;  /* BUS_STREAM: end of the last operation it did not take; 0 = none */
};
void welcome_encode(struct buf *out, const struct welcome *welcome);
/* Of a FRAME_WELCOME's payload. 0, TORC_EVERSION, TORC_ECORRUPT. */
int welcome_decode(struct bytes payload, struct welcome *out) TORC_MUST_USE;

/* Acknowledgements, on a stream connection from the replica to the primary. */
#define ACK_SIZE 9
enum ack_kind { ACK_UP_TO = 1, ACK_SKIPPED = 2 };
void ack_encode(struct buf *out, enum ack_kind kind, uint64_t position);
/* 0, TORC_EAGAIN, TORC_ECORRUPT; takes ACK_SIZE bytes. */
int ack_decode(struct bytes input, enum ack_kind *kind, uint64_t *position) TORC_MUST_USE;

#endif
