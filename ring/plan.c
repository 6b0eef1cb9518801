#include "ring/plan.h"

#include <assert.h>
#include <stdlib.h>

/* Owners of one slot, as indexes into plan->nodes. */
struct owners {
    size_t count;
    uint16_t node[COPIES_MAX];
};

static bool test_bit(const uint8_t *bits, uint16_t slot)
{
    assert(slot < SLOT_COUNT);
    return (bits[slot / 8] >> (slot % 8) & 1) != 0;
}

static void set_bit(uint8_t *bits, uint32_t slot)
{
    bits[slot / 8] |= (uint8_t)(1u << (slot % 8));
}

bool plan_primary_changes(const struct plan *plan, uint16_t slot)
{
    return test_bit(plan->primary_changes, slot);
}

bool plan_owner_gains(const struct plan *plan, uint16_t slot)
{
    return test_bit(plan->owner_gains, slot);
}

/* Merges the two sorted lists of nodes; from_index[i] and to_index[i] say where node i of each view
 * went. */
static void merge_nodes(struct plan *plan, const struct view *from, const struct view *to,
                        uint16_t *from_index, uint16_t *to_index)
{
    size_t i = 0;
    size_t j = 0;
    while (i < from->node_count || j < to->node_count) {
        int order;
        if (i == from->node_count) {
            order = 1;
        } else if (j == to->node_count) {
            order = -1;
        } else {
            order = node_id_compare(&from->nodes[i].id, &to->nodes[j].id);
        }
        uint16_t at = (uint16_t)plan->node_count++;
        plan->nodes[at].id = order <= 0 ? from->nodes[i].id : to->nodes[j].id;
        if (order <= 0) {
            from_index[i++] = at;
        }
        if (order >= 0) {
            to_index[j++] = at;
        }
    }
}

static struct owners owners_now(const struct view *view, uint16_t slot, const uint16_t *index)
{
    struct owners owners;
    owners.count = view_owners_placed(view, slot, owners.node);
    for (size_t i = 0; i < owners.count; i++) {
        owners.node[i] = index[owners.node[i]];
    }
    return owners;
}

static struct owners owners_finally(const struct view *view, uint16_t slot, const uint16_t *index)
{
    const struct placement *placement = view->changing ? view->target : view->current;
    struct owners owners = {.count = 0};
    while (owners.count < view->copies && placement->owners[owners.count][slot] != PLACEMENT_NONE) {
        owners.node[owners.count] = index[placement->owners[owners.count][slot]];
        owners.count++;
    }
    return owners;
}

static bool is_owner(const struct owners *owners, uint16_t node)
{
    for (size_t i = 0; i < owners->count; i++) {
        if (owners->node[i] == node) {
            return true;
        }
    }
    return false;
}

static void count_slot(struct plan *plan, uint32_t slot, const struct owners *from,
                       const struct owners *to)
{
    for (size_t rank = 0; rank < from->count; rank++) {
        struct plan_node *node = &plan->nodes[from->node[rank]];
        node->slots_from[rank]++;
        node->copies_lost += is_owner(to, from->node[rank]) ? 0 : 1;
    }
    for (size_t rank = 0; rank < to->count; rank++) {
        struct plan_node *node = &plan->nodes[to->node[rank]];
        node->slots_to[rank]++;
        if (!is_owner(from, to->node[rank])) {
            node->copies_gained++;
            plan->copies_moved++;
            set_bit(plan->owner_gains, slot);
        }
    }
    /* A slot that has a primary on one side only changes too. */
    if (from->count != 0 || to->count != 0) {
        if (from->count == 0 || to->count == 0 || from->node[0] != to->node[0]) {
            set_bit(plan->primary_changes, slot);
            plan->primaries_moved++;
        }
    }
}

static uint64_t weight_sum(const struct view *view, bool target)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < view->node_count; i++) {
        sum += target ? view->nodes[i].weight_target : view->nodes[i].weight_current;
    }
    return sum;
}

static double share_of(uint32_t weight, uint64_t sum)
{
    return sum == 0 ? 0 : (double)SLOT_COUNT * weight / (double)sum;
}

static void set_shares(struct plan *plan, const struct view *from, const struct view *to,
                       const uint16_t *from_index, const uint16_t *to_index)
{
    /* A view in the middle of a change has some of each ring. */
    uint32_t moved = 0;
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        moved += view_slot_moved(from, (uint16_t)slot) ? 1 : 0;
    }
    double moved_part = (double)moved / SLOT_COUNT;
    uint64_t current_sum = weight_sum(from, false);
    uint64_t target_sum = weight_sum(from, true);
    for (size_t i = 0; i < from->node_count; i++) {
        plan->nodes[from_index[i]].share_from =
            (1 - moved_part) * share_of(from->nodes[i].weight_current, current_sum) +
            moved_part * share_of(from->nodes[i].weight_target, target_sum);
    }
    uint64_t to_sum = weight_sum(to, true);
    for (size_t i = 0; i < to->node_count; i++) {
        plan->nodes[to_index[i]].share_to = share_of(to->nodes[i].weight_target, to_sum);
    }
}

/* A share below one slot counts as one: a node has whole slots. */
static void raise_largest(double *largest, uint32_t slots, double share)
{
    double relative = slots / (share < 1 ? 1 : share);
    if (relative > *largest) {
        *largest = relative;
    }
}

static void summarize(struct plan *plan)
{
    double given_up = 0;
    uint32_t ownerless = SLOT_COUNT;
    for (size_t i = 0; i < plan->node_count; i++) {
        const struct plan_node *node = &plan->nodes[i];
        for (size_t rank = 0; rank < COPIES_MAX; rank++) {
            raise_largest(&plan->largest_from[rank], node->slots_from[rank], node->share_from);
            raise_largest(&plan->largest_to[rank], node->slots_to[rank], node->share_to);
        }
        ownerless -= node->slots_from[0];
        if (node->share_to <= 0) {
            given_up += node->slots_from[0];
        } else if (node->share_to < node->share_from) {
            given_up += node->share_from - node->share_to;
        }
    }
    /* A sum of shares that are not whole in binary may fall just short of a whole number. */
    plan->primaries_least = ownerless + (uint32_t)(given_up + 1e-6);
}

struct plan *plan_create(const struct view *from, const struct view *to)
{
    struct plan *plan = calloc(1, sizeof(*plan));
    size_t nodes_max = from->node_count + to->node_count;
    uint16_t *index = calloc(nodes_max + 1, sizeof(*index));
    if (plan == NULL || index == NULL) {
        goto fail;
    }
    plan->nodes = calloc(nodes_max + 1, sizeof(*plan->nodes));
    if (plan->nodes == NULL) {
        goto fail;
    }
    plan->epoch_from = from->epoch;
    plan->epoch_to = to->epoch;
    uint16_t *from_index = index;
    uint16_t *to_index = index + from->node_count;
    merge_nodes(plan, from, to, from_index, to_index);
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        struct owners before = owners_now(from, (uint16_t)slot, from_index);
        struct owners after = owners_finally(to, (uint16_t)slot, to_index);
        count_slot(plan, slot, &before, &after);
    }
    set_shares(plan, from, to, from_index, to_index);
    summarize(plan);
    free(index);
    return plan;
fail:
    free(index);
    free(plan);
    return NULL;
}

void plan_destroy(struct plan *plan)
{
    if (plan != NULL) {
        free(plan->nodes);
        free(plan);
    }
}
