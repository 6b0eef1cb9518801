#include "base/buf.h"

#include "base/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_CAPACITY_MIN 256

void buf_init(struct buf *buf)
{
    *buf = (struct buf){0};
}

void buf_deinit(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

void buf_reset(struct buf *buf, size_t keep_bytes)
{
    if (buf->capacity > keep_bytes) {
        free(buf->data);
        buf->data = NULL;
        buf->capacity = 0;
    }
    buf->start = 0;
    buf->end = 0;
    buf->failed = false;
}

/* Moves the readable bytes to the front when that alone makes the room, so that a queue which is
 * consumed as fast as it is filled never grows. Only when at least a quarter as many were consumed
 * before them: so a byte that passes through costs at most four moved ones. */
static bool buf_compact(struct buf *buf, size_t size)
{
    size_t readable = buf_size(buf);
    if (buf->start == 0 || buf->start < readable / 4 || buf->capacity - readable < size) {
        return false;
    }
    memmove(buf->data, buf->data + buf->start, readable);
    buf->start = 0;
    buf->end = readable;
    return true;
}

/* Doubling would waste up to half of a large value; past a mebibyte grow by a quarter. */
static size_t grown(size_t capacity)
{
    return capacity + (capacity < (1u << 20) ? capacity : capacity / 4);
}

int buf_reserve(struct buf *buf, size_t size)
{
    if (buf->failed) {
        return TORC_ENOMEM;
    }
    if (buf_room(buf) >= size || buf_compact(buf, size)) {
        return TORC_OK;
    }
    size_t readable = buf_size(buf);
    if (size > SIZE_MAX / 2 - readable) {
        buf->failed = true;
        return TORC_ENOMEM;
    }
    /* At least one step up, also when compaction would have made the room: a buffer that is full
     * and not worth compacting would else be copied for every few bytes. */
    size_t capacity = BUF_CAPACITY_MIN;
    if (buf->data != NULL) {
        capacity = grown(buf->capacity);
    } else if (size > capacity) {
        capacity = size; /* many buffers are written once: no more than that */
    }
    while (capacity - readable < size) {
        capacity = grown(capacity);
    }
    char *data = NULL;
    if (buf->start == 0) {
        data = realloc(buf->data, capacity);
    } else {
        data = malloc(capacity);
        if (data != NULL) {
            assert(buf->data != NULL); /* something was consumed from it */
            memcpy(data, buf->data + buf->start, readable);
            free(buf->data);
        }
    }
    if (data == NULL) {
        buf->failed = true;
        return TORC_ENOMEM;
    }
    buf->data = data;
    buf->start = 0;
    buf->end = readable;
    buf->capacity = capacity;
    return TORC_OK;
}

void buf_append(struct buf *buf, const void *data, size_t size)
{
    if (size == 0) {
        return;
    }
    /* After a failure also what would fit is left out: a message with a hole is worse than none. */
    if ((buf->failed || buf_room(buf) < size) && buf_reserve(buf, size) != TORC_OK) {
        return;
    }
    memcpy(buf_tail(buf), data, size);
    buf->end += size;
}

void buf_append_text(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_append_format(struct buf *buf, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list measured;
    va_copy(measured, arguments);
    int size = vsnprintf(NULL, 0, format, measured);
    va_end(measured);
    assert(size >= 0);
    if (buf_reserve(buf, (size_t)size + 1) == TORC_OK) {
        vsnprintf(buf_tail(buf), (size_t)size + 1, format, arguments);
        buf->end += (size_t)size;
    }
    va_end(arguments);
}

void buf_consume(struct buf *buf, size_t size)
{
    assert(size <= buf_size(buf));
    buf->start += size;
    if (buf->start == buf->end) {
        buf->start = 0;
        buf->end = 0;
    }
}
