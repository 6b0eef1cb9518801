/*
 * The one table of commands: what a command is called, how many arguments it takes, where its keys
 * stand, how it reaches them across the cluster, and what it does. COMMAND, COMMAND DOCS and the
 * documentation come from it. Constant after start; any thread.
 */
#ifndef TORC_NODE_COMMAND_H
#define TORC_NODE_COMMAND_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct call;

/* Does the command: reads call->argv, writes exactly one reply to call->reply. */
typedef void command_handler(struct call *call);

enum command_flag {
    COMMAND_WRITE = 1 << 0,
    COMMAND_READONLY = 1 << 1,
    COMMAND_DENYOOM = 1 << 2, /* may grow memory: evict or refuse first when over --memory */
    COMMAND_FAST = 1 << 3,
    COMMAND_ADMIN = 1 << 4,
    COMMAND_LOADING = 1 << 5,  /* answered before the node has joined its cluster */
    COMMAND_INTERNAL = 1 << 6, /* between nodes only: unknown to clients */
    COMMAND_NO_AUTH = 1 << 7,
    COMMAND_BLOCKING = 1 << 8,
    COMMAND_NODE_PART = 1 << 9,   /* one node's part of a command that concerns every node */
    COMMAND_KEY_COUNT = 1 << 10,  /* the argument before the first key says how many keys follow */
    COMMAND_KEY_TARGET = 1 << 11, /* with it: one key stands before that, where the result goes */
};

/* How a command finds the nodes it concerns. */
enum command_route {
    ROUTE_LOCAL,       /* the node that was asked; no slot */
    ROUTE_SLOT,        /* all keys in one slot, at its primary; else -CROSSSLOT */
    ROUTE_SPLIT_ARRAY, /* MGET: key by key, the one-element arrays joined in order */
    ROUTE_SPLIT_SUM,   /* DEL: key by key, the integers added */
    ROUTE_SPLIT_OK,    /* MSET: pair by pair, +OK when all are */
    ROUTE_ALL_SUM,     /* DBSIZE: every node's own part, added */
    ROUTE_ALL_CONCAT,  /* KEYS: every node's array, joined */
    ROUTE_ALL_OK,      /* FLUSHALL */
    ROUTE_ALL_PICK,    /* RANDOMKEY: one of the nodes' answers, weighted by their keys */
    ROUTE_ALL_SCAN,    /* SCAN: see commands/scan.c */
};

/* COMMAND DOCS groups; also the ACL category of the same name. */
enum command_group {
    GROUP_STRING,
    GROUP_LIST,
    GROUP_HASH,
    GROUP_SET,
    GROUP_SORTED_SET,
    GROUP_GENERIC,
    GROUP_CONNECTION,
    GROUP_PUBSUB,
    GROUP_SERVER,
    GROUP_CLUSTER,
};

struct command {
    const char *name; /* lower case; a subcommand's is "client|list" */
    int arity;        /* > 0: exactly; < 0: at least -arity; the name counts */
    unsigned flags;
    enum command_route route;
    int8_t first_key; /* argument index; 0 = no keys */
    int8_t last_key;  /* negative counts from the end: -1 = last */
    int8_t key_step;
    enum command_group group;
    command_handler *handler; /* NULL for a container that has only subcommands */
    const char *summary;
    const char *since; /* of Redis, for compatibility */
    const char *complexity;
    const struct command *subcommands; /* ends with a NULL name; or NULL */
};

struct command_table; /* index over the commands, by name */

/* NULL without memory. */
struct command_table *command_table_create(void);
void command_table_destroy(struct command_table *table);
size_t command_table_count(const struct command_table *table);
const struct command *command_table_at(const struct command_table *table, size_t index);

/* The command of that name in any case, containers unresolved; NULL if there is none. Hot path. */
const struct command *command_find(const struct command_table *table, struct bytes name);
/* Resolves a container's subcommand by argv[1]; the command itself if it has none; NULL when the
 * subcommand is unknown or missing. */
const struct command *command_resolve(const struct command *command, const struct bytes *argv,
                                      size_t argc);
/* True if every node has a part in it. */
static inline bool command_is_node_wide(const struct command *command)
{
    return (command->flags & COMMAND_NODE_PART) != 0 || command->route >= ROUTE_ALL_SUM;
}
/* True if the number of arguments is lawful. */
static inline bool command_arity_ok(const struct command *command, size_t argc)
{
    return command->arity > 0 ? argc == (size_t)command->arity : argc >= (size_t)-command->arity;
}
/* Index one past the last key's argument; 0 when the command has no keys. A count of keys that is
 * none, or more than there are arguments, counts as one: the handler says what is wrong with it. */
size_t command_keys_end(const struct command *command, const struct bytes *argv, size_t argc);
/* Index of the key behind the one at `index`; at the end or beyond, that was the last one. */
static inline size_t command_key_next(const struct command *command, size_t index)
{
    bool target = (command->flags & COMMAND_KEY_TARGET) != 0 && index == (size_t)command->first_key;
    return index + (size_t)command->key_step + (target ? 1 : 0);
}

#endif
