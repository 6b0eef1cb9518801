#include "node/moves.h"

void moves_init(struct moves *moves)
{
    pthread_mutex_init(&moves->lock, NULL);
    histogram_init(&moves->pauses);
    histogram_init(&moves->takeovers);
}

void moves_deinit(struct moves *moves)
{
    pthread_mutex_destroy(&moves->lock);
}

static void record(struct moves *moves, struct histogram *histogram, uint64_t since_us,
                   uint64_t now_us)
{
    pthread_mutex_lock(&moves->lock);
    histogram_record(histogram, now_us > since_us ? now_us - since_us : 0);
    pthread_mutex_unlock(&moves->lock);
}

void moves_note_pause(struct moves *moves, uint64_t since_us, uint64_t now_us)
{
    record(moves, &moves->pauses, since_us, now_us);
}

void moves_note_takeover(struct moves *moves, uint64_t now_us)
{
    record(moves, &moves->takeovers, atomic_load(&moves->installed_us), now_us);
}

struct moves_summary moves_summarize(struct moves *moves)
{
    pthread_mutex_lock(&moves->lock);
    struct moves_summary summary = {.pauses = moves->pauses.count,
                                    .pause_us_p99 = histogram_quantile(&moves->pauses, 0.99),
                                    .pause_us_max = moves->pauses.max,
                                    .takeovers = moves->takeovers.count,
                                    .takeover_us_p99 = histogram_quantile(&moves->takeovers, 0.99),
                                    .takeover_us_max = moves->takeovers.max};
    pthread_mutex_unlock(&moves->lock);
    return summary;
}
