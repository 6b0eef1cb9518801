/*
 * Names of writes (TORC.ONCE, docs/protocol.md): with one a write may be sent again when it is not
 * known what became of the last attempt, and is executed once. Every write on one slot that a node
 * which knows names executes has one, from when it is first sent until it is answered. The handle's
 * lock is held.
 */
#ifndef TORC_CLIENT_NAMES_H
#define TORC_CLIENT_NAMES_H

#include "base/attributes.h"

#include <stdbool.h>
#include <stdint.h>

struct call;
struct torc;

#define NAME_ORIGIN_SIZE 32    /* hexadecimal digits */
#define NAME_HEAD_SIZE_MAX 160 /* what stands before the arguments of a write with a name */
#define NAME_REPEAT_MS 55000   /* nodes remember for 60 s and more, by clocks of their own */

struct names {
    char origin[NAME_ORIGIN_SIZE]; /* drawn when the handle is made */
    uint64_t last;                 /* the highest id so far */
    struct call *oldest;           /* those that have a name, by id */
    struct call *newest;
};

/* Draws so many digits at random. 0, or TORC_EIO: the system has no random bytes. */
int name_draw(char out[NAME_ORIGIN_SIZE]) TORC_MUST_USE;
/* The same. */
int names_init(struct names *names) TORC_MUST_USE;
/* Whether the call, whose route is known, is to have a name. */
bool names_wanted(const struct torc *handle, const struct call *call);
/* Before each time that a call which wants one is sent: writes call->head. */
void names_write_head(struct torc *handle, struct call *call);
/* It has been answered, or is not sent again: later writes say so. */
void names_settle(struct torc *handle, struct call *call);
/* The node keeps no more names: from now on the call goes without one. */
void names_refused(struct torc *handle, struct call *call);
/* True while it may be sent again although it may have been executed. */
bool names_protect(const struct call *call, uint64_t now_ms);

#endif
