/*
 * What a connection says first, before any call: who it is (AUTH), that it reads from a replica
 * (READONLY), and, if it is to subscribe, by which number the server knows it (CLIENT ID). Its
 * replies come before those of all calls. Pure; a value, one for each connection.
 */
#ifndef TORC_CLIENT_GREETING_H
#define TORC_CLIENT_GREETING_H

#include "base/attributes.h"
#include "client/node.h"
#include "client/options.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>

/* Zeroed = nothing to say. */
struct greeting {
    char *bytes; /* owned */
    size_t size;
    bool authenticates;   /* the first reply is that of AUTH */
    unsigned replies_due; /* not come yet */
    int64_t client_id;    /* as the server said; 0: it did not */
};

/* 0 or TORC_ENOMEM. */
int greeting_init(struct greeting *greeting, const struct client_options *options,
                  enum node_use use) TORC_MUST_USE;
void greeting_deinit(struct greeting *greeting);
/* Its next reply. NULL: it is well; else why the connection is of no use. */
const char *greeting_reply(struct greeting *greeting, const redisReply *reply);

#endif
