/*
 * Whether a cluster is as it should be: every node knows the same view, each slot is led by exactly
 * one node, all copies are there, and each is equal to its primary's. Takes in what the nodes say,
 * and says in one line each what is wrong. Pure; one owner.
 *
 *      audit_read_view, audit_read_slots      one look at all nodes, judged by audit_judge_look
 *      audit_read_start                       each node begins to compare (TORC.CHECK)
 *      audit_read_status                      again and again, until audit_is_running is false
 *      audit_read_received                    what was found then, judged by audit_judge_copies
 */
#ifndef TORC_CLIENT_RING_AUDIT_H
#define TORC_CLIENT_RING_AUDIT_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/limits.h"
#include "ring/view.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUDIT_TROUBLE_SIZE 40
#define AUDIT_NAMED_MAX 20 /* copies that differ, with a line each; of more it is said how many */

/* One node of the view. */
struct audit_node {
    bool answers;                     /* it has said which view it knows */
    uint64_t epoch;                   /* of that; 0 = it is none that can be read */
    bool same_view;                   /* it is the audit's */
    char trouble[AUDIT_TROUBLE_SIZE]; /* why it does not compare, in 33 columns; "" = it does */

    /* As a primary: its run. */
    uint64_t run; /* 0 = not begun */
    bool running;
    uint64_t slots_to_check, slots_checked, slots_gone;
    uint64_t ranges_sent, ranges_unsent;
    /* Of that run, what the others received. */
    uint64_t ranges_compared, ranges_passed, ranges_differing;
};

/* A copy that is not what its primary has; nodes of the view. */
struct audit_difference {
    uint16_t slot, primary, replica;
};

struct audit {
    const struct view *view;            /* one reference */
    struct buf view_bytes;              /* its encoding */
    struct audit_node *nodes;           /* owned; one for each of the view's */
    uint16_t leader[SLOT_COUNT];        /* who says that it leads it, the last one of several */
    uint8_t leader_count[SLOT_COUNT];   /* how many say so; no more than 255 are counted */
    struct audit_difference *differing; /* owned; in the order of slots after the judgement */
    size_t differing_count;
    size_t differing_capacity;
    uint32_t slots_changed; /* differed, and are not led or copied there any more */
    struct buf problems;    /* lines, each with its '\n' */
    size_t problem_count;
    struct buf notes; /* lines: what is not wrong, and could not be looked at */
};

/* Takes a reference. 0 or TORC_ENOMEM. */
int audit_init(struct audit *out, const struct view *view) TORC_MUST_USE;
void audit_deinit(struct audit *audit);

/* Replies of node `index` of the view; NULL = it did not answer. */

/* To TORC.VIEW; a later one counts instead of an earlier one. */
void audit_read_view(struct audit *audit, size_t index, const redisReply *reply);
/* To CLUSTER SLOT-STATS SLOTSRANGE 0 16383. */
void audit_read_slots(struct audit *audit, size_t index, const redisReply *reply);
/* Every node that answers knows the audit's view. While views change that may be so only now and
 * then. */
bool audit_agrees(const struct audit *audit);
/* What is wrong with views, leaders and numbers of copies. `since_epoch`: of the view that was
 * known some seconds ago. If it is not the audit's, views are changing: nobody has to know the
 * newest, and leaders are not judged. 0 or TORC_ENOMEM. */
int audit_judge_look(struct audit *audit, uint64_t since_epoch) TORC_MUST_USE;

/* To TORC.CHECK START. False: another check is under way there, ask again. */
bool audit_read_start(struct audit *audit, size_t index, const redisReply *reply);
/* To TORC.CHECK STATUS of a node that has begun a run. False if it did not answer. */
bool audit_read_status(struct audit *audit, size_t index, const redisReply *reply);
/* Nodes that are to be asked for their status. */
bool audit_is_running(const struct audit *audit);
/* Of all slots that are to be checked, how many are. */
uint64_t audit_slots_done(const struct audit *audit, uint64_t *total);
/* The node is not waited for any more. */
void audit_give_up(struct audit *audit, size_t index, const char *trouble);
/* To TORC.CHECK STATUS, once no run is under way: what this node found as a replica. Once for each
 * node. 0 or TORC_ENOMEM. */
int audit_read_received(struct audit *audit, size_t index, const redisReply *reply) TORC_MUST_USE;
/* What is wrong with the copies. `now`: the view of the time after. 0 or TORC_ENOMEM. */
int audit_judge_copies(struct audit *audit, const struct view *now) TORC_MUST_USE;

/* Sums over the nodes. */
struct audit_totals {
    uint64_t slots_checked, slots_gone;
    uint64_t ranges_sent, ranges_unsent, ranges_compared, ranges_passed, ranges_differing;
};
struct audit_totals audit_totals(const struct audit *audit);

#endif
