#include "client/ring/node_order.h"
#include "client/ring/render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZONE_WIDTH_MIN 4 /* "zone" */
#define BAR_WIDTH_MIN 4
#define BAR_WIDTH_MAX 24
#define NUMBER_WIDTH 5

/* Each column with the blank before it: id; slots; keys, mem, ops/s, lag. */
#define FIXED_WIDTH (ID_WIDTH + 5 * (1 + NUMBER_WIDTH))

/* One row of the table, as text. */
struct row {
    char id[ID_WIDTH + 1];
    char address[CELL_SIZE];
    const char *zone;
    const char *state;
    char weight[CELL_SIZE];
};

/* Widths of the columns that give way to each other. A width of 0: there is no such column. */
struct columns {
    int address;
    int zone;
    int state;
    int weight;
    int bar;
};

static int width_of(const char *text)
{
    return (int)strlen(text);
}

static void widen(int *width, const char *text)
{
    *width = width_of(text) > *width ? width_of(text) : *width;
}

static void fill_row(struct row *row, const struct view_node *node)
{
    cells_id(row->id, &node->id);
    cells_address(row->address, node, ADDRESS_WIDTH_MAX);
    row->zone = node->zone[0] == '\0' ? "-" : node->zone;
    row->state = summary_state_name(node);
    (void)snprintf(row->weight, sizeof(row->weight), "%.4g",
                   (double)node->weight_current / WEIGHT_UNIT);
}

/* Address, state and weight have what they need; the zone gives way to a short bar, and the bar has
 * what is left. */
static struct columns measure_columns(const struct view *view)
{
    struct columns columns = {
        .address = width_of("address"), .state = width_of("state"), .weight = width_of("w")};
    for (size_t i = 0; i < view->node_count; i++) {
        struct row row;
        fill_row(&row, &view->nodes[i]);
        widen(&columns.address, row.address);
        widen(&columns.state, row.state);
        widen(&columns.weight, row.weight);
        if (view->nodes[i].zone[0] != '\0') {
            widen(&columns.zone, row.zone);
            widen(&columns.zone, "zone");
        }
    }
    const int room = RENDER_WIDTH - FIXED_WIDTH - (1 + columns.address) - (1 + columns.state) -
                     (1 + columns.weight);
    if (columns.zone > 0) {
        int zone_room = room - 1 - (1 + BAR_WIDTH_MIN);
        zone_room = zone_room < ZONE_WIDTH_MIN ? ZONE_WIDTH_MIN : zone_room;
        columns.zone = columns.zone < zone_room ? columns.zone : zone_room;
    }
    const int bar = room - (columns.zone > 0 ? 1 + columns.zone : 0) - 1;
    columns.bar = bar < BAR_WIDTH_MIN ? 0 : bar > BAR_WIDTH_MAX ? BAR_WIDTH_MAX : bar;
    return columns;
}

static_assert(FIXED_WIDTH + 1 + ADDRESS_WIDTH_MAX + 1 + 8 + 1 + 5 + 1 + ZONE_WIDTH_MIN <=
                  RENDER_WIDTH,
              "the widest address, state and weight leave room for a zone");

static void append_zone(struct buf *out, const char *zone, int width)
{
    if (width == 0) {
        return;
    }
    if (width_of(zone) > width) {
        buf_append_format(out, " %.*s~", width - 1, zone);
    } else {
        buf_append_format(out, " %-*s", width, zone);
    }
}

static const char *colour_of(const struct view_node *node)
{
    switch (node->status) {
    case NODE_UP: return node->leaving || node->removing ? COLOUR_YELLOW : COLOUR_GREEN;
    case NODE_SYNCING: return COLOUR_YELLOW;
    case NODE_DOWN: return COLOUR_RED;
    }
    return COLOUR_NONE;
}

static void append_number(struct buf *out, uint64_t number, unsigned step)
{
    char text[CELL_SIZE] = "?";
    if (number != INFO_UNKNOWN) {
        cells_number(text, (double)number, step);
    }
    buf_append_format(out, " %*s", NUMBER_WIDTH, text);
}

static void render_node(struct buf *out, const struct summary *summary, size_t index,
                        const struct columns *columns, uint32_t most, struct look look)
{
    const struct view_node *node = &summary->view->nodes[index];
    const struct node_summary *counted = &summary->nodes[index];
    struct row row;
    fill_row(&row, node);
    buf_append_format(out, "%s %-*s", row.id, columns->address, row.address);
    append_zone(out, row.zone, columns->zone);
    buf_append_format(out, " %s%-*s%s %*s %*u", cells_colour(look, colour_of(node)), columns->state,
                      row.state, cells_colour(look, COLOUR_NONE), columns->weight, row.weight,
                      NUMBER_WIDTH, counted->primaries);
    if (columns->bar > 0) {
        buf_append_text(out, " ");
        cells_bar(out, most == 0 ? 0 : (double)counted->primaries / most, (size_t)columns->bar,
                  false, look);
    }
    append_number(out, counted->info.keys, 1000);
    append_number(out, counted->info.memory_bytes, 1024);
    append_number(out, counted->info.ops_per_second, 1000);
    append_number(out, counted->lag_bytes, 1024);
    buf_append_text(out, "\n");
}

