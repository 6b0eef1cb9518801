/*
 * SCAN over the whole cluster: what every node is asked, and what is made of their answers. See
 * commands/scan.h for the form of both.
 */
#ifndef TORC_NODE_SCAN_MERGE_H
#define TORC_NODE_SCAN_MERGE_H

#include "base/attributes.h"
#include "base/buf.h"
#include "node/execute.h"
#include "node/resp/number.h"
#include "node/resp/reply.h"

#include <stdbool.h>
#include <stddef.h>

#define SCAN_REQUEST_ARGUMENTS_MAX 8

struct scan_request {
    char slot[NUMBER_INT64_SIZE];
    char place[NUMBER_INT64_SIZE];
    char count[NUMBER_INT64_SIZE];
    struct bytes argv[SCAN_REQUEST_ARGUMENTS_MAX];
};

/* Makes the request between nodes from a client's SCAN. *out is `scan` with command and arguments
 * replaced; it borrows from *request and from the client's arguments. False after it has replied
 * with an error. */
bool scan_request_build(struct scan_request *request, const struct command_table *commands,
                        const struct execution *scan, struct execution *out,
                        struct reply_writer *writer) TORC_MUST_USE;

/* Puts the nodes' answers together: goes on from the least position any of them reached. */
void scan_merge(const struct buf *parts, size_t part_count, struct reply_writer *writer);

#endif
