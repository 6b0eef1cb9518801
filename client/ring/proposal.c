#include "client/ring/proposal.h"

#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static double measured(const struct slot_measure *slot, enum balance by)
{
    switch (by) {
    case BALANCE_SLOTS: return 1;
    case BALANCE_BYTES: return (double)slot->bytes;
    case BALANCE_OPS: return slot->ops;
    }
    return 0;
}

static int find_weights(struct proposal *out, const struct proposal_input *input)
{
    const enum balance by = input->request->by;
    double *measure = calloc(SLOT_COUNT, sizeof(*measure));
    if (measure == NULL) {
        return TORC_ENOMEM;
    }
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        measure[i] = measured(&input->measure->slots[i], by);
    }
    const struct rebalance_input rebalance = {
        .view = input->view, .measure = measure, .copies = by == BALANCE_BYTES};
    int result = rebalance_find(&out->rebalance, &rebalance);
    free(measure);
    if (result == TORC_OK && out->rebalance.worthwhile) {
        result = change_of_weights(&out->change, input->view, out->rebalance.weights);
    }
    return result;
}

static int foretell(struct proposal *out, const struct proposal_input *input)
{
    out->next = change_apply(&out->change, input->view);
    if (out->next == NULL) {
        return TORC_ENOMEM;
    }
    const struct forecast_input forecast = {
        .now = input->view,
        .next = out->next,
        .measure = input->measure,
        .summary = input->summary,
        .by_intent = input->request->kind == CHANGE_REBALANCE,
    };
    return forecast_create(&out->forecast, &forecast);
}

int proposal_create(struct proposal *out, const struct proposal_input *input,
                    char error[RING_ERROR_SIZE])
{
    *out = (struct proposal){.request = *input->request, .view = view_retain(input->view)};
    (void)snprintf(error, RING_ERROR_SIZE, "%s", torc_strerror(TORC_ENOMEM));
    int result = input->request->kind == CHANGE_REBALANCE
                     ? find_weights(out, input)
                     : change_create(&out->change, input->view, input->request, error);
    if (result == TORC_OK && out->change.step_count > 0) {
        result = foretell(out, input);
    }
    if (result != TORC_OK) {
        proposal_deinit(out);
    }
    return result;
}

void proposal_deinit(struct proposal *proposal)
{
    forecast_deinit(&proposal->forecast);
    rebalance_deinit(&proposal->rebalance);
    change_deinit(&proposal->change);
    view_release(proposal->next);
    view_release(proposal->view);
    *proposal = (struct proposal){.view = NULL};
}

void proposal_encode(const struct proposal *proposal, struct buf *out, size_t *count)
{
    const struct change *change = &proposal->change;
    buf_append(out, "CHANGE", sizeof("CHANGE"));
    buf_append_format(out, "%016" PRIx64 "%c", view_ring_tag(proposal->view), '\0');
    for (size_t i = 0; i < change->step_count; i++) {
        char id[NODE_ID_TEXT_SIZE];
        node_id_format(&change->steps[i].id, id);
        buf_append(out, id, sizeof(id));
        if (change->steps[i].remove) {
            buf_append(out, "remove", sizeof("remove"));
        } else {
            buf_append_format(out, "%u%c", change->steps[i].weight, '\0');
        }
    }
    *count = 2 + 2 * change->step_count;
}
