/*
 * A cache trace in memory: keys in request order, one a line of the file. Loaded once, then shared
 * read-only by all threads.
 */
#ifndef TORC_BENCH_TRACE_H
#define TORC_BENCH_TRACE_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"

#include <stddef.h>

#define TRACE_KEY_SIZE_MAX 1024 /* of one key; a longer line is no key */
#define TRACE_ERROR_SIZE 512

struct trace {
    struct buf text; /* the file as it is */
    size_t *starts;  /* owned; offset of each key in text */
    size_t *sizes;   /* owned; bytes of each key */
    size_t count;    /* requests */
};

/* Reads a file, through `xz -dc` when its name ends in .xz. 0, or TORC_EIO, TORC_ENOMEM,
 * TORC_ETOOBIG (a line), TORC_EINVAL (no key in it), with a sentence in `error`. */
int trace_load(struct trace *trace, const char *path, char error[TRACE_ERROR_SIZE]) TORC_MUST_USE;
/* Finds the keys in text that was put into trace->text. Empty lines and a trailing \r are left out.
 * 0, TORC_ENOMEM, TORC_ETOOBIG, TORC_EINVAL. */
int trace_index(struct trace *trace) TORC_MUST_USE;
void trace_deinit(struct trace *trace);

static inline struct bytes trace_key(const struct trace *trace, size_t index)
{
    return (struct bytes){trace->text.data + trace->starts[index], trace->sizes[index]};
}

#endif
