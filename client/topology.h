/*
 * Who serves which slot, in the one form that the rest of the client knows, whatever kind of server
 * it came from: a Torc view, the CLUSTER SLOTS of Redis or Valkey Cluster, or one plain server. A
 * value, built whole and not changed after that. Pure.
 *
 *      nodes[]      where each node listens for commands on its own slots and for any others
 *      sets[]       distinct lists of nodes: primary first, then its replicas
 *      set_of[]     slot -> index into sets[]
 */
#ifndef TORC_CLIENT_TOPOLOGY_H
#define TORC_CLIENT_TOPOLOGY_H

#include "base/attributes.h"
#include "client/endpoint.h"
#include "client/limits.h"
#include "ring/view.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>

#define TOPOLOGY_NO_SET UINT16_MAX

enum topology_kind {
    TOPOLOGY_TORC,    /* any node serves any key at its `any` port */
    TOPOLOGY_CLUSTER, /* Redis or Valkey Cluster: commands without keys go to some primary */
    TOPOLOGY_SINGLE,  /* one server, which has all slots */
};

struct topology_node {
    struct endpoint direct; /* for commands on its slots */
    struct endpoint any;    /* for those without keys, or with keys in several slots */
    char zone[ZONE_SIZE_MAX + 1];
    bool serves_any; /* it is up, and a primary */
};

struct topology_set {
    uint16_t nodes[COPIES_MAX]; /* primary first */
    uint16_t count;             /* at least 1 */
};

struct topology {
    enum topology_kind kind;
    const struct view *view; /* TOPOLOGY_TORC: retained */
    struct topology_node *nodes;
    size_t node_count;
    struct topology_set *sets;
    size_t set_count;
    uint16_t set_of[SLOT_COUNT]; /* TOPOLOGY_NO_SET: nobody serves it */
};

/* *out is the caller's. 0 or TORC_ENOMEM. */
int topology_of_view(struct topology **out, const struct view *view) TORC_MUST_USE;
/* From a reply to CLUSTER SLOTS; `host` is the sender's, for nodes that do not know their own. 0,
 * TORC_ENOMEM, TORC_EPROTOCOL (it is no such reply), TORC_EAGAIN (no slot is served yet). */
int topology_of_slots(struct topology **out, const redisReply *reply,
                      const char *host) TORC_MUST_USE;
int topology_of_single(struct topology **out, const struct endpoint *server) TORC_MUST_USE;
void topology_destroy(struct topology *topology); /* NULL is allowed */

/* The owners of a slot; NULL: nobody serves it. */
const struct topology_set *topology_owners(const struct topology *topology, uint16_t slot);
/* Index of a node that serves commands without keys; every `turn` names another, in a circle.
 * node_count: there is none. */
size_t topology_any(const struct topology *topology, size_t turn);
/* True if the endpoint is one of its nodes'. */
bool topology_knows(const struct topology *topology, const struct endpoint *endpoint);

#endif
