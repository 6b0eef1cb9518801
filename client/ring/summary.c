#include "client/ring/summary.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>

#define IMBALANCE_PERCENT_MAX 10.0
#define ID_PREFIX_SIZE 8

static double total_weight_up(const struct view *view)
{
    double total = 0;
    for (size_t i = 0; i < view->node_count; i++) {
        total += view->nodes[i].status == NODE_UP ? (double)view->nodes[i].weight_current : 0;
    }
    return total;
}

int summary_init(struct summary *out, const struct view *view)
{
    *out = (struct summary){.view = view};
    out->nodes = calloc(view->node_count + 1, sizeof(*out->nodes));
    if (out->nodes == NULL) {
        return TORC_ENOMEM;
    }
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owners[COPIES_MAX];
        size_t count = view_owners(view, (uint16_t)slot, owners);
        out->slots_without_owner += count == 0;
        out->slots_short += count > 0 && count < view->copies;
        out->slots_to_move += view->changing && !view_slot_moved(view, (uint16_t)slot);
        for (size_t rank = 0; rank < count; rank++) {
            struct node_summary *node = &out->nodes[owners[rank]];
            node->primaries += rank == 0;
            node->replicas += rank > 0;
        }
    }
    const double total = total_weight_up(view);
    for (size_t i = 0; i < view->node_count; i++) {
        if (view->nodes[i].status == NODE_UP && total > 0) {
            out->nodes[i].due = SLOT_COUNT * (double)view->nodes[i].weight_current / total;
        }
    }
    return TORC_OK;
}

void summary_deinit(struct summary *summary)
{
    free(summary->nodes);
    buf_deinit(&summary->warnings);
    *summary = (struct summary){.view = NULL};
}

const char *summary_status_name(enum node_status status)
{
    switch (status) {
    case NODE_UP: return "up";
    case NODE_SYNCING: return "syncing";
    case NODE_DOWN: return "down";
    }
    return "unknown";
}

double summary_deviation(const struct node_summary *node)
{
    if (node->due <= 0) {
        return node->primaries == 0 ? 0 : INFINITY;
    }
    return 100 * ((double)node->primaries / node->due - 1);
}

/* The number after "name" at the beginning of a line. */
static bool find_number(struct bytes text, const char *name, uint64_t *out)
{
    const size_t size = strlen(name);
    const char *end = text.data + text.size;
    for (const char *line = text.data; line != NULL && line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline == NULL ? end : newline;
        if ((size_t)(stop - line) > size && memcmp(line, name, size) == 0) {
            uint64_t number = 0;
            const char *digit = line + size;
            for (; digit < stop && *digit >= '0' && *digit <= '9'; digit++) {
                number = number * 10 + (uint64_t)(*digit - '0');
            }
            *out = number;
            return digit > line + size;
        }
        line = newline == NULL ? NULL : newline + 1;
    }
    return false;
}

void summary_read_info(struct node_summary *node, struct bytes info)
{
    if (info.size == 0 || !find_number(info, "used_memory:", &node->memory_bytes)) {
        return;
    }
    node->answers = true;
    /* A node without keys has no line about them. */
    node->keys = 0;
    (void)find_number(info, "db0:keys=", &node->keys);
}

static void warn_of_nodes(struct summary *summary)
{
    for (size_t i = 0; i < summary->view->node_count; i++) {
        const struct view_node *node = &summary->view->nodes[i];
        const struct node_summary *counted = &summary->nodes[i];
        char id[NODE_ID_TEXT_SIZE];
        node_id_format(&node->id, id);
        id[ID_PREFIX_SIZE] = '\0';
        if (node->status == NODE_DOWN) {
            buf_append_format(&summary->warnings, "node %s (%s:%u) is down\n", id, node->host,
                              node->client_port);
            summary->warning_count++;
        } else if (!counted->answers) {
            buf_append_format(&summary->warnings, "node %s (%s:%u) does not answer\n", id,
                              node->host, node->client_port);
            summary->warning_count++;
        }
        /* One slot more or less is nothing, however small the node. */
        double deviation = summary_deviation(counted);
        double slots = fabs((double)counted->primaries - counted->due);
        if (fabs(deviation) > IMBALANCE_PERCENT_MAX && slots > 1) {
            buf_append_format(&summary->warnings,
                              "node %s leads %u slots, due by its weight are %.0f\n", id,
                              counted->primaries, counted->due);
            summary->warning_count++;
        }
    }
}

static const char *plural(uint32_t count)
{
    return count == 1 ? "slot has" : "slots have";
}

int summary_judge(struct summary *summary)
{
    if (summary->slots_without_owner > 0) {
        buf_append_format(&summary->warnings, "%u %s no owner that is up\n",
                          summary->slots_without_owner, plural(summary->slots_without_owner));
        summary->warning_count++;
    }
    if (summary->slots_short > 0) {
        buf_append_format(&summary->warnings, "%u %s fewer than %u copies\n", summary->slots_short,
                          plural(summary->slots_short), summary->view->copies);
        summary->warning_count++;
    }
    warn_of_nodes(summary);
    return summary->warnings.failed ? TORC_ENOMEM : TORC_OK;
}
