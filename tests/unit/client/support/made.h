/* Views and replies for the tests of the client. */
#ifndef TORC_TESTS_CLIENT_MADE_H
#define TORC_TESTS_CLIENT_MADE_H

#include "ring/view.h"

#include <hiredis/hiredis.h>

/* Sealed. Nodes 1 .. count at host "n<number>", client port 7000 + number, direct port 8000 +
 * number, all up and of weight 1, but `down` (0 = none) is down. One reference, the caller's. */
struct view *made_view(uint64_t epoch, unsigned count, uint8_t copies, unsigned down);
struct view *made_view_of_cluster(uint8_t cluster, uint64_t epoch);
/* What the library's reader makes of the text; the caller frees it. */
redisReply *made_reply(const char *text);

#endif
