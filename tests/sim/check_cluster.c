/* What must hold in every instant, and what must hold when all has healed. */
#include "tests/sim/check_history.h"
#include "tests/sim/cluster_node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL_BYTES_MAX (4u * 1024 * 1024)
#define CHANNEL_COUNT_MAX 6000
#define BACKLOG_BYTES_MAX (2u * 1024 * 1024)

/* ---- one primary ---- */

void check_primary(struct cluster *cluster, const struct sim_node *node)
{
    if (node->serving == 0 || !sim_has_lease(node)) {
        return;
    }
    for (size_t i = 0; i < cluster->node_count; i++) {
        const struct sim_node *other = cluster->nodes[i];
        uint64_t both = node->serving & other->serving;
        if (other == node || both == 0 || !sim_has_lease(other)) {
            continue;
        }
        cluster_fail(cluster,
                     "primary: nodes %u (epoch %llu) and %u (epoch %llu) both serve slot %d",
                     node->index, (unsigned long long)node->view->epoch, other->index,
                     (unsigned long long)other->view->epoch, __builtin_ctzll(both));
    }
}

/* ---- one view an epoch ---- */

static void describe_view(struct cluster *cluster, const struct sim_node *by,
                          const struct view *view)
{
    char text[600];
    size_t size = 0;
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_node *node = &view->nodes[i];
        int wrote = snprintf(
            text + size, sizeof(text) - size, " %u:%s%s%s%s%s%s i%llu", node->id.bytes[19],
            node->status == NODE_UP     ? "up"
            : node->status == NODE_DOWN ? "DOWN"
                                        : "syncing",
            node->lost ? ",lost" : "", node->leaving ? ",leaving" : "",
            node->preferred ? ",preferred" : "", node->removing ? ",removing" : "",
            view_is_voter(view, &node->id) ? ",v" : "", (unsigned long long)node->incarnation);
        size += (size_t)wrote;
        if (size + 80 > sizeof(text)) {
            break;
        }
    }
    cluster_note(cluster, "node %u installs epoch %llu%s:%s", by->index,
                 (unsigned long long)view->epoch, view->changing ? " (changing)" : "", text);
}

static bool same_view(const struct view *a, const struct view *b)
{
    struct buf encoded[2] = {{0}, {0}};
    view_encode(a, &encoded[0]);
    view_encode(b, &encoded[1]);
    bool same = bytes_equal(buf_bytes(&encoded[0]), buf_bytes(&encoded[1]));
    buf_deinit(&encoded[0]);
    buf_deinit(&encoded[1]);
    return same;
}

void check_view(struct cluster *cluster, const struct sim_node *node, const struct view *view)
{
    if (view->epoch >= CLUSTER_VIEWS_MAX) {
        cluster_fail(cluster, "views: more than %d epochs in one run", CLUSTER_VIEWS_MAX);
        return;
    }
    if (node->view != NULL && view->epoch <= node->view->epoch) {
        cluster_fail(cluster, "views: node %u goes back to epoch %llu", node->index,
                     (unsigned long long)view->epoch);
    }
    const struct view *known = cluster->views[view->epoch];
    if (known == NULL) {
        cluster->views[view->epoch] = view_retain(view);
        cluster->newest_epoch =
            view->epoch > cluster->newest_epoch ? view->epoch : cluster->newest_epoch;
        describe_view(cluster, node, view);
        check_losses(cluster);
        cluster_strike(cluster, node->index);
    } else if (!same_view(known, view)) {
        describe_view(cluster, node, known);
        describe_view(cluster, node, view);
        cluster_fail(cluster, "views: epoch %llu is not the same everywhere (node %u)",
                     (unsigned long long)view->epoch, node->index);
    } else {
        cluster_note(cluster, "node %u installs epoch %llu", node->index,
                     (unsigned long long)view->epoch);
    }
}

/* ---- what may be lost ---- */

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

/* ---- healing ---- */

static const struct sim_node *any_running(const struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->node_count; i++) {
        if (cluster->nodes[i]->state == SIM_RUNNING) {
            return cluster->nodes[i];
        }
    }
    return NULL;
}

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
    const struct view *view = any_running(cluster)->view;
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
        } else if (primary->copies[slot].paused) {
            snprintf(why, size, "slot %u is paused at node %u", slot, primary->index);
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
                 "confirmed %d holds %d movable %d paused %d leader %d source %d generation %llu%s",
                 node->index, copy->index, copy->role, copy->stage, copy->complete, copy->receiving,
                 copy->attached, copy->confirmed, copy->holds, copy->movable, copy->paused,
                 (int16_t)copy->leader, (int16_t)copy->source, (unsigned long long)copy->generation,
                 text);
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

void check_equal(struct cluster *cluster)
{
    const struct view *view = any_running(cluster)->view;
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owners[COPIES_MAX];
        size_t count = view_owners(view, slot, owners);
        for (size_t i = 1; i < count; i++) {
            const struct sim_node *primary = sim_find(cluster, &view->nodes[owners[0]].id);
            const struct sim_node *replica = sim_find(cluster, &view->nodes[owners[i]].id);
            struct standing ours = copy_standing(&primary->copies[slot]);
            struct standing theirs = copy_standing(&replica->copies[slot]);
            if (sim_digest(primary, slot) != sim_digest(replica, slot) ||
                standing_compare(&ours, &theirs) != 0) {
                cluster_fail(cluster,
                             "copies: slot %u differs between its primary, node %u (%llu.%llu, "
                             "%zu keys), and node %u (%llu.%llu, %zu keys)",
                             slot, primary->index, (unsigned long long)ours.effect_epoch,
                             (unsigned long long)ours.sequence, keyspace_count(primary->keys[slot]),
                             replica->index, (unsigned long long)theirs.effect_epoch,
                             (unsigned long long)theirs.sequence,
                             keyspace_count(replica->keys[slot]));
            }
        }
    }
}

/* ---- nothing grows ---- */

void check_bounds(struct cluster *cluster)
{
    if (cluster->network.channel_bytes_max > CHANNEL_BYTES_MAX ||
        cluster->network.channel_count_max > CHANNEL_COUNT_MAX) {
        cluster_fail(cluster, "bounds: a channel held %zu bytes, %zu packets",
                     cluster->network.channel_bytes_max, cluster->network.channel_count_max);
    }
    if (cluster->seen.backlog_max > BACKLOG_BYTES_MAX) {
        cluster_fail(cluster, "bounds: a stream held back %llu bytes",
                     (unsigned long long)cluster->seen.backlog_max);
    }
    if (cluster->seen.replies_max > 4 * CLUSTER_CLIENTS_MAX * 100) {
        cluster_fail(cluster, "bounds: %llu replies waited at one node",
                     (unsigned long long)cluster->seen.replies_max);
    }
}
