#include "client/ring/progress.h"

#include <math.h>

void progress_begin(struct progress *progress, const struct measure *measure)
{
    *progress = (struct progress){
        .seconds_left = -1, .pause_us_p99 = INFO_UNKNOWN, .pause_us_max = INFO_UNKNOWN};
    memcpy(progress->slots_at_first, measure->slots, sizeof(measure->slots));
}

/* Copies that `to` has and `from` has not. */
static size_t gained(const uint16_t *from, size_t from_count, const uint16_t *to, size_t to_count)
{
    size_t count = 0;
    for (size_t i = 0; i < to_count; i++) {
        bool had = false;
        for (size_t j = 0; j < from_count; j++) {
            had = had || from[j] == to[i];
        }
        count += !had;
    }
    return count;
}

/* Bytes of all the copies that the change sends, and of those that have arrived. */
static void count_bytes(const struct progress *progress, const struct view *view, double *total,
                        double *moved)
{
    *total = 0;
    *moved = 0;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const uint16_t slot = (uint16_t)i;
        uint16_t placed[COPIES_MAX];
        uint16_t other[COPIES_MAX];
        const bool is_moved = view_slot_moved(view, slot);
        const size_t placed_count = view_owners_placed(view, slot, placed);
        const size_t other_count = view_owners_other(view, slot, other);
        const size_t copies = is_moved ? gained(other, other_count, placed, placed_count)
                                       : gained(placed, placed_count, other, other_count);
        const double bytes = (double)copies * (double)progress->slots_at_first[i].bytes;
        *total += bytes;
        *moved += is_moved ? bytes : 0;
    }
}

static uint64_t sent_bytes(const struct summary *summary, bool *known)
{
    uint64_t sent = 0;
    *known = false;
    for (size_t i = 0; i < summary->view->node_count; i++) {
        const uint64_t of_node = summary->nodes[i].info.sent_bytes;
        if (of_node != INFO_UNKNOWN) {
            sent += of_node;
            *known = true;
        }
    }
    return sent;
}

static void raise_to(uint64_t *most, uint64_t number)
{
    if (number != INFO_UNKNOWN && (*most == INFO_UNKNOWN || number > *most)) {
        *most = number;
    }
}

static void note_pauses(struct progress *progress, const struct summary *summary)
{
    for (size_t i = 0; i < summary->view->node_count; i++) {
        raise_to(&progress->pause_us_p99, summary->nodes[i].info.pause_us_p99);
        raise_to(&progress->pause_us_max, summary->nodes[i].info.pause_us_max);
    }
}

/* Between the oldest sample that is kept and the newest. */
static void find_rate(struct progress *progress)
{
    const size_t kept =
        progress->sample_count < PROGRESS_SAMPLES ? progress->sample_count : PROGRESS_SAMPLES;
    const struct progress_sample *last =
        &progress->samples[(progress->sample_count - 1) % PROGRESS_SAMPLES];
    const struct progress_sample *first =
        &progress->samples[(progress->sample_count - kept) % PROGRESS_SAMPLES];
    const double seconds = (double)(last->now_ms - first->now_ms) / 1000;
    progress->seconds_left = -1;
    progress->bytes_per_second = 0;
    if (seconds <= 0) {
        return;
    }
    if (last->sent_bytes > first->sent_bytes) {
        progress->bytes_per_second = (double)(last->sent_bytes - first->sent_bytes) / seconds;
    }
    if (progress->bytes_known && progress->bytes_total > 0) {
        if (progress->bytes_per_second > 0) {
            progress->seconds_left =
                (progress->bytes_total - progress->bytes_done) / progress->bytes_per_second;
        }
    } else if (last->slots_moved > first->slots_moved) {
        const double rate = (last->slots_moved - first->slots_moved) / seconds;
        progress->seconds_left = (progress->slots.slots_total - progress->slots.slots_moved) / rate;
    }
}

/* Slots move together when all of them have been sent: what has been sent since is counted too. */
static void count_done(struct progress *progress, const struct view *view, uint64_t sent)
{
    double moved;
    count_bytes(progress, view, &progress->bytes_total, &moved);
    if (progress->sample_count == 0) {
        progress->sent_at_first = (double)sent - moved;
    }
    const double since = (double)sent - progress->sent_at_first;
    progress->bytes_done = fmin(fmax(moved, since), progress->bytes_total);
}

void progress_step(struct progress *progress, const struct progress_look *look)
{
    const struct view *view = look->view;
    bool known;
    const uint64_t sent = sent_bytes(look->summary, &known);
    note_pauses(progress, look->summary);
    progress->epoch = view->epoch;
    progress->changing = view->changing;
    if (!view->changing) {
        return;
    }
    if (view->turned_back != progress->turned_back) {
        progress->sample_count = 0; /* what was sent till then counts for nothing */
    }
    progress->turned_back = view->turned_back;
    progress->slots = summary_progress(view);
    progress->bytes_known = known;
    count_done(progress, view, sent);
    progress->samples[progress->sample_count++ % PROGRESS_SAMPLES] = (struct progress_sample){
        .now_ms = look->now_ms, .sent_bytes = sent, .slots_moved = progress->slots.slots_moved};
    find_rate(progress);
    const double of_slots = progress->slots.slots_total == 0
                                ? 1
                                : (double)progress->slots.slots_moved / progress->slots.slots_total;
    const bool by_bytes = known && progress->bytes_total > 0;
    progress->fraction = by_bytes ? progress->bytes_done / progress->bytes_total : of_slots;
}
