/* Every epoch has one view, and the epochs of a node only grow. */
#include "tests/sim/check_history.h"
#include "tests/sim/cluster_node.h"

#include <stdio.h>
#include <string.h>

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
