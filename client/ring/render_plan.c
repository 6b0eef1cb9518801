#include "client/ring/render_plan.h"

#include "client/ring/node_order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAIR_WIDTH 11 /* "12.3k>456.7" of two numbers of 5 columns */
#define COLUMNS 4

static_assert(ADDRESS_WIDTH_MAX + 1 + PAIR_WIDTH - 2 + COLUMNS * (1 + PAIR_WIDTH) <= RENDER_WIDTH,
              "the columns of the table fill a line");

static const char *arrow(struct look look)
{
    return look.unicode ? "→" : ">";
}

/* "before→after", the arrow at the same place in every line; only one of them if they are the same.
 */
static void append_pair(struct buf *out, const char *before, const char *after, int width,
                        struct look look)
{
    const bool same = strcmp(before, after) == 0;
    buf_append_format(out, " %*s%s%-*s", width, before, same ? " " : arrow(look), width,
                      same ? "" : after);
}

static void append_numbers(struct buf *out, double before, double after, unsigned step,
                           struct look look)
{
    char before_text[CELL_SIZE];
    char after_text[CELL_SIZE];
    cells_number(before_text, before, step);
    cells_number(after_text, after, step);
    append_pair(out, before_text, after_text, 5, look);
}

static void append_slots(struct buf *out, double before, double after, struct look look)
{
    char before_text[CELL_SIZE];
    char after_text[CELL_SIZE];
    (void)snprintf(before_text, sizeof(before_text), "%.0f", before);
    (void)snprintf(after_text, sizeof(after_text), "%.0f", after);
    append_pair(out, before_text, after_text, 5, look);
}

static void append_excess(struct buf *out, double before, double after, struct look look)
{
    char before_text[CELL_SIZE];
    char after_text[CELL_SIZE];
    cells_excess(before_text, before);
    cells_excess(after_text, after);
    append_pair(out, before_text, after_text, 5, look);
}

static void format_step(char out[CELL_SIZE], uint32_t weight)
{
    (void)snprintf(out, CELL_SIZE, "%.4g", (double)weight / WEIGHT_UNIT);
}

/* Lines end where their text does. */
static void end_line(struct buf *out)
{
    while (buf_size(out) > 0 && *(buf_tail(out) - 1) == ' ') {
        out->end--;
    }
    buf_append_text(out, "\n");
}

static void render_node(struct buf *out, const struct proposal *proposal, size_t index,
                        int address_width, struct look look)
{
    const struct view_node *node = &proposal->view->nodes[index];
    const struct load *before = &proposal->forecast.before[index];
    const struct load *after = &proposal->forecast.after[index];
    char address[CELL_SIZE];
    char weight_before[CELL_SIZE];
    char weight_after[CELL_SIZE];
    cells_address(address, node, ADDRESS_WIDTH_MAX);
    format_step(weight_before, node->weight_current);
    format_step(weight_after, proposal->next->nodes[index].weight_target);
    buf_append_format(out, "%-*s", address_width, address);
    append_pair(out, weight_before, weight_after, 4, look);
    append_slots(out, before->slots, after->slots, look);
    append_numbers(out, before->keys, after->keys, 1000, look);
    append_numbers(out, before->bytes, after->bytes, 1024, look);
    if (proposal->forecast.has_ops) {
        append_numbers(out, before->ops, after->ops, 1000, look);
    }
    end_line(out);
}

static int address_width(const struct view *view)
{
    size_t width = strlen("most over its due");
    for (size_t i = 0; i < view->node_count; i++) {
        char address[CELL_SIZE];
        cells_address(address, &view->nodes[i], ADDRESS_WIDTH_MAX);
        width = strlen(address) > width ? strlen(address) : width;
    }
    return (int)width;
}

static void render_table(struct buf *out, const struct proposal *proposal, struct look look)
{
    const struct forecast *forecast = &proposal->forecast;
    const int width = address_width(proposal->view);
    size_t *order = node_order(proposal->view);
    if (order == NULL) {
        out->failed = true;
        return;
    }
    buf_append_format(out, "\n%s%-*s %-9s %-11s %-11s %s%s\n", cells_colour(look, COLOUR_BOLD),
                      width, "node", "   weight", "   slots", "   keys",
                      forecast->has_ops ? "   bytes        ops/s" : "   bytes",
                      cells_colour(look, COLOUR_NONE));
    for (size_t i = 0; i < proposal->view->node_count; i++) {
        render_node(out, proposal, order[i], width, look);
    }
    free(order);
    buf_append_format(out, "%s%-*s           ", cells_colour(look, COLOUR_BOLD), width,
                      "most over its due");
    append_excess(out, forecast->imbalance_before.slots, forecast->imbalance_after.slots, look);
    append_excess(out, forecast->imbalance_before.keys, forecast->imbalance_after.keys, look);
    append_excess(out, forecast->imbalance_before.bytes, forecast->imbalance_after.bytes, look);
    if (forecast->has_ops) {
        append_excess(out, forecast->imbalance_before.ops, forecast->imbalance_after.ops, look);
    }
    buf_append_text(out, cells_colour(look, COLOUR_NONE));
    end_line(out);
}

