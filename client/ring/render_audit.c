#include "client/ring/render_audit.h"

#include "client/ring/json_parts.h"

#include <string.h>

#define BAR_WIDTH 20

static void render_lines(struct buf *out, const struct buf *lines, const char *title,
                         const char *colour, struct look look)
{
    struct bytes rest = buf_bytes(lines);
    while (rest.size > 0) {
        const char *newline = memchr(rest.data, '\n', rest.size);
        const size_t size = newline == NULL ? rest.size : (size_t)(newline - rest.data) + 1;
        buf_append_format(out, "%s%s:%s %.*s", cells_colour(look, colour), title,
                          cells_colour(look, COLOUR_NONE), (int)size, rest.data);
        rest = (struct bytes){rest.data + size, rest.size - size};
    }
}

void render_audit(struct buf *out, const struct audit *audit, double seconds, struct look look)
{
    const struct audit_totals totals = audit_totals(audit);
    char duration[CELL_SIZE];
    cells_duration(duration, seconds);
    buf_append_format(out, "cluster %s\nepoch %llu, copies %u, nodes %zu\n",
                      audit->view->cluster_name, (unsigned long long)audit->view->epoch,
                      audit->view->copies, audit->view->node_count);
    buf_append_format(out, "%llu slots, %llu ranges of their copies compared in %s\n",
                      (unsigned long long)totals.slots_checked,
                      (unsigned long long)totals.ranges_compared, duration);
    render_lines(out, &audit->notes, "note", COLOUR_BOLD, look);
    render_lines(out, &audit->problems, "problem", COLOUR_RED, look);
    if (audit->problem_count == 0) {
        buf_append_format(out, "%sAll is well.%s\n", cells_colour(look, COLOUR_GREEN),
                          cells_colour(look, COLOUR_NONE));
    }
}

void render_audit_progress(struct buf *out, const struct audit *audit, struct look look)
{
    uint64_t total;
    const uint64_t done = audit_slots_done(audit, &total);
    const double fraction = total == 0 ? 0 : (double)done / (double)total;
    cells_bar(out, fraction, BAR_WIDTH, true, look);
    buf_append_format(out, " %3d%% %llu/%llu slots", (int)(100 * fraction),
                      (unsigned long long)done, (unsigned long long)total);
}

static json_t *difference_json(const struct audit *audit, const struct audit_difference *difference)
{
    const struct view_node *nodes = audit->view->nodes;
    return json_pack("{s:i, s:o, s:o}", "slot", difference->slot, "primary",
                     json_parts_identity(&nodes[difference->primary]), "replica",
                     json_parts_identity(&nodes[difference->replica]));
}

json_t *render_audit_json(const struct audit *audit, double seconds)
{
    const struct audit_totals totals = audit_totals(audit);
    json_t *differing = json_array();
    for (size_t i = 0; i < audit->differing_count; i++) {
        differing = json_parts_append(differing, difference_json(audit, &audit->differing[i]));
    }
    json_t *found = json_pack("{s:b, s:I, s:o, s:o, s:o, s:f}", "well", audit->problem_count == 0,
                              "epoch", (json_int_t)audit->view->epoch, "differing", differing,
                              "problems", json_parts_lines(buf_bytes(&audit->problems)), "notes",
                              json_parts_lines(buf_bytes(&audit->notes)), "seconds", seconds);
    json_t *counted = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "slots_checked", (json_int_t)totals.slots_checked,
        "slots_gone", (json_int_t)totals.slots_gone, "ranges_sent", (json_int_t)totals.ranges_sent,
        "ranges_unsent", (json_int_t)totals.ranges_unsent, "ranges_compared",
        (json_int_t)totals.ranges_compared, "ranges_passed_over", (json_int_t)totals.ranges_passed,
        "ranges_differing", (json_int_t)totals.ranges_differing);
    return json_parts_join(found, counted);
}
