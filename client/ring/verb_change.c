/* add, drain, weight, remove, rebalance: propose, and wait until the cluster has begun. */
#include "base/error.h"
#include "client/clock.h"
#include "client/ring/render_json.h"
#include "client/ring/render_plan.h"
#include "client/ring/verb.h"

#include <stdlib.h>
#include <string.h>

#define BEGIN_TIMEOUT_MS                                                                           \
    8000 /* the node repeats the proposal for 5 s, and a view takes its time                       \
          */
#define POLL_MS 50

/* How a proposal came out. */
struct outcome {
    enum exit_code code;
    const char *name; /* in JSON */
    char reason[SESSION_ANSWER_SIZE];
};

static struct outcome outcome_of(enum exit_code code, const char *name, const char *reason)
{
    struct outcome outcome = {.code = code, .name = name};
    (void)snprintf(outcome.reason, sizeof(outcome.reason), "%s", reason);
    return outcome;
}

static int send_proposal(struct session *session, const struct proposal *proposal,
                         char answer[SESSION_ANSWER_SIZE])
{
    struct buf words = {0};
    size_t count;
    proposal_encode(proposal, &words, &count);
    struct bytes *argv = calloc(count + 1, sizeof(*argv));
    int result = TORC_ENOMEM;
    if (argv != NULL && !words.failed) {
        const char *word = buf_head(&words);
        argv[0] = BYTES_LITERAL("TORC.RING");
        for (size_t i = 1; i <= count; i++) {
            argv[i] = bytes_of(word);
            word += argv[i].size + 1;
        }
        result = session_tell(session, argv, count + 1, answer);
    }
    free(argv);
    buf_deinit(&words);
    return result;
}

static struct outcome await_beginning(struct session *session, const struct proposal *proposal)
{
    const uint64_t deadline_ms = clock_now_ms() + BEGIN_TIMEOUT_MS;
    for (;;) {
        const bool answered = session_refresh(session);
        switch (change_look(&proposal->change, proposal->view, session_view(session))) {
        case CHANGE_BEGUN: return outcome_of(EXIT_WELL, "begun", "");
        case CHANGE_DONE: return outcome_of(EXIT_WELL, "done", "");
        case CHANGE_FOREIGN:
            return outcome_of(EXIT_REFUSED, "foreign",
                              "not what was asked for: somebody else's change came first");
        case CHANGE_WAITING: break;
        }
        if (clock_now_ms() >= deadline_ms) {
            return answered ? outcome_of(EXIT_NOT_BEGUN, "not begun",
                                         "proposed, but the cluster has not begun: are the voters "
                                         "up, and is every node that is up settled? (status)")
                            : outcome_of(EXIT_UNREACHABLE, "unknown",
                                         "proposed, but nobody answers any more");
        }
        session_sleep(POLL_MS);
    }
}

/* "ERR", the code of errors that have none of their own, tells people nothing. */
static const char *without_code(const char *answer)
{
    return strncmp(answer, "ERR ", 4) == 0 ? answer + 4 : answer;
}

static struct outcome carry_out(struct session *session, const struct proposal *proposal)
{
    char answer[SESSION_ANSWER_SIZE];
    int result = send_proposal(session, proposal, answer);
    if (result == TORC_ENOMEM) {
        return outcome_of(EXIT_PROBLEM, "unknown", torc_strerror(result));
    }
    if (result != TORC_OK) {
        return outcome_of(EXIT_UNREACHABLE, "unknown", "no node takes the proposal");
    }
    if (strncmp(answer, "BUSY", 4) == 0) {
        /* A node that was asked before this one, and did not answer, may have passed it on. */
        (void)session_refresh(session);
        return change_look(&proposal->change, proposal->view, session_view(session)) == CHANGE_BEGUN
                   ? outcome_of(EXIT_WELL, "begun", "")
                   : outcome_of(EXIT_REFUSED, "refused",
                                "somebody else's ring change is under way; one at a time: `watch` "
                                "follows it");
    }
    if (strncmp(answer, "STALE", 5) == 0) {
        return outcome_of(EXIT_REFUSED, "refused",
                          "the ring has changed since this was planned: plan it again");
    }
    return answer[0] == '\0' ? await_beginning(session, proposal)
                             : outcome_of(EXIT_REFUSED, "refused", without_code(answer));
}

static enum exit_code tell(struct session *session, const struct proposal *proposal,
                           const struct outcome *outcome)
{
    struct buf text = {0};
    int result;
    if (session->options->json) {
        result =
            session_print_json(render_plan_json(proposal, outcome->name), session->options->watch);
    } else {
        if (outcome->code == EXIT_WELL) {
            buf_append_text(&text, strcmp(outcome->name, "done") == 0
                                       ? "The change is made.\n"
                                       : "The change has begun; it goes on by itself.\n");
        }
        result = session_print(&text);
        buf_deinit(&text);
    }
    if (outcome->code != EXIT_WELL) {
        (void)session_refuse(outcome->code, "%s", outcome->reason);
    }
    return result == TORC_OK ? outcome->code : session_fail(result);
}

static enum exit_code watch_it(struct session *session, const struct proposal *proposal)
{
    bool turned_back;
    const enum exit_code code = watch_to_the_end(session, &turned_back);
    if (code != EXIT_WELL) {
        return code;
    }
    return change_look(&proposal->change, proposal->view, session_view(session)) == CHANGE_DONE
               ? EXIT_WELL
               : session_refuse(EXIT_REFUSED, "the ring is not what was asked for: the change was "
                                              "turned back, or another one has followed");
}

static enum exit_code change(struct session *session, const struct proposal *proposal)
{
    struct buf text = {0};
    if (proposal->next == NULL) {
        const struct outcome nothing = {.code = EXIT_WELL, .name = "nothing to do"};
        if (session->options->json) {
            return tell(session, proposal, &nothing);
        }
        render_plan_title(&text, proposal);
        int result = session_print(&text);
        buf_deinit(&text);
        return result == TORC_OK ? EXIT_WELL : session_fail(result);
    }
    if (!session->options->json) {
        render_plan(&text, proposal, session->look);
        buf_append_text(&text, "\n");
        int result = session_print(&text);
        buf_deinit(&text);
        if (result != TORC_OK) {
            return session_fail(result);
        }
    }
    enum exit_code code = confirm(session, "Make this change?");
    if (code != EXIT_WELL) {
        return code;
    }
    const struct outcome outcome = carry_out(session, proposal);
    code = tell(session, proposal, &outcome);
    const bool going_on = session_view(session)->changing;
    return code == EXIT_WELL && session->options->watch && going_on ? watch_it(session, proposal)
                                                                    : code;
}

enum exit_code verb_change(struct session *session)
{
    struct proposal proposal;
    enum exit_code code = refuse_if_mute(session);
    if (code == EXIT_WELL) {
        code = propose(session, &proposal);
        if (code == EXIT_WELL) {
            code = change(session, &proposal);
            proposal_deinit(&proposal);
        }
    }
    return code;
}
