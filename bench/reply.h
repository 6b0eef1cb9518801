/*
 * Replies, parsed by hiredis's reader with object functions that allocate nothing: of each reply it
 * tells the kind, the size of a string, and the text of an error. One owner.
 */
#ifndef TORC_BENCH_REPLY_H
#define TORC_BENCH_REPLY_H

#include "base/attributes.h"
#include "base/bytes.h"

#include <hiredis/hiredis.h>
#include <stddef.h>

#define REPLY_ERROR_SIZE_MAX 127 /* of an error's text; the rest is cut off */

enum reply_kind {
    REPLY_VALUE, /* string, integer, status, array: whatever is not one of the others */
    REPLY_NIL,
    REPLY_ERROR,
};

struct reply {
    enum reply_kind kind;
    size_t size;                          /* bytes of a string, else 0 */
    char error[REPLY_ERROR_SIZE_MAX + 1]; /* zero-terminated; "" unless REPLY_ERROR */
};

struct reply_reader {
    redisReader *reader;
    struct reply reply; /* the one being put together */
};

/* 0 or TORC_ENOMEM. `reader` must stay where it is until deinit. */
int reply_reader_init(struct reply_reader *reader) TORC_MUST_USE;
void reply_reader_deinit(struct reply_reader *reader);
/* Forgets everything read so far, for a new connection. 0 or TORC_ENOMEM. */
int reply_reader_reset(struct reply_reader *reader) TORC_MUST_USE;

/* Takes in bytes from the server. 0 or TORC_ENOMEM. */
int reply_reader_feed(struct reply_reader *reader, struct bytes bytes) TORC_MUST_USE;
/* The next whole reply, borrowed until the next call; NULL in *out when more bytes are needed.
 * 0, or TORC_EPROTOCOL when these are no RESP replies: the reader is of no use from there on. */
int reply_reader_next(struct reply_reader *reader, const struct reply **out) TORC_MUST_USE;

#endif
