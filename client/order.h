/*
 * Order of calls on one slot when some of them have to be tried again. Calls of one origin (a
 * pipeline, or a thread's asynchronous calls) on one slot are executed in the order in which they
 * were submitted: while one of them waits to be tried again, later ones wait behind it; then the
 * first goes alone, and when it has been executed all others follow.
 *
 * What was on its way already cannot be held back. If such a call is executed, an earlier one that
 * has to be tried again would come after it; where that could be seen, because one of the two
 * writes, it ends with TORC_EAGAIN instead: it was not executed.
 *
 *      HOLD of a slot    in_flight    sent before, answers awaited
 *                        calls        to be tried again, or new, by sequence
 *
 * The handle's lock is held.
 */
#ifndef TORC_CLIENT_ORDER_H
#define TORC_CLIENT_ORDER_H

#include "client/call.h"

#include <stdbool.h>

struct hold;
struct topology;

#define ORDER_BUCKETS 256

struct order {
    struct hold *holds[ORDER_BUCKETS]; /* owned; of slots in trouble, by slot */
    size_t count;
};

/* A new call: true if it has to wait behind others, and does so now. */
bool order_holds(struct torc *handle, struct call *call);
/* The call, in no list now, has to be tried again; it has come back from its connection. False:
 * there is no memory for that. */
bool order_again(struct torc *handle, struct call *call, uint64_t delay_ms) TORC_MUST_USE;
/* What is known of a call that has come back from its connection, and is not tried again. */
enum order_fate {
    ORDER_NOT_EXECUTED,
    ORDER_PERHAPS,  /* it may have been */
    ORDER_EXECUTED, /* it was, or was refused for good: the slot is served */
};
/* Before it is completed. */
void order_returned(struct torc *handle, struct call *call, enum order_fate fate);
/* The owner of the slot changes while calls of ordered origins are on their way to the old one,
 * over this connection: new ones wait for them. False: no memory. */
bool order_guard(struct torc *handle, const struct connection *connection,
                 uint16_t slot) TORC_MUST_USE;
/* The same for all slots that have another owner in the topology that is to be adopted. */
bool order_guard_all(struct torc *handle, const struct topology *topology) TORC_MUST_USE;
/* Takes a call out that waits here. */
void order_remove(struct torc *handle, struct call *call);
/* Sends what is due; tells engine_due about the rest. */
void order_run(struct torc *handle, uint64_t now_ms);
void order_deinit(struct order *order);

#endif
