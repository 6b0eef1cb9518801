#include "client/discover.h"

#include "base/error.h"
#include "client/answer.h"
#include "client/clock.h"
#include "client/exchange.h"
#include "client/reply.h"
#include "client/retry.h"
#include "client/run.h"
#include "torc/torc.h"

#include <stdio.h>

#define VIEW_COMMAND "TORC.VIEW"
#define TABLE_COMMAND "COMMAND"

static bool is_kept(const void *context, const struct endpoint *endpoint)
{
    return routing_knows(context, endpoint);
}

static int refuse(struct torc *handle, int error, const struct endpoint *endpoint,
                  const char *command, const char *text)
{
    char where[ENDPOINT_TEXT_SIZE];
    endpoint_format(endpoint, where);
    return handle_fail(handle, error, "%s: %s: %.200s", where, command, text);
}

/* Asks a node for its view; *out is retained for the caller. TORC_EAGAIN: it has none yet. */
static int fetch_view(struct torc *handle, const struct endpoint *endpoint, uint64_t deadline_ms,
                      struct view **out)
{
    redisReply *reply = NULL;
    const struct bytes command = BYTES_LITERAL(VIEW_COMMAND);
    int result = exchange_ask(handle, endpoint, &command, 1, deadline_ms, &reply);
    if (result != TORC_OK) {
        return result;
    }
    struct answer answer;
    answer_read(&answer, reply, endpoint->host);
    char text[200];
    if (answer.kind == ANSWER_LATER) {
        result = refuse(handle, TORC_EAGAIN, endpoint, VIEW_COMMAND, reply->str);
    } else if (reply->type == REDIS_REPLY_ERROR &&
               bytes_equal((struct bytes){reply->str, reply->len < 19 ? reply->len : 19},
                           BYTES_LITERAL("ERR unknown command"))) {
        (void)snprintf(text, sizeof(text), "this is not a Torc node: %.120s", reply->str);
        result = refuse(handle, TORC_EPROTOCOL, endpoint, VIEW_COMMAND, text);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        result = refuse(handle, TORC_EREPLY, endpoint, VIEW_COMMAND, reply->str);
    } else if (reply->type != REDIS_REPLY_STRING) {
        result = refuse(handle, TORC_EPROTOCOL, endpoint, VIEW_COMMAND, "the reply is no view");
    } else {
        result = view_decode(out, reply_bytes(reply), NULL);
        if (result != TORC_OK) {
            (void)snprintf(text, sizeof(text), "the reply is no view: %s", torc_strerror(result));
            result = refuse(handle, result == TORC_ENOMEM ? TORC_ENOMEM : TORC_EPROTOCOL, endpoint,
                            VIEW_COMMAND, text);
        }
    }
    torc_reply_free(reply);
    return result;
}

static int fetch_commands(struct torc *handle, const struct endpoint *endpoint,
                          uint64_t deadline_ms)
{
    redisReply *reply = NULL;
    struct command_table table;
    const struct bytes command = BYTES_LITERAL(TABLE_COMMAND);
    int result = exchange_ask(handle, endpoint, &command, 1, deadline_ms, &reply);
    if (result != TORC_OK) {
        return result;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        result = refuse(handle, TORC_EREPLY, endpoint, TABLE_COMMAND, reply->str);
    } else {
        result = command_table_read(&table, reply);
        if (result != TORC_OK) {
            result = refuse(handle, result, endpoint, TABLE_COMMAND, "not understood");
        } else {
            command_table_deinit(&handle->commands);
            handle->commands = table;
        }
    }
    torc_reply_free(reply);
    return result;
}

static int join_through(struct torc *handle, const struct endpoint *seed, uint64_t deadline_ms)
{
    struct view *view = NULL;
    int result = fetch_view(handle, seed, deadline_ms, &view);
    if (result != TORC_OK) {
        return result;
    }
    result = fetch_commands(handle, seed, deadline_ms);
    if (result == TORC_OK) {
        routing_adopt(&handle->routing, view);
        handle->ready = true;
        handle->any_turn = (size_t)prng_next(&handle->prng);
    }
    view_release(view);
    return result;
}

/* Appends the handle's present error to a text of all. */
static void collect_error(const struct torc *handle, struct buf *texts)
{
    buf_append_format(texts, "%s%s", buf_size(texts) == 0 ? "" : "; ", handle->error_text);
}

