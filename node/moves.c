#include "node/moves.h"

void moves_init(struct moves *moves)
{
    pthread_mutex_init(&moves->lock, NULL);
    histogram_init(&moves->pauses);
}

void moves_deinit(struct moves *moves)
{
    pthread_mutex_destroy(&moves->lock);
}

void moves_note_taken(struct moves *moves, uint64_t now_us)
{
    uint64_t stopped_us = atomic_load(&moves->stopped_us);
    pthread_mutex_lock(&moves->lock);
    histogram_record(&moves->pauses, now_us > stopped_us ? now_us - stopped_us : 0);
    pthread_mutex_unlock(&moves->lock);
}

struct moves_summary moves_summarize(struct moves *moves)
{
    pthread_mutex_lock(&moves->lock);
    struct moves_summary summary = {.pauses = moves->pauses.count,
                                    .pause_us_p99 = histogram_quantile(&moves->pauses, 0.99),
                                    .pause_us_max = moves->pauses.max};
    pthread_mutex_unlock(&moves->lock);
    return summary;
}
