/*
 * libtorc: the C client of a Torc cluster. It reads the cluster's view from any node, computes the
 * owner of every key itself and talks to that node directly.
 *
 * A handle (struct torc) and what belongs to it, pipelines included, is for one thread at a time.
 * There is nothing global: several handles in several threads do not know of each other. No
 * function aborts, prints, or raises a signal.
 *
 * Errors are 0 or a negative TORC_E... of torc/error.h; torc_error() has the text, which names the
 * node and the command. After an error the handle goes on being usable: the next call connects
 * again to whatever it needs.
 */
#ifndef TORC_TORC_H
#define TORC_TORC_H

#include <hiredis/hiredis.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "torc/error.h"

#if defined(__GNUC__)
#define TORC_API __attribute__((visibility("default")))
#else
#define TORC_API
#endif

struct torc;          /* a handle */
struct torc_pipeline; /* commands that are sent together */

/* Borrowed bytes, zero bytes included. `data` may be NULL when size is 0. */
struct torc_bytes {
    const char *data;
    size_t size;
};

/* The bytes of a zero-terminated text; borrowed from it. */
static inline struct torc_bytes torc_text(const char *text)
{
    struct torc_bytes bytes;
    bytes.data = text;
    bytes.size = strlen(text);
    return bytes;
}

/* Owned bytes: free them with torc_value_free. A zero byte, not counted in size, follows the data.
 * data == NULL: there is no such key. */
struct torc_value {
    char *data;
    size_t size;
};

struct torc_pair {
    struct torc_bytes key;
    struct torc_bytes value;
};

/* Zero in a field means its default. */
struct torc_options {
    const char *seeds; /* "host:port,host:port": any ports of any nodes; required. An IPv6 address
                          stands in brackets. Copied. */
    int connect_timeout_ms; /* for one TCP connection; default 1000 */
    int timeout_ms;         /* for one call as a whole, retries included; default 5000 */
};

struct torc_set_options {
    uint64_t ttl_ms;     /* time to live; 0 = for ever */
    int only_if_absent;  /* SET ... NX */
    int only_if_present; /* SET ... XX; not together with only_if_absent */
};

/* "0.1.0": of the library that runs, which may be newer than this header. Static storage. */
TORC_API const char *torc_version(void);

/*
 * Makes a handle and reads the view from the first seed that gives one. Connections to other nodes
 * are made when they are needed. On failure, too, *out is a handle, good for torc_error and
 * torc_close; a command on it tries the seeds again. Only when there is no memory for a handle, or
 * when `out` is NULL, there is none (*out = NULL).
 *
 * Host names are resolved by getaddrinfo, which no timeout limits; addresses need no resolving.
 *
 * 0; TORC_EINVAL (options: what is wrong is in the text, and such a handle stays unusable),
 * TORC_ENOMEM; TORC_ECONNECT, TORC_ERESOLVE, TORC_ECLOSED, TORC_ETIMEOUT (of the last seed);
 * TORC_EPROTOCOL: a seed is no Torc node; TORC_EREPLY: it answered with an error.
 */
TORC_API int torc_connect(const struct torc_options *options, struct torc **out);

/* Closes all connections and frees the handle; its pipelines must be destroyed before. NULL is
 * allowed.
 */
TORC_API void torc_close(struct torc *handle);

/* What went wrong in the last call on the handle, e.g. "10.0.0.7:8001: GET: cannot connect:
 * Connection refused"; "" if nothing. Borrowed until the next call. Never NULL, also for a NULL
 * handle. */
TORC_API const char *torc_error(const struct torc *handle);
/* The TORC_E... of the last call on the handle, 0 if it went well. TORC_EINVAL for NULL. */
TORC_API int torc_error_code(const struct torc *handle);

/*
 * Runs one command. The format is that of hiredis: words are parted by blanks, %s takes a text, %b
 * bytes and their size_t size, %d and the other printf conversions numbers; what they put in is
 * never split again.
 *
 * A command goes to the owner of its keys. One without keys, or whose keys are in several slots,
 * goes to the client port of some node, which asks the others: DBSIZE counts the whole cluster.
 *
 * MOVED is followed. TRYAGAIN and CLUSTERDOWN are retried, each time a little later, until
 * timeout_ms has passed; then that error is the reply. If the connection breaks, a command that
 * only reads is sent again, and so is any that was not sent completely; any other fails with
 * TORC_ECLOSED, and then it may or may not have been executed. The same holds for TORC_ETIMEOUT.
 *
 * Commands that change what a connection means (MULTI, SUBSCRIBE, MONITOR, SELECT, AUTH, HELLO,
 * CLIENT REPLY ...) are refused with TORC_EINVAL.
 *
 * Returns the reply, which the caller frees with torc_reply_free. An error answered by the server
 * is such a reply, of type REDIS_REPLY_ERROR. NULL on failure; torc_error_code() then is
 * TORC_EINVAL, TORC_ETOOBIG, TORC_ENOMEM, TORC_ECONNECT, TORC_ERESOLVE, TORC_ECLOSED,
 * TORC_ETIMEOUT, or TORC_EPROTOCOL.
 */
