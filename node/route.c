#include "node/route.h"

#include "node/peers.h"
#include "node/slots.h"

void route_init(struct route *route)
{
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        route->before[i] = PEER_NONE;
    }
}

/* Peer of each of the view's nodes, PEER_NONE for ourselves. */
static void map_peers(struct peers *peers, const struct node_id *self, const struct view *view,
                      uint16_t out[NODES_MAX])
{
    for (size_t i = 0; i < view->node_count; i++) {
        const struct node_id *id = &view->nodes[i].id;
        const struct peer *peer = node_id_equal(id, self) ? NULL : peers_find(peers, id);
        out[i] = peer == NULL ? PEER_NONE : peer->index;
    }
}

static uint16_t leader(const struct view *view, const uint16_t *peers, uint16_t slot)
{
    uint16_t owners[COPIES_MAX];
    return view_owners(view, slot, owners) == 0 ? PEER_NONE : peers[owners[0]];
}

void route_follow_view(struct route *route, struct peers *peers, const struct node_id *self,
                       const struct view *from, const struct view *to)
{
    uint16_t from_peers[NODES_MAX];
    uint16_t to_peers[NODES_MAX];
    bool up[NODES_MAX] = {false}; /* by peer */
    if (from == NULL || to == NULL) {
        route_init(route);
        return;
    }
    map_peers(peers, self, from, from_peers);
    map_peers(peers, self, to, to_peers);
    for (size_t i = 0; i < to->node_count; i++) {
        if (to_peers[i] != PEER_NONE && to->nodes[i].status == NODE_UP) {
            up[to_peers[i]] = true;
        }
    }
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        const uint16_t slot = (uint16_t)i;
        uint16_t before = route->before[i];
        if (before == PEER_NONE) {
            before = leader(from, from_peers, slot);
        }
        const bool may_serve =
            before != PEER_NONE && up[before] && before != leader(to, to_peers, slot);
        route->before[i] = may_serve ? before : PEER_NONE;
    }
}

bool route_refused(struct route *route, uint16_t slot, uint16_t peer)
{
    if (peer == PEER_NONE || route->before[slot] != peer) {
        return false;
    }
    route->before[slot] = PEER_NONE;
    return true;
}
