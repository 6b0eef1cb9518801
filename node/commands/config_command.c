#include "base/error.h"
#include "node/call.h"
#include "node/commands/command_docs.h"
#include "node/commands/handlers.h"
#include "node/config.h"
#include "node/node.h"
#include "node/resp/glob.h"
#include "node/resp/number.h"

#include <string.h>

static int shown(struct bytes text)
{
    return (int)(text.size < 128 ? text.size : 128);
}

/* Pairs that match pattern `index` and none before it: each parameter is told once. */
struct collection {
    const struct call *call;
    size_t index;
    size_t count;
    struct reply_writer writer; /* of the pairs, into a buffer of its own: their number comes first
                                 */
};

static void collect(void *context, const char *name, const char *value)
{
    struct collection *collection = context;
    for (size_t i = 2; i < collection->index; i++) {
        if (glob_match(collection->call->argv[i], bytes_of(name), true)) {
            return;
        }
    }
    reply_bulk_text(&collection->writer, name);
    reply_bulk_text(&collection->writer, value);
    collection->count++;
}

void config_get_command(struct call *call)
{
    struct buf pairs = {0};
    struct collection collection = {.call = call,
                                    .writer = {.out = &pairs, .protocol = call->reply->protocol}};
    for (size_t i = 2; i < call->argc; i++) {
        collection.index = i;
        config_get(&worker_node(call->worker)->config, call->argv[i], collect, &collection);
    }
    if (pairs.failed) {
        call_reply_no_memory(call);
    } else {
        reply_map(call->reply, collection.count);
        buf_append(call->reply->out, buf_head(&pairs), buf_size(&pairs));
    }
    buf_deinit(&pairs);
}

static bool named_before(const struct call *call, size_t index)
{
    for (size_t i = 2; i < index; i += 2) {
        struct bytes a = call->argv[i];
        struct bytes b = call->argv[index];
        if (a.size == b.size && strncasecmp(a.data, b.data, a.size) == 0) {
            return true;
        }
    }
    return false;
}

/* Checks the pair at `index`; replies the error itself. */
static bool check_pair(struct call *call, size_t index)
{
    struct bytes name = call->argv[index];
    struct buf reason = {0};
    int status = config_check(name, call->argv[index + 1], &reason);
    if (status == TORC_OK && named_before(call, index)) {
        status = TORC_EINVAL;
        buf_append_text(&reason, "duplicate parameter");
    }
    if (status == TORC_ENOTFOUND) {
        reply_error(call->reply,
                    "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
                    shown(name), name.data);
    } else if (status != TORC_OK) {
        if (status == TORC_EEXIST) {
            buf_append_text(&reason, "can't set immutable config");
        }
        reply_error(call->reply,
                    "ERR CONFIG SET failed (possibly related to argument '%.*s') - %.*s",
                    shown(name), name.data, (int)buf_size(&reason),
                    reason.data == NULL ? "" : buf_head(&reason));
    }
    buf_deinit(&reason);
    return status == TORC_OK;
}

void config_set_command(struct call *call)
{
    struct node *node = worker_node(call->worker);
    if (call->argc % 2 != 0) {
        call_reply_syntax_error(call);
        return;
    }
    for (size_t i = 2; i < call->argc; i += 2) {
        if (!check_pair(call, i)) {
            return;
        }
    }
    struct buf ignored = {0};
    for (size_t i = 2; i < call->argc; i += 2) {
        /* Cannot fail: it was checked, and nothing it depends on changes. */
        int status = config_set(&node->config, call->argv[i], call->argv[i + 1], &ignored);
        (void)status;
    }
    buf_deinit(&ignored);
    atomic_store_explicit(&node->log.level,
                          atomic_load_explicit(&node->config.log_level, memory_order_relaxed),
                          memory_order_relaxed);
    reply_ok(call->reply);
}

void config_resetstat_command(struct call *call)
{
    node_stats_reset(worker_node(call->worker));
    reply_ok(call->reply);
}

void config_rewrite_command(struct call *call)
{
    reply_error(call->reply, "ERR CONFIG REWRITE is not supported: a config file is the operator's "
                             "to write");
}

void config_help_command(struct call *call)
{
    command_reply_help(call);
}
