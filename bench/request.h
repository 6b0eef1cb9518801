/*
 * Requests as bytes. Keys of the key space are all of one length (prefix and zero-padded decimal
 * index), so GET and SET are copies of a prepared request with the digits patched in. Trace keys
 * have any length and are put together piece by piece. Filled once, then shared read-only by all
 * threads.
 */
#ifndef TORC_BENCH_REQUEST_H
#define TORC_BENCH_REQUEST_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>

#define REQUEST_PREFIX_SIZE_MAX 200 /* of a key; longer ones measure the network */
#define REQUEST_KEY_SIZE_MAX (REQUEST_PREFIX_SIZE_MAX + 20)

struct request_template {
    struct buf bytes; /* the whole request, digits of key 0 */
    size_t digits_at; /* where the digits start */
};

struct request_format {
    char prefix[REQUEST_PREFIX_SIZE_MAX + 1];
    size_t prefix_size;
    unsigned digits;       /* of every index of the key space */
    struct buf value_tail; /* "$64\r\n<value>\r\n": what follows the key in a SET */
    struct request_template get;
    struct request_template set;
};

struct request_options {
    const char *prefix;  /* at most REQUEST_PREFIX_SIZE_MAX bytes */
    uint64_t key_count;  /* the largest index is one less */
    size_t value_size;   /* bytes of every value */
    uint64_t value_seed; /* the value is random letters and digits */
};

/* 0, TORC_ENOMEM, or TORC_ETOOBIG (prefix). */
int request_format_init(struct request_format *format,
                        const struct request_options *options) TORC_MUST_USE;
void request_format_deinit(struct request_format *format);

/* Key text of an index; returns its size. Not zero-terminated. */
size_t request_key(const struct request_format *format, uint64_t index,
                   char out[REQUEST_KEY_SIZE_MAX]);

/* Append one request; memory trouble shows in buf->failed. */
void request_append_get(const struct request_format *format, struct buf *buf, uint64_t index);
void request_append_set(const struct request_format *format, struct buf *buf, uint64_t index);
/* The same for any key; the prefix goes before it. */
void request_append_get_key(const struct request_format *format, struct buf *buf, struct bytes key);
void request_append_set_key(const struct request_format *format, struct buf *buf, struct bytes key);

#endif
