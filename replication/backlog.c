#include "replication/backlog.h"

#include "base/error.h"

#include <assert.h>
#include <stdlib.h>

/* What a refill has under way while there are clients is less. What is larger has its own. */
#ifndef BACKLOG_BLOCK_BYTES
#define BACKLOG_BLOCK_BYTES (64u * 1024)
#endif

struct backlog_block {
    struct backlog_block *next;
    struct buf bytes; /* its memory is reserved once and for all */
};

static void block_destroy(struct backlog_block *block)
{
    buf_deinit(&block->bytes);
    free(block);
}

void backlog_deinit(struct backlog *backlog)
{
    while (backlog->first != NULL) {
        struct backlog_block *next = backlog->first->next;
        block_destroy(backlog->first);
        backlog->first = next;
    }
    *backlog = (struct backlog){0};
}

struct buf *backlog_reserve(struct backlog *backlog, size_t size)
{
    if (backlog->last != NULL && buf_room(&backlog->last->bytes) >= size) {
        return &backlog->last->bytes;
    }
    struct backlog_block *block = calloc(1, sizeof(*block));
    if (block == NULL) {
        return NULL;
    }
    size_t capacity = size < BACKLOG_BLOCK_BYTES ? BACKLOG_BLOCK_BYTES : size;
    if (buf_reserve(&block->bytes, capacity) != TORC_OK) {
        free(block);
        return NULL;
    }
    if (backlog->last != NULL) {
        backlog->last->next = block;
    } else {
        backlog->first = block;
    }
    backlog->last = block;
    return &block->bytes;
}

void backlog_commit(struct backlog *backlog, size_t size)
{
    backlog->size += size;
}

struct bytes backlog_at(const struct backlog *backlog, size_t offset)
{
    const struct backlog_block *block = backlog->first;
    assert(offset <= backlog->size);
    while (block != NULL && offset >= buf_size(&block->bytes)) {
        offset -= buf_size(&block->bytes);
        block = block->next;
    }
    if (block == NULL) {
        return (struct bytes){NULL, 0};
    }
    struct bytes all = buf_bytes(&block->bytes);
    return (struct bytes){all.data + offset, all.size - offset};
}

void backlog_consume(struct backlog *backlog, size_t size)
{
    assert(size <= backlog->size);
    backlog->size -= size;
    while (size > 0) {
        struct backlog_block *block = backlog->first;
        size_t taken = size < buf_size(&block->bytes) ? size : buf_size(&block->bytes);
        buf_consume(&block->bytes, taken);
        size -= taken;
        if (buf_size(&block->bytes) > 0) {
            return;
        }
        if (block != backlog->last) {
            backlog->first = block->next;
            block_destroy(block);
        }
    }
}
