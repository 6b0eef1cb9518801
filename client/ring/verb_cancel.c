#include "base/error.h"
#include "client/clock.h"
#include "client/ring/change.h"
#include "client/ring/verb.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TURN_TIMEOUT_MS 8000 /* the node repeats the wish for 5 s, and a view takes its time */
#define POLL_MS 50

static enum exit_code send_wish(struct session *session, const struct view *view)
{
    char tag[17];
    char answer[SESSION_ANSWER_SIZE];
    (void)snprintf(tag, sizeof(tag), "%016" PRIx64, view_ring_tag(view));
    const struct bytes command[] = {BYTES_LITERAL("TORC.RING"), BYTES_LITERAL("CANCEL"),
                                    bytes_of(tag)};
    int result = session_tell(session, command, sizeof(command) / sizeof(command[0]), answer);
    if (result != TORC_OK) {
        return session_refuse(result == TORC_ENOMEM ? EXIT_PROBLEM : EXIT_UNREACHABLE,
                              "no node takes the wish: %s", torc_strerror(result));
    }
    return answer[0] == '\0' ? EXIT_WELL
                             : session_refuse(EXIT_REFUSED, "%s",
                                              answer + (strncmp(answer, "ERR ", 4) == 0 ? 4 : 0));
}

/* Until the change is on its way back, or over. */
static enum exit_code await_turn(struct session *session, const struct view *before)
{
    const uint64_t deadline_ms = clock_now_ms() + TURN_TIMEOUT_MS;
    for (;;) {
        (void)session_refresh(session);
        const struct view *now = session_view(session);
        if (now->changing && now->turned_back) {
            return EXIT_WELL;
        }
        if (!now->changing) {
            return change_came_to_its_end(before, now)
                       ? session_refuse(EXIT_REFUSED, "too late: the change has come to its end")
                       : EXIT_WELL;
        }
        if (clock_now_ms() >= deadline_ms) {
            return session_refuse(EXIT_NOT_BEGUN, "asked for, but the cluster has not turned the "
                                                  "change back: are the voters up? (status)");
        }
        session_sleep(POLL_MS);
    }
}

static enum exit_code tell(struct session *session, const struct change_progress *progress)
{
    struct buf text = {0};
    int result;
    if (session->options->json) {
        result = session_print_json(json_pack("{s:s, s:s, s:i, s:i}", "change", "cancel", "outcome",
                                              "begun", "slots_changing", (int)progress->slots_total,
                                              "slots_moved", (int)progress->slots_moved),
                                    session->options->watch);
    } else {
        buf_append_text(&text, "The change is being turned back; that goes on by itself.\n");
        result = session_print(&text);
        buf_deinit(&text);
    }
    return result == TORC_OK ? EXIT_WELL : session_fail(result);
}

static enum exit_code cancel(struct session *session, const struct view *view)
{
    const struct change_progress progress = summary_progress(view);
    char question[120];
    (void)snprintf(question, sizeof(question),
                   "%u of %u slots have moved. Turn the change back, and move these back?",
                   progress.slots_moved, progress.slots_total);
    enum exit_code code = confirm(session, question);
    code = code == EXIT_WELL ? send_wish(session, view) : code;
    code = code == EXIT_WELL ? await_turn(session, view) : code;
    code = code == EXIT_WELL ? tell(session, &progress) : code;
    if (code == EXIT_WELL && session->options->watch && session_view(session)->changing) {
        bool turned_back;
        return watch_to_the_end(session, &turned_back);
    }
    return code;
}

enum exit_code verb_cancel(struct session *session)
{
    const struct view *view = session_view(session);
    enum exit_code code = refuse_if_mute(session);
    if (code != EXIT_WELL) {
        return code;
    }
    if (!view->changing) {
        return session_refuse(EXIT_REFUSED, "no ring change is under way");
    }
    if (view->turned_back) {
        return session_refuse(EXIT_REFUSED, "the change is being turned back already");
    }
    view_retain(view);
    code = cancel(session, view);
    view_release(view);
    return code;
}
