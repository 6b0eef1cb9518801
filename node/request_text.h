/* Writes a request: the RESP array of bulk strings that a command is, to be sent to another node.
 */
#ifndef TORC_NODE_REQUEST_TEXT_H
#define TORC_NODE_REQUEST_TEXT_H

#include "node/resp/reply.h"

static inline void request_append(struct buf *out, size_t argc, const struct bytes *argv)
{
    struct reply_writer writer = {.out = out, .protocol = 2};
    reply_array(&writer, argc);
    for (size_t i = 0; i < argc; i++) {
        reply_bulk(&writer, argv[i]);
    }
}

#endif
