/*
 * Where a call goes: its owner by the topology, or whoever MOVED or ASK named, on which connection.
 * The handle's lock is held.
 */
#ifndef TORC_CLIENT_DISPATCH_H
#define TORC_CLIENT_DISPATCH_H

#include "client/handle.h"

/* The call is in no list. It is queued on a connection, or wherever it has to wait, or ended. */
void dispatch(struct torc *handle, struct call *call);
/* The same, but not past others of its slot that wait. */
void dispatch_in_order(struct torc *handle, struct call *call);
/* The node that has the slot now; NULL: nobody, or there is no memory (*error says which). */
struct node *dispatch_owner(struct torc *handle, uint16_t slot, int *error);
/* Puts it on the list of connections to be flushed. */
void dispatch_dirty(struct torc *handle, struct connection *connection);
/* A new topology: forgets which node is which. 0 or TORC_ENOMEM, and then nothing is changed. */
int dispatch_adopt(struct torc *handle, struct topology *topology) TORC_MUST_USE;

#endif
