/* In every instant: no slot has two primaries that serve. */
#include "tests/sim/check_history.h"
#include "tests/sim/cluster_node.h"

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
