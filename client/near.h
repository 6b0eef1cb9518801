/*
 * The near cache of a handle: values that were read are kept here (near_table.h), and the servers
 * tell when they change (near_node.h). No value is served that is older than near_stale_ms before
 * the last question whether its node lives that was answered. While a node does not track, it is
 * read as if there were no near cache.
 */
#ifndef TORC_CLIENT_NEAR_H
#define TORC_CLIENT_NEAR_H

#include "client/call.h"
#include "client/near_table.h"

struct near;
struct near_node;
struct client_options;

/* NULL without memory. */
struct near *near_create(const struct client_options *options);
/* After everything of the handle's has ended. NULL is allowed. */
void near_destroy(struct near *near);

/* GET, from near if possible. Without the lock. 0, TORC_ENOTFOUND, or the thread's error is set;
 * *reply, which is the caller's, is what the server said, if it was asked; else it is NULL, and
 * *value holds it. */
int near_get(struct torc *handle, struct bytes key, struct torc_value *value,
             redisReply **reply) TORC_MUST_USE;

/* The rest is for the engine, with the handle's lock. */

/* Where a call that may be cached is to be asked, in place of the owner; the call knows then who
 * vouches for its reply. NULL: there as ever. */
struct node *near_route(struct torc *handle, struct call *call, struct node *owner);
/* A call that does not only read is over: its keys may have changed. */
void near_written(struct torc *handle, const struct call *call);
/* Slots may have other owners now. */
void near_owners_changed(struct torc *handle);
/* The data connection of that node is lost. */
void near_lost(struct torc *handle, const struct node *data);
/* Something of RESP3 has come unasked on a connection of that node; borrowed. */
void near_told(struct torc *handle, const struct node *data, const redisReply *push);
/* Timers. */
void near_run(struct torc *handle, uint64_t now_ms);

#endif
