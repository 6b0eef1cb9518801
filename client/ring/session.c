#include "client/ring/session.h"

#include "base/error.h"
#include "client/ask.h"
#include "client/clock.h"
#include "client/reply.h"
#include "torc/torc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define VIEW_TIMEOUT_MS 3000
#define INFO_TIMEOUT_MS 1500  /* so that one node that hangs does not make people wait */
#define SLOTS_TIMEOUT_MS 3000 /* up to 16 384 rows */
#define TELL_TIMEOUT_MS 2000

const struct view *session_view(const struct session *session)
{
    return session->view;
}

bool session_read_view(struct session *session)
{
    const struct view *view = ask_view(session->handle);
    if (view != NULL) {
        view_release(session->view);
        session->view = view;
    }
    return view != NULL;
}

void session_sleep(uint64_t delay_ms)
{
    struct timespec delay = {.tv_sec = (time_t)(delay_ms / 1000),
                             .tv_nsec = (long)(delay_ms % 1000) * 1000000};
    while (nanosleep(&delay, &delay) != 0 && errno == EINTR) {
    }
}

bool session_refresh(struct session *session)
{
    return ask_for_newer(session->handle, VIEW_TIMEOUT_MS) && session_read_view(session);
}

enum exit_code session_fail(int error)
{
    if (error == TORC_EIO) {
        (void)fprintf(stderr, "torc-ring: cannot write the output\n");
    } else {
        (void)fprintf(stderr, "torc-ring: %s\n", torc_strerror(error));
    }
    return EXIT_PROBLEM;
}

enum exit_code session_refuse(enum exit_code code, const char *format, ...)
{
    va_list arguments;
    (void)fprintf(stderr, "torc-ring: ");
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    return code;
}

int session_print(struct buf *text)
{
    if (text->failed) {
        return TORC_ENOMEM;
    }
    if (buf_size(text) > 0) {
        (void)fwrite(buf_head(text), 1, buf_size(text), stdout);
    }
    buf_reset(text, buf_size(text));
    return fflush(stdout) == 0 && !ferror(stdout) ? TORC_OK : TORC_EIO;
}

int session_print_json(json_t *json, bool one_line)
{
    if (json == NULL) {
        return TORC_ENOMEM;
    }
    char *text = json_dumps(json, one_line ? JSON_COMPACT : JSON_INDENT(2));
    json_decref(json);
    if (text == NULL) {
        return TORC_ENOMEM;
    }
    (void)fputs(text, stdout);
    (void)fputc('\n', stdout);
    free(text);
    return fflush(stdout) == 0 && !ferror(stdout) ? TORC_OK : TORC_EIO;
}

void answers_deinit(struct answers *answers)
{
    for (size_t i = 0; answers->replies != NULL && i < answers->count; i++) {
        torc_reply_free(answers->replies[i]);
    }
    free(answers->replies);
    answers->replies = NULL;
}

/* Where the nodes that are wanted are, and what they say, in the order of the view. */
struct asked {
    struct endpoint *endpoints;
    redisReply **replies;
    int *errors;
    size_t *nodes; /* of the view */
    size_t count;
};

static bool asked_init(struct asked *asked, const struct question *question)
{
    const struct view *view = question->view;
    const size_t room = view->node_count + 1;
    *asked = (struct asked){.endpoints = calloc(room, sizeof(*asked->endpoints)),
                            .replies = calloc(room, sizeof(redisReply *)),
                            .errors = calloc(room, sizeof(*asked->errors)),
                            .nodes = calloc(room, sizeof(*asked->nodes))};
    if (asked->endpoints == NULL || asked->replies == NULL || asked->errors == NULL ||
        asked->nodes == NULL) {
        return false;
    }
    for (size_t i = 0; i < view->node_count; i++) {
        if (question->wanted == NULL || question->wanted[i]) {
            endpoint_set(&asked->endpoints[asked->count], view->nodes[i].host,
                         view->nodes[i].client_port);
            asked->nodes[asked->count++] = i;
        }
    }
    return true;
}

static void asked_deinit(struct asked *asked)
{
    free(asked->endpoints);
    free(asked->replies);
    free(asked->errors);
    free(asked->nodes);
}

