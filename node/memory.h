/*
 * --memory: how much of it what this node leads may take, and what makes room for more.
 */
#ifndef TORC_NODE_MEMORY_H
#define TORC_NODE_MEMORY_H

#include "base/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
/* True while keys and values, and what of them waits to be freed, are more than --memory leaves for
 * them, led and copied ones. Any thread. */
bool memory_is_short(const struct node *node);
/* The same as memory_make_room where nobody writes: what is left for keys and values may have
 * shrunk. Call often. */
void memory_keep_within(struct worker *worker);
/* By a new view: a share that has grown is granted at once, for writes to those slots are not to be
 * refused; one that has shrunk once stock was taken. */
void memory_slots_assigned(struct node *node, size_t led_slots, size_t copied_slots);
/* Takes stock of what the node leads; call every tenth of a second when there is a limit. */
void memory_take_stock(struct node *node);
/* Bytes of the process that are in memory, 0 where /proc is missing. Any thread. */
uint64_t memory_resident_bytes(void);
/*
 * Looks how much the process takes besides keys and values, so that --memory holds for all of it,
 * and whether so much of the allocator's pages is unused that keys should be moved together. Call
 * every tenth of a second. Worker 0.
 */
void memory_watch(struct node *node);
/* Moves some of the keys in this worker's share of the slots, while that is wanted. */
void memory_compact(struct worker *worker);
/* Follows changes of --memory and --eviction. Call often: it costs some loads. */
void memory_follow_config(struct node *node);

#endif
