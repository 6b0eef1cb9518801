#include "base/log.h"
#include "node/call.h"
#include "node/commands/command_docs.h"
#include "node/commands/connection.h"
#include "node/commands/handlers.h"
#include "node/node.h"
#include "node/resp/number.h"
#include "node/session.h"

#include <string.h>

void client_id_command(struct call *call)
{
    reply_integer(call->reply, (int64_t)call->session->id);
}

void client_getname_command(struct call *call)
{
    /* Only this worker writes the name, so it may read it without the registry's lock. */
    if (call->session->name[0] == '\0') {
        reply_null(call->reply);
    } else {
        reply_bulk_text(call->reply, call->session->name);
    }
}

void client_setname_command(struct call *call)
{
    if (connection_set_name(call, call->argv[2])) {
        reply_ok(call->reply);
    }
}

void client_setinfo_command(struct call *call)
{
    struct session *session = call->session;
    const char *option = NULL;
    char *field = NULL;
    if (call_argument_is(call, 2, "lib-name")) {
        option = "lib-name";
        field = session->library_name;
    } else if (call_argument_is(call, 2, "lib-ver")) {
        option = "lib-ver";
        field = session->library_version;
    } else {
        reply_error(call->reply, "ERR Unrecognized option '%.*s'",
                    (int)(call->argv[2].size < 128 ? call->argv[2].size : 128), call->argv[2].data);
        return;
    }
    struct bytes value = call->argv[3];
    if (!connection_text_is_plain(value) || value.size > SESSION_NAME_SIZE_MAX) {
        reply_error(call->reply,
                    "ERR %s cannot contain spaces, newlines or special characters, nor be longer "
                    "than %d bytes.",
                    option, SESSION_NAME_SIZE_MAX);
        return;
    }
    struct session_registry *registry = &worker_node(call->worker)->sessions;
    pthread_mutex_lock(&registry->lock);
    memcpy(field, value.data, value.size);
    field[value.size] = '\0';
    pthread_mutex_unlock(&registry->lock);
    reply_ok(call->reply);
}

/* The connection drops this reply, and those that the mode says, when it sends. */
void client_reply_command(struct call *call)
{
    struct session *session = call->session;
    if (call_argument_is(call, 2, "on")) {
        session->reply_mode = REPLY_ON;
    } else if (call_argument_is(call, 2, "off")) {
        session->reply_mode = REPLY_OFF;
    } else if (call_argument_is(call, 2, "skip")) {
        if (session->reply_mode != REPLY_OFF) {
            session->reply_mode = REPLY_SKIP_NEXT;
        }
    } else {
        call_reply_syntax_error(call);
        return;
    }
    reply_ok(call->reply);
}

/* ON or OFF at argument 2; replies the error itself. */
static bool read_switch(struct call *call, bool *on)
{
    *on = call_argument_is(call, 2, "on");
    if (!*on && !call_argument_is(call, 2, "off")) {
        call_reply_syntax_error(call);
        return false;
    }
    return true;
}

void client_no_evict_command(struct call *call)
{
    bool on = false;
    if (read_switch(call, &on)) {
        atomic_store_explicit(&call->session->no_evict, on, memory_order_relaxed);
        reply_ok(call->reply);
    }
}

void client_no_touch_command(struct call *call)
{
    bool on = false;
    if (read_switch(call, &on)) {
        call->session->no_touch = on;
        reply_ok(call->reply);
    }
}

void client_pause_command(struct call *call)
{
    struct node *node = worker_node(call->worker);
    int64_t timeout_ms = 0;
    bool writes_only = call->argc > 3 && call_argument_is(call, 3, "write");
    if (call->argc > 4 || (call->argc == 4 && !writes_only && !call_argument_is(call, 3, "all"))) {
        reply_error(call->reply, "ERR CLIENT PAUSE mode must be WRITE or ALL");
    } else if (!parse_int64(call->argv[2], &timeout_ms)) {
        reply_error(call->reply, "ERR timeout is not an integer or out of range");
    } else if (timeout_ms < 0) {
        reply_error(call->reply, "ERR timeout is negative");
    } else if ((uint64_t)timeout_ms > INT64_MAX - call->now_ms) {
        reply_error(call->reply, "ERR timeout is out of range");
    } else {
        atomic_store(&node->pause_writes_only, writes_only);
        atomic_store(&node->pause_until_ms, call->now_ms + (uint64_t)timeout_ms);
        reply_ok(call->reply);
    }
}

void client_unpause_command(struct call *call)
{
    struct node *node = worker_node(call->worker);
    atomic_store(&node->pause_until_ms, 0);
    for (unsigned i = 0; i < node->worker_count; i++) {
        node_wake_worker(node, i);
    }
    reply_ok(call->reply);
}

/* Session of that id, if it waits: has its worker end that. */
static bool unblock(struct node *node, uint64_t id, enum session_blocking how)
{
    struct session_registry *registry = &node->sessions;
    bool unblocked = false;
    pthread_mutex_lock(&registry->lock);
    for (struct session *session = registry->first; session != NULL; session = session->next) {
        if (session->id == id) {
            int blocked = SESSION_BLOCKED;
            unblocked = atomic_compare_exchange_strong(&session->blocking, &blocked, how);
            if (unblocked) {
                node_wake_worker(node, session->worker_index);
            }
            break;
        }
    }
    pthread_mutex_unlock(&registry->lock);
    return unblocked;
}

void client_unblock_command(struct call *call)
{
    int64_t id = 0;
    if (!call_argument_int64(call, 2, &id)) {
        return;
    }
    if (call->argc > 4 || (call->argc == 4 && !call_argument_is(call, 3, "timeout") &&
                           !call_argument_is(call, 3, "error"))) {
        reply_error(call->reply, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
        return;
    }
    bool error = call->argc == 4 && call_argument_is(call, 3, "error");
    reply_integer(call->reply, unblock(worker_node(call->worker), (uint64_t)id,
                                       error ? SESSION_UNBLOCK_ERROR : SESSION_UNBLOCK_TIMEOUT));
}

void client_help_command(struct call *call)
{
    command_reply_help(call);
}