int session_ask(struct session *session, const struct question *question, struct answers *out)
{
    const size_t count = question->view->node_count;
    struct asked asked;
    int result = TORC_ENOMEM;
    *out = (struct answers){.replies = calloc(count + 1, sizeof(redisReply *)), .count = count};
    if (asked_init(&asked, question) && out->replies != NULL) {
        result = ask_each(session->handle, asked.endpoints, asked.count, question->argv,
                          question->argc, question->timeout_ms, asked.replies, asked.errors);
    }
    for (size_t i = 0; result == TORC_OK && i < asked.count; i++) {
        out->replies[asked.nodes[i]] = asked.replies[i];
    }
    asked_deinit(&asked);
    if (result != TORC_OK) {
        answers_deinit(out);
    }
    return result;
}

int session_ask_info(struct session *session, struct summary *summary)
{
    const struct bytes command = BYTES_LITERAL("INFO");
    const struct question question = {
        .view = session_view(session), .argv = &command, .argc = 1, .timeout_ms = INFO_TIMEOUT_MS};
    const uint64_t begun_ms = clock_now_ms();
    struct answers answers;
    int result = session_ask(session, &question, &answers);
    if (result != TORC_OK) {
        return result;
    }
    for (size_t i = 0; i < answers.count; i++) {
        if (answers.replies[i] != NULL) {
            summary_read_info(summary, i, reply_bytes(answers.replies[i]));
        }
    }
    summary->asked_ms = clock_now_ms() - begun_ms;
    answers_deinit(&answers);
    return TORC_OK;
}

static int ask_slots_once(struct session *session, struct measure *out)
{
    char last[16];
    struct answers answers;
    (void)snprintf(last, sizeof(last), "%d", SLOT_COUNT - 1);
    const struct bytes command[] = {BYTES_LITERAL("CLUSTER"), BYTES_LITERAL("SLOT-STATS"),
                                    BYTES_LITERAL("SLOTSRANGE"), BYTES_LITERAL("0"),
                                    bytes_of(last)};
    const struct question question = {.view = session_view(session),
                                      .argv = command,
                                      .argc = sizeof(command) / sizeof(command[0]),
                                      .timeout_ms = SLOTS_TIMEOUT_MS};
    int result = session_ask(session, &question, &answers);
    if (result != TORC_OK) {
        return result;
    }
    for (size_t i = 0; i < answers.count; i++) {
        if (answers.replies[i] != NULL) {
            measure_read(out, answers.replies[i]);
        }
    }
    answers_deinit(&answers);
    return TORC_OK;
}

int session_ask_slots(struct session *session, struct measure *out, unsigned ops_ms)
{
    *out = (struct measure){.has_ops = false};
    const uint64_t begun_ms = clock_now_ms();
    int result = ask_slots_once(session, out);
    if (result != TORC_OK || ops_ms == 0) {
        return result;
    }
    struct measure *before = malloc(sizeof(*before));
    if (before == NULL) {
        return TORC_ENOMEM;
    }
    *before = *out;
    session_sleep(ops_ms);
    const uint64_t again_ms = clock_now_ms();
    *out = (struct measure){.has_ops = false};
    result = ask_slots_once(session, out);
    measure_set_ops(out, before, (double)(again_ms - begun_ms) / 1000);
    free(before);
    return result;
}

int session_tell(struct session *session, const struct bytes *argv, size_t argc,
                 char answer[SESSION_ANSWER_SIZE])
{
    const struct view *view = session_view(session);
    const size_t start = (size_t)prng_below(&session->handle->prng, view->node_count + 1);
    int result = TORC_ECONNECT;
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_node *node = &view->nodes[(start + i) % view->node_count];
        struct endpoint endpoint;
        redisReply *reply = NULL;
        if (node->status == NODE_DOWN) {
            continue;
        }
        endpoint_set(&endpoint, node->host, node->client_port);
        result = ask_one(session->handle, &endpoint, argv, argc, TELL_TIMEOUT_MS, &reply);
        if (result == TORC_OK) {
            const bool refused = reply->type == REDIS_REPLY_ERROR;
            (void)snprintf(answer, SESSION_ANSWER_SIZE, "%.*s", refused ? (int)reply->len : 0,
                           refused ? reply->str : "");
            torc_reply_free(reply);
            return TORC_OK;
        }
    }
    return result;
}
