#include "client/ring/node_order.h"

#include <stdlib.h>
#include <string.h>

static int compare_nodes(const void *a, const void *b, void *context)
{
    const struct view *const *view = context;
    const struct view_node *left = &(*view)->nodes[*(const size_t *)a];
    const struct view_node *right = &(*view)->nodes[*(const size_t *)b];
    int order = strverscmp(left->zone, right->zone);
    order = order == 0 ? strverscmp(left->host, right->host) : order;
    order = order == 0 ? left->client_port - right->client_port : order;
    return order == 0 ? node_id_compare(&left->id, &right->id) : order;
}

size_t *node_order(const struct view *view)
{
    size_t *order = calloc(view->node_count + 1, sizeof(*order));
    for (size_t i = 0; order != NULL && i < view->node_count; i++) {
        order[i] = i;
    }
    if (order != NULL) {
        qsort_r(order, view->node_count, sizeof(*order), compare_nodes, &view);
    }
    return order;
}
