/*
 * One execution of one command: what handlers see. The dispatcher has checked the arity, found the
 * slot, taken its lock and made sure that this node may serve it; the handler does the work, writes
 * one reply, and says what its effect was, which then travels to the replicas.
 *
 * Effects are commands, deterministic ones: absolute expiry times, chosen members. A handler that
 * changed nothing says nothing. Borrowed for the duration of the call, one thread.
 */
#ifndef TORC_NODE_CALL_H
#define TORC_NODE_CALL_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "node/resp/reply.h"
#include "node/store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct command;
struct session;
struct worker;

/* What a blocking command waits for that found nothing; zeroed: it has replied. */
struct call_wait {
    size_t count; /* of the keys */
    size_t first; /* argument index of the first */
    enum object_type type;
};

struct call {
    const struct command *command; /* resolved: the subcommand, if there is one */
    const struct bytes
        *argv; /* argv[0] is the name as sent; writable memory of nobody: copy to keep */
    size_t argc;
    uint64_t now_ms; /* wall clock, the same for the whole batch */
    struct keyspace
        *keys;     /* of the slot of the command's keys, locked; NULL for ROUTE_LOCAL / ROUTE_ALL */
    uint64_t hash; /* key_hash of the first key */
    struct reply_writer *reply; /* exactly one reply */
    struct session *session;    /* who asks; NULL when a replica applies an effect */
    struct worker *worker;      /* for the node-wide commands; NULL in unit tests */
    struct prng *prng;          /* for what is drawn at random; NULL where an effect is applied */
    struct buf *effects;   /* RESP commands for the replicas; NULL when there are none to tell */
    uint64_t changes;      /* effects told, for INFO and for whether the slot's sequence grows */
    uint64_t hits, misses; /* of lookups for reading */
    uint64_t expired;      /* keys found expired and deleted by this call */
    bool applying;         /* a replica applies an effect: expiry is the primary's to judge */
    bool from_replica; /* a replica is read: nothing may be changed, not even what has expired */
    struct call_wait *wait; /* of a blocking command; else NULL */
};

/*
 * Finds a live key of call->keys. An expired one is deleted first, and that deletion is an effect.
 * _read counts a hit or miss and notes the access for eviction.
 */
struct object *call_find(struct call *call, struct bytes key, uint64_t hash);
struct object *call_find_read(struct call *call, struct bytes key, uint64_t hash);
/* The same for a key that must hold that type if it is there: else replies WRONGTYPE and sets
 * *wrong. */
struct object *call_find_typed(struct call *call, struct bytes key, uint64_t hash,
                               enum object_type type, bool *wrong);
static inline struct object *call_find_string(struct call *call, struct bytes key, uint64_t hash,
                                              bool *wrong)
{
    return call_find_typed(call, key, hash, OBJECT_STRING, wrong);
}

/* The effect is the command as it was sent. */
void call_effect_verbatim(struct call *call);
/* The effect is this command. */
void call_effect(struct call *call, size_t argc, const struct bytes *argv);
/* The effect is DEL key. */
void call_effect_delete(struct call *call, struct bytes key);

/* Of a blocking command, which has written no reply: it is to be executed again when one of the
 * `count` keys at argument `first` and behind it holds a value of that type. */
void call_wait(struct call *call, size_t first, size_t count, enum object_type type);

/* Replies that many commands share. */
void call_reply_syntax_error(struct call *call); /* ERR syntax error */
void call_reply_wrong_type(struct call *call);   /* WRONGTYPE ... */
void call_reply_not_integer(struct call *call);  /* ERR value is not an integer or out of range */
void call_reply_no_memory(struct call *call);    /* OOM ... */
#define CALL_NOT_JOINED "CLUSTERDOWN the node has not joined a cluster yet"

/* True if argument `index`, in any case, is this lower-case word. */
bool call_argument_is(const struct call *call, size_t index, const char *word);
/* Parses argument `index`; on failure replies "ERR value is not an integer or out of range". */
bool call_argument_int64(struct call *call, size_t index, int64_t *out) TORC_MUST_USE;

#endif
