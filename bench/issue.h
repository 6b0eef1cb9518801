/*
 * What is sent next: the loading, the closed loop, the open loop's schedule, the trace. Runs in a
 * worker's thread.
 *
 * Closed loop: a client sends `pipeline` operations with one write and, when all are answered, the
 * next ones. Open loop: operation k is due at start + k / rate; it is given to the next client that
 * has room, and its latency counts from when it was due, so that a server that stalls cannot
 * hide it (no coordinated omission). Trace: requests are taken in their order; each goes to the
 * client that its key belongs to, and waits, with all that follow, until that client has room and
 * no GET of the same key under way. So a cache sees the trace's own order but for the requests in
 * flight, and a key's requests keep theirs.
 */
#ifndef TORC_BENCH_ISSUE_H
#define TORC_BENCH_ISSUE_H

#include "bench/connection.h"
#include "bench/worker.h"

#include <stdbool.h>

/* Sends as much as may be sent now; `client` is the one that has just been given room, NULL at the
 * beginning of a phase. Flushes nothing. */
void issue(struct worker *worker, struct client *client);
/* Stages one operation on the connection that its key belongs to. */
void issue_operation(struct client *client, const struct operation *operation);
/* Stages it on the server at `address`, after an ASKING. */
void issue_asking(struct client *client, const struct operation *operation,
                  const struct address *address);
/* True when the phase has nothing left to send. */
bool issue_exhausted(const struct worker *worker);
/* Open loop without a trace: operations due by `now_ns` that were not issued. */
uint64_t issue_behind(const struct worker *worker, uint64_t now_ns);

#endif
