#include "base/error.h"
#include "client/clock.h"
#include "client/ring/render_audit.h"
#include "client/ring/verb.h"

#include <stdio.h>
#include <stdlib.h>

#define LOOK_LIMIT_MS 10000 /* until all nodes have known the same view for a moment */
#define START_LIMIT_MS 30000
#define SILENCE_MS 10000 /* of a node that compares */
#define STALL_MS 60000   /* without any slot being done */
#define PAUSE_MS 100
#define VIEW_TIMEOUT_MS 1500
#define SLOTS_TIMEOUT_MS 3000
#define CHECK_TIMEOUT_MS 2000

/* One run of the verb. */
struct checking {
    struct session *session;
    struct audit audit;
    uint64_t begun_ms;
    uint64_t since_epoch; /* of the view that was known when it began */
    bool *wanted;         /* owned; the nodes to be asked next */
    uint64_t *heard_ms;   /* owned; when each node answered last */
};

/* Asks the nodes that are wanted, NULL = all that the view does not take for down. */
static int ask(struct checking *checking, const char *const *words, unsigned timeout_ms,
               struct answers *out)
{
    struct bytes argv[5];
    struct question question = {.view = checking->audit.view,
                                .wanted = checking->wanted,
                                .argv = argv,
                                .timeout_ms = timeout_ms};
    while (words[question.argc] != NULL) {
        argv[question.argc] = bytes_of(words[question.argc]);
        question.argc++;
    }
    return session_ask(checking->session, &question, out);
}

/* ---- looking ---- */

static void want_all(struct checking *checking)
{
    const struct view *view = checking->audit.view;
    for (size_t i = 0; i < view->node_count; i++) {
        checking->wanted[i] = view->nodes[i].status != NODE_DOWN;
    }
}

typedef void reader(struct audit *audit, size_t index, const redisReply *reply);

static int ask_and_read(struct checking *checking, const char *const *words, unsigned timeout_ms,
                        reader *read)
{
    struct answers answers;
    int result = ask(checking, words, timeout_ms, &answers);
    for (size_t i = 0; result == TORC_OK && i < answers.count; i++) {
        if (checking->wanted[i]) {
            read(&checking->audit, i, answers.replies[i]);
        }
    }
    answers_deinit(&answers);
    return result;
}

/* Views before and after the slots, so that what is said of those is about that view. */
static int look_once(struct checking *checking, bool *agreed)
{
    static const char *const view[] = {"TORC.VIEW", NULL};
    char last[16];
    const char *const slots[] = {"CLUSTER", "SLOT-STATS", "SLOTSRANGE", "0", last, NULL};
    (void)snprintf(last, sizeof(last), "%d", SLOT_COUNT - 1);
    want_all(checking);
    int result = ask_and_read(checking, view, VIEW_TIMEOUT_MS, audit_read_view);
    *agreed = result == TORC_OK && audit_agrees(&checking->audit);
    if (result == TORC_OK) {
        result = ask_and_read(checking, slots, SLOTS_TIMEOUT_MS, audit_read_slots);
    }
    if (result == TORC_OK) {
        result = ask_and_read(checking, view, VIEW_TIMEOUT_MS, audit_read_view);
    }
    *agreed = *agreed && audit_agrees(&checking->audit);
    return result;
}

static int begin_look(struct checking *checking)
{
    const struct view *view = session_view(checking->session);
    audit_deinit(&checking->audit);
    free(checking->wanted);
    free(checking->heard_ms);
    checking->wanted = calloc(view->node_count + 1, sizeof(*checking->wanted));
    checking->heard_ms = calloc(view->node_count + 1, sizeof(*checking->heard_ms));
    return checking->wanted == NULL || checking->heard_ms == NULL
               ? TORC_ENOMEM
               : audit_init(&checking->audit, view);
}

/* Until all nodes agree; while views change it takes some tries. */
static int look(struct checking *checking)
{
    const uint64_t until_ms = clock_now_ms() + LOOK_LIMIT_MS;
    bool agreed = false;
    for (;;) {
        (void)session_refresh(checking->session);
        int result = begin_look(checking);
        if (result == TORC_OK) {
            result = look_once(checking, &agreed);
        }
        if (result != TORC_OK) {
            return result;
        }
        if (agreed || clock_now_ms() >= until_ms) {
            return audit_judge_look(&checking->audit,
                                    agreed ? checking->audit.view->epoch : checking->since_epoch);
        }
        session_sleep(PAUSE_MS);
    }
}

/* ---- comparing ---- */

/* How many nodes have not begun yet. */
static size_t want_those_to_start(struct checking *checking)
{
    const struct audit *audit = &checking->audit;
    size_t count = 0;
    for (size_t i = 0; i < audit->view->node_count; i++) {
        const struct audit_node *node = &audit->nodes[i];
        checking->wanted[i] = node->answers && node->run == 0 && node->trouble[0] == '\0';
        count += checking->wanted[i];
    }
    return count;
}

static void read_start(struct audit *audit, size_t index, const redisReply *reply)
{
    (void)audit_read_start(audit, index, reply); /* if it has not begun, it is asked again */
}

