/*
 * Commands on their way, in the order in which they were given, with what has become of each. Pure;
 * one owner.
 */
#ifndef TORC_CLIENT_BATCH_H
#define TORC_CLIENT_BATCH_H

#include "client/request.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>

enum call_state {
    CALL_WAITING, /* to be sent in the next round */
    CALL_SENT,    /* queued on a connection */
    CALL_AGAIN,   /* not executed, or harmless if it was: to be tried again */
    CALL_DONE,    /* has a reply, or an error for good */
};

struct call {
    size_t start; /* of its request in the batch's bytes */
    size_t size;
    struct request_route route;
    enum call_state state;
    bool redirected; /* CALL_AGAIN: because of MOVED */
    int error; /* CALL_DONE: why there is no reply; CALL_AGAIN: why, unless the reply says it */
    redisReply *reply; /* owned; of CALL_AGAIN too, in case there is no time for another try */
};

struct batch {
    struct buf encoded;
    struct call *calls;
    size_t count;
    size_t capacity;
};

/* A zeroed batch is empty. */
void batch_deinit(struct batch *batch);
/* Forgets all calls and frees their replies; keeps a little memory. */
void batch_reset(struct batch *batch);

/* Appends a call. 0, TORC_EINVAL (request_check, or bound to a connection), TORC_ETOOBIG,
 * TORC_ENOMEM; on failure the batch is as it was. */
int batch_add(struct batch *batch, const struct bytes *argv, size_t argc) TORC_MUST_USE;

/* Borrowed until the batch changes. */
struct bytes batch_request(const struct batch *batch, size_t index);
/* The command's name as it was given; borrowed until the batch changes. */
struct bytes batch_name(const struct batch *batch, size_t index);

/*
 * After a round: a call to be tried again would come after those of the same slot behind it that
 * have been executed. Where that would be seen (one of the two writes), it ends with TORC_EAGAIN
 * instead. Returns how many calls are still to be tried again. *only_moved: all of those were
 * redirected.
 */
size_t batch_judge(struct batch *batch, bool *only_moved);
/* CALL_AGAIN becomes CALL_WAITING. */
void batch_renew(struct batch *batch);
/* There is no time for another try: each CALL_AGAIN is done, with the reply or the error it has. */
void batch_give_up(struct batch *batch);
/* Index of the first call without a reply; `count` if all have one. All calls are done. */
size_t batch_first_error(const struct batch *batch);

#endif
