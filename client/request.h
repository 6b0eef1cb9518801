/*
 * Requests as they travel: encoding, taking an encoded one apart, and where it has to go. Pure.
 */
#ifndef TORC_CLIENT_REQUEST_H
#define TORC_CLIENT_REQUEST_H

#include "base/attributes.h"
#include "client/command_table.h"

#define REQUEST_NO_SLOT UINT16_MAX

/* An array of arguments that is used again and again. Zeroed = empty. */
struct arguments {
    struct bytes *items; /* owned; what they point at is not */
    size_t count;
    size_t capacity;
};

struct request_route {
    uint16_t slot; /* of all its keys; REQUEST_NO_SLOT: the client port of any node serves it */
    bool readonly; /* executing it twice does no harm */
    bool blocking; /* it may wait at the server: see blocking.h */
};

void arguments_deinit(struct arguments *arguments);
/* Sets the count, making room. 0 or TORC_ENOMEM. */
int arguments_resize(struct arguments *arguments, size_t count) TORC_MUST_USE;

/* What the node would refuse, before it is sent: 0, TORC_EINVAL (no arguments, an empty command
 * name), TORC_ETOOBIG (too many, or one too large). */
int request_check(const struct bytes *argv, size_t argc) TORC_MUST_USE;
/* True for commands that change what the connection means, or whose replies are not one for one:
 * they would upset every other command on a shared connection. */
bool request_is_connection_bound(const struct bytes *argv, size_t argc);
/* The size of the encoding (an array of bulk strings), and the encoding: so many bytes at `out`. */
size_t request_size(const struct bytes *argv, size_t argc);
void request_write(char *out, const struct bytes *argv, size_t argc);
/* Takes one encoded request apart; the arguments borrow from it. 0, TORC_ECORRUPT (it is not
 * exactly one array of bulk strings), TORC_ETOOBIG (too many arguments), TORC_ENOMEM. */
int request_split(struct arguments *out, struct bytes encoded) TORC_MUST_USE;
/* By the slots of its keys. An unknown command goes to any node. */
struct request_route request_route(const struct command_table *table, const struct bytes *argv,
                                   size_t argc);

#endif
