/* The helpers of torc.h, written in terms of commands. */
#include "torc/torc.h"

#include "base/error.h"
#include "client/command_line.h"
#include "client/helper.h"
#include "client/last_error.h"
#include "client/near.h"
#include "client/split.h"
#include "client/submit.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int torc_get(struct torc *handle, struct torc_bytes key, struct torc_value *value)
{
    redisReply *reply = NULL;
    if (value != NULL) {
        *value = (struct torc_value){NULL, 0};
    }
    int result = helper_begin(handle, value != NULL && helper_is_valid(key));
    if (result != TORC_OK) {
        return result;
    }
    result = near_get(handle, helper_bytes(key), value, &reply);
    if (reply == NULL) {
        return result;
    }
    if (reply->type == REDIS_REPLY_STRING) {
        helper_take(value, reply);
    } else if (reply->type == REDIS_REPLY_NIL) {
        result = last_error_set(handle, TORC_ENOTFOUND, "GET: %s", torc_strerror(TORC_ENOTFOUND));
    } else {
        result = helper_refuse(handle, "GET", reply);
    }
    torc_reply_free(reply);
    return result;
}

int torc_set(struct torc *handle, struct torc_bytes key, struct torc_bytes value,
             const struct torc_set_options *options)
{
    static const struct torc_set_options none = {0};
    redisReply *reply = NULL;
    char ttl[24];
    int result = helper_begin(handle, helper_is_valid(key) && helper_is_valid(value));
    if (result != TORC_OK) {
        return result;
    }
    options = options == NULL ? &none : options;
    if (options->only_if_absent && options->only_if_present) {
        return last_error_set(handle, TORC_EINVAL,
                              "SET: only_if_absent and only_if_present exclude each other");
    }
    struct bytes argv[6] = {BYTES_LITERAL("SET"), helper_bytes(key), helper_bytes(value)};
    size_t argc = 3;
    if (options->ttl_ms > 0) {
        (void)snprintf(ttl, sizeof(ttl), "%" PRIu64, options->ttl_ms);
        argv[argc++] = BYTES_LITERAL("PX");
        argv[argc++] = bytes_of(ttl);
    }
    if (options->only_if_absent || options->only_if_present) {
        argv[argc++] = options->only_if_absent ? BYTES_LITERAL("NX") : BYTES_LITERAL("XX");
    }
    result = submit_bytes(handle, argv, argc, &reply);
    if (result != TORC_OK) {
        return result;
    }
    if (reply->type == REDIS_REPLY_NIL) {
        result = options->only_if_absent ? TORC_EEXIST : TORC_ENOTFOUND;
        (void)last_error_set(handle, result, "SET: %s", torc_strerror(result));
    } else if (reply->type != REDIS_REPLY_STATUS) {
        result = helper_refuse(handle, "SET", reply);
    }
    torc_reply_free(reply);
    return result;
}

/* One command that is split into one for each slot. */
struct spread {
    struct torc *handle;
    const char *name;
    const struct torc_bytes *first_key;
    size_t stride; /* bytes from key to key */
    bool pairs;    /* a value follows each key, in memory as in the command */
    size_t count;
    struct split split;
    struct call **calls; /* of the groups of the split, in order */
    size_t call_count;
    struct arguments arguments; /* of the one that is being made */
};

static const struct torc_bytes *key_at(const struct spread *spread, size_t index)
{
    return (const struct torc_bytes *)(const void *)((const char *)spread->first_key +
                                                     index * spread->stride);
}

static int add_group(struct spread *spread, size_t first, size_t end)
{
    struct torc *handle = spread->handle;
    const size_t each = spread->pairs ? 2 : 1;
    size_t argc = 1;
    if (end - first > (REQUEST_ARGUMENTS_MAX - 1) / each) {
        return last_error_set(handle, TORC_ETOOBIG, "%s: more than %u arguments for one slot",
                              spread->name, (unsigned)REQUEST_ARGUMENTS_MAX);
    }
    if (arguments_resize(&spread->arguments, 1 + each * (end - first)) != TORC_OK) {
        return last_error_plain(handle, TORC_ENOMEM);
    }
    struct bytes *argv = spread->arguments.items;
    argv[0] = bytes_of(spread->name);
    for (size_t i = first; i < end; i++) {
        const struct torc_bytes *key = key_at(spread, spread->split.items[i].index);
        argv[argc++] = helper_bytes(key[0]);
        if (spread->pairs) {
            const struct torc_pair *pair = (const struct torc_pair *)(const void *)key;
            argv[argc++] = helper_bytes(pair->value);
        }
    }
    int result = command_line_bytes(handle, &spread->calls[spread->call_count], argv, argc);
    spread->call_count += result == TORC_OK ? 1 : 0;
    return result;
}

/* Splits, sends, waits. *spread is to be deinitialised, whatever the result. */
static int spread_run(struct spread *spread)
{
    for (size_t i = 0; i < spread->count; i++) {
        const struct torc_bytes *key = key_at(spread, i);
        bool valid = helper_is_valid(key[0]);
        if (valid && spread->pairs) {
            valid = helper_is_valid(((const struct torc_pair *)(const void *)key)->value);
        }
        if (!valid) {
            return last_error_set(spread->handle, TORC_EINVAL, "%s: key or value %zu is NULL",
                                  spread->name, i);
        }
    }
    spread->calls = calloc(spread->count + 1, sizeof(struct call *));
    if (spread->calls == NULL || split_by_slot(&spread->split, spread->first_key, spread->stride,
                                               spread->count) != TORC_OK) {
        return last_error_plain(spread->handle, TORC_ENOMEM);
    }
    for (size_t first = 0, end; first < spread->count; first = end) {
        end = split_group_end(&spread->split, first);
        int result = add_group(spread, first, end);
        if (result != TORC_OK) {
            return result;
        }
    }
    return submit_all_and_wait(spread->handle, spread->calls, spread->call_count);
}