/* The first columns of a line that is about all nodes. */
static void append_label(struct buf *out, const char *label, const struct columns *columns)
{
    const int width = ID_WIDTH + 1 + columns->address +
                      (columns->zone > 0 ? 1 + columns->zone : 0) + 1 + columns->state + 1 +
                      columns->weight;
    buf_append_format(out, "%-*s", width, label);
}

static void append_bar_gap(struct buf *out, const struct columns *columns)
{
    if (columns->bar > 0) {
        buf_append_format(out, " %*s", columns->bar, "");
    }
}

static void append_excess(struct buf *out, double excess, bool known, struct look look)
{
    char text[CELL_SIZE] = "?";
    const bool high = known && excess > IMBALANCE_MAX;
    if (known) {
        cells_excess(text, excess);
    }
    buf_append_format(out, " %s%*s%s", high ? cells_colour(look, COLOUR_YELLOW) : "", NUMBER_WIDTH,
                      text, high ? cells_colour(look, COLOUR_NONE) : "");
}

static void render_totals(struct buf *out, const struct summary *summary,
                          const struct columns *columns, struct look look)
{
    append_label(out, "all", columns);
    buf_append_format(out, " %*u", NUMBER_WIDTH, SLOT_COUNT - summary->slots_without_owner);
    append_bar_gap(out, columns);
    append_number(out, summary->keys, 1000);
    append_number(out, summary->memory_bytes, 1024);
    append_number(out, summary->ops_per_second, 1000);
    buf_append_text(out, "\n");
    append_label(out, "most over its due", columns);
    append_excess(out, summary->imbalance.slots, true, look);
    append_bar_gap(out, columns);
    append_excess(out, summary->imbalance.keys, true, look);
    append_excess(out, summary->imbalance.bytes, true, look);
    append_excess(out, summary->imbalance.ops, summary->ops_per_second != INFO_UNKNOWN, look);
    buf_append_text(out, "\n");
}

static void render_warnings(struct buf *out, const struct summary *summary, struct look look)
{
    struct bytes rest = buf_bytes(&summary->warnings);
    while (rest.size > 0) {
        const char *newline = memchr(rest.data, '\n', rest.size);
        size_t size = newline == NULL ? rest.size : (size_t)(newline - rest.data) + 1;
        buf_append_format(out, "%swarning:%s %.*s", cells_colour(look, COLOUR_YELLOW),
                          cells_colour(look, COLOUR_NONE), (int)size, rest.data);
        rest = (struct bytes){rest.data + size, rest.size - size};
    }
}

static void render_head(struct buf *out, const struct summary *summary, struct look look)
{
    const struct view *view = summary->view;
    size_t up = 0;
    size_t voters_up = 0;
    for (size_t i = 0; i < view->node_count; i++) {
        const bool is_up = view->nodes[i].status == NODE_UP;
        up += is_up;
        voters_up += is_up && view_is_voter(view, &view->nodes[i].id);
    }
    buf_append_format(
        out, "cluster %s\nepoch %llu, copies %u, nodes %zu (%zu up), voters %zu (%zu up)\n",
        view->cluster_name, (unsigned long long)view->epoch, view->copies, view->node_count, up,
        view->voter_count, voters_up);
    if (view->changing) {
        const struct change_progress *progress = &summary->progress;
        buf_append_format(out, "%sa change is %s: %u of %u slots have moved%s; follow it: watch\n",
                          cells_colour(look, COLOUR_YELLOW),
                          view->turned_back ? "being turned back" : "under way",
                          progress->slots_moved, progress->slots_total,
                          cells_colour(look, COLOUR_NONE));
    }
}

void render_status(struct buf *out, const struct summary *summary, struct look look)
{
    const struct view *view = summary->view;
    const struct columns columns = measure_columns(view);
    uint32_t most = 0;
    size_t *order = node_order(view);
    if (order == NULL) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < view->node_count; i++) {
        most = summary->nodes[i].primaries > most ? summary->nodes[i].primaries : most;
    }
    render_head(out, summary, look);
    buf_append_format(out, "\n%s%-*s %-*s", cells_colour(look, COLOUR_BOLD), ID_WIDTH, "id",
                      columns.address, "address");
    append_zone(out, "zone", columns.zone);
    buf_append_format(out, " %-*s %*s %*s", columns.state, "state", columns.weight, "w",
                      NUMBER_WIDTH, "slots");
    append_bar_gap(out, &columns);
    buf_append_format(out, " %*s %*s %*s %*s%s\n", NUMBER_WIDTH, "keys", NUMBER_WIDTH, "mem",
                      NUMBER_WIDTH, "ops/s", NUMBER_WIDTH, "lag", cells_colour(look, COLOUR_NONE));
    for (size_t i = 0; i < view->node_count; i++) {
        render_node(out, summary, order[i], &columns, most, look);
    }
    free(order);
    render_totals(out, summary, &columns, look);
    if (summary->warning_count > 0) {
        buf_append_text(out, "\n");
        render_warnings(out, summary, look);
    }
}
