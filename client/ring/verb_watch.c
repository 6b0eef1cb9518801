#include "base/error.h"
#include "client/clock.h"
#include "client/ring/change.h"
#include "client/ring/render_json.h"
#include "client/ring/render_watch.h"
#include "client/ring/verb.h"

#include <stdlib.h>

#define SHOW_MS 1000 /* between two lines */
#define POLL_MS 200  /* so that the end is seen soon */
#define SILENCE_MS 30000

/* One look at all nodes. 0 or TORC_ENOMEM. */
static int look(struct session *session, struct progress *progress)
{
    struct summary summary;
    int result = summary_init(&summary, session_view(session));
    if (result != TORC_OK) {
        return result;
    }
    result = session_ask_info(session, &summary);
    if (result == TORC_OK) {
        const struct progress_look seen = {
            .view = summary.view, .summary = &summary, .now_ms = clock_now_ms()};
        progress_step(progress, &seen);
    }
    summary_deinit(&summary);
    return result;
}

static int show(struct session *session, const struct progress *progress)
{
    struct buf text = {0};
    if (session->options->json) {
        return session_print_json(render_progress_json(progress), true);
    }
    buf_append_text(&text, session->terminal ? "\r" : "");
    render_progress(&text, progress, session->look);
    buf_append_text(&text, session->terminal ? "\033[K" : "\n");
    int result = session_print(&text);
    buf_deinit(&text);
    return result;
}

static int show_end(struct session *session, struct progress *progress, uint64_t begun_ms)
{
    struct buf text = {0};
    if (session->options->json) {
        return session_print_json(render_progress_json(progress), true);
    }
    buf_append_text(&text, session->terminal ? "\r\033[K" : "");
    render_end(&text, progress, (double)(clock_now_ms() - begun_ms) / 1000);
    int result = session_print(&text);
    buf_deinit(&text);
    return result;
}

/* Waits until the next line is due, or the change is over. *heard_ms: when somebody answered last.
 */
static void await_next(struct session *session, uint64_t *heard_ms)
{
    const uint64_t until_ms = clock_now_ms() + SHOW_MS;
    do {
        session_sleep(POLL_MS);
        *heard_ms = session_refresh(session) ? clock_now_ms() : *heard_ms;
    } while (session_view(session)->changing && clock_now_ms() < until_ms);
}

static enum exit_code follow(struct session *session, struct progress *progress,
                             const struct view *first)
{
    const uint64_t begun_ms = clock_now_ms();
    uint64_t heard_ms = begun_ms;
    int result = TORC_OK;
    while (result == TORC_OK && session_view(session)->changing) {
        result = look(session, progress);
        if (result == TORC_OK) {
            result = show(session, progress);
        }
        if (clock_now_ms() - heard_ms > SILENCE_MS) {
            return session_refuse(EXIT_UNREACHABLE, "%snobody answers any more",
                                  session->terminal ? "\n" : "");
        }
        await_next(session, &heard_ms);
    }
    if (result == TORC_OK) {
        result = look(session, progress);
    }
    if (result == TORC_OK) {
        /* It may have been turned back, and have ended, since it was looked at last. */
        const bool as_seen = change_came_to_its_end(first, session_view(session));
        progress->turned_back = as_seen ? first->turned_back : !first->turned_back;
        result = show_end(session, progress, begun_ms);
    }
    return result == TORC_OK ? EXIT_WELL : session_fail(result);
}

enum exit_code watch_to_the_end(struct session *session, bool *turned_back)
{
    const struct view *first = view_retain(session_view(session));
    struct measure *measure = calloc(1, sizeof(*measure));
    struct progress *progress = calloc(1, sizeof(*progress));
    enum exit_code code = EXIT_WELL;
    int result = TORC_ENOMEM;
    if (measure != NULL && progress != NULL) {
        result = session_ask_slots(session, measure, 0);
    }
    if (result == TORC_OK) {
        progress_begin(progress, measure);
        code = follow(session, progress, first);
        *turned_back = progress->turned_back;
    } else {
        code = session_fail(result);
    }
    free(progress);
    free(measure);
    view_release(first);
    return code;
}

enum exit_code verb_watch(struct session *session)
{
    struct buf text = {0};
    bool turned_back = false;
    if (session_view(session)->changing) {
        const enum exit_code code = watch_to_the_end(session, &turned_back);
        return code == EXIT_WELL && turned_back ? EXIT_REFUSED : code;
    }
    if (session->options->json) {
        int result =
            session_print_json(json_pack("{s:I, s:b}", "epoch",
                                         (json_int_t)session_view(session)->epoch, "changing", 0),
                               true);
        return result == TORC_OK ? EXIT_WELL : session_fail(result);
    }
    buf_append_text(&text, "No ring change is under way.\n");
    int result = session_print(&text);
    buf_deinit(&text);
    return result == TORC_OK ? EXIT_WELL : session_fail(result);
}
