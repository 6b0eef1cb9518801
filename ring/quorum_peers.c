#include "ring/quorum_peers.h"

#include <stdlib.h>
#include <string.h>

void quorum_peers_deinit(struct quorum_peers *peers)
{
    for (size_t i = 0; i < peers->count; i++) {
        free(peers->items[i]->ready);
        free(peers->items[i]);
    }
    free(peers->items);
    *peers = (struct quorum_peers){0};
}

static size_t lower_bound(const struct quorum_peers *peers, const struct node_id *id)
{
    size_t low = 0;
    size_t high = peers->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (node_id_compare(&peers->items[middle]->id, id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct quorum_peer *quorum_peers_find(const struct quorum_peers *peers, const struct node_id *id)
{
    size_t at = lower_bound(peers, id);
    return at < peers->count && node_id_equal(&peers->items[at]->id, id) ? peers->items[at] : NULL;
}

static struct quorum_peer *add(struct quorum_peers *peers, const struct node_id *id)
{
    if (peers->count == peers->capacity) {
        size_t capacity = peers->capacity == 0 ? 16 : 2 * peers->capacity;
        struct quorum_peer **items = realloc(peers->items, capacity * sizeof(*items));
        if (items == NULL) {
            return NULL;
        }
        peers->items = items;
        peers->capacity = capacity;
    }
    struct quorum_peer *peer = calloc(1, sizeof(*peer));
    if (peer == NULL) {
        return NULL;
    }
    size_t at = lower_bound(peers, id);
    memmove(&peers->items[at + 1], &peers->items[at],
            (peers->count - at) * sizeof(struct quorum_peer *));
    peer->id = *id;
    peers->items[at] = peer;
    peers->count++;
    return peer;
}

struct quorum_peer *quorum_peers_get(struct quorum_peers *peers, const struct node_id *id,
                                     uint64_t incarnation)
{
    struct quorum_peer *peer = quorum_peers_find(peers, id);
    if (peer == NULL) {
        peer = add(peers, id);
    }
    if (peer != NULL && incarnation > peer->incarnation) {
        uint64_t down_since_ms = peer->down_since_ms;
        free(peer->ready);
        *peer = (struct quorum_peer){
            .id = *id, .incarnation = incarnation, .down_since_ms = down_since_ms};
    }
    return peer;
}

static bool contains(const struct node_id *ids, size_t count, const struct node_id *id)
{
    for (size_t i = 0; i < count; i++) {
        if (node_id_equal(&ids[i], id)) {
            return true;
        }
    }
    return false;
}

bool quorum_peer_calls_silent(const struct quorum_peer *peer, const struct node_id *id)
{
    return contains(peer->silent, peer->silent_count, id);
}

bool quorum_peer_calls_slow(const struct quorum_peer *peer, const struct node_id *id)
{
    return contains(peer->slow, peer->slow_count, id);
}