/* One try of every seed. */
static int join_once(struct torc *handle, uint64_t deadline_ms)
{
    int result = TORC_ECONNECT;
    bool forming = false;
    struct buf texts = {0};
    const size_t count = handle->options.seed_count;
    for (size_t i = 0; i < count; i++) {
        /* One that never answers must leave time for those behind it. */
        uint64_t now_ms = clock_now_ms();
        uint64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
        result = join_through(handle, &handle->options.seeds[i], now_ms + left_ms / (count - i));
        if (result == TORC_OK) {
            buf_deinit(&texts);
            handle_begin(handle);
            return TORC_OK;
        }
        forming = forming || result == TORC_EAGAIN;
        collect_error(handle, &texts);
    }
    result = forming ? TORC_EAGAIN : result;
    if (!texts.failed) {
        (void)handle_fail(handle, result, "%.*s", (int)buf_size(&texts), buf_head(&texts));
    }
    buf_deinit(&texts);
    return result;
}

int discover_join(struct torc *handle, uint64_t deadline_ms)
{
    struct retry retry = {0};
    uint64_t delay_ms;
    for (;;) {
        int result = join_once(handle, deadline_ms);
        if (result != TORC_EAGAIN) {
            handle->error = result;
            return result;
        }
        if (!retry_next(&retry, false, clock_now_ms(), deadline_ms, &handle->prng, &delay_ms)) {
            handle->error = TORC_ETIMEOUT;
            return TORC_ETIMEOUT;
        }
        run_sleep(delay_ms);
    }
}

/* Candidate number i for a view, of `count`: the one that should know, the nodes of the view in a
 * circle, the seeds. False: not to be asked. */
static bool candidate(const struct torc *handle, size_t start, size_t i, struct endpoint *out)
{
    const struct findings *findings = &handle->findings;
    const struct view *view = handle->routing.view;
    if (i == 0) {
        *out = findings->newer;
        return findings->has_newer;
    }
    i--;
    if (i >= view->node_count) {
        *out = handle->options.seeds[i - view->node_count];
        return true;
    }
    const struct view_node *node = &view->nodes[(start + i) % view->node_count];
    if (findings->has_failed && strcmp(findings->failed.host, node->host) == 0 &&
        (findings->failed.port == node->direct_port ||
         findings->failed.port == node->client_port)) {
        return false;
    }
    endpoint_set(out, node->host, node->client_port);
    return node->status != NODE_DOWN;
}

/* Asks each candidate until one answers for this cluster; true if one did. *foreign: the view of
 * another cluster that a seed gave; retained. */
static bool ask_candidates(struct torc *handle, uint64_t deadline_ms, struct view **foreign)
{
    const size_t nodes = handle->routing.view->node_count;
    const size_t count = 1 + nodes + handle->options.seed_count;
    const size_t start = (size_t)prng_below(&handle->prng, nodes == 0 ? 1 : nodes);
    for (size_t i = 0; i < count; i++) {
        struct endpoint endpoint;
        struct view *view = NULL;
        uint64_t limit_ms = clock_now_ms();
        if (limit_ms >= deadline_ms) {
            return false;
        }
        limit_ms += handle->options.connect_timeout_ms;
        limit_ms = limit_ms < deadline_ms ? limit_ms : deadline_ms;
        if (!candidate(handle, start, i, &endpoint) ||
            fetch_view(handle, &endpoint, limit_ms, &view) != TORC_OK) {
            continue;
        }
        enum routing_verdict verdict = routing_offer(&handle->routing, view);
        if (verdict == ROUTING_ADOPTED || verdict == ROUTING_SAME) {
            view_release(view);
            return true;
        }
        if (verdict == ROUTING_FOREIGN && i > nodes && *foreign == NULL) {
            *foreign = view;
        } else {
            view_release(view);
        }
    }
    return false;
}

bool discover_refresh(struct torc *handle, uint64_t deadline_ms)
{
    const struct view *before = handle->routing.view;
    struct view *foreign = NULL;
    const int error = handle->error;
    const size_t error_at = handle->error_at;
    char text[ERROR_TEXT_SIZE];
    memcpy(text, handle->error_text, sizeof(text));
    bool answered = ask_candidates(handle, deadline_ms, &foreign);
    if (foreign != NULL && handle->routing.view == before) {
        /* Nobody of the old cluster answers, and the seeds lead to a new one: it was built anew. */
        routing_adopt(&handle->routing, foreign);
        answered = true;
    }
    view_release(foreign);
    if (handle->routing.view != before) {
        pool_trim(&handle->pool, is_kept, &handle->routing);
    }
    handle->error = error;
    handle->error_at = error_at;
    memcpy(handle->error_text, text, sizeof(text));
    return answered;
}
