/* torc-ring: shows the ring. Options, the view through libtorc, INFO from each node, output. */
#include "base/error.h"
#include "client/clock.h"
#include "client/exchange.h"
#include "client/reply.h"
#include "client/ring/options.h"
#include "client/ring/render.h"
#include "client/ring/render_json.h"
#include "ring/slot.h"
#include "torc/torc.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 1000
#define VIEW_TIMEOUT_MS 3000
#define INFO_TIMEOUT_MS 1500 /* so that one node that hangs does not make people wait */

enum exit_code { EXIT_WELL = 0, EXIT_PROBLEM = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

/* Fails only for want of memory; a node that does not answer is part of the picture. */
static int ask_nodes(struct torc *handle, struct summary *summary)
{
    const struct view *view = summary->view;
    const size_t count = view->node_count;
    int result = TORC_ENOMEM;
    struct endpoint *endpoints = calloc(count + 1, sizeof(*endpoints));
    redisReply **replies = calloc(count + 1, sizeof(*replies));
    int *errors = calloc(count + 1, sizeof(*errors));
    if (endpoints != NULL && replies != NULL && errors != NULL) {
        for (size_t i = 0; i < count; i++) {
            endpoint_set(&endpoints[i], view->nodes[i].host, view->nodes[i].client_port);
        }
        result = exchange_ask_each(handle, endpoints, count, "INFO",
                                   clock_now_ms() + INFO_TIMEOUT_MS, replies, errors);
        for (size_t i = 0; i < count && result == TORC_OK; i++) {
            if (replies[i] != NULL) {
                summary_read_info(&summary->nodes[i], reply_bytes(replies[i]));
                torc_reply_free(replies[i]);
            }
        }
    }
    free(errors);
    free(replies);
    free(endpoints);
    return result;
}

static int print_text(const struct buf *text)
{
    if (text->failed) {
        return TORC_ENOMEM;
    }
    (void)fwrite(buf_head(text), 1, buf_size(text), stdout);
    return TORC_OK;
}

static int print_json(json_t *json)
{
    int result =
        json != NULL && json_dumpf(json, stdout, JSON_INDENT(2)) == 0 ? TORC_OK : TORC_ENOMEM;
    (void)fputc('\n', stdout);
    json_decref(json);
    return result;
}

static bool wants_colour(void)
{
    return getenv("NO_COLOR") == NULL && isatty(STDOUT_FILENO) == 1;
}

static int show_status(struct torc *handle, const struct ring_options *options, bool *problem)
{
    struct summary summary;
    struct buf text = {0};
    int result = summary_init(&summary, handle->routing.view);
    if (result != TORC_OK) {
        return result;
    }
    result = ask_nodes(handle, &summary);
    if (result == TORC_OK) {
        result = summary_judge(&summary);
    }
    if (result == TORC_OK && options->json) {
        result = print_json(render_status_json(&summary));
    } else if (result == TORC_OK) {
        render_status(&text, &summary, wants_colour());
        result = print_text(&text);
    }
    *problem = summary.warning_count > 0;
    buf_deinit(&text);
    summary_deinit(&summary);
    return result;
}

static int show_slots(const struct view *view, const struct ring_options *options, bool *problem)
{
    struct buf text = {0};
    int result;
    if (options->json) {
        result = print_json(render_slots_json(view, options->keys, options->key_count));
    } else {
        render_slots(&text, view, options->keys, options->key_count);
        result = print_text(&text);
        buf_deinit(&text);
    }
    for (int i = 0; i < options->key_count; i++) {
        uint16_t owners[COPIES_MAX];
        if (view_owners(view, slot_of_key(bytes_of(options->keys[i])), owners) == 0) {
            *problem = true;
        }
    }
    return result;
}

static enum exit_code run(struct torc *handle, const struct ring_options *options)
{
    bool problem = false;
    int result = options->verb == RING_STATUS ? show_status(handle, options, &problem)
                                              : show_slots(handle->routing.view, options, &problem);
    if (result != TORC_OK) {
        (void)fprintf(stderr, "torc-ring: %s\n", torc_strerror(result));
        return EXIT_PROBLEM;
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void)fprintf(stderr, "torc-ring: cannot write the output\n");
        return EXIT_PROBLEM;
    }
    return problem ? EXIT_PROBLEM : EXIT_WELL;
}

int main(int argc, char **argv)
{
    struct ring_options options;
    char error[RING_ERROR_SIZE];
    if (ring_options_parse(&options, argc, argv, error) != TORC_OK) {
        (void)fprintf(stderr, "torc-ring: %s\n", error);
        return EXIT_USAGE;
    }
    if (options.help || options.version) {
        (void)printf("%s", options.help ? ring_options_help() : "torc-ring " TORC_VERSION "\n");
        return fflush(stdout) == 0 ? EXIT_WELL : EXIT_PROBLEM;
    }
    const struct torc_options connect = {.seeds = options.seeds,
                                         .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                         .timeout_ms = VIEW_TIMEOUT_MS};
    struct torc *handle;
    enum exit_code code;
    int result = torc_connect(&connect, &handle);
    if (result == TORC_EINVAL || result == TORC_ETOOBIG) {
        (void)fprintf(stderr, "torc-ring: -s: %s\n", torc_error(handle));
        code = EXIT_USAGE;
    } else if (result != TORC_OK) {
        (void)fprintf(stderr, "torc-ring: cannot read the ring from %s: %s\n", options.seeds,
                      handle == NULL ? torc_strerror(result) : torc_error(handle));
        code = EXIT_UNREACHABLE;
    } else {
        code = run(handle, &options);
    }
    torc_close(handle);
    return (int)code;
}
