/*
 * What the helpers of torc.h share: beginning a call, judging a reply. Without the lock; any
 * thread.
 */
#ifndef TORC_CLIENT_HELPER_H
#define TORC_CLIENT_HELPER_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "torc/torc.h"

#include <stdbool.h>

static inline struct bytes helper_bytes(struct torc_bytes bytes)
{
    return (struct bytes){bytes.data, bytes.size};
}

static inline bool helper_is_valid(struct torc_bytes bytes)
{
    return bytes.data != NULL || bytes.size == 0;
}

/* `valid`: the arguments are. 0 or TORC_EINVAL. */
int helper_begin(struct torc *handle, bool valid) TORC_MUST_USE;
/* The error of an error reply, with its text; TORC_EPROTOCOL for a reply that is of no expected
 * type. */
int helper_refuse(struct torc *handle, const char *name, const redisReply *reply);
/* The error with its own text. */
int helper_error(struct torc *handle, int error, const char *name);
/* Moves the text of a string reply into *value. */
void helper_take(struct torc_value *value, redisReply *reply);
/* A command that answers with an integer, *out, which may be NULL. 0, or the errors of a helper;
 * TORC_ENOTFOUND: the reply is nil. */
int helper_integer(struct torc *handle, const struct bytes *argv, size_t argc,
                   int64_t *out) TORC_MUST_USE;

#endif
