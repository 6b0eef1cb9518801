/*
 * A view as Redis's clients read it: CLUSTER SLOTS, SHARDS, NODES and the figures of CLUSTER INFO.
 * Every node is told as the primary of the slots it leads, at its direct port, and as nothing else:
 * replicas serve no reads, and clients that keep one role for each address would take a node that
 * they first meet as a replica for no primary at all. The ranges of slots, and the long reply of
 * CLUSTER SLOTS that many clients ask for at once, are worked out once for each view and kept.
 * Owned by the node; any thread.
 */
#ifndef TORC_NODE_COMMANDS_CLUSTER_TEXT_H
#define TORC_NODE_COMMANDS_CLUSTER_TEXT_H

#include "base/attributes.h"
#include "base/buf.h"
#include "node/resp/reply.h"
#include "ring/node_id.h"
#include "ring/view.h"

#include <stddef.h>
#include <stdint.h>

/* What gossip holds of a node of the view, beside the view's own status. */
enum cluster_health { CLUSTER_ALIVE, CLUSTER_SUSPECT, CLUSTER_DEAD };

struct cluster_member {
    enum cluster_health health;
    uint64_t heard_ms; /* wall clock; 0 = never, or ourselves */
};

struct cluster_summary {
    unsigned slots_assigned; /* with an owner that is up */
    unsigned slots_suspect;  /* of these, with a primary that gossip suspects */
    unsigned slots_dead;     /* of these, with a primary that gossip holds dead */
    size_t primary_count;    /* nodes that lead at least one slot */
    unsigned slots_primary;  /* led by this node */
    unsigned slots_replica;  /* of which this node is a replica */
};

struct cluster_text;

/* NULL without memory. */
struct cluster_text *cluster_text_create(void);
void cluster_text_destroy(struct cluster_text *text); /* NULL is allowed */

/*
 * All take a sealed view, borrowed for the call, and `members` parallel to view->nodes; NULL means
 * that all are alive. 0, or TORC_ENOMEM and then nothing has been written.
 */
int cluster_text_slots(struct cluster_text *text, const struct view *view,
                       struct reply_writer *reply) TORC_MUST_USE;
int cluster_text_shards(struct cluster_text *text, const struct view *view,
                        const struct cluster_member *members,
                        struct reply_writer *reply) TORC_MUST_USE;
int cluster_text_nodes(struct cluster_text *text, const struct view *view,
                       const struct cluster_member *members, const struct node_id *self,
                       struct buf *out) TORC_MUST_USE;
int cluster_text_summary(struct cluster_text *text, const struct view *view,
                         const struct cluster_member *members, const struct node_id *self,
                         struct cluster_summary *out) TORC_MUST_USE;

#endif
