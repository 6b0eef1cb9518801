/*
 * Writes replies in RESP2 or RESP3 to a buffer: the one place that knows how each kind of reply
 * looks in either. Appends only; looks at nothing else. Source: the RESP specification.
 */
#ifndef TORC_NODE_RESP_REPLY_H
#define TORC_NODE_RESP_REPLY_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reply_writer {
    struct buf *out; /* borrowed */
    int protocol;    /* 2 or 3 */
    uint64_t errors; /* error replies written through this writer */
};

void reply_simple(struct reply_writer *writer, const char *text); /* +text */
void reply_ok(struct reply_writer *writer);
/* "-" + formatted text; CR and LF in it become spaces. The text starts with the code: "ERR ...". */
void reply_error(struct reply_writer *writer, const char *format, ...) TORC_PRINTF(2, 3);
void reply_integer(struct reply_writer *writer, int64_t value);
void reply_bulk(struct reply_writer *writer, struct bytes bytes);
void reply_bulk_text(struct reply_writer *writer, const char *text);
void reply_bulk_integer(struct reply_writer *writer, int64_t value); /* decimal text as a bulk */
void reply_bulk_format(struct reply_writer *writer, const char *format, ...) TORC_PRINTF(2, 3);
void reply_null(struct reply_writer *writer);                /* $-1, or _ */
void reply_null_array(struct reply_writer *writer);          /* *-1, or _ */
void reply_array(struct reply_writer *writer, size_t count); /* count elements follow */
void reply_map(struct reply_writer *writer, size_t pairs);   /* RESP2: an array of 2 x pairs */
void reply_set(struct reply_writer *writer, size_t count);   /* RESP2: an array */
void reply_push(struct reply_writer *writer, size_t count);  /* RESP2: an array */
void reply_boolean(struct reply_writer *writer, bool value); /* RESP2: 1 or 0 */
void reply_double(struct reply_writer *writer,
                  double value); /* RESP2: a bulk; shortest text that reads back */
/* "=..." with a 3-letter format such as "txt"; RESP2: a bulk. */
void reply_verbatim(struct reply_writer *writer, const char *format3, struct bytes text);

#endif
