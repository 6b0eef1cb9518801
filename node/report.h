/*
 * What this node reports to the voters: whether it has carried out the present view, which slots
 * may move, which replicas hold up writes, and that it wants to leave. Control thread.
 */
#ifndef TORC_NODE_REPORT_H
#define TORC_NODE_REPORT_H

#include "base/limits.h"
#include "ring/node_id.h"

#include <stdbool.h>
#include <stdint.h>

struct control;

#define REPORT_SLOW_MAX 32

/* How far one peer's acknowledgements had come, and when they last went on. */
struct peer_progress {
    uint64_t acked;
    uint64_t since_ms;
};

struct report {
    uint64_t complete_epoch;
    uint64_t look_at_ms;     /* next due */
    uint64_t moves_at_ms;    /* next due */
    uint64_t slow_at_ms;     /* next due */
    uint64_t ready_since_ms; /* since when some slots may move; 0 = none may */
    bool any_ready;          /* those that may are told */
    uint8_t ready[SLOT_COUNT / 8];
    struct node_id slow[REPORT_SLOW_MAX];
    size_t slow_count;
    struct peer_progress progress[NODES_MAX];
};

/* Looks where a look is due, and tells the quorum. */
void report_update(struct control *control, uint64_t now_ms);
/* A view was installed: everything is looked at anew. */
void report_view_changed(struct control *control);

#endif
