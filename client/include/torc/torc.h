/*
 * libtorc: the C client of a Torc cluster, of Redis and Valkey Cluster, and of a plain server. It
 * learns from any node who owns which key, and talks to that node directly.
 *
 * One handle (struct torc) serves any number of threads at the same time. They share one connection
 * to each node; what they ask at the same time travels together. A pipeline or a future is for one
 * thread at a time. No function aborts, prints, or raises a signal; nothing is global, but each
 * thread's last error.
 *
 * Commands come in three forms: blocking (torc_command and the helpers), as futures (torc_submit,
 * torc_wait) and with callbacks (torc_async), which run on a thread of the library's own or in the
 * program's own loop (torc_fd; torc/adapters/). Commands that one thread gives on keys of one slot
 * are executed in the order in which it gave them, whatever their form; where a retry would break
 * that order, and it could be seen, the earlier one fails with TORC_EAGAIN: it was not executed.
 *
 * Errors are 0 or a negative TORC_E... of torc/error.h; torc_error() has the text, which names the
 * node and the command. After an error the handle goes on being usable: the next call connects
 * again to whatever it needs.
 */
#ifndef TORC_TORC_H
#define TORC_TORC_H

#include <hiredis/hiredis.h>
#include <stdarg.h>
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
struct torc_future;   /* a command that is on its way */

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

/*
 * A program's answer to a command whose node cannot be reached: a stale value, another source, or
 * NULL, which lets the error stand. `error` is why: TORC_ECONNECT, TORC_ERESOLVE, TORC_ECLOSED,
 * TORC_ETIMEOUT, TORC_EUNAVAILABLE or TORC_EOVERLOAD; after ECLOSED and ETIMEOUT a write may have
 * been executed. The arguments are borrowed until it returns. The reply is made by
 * torc_reply_string and handed over. It runs on the thread that waits for the command, or on the
 * one that calls callbacks, without any lock.
 */
typedef redisReply *torc_fallback(struct torc *handle, int error,
                                  const struct torc_bytes *arguments, size_t count, void *context);

/*
 * Who answers a command that reads keys of one slot. Replicas may be behind the primary: what they
 * answer was true at some time, and two reads may go back in time. On Torc with --acks in-sync what
 * was acknowledged before is seen all the same, as long as the cluster is whole; docs/client.md.
 */
enum torc_read_from {
    TORC_READ_DEFAULT, /* in a handle: PRIMARY; in a call: as the handle */
    TORC_READ_PRIMARY, /* the owner */
    TORC_READ_REPLICA, /* a replica, the next one each time; the primary if there is none */
    TORC_READ_NEAREST, /* owner or replica in the zone of the options, the primary if none is */
    TORC_READ_LEAST_OUTSTANDING, /* whichever has the fewest commands of this handle on their way */
    TORC_READ_ROUND_ROBIN        /* the next one of all copies each time */
};

/* Zero in a field means its default. */
struct torc_options {
    const char *seeds; /* "host:port,host:port": any ports of any nodes; required. An IPv6 address
                          stands in brackets. Copied. */
    int connect_timeout_ms; /* for a connection, the host's name included; default 1000 */
    int timeout_ms;         /* for one call as a whole, retries included; default 5000 */
    int attempt_timeout_ms; /* without an answer for so long a connection is given up, and what may
                               be repeated is tried again; default: timeout_ms */
    int connections_per_node; /* default 1, at most 16 */
    int outstanding_max;  /* commands on their way; more are refused with TORC_EOVERLOAD. Default
                             65536 */
    int breaker_failures; /* in a row, after which a node is left alone for a while; default 5 */
    int breaker_open_ms;  /* how long, at first; doubled up to four times; default 500 */
    int fail_fast;        /* 1: what a node that is left alone should do fails at once with
                             TORC_EUNAVAILABLE, or what its last attempt failed with; 0: it waits,
                             within timeout_ms, until another node leads or this one is back */
    int unnamed_writes;   /* 1: writes carry no names, which spares 110 bytes for each, and are not
                             sent again when it is not known whether they have been executed; 0:
                             on Torc they have names, and count once */
    const char *user;     /* said by AUTH on each connection; NULL: the default user. Copied */
    const char *password; /* NULL: no AUTH. Copied. If it is refused: TORC_EREPLY */
    enum torc_read_from read_from;
    const char *zone;  /* of this program, for TORC_READ_NEAREST; as torc-node --zone. Copied */
    size_t near_bytes; /* of a near cache, at least 65536; 0 = none. What torc_get and
                          torc_get_or_load read is kept in this process until the server says that
                          it has changed. docs/client.md */
    int near_stale_ms; /* how long the near cache may go on serving a value that has changed, when
                          the server cannot say so; default 2000, at least 100 */
    torc_fallback *fallback; /* may be NULL */
    void *fallback_context;  /* borrowed until torc_close */
};

