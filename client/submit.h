/*
 * Handing calls to the engine and getting them back, in the forms that the public functions need.
 * Without the lock; any thread.
 */
#ifndef TORC_CLIENT_SUBMIT_H
#define TORC_CLIENT_SUBMIT_H

#include "client/handle.h"

/* Submits the call and waits for it. It stays the caller's, and is completed then. Returns its
 * error, which is the thread's; 0: it has a reply. */
int submit_and_wait(struct torc *handle, struct call *call);
/* The same for many; the error is that of the first that has one. */
int submit_all_and_wait(struct torc *handle, struct call *const *calls, size_t count);
/* Makes a call of the arguments, and does that; *reply is the caller's. */
int submit_bytes(struct torc *handle, const struct bytes *argv, size_t argc, redisReply **reply);
/* What is to be done with a completed call that has an error: asks the program's fallback. */
void submit_fall_back(struct torc *handle, struct call *call);

#endif
