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
#define RETRY_DELAY_MS_MIN 20
#define RETRY_DELAY_MS_MAX 250
#define RETRY_BUDGET_MAX 100       /* retries at once, of a handle that has made none for a while */
#define RETRY_BUDGET_PER_SECOND 50 /* ... and while nothing succeeds */
#define BREAKER_FAILURES_DEFAULT 5
#define BREAKER_FAILURES_MAX 1000000
#define BREAKER_OPEN_MS_DEFAULT 500
#define BREAKER_OPENINGS_MAX 4  /* doublings: a dead node is asked every 8 s at least */
#define REFRESH_INTERVAL_MS 500 /* between views asked for: a fail-over takes some of these */
#define REFRESH_URGENT_MS 100   /* the first question is put within so long ... */
#define REFRESH_SPREAD_MS 1000  /* ... or within this, when MOVED has told where to go meanwhile */
#define REFRESH_NODES_MAX 8     /* asked in one go, besides the seeds; the next begins elsewhere */
#define CONNECTIONS_PER_NODE_MAX 16
#define DEDICATED_CONNECTIONS_MAX 64 /* to one node, of commands that may wait at the server */
#define NEAR_BYTES_MIN (64u * 1024)
#define NEAR_STALE_MS_DEFAULT 2000
#define NEAR_STALE_MS_MIN 100
#define NEAR_QUESTIONS 3      /* whether a node lives, in the time for which its values are good */
#define NEAR_AGAIN_MS 1000    /* after its connection was lost it is asked to track again */
#define NEAR_REFUSED_MS 30000 /* ... and after it refused */
#define NEAR_NODES_MAX 1024   /* that were ever asked to track */
#define SUBSCRIPTION_PING_MS                                                                       \
    15000 /* a subscription whose node is gone without a word is noticed so */
#define SUBSCRIPTION_WAITING_MAX ((size_t)32 * 1024 * 1024) /* bytes of messages not taken yet */
#define OUTSTANDING_MAX_DEFAULT 65536                       /* calls; about 20 MB of small ones */
#define OUTSTANDING_MAX (16 * 1024 * 1024)
#define OUTSTANDING_SIZE_MAX ((size_t)1024 * 1024 * 1024) /* bytes; two of the largest values */
#define FLUSH_CALLS_MAX 128           /* of one writev; the kernel takes 1024 pieces */
#define FLUSH_SIZE_MAX (1024u * 1024) /* bytes after which one writev is enough */
#define IDLE_CHECK_MS 20      /* a connection quiet for longer is looked at before it is used */
#define CORKED_CALLS_MAX 64   /* queued behind calls in flight before they are sent all the same */
#define LOOP_STAND_BY_US 2000 /* so late news may be; 500 wakes a second at most */
#define GATHER_US 200         /* the longest that a call waits for others to come along ... */
#define GATHER_CALLS_MIN 3    /* ... if so many were answered together: two gain nothing ... */
#define GATHER_SKIPS_MAX 255  /* ... and how seldom that is tried while they do not */
#define REPLIES_AT_ONCE 256   /* parsed before they are handed out, under the lock */
#define REPLY_DEPTH_MAX 64    /* arrays in arrays; hiredis has no limit since 1.0, a stack has */
#define EVENTS_AT_ONCE 64     /* of one epoll_wait */
#define TIMER_GRAIN_MS 4      /* timers that are nearer to each other run together */
#define ERROR_TEXT_SIZE 512
#define RECEIVE_SIZE (64u * 1024) /* asked of the kernel at a time; lies on the stack */
#define PIPELINE_WINDOW 8192      /* calls of a pipeline on their way at one time ... */
#define PIPELINE_WINDOW_SIZE (16u * 1024 * 1024) /* ... and bytes: enough for any network */
#define ARGUMENTS_KEPT 4096                      /* of arrays that are used again and again ... */
#define BUFFER_KEPT (1024u * 1024)               /* ... what stays allocated between calls */
#ifdef TORC_TINY_LIMITS
#define PIPELINE_COMMANDS_MAX 64
#define PIPELINE_SIZE_MAX (256u * 1024)
#else
#define PIPELINE_COMMANDS_MAX (1024u * 1024)           /* as many as arguments of one request */
#define PIPELINE_SIZE_MAX ((size_t)1024 * 1024 * 1024) /* bytes; two of the largest values */
#endif

#endif
