/*
 * Which of a slot's owners is asked by a command that only reads (enum torc_read_from). The
 * handle's lock is held.
 */
#ifndef TORC_CLIENT_READING_H
#define TORC_CLIENT_READING_H

#include "client/handle.h"

/* True if the call may be answered by a replica: it reads, and wants that. Such calls have no order
 * among others. Without the lock too. */
bool reading_from_replicas(const struct torc *handle, const struct call *call);
/* Where such a call goes for its first attempt; NULL: to the primary, as all others. */
struct node *reading_node(struct torc *handle, const struct call *call);

#endif
