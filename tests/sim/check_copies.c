/* When all is quiet the copies of a slot are equal; at any other time what OP_CHECK compares is. */
#include "tests/sim/check_history.h"
#include "tests/sim/cluster_node.h"

#define COMPARE_BUDGET 1000

void check_equal(struct cluster *cluster)
{
    const struct view *view = sim_any_running(cluster)->view;
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

void check_compare(struct sim_node *node)
{
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        struct copy_check *check = &node->checks[slot];
        if (copy_check(&node->copies[slot], &node->rim, check, COMPARE_BUDGET) == COPY_CHECK_DONE) {
            check->run++;
        }
    }
}

void check_compared(struct sim_node *node, uint16_t from, const struct op *op,
                    enum copy_verdict verdict)
{
    struct cluster *cluster = node->cluster;
    const struct copy *copy = &node->copies[op->slot];
    cluster->seen.compared += verdict == COPY_APPLIED;
    cluster->seen.passed += verdict == COPY_PASSED;
    if (verdict == COPY_DIFFERS) {
        cluster_fail(cluster,
                     "compare: slot %u of node %u (%llu.%llu, %zu keys) is not what node %u has at "
                     "%llu.%llu",
                     op->slot, node->index, (unsigned long long)copy->effect_epoch,
                     (unsigned long long)copy->sequence, keyspace_count(node->keys[op->slot]), from,
                     (unsigned long long)op->epoch, (unsigned long long)op->sequence);
    }
}