static void spread_deinit(struct spread *spread)
{
    for (size_t i = 0; i < spread->call_count; i++) {
        call_release(spread->calls[i]);
    }
    free(spread->calls);
    arguments_deinit(&spread->arguments);
    split_deinit(&spread->split);
}

/* A command on any number of keys that answers with a number for each part: their sum. */
static int sum_over_keys(struct torc *handle, const char *name, const struct torc_bytes *keys,
                         size_t count, size_t *out)
{
    size_t sum = 0;
    if (out != NULL) {
        *out = 0;
    }
    int result = helper_begin(handle, keys != NULL || count == 0);
    if (result != TORC_OK) {
        return result;
    }
    struct spread spread = {.handle = handle,
                            .name = name,
                            .first_key = keys,
                            .stride = sizeof(struct torc_bytes),
                            .count = count};
    result = spread_run(&spread);
    for (size_t i = 0; i < spread.call_count; i++) {
        const redisReply *reply = spread.calls[i]->reply;
        if (reply != NULL && reply->type == REDIS_REPLY_INTEGER) {
            sum += (size_t)reply->integer;
        } else if (reply != NULL && result == TORC_OK) {
            result = helper_refuse(handle, name, reply);
        }
    }
    spread_deinit(&spread);
    if (out != NULL) {
        *out = sum;
    }
    return result;
}

int torc_del(struct torc *handle, const struct torc_bytes *keys, size_t count, size_t *deleted)
{
    return sum_over_keys(handle, "DEL", keys, count, deleted);
}

int torc_unlink(struct torc *handle, const struct torc_bytes *keys, size_t count, size_t *deleted)
{
    return sum_over_keys(handle, "UNLINK", keys, count, deleted);
}

int torc_exists(struct torc *handle, const struct torc_bytes *keys, size_t count, size_t *found)
{
    return sum_over_keys(handle, "EXISTS", keys, count, found);
}

int torc_touch(struct torc *handle, const struct torc_bytes *keys, size_t count, size_t *found)
{
    return sum_over_keys(handle, "TOUCH", keys, count, found);
}

int torc_incr(struct torc *handle, struct torc_bytes key, int64_t *sum)
{
    return torc_add(handle, key, 1, sum);
}

int torc_decr(struct torc *handle, struct torc_bytes key, int64_t *sum)
{
    return torc_add(handle, key, -1, sum);
}

int torc_add(struct torc *handle, struct torc_bytes key, int64_t delta, int64_t *sum)
{
    char number[24];
    int result = helper_begin(handle, helper_is_valid(key));
    if (result != TORC_OK) {
        return result;
    }
    (void)snprintf(number, sizeof(number), "%" PRId64, delta);
    const struct bytes argv[] = {BYTES_LITERAL("INCRBY"), helper_bytes(key), bytes_of(number)};
    return helper_integer(handle, argv, 3, sum);
}

int torc_mset(struct torc *handle, const struct torc_pair *pairs, size_t count)
{
    int result = helper_begin(handle, pairs != NULL || count == 0);
    if (result != TORC_OK) {
        return result;
    }
    struct spread spread = {.handle = handle,
                            .name = "MSET",
                            .first_key = count == 0 ? NULL : &pairs->key,
                            .stride = sizeof(struct torc_pair),
                            .pairs = true,
                            .count = count};
    result = spread_run(&spread);
    for (size_t i = 0; i < spread.call_count && result == TORC_OK; i++) {
        const redisReply *reply = spread.calls[i]->reply;
        if (reply->type != REDIS_REPLY_STATUS) {
            result = helper_refuse(handle, "MSET", reply);
        }
    }
    spread_deinit(&spread);
    return result;
}

/* Hands the values of one group's reply to their places. */
static int merge_group(const struct spread *spread, size_t first, size_t end,
                       const redisReply *reply, struct torc_value *values)
{
    assert(values != NULL);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != end - first) {
        return helper_refuse(spread->handle, spread->name, reply);
    }
    for (size_t i = first; i < end; i++) {
        redisReply *element = reply->element[i - first];
        if (element->type == REDIS_REPLY_STRING) {
            helper_take(&values[spread->split.items[i].index], element);
        } else if (element->type != REDIS_REPLY_NIL) {
            return helper_refuse(spread->handle, spread->name, element);
        }
    }
    return TORC_OK;
}

int torc_mget(struct torc *handle, const struct torc_bytes *keys, size_t count,
              struct torc_value *values)
{
    for (size_t i = 0; values != NULL && i < count; i++) {
        values[i] = (struct torc_value){NULL, 0};
    }
    int result = helper_begin(handle, (keys != NULL && values != NULL) || count == 0);
    if (result != TORC_OK) {
        return result;
    }
    struct spread spread = {.handle = handle,
                            .name = "MGET",
                            .first_key = keys,
                            .stride = sizeof(struct torc_bytes),
                            .count = count};
    result = spread_run(&spread);
    size_t first = 0;
    for (size_t i = 0; i < spread.call_count && result == TORC_OK; i++) {
        size_t end = split_group_end(&spread.split, first);
        result = merge_group(&spread, first, end, spread.calls[i]->reply, values);
        first = end;
    }
    for (size_t i = 0; values != NULL && i < count && result != TORC_OK; i++) {
        torc_value_free(&values[i]);
    }
    spread_deinit(&spread);
    return result;
}

void torc_value_free(struct torc_value *value)
{
    if (value != NULL) {
        free(value->data);
        *value = (struct torc_value){NULL, 0};
    }
}
