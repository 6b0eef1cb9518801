#include "client/ring/forecast.h"

#include "base/error.h"
#include "client/ring/due.h"

#include <stdlib.h>

/* Of one computation. The two views have the same nodes, so an index into one is good for all. */
struct work {
    struct forecast *forecast;
    const struct forecast_input *input;
    double *sent;   /* bytes, by each node */
    double *due[2]; /* before and after: the part of all primaries */
    double *due_copies[2];
    double *has;       /* scratch */
    uint32_t *weights; /* scratch */
};

static bool is_among(const uint16_t *nodes, size_t count, uint16_t node)
{
    for (size_t i = 0; i < count; i++) {
        if (nodes[i] == node) {
            return true;
        }
    }
    return false;
}

static void add_slot(struct load *loads, const uint16_t *owners, size_t count,
                     const struct slot_measure *slot)
{
    for (size_t rank = 0; rank < count; rank++) {
        struct load *load = &loads[owners[rank]];
        load->slots += rank == 0;
        load->ops += rank == 0 ? slot->ops : 0;
        load->keys += (double)slot->keys;
        load->bytes += (double)slot->bytes;
    }
}

static void count_slot(struct work *work, uint16_t slot, const struct slot_measure *has)
{
    struct forecast *out = work->forecast;
    uint16_t before[COPIES_MAX];
    uint16_t after[COPIES_MAX];
    uint16_t serving[COPIES_MAX];
    const size_t before_count = view_owners_placed(work->input->now, slot, before);
    const size_t after_count = view_owners_target(work->input->next, slot, after);
    const size_t serving_count = view_owners(work->input->now, slot, serving);
    add_slot(out->before, before, before_count, has);
    add_slot(out->after, after, after_count, has);
    for (size_t i = 0; i < after_count; i++) {
        if (!is_among(before, before_count, after[i])) {
            out->keys_moved += (double)has->keys;
            out->bytes_moved += (double)has->bytes;
            /* Its primary sends it. */
            if (serving_count > 0) {
                work->sent[serving[0]] += (double)has->bytes;
            }
        }
    }
}

static void set_due(struct work *work, bool after)
{
    const struct view *view = after ? work->input->next : work->input->now;
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_node *node = &view->nodes[i];
        work->weights[i] = work->input->by_intent ? due_intended(node) : node->weight_target;
    }
    due_shares(work->weights, view->node_count, 1, work->due[after]);
    due_shares(work->weights, view->node_count, view->copies, work->due_copies[after]);
}

/* To come from what each node has to what it will have, whichever slots these are. plan.h has a
 * bound by weight alone, which nodes that are off their share can fall below. */
static void count_least(struct forecast *out)
{
    for (size_t i = 0; i < out->plan->node_count; i++) {
        const struct plan_node *node = &out->plan->nodes[i];
        uint32_t before = 0;
        uint32_t after = 0;
        for (size_t rank = 0; rank < COPIES_MAX; rank++) {
            before += node->slots_from[rank];
            after += node->slots_to[rank];
        }
        out->copies_least += after > before ? after - before : 0;
        if (node->slots_to[0] > node->slots_from[0]) {
            out->primaries_least += node->slots_to[0] - node->slots_from[0];
        }
    }
}

static void judge(struct work *work, bool after)
{
    const struct load *loads = after ? work->forecast->after : work->forecast->before;
    struct imbalance *out =
        after ? &work->forecast->imbalance_after : &work->forecast->imbalance_before;
    const size_t count = work->input->now->node_count;
    const struct due_by led = {work->due[after], NULL};
    const struct due_by held = {work->due_copies[after], NULL};
    for (size_t i = 0; i < count; i++) {
        work->has[i] = loads[i].slots;
    }
    out->slots = due_excess(work->has, &led, count);
    for (size_t i = 0; i < count; i++) {
        work->has[i] = loads[i].keys;
    }
    out->keys = due_excess(work->has, &held, count);
    for (size_t i = 0; i < count; i++) {
        work->has[i] = loads[i].bytes;
    }
    out->bytes = due_excess(work->has, &held, count);
    for (size_t i = 0; i < count; i++) {
        work->has[i] = loads[i].ops;
    }
    out->ops = due_excess(work->has, &led, count);
}

/* All nodes send at the same time: the one that takes longest decides. */
static void estimate_time(struct work *work)
{
    struct forecast *out = work->forecast;
    out->rate = RATE_ASSUMED;
    out->rate_assumed = true;
    for (size_t i = 0; i < work->input->now->node_count; i++) {
        const uint64_t limit = work->input->summary->nodes[i].info.rate_limit;
        const bool assumed = limit == 0 || limit == INFO_UNKNOWN;
        const double rate = assumed ? RATE_ASSUMED : (double)limit;
        if (work->sent[i] / rate > out->seconds) {
            out->seconds = work->sent[i] / rate;
            out->rate = rate;
            out->rate_assumed = assumed;
        }
    }
}

static void compute(struct work *work)
{
    const struct measure *measure = work->input->measure;
    struct forecast *out = work->forecast;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        count_slot(work, (uint16_t)slot, &measure->slots[slot]);
    }
    set_due(work, false);
    set_due(work, true);
    count_least(out);
    judge(work, false);
    judge(work, true);
    estimate_time(work);
    out->slots_unknown = measure_unknown(measure);
    out->has_ops = measure->has_ops;
}

int forecast_create(struct forecast *out, const struct forecast_input *input)
{
    const size_t count = input->now->node_count + 1; /* so that none is no special case */
    *out = (struct forecast){.plan = plan_create(input->now, input->next),
                             .before = calloc(count, sizeof(*out->before)),
                             .after = calloc(count, sizeof(*out->after))};
    double *numbers = calloc(6 * count, sizeof(*numbers));
    uint32_t *weights = calloc(count, sizeof(*weights));
    int result = TORC_ENOMEM;
    if (out->plan != NULL && out->before != NULL && out->after != NULL && numbers != NULL &&
        weights != NULL) {
        struct work work = {
            .forecast = out,
            .input = input,
            .sent = numbers,
            .due = {numbers + count, numbers + 2 * count},
            .due_copies = {numbers + 3 * count, numbers + 4 * count},
            .has = numbers + 5 * count,
            .weights = weights,
        };
        compute(&work);
        result = TORC_OK;
    }
    free(weights);
    free(numbers);
    if (result != TORC_OK) {
        forecast_deinit(out);
    }
    return result;
}

void forecast_deinit(struct forecast *forecast)
{
    plan_destroy(forecast->plan);
    free(forecast->before);
    free(forecast->after);
    *forecast = (struct forecast){.plan = NULL};
}
