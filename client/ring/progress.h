/*
 * How far the change under way has come, how fast it goes, and how long it will take. Pure; one
 * owner.
 *
 *      progress_begin    what there is to move, by the view and what is in the slots
 *      progress_step     again and again: a view, and what the nodes have sent by then
 */
#ifndef TORC_CLIENT_RING_PROGRESS_H
#define TORC_CLIENT_RING_PROGRESS_H

#include "client/ring/measure.h"
#include "client/ring/summary.h"

#define PROGRESS_SAMPLES 16 /* what the rate is taken from: as many steps back */

struct progress_sample {
    uint64_t now_ms;
    uint64_t sent_bytes;
    uint32_t slots_moved;
};

struct progress {
    /* Of the last step. */
    uint64_t epoch;
    bool changing;
    bool turned_back;
    struct change_progress slots;
    bool bytes_known;   /* the nodes say what is in their slots, and what they have sent */
    double bytes_total; /* copies of what is in the slots that the change moves */
    double bytes_done;
    double bytes_per_second; /* 0 = not known yet */
    double fraction;         /* done, 0..1 */
    double seconds_left;     /* below 0 = not known yet */
    uint64_t pause_us_p99;   /* the longest that a node says; INFO_UNKNOWN = nobody does */
    uint64_t pause_us_max;

    struct slot_measure slots_at_first[SLOT_COUNT];
    double sent_at_first;                             /* done when it began to be looked at */
    struct progress_sample samples[PROGRESS_SAMPLES]; /* a ring */
    size_t sample_count;                              /* ever */
};

/* One look at the cluster. `summary`: of `view`, its nodes asked. */
struct progress_look {
    const struct view *view;
    const struct summary *summary;
    uint64_t now_ms; /* of a clock that does not go back */
};

void progress_begin(struct progress *progress, const struct measure *measure);
/* After a change is over, only what the nodes say is taken in: the rest stays as it was. */
void progress_step(struct progress *progress, const struct progress_look *look);

#endif
