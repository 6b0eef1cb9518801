/*
 * What it costs that slots change hands: how long each was served nowhere. INFO shows it. Any
 * thread.
 */
#ifndef TORC_NODE_MOVES_H
#define TORC_NODE_MOVES_H

#include "base/histogram.h"
#include "base/limits.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct moves {
    /* When the present view was installed, or, if that is later, when those who went on serving
     * what this node is to lead by it were told to stop; monotonic. */
    _Atomic uint64_t stopped_us;
    _Atomic uint32_t slots_waiting;    /* that this node leads and that are still to go elsewhere */
    uint64_t movable[SLOT_COUNT / 64]; /* control thread: copy.movable of each slot */

    pthread_mutex_t lock;
    struct histogram pauses; /* microseconds; lock */
};

struct moves_summary {
    uint64_t pauses, pause_us_p99, pause_us_max;
};

void moves_init(struct moves *moves);
void moves_deinit(struct moves *moves);
/* A slot that the present view makes this node primary of is served from now on. */
void moves_note_taken(struct moves *moves, uint64_t now_us);
struct moves_summary moves_summarize(struct moves *moves);

#endif
