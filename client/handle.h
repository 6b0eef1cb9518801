/*
 * What a handle of libtorc is made of. One thread at a time; nothing in it is shared.
 *
 *      torc_command, pipelines, helpers       torc.c, pipeline.c, helpers.c
 *        run       a batch, with retries      run.c      decides: again? where? when? order?
 *        exchange  one round of a batch       exchange.c sends to all owners, waits for all
 *        discover  views and the commands     discover.c
 *        routing, batch, answer, retry        pure
 *        pool, connection                     sockets
 */
#ifndef TORC_CLIENT_HANDLE_H
#define TORC_CLIENT_HANDLE_H

#include "base/prng.h"
#include "client/batch.h"
#include "client/command_table.h"
#include "client/options.h"
#include "client/pool.h"
#include "client/routing.h"

#include <poll.h>
#include <stdbool.h>

/* What a round has found out, for what comes after it. */
struct findings {
    bool refresh;    /* the view may have changed */
    bool has_newer;  /* ... and `newer` probably knows how */
    bool has_failed; /* ... because `failed` is not reachable */
    struct endpoint newer;
    struct endpoint failed;
};

struct torc {
    struct client_options options;
    bool options_valid;
    bool ready; /* it has a view and the commands */
    struct routing routing;
    struct command_table commands;
    struct pool pool;
    struct prng prng;
    size_t any_turn;          /* which node gets what any node can do */
    struct connection **busy; /* connections of the present round */
    struct pollfd *polls;     /* one for each of them */
    size_t busy_count;
    size_t busy_capacity;
    struct findings findings;
    struct batch single;        /* of torc_command */
    struct arguments arguments; /* of whatever is being taken apart */

    int error; /* of the last call */
    size_t
        error_at; /* the call of the batch that error_text is about; SIZE_MAX: none in particular */
    char error_text[ERROR_TEXT_SIZE];
};

/* Begins a call: forgets the last error. */
void handle_begin(struct torc *handle);
/* Sets error and text, and returns the error. */
int handle_fail(struct torc *handle, int error, const char *format, ...) TORC_PRINTF(3, 4);
/* Why `call` of the batch failed for now or for good, at `endpoint` (may be NULL). The text of the
 * first call that still has an error is the one that stays. */
void handle_note_failure(struct torc *handle, const struct batch *batch, size_t call, int error,
                         const struct endpoint *endpoint, const char *text);

#endif
