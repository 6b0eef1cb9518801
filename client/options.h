/*
 * The options of a handle, checked and with their defaults put in. Pure; one owner.
 */
#ifndef TORC_CLIENT_OPTIONS_H
#define TORC_CLIENT_OPTIONS_H

#include "base/attributes.h"
#include "client/endpoint.h"
#include "client/limits.h"
#include "torc/torc.h"

struct client_options {
    struct endpoint *seeds; /* owned */
    size_t seed_count;
    unsigned connect_timeout_ms;
    unsigned timeout_ms;
    unsigned attempt_timeout_ms; /* 0 = none but the above */
    unsigned connections_per_node;
    size_t outstanding_max;
    unsigned breaker_failures;
    unsigned breaker_open_ms;
    bool fail_fast;
    bool unnamed_writes;
    char *user;     /* owned; NULL = that of the server's default */
    char *password; /* owned; NULL = none is said */
    enum torc_read_from read_from;
    char zone[ZONE_SIZE_MAX + 1];
    size_t near_bytes; /* 0 = no near cache */
    unsigned near_stale_ms;
    bool has_zone;           /* it was said */
    torc_fallback *fallback; /* NULL = none */
    void *fallback_context;
};

/* 0, TORC_EINVAL, TORC_ETOOBIG, TORC_ENOMEM; on failure `error` names the option and what is
 * accepted, and *out needs no deinit. `options` may be NULL, which is an error. */
int client_options_read(struct client_options *out, const struct torc_options *options,
                        char error[ERROR_TEXT_SIZE]) TORC_MUST_USE;
void client_options_deinit(struct client_options *options);

#endif
