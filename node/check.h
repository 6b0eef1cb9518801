/*
 * Comparing copies by their digests while they are used. As a primary a node goes through the slots
 * that it leads, a little at a time, each worker through those whose streams it sends, and tells
 * the members what each range of keys comes to; as a replica it compares, and counts what it found.
 * replication/copy_check.c says what is compared. TORC.CHECK begins a run and shows both sides.
 */
#ifndef TORC_NODE_CHECK_H
#define TORC_NODE_CHECK_H

#include "base/attributes.h"
#include "base/limits.h"
#include "replication/copy.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct node;
struct peer;
struct worker;

#define CHECK_PEER_NONE COPY_PEER_NONE

/* What the latest run of one primary came to at this node; ranges. */
struct check_received {
    uint64_t run;      /* the primary's number of it; 0 = none was heard of */
    uint64_t compared; /* the differing ones among them */
    uint64_t passed;   /* not compared, for this node did not follow the primary there */
    uint64_t differing;
    unsigned logged; /* slots */
};

struct check {
    /* any thread: the run under way, or the last one of this node as a primary */
    _Atomic uint64_t run;            /* 0 = there was none */
    _Atomic unsigned workers_left;   /* that have not ended it */
    _Atomic uint64_t slots_to_check; /* led when it began */
    _Atomic uint64_t slots_checked;
    _Atomic uint64_t slots_gone;    /* not led any more when it was their turn */
    _Atomic uint64_t ranges_sent;   /* each counted for each replica */
    _Atomic uint64_t ranges_unsent; /* likewise: to one that is being filled */
    uint8_t led[SLOT_COUNT / 8];    /* the slots; constant while workers are left */

    pthread_mutex_t lock;
    uint64_t run_count;                        /* lock; this node's runs */
    struct check_received received[NODES_MAX]; /* lock; by peer */
    uint16_t differing_from[SLOT_COUNT];       /* lock; the peer whose slot it is, by its latest
                                                  run; CHECK_PEER_NONE = nothing was found */
};

/* Where a worker is in the run. */
struct check_walk {
    uint64_t begun;         /* number of the run */
    uint64_t ended;         /* the same once it is through */
    uint32_t slot;          /* the next one, or that under way */
    uint64_t acks_until_ms; /* all slots are done: it waits for acknowledgements, for so long at
                               most; monotonic; 0 = not yet */
    struct copy_check copy;
};

void check_init(struct check *check);
void check_deinit(struct check *check);

/* Begins a run. *run: its number, which this node has used for no other. TORC_EAGAIN: one is under
 * way, and *run is that one's. Any thread. */
int check_start(struct node *node, uint64_t *run) TORC_MUST_USE;
/* True while a run is under way: until the replicas have acknowledged all they were told, or for
 * ten seconds after that if one does not. Any thread. */
bool check_is_running(const struct check *check);

/* This worker. Whether it has a part of a run to do; goes on with it, for about a millisecond. */
bool check_is_due(const struct worker *worker);
void check_step(struct worker *worker, uint64_t now_ms);

/* A peer's check has arrived, and this is what the copy here says to it: COPY_APPLIED, _DIFFERS or
 * _PASSED. This worker. */
void check_note(struct worker *worker, const struct peer *peer, const struct op *op,
                enum copy_verdict verdict);

#endif
