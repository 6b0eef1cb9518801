/*
 * Small requests of the control thread to other nodes, answered by a bulk or not at all.
 */
#ifndef TORC_NODE_ERRAND_H
#define TORC_NODE_ERRAND_H

#include "base/bytes.h"

#include <stddef.h>

struct control;
struct peer;

/* The bulk that was answered, borrowed for the call; data NULL when there was no such answer. */
typedef void errand_done(struct control *control, struct bytes bulk);

/* `done`, which may be NULL, is called exactly once, perhaps before this returns. */
void errand_send(struct control *control, struct peer *peer, size_t argc, const struct bytes *argv,
                 errand_done *done);

#endif
