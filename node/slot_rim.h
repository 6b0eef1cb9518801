/*
 * How the copies of replication/ reach this node's data and streams: one rim for each thread that
 * works on slots. Every callback is called with the slot's lock held.
 */
#ifndef TORC_NODE_SLOT_RIM_H
#define TORC_NODE_SLOT_RIM_H

#include "replication/copy.h"
#include "replication/takeover.h"

struct node;
struct worker;

struct slot_rim {
    struct node *node;
    struct worker *worker;   /* NULL: of the control thread, which applies no effects */
    uint64_t appended_bytes; /* to any stream, by this thread */
    uint64_t appended_keys;  /* of refills, by this thread */
    struct copy_rim copies;
    struct takeover_rim takeover;
};

void slot_rim_init(struct slot_rim *rim, struct node *node, struct worker *worker);

#endif
