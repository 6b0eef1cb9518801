/*
 * One worker thread: an event loop with its own listeners, its clients, its links to the peers and
 * the streams it sends. Workers share the slots (under their locks) and nothing else that changes.
 */
#ifndef TORC_NODE_WORKER_H
#define TORC_NODE_WORKER_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/prng.h"
#include "node/check.h"
#include "node/clients.h"
#include "node/far.h"
#include "node/link.h"
#include "node/mailbox.h"
#include "node/node.h"
#include "node/refills.h"
#include "node/resp/request.h"
#include "node/slot_rim.h"
#include "node/store/evictor.h"
#include "node/streams.h"

#include <ev.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define WORKER_READ_BUFFER_SIZE (64u * 1024)

struct blocked;
struct bus_connection;
struct connection;
struct invalidation;
struct operation;
struct stream_sender;

enum listener_kind { LISTEN_CLIENT, LISTEN_DIRECT, LISTEN_BUS, LISTENER_COUNT };

struct listener {
    struct worker *worker;
    enum listener_kind kind;
    int fd;
    ev_io watcher;
};

/* Names that a worker gives, all of one origin: see replication/outcomes.h. */
struct names {
    uint64_t origin; /* 0 = not known yet */
    uint64_t last_id;
    struct operation *first, *last; /* operations that have one, the oldest first */
};

struct worker {
    /* constant */
    struct node *node;
    unsigned index;
    uint64_t bit; /* in replica_stream.waiting */
    pthread_t thread;
    struct ev_loop *loop;

    /* any thread */
    ev_async wake; /* through worker_wake alone */
    _Atomic bool woken;
    _Atomic bool look_at_clients; /* some are to be killed, or a pause has ended */
    _Atomic bool streams_dirty;   /* a stream that it sends has something new */
    _Atomic bool compacting;      /* goes round its slots, moving keys out of sparse pages */
    _Atomic bool view_came;       /* what is held may find its way now */
    _Atomic size_t waiting_count; /* operations in `waiting`; the worker writes it */
    struct mailbox posted;        /* of its operations: served or put out */
    struct mailbox invalidations; /* for its clients */

    /* this worker */
    struct worker_stats stats;
    struct listener listeners[LISTENER_COUNT];
    ev_prepare before_sleep;
    ev_timer tick;
    const struct view *view; /* as of the last look; NULL before the first */
    uint64_t view_epoch;
    struct prng prng;
    char *read_buffer;              /* where idle connections read into */
    struct argument_list arguments; /* of the batch under way */
    struct argument_list replayed;  /* of a held operation or of an effect being applied */
    struct argument_list looked_at; /* of an effect that is being told, beside either of these */
    struct buf effects;             /* of the call under way */
    struct buf chunk;               /* replies of the batch under way */
    struct ack_set chunk_acks;
    unsigned chunk_replies;
    struct ack_set *local_acks; /* of the execute_local under way */
    uint64_t wait_ms;           /* how long the WAIT just executed is to wait */
    bool has_lease;             /* at the beginning of the batch under way */
    bool guarded;               /* something was executed since then that needs the lease */
    uint64_t term;              /* of that beginning */
    struct slot_rim rim;
    struct refills refills;
    struct check_walk check;     /* of copies; its part of the run under way */
    uint64_t now_wall_ms;        /* of the batch under way */
    struct session peer_session; /* as which effects are applied */
    struct connection *connections;
    struct clients clients;         /* the same by id */
    struct connection *flush_first; /* connections to look after before sleeping */
    struct bus_connection *bus_connections;
    uint64_t last_bus_number;
    unsigned bus_held;                        /* streams that wait for a view */
    struct link *links[NODES_MAX];            /* by peer; NULL until needed */
    struct stream_sender *senders[NODES_MAX]; /* by peer; NULL until needed */
    bool acks_arrived;                        /* look at `waiting` before sleeping */
    struct operation *waiting;                /* for acknowledgements */
    struct operation *held_first, *held_last; /* for a view or a take-over, oldest first */
    struct names names;                       /* of writes that it forwards */
    struct names wait_names; /* of commands that wait: one of them would keep what came after from
                                being settled */
    uint64_t age_at_ms;      /* when outcomes are aged next; monotonic */
    uint16_t held_count[SLOT_COUNT];
    bool held_unsorted;              /* not in the order in which they were begun */
    uint64_t last_sequence;          /* of operations */
    uint32_t sent_count[SLOT_COUNT]; /* requests under way to the slot's leader */
    /* One has come back that was not made, and others are still under way, which may have been:
     * those that are held for the slot wait until these are answered too, and go out in order then.
     */
    bool recalled[SLOT_COUNT];
    struct far far;      /* what its clients keep that was read at other nodes */
    uint32_t sent_total; /* the sum of it: mostly 0, and then the table is not looked at */
    uint16_t sweep_slot; /* where the expiry sweep goes on */
    bool sweep_behind;   /* it has more to do than its budget allowed */
    struct evictor evictor;
    unsigned compact_slot; /* where moving keys goes on */
    uint64_t compact_cursor;
    uint64_t accept_paused_until_ms;
    bool tracks_too_much;       /* more keys are tracked than there may be: see tracking_trim */
    unsigned trim_slot;         /* where that goes on */
    uint64_t freed_at_us;       /* when it last freed something big; monotonic */
    uint64_t memory_look_at_ms; /* worker 0: when it next takes stock; monotonic */
    uint64_t pause_seen_ms;     /* the last CLIENT PAUSE whose end was noticed */
};

struct worker *worker_create(struct node *node, unsigned index);
void worker_destroy(struct worker *worker);
/* Opens its listeners. TORC_EIO with the reason logged. */
int worker_listen(struct worker *worker) TORC_MUST_USE;
/* The thread: runs until the node stops. */
void *worker_run(void *worker);
/* Any thread. Makes it look at acknowledgements, views, kills and streams. */
void worker_wake(struct worker *worker);

/* This worker. Before executing anything: looks at the clocks, the lease and the term. */
void worker_begin(struct worker *worker);
/* True if what was executed in that term may be answered at this instant. */
bool worker_may_answer(const struct worker *worker, uint64_t term);
struct link *worker_link(struct worker *worker, uint16_t peer); /* NULL without memory */
/* The view as of the last worker_follow_view; NULL before the node has joined. Borrowed until the
 * loop sleeps. */
const struct view *worker_view(struct worker *worker);
/* True if something is under way to whoever leads the slot: nothing that comes later may be
 * executed here before it is answered. */
static inline bool worker_is_behind(const struct worker *worker, uint16_t slot)
{
    return worker->sent_total > 0 && slot < SLOT_COUNT && worker->sent_count[slot] > 0;
}
/* Takes up the present view. What is under way to a node that does not lead its slot any more is
 * taken back in the same breath, so that nothing that comes later can overtake it. */
void worker_follow_view(struct worker *worker);

#endif
