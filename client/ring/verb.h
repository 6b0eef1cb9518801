/*
 * The verbs of torc-ring, one a file: verb_<name>.c. Each does all of its work, messages included,
 * and says what the program is to end with. Not pure; one thread.
 */
#ifndef TORC_CLIENT_RING_VERB_H
#define TORC_CLIENT_RING_VERB_H

#include "client/ring/proposal.h"
#include "client/ring/session.h"

enum exit_code verb_status(struct session *session);
enum exit_code verb_slots(struct session *session);
enum exit_code verb_plan(struct session *session);
enum exit_code verb_change(struct session *session);
enum exit_code verb_cancel(struct session *session);
enum exit_code verb_watch(struct session *session);
enum exit_code verb_check(struct session *session);

/* Follows the change under way until none is. *turned_back: it ended where it had begun. */
enum exit_code watch_to_the_end(struct session *session, bool *turned_back);

/* Asks the nodes what is needed, and makes a proposal of what the operator wants, if no change is
 * under way. EXIT_WELL with *out, or after a message why not. */
enum exit_code propose(struct session *session, struct proposal *out);

/* Refuses, before anything else is done, if the operator cannot be asked and has not said --yes. */
enum exit_code refuse_if_mute(const struct session *session);
/* Asks, unless --yes. EXIT_UNCONFIRMED if the answer is no. */
enum exit_code confirm(const struct session *session, const char *question);

#endif
