/*
 * What ZUNION, ZINTER and ZDIFF read: a key that holds a sorted set, a set, whose members have a
 * score of 1, or nothing. The one place that knows which types are taken.
 */
#ifndef TORC_NODE_COMMANDS_ZSET_INPUT_H
#define TORC_NODE_COMMANDS_ZSET_INPUT_H

#include "node/call.h"
#include "node/store/zset.h"

struct zset_input {
    const struct object *object; /* NULL if the key is absent */
    size_t count;                /* of its members */
    double weight;
};

/* Opens the keys at arguments first to first + count - 1, with a weight of 1. False after it has
 * replied that one is of another type. Borrowed until the next change of the keyspace. */
bool zset_inputs_open(struct call *call, size_t first, size_t count,
                      struct zset_input *inputs) TORC_MUST_USE;

/* False if the member is absent. */
bool zset_input_score(const struct zset_input *input, struct bytes member, double *score);

/* Visits the members in any order, until the visitor returns false. */
typedef bool zset_input_visitor(void *context, struct zset_entry entry);
void zset_input_visit(const struct zset_input *input, zset_input_visitor *visit, void *context);

#endif
