/*
 * --memory: how much of it what this node leads may take, and what makes room for more.
 */
#ifndef TORC_NODE_MEMORY_H
#define TORC_NODE_MEMORY_H

#include "base/attributes.h"

#include <stdbool.h>

struct node;
struct worker;

/*
 * Evicts, by the configured policy, until a write that may grow memory is within --memory, or for
 * as long as a client may be kept waiting. False if it is not and nothing may be evicted. No slot
 * lock held.
 *
 * --memory is shared between the slots a node leads and those it keeps copies of, by their number:
 * it evicts from what it leads when that exceeds its part. Were it to look at the sum, a node full
 * of other nodes' copies would have to drop all of its own keys.
 */
bool memory_make_room(struct worker *worker) TORC_MUST_USE;
/* Takes stock of what the node leads; call every tenth of a second when there is a limit. */
void memory_take_stock(struct node *node);
/* Follows changes of --memory and --eviction. Call often: it costs some loads. */
void memory_follow_config(struct node *node);

#endif
