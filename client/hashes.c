/* The helpers of torc.h for hashes, written in terms of commands. */
#include "torc/torc.h"

#include "base/error.h"
#include "client/command_line.h"
#include "client/helper.h"
#include "client/last_error.h"
#include "client/submit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* "<name> key" and room for `more` arguments behind it; the array is the caller's to deinit. */
static int open_command(struct torc *handle, struct arguments *out, const char *name,
                        struct torc_bytes key, size_t more)
{
    if (more > REQUEST_ARGUMENTS_MAX - 2) {
        return last_error_set(handle, TORC_ETOOBIG, "%s: more than %u arguments", name,
                              (unsigned)REQUEST_ARGUMENTS_MAX);
    }
    if (arguments_resize(out, 2 + more) != TORC_OK) {
        return last_error_plain(handle, TORC_ENOMEM);
    }
    out->items[0] = bytes_of(name);
    out->items[1] = helper_bytes(key);
    return TORC_OK;
}

static bool are_valid(const struct torc_bytes *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!helper_is_valid(items[i])) {
            return false;
        }
    }
    return true;
}

/* A command on a key and any number of fields that answers with an array, or with an integer. */
static int ask_about_fields(struct torc *handle, const char *name, struct torc_bytes key,
                            const struct torc_bytes *fields, size_t count, redisReply **reply)
{
    struct arguments argv = {0};
    int result = open_command(handle, &argv, name, key, count);
    for (size_t i = 0; i < count && result == TORC_OK; i++) {
        argv.items[2 + i] = helper_bytes(fields[i]);
    }
    if (result == TORC_OK) {
        result = submit_bytes(handle, argv.items, argv.count, reply);
    }
    arguments_deinit(&argv);
    return result;
}

int torc_hget(struct torc *handle, struct torc_bytes key, struct torc_bytes field,
              struct torc_value *value)
{
    redisReply *reply = NULL;
    if (value != NULL) {
        *value = (struct torc_value){NULL, 0};
    }
    int result =
        helper_begin(handle, value != NULL && helper_is_valid(key) && helper_is_valid(field));
    if (result != TORC_OK) {
        return result;
    }
    const struct bytes argv[] = {BYTES_LITERAL("HGET"), helper_bytes(key), helper_bytes(field)};
    result = submit_bytes(handle, argv, 3, &reply);
    if (result != TORC_OK) {
        return result;
    }
    if (reply->type == REDIS_REPLY_STRING) {
        helper_take(value, reply);
    } else if (reply->type == REDIS_REPLY_NIL) {
        result = helper_error(handle, TORC_ENOTFOUND, "HGET");
    } else {
        result = helper_refuse(handle, "HGET", reply);
    }
    torc_reply_free(reply);
    return result;
}

int torc_hset(struct torc *handle, struct torc_bytes key, struct torc_bytes field,
              struct torc_bytes value)
{
    const struct torc_pair pair = {field, value};
    return torc_hmset(handle, key, &pair, 1, NULL);
}

int torc_hmset(struct torc *handle, struct torc_bytes key, const struct torc_pair *pairs,
               size_t count, size_t *added)
{
    struct arguments argv = {0};
    int64_t number = 0;
    if (added != NULL) {
        *added = 0;
    }
    bool valid = helper_is_valid(key) && pairs != NULL;
    for (size_t i = 0; i < count && valid; i++) {
        valid = helper_is_valid(pairs[i].key) && helper_is_valid(pairs[i].value);
    }
    int result = helper_begin(handle, valid);
    if (result == TORC_OK && count == 0) {
        result = last_error_set(handle, TORC_EINVAL, "HSET: there are no fields");
    }
    if (result == TORC_OK) {
        result =
            open_command(handle, &argv, "HSET", key, count > SIZE_MAX / 2 ? SIZE_MAX : 2 * count);
    }
    for (size_t i = 0; i < count && result == TORC_OK; i++) {
        argv.items[2 + 2 * i] = helper_bytes(pairs[i].key);
        argv.items[3 + 2 * i] = helper_bytes(pairs[i].value);
    }
    if (result == TORC_OK) {
        result = helper_integer(handle, argv.items, argv.count, &number);
    }
    arguments_deinit(&argv);
    if (result == TORC_OK && added != NULL) {
        *added = (size_t)number;
    }
    return result;
}