TORC_API redisReply *torc_command(struct torc *handle, const char *format, ...);
/* The same from an array of arguments. `sizes` may be NULL: all are zero-terminated then. */
TORC_API redisReply *torc_command_argv(struct torc *handle, int argc, const char **argv,
                                       const size_t *sizes);
/* Frees a reply of torc_command; NULL is allowed. Not with hiredis's own function: the allocator
 * may be another. */
TORC_API void torc_reply_free(redisReply *reply);

/*
 * Pipelines: append commands, execute, look at the replies, reset, append again.
 *
 * All commands for one owner travel together, and all owners work at the same time. Commands on
 * keys of one slot are executed in the order in which they were appended; between different slots,
 * and for commands that have no keys or keys in several slots, there is no order. Where a retry
 * would break the order, it is not made, and that command fails with TORC_EAGAIN: it was not
 * executed.
 */

/* 0, TORC_EINVAL, TORC_ENOMEM. */
TORC_API int torc_pipeline_create(struct torc *handle, struct torc_pipeline **out);
/* Frees its replies too. NULL is allowed. */
TORC_API void torc_pipeline_destroy(struct torc_pipeline *pipeline);
/* Appends, as torc_command; nothing is sent yet. 0, TORC_EINVAL (also: executed and not yet reset),
 * TORC_ETOOBIG, TORC_ENOMEM; on failure the pipeline is as it was. */
TORC_API int torc_pipeline_append(struct torc_pipeline *pipeline, const char *format, ...);
TORC_API int torc_pipeline_append_argv(struct torc_pipeline *pipeline, int argc, const char **argv,
                                       const size_t *sizes);
/* Sends what was appended and waits for all replies, timeout_ms at most. 0 if every command has a
 * reply (error replies count), else the error of the first that has none. Once until the next
 * reset. */
TORC_API int torc_pipeline_execute(struct torc_pipeline *pipeline);
/* How many commands were appended; 0 for NULL. */
TORC_API size_t torc_pipeline_count(const struct torc_pipeline *pipeline);
/* The reply to command `index`, counted from 0 in the order of appending; borrowed until reset or
 * destroy. NULL if there is none: see torc_pipeline_error. */
TORC_API const redisReply *torc_pipeline_reply(const struct torc_pipeline *pipeline, size_t index);
/* Why command `index` has no reply: the errors of torc_command, or TORC_EAGAIN. 0 if it has one.
 * TORC_EINVAL: no such command, or not yet executed. */
TORC_API int torc_pipeline_error(const struct torc_pipeline *pipeline, size_t index);
/* Forgets commands and replies. */
TORC_API void torc_pipeline_reset(struct torc_pipeline *pipeline);

/*
 * Helpers. Their errors are those of torc_command and, when the server answers with an error,
 * TORC_ETYPE (the key holds another kind of value) or TORC_EREPLY; the text says what it said.
 */

/* 0: *value is the caller's. TORC_ENOTFOUND: there is no such key; value->data is NULL then, and so
 * after every other error. */
TORC_API int torc_get(struct torc *handle, struct torc_bytes key, struct torc_value *value);
/* `options` may be NULL. TORC_EEXIST: only_if_absent, and the key exists. TORC_ENOTFOUND:
 * only_if_present, and it does not. */
TORC_API int torc_set(struct torc *handle, struct torc_bytes key, struct torc_bytes value,
                      const struct torc_set_options *options);

/*
 * The three below split what they are given by slot and owner, ask all owners at the same time, and
 * put the answers together. They are not atomic: others may see a part of the writes; the values
 * read may be of different moments; and when one owner fails, what the others did stays done. With
 * count 0 nothing is sent.
 */

/* Deletes; *deleted (may be NULL) is how many keys there were, after an error a lower bound. */
TORC_API int torc_del(struct torc *handle, const struct torc_bytes *keys, size_t count,
                      size_t *deleted);
/* values[count], of the caller: values[i] is that of keys[i], data NULL where the key is absent or
 * holds no string. After an error all data are NULL. Free each with torc_value_free. */
TORC_API int torc_mget(struct torc *handle, const struct torc_bytes *keys, size_t count,
                       struct torc_value *values);
/* Of a key that is there twice the last value stays. */
TORC_API int torc_mset(struct torc *handle, const struct torc_pair *pairs, size_t count);
/* Frees the data and sets both fields to zero. NULL is allowed. */
TORC_API void torc_value_free(struct torc_value *value);

#ifdef __cplusplus
}
#endif

#endif
