/*
 * A connection to one peer's bus that carries requests: many at a time, answered in any order,
 * matched by id. It connects when first needed, and again when it broke. It belongs to one thread's
 * event loop; each worker has its own link to each peer, and so has the control thread.
 *
 * Every request sent ends in exactly one call of its `done`, with
 *      TORC_OK          `frame` is the response
 *      TORC_ECONNECT    never left this node: safe to send again
 *      TORC_ECLOSED     the connection broke: perhaps executed, perhaps not
 *      TORC_ETIMEOUT    no answer by the deadline: perhaps executed
 */
#ifndef TORC_NODE_LINK_H
#define TORC_NODE_LINK_H

#include "base/attributes.h"
#include "base/buf.h"
#include "node/bus_frame.h"

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct node;
struct peer;

struct link_request {
    uint64_t deadline_ms; /* monotonic */
    void (*done)(struct link_request *request, int result, const struct frame *frame);
    /* the link's */
    uint64_t id;
    struct link_request *next, *previous;
};

enum link_state { LINK_IDLE, LINK_CONNECTING, LINK_GREETING, LINK_OPEN };

struct link {
    struct node *node;
    /* What the peer says unasked, and that the connection has broken; NULL: nobody wants to know.
     */
    void (*told)(struct link *link, const struct frame *frame);
    void (*lost)(struct link *link);
    void *context; /* theirs */
    struct peer *peer;
    struct ev_loop *loop;
    int fd;
    enum link_state state;
    bool writing; /* the writer watcher is active */
    ev_io reader;
    ev_io writer;
    struct buf in;
    struct buf greeting; /* sent first; what is in `out` waits for its answer */
    struct buf out;
    struct link_request **table; /* by index, the low bits of an id */
    uint32_t *generations;       /* the high bits, so that a late answer finds nobody */
    uint32_t *unused;            /* stack of free indexes */
    uint32_t table_size;
    uint32_t unused_count;
    struct link_request *first, *last; /* in flight, in order of sending */
    uint64_t opened_ms;                /* monotonic */
    uint64_t retry_at_ms;              /* no new connection before; monotonic */
};

void link_init(struct link *link, struct node *node, struct peer *peer, struct ev_loop *loop);
/* Ends all requests with TORC_ECLOSED. */
void link_deinit(struct link *link);

/* Queues a request, which is sent once the peer has shown who it is. The command, and what goes
 * before it in the payload, are copied; the request, with its deadline and `done` set, stays the
 * caller's until `done`. 0, or TORC_ECONNECT / TORC_ENOMEM and `done` is not called. */
int link_send(struct link *link, struct link_request *request, uint16_t slot, uint8_t flags,
              struct bytes before, struct bytes command) TORC_MUST_USE;
/* Asks the peer to answer soon a request that is in flight. It may have been answered already. */
void link_cancel(struct link *link, const struct link_request *request);
/* Ends every request for which `gone` says so with TORC_ECLOSED; an answer that comes later finds
 * nobody. */
void link_give_up(struct link *link,
                  bool (*gone)(void *context, const struct link_request *request), void *context);
/* Writes what is queued; call once after a batch. */
void link_flush(struct link *link);
/* Ends the requests that are past their deadline. */
void link_expire(struct link *link, uint64_t now_ms);

#endif
