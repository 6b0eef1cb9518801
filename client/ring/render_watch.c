#include "client/ring/render_watch.h"

#include <stdio.h>

#define BAR_WIDTH 20

void render_progress(struct buf *out, const struct progress *progress, struct look look)
{
    cells_bar(out, progress->fraction, BAR_WIDTH, true, look);
    /* Not 100 before it is so. */
    buf_append_format(out, " %3d%% %u/%u slots", (int)(100 * progress->fraction),
                      progress->slots.slots_moved, progress->slots.slots_total);
    if (progress->bytes_known && progress->bytes_total > 0) {
        char done[CELL_SIZE];
        char total[CELL_SIZE];
        cells_number(done, progress->bytes_done, 1024);
        cells_number(total, progress->bytes_total, 1024);
        buf_append_format(out, " %s/%s", done, total);
    }
    if (progress->bytes_per_second > 0) {
        char rate[CELL_SIZE];
        cells_number(rate, progress->bytes_per_second, 1024);
        buf_append_format(out, " %s/s", rate);
    }
    if (progress->seconds_left >= 0) {
        char left[CELL_SIZE];
        cells_duration(left, progress->seconds_left);
        buf_append_format(out, " %s left", left);
    }
    if (progress->turned_back) {
        buf_append_format(out, " %sback%s", cells_colour(look, COLOUR_YELLOW),
                          cells_colour(look, COLOUR_NONE));
    }
}

void render_end(struct buf *out, const struct progress *progress, double seconds)
{
    char duration[CELL_SIZE];
    cells_duration(duration, seconds);
    buf_append_format(out, "%s: %u slots, watched for %s.\n",
                      progress->turned_back ? "The change was turned back" : "The change is done",
                      progress->slots.slots_total, duration);
    /* The nodes count from their start on. */
    if (progress->pause_us_max != INFO_UNKNOWN && progress->pause_us_p99 != INFO_UNKNOWN) {
        buf_append_format(
            out,
            "Since the nodes started, writes to slots that changed hands have waited\n"
            "%.1f ms at most, 99 %% of them %.1f ms.\n",
            (double)progress->pause_us_max / 1000, (double)progress->pause_us_p99 / 1000);
    }
}
