/*
 * What a handle of libtorc is made of. Any number of threads use one.
 *
 *      torc_command, pipelines, futures, helpers     torc.c, pipeline.c, submit.c, helpers.c
 *        waiter     who waits, and who runs the engine for all
 *        loop       callbacks; the library's own thread, or the program's loop
 *        engine     one turn: timers, writing, epoll, reading
 *        dispatch   where a call goes          settle   what a reply or a failure means for it
 *        reading    which copy of a slot is read
 *        order      calls of one slot that must not overtake each other
 *        names      by which a write that is sent again is executed once
 *        discover   views and the table of commands
 *        subscription   what lasts: SUBSCRIBE
 *        near       values that are kept here          near_node   being told of their changes
 *        routing, topology, answer, retry, breaker, refresh, split    pure
 *        node, connection, resolver            sockets
 *
 * There is one lock. It is never held while something is read, written or waited for.
 */
#ifndef TORC_CLIENT_HANDLE_H
#define TORC_CLIENT_HANDLE_H

#include "base/prng.h"
#include "client/call.h"
#include "client/command_table.h"
#include "client/connection.h"
#include "client/discover.h"
#include "client/load.h"
#include "client/loop.h"
#include "client/names.h"
#include "client/near.h"
#include "client/node.h"
#include "client/options.h"
#include "client/order.h"
#include "client/refresh.h"
#include "client/routing.h"
#include "client/waiter.h"

#include <pthread.h>

/* Threads whose calls were answered together will most likely ask again at once: the first of them
 * does not send its next call alone, but waits a moment until the last of them has come. */
struct gather {
    bool active;      /* nothing is sent until ... */
    size_t expected;  /* ... so many more have come, or GATHER_US have passed */
    size_t answered;  /* since the last time */
    unsigned penalty; /* it did not pay: they did not come */
    unsigned skip;    /* so it is not tried for so many times */
};

struct torc {
    /* set when it is made, read only after that */
    struct client_options options;
    bool options_valid;
    uint64_t birth; /* tells it from one that had its address before */
    int epoll_fd;   /* sockets and the two below; may itself be polled by a program's loop */
    int event_fd;   /* wakes whoever polls */
    int timer_fd;   /* the same, at due_ms, for a program's loop */

    /* set once, by the first join, read by any thread after that */
    struct command_table table;
    _Atomic(const struct command_table *) commands; /* it, once it is there */

    _Atomic(uint32_t) wake_count; /* a futex, on which threads sleep */
    struct loads loads;           /* has a lock of its own */
    struct near *near;            /* NULL = none; most of it is under the lock */

    pthread_mutex_t lock;
    /* under the lock */
    struct routing routing;
    struct node **direct; /* of each node of the topology, for its own slots; NULL: not yet known */
    struct node **any;    /* the same, for commands without keys */
    struct node **replicas; /* the same, for reading from it as a replica */
    size_t any_turn;
    size_t read_turn;
    struct nodes nodes;
    bool trim_nodes; /* the topology has changed */
    struct prng prng;
    struct retry_budget budget;
    struct refresh refresh;
    struct discover discover;
    struct order order;
    struct names names;
    struct subscription *subscriptions; /* all that have not ended */

    struct call *live_first; /* all that are not completed, oldest first */
    struct call *live_last;
    size_t outstanding;
    size_t outstanding_bytes;
    uint64_t sequence;
    bool closing; /* nothing is tried again */
    struct call_list unrouted;
    struct call_list delayed;
    struct connection *dirty; /* connections with something to be sent */
    struct arguments scratch;

    bool led;                    /* some thread has the engine's role */
    uint64_t leads;              /* how often it has been taken, or passed on */
    uint64_t served;             /* blocking calls that were answered */
    struct waiter_list sleepers; /* threads that wait, and have it not */
    struct waiter *wakes;        /* those to be woken when the lock is released */
    uint32_t sleeps;             /* so many so far */
    bool polling;                /* whoever has the role is in epoll_wait */
    uint64_t due_ms;             /* no timer is due before that; timer_fd is set to it */
    uint64_t armed_ms;           /* what it is set to */
    struct gather gather;
    struct loop loop;
};

#endif
