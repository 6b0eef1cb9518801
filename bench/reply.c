#include "bench/reply.h"

#include "base/error.h"

#include <string.h>

/* Each returns a pointer that is not NULL, which is all that the reader asks of an object. Only the
 * outermost item, the one without a parent, says something about the reply. */

static void *on_string(const redisReadTask *task, char *text, size_t size)
{
    struct reply *reply = task->privdata;
    if (task->parent != NULL) {
        return reply;
    }
    if (task->type == REDIS_REPLY_ERROR) {
        size_t kept = size < REPLY_ERROR_SIZE_MAX ? size : REPLY_ERROR_SIZE_MAX;
        reply->kind = REPLY_ERROR;
        memcpy(reply->error, text, kept);
        reply->error[kept] = '\0';
        return reply;
    }
    reply->kind = REPLY_VALUE;
    reply->size = size;
    return reply;
}

/* hiredis 1.0 changed the count from int to size_t. */
#if HIREDIS_MAJOR >= 1
static void *on_array(const redisReadTask *task, size_t count)
#else
static void *on_array(const redisReadTask *task, int count)
#endif
{
    (void)count;
    return task->privdata;
}

static void *on_integer(const redisReadTask *task, long long value)
{
    (void)value;
    return task->privdata;
}

static void *on_nil(const redisReadTask *task)
{
    struct reply *reply = task->privdata;
    if (task->parent == NULL) {
        reply->kind = REPLY_NIL;
    }
    return reply;
}

static void on_free(void *object)
{
    (void)object;
}

static redisReader *create_reader(struct reply *reply)
{
    static const redisReplyObjectFunctions functions = {
        .createString = on_string,
        .createArray = on_array,
        .createInteger = on_integer,
        .createNil = on_nil,
        .freeObject = on_free,
    };
    /* hiredis takes the table as not const but only reads it. */
    redisReader *reader = redisReaderCreateWithFunctions((redisReplyObjectFunctions *)&functions);
    if (reader != NULL) {
        reader->privdata = reply;
        reader->maxbuf = 0; /* keep the buffer: large values would have it freed at every read */
    }
    return reader;
}

int reply_reader_init(struct reply_reader *reader)
{
    memset(reader, 0, sizeof(*reader));
    reader->reader = create_reader(&reader->reply);
    return reader->reader != NULL ? TORC_OK : TORC_ENOMEM;
}

void reply_reader_deinit(struct reply_reader *reader)
{
    if (reader->reader != NULL) {
        redisReaderFree(reader->reader);
        reader->reader = NULL;
    }
}

int reply_reader_reset(struct reply_reader *reader)
{
    reply_reader_deinit(reader);
    return reply_reader_init(reader);
}

int reply_reader_feed(struct reply_reader *reader, struct bytes bytes)
{
    return redisReaderFeed(reader->reader, bytes.data, bytes.size) == REDIS_OK ? TORC_OK
                                                                               : TORC_ENOMEM;
}

int reply_reader_next(struct reply_reader *reader, const struct reply **out)
{
    void *object = NULL;
    /* A reply may be begun in one call and ended in another; the fields are set only when the
     * outermost item is complete, or, for arrays, integers and the like, never. */
    reader->reply.kind = REPLY_VALUE;
    reader->reply.size = 0;
    *out = NULL;
    if (redisReaderGetReply(reader->reader, &object) != REDIS_OK) {
        return TORC_EPROTOCOL;
    }
    if (object != NULL) {
        *out = &reader->reply;
    }
    return TORC_OK;
}
