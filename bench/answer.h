/*
 * What becomes of operations: replies counted, redirections followed, a miss of a trace filled,
 * losses counted, broken connections made again. Runs in the worker's thread.
 */
#ifndef TORC_BENCH_ANSWER_H
#define TORC_BENCH_ANSWER_H

#include "bench/connection.h"

/* For connections whose owner is a struct client. Static storage. */
const struct connection_events *answer_events(void);

#endif