int torc_hmget(struct torc *handle, struct torc_bytes key, const struct torc_bytes *fields,
               size_t count, struct torc_value *values)
{
    redisReply *reply = NULL;
    for (size_t i = 0; values != NULL && i < count; i++) {
        values[i] = (struct torc_value){NULL, 0};
    }
    const bool given = count == 0 || (fields != NULL && values != NULL);
    int result = helper_begin(handle, helper_is_valid(key) && given && are_valid(fields, count));
    if (result != TORC_OK || count == 0) {
        return result;
    }
    result = ask_about_fields(handle, "HMGET", key, fields, count, &reply);
    if (result != TORC_OK) {
        return result;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != count) {
        result = helper_refuse(handle, "HMGET", reply);
    }
    for (size_t i = 0; i < count && result == TORC_OK; i++) {
        redisReply *element = reply->element[i];
        if (element->type == REDIS_REPLY_STRING) {
            helper_take(&values[i], element);
        } else if (element->type != REDIS_REPLY_NIL) {
            result = helper_refuse(handle, "HMGET", element);
        }
    }
    for (size_t i = 0; i < count && result != TORC_OK; i++) {
        torc_value_free(&values[i]);
    }
    torc_reply_free(reply);
    return result;
}

int torc_hdel(struct torc *handle, struct torc_bytes key, const struct torc_bytes *fields,
              size_t count, size_t *deleted)
{
    redisReply *reply = NULL;
    if (deleted != NULL) {
        *deleted = 0;
    }
    int result = helper_begin(handle, helper_is_valid(key) && (fields != NULL || count == 0) &&
                                          are_valid(fields, count));
    if (result != TORC_OK || count == 0) {
        return result;
    }
    result = ask_about_fields(handle, "HDEL", key, fields, count, &reply);
    if (result != TORC_OK) {
        return result;
    }
    if (reply->type != REDIS_REPLY_INTEGER) {
        result = helper_refuse(handle, "HDEL", reply);
    } else if (deleted != NULL) {
        *deleted = (size_t)reply->integer;
    }
    torc_reply_free(reply);
    return result;
}

int torc_hadd(struct torc *handle, struct torc_bytes key, struct torc_bytes field, int64_t delta,
              int64_t *sum)
{
    char number[24];
    int result = helper_begin(handle, helper_is_valid(key) && helper_is_valid(field));
    if (result != TORC_OK) {
        return result;
    }
    (void)snprintf(number, sizeof(number), "%" PRId64, delta);
    const struct bytes argv[] = {BYTES_LITERAL("HINCRBY"), helper_bytes(key), helper_bytes(field),
                                 bytes_of(number)};
    return helper_integer(handle, argv, 4, sum);
}

/* Moves names and values of a reply, one after the other, into *fields. */
static int take_fields(struct torc *handle, redisReply *reply, struct torc_fields *fields)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 0) {
        return helper_refuse(handle, "HGETALL", reply);
    }
    if (reply->elements == 0) {
        return TORC_OK;
    }
    fields->items = calloc(reply->elements / 2, sizeof(*fields->items));
    if (fields->items == NULL) {
        return last_error_plain(handle, TORC_ENOMEM);
    }
    for (size_t i = 0; i < reply->elements; i++) {
        if (reply->element[i]->type != REDIS_REPLY_STRING) {
            return helper_refuse(handle, "HGETALL", reply->element[i]);
        }
    }
    fields->count = reply->elements / 2;
    for (size_t i = 0; i < fields->count; i++) {
        helper_take(&fields->items[i].name, reply->element[2 * i]);
        helper_take(&fields->items[i].value, reply->element[2 * i + 1]);
    }
    return TORC_OK;
}

int torc_hgetall(struct torc *handle, struct torc_bytes key, struct torc_fields *fields)
{
    redisReply *reply = NULL;
    if (fields != NULL) {
        *fields = (struct torc_fields){NULL, 0};
    }
    int result = helper_begin(handle, fields != NULL && helper_is_valid(key));
    if (result != TORC_OK) {
        return result;
    }
    const struct bytes argv[] = {BYTES_LITERAL("HGETALL"), helper_bytes(key)};
    result = submit_bytes(handle, argv, 2, &reply);
    if (result == TORC_OK) {
        result = take_fields(handle, reply, fields);
        torc_reply_free(reply);
    }
    if (result != TORC_OK) {
        torc_fields_free(fields);
    }
    return result;
}

void torc_fields_free(struct torc_fields *fields)
{
    if (fields == NULL) {
        return;
    }
    for (size_t i = 0; i < fields->count; i++) {
        torc_value_free(&fields->items[i].name);
        torc_value_free(&fields->items[i].value);
    }
    free(fields->items);
    *fields = (struct torc_fields){NULL, 0};
}
