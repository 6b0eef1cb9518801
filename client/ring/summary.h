/*
 * What there is to say about a cluster: a view, counted, with what its nodes say of themselves, and
 * what is wrong. Pure; one owner.
 *
 *      summary_init       counts the view
 *      summary_read_info  for each node that answers
 *      summary_judge      totals, imbalance, warnings
 */
#ifndef TORC_CLIENT_RING_SUMMARY_H
#define TORC_CLIENT_RING_SUMMARY_H

#include "base/attributes.h"
#include "base/buf.h"
#include "client/ring/info.h"
#include "ring/view.h"

#include <stdbool.h>

#define IMBALANCE_MAX 0.10 /* more than that over its due is worth a warning */

struct node_summary {
    uint32_t primaries; /* slots that it leads now */
    uint32_t replicas;  /* slots of which it holds another copy that is up */
    double due;         /* primaries it would lead by its weight, were all equal that are up */
    double due_bytes;   /* memory, of what those that answer have; by summary_judge */
    struct node_info info;
    uint64_t lag_bytes; /* what it still has to be told by those whose replica it is; INFO_UNKNOWN
                           if nobody says */
};

/* The most that a node has over its due: 0.1 = 10 %. Of what is unknown it is 0. */
struct imbalance {
    double slots;
    double keys;
    double bytes;
    double ops;
};

/* How far a ring change has come, counted in slots that it moves. */
struct change_progress {
    uint32_t slots_total;
    uint32_t slots_moved;
};

struct summary {
    const struct view *view;    /* borrowed */
    struct node_summary *nodes; /* owned; one for each of the view's */
    uint32_t slots_without_owner;
    uint32_t slots_short;            /* with an owner, but fewer copies that are up than agreed */
    struct change_progress progress; /* while changing */
    uint64_t asked_ms; /* how long asking took: clocks were read within it. The caller's to set */

    /* By summary_judge: sums over the nodes that answer, and what is wrong. */
    uint64_t keys;
    uint64_t memory_bytes;
    uint64_t ops_per_second; /* INFO_UNKNOWN if nobody says */
    uint64_t clock_us;       /* what the clock in the middle shows; 0 if nobody says */
    struct imbalance imbalance;
    struct buf warnings; /* lines, each with its '\n' */
    size_t warning_count;
};

/* Counts. The view is sealed and must outlive *out. 0 or TORC_ENOMEM. */
int summary_init(struct summary *out, const struct view *view) TORC_MUST_USE;
void summary_deinit(struct summary *summary);

/* Takes what node `index` says of itself, and of its replicas, out of its reply to INFO. */
void summary_read_info(struct summary *summary, size_t index, struct bytes info);

/* After all nodes were asked. 0 or TORC_ENOMEM. */
int summary_judge(struct summary *summary) TORC_MUST_USE;

/* The slots that are placed differently by the two rings of a view, and how many of them are where
 * they are to be; zeros unless changing. */
struct change_progress summary_progress(const struct view *view);

/* "up", "syncing", "down". */
const char *summary_status_name(enum node_status status);
/* The same, or "leaving" or "removing" where that says more. */
const char *summary_state_name(const struct view_node *node);

#endif