/* Of one command. Zero in a field means its default. */
struct torc_call_options {
    enum torc_read_from read_from;
    int timeout_ms; /* default: that of the handle */
    int repeatable; /* 1: executing it twice does no harm, so it is sent again also when it may have
                       been executed; 0: only commands that read are, and writes with a name */
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
 * 0; TORC_EINVAL (options: what is wrong is in the text, and such a handle stays unusable),
 * TORC_ENOMEM; TORC_ECONNECT, TORC_ERESOLVE, TORC_ECLOSED, TORC_ETIMEOUT,
 * TORC_EPROTOCOL (of the last seed); TORC_EREPLY: it answered with an error; TORC_EIO: there are no
 * more descriptors.
 */
TORC_API int torc_connect(const struct torc_options *options, struct torc **out);

/* Closes all connections and frees the handle. No other thread may be using it, and it may not be
 * called by a callback. Callbacks of commands that are on their way are called with TORC_ECLOSED
 * before it returns; its pipelines and futures must have been freed. NULL is allowed. */
TORC_API void torc_close(struct torc *handle);

/* What went wrong in this thread's last call to the library, if that was on this handle, e.g.
 * "10.0.0.7:8001: GET: cannot connect: Connection refused"; "" if nothing. Borrowed until the
 * thread's next call. Never NULL, also for a NULL handle. In a callback it is about the command
 * that the callback is for. */
TORC_API const char *torc_error(const struct torc *handle);
/* The TORC_E... of that call, 0 if it went well. TORC_EINVAL for NULL. */
TORC_API int torc_error_code(const struct torc *handle);

/*
 * Runs one command. The format is that of hiredis: words are parted by blanks, %s takes a text, %b
 * bytes and their size_t size, %d and the other printf conversions numbers; what they put in is
 * never split again.
 *
 * A command goes to the owner of its keys. One without keys, or whose keys are in several slots,
 * goes to the client port of some node, which asks the others: DBSIZE counts the whole cluster.
 *
 * MOVED and ASK are followed. TRYAGAIN and CLUSTERDOWN are retried, each time a little later, until
 * timeout_ms has passed; then that error is the reply. If the connection breaks, a command that
 * only reads is sent again, and so is any that was not sent completely. Torc's nodes remember
 * writes by names that the library gives them, so there a write whose keys are in one slot is sent
 * again as well, and counts once. Any other fails with TORC_ECLOSED, and then it may or may not
 * have been executed. The same holds for TORC_ETIMEOUT.
 *
 * One that may wait at the server (BLPOP and its kind: the server says which these are) has a
 * connection of its own meanwhile, of which there are 64 to a node: TORC_EOVERLOAD. Its deadline is
 * timeout_ms after the time for which the command waits by itself; none if that is for ever. It
 * keeps no order with others.
 *
 * Commands that change what a connection means (MULTI, SUBSCRIBE, MONITOR, SELECT, AUTH, HELLO,
 * CLIENT REPLY ...) are refused with TORC_EINVAL.
 *
 * Returns the reply, which the caller frees with torc_reply_free. An error answered by the server
 * is such a reply, of type REDIS_REPLY_ERROR. NULL on failure; torc_error_code() then is
 * TORC_EINVAL, TORC_ETOOBIG, TORC_ENOMEM, TORC_ECONNECT, TORC_ERESOLVE, TORC_ECLOSED,
 * TORC_ETIMEOUT, TORC_EPROTOCOL, TORC_EAGAIN, TORC_EOVERLOAD or TORC_EUNAVAILABLE.
 */
TORC_API redisReply *torc_command(struct torc *handle, const char *format, ...);
/* The same for a function that has a format and arguments itself; these are used up. */
TORC_API redisReply *torc_commandv(struct torc *handle, const char *format, va_list arguments);
/* The same from an array of arguments. `sizes` may be NULL: all are zero-terminated then. */
TORC_API redisReply *torc_command_argv(struct torc *handle, int argc, const char **argv,
                                       const size_t *sizes);
/* The same with options, which may be NULL. */
TORC_API redisReply *torc_command_with(struct torc *handle, const struct torc_call_options *options,
                                       int argc, const char **argv, const size_t *sizes);
/* Frees a reply of torc_command; NULL is allowed. Not with hiredis's own function: the allocator
 * may be another. */
TORC_API void torc_reply_free(redisReply *reply);
/* A reply for a fallback: a string, copied, or nil for data == NULL. NULL without memory. */
TORC_API redisReply *torc_reply_string(struct torc_bytes value);

/*
 * Futures: commands that are on their way while the thread does something else. What is submitted
 * while nothing else is on its way to its node is sent at once; what follows is sent when that is
 * answered, when enough has come together, or when the program waits or calls torc_flush. Answers
 * are taken up by whoever waits on the handle.
 */

/* As torc_command; NULL on failure, also TORC_EOVERLOAD. Free it with torc_future_free. */
TORC_API struct torc_future *torc_submit(struct torc *handle, const char *format, ...);
TORC_API struct torc_future *torc_submit_with(struct torc *handle,
                                              const struct torc_call_options *options, int argc,
                                              const char **argv, const size_t *sizes);
/* Waits for it, timeout_ms at most; 0 only looks, negative is for as long as the command has. 0:
 * *reply, which may be NULL if it is of no interest, is the caller's, the first time. TORC_EAGAIN
 * while torc_future_done is 0: it is not answered yet, ask again. Else the errors of torc_command.
 */
TORC_API int torc_wait(struct torc_future *future, int timeout_ms, redisReply **reply);
/* 1 if it is answered, or has failed. Does not look for answers: torc_wait(future, 0, ...) does. */
TORC_API int torc_future_done(const struct torc_future *future);
/* Frees it. A command that is on its way is executed all the same. NULL is allowed. */
TORC_API void torc_future_free(struct torc_future *future);
/* Sends what has been submitted, by any thread and in any form. */
TORC_API void torc_flush(struct torc *handle);

/*
 * Callbacks. They are called one after the other, in the order of the answers, by a thread of the
 * library's own, which the first asynchronous command starts; or by torc_process, if torc_fd has
 * been called before that. A callback may use the handle, blocking commands included, but not close
 * it.
 */

/* `error` 0: `reply`, borrowed until the callback returns; else NULL, and torc_error has the text.
 */
typedef void torc_callback(struct torc *handle, int error, redisReply *reply, void *context);
/* As torc_submit. 0: the callback will be called, once; on failure (TORC_EINVAL, TORC_ETOOBIG,
 * TORC_ENOMEM, TORC_EOVERLOAD) it is not. */
TORC_API int torc_async(struct torc *handle, torc_callback *callback, void *context,
                        const char *format, ...);
TORC_API int torc_async_with(struct torc *handle, const struct torc_call_options *options,
                             torc_callback *callback, void *context, int argc, const char **argv,
                             const size_t *sizes);

/*
 * The program's own loop: torc_fd gives a descriptor that is readable whenever torc_process has
 * something to do (an epoll descriptor: poll it for reading, level-triggered, do nothing else with
 * it). The headers in torc/adapters/ do that for libev, libuv and epoll.
 */

/* To be called before the first asynchronous command. TORC_EINVAL: it is too late. */
TORC_API int torc_fd(struct torc *handle);
/* Reads, writes, retries and calls callbacks, without waiting. 0 or TORC_EINVAL. */
TORC_API int torc_process(struct torc *handle);

/*
 * Subscriptions: each has a connection of its own, of which there are 64 to a node, and goes on
 * until it is ended. When the connection breaks, or its node does not answer, it is made again, at
 * another node if need be; what is published meanwhile is missed, which TORC_LOST tells. They are
 * for servers that have SUBSCRIBE; Torc's nodes have it for invalidations only, so far.
 */
struct torc_subscription;

enum torc_subscribe_to {
    TORC_CHANNELS,      /* SUBSCRIBE */
    TORC_PATTERNS,      /* PSUBSCRIBE: glob patterns of channels */
    TORC_SHARD_CHANNELS /* SSUBSCRIBE: at the owner of their slot, which is one */
};

enum torc_event {
    TORC_MESSAGE,    /* one was published */
    TORC_SUBSCRIBED, /* the server has confirmed all names: what is published from now on comes */
    TORC_LOST,       /* the connection is lost: what is published is missed until TORC_SUBSCRIBED */
    TORC_ENDED       /* the last event: the server refuses it now */
};

/* Borrowed until the callback returns. */
struct torc_message {
    enum torc_event event;
    int error; /* LOST, ENDED: why; torc_error has the text. Else 0 */
    struct torc_bytes channel;
    struct torc_bytes pattern; /* by which it came; data NULL: by the channel's name */
    struct torc_bytes payload;
};

/* Called as other callbacks are, and may do what they may; it may end the subscription. */
typedef void torc_on_message(struct torc *handle, const struct torc_message *message,
                             void *context);

struct torc_subscribe_options {
    enum torc_subscribe_to to;
    const struct torc_bytes *names; /* copied */
    size_t count;                   /* 1 at least */
    torc_on_message *on_message;    /* required */
    void *context;
};

/* Waits until the server has confirmed it, timeout_ms of the handle at most; TORC_SUBSCRIBED is the
 * first event. 0: *out is the caller's, to be ended before the handle is closed. The errors of
 * torc_command; TORC_EREPLY: the server refused; TORC_EINVAL also: shard channels of several slots.
 * While there are subscriptions, the thread that calls callbacks reads for all. Messages that come
 * faster than they are taken wait, 32 MiB of them; beyond that the connection is given up:
 * TORC_LOST with TORC_EOVERLOAD. */
TORC_API int torc_subscribe(struct torc *handle, const struct torc_subscribe_options *options,
                            struct torc_subscription **out);
/* Ends and frees it. When this returns, its callback does not run and is not called any more;
 * called by that callback itself, it is not called again. NULL is allowed. */
TORC_API void torc_unsubscribe(struct torc_subscription *subscription);

/*
 * Pipelines: append commands, execute, look at the replies, reset, append again.
 *
 * All commands for one owner travel together, and all owners work at the same time. Commands on
 * keys of one slot are executed in the order in which they were appended; between different slots,
 * and for commands that have no keys or keys in several slots, there is no order.
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
/* Why command `index` has no reply: the errors of torc_command. 0 if it has one.
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
/* What the near cache does. All zero if there is none. */
struct torc_near_stats {
    uint64_t hits;          /* lookups that were answered here */
    uint64_t misses;        /* those that were not */
    uint64_t invalidations; /* messages of servers that something has changed */
    size_t entries;         /* now, void ones included */
    size_t bytes;           /* of them */
    unsigned nodes;         /* that track what is read now; 0: nothing can be kept */
};
/* 0 or TORC_EINVAL. */
TORC_API int torc_near_stats(struct torc *handle, struct torc_near_stats *stats);
/* `options` may be NULL. TORC_EEXIST: only_if_absent, and the key exists. TORC_ENOTFOUND:
 * only_if_present, and it does not. */
TORC_API int torc_set(struct torc *handle, struct torc_bytes key, struct torc_bytes value,
                      const struct torc_set_options *options);

/* Adds to a number, which begins with 0: INCRBY. *sum may be NULL. Where writes have no names, it
 * is not sent again when it may have been executed: TORC_ECLOSED and TORC_ETIMEOUT. */
TORC_API int torc_add(struct torc *handle, struct torc_bytes key, int64_t delta, int64_t *sum);

/* The same with 1 and with -1. */
TORC_API int torc_incr(struct torc *handle, struct torc_bytes key, int64_t *sum);
TORC_API int torc_decr(struct torc *handle, struct torc_bytes key, int64_t *sum);

/*
 * Hashes.
 */

/* 0: *value is the caller's. TORC_ENOTFOUND: there is no such field, or no such key. */
TORC_API int torc_hget(struct torc *handle, struct torc_bytes key, struct torc_bytes field,
                       struct torc_value *value);
/* Sets one field, or `count` of them (1 at least): their names are the keys of the pairs. *added
 * (may be NULL) is how many there were not before. */
TORC_API int torc_hset(struct torc *handle, struct torc_bytes key, struct torc_bytes field,
                       struct torc_bytes value);
TORC_API int torc_hmset(struct torc *handle, struct torc_bytes key, const struct torc_pair *pairs,
                        size_t count, size_t *added);
/* values[count], of the caller: values[i] is that of fields[i], data NULL where there is none.
 * After an error all data are NULL. Free each with torc_value_free. With count 0 nothing is sent.
 */
TORC_API int torc_hmget(struct torc *handle, struct torc_bytes key, const struct torc_bytes *fields,
                        size_t count, struct torc_value *values);
/* Deletes fields; *deleted (may be NULL) is how many there were. With count 0 nothing is sent. */
TORC_API int torc_hdel(struct torc *handle, struct torc_bytes key, const struct torc_bytes *fields,
                       size_t count, size_t *deleted);
/* torc_add of a field. */
TORC_API int torc_hadd(struct torc *handle, struct torc_bytes key, struct torc_bytes field,
                       int64_t delta, int64_t *sum);

struct torc_field {
    struct torc_value name;
    struct torc_value value;
};

/* A whole hash, in no order. */
struct torc_fields {
    struct torc_field *items; /* NULL when there are none */
    size_t count;
};

/* 0: *fields is the caller's, to be freed with torc_fields_free; it is empty if there is no such
 * key, and after an error. */
TORC_API int torc_hgetall(struct torc *handle, struct torc_bytes key, struct torc_fields *fields);
/* Frees them and sets both to zero. NULL is allowed. */
TORC_API void torc_fields_free(struct torc_fields *fields);

/*
 * Locks that expire, with fencing tokens, on Torc's nodes; others lead to TORC_EUNSUPPORTED.
 *
 * A lock is lost when its time is over, whether or not its holder has noticed: because it was
 * stopped, or because the network was. So what the lock protects must be told the token with each
 * change, and refuse a token that is lower than one it has seen. Tokens of one key grow, whatever
 * happens to the cluster. A lock is a key like any other: DEL takes it away, and so does eviction
 * if --eviction takes keys that expire. The token then protects all the same.
 */
struct torc_held_lock {
    int64_t token;  /* greater than those of all holders before */
    char owner[33]; /* drawn by torc_lock at random; zero-terminated */
};

struct torc_lock_options {
    uint64_t ttl_ms; /* required; how long the lock lasts. By the program's clock it ends ttl_ms
                        after torc_lock or torc_lock_extend was called */
    int wait_ms;     /* how long to try while another one holds it; 0 = not at all */
};

/* 0: *lock holds it. TORC_EEXIST: another one did, until wait_ms was over. TORC_ETYPE: the key
 * holds something that is no lock. TORC_EUNSUPPORTED. After TORC_ETIMEOUT nobody may hold it until
 * it expires. */
TORC_API int torc_lock(struct torc *handle, struct torc_bytes key,
                       const struct torc_lock_options *options, struct torc_held_lock *lock);
/* It lasts for ttl_ms from now. 0; TORC_ENOTFOUND: it is not held any more. */
TORC_API int torc_lock_extend(struct torc *handle, struct torc_bytes key, uint64_t ttl_ms,
                              const struct torc_held_lock *lock);
/* Gives it back. 0; TORC_ENOTFOUND: it was not held any more. */
TORC_API int torc_unlock(struct torc *handle, struct torc_bytes key,
                         const struct torc_held_lock *lock);

/*
 * From the cache, or from where the program has it: torc_get_or_load asks the cache; if the key is
 * not there, or the cache cannot be asked, it calls the program's loader, puts what that returns
 * into the cache, and returns it. Of all threads that miss a key at one time one calls the loader,
 * the others wait for it.
 */

/* Puts the value, made by torc_value_set, into *value: 0. TORC_ENOTFOUND: there is none. Any other
 * error is that of torc_get_or_load, and nothing is remembered. Without any lock; may use the
 * handle. */
typedef int torc_loader(struct torc *handle, struct torc_bytes key, struct torc_value *value,
                        void *context);

struct torc_load_options {
    torc_loader *load; /* required */
    void *context;
    uint64_t ttl_ms;        /* of what is loaded, up to a tenth less by chance; 0 = for ever */
    uint64_t absent_ttl_ms; /* how long it is remembered that there is none; 0 = not at all. It
                               stands in the cache as a value of 12 bytes, "\0torc.absent". */
    /* About how long loading takes: some call, chosen by chance, loads anew about so long before
     * the value expires, so that there is never a crowd that misses it; the others have the cached
     * one meanwhile. 0 = never. */
    uint64_t early_ms;
};

/* 0: *value is the caller's. TORC_ENOTFOUND: there is none. Else what the loader returned,
 * TORC_EINVAL, TORC_ETOOBIG or TORC_ENOMEM. */
TORC_API int torc_get_or_load(struct torc *handle, struct torc_bytes key,
                              const struct torc_load_options *options, struct torc_value *value);
/* A copy of the bytes in a value; what was in it is not freed. 0, TORC_EINVAL, TORC_ENOMEM. */
TORC_API int torc_value_set(struct torc_value *value, struct torc_bytes bytes);

/*
 * Those below split what they are given by slot and owner, ask all owners at the same time, and
 * put the answers together. They are not atomic: others may see a part of the writes; the values
 * read may be of different moments; and when one owner fails, what the others did stays done. With
 * count 0 nothing is sent.
 */

/* Deletes; *deleted (may be NULL) is how many keys there were, after an error a lower bound. */
TORC_API int torc_del(struct torc *handle, const struct torc_bytes *keys, size_t count,
                      size_t *deleted);
/* The same with UNLINK, which leaves freeing large values to another thread of the server. */
TORC_API int torc_unlink(struct torc *handle, const struct torc_bytes *keys, size_t count,
                         size_t *deleted);
/* How many of the keys there are; one that is named twice counts twice. */
TORC_API int torc_exists(struct torc *handle, const struct torc_bytes *keys, size_t count,
                         size_t *found);
/* The same, and they count as used just now. */
TORC_API int torc_touch(struct torc *handle, const struct torc_bytes *keys, size_t count,
                        size_t *found);
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
