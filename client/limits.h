/*
 * Limits of the client library, with their reasons; those it shares with the node are in
 * base/limits.h.
 */
#ifndef TORC_CLIENT_LIMITS_H
#define TORC_CLIENT_LIMITS_H

#include "base/limits.h"

#define SEEDS_MAX 64                    /* one that answers is enough */
#define CONNECT_TIMEOUT_MS_DEFAULT 1000 /* a lost SYN is sent again after 1 s; then try another */
#define TIMEOUT_MS_DEFAULT 5000         /* longer than a fail-over, which takes about one lease */
#define TIMEOUT_MS_MAX (24 * 60 * 60 * 1000) /* so that sums of times never overflow */
#define COMMANDS_MAX 8192                    /* rows, subcommands included, taken from COMMAND */
#define COMMAND_NAME_SIZE_MAX 63             /* of "container|subcommand", without the zero */
#define ROUTING_EXCEPTIONS_MAX 64            /* slots known to be elsewhere than the view says */
#define REDIRECTS_AT_ONCE 3                  /* MOVED followed without waiting; more is a loop */
#define RETRY_DELAY_MS_MIN 10
#define RETRY_DELAY_MS_MAX 250
#define ERROR_TEXT_SIZE 512
#define RECEIVE_SIZE (32u * 1024)  /* asked of the kernel at a time; lies on the stack */
#define ARGUMENTS_KEPT 4096        /* of arrays that are used again and again ... */
#define BUFFER_KEPT (1024u * 1024) /* ... what stays allocated between calls */
#ifdef TORC_TINY_LIMITS
#define PIPELINE_COMMANDS_MAX 64
#define PIPELINE_SIZE_MAX (256u * 1024)
#else
#define PIPELINE_COMMANDS_MAX (1024u * 1024)           /* as many as arguments of one request */
#define PIPELINE_SIZE_MAX ((size_t)1024 * 1024 * 1024) /* bytes; two of the largest values */
#endif

#endif
