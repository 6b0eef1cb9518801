#include "client/ring/rebalance.h"

#include "base/error.h"
#include "client/ring/due.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 8           /* from each beginning: it is near its best after five or six */
#define EVEN 0.01          /* good enough to look no further */
#define ABOUT_EQUAL 0.005  /* imbalances that differ by less are equally good */
#define STEP 0.7           /* exponent of the correction: a full step overshoots */
#define CORRECTION_MAX 4.0 /* of one round, for nodes that have nothing measured */

struct work {
    const struct rebalance_input *input;
    size_t count;
    struct placement_member *members; /* as tried last */
    double *shares;                   /* what each is due, of the sum of all shares */
    double *has;                      /* of what is measured, as tried last */
    uint32_t *intended;
    double lowest; /* imbalance of all that was tried */
    uint32_t *best;
    double best_imbalance;
    uint32_t best_moved;
    struct placement placement;
};

static uint32_t clamp_weight(double weight)
{
    if (weight < 1) {
        return 1;
    }
    return weight > WEIGHT_MAX ? WEIGHT_MAX : (uint32_t)lround(weight);
}

/* Copies that the placement gives to those who have none now. */
static uint32_t count_moved(const struct work *work)
{
    const struct view *view = work->input->view;
    uint32_t moved = 0;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        for (unsigned rank = 0; rank < view->copies; rank++) {
            const uint16_t owner = work->placement.owners[rank][slot];
            bool had = owner == PLACEMENT_NONE;
            for (unsigned before = 0; before < view->copies && !had; before++) {
                had = view->current->owners[before][slot] == owner;
            }
            moved += !had;
        }
    }
    return moved;
}

/* What the nodes would have by a placement. */
static double imbalance_of(struct work *work, const struct placement *placement)
{
    const unsigned ranks = work->input->copies ? work->input->view->copies : 1;
    const struct due_by due = {work->shares, NULL};
    memset(work->has, 0, work->count * sizeof(*work->has));
    for (unsigned rank = 0; rank < ranks; rank++) {
        for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
            const uint16_t owner = placement->owners[rank][slot];
            if (owner != PLACEMENT_NONE) {
                work->has[owner] += work->input->measure[slot];
            }
        }
    }
    return due_excess(work->has, &due, work->count);
}

/* Tries the weights in members[] out, and keeps them if they are better. 0 or TORC_ENOMEM. */
static int try_out(struct work *work)
{
    int result =
        placement_build(&work->placement, work->members, work->count, work->input->view->copies);
    assert(result != TORC_EINVAL); /* the view is sealed */
    if (result != TORC_OK) {
        return result;
    }
    const double imbalance = imbalance_of(work, &work->placement);
    const uint32_t moved = count_moved(work);
    const double gain = work->lowest - imbalance;
    work->lowest = fmin(work->lowest, imbalance);
    if (gain > ABOUT_EQUAL || (gain > -ABOUT_EQUAL && moved < work->best_moved)) {
        work->best_imbalance = imbalance;
        work->best_moved = moved;
        for (size_t i = 0; i < work->count; i++) {
            work->best[i] = work->members[i].weight;
        }
    }
    return TORC_OK;
}

/* Who has more than it is due gets less weight, and the other way round. */
static void correct(struct work *work)
{
    double total = 0;
    double share_sum = 0;
    double intended_sum = 0;
    double weight_sum = 0;
    for (size_t i = 0; i < work->count; i++) {
        total += work->has[i];
        share_sum += work->shares[i];
        intended_sum += work->intended[i];
    }
    for (size_t i = 0; i < work->count; i++) {
        if (work->intended[i] > 0) {
            const double due = total * work->shares[i] / share_sum;
            double factor = work->has[i] > 0 ? pow(due / work->has[i], STEP) : CORRECTION_MAX;
            factor = fmax(1 / CORRECTION_MAX, fmin(factor, CORRECTION_MAX));
            work->members[i].weight = clamp_weight(work->members[i].weight * factor);
            weight_sum += work->members[i].weight;
        }
    }
    /* So that the next node to join, with the weight that it asks for, gets its share of them. */
    for (size_t i = 0; i < work->count; i++) {
        if (work->intended[i] > 0) {
            work->members[i].weight =
                clamp_weight(work->members[i].weight * intended_sum / weight_sum);
        }
    }
}

static int search_from(struct work *work)
{
    for (int round = 0; round < ROUNDS && work->lowest > EVEN; round++) {
        int result = try_out(work);
        if (result != TORC_OK) {
            return result;
        }
        correct(work);
    }
    return TORC_OK;
}

/* From the weights that are intended, and from those that there are if they are others. */
static int search(struct work *work)
{
    const struct view *view = work->input->view;
    bool same = true;
    for (size_t i = 0; i < work->count; i++) {
        same = same && work->intended[i] == view->nodes[i].weight_current;
        work->members[i].weight = work->intended[i];
    }
    int result = search_from(work);
    for (size_t i = 0; i < work->count; i++) {
        work->members[i].weight = view->nodes[i].weight_current;
    }
    return result == TORC_OK && !same ? search_from(work) : result;
}

static int find(struct rebalance *out, struct work *work)
{
    const struct view *view = work->input->view;
    double total = 0;
    for (size_t i = 0; i < work->count; i++) {
        work->intended[i] = due_intended(&view->nodes[i]);
        work->best[i] = view->nodes[i].weight_current;
        work->members[i] =
            (struct placement_member){.id = view->nodes[i].id, .zone = view->nodes[i].zone};
    }
    due_shares(work->intended, work->count, work->input->copies ? view->copies : 1, work->shares);
    work->best_imbalance = imbalance_of(work, view->current);
    for (size_t i = 0; i < work->count; i++) {
        total += work->has[i];
    }
    work->lowest = work->best_imbalance;
    out->imbalance_now = work->best_imbalance;
    int result = total > 0 ? search(work) : TORC_OK;
    out->weights = work->best;
    out->imbalance_best = work->best_imbalance;
    out->worthwhile = out->imbalance_now - out->imbalance_best >= REBALANCE_GAIN_MIN;
    return result;
}

int rebalance_find(struct rebalance *out, const struct rebalance_input *input)
{
    const size_t count = input->view->node_count;
    *out = (struct rebalance){.weights = NULL};
    assert(!input->view->changing);
    struct work *work = calloc(1, sizeof(*work));
    if (work == NULL) {
        return TORC_ENOMEM;
    }
    work->input = input;
    work->count = count;
    work->members = calloc(count + 1, sizeof(*work->members));
    work->shares = calloc(2 * count + 1, sizeof(*work->shares));
    work->intended = calloc(count + 1, sizeof(*work->intended));
    work->best = calloc(count + 1, sizeof(*work->best));
    int result = TORC_ENOMEM;
    if (work->members != NULL && work->shares != NULL && work->intended != NULL &&
        work->best != NULL) {
        work->has = work->shares + count;
        result = find(out, work);
    } else {
        free(work->best);
    }
    free(work->intended);
    free(work->shares);
    free(work->members);
    free(work);
    if (result != TORC_OK) {
        rebalance_deinit(out);
    }
    return result;
}

void rebalance_deinit(struct rebalance *rebalance)
{
    free(rebalance->weights);
    *rebalance = (struct rebalance){.weights = NULL};
}
