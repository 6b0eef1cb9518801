/*
 * What a quorum has heard from other nodes, beside their leases. Internal to the quorum.
 */
#ifndef TORC_RING_QUORUM_PEERS_H
#define TORC_RING_QUORUM_PEERS_H

#include "ring/quorum_message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct quorum_peer {
    struct node_id id;
    uint64_t incarnation;
    uint64_t complete_epoch;
    bool leaving;
    uint64_t down_since_ms; /* 0 = is not down */

    uint64_t silent_ms; /* when the list came; 0 = none */
    uint64_t silent_epoch;
    size_t silent_count;
    struct node_id silent[QUORUM_SILENT_MAX];

    uint64_t report_ms; /* when the report came; 0 = none */
    uint64_t report_epoch;
    uint8_t *ready; /* owned; NULL = none */
    size_t slow_count;
    struct node_id slow[QUORUM_SLOW_MAX];
};

struct quorum_peers {
    struct quorum_peer **items; /* sorted by id */
    size_t count;
    size_t capacity;
};

void quorum_peers_deinit(struct quorum_peers *peers);
struct quorum_peer *quorum_peers_find(const struct quorum_peers *peers, const struct node_id *id);
/* Adds it if need be; NULL without memory. A newer incarnation has said nothing yet. */
struct quorum_peer *quorum_peers_get(struct quorum_peers *peers, const struct node_id *id,
                                     uint64_t incarnation);
bool quorum_peer_calls_silent(const struct quorum_peer *peer, const struct node_id *id);
bool quorum_peer_calls_slow(const struct quorum_peer *peer, const struct node_id *id);

#endif
