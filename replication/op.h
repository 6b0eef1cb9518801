/*
 * One operation of a replication stream, as bytes. The stream towards a replica is a sequence of
 * these, and a position in it is a count of bytes, so a position always lies between two
 * operations.
 *
 *      size u32 | kind u8 | flags u8 | slot u16 | view epoch u64 | epoch u64 | sequence u64 |
 * payload
 *
 * `size` counts what follows it. docs/protocol.md, "Replication stream", is normative.
 */
#ifndef TORC_REPLICATION_OP_H
#define TORC_REPLICATION_OP_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OP_HEADER_SIZE 32

enum op_kind {
    OP_EFFECT = 1,       /* payload: one command, RESP; sequence: the one it brings the slot to */
    OP_REFILL_BEGIN = 2, /* a whole copy follows; what you hold stays until its end */
    OP_REFILL_KEY = 3,   /* payload: key bytes32, expire_at_ms u64, object dump bytes32 */
    OP_REFILL_END = 4,   /* you now hold the slot as of `epoch`, `sequence`, and get every effect */
    OP_REFILL_DROP = 5,  /* payload: a key that does not exist, whatever was said before */
    OP_CONFIRM = 6,      /* from here on nothing is acknowledged without you */
    OP_REFILL_OUTCOME = 7, /* payload: once (24 bytes), reply bytes32: see outcomes.h */
    OP_REFILL_PIECE = 8,   /* payload as of a key, with a piece of its value in place of the dump */
    OP_REFILL_EFFECT = 9,  /* payload: a command on a key whose pieces have come, or are coming */
    OP_CHECK = 10,         /* payload: run and range; what you hold must be that. Changes nothing */
};

enum op_flag {
    OP_FLAG_KEEP = 1,    /* of an end without a begin: what you hold is already equal */
    OP_FLAG_CONFIRM = 2, /* of an end: and it confirms at once */
    OP_FLAG_FIRST = 8,   /* of a piece: whatever came of the key before is void */
    OP_FLAG_ONCE = 4,    /* of an effect: the payload begins with once and reply, as an outcome's */
};

struct op {
    uint8_t kind;
    uint8_t flags;
    uint16_t slot;
    uint64_t view_epoch; /* of the sender's view when it was sent */
    uint64_t epoch;      /* effect: under which it was made; end: of the last effect in the copy */
    uint64_t sequence;
    struct bytes payload; /* borrowed from the input */
    struct bytes more; /* to encode: what follows the payload, so that nobody has to join the two;
                          decoded: empty */
};

/* Encoded. */
size_t op_size(const struct op *op);
/* Appends one operation. */
void op_encode(struct buf *out, const struct op *op);

/* Decodes the first operation of `input`; *consumed is its whole size. 0, TORC_EAGAIN (not all
 * there yet), TORC_ECORRUPT (unknown kind, bad slot, a size over the limit). */
int op_decode(struct bytes input, struct op *out, size_t *consumed) TORC_MUST_USE;

/* The payload of OP_REFILL_KEY, and of OP_REFILL_PIECE; encoded is all but the dump, which must
 * follow. Decode: 0 or TORC_ECORRUPT; results borrow from the payload. */
void op_encode_refill_key(struct buf *out, struct bytes key, uint64_t expire_at_ms,
                          size_t dump_size);
int op_decode_refill_key(struct bytes payload, struct bytes *key, uint64_t *expire_at_ms,
                         struct bytes *dump) TORC_MUST_USE;

/* Where keys of a slot are, by a cursor of a scan, and which part of their values: 0 = all. Both
 * are below 2^48. */
struct op_place {
    uint64_t key;
    uint64_t part;
};

/* What a slot comes to between two places: its keys, or parts of the values of one place. */
struct op_range {
    struct op_place from;
    struct op_place to; /* before it; {0, 0} = the end */
    uint64_t count;
    uint64_t digest;
};
#define OP_PLACE_MAX (((uint64_t)1 << 48) - 1)

/* Of the end of a range, or of where to go on behind it. */
static inline bool op_place_is_end(struct op_place place)
{
    return place.key == 0 && place.part == 0;
}

/* The payload of OP_CHECK: the sender's number of the run, and a range. Decode: 0 or TORC_ECORRUPT.
 */
void op_encode_check(struct buf *out, uint64_t run, const struct op_range *range);
int op_decode_check(struct bytes payload, uint64_t *run, struct op_range *range) TORC_MUST_USE;

#endif
