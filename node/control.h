/*
 * The control thread: gossip, the quorum, views, taking slots over. Workers hand it what they
 * receive for it through the functions marked "any thread".
 */
#ifndef TORC_NODE_CONTROL_H
#define TORC_NODE_CONTROL_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/prng.h"
#include "node/link.h"
#include "node/report.h"
#include "node/slot_rim.h"
#include "node/state_file.h"
#include "ring/gossip.h"
#include "ring/ring_wish.h"
#include "ring/view.h"

#include <ev.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct node;
struct take;
struct quorum;
struct inbox_message;

#define WISH_LIMIT_MS 5000 /* a wish that no view grants by then is given up */

struct control {
    /* constant */
    struct node *node;
    struct ev_loop *loop;
    pthread_t thread;
    struct state_file state_file;

    /* any thread */
    ev_async wake;
    pthread_mutex_t offer_lock;
    _Atomic uint64_t ready_epoch; /* newest epoch for which nothing was missing; the control thread
                                     writes it */
    struct inbox_message *inbox;  /* offer_lock, as the next four: messages of the quorum */
    struct inbox_message **inbox_tail;
    size_t inbox_count;
    bool wish_prefer; /* this node is to lead all it owns */
    struct node_id wish_forget;
    struct ring_wish wish_ring; /* owned */

    /* control thread */
    int udp_fd;
    ev_io udp_reader;
    ev_timer tick;
    struct prng prng;
    struct take *take;
    struct quorum *quorum; /* NULL until the node has joined or founded */
    struct slot_rim rim;
    struct report report;
    uint16_t peers_of_view[NODES_MAX];
    uint64_t write_at_ms;   /* the state file: not before */
    uint64_t adopted_at_ms; /* when the present view was installed */
    uint64_t consider_at_ms;
    uint64_t report_at_ms;
    uint64_t catch_up_at_ms;
    int refused_last;        /* what a quorum message was last refused for */
    uint64_t leave_until_ms; /* leaving: stops then at the latest; 0 = not leaving */
    uint64_t leave_at_ms;    /* next look */
    bool said_goodbye;
    struct link *links[NODES_MAX]; /* by peer; NULL until needed */
    uint64_t housekeeping_at_ms;   /* monotonic: when next due, as the next two */
    uint64_t introduce_at_ms;
    uint64_t exchange_at_ms;
    uint64_t operations_seen; /* for the load figure */
    bool fetching;            /* a view is being fetched */
    int exit_code;
};

struct control *control_create(struct node *node);
void control_destroy(struct control *control);
/* Opens the gossip port. TORC_EIO, logged. */
int control_listen(struct control *control) TORC_MUST_USE;
/* The thread: joins or founds, then runs until the node stops. */
void *control_run(void *control);

/* Any thread. This node is to become primary of all it owns; or that node is to be removed, if it
 * is down. */
void control_wish(struct control *control, bool prefer, const struct node_id *forget);
/* The same for a wish for the ring, which moves to the control thread and leaves *ring empty. */
void control_wish_ring(struct control *control, struct ring_wish *ring);
/* Any thread. Look at node->stopping. */
void control_wake(struct control *control);

/* Control thread. Installs the view if it is newer than the installed one, and tells gossip. */
void control_adopt_view(struct control *control, const struct view *view);
struct link *control_link(struct control *control, uint16_t peer); /* NULL without memory */
/* Control thread. Asks that node for its view and installs it if it is newer. */
void control_fetch_view(struct control *control, const struct node_id *from);

/* join.c. Control thread: finds the cluster's view through the seeds, or founds a cluster, or goes
 * on with the remembered view. Blocks until it has one or the node is to stop. NULL: stop. */
struct view *join_cluster(struct control *control, const struct view *remembered);

/* leave.c. Control thread: of a node that is to leave, looks how far it is; stops it in the end. */
void leave_tick(struct control *control, uint64_t now_ms);

#endif