static int start(struct checking *checking)
{
    static const char *const words[] = {"TORC.CHECK", "START", NULL};
    const uint64_t until_ms = clock_now_ms() + START_LIMIT_MS;
    int result = TORC_OK;
    while (result == TORC_OK && want_those_to_start(checking) > 0 && clock_now_ms() < until_ms) {
        result = ask_and_read(checking, words, CHECK_TIMEOUT_MS, read_start);
        if (want_those_to_start(checking) > 0) {
            session_sleep(PAUSE_MS);
        }
    }
    for (size_t i = 0; want_those_to_start(checking) > 0 && i < checking->audit.view->node_count;
         i++) {
        if (checking->wanted[i]) {
            audit_give_up(&checking->audit, i, "has not begun to compare");
        }
    }
    return result;
}

static int show_progress(struct checking *checking)
{
    const struct session *session = checking->session;
    struct buf text = {0};
    if (!session->terminal || session->options->json) {
        return TORC_OK;
    }
    buf_append_text(&text, "\r");
    render_audit_progress(&text, &checking->audit, session->look);
    buf_append_text(&text, "\033[K");
    int result = session_print(&text);
    buf_deinit(&text);
    return result;
}

static int poll_once(struct checking *checking)
{
    static const char *const words[] = {"TORC.CHECK", "STATUS", NULL};
    struct audit *audit = &checking->audit;
    struct answers answers;
    for (size_t i = 0; i < audit->view->node_count; i++) {
        checking->wanted[i] = audit->nodes[i].running;
    }
    int result = ask(checking, words, CHECK_TIMEOUT_MS, &answers);
    const uint64_t now_ms = clock_now_ms();
    for (size_t i = 0; result == TORC_OK && i < answers.count; i++) {
        if (!checking->wanted[i]) {
            continue;
        }
        if (audit_read_status(audit, i, answers.replies[i])) {
            checking->heard_ms[i] = now_ms;
        } else if (now_ms - checking->heard_ms[i] > SILENCE_MS) {
            audit_give_up(audit, i, "does not answer any more");
        }
    }
    answers_deinit(&answers);
    return result;
}

static void give_up_all(struct audit *audit)
{
    for (size_t i = 0; i < audit->view->node_count; i++) {
        if (audit->nodes[i].running) {
            audit_give_up(audit, i, "does not get on comparing");
        }
    }
}

static int follow(struct checking *checking)
{
    uint64_t total;
    uint64_t done = 0;
    uint64_t moved_ms = clock_now_ms();
    int result = TORC_OK;
    for (size_t i = 0; i < checking->audit.view->node_count; i++) {
        checking->heard_ms[i] = moved_ms;
    }
    while (result == TORC_OK && audit_is_running(&checking->audit)) {
        session_sleep(PAUSE_MS);
        result = poll_once(checking);
        const uint64_t before = done;
        done = audit_slots_done(&checking->audit, &total);
        moved_ms = done == before ? moved_ms : clock_now_ms();
        if (clock_now_ms() - moved_ms > STALL_MS) {
            give_up_all(&checking->audit);
        }
        if (result == TORC_OK) {
            result = show_progress(checking);
        }
    }
    return result;
}

/* What each found of what all the others sent, which is complete only now. */
static int collect(struct checking *checking)
{
    static const char *const words[] = {"TORC.CHECK", "STATUS", NULL};
    struct audit *audit = &checking->audit;
    struct answers answers;
    for (size_t i = 0; i < audit->view->node_count; i++) {
        checking->wanted[i] = audit->nodes[i].answers;
    }
    int result = ask(checking, words, CHECK_TIMEOUT_MS, &answers);
    for (size_t i = 0; result == TORC_OK && i < answers.count; i++) {
        if (checking->wanted[i]) {
            result = audit_read_received(audit, i, answers.replies[i]);
        }
    }
    answers_deinit(&answers);
    return result;
}

static int compare(struct checking *checking)
{
    int result = start(checking);
    if (result == TORC_OK) {
        result = follow(checking);
    }
    if (result == TORC_OK) {
        result = collect(checking);
    }
    if (result == TORC_OK) {
        (void)session_refresh(checking->session);
        result = audit_judge_copies(&checking->audit, session_view(checking->session));
    }
    return result;
}

/* ---- the verb ---- */

static int show(struct checking *checking)
{
    const struct session *session = checking->session;
    const double seconds = (double)(clock_now_ms() - checking->begun_ms) / 1000;
    struct buf text = {0};
    if (session->options->json) {
        return session_print_json(render_audit_json(&checking->audit, seconds), false);
    }
    buf_append_text(&text, session->terminal ? "\r\033[K" : "");
    render_audit(&text, &checking->audit, seconds, session->look);
    int result = session_print(&text);
    buf_deinit(&text);
    return result;
}

enum exit_code verb_check(struct session *session)
{
    struct checking checking = {.session = session,
                                .begun_ms = clock_now_ms(),
                                .since_epoch = session_view(session)->epoch};
    int result = look(&checking);
    if (result == TORC_OK) {
        result = compare(&checking);
    }
    if (result == TORC_OK) {
        result = show(&checking);
    }
    const bool problem = checking.audit.problem_count > 0;
    audit_deinit(&checking.audit);
    free(checking.wanted);
    free(checking.heard_ms);
    if (result != TORC_OK) {
        return session_fail(result);
    }
    return problem ? EXIT_PROBLEM : EXIT_WELL;
}
