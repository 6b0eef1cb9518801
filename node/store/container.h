/*
 * What objects of ENCODING_OUTSIDE keep outside of themselves: the one place that knows which
 * structure belongs to which type. A small container lies in its object and needs none of this. A
 * new type of container adds its structure here, its form to dump.c, and its names to object.c.
 * Internal to the store; the caller holds the slot's lock.
 */
#ifndef TORC_NODE_STORE_CONTAINER_H
#define TORC_NODE_STORE_CONTAINER_H

#include "node/store/freeing.h"
#include "node/store/store.h"

void container_destroy(enum object_type type, void *outside);
/* The same some at a time: see freeing.h. */
bool container_free_some(enum object_type type, void *outside, struct freeing *freeing);
void *container_clone(enum object_type type, const void *outside); /* NULL without memory */
/* Bytes allocated. Constant time: it is asked for at every change. */
size_t container_memory(enum object_type type, const void *outside);

#endif
