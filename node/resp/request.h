/*
 * The request parser: RESP2 arrays and inline commands, in place, without copying. It is given the
 * unread bytes of a connection and hands out arguments that borrow from them. It is resumable: of a
 * request that arrives in pieces the first piece is looked at twice, everything else once, however
 * many pieces there are. Not for replies: those are hiredis's.
 *
 * Source: the RESP specification; limits and error texts are those of Redis 7. As in Redis, a line
 * of an array ends at its CR, and the byte behind that and the two bytes behind a bulk are skipped
 * whatever they are. Other than in Redis, a zero byte is a byte like any other also in an inline
 * command, and how the input was cut into pieces never changes what is parsed from it.
 */
#ifndef TORC_NODE_RESP_REQUEST_H
#define TORC_NODE_RESP_REQUEST_H

#include "base/attributes.h"
#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>

/* Arguments of many requests, one after the other. Owned by the worker, reused for every batch. */
struct argument_list {
    struct bytes *items;
    size_t count;
    size_t capacity;
};
void argument_list_init(struct argument_list *list);
void argument_list_deinit(struct argument_list *list);

enum request_status {
    REQUEST_COMPLETE,  /* one request; consumed bytes are its own */
    REQUEST_EMPTY,     /* an empty line or *0 / *-1: consumed, nothing to answer */
    REQUEST_MORE,      /* needs more input; consumed is 0; keep the bytes where they are in order */
    REQUEST_ERROR,     /* protocol error: answer `error` and close */
    REQUEST_NO_MEMORY, /* close; the parser is good for request_parser_deinit only */
};

struct request {
    size_t first;    /* index into the argument list */
    size_t count;    /* arguments, the command's name included; >= 1 */
    size_t consumed; /* bytes of input this request took */
    size_t wanted;   /* REQUEST_MORE: bytes of input at least needed before parsing can get further;
                        lets the reader size its buffer for a large bulk */
    const char *error; /* REQUEST_ERROR: e.g. "Protocol error: invalid bulk length", without the
                          "ERR " before it; static or in the parser. Else NULL. */
};

/* Where in an incomplete request the parser stands. One per connection; zero-initialised is a fresh
 * one. Offsets are relative to the first unread byte, so the buffer may move between calls. After
 * REQUEST_ERROR, `offset` is where the offending line starts. */
struct request_parser {
    size_t offset;              /* bytes understood so far */
    size_t scanned;             /* bytes behind offset known not to hold the end of the line */
    int64_t arguments_left;     /* of the array; 0 = at the start of a request */
    int64_t bulk_size;          /* of the bulk whose bytes are awaited; -1 = awaiting its header */
    struct request_span *spans; /* arguments understood so far, as offsets; heap, rarely needed */
    size_t span_count;
    size_t span_capacity;
    char error[128];
};
void request_parser_init(struct request_parser *parser);
void request_parser_deinit(struct request_parser *parser);

/*
 * Parses the next request from `input`, the connection's unread bytes. On REQUEST_COMPLETE its
 * arguments are appended to `list` and borrow from `input`. Inline requests honour Redis's quoting;
 * because unquoting changes bytes it is done in place, so `input` must be writable memory.
 */
enum request_status request_parse(struct request_parser *parser, char *input, size_t size,
                                  struct argument_list *list, struct request *out) TORC_MUST_USE;

#endif
