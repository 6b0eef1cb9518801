/*
 * A growable byte queue: appended at the end, consumed at the front.
 *
 *      data        start            end       capacity
 *        | consumed  |  readable     |  free     |
 *
 * An append that finds no memory sets `failed` and does nothing, and so does every append after it:
 * write a whole message, then look at `failed` once. One owner, no locking.
 */
#ifndef TORC_BASE_BUF_H
#define TORC_BASE_BUF_H

#include "base/attributes.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data;
    size_t start;    /* first readable byte */
    size_t end;      /* one past the last readable byte */
    size_t capacity; /* bytes allocated */
    bool failed;     /* an append found no memory */
};

/* A zeroed struct buf is a valid, empty buffer that has allocated nothing. */
void buf_init(struct buf *buf);
void buf_deinit(struct buf *buf);

/* Empties it; keeps at most `keep_bytes` of capacity allocated. Clears `failed`. */
void buf_reset(struct buf *buf, size_t keep_bytes);

/* Makes room for `size` more bytes at buf_tail(). 0 or TORC_ENOMEM (also sets failed). */
int buf_reserve(struct buf *buf, size_t size);

void buf_append(struct buf *buf, const void *data, size_t size);
void buf_append_text(struct buf *buf, const char *text);
void buf_append_format(struct buf *buf, const char *format, ...) TORC_PRINTF(2, 3);

/* Drops `size` readable bytes from the front; size <= buf_size(). */
void buf_consume(struct buf *buf, size_t size);

static inline size_t buf_size(const struct buf *buf)
{
    return buf->end - buf->start;
}
/* Before anything is allocated both are NULL. To that not even zero may be added, hence the choice,
 * of which the compiler makes a plain addition. */
static inline char *buf_head(const struct buf *buf)
{
    return buf->start == 0 ? buf->data : buf->data + buf->start;
}
static inline char *buf_tail(const struct buf *buf)
{
    return buf->end == 0 ? buf->data : buf->data + buf->end;
}
static inline size_t buf_room(const struct buf *buf)
{
    return buf->capacity - buf->end;
}
/* Borrowed until the next change of the buffer. */
static inline struct bytes buf_bytes(const struct buf *buf)
{
    return (struct bytes){buf_head(buf), buf_size(buf)};
}
/* Declares `size` bytes at buf_tail(), reserved before, as written. */
static inline void buf_commit(struct buf *buf, size_t size)
{
    buf->end += size;
}

#endif
