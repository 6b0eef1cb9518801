/*
 * What there is to say about a cluster: a view, counted, with what its nodes say of themselves, and
 * what is wrong. Pure; one owner.
 */
#ifndef TORC_CLIENT_RING_SUMMARY_H
#define TORC_CLIENT_RING_SUMMARY_H

#include "base/attributes.h"
#include "base/buf.h"
#include "ring/view.h"

#include <stdbool.h>

struct node_summary {
    uint32_t primaries; /* slots that it leads now */
    uint32_t replicas;  /* slots of which it holds another copy that is up */
    double due;         /* primaries it would lead by its weight, were all equal that are up */
    bool answers;       /* it was asked, and these are known: */
    uint64_t keys;      /* replicas' included */
    uint64_t memory_bytes;
};

struct summary {
    const struct view *view;    /* borrowed */
    struct node_summary *nodes; /* owned; one for each of the view's */
    uint32_t slots_without_owner;
    uint32_t slots_short;   /* with an owner, but fewer copies that are up than agreed */
    uint32_t slots_to_move; /* while changing: not yet owned as the target says */
    struct buf warnings;    /* lines, each with its '\n' */
    size_t warning_count;
};

/* Counts. The view is sealed and must outlive *out. 0 or TORC_ENOMEM. */
int summary_init(struct summary *out, const struct view *view) TORC_MUST_USE;
void summary_deinit(struct summary *summary);

/* Takes keys and memory out of the reply to INFO; sets `answers` if they are there. */
void summary_read_info(struct node_summary *node, struct bytes info);

/* After all nodes were asked: fills warnings. 0 or TORC_ENOMEM. */
int summary_judge(struct summary *summary) TORC_MUST_USE;

/* How many percent more primaries than due; 0 for a node that is due none and has none. */
double summary_deviation(const struct node_summary *node);

/* "up", "syncing", "down". */
const char *summary_status_name(enum node_status status);

#endif
