#include "base/error.h"
#include "client/ring/render.h"
#include "client/ring/render_json.h"
#include "client/ring/verb.h"

enum exit_code verb_status(struct session *session)
{
    struct summary summary;
    struct buf text = {0};
    int result = summary_init(&summary, session_view(session));
    if (result != TORC_OK) {
        return session_fail(result);
    }
    result = session_ask_info(session, &summary);
    if (result == TORC_OK) {
        result = summary_judge(&summary);
    }
    if (result == TORC_OK && session->options->json) {
        result = session_print_json(render_status_json(&summary), false);
    } else if (result == TORC_OK) {
        render_status(&text, &summary, session->look);
        result = session_print(&text);
    }
    const bool problem = summary.warning_count > 0;
    buf_deinit(&text);
    summary_deinit(&summary);
    if (result != TORC_OK) {
        return session_fail(result);
    }
    return problem ? EXIT_PROBLEM : EXIT_WELL;
}
