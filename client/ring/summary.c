#include "client/ring/summary.h"

#include "base/error.h"
#include "client/ring/due.h"
#include "client/ring/warnings.h"

#include <stdlib.h>

/* The weight in the ring, or the intended one, of each node that is up. */
static void list_weights(const struct view *view, bool intended, uint32_t *out)
{
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_node *node = &view->nodes[i];
        const uint32_t weight = intended ? due_intended(node) : node->weight_current;
        out[i] = node->status == NODE_UP ? weight : 0;
    }
}

static int count_due(struct summary *summary)
{
    const struct view *view = summary->view;
    uint32_t *weights = calloc(view->node_count + 1, sizeof(*weights));
    double *shares = calloc(view->node_count + 1, sizeof(*shares));
    const int result = weights == NULL || shares == NULL ? TORC_ENOMEM : TORC_OK;
    if (result == TORC_OK) {
        list_weights(view, false, weights);
        due_shares(weights, view->node_count, 1, shares);
        for (size_t i = 0; i < view->node_count; i++) {
            summary->nodes[i].due = SLOT_COUNT * shares[i];
        }
    }
    free(shares);
    free(weights);
    return result;
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
        for (size_t rank = 0; rank < count; rank++) {
            struct node_summary *node = &out->nodes[owners[rank]];
            node->primaries += rank == 0;
            node->replicas += rank > 0;
        }
    }
    for (size_t i = 0; i < view->node_count; i++) {
        info_read(&out->nodes[i].info, (struct bytes){NULL, 0});
        out->nodes[i].lag_bytes = INFO_UNKNOWN;
    }
    out->progress = summary_progress(view);
    int result = count_due(out);
    if (result != TORC_OK) {
        summary_deinit(out);
    }
    return result;
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

const char *summary_state_name(const struct view_node *node)
{
    if (node->status == NODE_UP && (node->removing || node->leaving)) {
        return node->removing ? "removing" : "leaving";
    }
    return summary_status_name(node->status);
}

struct change_progress summary_progress(const struct view *view)
{
    struct change_progress progress = {0};
    for (unsigned slot = 0; view->changing && slot < SLOT_COUNT; slot++) {
        uint16_t placed[COPIES_MAX];
        uint16_t other[COPIES_MAX];
        const size_t placed_count = view_owners_placed(view, (uint16_t)slot, placed);
        const size_t other_count = view_owners_other(view, (uint16_t)slot, other);
        if (placed_count != other_count ||
            memcmp(placed, other, placed_count * sizeof(placed[0])) != 0) {
            progress.slots_total++;
            progress.slots_moved += view_slot_moved(view, (uint16_t)slot);
        }
    }
    return progress;
}

void summary_read_info(struct summary *summary, size_t index, struct bytes info)
{
    struct replica_lag replica;
    info_read(&summary->nodes[index].info, info);
    while (info_next_replica(&info, &replica)) {
        const int found = view_find(summary->view, &replica.id);
        if (found >= 0) {
            uint64_t *lag = &summary->nodes[found].lag_bytes;
            *lag = *lag == INFO_UNKNOWN ? replica.bytes : *lag + replica.bytes;
        }
    }
}

static uint64_t known(uint64_t number)
{
    return number == INFO_UNKNOWN ? 0 : number;
}

static void add_up(struct summary *summary)
{
    summary->ops_per_second = INFO_UNKNOWN;
    for (size_t i = 0; i < summary->view->node_count; i++) {
        const struct node_info *info = &summary->nodes[i].info;
        summary->keys += known(info->keys);
        summary->memory_bytes += known(info->memory_bytes);
        if (info->ops_per_second != INFO_UNKNOWN) {
            summary->ops_per_second = known(summary->ops_per_second) + info->ops_per_second;
        }
    }
}

/* Scratch for the balance: five times node_count. */
struct scratch {
    double *shares;
    double *others;
    double *share_copies;
    double *other_copies;
    double *has;
};

/* Nodes that do not answer are left out: nothing is due to them. */
static void leave_out_silent(const struct summary *summary, double *shares)
{
    for (size_t i = 0; i < summary->view->node_count; i++) {
        shares[i] = summary->nodes[i].info.answers ? shares[i] : 0;
    }
}

static void judge_balance(struct summary *summary, const struct scratch *scratch, uint32_t *weights)
{
    const struct view *view = summary->view;
    const size_t count = view->node_count;
    const struct due_by slots = {scratch->shares, NULL};
    const struct due_by led = {scratch->shares, scratch->others};
    const struct due_by held = {scratch->share_copies, scratch->other_copies};
    list_weights(view, false, weights);
    due_shares(weights, count, 1, scratch->shares);
    due_shares(weights, count, view->copies, scratch->share_copies);
    list_weights(view, true, weights);
    due_shares(weights, count, 1, scratch->others);
    due_shares(weights, count, view->copies, scratch->other_copies);
    for (size_t i = 0; i < count; i++) {
        scratch->has[i] = summary->nodes[i].primaries;
    }
    summary->imbalance.slots = due_excess(scratch->has, &slots, count);
    leave_out_silent(summary, scratch->shares);
    leave_out_silent(summary, scratch->others);
    leave_out_silent(summary, scratch->share_copies);
    leave_out_silent(summary, scratch->other_copies);
    for (size_t i = 0; i < count; i++) {
        scratch->has[i] = (double)known(summary->nodes[i].info.keys);
    }
    summary->imbalance.keys = due_excess(scratch->has, &held, count);
    for (size_t i = 0; i < count; i++) {
        scratch->has[i] = (double)known(summary->nodes[i].info.ops_per_second);
    }
    summary->imbalance.ops = due_excess(scratch->has, &led, count);
    for (size_t i = 0; i < count; i++) {
        scratch->has[i] = (double)known(summary->nodes[i].info.memory_bytes);
    }
    summary->imbalance.bytes = due_excess(scratch->has, &held, count);
    due_parts((double)summary->memory_bytes, &held, count, scratch->has);
    for (size_t i = 0; i < count; i++) {
        summary->nodes[i].due_bytes = scratch->has[i];
    }
}

static int find_balance(struct summary *summary)
{
    const size_t count = summary->view->node_count;
    double *numbers = calloc(5 * count + 1, sizeof(*numbers));
    uint32_t *weights = calloc(count + 1, sizeof(*weights));
    const int result = numbers == NULL || weights == NULL ? TORC_ENOMEM : TORC_OK;
    if (result == TORC_OK) {
        const struct scratch scratch = {numbers, numbers + count, numbers + 2 * count,
                                        numbers + 3 * count, numbers + 4 * count};
        judge_balance(summary, &scratch, weights);
    }
    free(weights);
    free(numbers);
    return result;
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a;
    const uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static int find_clock(struct summary *summary)
{
    uint64_t *clocks = calloc(summary->view->node_count + 1, sizeof(*clocks));
    size_t count = 0;
    if (clocks == NULL) {
        return TORC_ENOMEM;
    }
    for (size_t i = 0; i < summary->view->node_count; i++) {
        if (summary->nodes[i].info.clock_us != INFO_UNKNOWN) {
            clocks[count++] = summary->nodes[i].info.clock_us;
        }
    }
    qsort(clocks, count, sizeof(clocks[0]), compare_numbers);
    summary->clock_us = count == 0 ? 0 : clocks[(count - 1) / 2];
    free(clocks);
    return TORC_OK;
}

int summary_judge(struct summary *summary)
{
    add_up(summary);
    int result = find_balance(summary);
    if (result == TORC_OK) {
        result = find_clock(summary);
    }
    return result == TORC_OK ? warnings_collect(summary) : result;
}
