/*
 * Moves one replication stream to its replica: connects, resumes where the replica stands, sends,
 * takes the acknowledgements and wakes who waits for them. One for each worker and peer; one
 * thread: its worker.
 */
#ifndef TORC_NODE_STREAM_SENDER_H
#define TORC_NODE_STREAM_SENDER_H

#include <stdint.h>

struct peer;
struct stream_sender;
struct worker;

/* NULL without memory. */
struct stream_sender *stream_sender_create(struct worker *worker, struct peer *peer);
void stream_sender_destroy(struct stream_sender *sender);
/* Does what there is to do: connects when there is something to send, sends. */
void stream_sender_poll(struct stream_sender *sender, uint64_t now_ms);

#endif
