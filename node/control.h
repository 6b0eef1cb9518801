/*
 * The control thread: gossip, the membership of the cluster, views, taking slots over. Workers hand
 * it what they receive for it through the functions marked "any thread".
 */
#ifndef TORC_NODE_CONTROL_H
#define TORC_NODE_CONTROL_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/prng.h"
#include "node/link.h"
#include "node/state_file.h"
#include "ring/gossip.h"
#include "ring/view.h"

#include <ev.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct node;
struct take;

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
    struct view *offered;         /* offer_lock; a view received by a worker, the newest */

    /* control thread */
    int udp_fd;
    ev_io udp_reader;
    ev_timer tick;
    struct prng prng;
    struct take *take;
    struct link *links[NODES_MAX]; /* by peer; NULL until needed */
    uint64_t membership_at_ms;     /* monotonic: when next due */
    uint64_t housekeeping_at_ms;
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

/* Any thread. A view came in: install it if it is newer. */
void control_offer_view(struct control *control, struct view *view);
/* Any thread. Look at node->stopping. */
void control_wake(struct control *control);

/* Control thread. Remembers the view on disk, installs it, tells gossip and the other nodes. False
 * when it could not be written or is not newer. */
bool control_adopt_view(struct control *control, const struct view *view, bool tell_others);
struct link *control_link(struct control *control, uint16_t peer); /* NULL without memory */
/* Control thread. Asks that node for its view and installs it if it is newer. */
void control_fetch_view(struct control *control, const struct node_id *from);

/* join.c. Control thread: finds the cluster's view through the seeds, or founds a cluster, or goes
 * on with the remembered view. Blocks until it has one or the node is to stop. NULL: stop. */
struct view *join_cluster(struct control *control, const struct view *remembered);

/* membership.c. Control thread, at the voter: turns what gossip knows into the next view, when
 * there is something to change. */
void membership_tick(struct control *control, uint64_t now_ms);

#endif
