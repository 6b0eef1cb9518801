/* After faults have ended: one view, everything served, every copy restored; within a stated time.
 */
#include "tests/sim/check_history.h"
#include "tests/sim/cluster_node.h"

#include <stdio.h>
#include <string.h>

static void check_members(struct cluster *cluster, const struct view *view, char *why, size_t size)
{
    for (size_t i = 0; i < cluster->node_count; i++) {
        const struct sim_node *node = cluster->nodes[i];
        int index = view_find(view, &node->id);
        if (node->state != SIM_RUNNING) {
            if (index >= 0) {
                snprintf(why, size, "node %u is gone and still in epoch %llu", node->index,
                         (unsigned long long)view->epoch);
            }
            continue;
        }
        if (node->view->epoch != view->epoch) {
            snprintf(why, size, "node %u is at epoch %llu, others at %llu", node->index,
                     (unsigned long long)node->view->epoch, (unsigned long long)view->epoch);
        } else if (index < 0) {
            snprintf(why, size, "node %u is not in the view", node->index);
        } else if (view->nodes[index].status != NODE_UP) {
            snprintf(why, size, "node %u is not up", node->index);
        } else if (view->nodes[index].incarnation != node->incarnation) {
            snprintf(why, size, "the view knows an earlier run of node %u", node->index);
        }
    }
}

void check_healed(struct cluster *cluster, char *why, size_t size)
{
    const struct view *view = sim_any_running(cluster)->view;
    why[0] = '\0';
    check_members(cluster, view, why, size);
    if (view->changing) {
        snprintf(why, size, "a ring change is under way");
    }
    for (uint16_t slot = 0; slot < SLOT_COUNT && why[0] == '\0'; slot++) {
        uint16_t owners[COPIES_MAX];
        size_t count = view_owners(view, slot, owners);
        const struct sim_node *primary =
            count == 0 ? NULL : sim_find(cluster, &view->nodes[owners[0]].id);
        if (primary == NULL) {
            snprintf(why, size, "slot %u has no owner", slot);
        } else if (!copy_serves(&primary->copies[slot]) || !sim_has_lease(primary)) {
            snprintf(why, size, "slot %u is not served by node %u (stage %u, lease %d)", slot,
                     primary->index, primary->copies[slot].stage, sim_has_lease(primary));
        }
        for (size_t i = 1; primary != NULL && i < count && why[0] == '\0'; i++) {
            const struct sim_node *replica = sim_find(cluster, &view->nodes[owners[i]].id);
            struct standing ours = copy_standing(&primary->copies[slot]);
            struct standing theirs = copy_standing(&replica->copies[slot]);
            if (!copy_is_ready(&replica->copies[slot])) {
                snprintf(why, size, "slot %u is not ready at node %u", slot, replica->index);
            } else if (standing_compare(&ours, &theirs) != 0) {
                snprintf(why, size,
                         "slot %u goes less far at node %u (%llu.%llu) than at %u "
                         "(%llu.%llu)",
                         slot, replica->index, (unsigned long long)theirs.effect_epoch,
                         (unsigned long long)theirs.sequence, primary->index,
                         (unsigned long long)ours.effect_epoch, (unsigned long long)ours.sequence);
            }
        }
    }
}

static void describe_nodes(const struct view *view, const uint16_t *nodes, size_t count, char *text,
                           size_t size)
{
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const struct view_node *node = &view->nodes[nodes[i]];
        size_t used = strlen(text);
        snprintf(text + used, size - used, " %u(last %llu)", node->id.bytes[NODE_ID_SIZE - 1],
                 (unsigned long long)node->last_up);
    }
}

static void describe_slots(struct cluster *cluster, const struct view *view)
{
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t nodes[COPIES_MAX];
        char owners[100], placed[100], target[100];
        size_t count = view_owners(view, slot, nodes);
        describe_nodes(view, nodes, count, owners, sizeof(owners));
        describe_nodes(view, nodes, view_owners_placed(view, slot, nodes), placed, sizeof(placed));
        describe_nodes(view, nodes, view_owners_target(view, slot, nodes), target, sizeof(target));
        if (count == 0 || (view->changing && !view_slot_moved(view, slot))) {
            cluster_note(cluster, "  slot %u: owners%s placed%s target%s%s", slot, owners, placed,
                         target, view_slot_moved(view, slot) ? " moved" : "");
        }
    }
    for (size_t i = 0; i < view->node_count; i++) {
        cluster_note(cluster, "  node %u: weight %u -> %u",
                     view->nodes[i].id.bytes[NODE_ID_SIZE - 1], view->nodes[i].weight_current,
                     view->nodes[i].weight_target);
    }
}

static void describe_copy(struct cluster *cluster, const struct sim_node *node,
                          const struct copy *copy)
{
    char text[300] = "";
    size_t size = 0;
    for (size_t i = 0; i < copy->member_count; i++) {
        const struct copy_member *member = &copy->members[i];
        size += (size_t)snprintf(text + size, sizeof(text) - size, " [%u stage %u%s%s%s]",
                                 member->peer, member->stage, member->owner ? " owner" : "",
                                 member->target ? " target" : "",
                                 member->stream == NULL ? " no stream" : "");
    }
    cluster_note(cluster,
                 "  node %u slot %u: role %u stage %u complete %d receiving %d attached %d "
                 "confirmed %d holds %d movable %d leader %d source %d generation %llu%s",
                 node->index, copy->index, copy->role, copy->stage, copy->complete, copy->receiving,
                 copy->attached, copy->confirmed, copy->holds, copy->movable, (int16_t)copy->leader,
                 (int16_t)copy->source, (unsigned long long)copy->generation, text);
}

/* What stands in the way, for whoever reads a failure. */
void check_describe(struct cluster *cluster)
{
    describe_slots(cluster, cluster->views[cluster->newest_epoch]);
    for (size_t i = 0; i < cluster->node_count; i++) {
        const struct sim_node *node = cluster->nodes[i];
        for (uint16_t slot = 0; slot < SLOT_COUNT && node->state == SIM_RUNNING; slot++) {
            const struct copy *copy = &node->copies[slot];
            if (!copy_is_ready(copy) || (copy->role == COPY_PRIMARY && !copy_serves(copy)) ||
                copy->movable) {
                describe_copy(cluster, node, copy);
            }
        }
    }
}
