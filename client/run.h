/*
 * Runs a batch to its end: rounds, with whatever has to be tried again, until the deadline.
 */
#ifndef TORC_CLIENT_RUN_H
#define TORC_CLIENT_RUN_H

#include "client/handle.h"

/* All calls are CALL_DONE afterwards. 0 if each has a reply, else the error of the first that has
 * none, which is the handle's error then. */
int run_batch(struct torc *handle, struct batch *batch);

/* Waits. */
void run_sleep(uint64_t delay_ms);

#endif
