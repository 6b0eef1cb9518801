/*
 * What the handlers of lists share: ends, replies, and removing from an end.
 */
#ifndef TORC_NODE_COMMANDS_LIST_H
#define TORC_NODE_COMMANDS_LIST_H

#include "node/call.h"
#include "node/store/list.h"

/* LEFT or RIGHT at argument `index`; else replies that there is a syntax error. */
bool list_end_parse(struct call *call, size_t index, enum list_end *out) TORC_MUST_USE;

/* True if a change went well; else replies why not. */
bool list_change_ok(struct call *call, int error) TORC_MUST_USE;

/* An array of `count` values from that index on, which are there, towards that end. */
void list_reply_values(struct call *call, const struct object *list, size_t index, size_t count,
                       enum list_end to);

/* Replies an array of the `count` values nearest to an end, which are there, and removes them. The
 * effect is the caller's to tell. */
void list_pop_values(struct call *call, struct bytes key, uint64_t hash, struct object *list,
                     enum list_end end, size_t count);

/* The same of one value, which is replied alone. */
void list_pop_value(struct call *call, struct bytes key, uint64_t hash, struct object *list,
                    enum list_end end);

/* The value at an end of a list; borrowed from it. */
struct bytes list_value_at_end(const struct object *list, enum list_end end);

#endif
