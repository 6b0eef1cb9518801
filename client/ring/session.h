/*
 * One run of torc-ring: the handle, the options, what the terminal can show, and the questions that
 * the verbs ask the nodes. Not pure; one thread.
 */
#ifndef TORC_CLIENT_RING_SESSION_H
#define TORC_CLIENT_RING_SESSION_H

#include "client/handle.h"
#include "client/ring/cells.h"
#include "client/ring/measure.h"
#include "client/ring/options.h"
#include "client/ring/summary.h"

#include <jansson.h>

/* Documented in torc-ring(1). */
enum exit_code {
    EXIT_WELL = 0,
    EXIT_PROBLEM = 1,
    EXIT_USAGE = 2,
    EXIT_UNREACHABLE = 3,
    EXIT_REFUSED = 4,     /* by the cluster; or the ring is not what was asked for */
    EXIT_UNCONFIRMED = 5, /* by the operator */
    EXIT_NOT_BEGUN = 6,   /* proposed, and nothing has come of it in time */
};

struct session {
    struct torc *handle;
    const struct view *view; /* retained */
    const struct ring_options *options;
    struct look look;
    bool terminal; /* standard output is one */
};

/* The view that is known; borrowed until the next session_refresh. */
const struct view *session_view(const struct session *session);
/* Takes the view that the handle knows. False: it has none, for it is of no Torc cluster. */
bool session_read_view(struct session *session);
/* Waits. */
void session_sleep(uint64_t delay_ms);
/* Asks for a newer view. False: nobody could be asked; what is known is as before. */
bool session_refresh(struct session *session);

/* The messages of a failure, on standard error; return what the program is to end with. */
enum exit_code session_fail(int error);
enum exit_code session_refuse(enum exit_code code, const char *format, ...) TORC_PRINTF(2, 3);

/* To standard output. `text` is emptied. 0, TORC_ENOMEM or TORC_EIO. */
int session_print(struct buf *text) TORC_MUST_USE;
/* The same; takes the reference, and NULL is TORC_ENOMEM. On one line, when more lines follow. */
int session_print_json(json_t *json, bool one_line) TORC_MUST_USE;

/* What is asked of nodes of a view, of all at the same time. */
struct question {
    const struct view *view;
    const bool *wanted; /* by node of the view; NULL = all of them */
    const struct bytes *argv;
    size_t argc;
    unsigned timeout_ms;
};
/* What each node of the view answers: NULL for one that does not, or was not asked. */
struct answers {
    redisReply **replies; /* owned */
    size_t count;         /* of the view's nodes */
};
/* 0, TORC_ENOMEM: nothing to be freed then, but answers_deinit does no harm. */
int session_ask(struct session *session, const struct question *question,
                struct answers *out) TORC_MUST_USE;
void answers_deinit(struct answers *answers);

/* Asks every node for INFO. A node that does not answer is part of the picture. 0, TORC_ENOMEM. */
int session_ask_info(struct session *session, struct summary *summary) TORC_MUST_USE;
/* Asks every node what is in the slots that it leads, and again after so many milliseconds, so that
 * operations can be counted; 0 = only once. Zeroes *out first. 0, TORC_ENOMEM. */
int session_ask_slots(struct session *session, struct measure *out, unsigned ops_ms) TORC_MUST_USE;

/*
 * Sends a command to one node after the other until one of them answers, and says what it said: ""
 * for +OK, else its error. 0, TORC_ENOMEM, or why nobody answered.
 */
#define SESSION_ANSWER_SIZE 200
int session_tell(struct session *session, const struct bytes *argv, size_t argc,
                 char answer[SESSION_ANSWER_SIZE]) TORC_MUST_USE;

#endif
