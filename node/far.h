/*
 * What clients keep that was read at other nodes: a read that is forwarded for a client that tracks
 * is noted by the node that answers it, for the link it came by; and here, by the worker whose link
 * and client that are, for the client. That node tells of a change once, over the same link and
 * behind its answer, and the worker tells its clients. See tracking.h.
 *
 *      client ◄─ worker: far keys of the link ◄─ FRAME_TOLD ◄─ slot's tracked keys at the other
 * node
 *
 * A link that breaks, or whose peer is silent, tells of nothing: all that is noted for it is told
 * to have changed. So is what a view gives to another node. One thread: the worker.
 */
#ifndef TORC_NODE_FAR_H
#define TORC_NODE_FAR_H

#include "base/bytes.h"
#include "base/limits.h"
#include "node/link.h"
#include "node/tracked.h"

#include <stdbool.h>
#include <stdint.h>

struct command;
struct far_peer;
struct operation;
struct session;
struct worker;

struct far {
    struct far_peer *peers[NODES_MAX]; /* by peer; NULL until needed */
    size_t count;                      /* of them */
    uint32_t told[SLOT_COUNT];         /* changes heard of in each slot */
    uint32_t told_all;                 /* times that anything may have changed */
};

void far_deinit(struct far *far); /* its links are gone */

/* Grows when a change in the slot is heard of: a read is kept only if none was between its sending
 * and its answer, which may have overtaken each other. */
static inline uint32_t far_stamp(const struct far *far, uint16_t slot)
{
    return far->told[slot] + far->told_all;
}
/* A tracked read was answered by the peer, which has noted it (or not). The client may keep it; or
 * is told, behind the reply, to forget it again. */
void far_answered(const struct operation *operation, const struct session *session, bool noted,
                  const struct bytes *argv, size_t argc);
/* The peer tells of a change. */
void far_told(struct worker *worker, uint16_t peer, const struct frame *frame);
/* Nothing is heard from the peer any more, or not for a while. */
void far_lost(struct worker *worker, uint16_t peer);
/* After a newer view. */
void far_follow_view(struct worker *worker);
/* Asks peers for which something is noted whether they are there. */
void far_tick(struct worker *worker, uint64_t now_ms);
/* Tells that one key has changed, any; false if none is noted. */
bool far_forget_any(struct worker *worker);

#endif
