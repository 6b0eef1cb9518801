/*
 * What a command does to the beginning of a value, for a refill that sends big values in pieces:
 * whether a receiver that holds the beginning can do the same to that. Pure; the caller holds the
 * slot's lock.
 */
#ifndef TORC_NODE_PIECE_EFFECT_H
#define TORC_NODE_PIECE_EFFECT_H

#include "base/bytes.h"
#include "node/store/store.h"
#include "replication/copy.h"

#include <stddef.h>
#include <stdint.h>

/* The command of argv was executed on its one key, of which pieces up to *cursor were sent before;
 * `object` is what the key holds now, NULL if it is gone. A list's cursor moves with what is put
 * before it or taken from there. */
enum piece_verdict piece_effect(const struct object *object, const struct bytes *argv, size_t argc,
                                uint64_t *cursor);

#endif
