/*
 * Identity of a node: 20 random bytes, shown as 40 hex characters as in Redis Cluster. It names the
 * node for ever; one run of it is told from the next by its incarnation.
 */
#ifndef TORC_RING_NODE_ID_H
#define TORC_RING_NODE_ID_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/prng.h"

#include <stdbool.h>
#include <stdint.h>

#define NODE_ID_TEXT_SIZE (2 * NODE_ID_SIZE + 1) /* with the terminating zero */

struct node_id {
    uint8_t bytes[NODE_ID_SIZE];
};

/* Total order, as memcmp. */
int node_id_compare(const struct node_id *a, const struct node_id *b);
bool node_id_equal(const struct node_id *a, const struct node_id *b);
bool node_id_is_zero(const struct node_id *id);
void node_id_generate(struct node_id *out, struct prng *prng);
void node_id_format(const struct node_id *id, char out[NODE_ID_TEXT_SIZE]);
/* Exactly 40 hex characters, either case. 0 or TORC_EINVAL. */
int node_id_parse(struct node_id *out, struct bytes text) TORC_MUST_USE;

#endif
