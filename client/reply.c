#include "client/reply.h"

#include "client/hiredis_has.h"
#include "client/limits.h"
#include "torc/torc.h"

#include <stdlib.h>

void torc_reply_free(redisReply *reply)
{
    if (reply == NULL) {
        return;
    }
    for (size_t i = 0; i < reply->elements; i++) {
        torc_reply_free(reply->element[i]); /* REPLY_DEPTH_MAX deep at most */
    }
    free(reply->element);
    free(reply->str);
    free(reply);
}

static void free_object(void *object)
{
    torc_reply_free(object);
}

/* Puts `reply` where its parent expects it. The parent's `elements` counts those that are there;
 * room for them doubles. Frees `reply` when there is none. */
static redisReply *attach(const redisReadTask *task, redisReply *reply)
{
    if (task->parent == NULL) {
        return reply;
    }
    redisReply *parent = task->parent->obj;
    size_t count = parent->elements;
    if ((count & (count - 1)) == 0) {
        size_t capacity = count == 0 ? 1 : 2 * count;
        redisReply **element = realloc(parent->element, capacity * sizeof(*element));
        if (element == NULL) {
            torc_reply_free(reply);
            return NULL;
        }
        parent->element = element;
    }
    parent->element[count] = reply;
    parent->elements = count + 1;
    return reply;
}

static redisReply *create(int type)
{
    redisReply *reply = calloc(1, sizeof(*reply));
    if (reply != NULL) {
        reply->type = type;
    }
    return reply;
}

static bool copy_text(redisReply *reply, const char *text, size_t size)
{
    reply->str = malloc(size + 1);
    if (reply->str == NULL) {
        return false;
    }
    memcpy(reply->str, text, size);
    reply->str[size] = '\0';
    reply->len = size;
    return true;
}

static void *create_string(const redisReadTask *task, char *text, size_t size)
{
    redisReply *reply = create(task->type);
#if HIREDIS_HAS_RESP3
    if (reply != NULL && task->type == REDIS_REPLY_VERB && size >= 4) {
        memcpy(reply->vtype, text, 3);
        text += 4; /* "txt:" */
        size -= 4;
    }
#endif
    if (reply == NULL || !copy_text(reply, text, size)) {
        torc_reply_free(reply);
        return NULL;
    }
    return attach(task, reply);
}

static void *create_array(const redisReadTask *task, hiredis_count count)
{
    (void)count; /* how many are announced; they are counted as they come */
    unsigned depth = 1;
    for (const redisReadTask *outer = task->parent; outer != NULL; outer = outer->parent) {
        depth++;
    }
    if (depth > REPLY_DEPTH_MAX) {
        return NULL; /* which the reader calls a lack of memory */
    }
    redisReply *reply = create(task->type);
    return reply == NULL ? NULL : attach(task, reply);
}

static void *create_integer(const redisReadTask *task, long long value)
{
    redisReply *reply = create(REDIS_REPLY_INTEGER);
    if (reply == NULL) {
        return NULL;
    }
    reply->integer = value;
    return attach(task, reply);
}

static void *create_nil(const redisReadTask *task)
{
    redisReply *reply = create(REDIS_REPLY_NIL); /* the task still says what it might have been */
    return reply == NULL ? NULL : attach(task, reply);
}

#if HIREDIS_HAS_RESP3
static void *create_double(const redisReadTask *task, double value, char *text, size_t size)
{
    redisReply *reply = create(REDIS_REPLY_DOUBLE);
    if (reply == NULL || !copy_text(reply, text, size)) {
        torc_reply_free(reply);
        return NULL;
    }
    reply->dval = value;
    return attach(task, reply);
}

static void *create_bool(const redisReadTask *task, int value)
{
    redisReply *reply = create(REDIS_REPLY_BOOL);
    if (reply == NULL) {
        return NULL;
    }
    reply->integer = value != 0;
    return attach(task, reply);
}
#endif

redisReader *reply_reader_create(void)
{
    /* The reader only reads it, though its type does not say so. */
    static const redisReplyObjectFunctions functions = {
        .createString = create_string,
        .createArray = create_array,
        .createInteger = create_integer,
        .createNil = create_nil,
        .freeObject = free_object,
#if HIREDIS_HAS_RESP3
        .createDouble = create_double,
        .createBool = create_bool,
#endif
    };
    return redisReaderCreateWithFunctions((redisReplyObjectFunctions *)&functions);
}

redisReply *torc_reply_string(struct torc_bytes value)
{
    redisReply *reply = create(value.data == NULL ? REDIS_REPLY_NIL : REDIS_REPLY_STRING);
    if (reply != NULL && value.data != NULL && !copy_text(reply, value.data, value.size)) {
        torc_reply_free(reply);
        return NULL;
    }
    return reply;
}

struct bytes reply_bytes(const redisReply *reply)
{
    return reply->str == NULL ? (struct bytes){NULL, 0} : (struct bytes){reply->str, reply->len};
}
