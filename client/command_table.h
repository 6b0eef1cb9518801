/*
 * Where the keys of each command are, as the cluster itself says in its reply to COMMAND. Built
 * once a handle, read-only after that. Pure.
 */
#ifndef TORC_CLIENT_COMMAND_TABLE_H
#define TORC_CLIENT_COMMAND_TABLE_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "client/limits.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

struct command_keys {
    char name[COMMAND_NAME_SIZE_MAX + 1]; /* lower case; "object|encoding" for a subcommand */
    int32_t first_key;                    /* index among the arguments; 0 = no keys */
    int32_t last_key;                     /* the same, or negative: counted from the end */
    int32_t key_step;                     /* at least 1 when there are keys */
    bool readonly;
    bool movable;  /* the numbers above do not tell all keys */
    bool blocking; /* it may wait at the server */
};

struct command_table {
    struct command_keys *rows;
    size_t count;
    uint16_t *buckets;   /* a hash table of the names: 1 + index of a row, 0 = empty */
    size_t bucket_count; /* a power of two, at least twice `count` */
    bool once;           /* the server knows names of writes: see names.h */
    bool locks;          /* ... and TORC.LOCK */
};

/* Fills *out, which is the caller's to deinit, from the reply to COMMAND. 0, TORC_EPROTOCOL (not
 * such a reply), TORC_ETOOBIG, TORC_ENOMEM; on failure *out is empty. */
int command_table_read(struct command_table *out, const redisReply *reply) TORC_MUST_USE;
void command_table_deinit(struct command_table *table);

/* The row of a request: that of its subcommand if there is one. NULL: unknown. argc > 0. */
const struct command_keys *command_table_find(const struct command_table *table,
                                              const struct bytes *argv, size_t argc);

#endif