static void render_sums(struct buf *out, const struct proposal *proposal)
{
    const struct forecast *forecast = &proposal->forecast;
    const struct plan *plan = forecast->plan;
    char keys[CELL_SIZE];
    char bytes[CELL_SIZE];
    char rate[CELL_SIZE];
    char duration[CELL_SIZE];
    cells_number(keys, forecast->keys_moved, 1000);
    cells_number(bytes, forecast->bytes_moved, 1024);
    cells_number(rate, forecast->rate, 1024);
    cells_duration(duration, forecast->seconds);
    buf_append_format(out, "\nprimaries  %u change (least possible: %u)\n", plan->primaries_moved,
                      forecast->primaries_least);
    buf_append_format(out, "copies     %u to be sent (least possible: %u)\n", plan->copies_moved,
                      forecast->copies_least);
    buf_append_format(out, "data       %s keys, %s bytes to be sent\n", keys, bytes);
    buf_append_format(out, "time       about %s at %s bytes/s a node%s\n", duration, rate,
                      forecast->rate_assumed ? " (assumed: there is no limit)" : " (its limit)");
}

static void render_warnings(struct buf *out, const struct proposal *proposal, struct look look)
{
    const struct view *view = proposal->view;
    const struct view *next = proposal->next;
    const char *warning = look.colour ? COLOUR_YELLOW "warning:" COLOUR_NONE : "warning:";
    size_t with_weight = 0;
    for (size_t i = 0; i < next->node_count; i++) {
        with_weight += next->nodes[i].weight_target > 0;
        if (next->nodes[i].status == NODE_DOWN) {
            char id[ID_WIDTH + 1];
            cells_id(id, &next->nodes[i].id);
            buf_append_format(out, "%s node %s is down: what only it has cannot be sent\n", warning,
                              id);
        }
    }
    if (with_weight < view->copies) {
        buf_append_format(out, "%s %zu %s left with weight: slots will have fewer than %u copies\n",
                          warning, with_weight, with_weight == 1 ? "node is" : "nodes are",
                          view->copies);
    }
    if (proposal->forecast.slots_unknown > 0) {
        buf_append_format(out, "%s nobody says what is in %u slots: they count as empty\n", warning,
                          proposal->forecast.slots_unknown);
    }
}

static void render_rebalance_title(struct buf *out, const struct proposal *proposal)
{
    const struct rebalance *rebalance = &proposal->rebalance;
    const char *by = ring_balance_name(proposal->request.by);
    char now[CELL_SIZE];
    char best[CELL_SIZE];
    cells_excess(now, rebalance->imbalance_now);
    cells_excess(best, rebalance->imbalance_best);
    if (proposal->change.step_count > 0) {
        buf_append_format(out, "rebalance by %s: the most over its due from %s to %s\n", by, now,
                          best);
    } else if (rebalance->imbalance_now < 0.1) {
        buf_append_format(
            out, "rebalance by %s: already even: no node is more than %s over its due\n", by, now);
    } else {
        buf_append_format(out, "rebalance by %s: %s over its due is the best that weights can do\n",
                          by, now);
    }
}

void render_plan_title(struct buf *out, const struct proposal *proposal)
{
    const struct change *change = &proposal->change;
    const char *name = ring_change_name(proposal->request.kind);
    if (proposal->request.kind == CHANGE_REBALANCE) {
        render_rebalance_title(out, proposal);
        return;
    }
    if (change->step_count == 0) {
        buf_append_format(out, "%s %s: nothing to do, its weight is that already\n", name,
                          proposal->request.node);
        return;
    }
    const struct change_step *step = &change->steps[0];
    const struct view_node *node = &proposal->view->nodes[view_find(proposal->view, &step->id)];
    char id[ID_WIDTH + 1];
    char address[CELL_SIZE];
    char before[CELL_SIZE];
    char after[CELL_SIZE];
    cells_id(id, &step->id);
    cells_address(address, node, ADDRESS_WIDTH_MAX);
    cells_weight(before, step->weight_before);
    cells_weight(after, step->weight);
    buf_append_format(out, "%s %s (%s): weight from %s to %s%s\n", name, id, address, before, after,
                      step->remove ? ", then out of the cluster" : "");
}

void render_plan(struct buf *out, const struct proposal *proposal, struct look look)
{
    render_plan_title(out, proposal);
    if (proposal->next != NULL) {
        render_table(out, proposal, look);
        render_sums(out, proposal);
        render_warnings(out, proposal, look);
    }
}
