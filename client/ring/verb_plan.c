#include "base/error.h"
#include "client/ring/render_json.h"
#include "client/ring/render_plan.h"
#include "client/ring/verb.h"

#include <stdlib.h>

/* What is wrong with the operator's words, before time is spent on measuring. *nothing: all is as
 * it is wanted. */
static int check_words(const struct view *view, const struct change_request *request, bool *nothing,
                       char error[RING_ERROR_SIZE])
{
    struct change change;
    *nothing = false;
    if (request->kind == CHANGE_REBALANCE) {
        return TORC_OK;
    }
    int result = change_create(&change, view, request, error);
    if (result == TORC_OK) {
        *nothing = change.step_count == 0;
        change_deinit(&change);
    }
    return result;
}

/* For how long operations are counted: longer when weights follow from them, and not at all when
 * nobody is there to read how many there are. */
static unsigned ops_interval_ms(const struct ring_options *options)
{
    if (options->change.kind == CHANGE_REBALANCE && options->change.by == BALANCE_OPS) {
        return 2000;
    }
    return options->yes ? 0 : 500;
}

static enum exit_code make(struct session *session, struct summary *summary,
                           struct measure *measure, struct proposal *out)
{
    const struct change_request *request = &session->options->change;
    const struct proposal_input input = {
        .view = session_view(session), .request = request, .measure = measure, .summary = summary};
    char error[RING_ERROR_SIZE];
    bool nothing;
    int result = check_words(input.view, request, &nothing, error);
    if (result == TORC_OK && !nothing) {
        result = session_ask_info(session, summary);
        if (result == TORC_OK) {
            result = session_ask_slots(session, measure, ops_interval_ms(session->options));
        }
        if (result != TORC_OK) {
            return session_fail(result);
        }
    }
    if (result == TORC_OK && request->kind == CHANGE_REBALANCE && request->by != BALANCE_SLOTS &&
        measure_unknown(measure) > 0) {
        return session_refuse(EXIT_PROBLEM,
                              "nobody says what is in %u slots: no rebalance by %s without that",
                              measure_unknown(measure), ring_balance_name(request->by));
    }
    if (result == TORC_OK) {
        result = proposal_create(out, &input, error);
    }
    if (result != TORC_OK) {
        return session_refuse(result == TORC_ENOMEM ? EXIT_PROBLEM : EXIT_USAGE, "%s", error);
    }
    return EXIT_WELL;
}

enum exit_code propose(struct session *session, struct proposal *out)
{
    const struct view *view = session_view(session);
    struct summary summary;
    if (view->changing) {
        const struct change_progress progress = summary_progress(view);
        return session_refuse(EXIT_REFUSED,
                              "a ring change is %s (%u of %u slots have moved); one at a time: "
                              "`watch` follows it%s",
                              view->turned_back ? "being turned back" : "under way",
                              progress.slots_moved, progress.slots_total,
                              view->turned_back ? "" : ", `cancel` turns it back");
    }
    int result = summary_init(&summary, view);
    if (result != TORC_OK) {
        return session_fail(result);
    }
    struct measure *measure = calloc(1, sizeof(*measure));
    const enum exit_code code =
        measure == NULL ? session_fail(TORC_ENOMEM) : make(session, &summary, measure, out);
    free(measure);
    summary_deinit(&summary);
    return code;
}

enum exit_code verb_plan(struct session *session)
{
    struct proposal proposal;
    struct buf text = {0};
    int result;
    const enum exit_code code = propose(session, &proposal);
    if (code != EXIT_WELL) {
        return code;
    }
    if (session->options->json) {
        result = session_print_json(render_plan_json(&proposal, "planned"), false);
    } else {
        render_plan(&text, &proposal, session->look);
        result = session_print(&text);
        buf_deinit(&text);
    }
    proposal_deinit(&proposal);
    return result == TORC_OK ? EXIT_WELL : session_fail(result);
}
