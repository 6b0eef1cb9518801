/* Nothing grows without bound: what is under way, backlogs, replies that wait. */
#include "tests/sim/check_history.h"
#include "tests/sim/cluster_node.h"

#define CHANNEL_BYTES_MAX (4u * 1024 * 1024)
#define CHANNEL_COUNT_MAX 6000
#define BACKLOG_BYTES_MAX (2u * 1024 * 1024)

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
