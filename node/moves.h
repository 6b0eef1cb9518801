/*
 * What moving slots costs: for how long writes to a slot waited where it was led, and how long it
 * took until it was served where it went. INFO shows it. Any thread.
 */
#ifndef TORC_NODE_MOVES_H
#define TORC_NODE_MOVES_H

#include "base/histogram.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct moves {
    _Atomic uint64_t installed_us;  /* when the present view was installed; monotonic */
    _Atomic uint32_t slots_waiting; /* that this node leads and that are still to go elsewhere */

    pthread_mutex_t lock;
    struct histogram pauses;    /* microseconds; lock */
    struct histogram takeovers; /* microseconds; lock */
};

struct moves_summary {
    uint64_t pauses, pause_us_p99, pause_us_max;
    uint64_t takeovers, takeover_us_p99, takeover_us_max;
};

void moves_init(struct moves *moves);
void moves_deinit(struct moves *moves);
/* Writes to a slot waited for so long before a view moved it, or before it took them again. */
void moves_note_pause(struct moves *moves, uint64_t since_us, uint64_t now_us);
/* A slot that this node was made primary of is served from now on. */
void moves_note_takeover(struct moves *moves, uint64_t now_us);
struct moves_summary moves_summarize(struct moves *moves);

#endif
