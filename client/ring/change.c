#include "client/ring/change.h"

#include "base/error.h"
#include "client/ring/cells.h"
#include "client/ring/node_name.h"

#include <stdio.h>
#include <stdlib.h>

/* What add gives; false: it cannot be said. */
static bool weight_to_add(const struct view_node *node, const struct change_request *request,
                          uint32_t *out, char error[RING_ERROR_SIZE])
{
    *out = request->has_weight        ? request->weight
           : node->weight_current > 0 ? node->weight_current
                                      : node->weight_asked;
    if (*out == 0) {
        (void)snprintf(
            error, RING_ERROR_SIZE,
            request->has_weight
                ? "add: weight 0 is no share; accepted: a weight above 0"
                : "add: the node asks for no weight itself; say which it is to have: add "
                  "NODE W");
        return false;
    }
    if (request->has_weight && node->weight_current > 0 && node->weight_current != *out) {
        char weight[CELL_SIZE];
        cells_weight(weight, node->weight_current);
        (void)snprintf(error, RING_ERROR_SIZE,
                       "add: the node has weight %s already; to change it: weight NODE W", weight);
        return false;
    }
    return true;
}

static bool anybody_left(const struct view *view, size_t but)
{
    for (size_t i = 0; i < view->node_count; i++) {
        if (i != but && view->nodes[i].weight_current > 0 && view->nodes[i].status != NODE_DOWN &&
            !view->nodes[i].removing) {
            return true;
        }
    }
    return false;
}

int change_create(struct change *out, const struct view *view, const struct change_request *request,
                  char error[RING_ERROR_SIZE])
{
    size_t index = 0;
    uint32_t weight = 0;
    *out = (struct change){.steps = NULL};
    int result = node_name_find(view, request->node, &index, error);
    if (result != TORC_OK) {
        return result;
    }
    const struct view_node *node = &view->nodes[index];
    if (node->removing) {
        (void)snprintf(error, RING_ERROR_SIZE, "%s: the node is being removed",
                       ring_change_name(request->kind));
        return TORC_EINVAL;
    }
    if (request->kind == CHANGE_ADD && !weight_to_add(node, request, &weight, error)) {
        return TORC_EINVAL;
    }
    if (request->kind == CHANGE_WEIGHT) {
        weight = request->weight;
    }
    if (weight == 0 && !anybody_left(view, index)) {
        (void)snprintf(error, RING_ERROR_SIZE,
                       "%s: nobody would be left to hold the slots: no other node that is up has "
                       "weight",
                       ring_change_name(request->kind));
        return TORC_EINVAL;
    }
    const bool remove = request->kind == CHANGE_REMOVE;
    if (weight == node->weight_current && !remove) {
        return TORC_OK;
    }
    out->steps = calloc(1, sizeof(*out->steps));
    if (out->steps == NULL) {
        (void)snprintf(error, RING_ERROR_SIZE, "%s", torc_strerror(TORC_ENOMEM));
        return TORC_ENOMEM;
    }
    out->step_count = 1;
    out->steps[0] = (struct change_step){
        .id = node->id, .weight_before = node->weight_current, .weight = weight, .remove = remove};
    return TORC_OK;
}

int change_of_weights(struct change *out, const struct view *view, const uint32_t *weights)
{
    *out = (struct change){.steps = calloc(view->node_count + 1, sizeof(*out->steps))};
    if (out->steps == NULL) {
        return TORC_ENOMEM;
    }
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_node *node = &view->nodes[i];
        if (weights[i] != node->weight_current) {
            out->steps[out->step_count++] = (struct change_step){
                .id = node->id, .weight_before = node->weight_current, .weight = weights[i]};
        }
    }
    return TORC_OK;
}

void change_deinit(struct change *change)
{
    free(change->steps);
    *change = (struct change){.steps = NULL};
}

static const struct change_step *step_of(const struct change *change, const struct node_id *id)
{
    for (size_t i = 0; i < change->step_count; i++) {
        if (node_id_equal(&change->steps[i].id, id)) {
            return &change->steps[i];
        }
    }
    return NULL;
}

struct view *change_apply(const struct change *change, const struct view *view)
{
    struct view *next = view_clone(view);
    if (next == NULL) {
        return NULL;
    }
    next->epoch++;
    next->changing = true;
    for (size_t i = 0; i < next->node_count; i++) {
        const struct change_step *step = step_of(change, &next->nodes[i].id);
        if (step != NULL) {
            next->nodes[i].weight_target = step->weight;
        }
    }
    if (view_seal(next) != TORC_OK) {
        view_release(next);
        return NULL;
    }
    return next;
}

/* By the weights of all nodes, for anybody's change shows in them. */
static bool is_as_before(const struct view *before, const struct view *now)
{
    for (size_t i = 0; i < before->node_count; i++) {
        const struct view_node *was = &before->nodes[i];
        const int found = view_find(now, &was->id);
        if (found < 0 || now->nodes[found].weight_current != was->weight_current ||
            now->nodes[found].removing != was->removing) {
            return false;
        }
    }
    return !now->changing;
}

enum change_state change_look(const struct change *change, const struct view *before,
                              const struct view *now)
{
    bool as_wanted = true;
    for (size_t i = 0; i < change->step_count; i++) {
        const struct change_step *step = &change->steps[i];
        const int found = view_find(now, &step->id);
        const struct view_node *node = found < 0 ? NULL : &now->nodes[found];
        const bool good =
            node == NULL ? step->remove
                         : node->weight_target == step->weight && node->removing == step->remove;
        as_wanted = as_wanted && good;
    }
    if (as_wanted) {
        return now->changing ? CHANGE_BEGUN : CHANGE_DONE;
    }
    return is_as_before(before, now) ? CHANGE_WAITING : CHANGE_FOREIGN;
}

bool change_came_to_its_end(const struct view *before, const struct view *now)
{
    for (size_t i = 0; i < before->node_count; i++) {
        const int found = view_find(now, &before->nodes[i].id);
        const uint32_t weight = found < 0 ? 0 : now->nodes[found].weight_current;
        if (weight != before->nodes[i].weight_target) {
            return false;
        }
    }
    return true;
}
