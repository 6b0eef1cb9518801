/*
 * The options of SCAN, which are also those of torc.scan, the form in which nodes ask each other:
 *
 *      torc.scan <slot> <place> <count> [MATCH pattern] [TYPE type]
 *
 * It goes on from that position over the slots the node serves, in ascending order, until it has
 * visited `count` keys, and replies one flat array:
 *
 *      next slot (16384 when all is done), next place, then for each slot with keys to return: its
 *      number, and an array of those keys
 *
 * Who merges the answers of several nodes goes on from the least of their positions, and drops the
 * keys of slots from that one on which other nodes' answers had reached already.
 */
#ifndef TORC_NODE_COMMANDS_SCAN_H
#define TORC_NODE_COMMANDS_SCAN_H

#include "base/attributes.h"
#include "node/call.h"

#define SCAN_COUNT_DEFAULT 10

struct scan_options {
    struct bytes pattern;
    struct bytes type;
    size_t count; /* keys to visit, >= 1 */
    bool has_pattern;
    bool has_type;
};

/* Parses the arguments from `index` on. Borrows from call->argv. False after it has replied with
 * an error. */
bool scan_options_parse(struct call *call, size_t index, struct scan_options *out) TORC_MUST_USE;
/* SCAN's first argument. False after it has replied with an error. */
bool scan_cursor_parse(struct call *call, size_t index, uint64_t *out) TORC_MUST_USE;

#endif
