/* Which slots may have lost what was acknowledged: those all of whose in-sync copies are gone. */
#include "tests/sim/check_history.h"
#include "tests/sim/cluster_node.h"

#include <stdio.h>
#include <string.h>

/* The process that the view speaks of is there, and so is its memory. */
static bool is_intact(struct cluster *cluster, const struct view_node *node)
{
    const struct sim_node *process = sim_find(cluster, &node->id);
    return process != NULL && !process->dying &&
           (process->state == SIM_RUNNING || process->state == SIM_PAUSED) &&
           process->incarnation == node->incarnation;
}

static bool is_held(struct cluster *cluster, const struct view *view, uint16_t slot)
{
    uint16_t nodes[COPIES_MAX];
    size_t count = view_owners(view, slot, nodes);
    bool up = count > 0 && view->nodes[nodes[0]].status == NODE_UP;
    if (!up) {
        count = view_owners_placed(view, slot, nodes);
    }
    uint64_t last_up = 0;
    for (size_t i = 0; i < count && !up; i++) {
        uint64_t last = view->nodes[nodes[i]].last_up;
        last_up = last > last_up ? last : last_up;
    }
    for (size_t i = 0; i < count; i++) {
        const struct view_node *node = &view->nodes[nodes[i]];
        if ((up || (node->last_up == last_up && !node->lost)) && is_intact(cluster, node)) {
            return true;
        }
    }
    return false;
}

void check_losses(struct cluster *cluster)
{
    const struct view *view = cluster->views[cluster->newest_epoch];
    if (view == NULL) {
        return;
    }
    bool newly[SLOT_COUNT] = {0};
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        bool lost = !is_held(cluster, view, slot);
        newly[slot] = lost && !cluster->lost[slot];
        cluster->lost[slot] = lost;
        cluster->seen.losses += newly[slot];
        if (newly[slot]) {
            cluster->lost_us[slot] = cluster->network.now_us;
            cluster_note(cluster, "slot %u: no copy that counts is left", slot);
        }
    }
    for (unsigned key = 0; key < CLUSTER_KEYS; key++) {
        if (newly[cluster_slot(key)]) {
            struct operation operation = {.kind = OPERATION_DEL,
                                          .invoked_us = cluster->network.now_us};
            size_t index = history_begin(cluster->history, key, &operation);
            history_end(cluster->history, key, index, OUTCOME_UNKNOWN, 0, 0);
        }
    }
}
