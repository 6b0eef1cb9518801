#include "client/helper.h"

#include "base/error.h"
#include "client/last_error.h"
#include "client/submit.h"

#include <string.h>

int helper_begin(struct torc *handle, bool valid)
{
    if (handle == NULL) {
        return TORC_EINVAL;
    }
    last_error_begin(handle);
    if (!valid) {
        return last_error_set(handle, TORC_EINVAL, "an argument is NULL");
    }
    return TORC_OK;
}

int helper_refuse(struct torc *handle, const char *name, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ERROR) {
        return last_error_set(handle, TORC_EPROTOCOL, "%s: a reply of unexpected type %d", name,
                              reply->type);
    }
    const bool wrong_type = strncmp(reply->str, "WRONGTYPE", 9) == 0;
    return last_error_set(handle, wrong_type ? TORC_ETYPE : TORC_EREPLY, "%s: %.300s", name,
                          reply->str);
}

int helper_error(struct torc *handle, int error, const char *name)
{
    return last_error_set(handle, error, "%s: %s", name, torc_strerror(error));
}

void helper_take(struct torc_value *value, redisReply *reply)
{
    value->data = reply->str;
    value->size = reply->len;
    reply->str = NULL;
}

int helper_integer(struct torc *handle, const struct bytes *argv, size_t argc, int64_t *out)
{
    redisReply *reply = NULL;
    int result = submit_bytes(handle, argv, argc, &reply);
    if (result != TORC_OK) {
        return result;
    }
    if (reply->type == REDIS_REPLY_NIL) {
        result = helper_error(handle, TORC_ENOTFOUND, argv[0].data);
    } else if (reply->type != REDIS_REPLY_INTEGER) {
        result = helper_refuse(handle, argv[0].data, reply);
    } else if (out != NULL) {
        *out = reply->integer;
    }
    torc_reply_free(reply);
    return result;
}
